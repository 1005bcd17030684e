// Compile: time, bytes and counts for each of the shapes that must stay small and fast, and what a miss costs in them.
//
// Usage: compile_bench [SHAPE [SCALE]]. Prints a JSON object a line.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <variant>
#include <vector>

#include "resolve/resolve.h"
#include "support/shapes.h"
#include "table/classify.h"
#include "table/compile.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Nanoseconds for a miss of the flow table: `pairs` random pairs of pods and a port, classified again and again.
double MissNanoseconds(const Table& table, const ResolvedPolicy& policy, std::size_t pairs) {
  std::mt19937 random(1);
  std::vector<IpAddress> addresses;
  for (const Endpoint& endpoint : policy.endpoints) {
    if (!endpoint.addresses.empty()) addresses.push_back(endpoint.addresses.front());
  }
  std::vector<ClassifyQuery> queries(pairs);
  for (ClassifyQuery& query : queries) {
    query = {addresses[random() % addresses.size()], addresses[random() % addresses.size()], 6,
             static_cast<std::uint16_t>(random() % 2 == 0 ? 80 : 1024 + random() % 5000)};
  }
  Classifier classifier;
  std::vector<Classification> results(Classifier::kMaxBurst);
  double best = 1e18;
  for (int round = 0; round < 4; ++round) {
    const auto start = Clock::now();
    for (std::size_t i = 0; i + 32 <= queries.size(); i += 32) {
      classifier.Classify(table, std::span(queries).subspan(i, 32), results.data());
    }
    best = std::min(best, MillisecondsSince(start) * 1e6 / static_cast<double>(queries.size() / 32 * 32));
  }
  return best;
}

int Measure(const Shape& shape, double scale) {
  const Cluster cluster = shape.make(scale);
  auto start = Clock::now();
  const ResolvedPolicy policy = Resolve(cluster, nullptr);
  const double resolve_ms = MillisecondsSince(start);

  Compiler compiler;
  start = Clock::now();
  const auto result = compiler.Compile(policy);
  const double compile_ms = MillisecondsSince(start);
  if (const auto* error = std::get_if<Diagnostic>(&result)) {
    std::fprintf(stderr, "%s\n", error->ToString().c_str());
    return 1;
  }
  const auto table = std::get<std::shared_ptr<const Table>>(result);
  start = Clock::now();
  (void)compiler.Compile(policy);
  const double again_ms = MillisecondsSince(start);

  const TableStats& stats = table->stats();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"shape\":\"%.*s\",\"scale\":%g,\"resolve_ms\":%.1f,\"compile_ms\":%.1f,\"recompile_ms\":%.1f,\"table_bytes\":%"
      "llu,"
      "\"addresses\":%llu,\"identities\":%llu,\"groups\":%llu,\"rules\":%llu,\"section_sets\":%llu,\"peer_classes\":%"
      "llu,"
      "\"port_classes\":%llu,\"memberships\":%llu,\"cidr_cells\":%llu,\"miss_1k_pairs_ns\":%.1f,\"miss_64k_pairs_ns\":%"
      ".1f,"
      "\"peak_rss_mb\":%ld}\n",
      static_cast<int>(shape.name.size()), shape.name.data(), scale, resolve_ms, compile_ms, again_ms,
      static_cast<unsigned long long>(stats.bytes), static_cast<unsigned long long>(stats.addresses),
      static_cast<unsigned long long>(stats.identities), static_cast<unsigned long long>(stats.groups),
      static_cast<unsigned long long>(stats.rules), static_cast<unsigned long long>(stats.section_sets),
      static_cast<unsigned long long>(stats.peer_classes), static_cast<unsigned long long>(stats.port_classes),
      static_cast<unsigned long long>(stats.memberships), static_cast<unsigned long long>(stats.cidr_cells),
      MissNanoseconds(*table, policy, 1024), MissNanoseconds(*table, policy, 65536), usage.ru_maxrss / 1024);
  std::fflush(stdout);
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "";
  const double scale = argc > 2 ? std::atof(argv[2]) : 1.0;
  int status = 0;
  for (const sluice::Shape& shape : sluice::Shapes()) {
    if (wanted.empty() || wanted == shape.name) status |= sluice::Measure(shape, scale);
  }
  return status;
}
