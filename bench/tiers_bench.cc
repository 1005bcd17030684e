// What tiers cost: each of the shapes that must stay small and fast, with 100 cluster policies of 25 rules over all
// pods on top, beside itself without them. Both take turns in one run; times are the processor's, medians of the turns.
//
// Usage: tiers_bench [SHAPE [SCALE [TURNS]]]. Prints a JSON object a line; a ratio is with to without.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "resolve/resolve.h"
#include "support/shapes.h"
#include "table/classify.h"
#include "table/compile.h"

namespace sluice {
namespace {

double CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::vector<ClassifyQuery> Queries(const ResolvedPolicy& policy, std::size_t pairs) {
  std::mt19937 random(1);
  std::vector<ClassifyQuery> queries(pairs);
  const auto address = [&] { return policy.endpoints[random() % policy.endpoints.size()].addresses.front(); };
  for (ClassifyQuery& query : queries) {
    const IpAddress from = address();
    query = {from, address(), 6, static_cast<std::uint16_t>(random() % 2 == 0 ? 80 : 1024 + random() % 5000)};
  }
  return queries;
}

// One of the two.
struct Side {
  ResolvedPolicy policy;
  std::shared_ptr<const Table> table = nullptr;
  std::vector<double> compile_ms = {};
  std::vector<double> known_ns = {};   // a miss of the flow table whose triples are remembered: 1,024 pairs
  std::vector<double> unseen_ns = {};  // 65,536 pairs, each asked for the first time

  bool Compile() {
    table = nullptr;
    Compiler compiler;
    const double begun = CpuMs();
    auto result = compiler.Compile(policy);
    compile_ms.push_back(CpuMs() - begun);
    if (const auto* error = std::get_if<Diagnostic>(&result)) {
      std::fprintf(stderr, "%s\n", error->ToString().c_str());
      return false;
    }
    table = std::get<std::shared_ptr<const Table>>(std::move(result));
    return true;
  }

  static double Classify(Classifier& classifier, const Table& table, std::span<const ClassifyQuery> queries) {
    constexpr std::size_t kBurst = 32;
    std::vector<Classification> results(Classifier::kMaxBurst);
    const double begun = CpuMs();
    for (std::size_t i = 0; i + kBurst <= queries.size(); i += kBurst) {
      classifier.Classify(table, queries.subspan(i, kBurst), results.data());
    }
    return (CpuMs() - begun) * 1e6 / static_cast<double>(queries.size());
  }

  void Miss() {
    const auto few = Queries(policy, 1024);
    Classifier known;
    Classify(known, *table, few);
    double sum = 0;
    constexpr int kRounds = 64;
    for (int round = 0; round < kRounds; ++round) sum += Classify(known, *table, few);
    known_ns.push_back(sum / kRounds);
    const auto many = Queries(policy, 65536);
    Classifier unseen;
    unseen_ns.push_back(Classify(unseen, *table, many));
  }
};

int Measure(const Shape& shape, double scale, int turns) {
  Side without{Resolve(shape.make(scale), nullptr)};
  Side with{Resolve(UnderClusterPolicies(shape.make(scale)), nullptr)};
  for (int turn = 0; turn < turns; ++turn) {
    for (Side* side : {&without, &with}) {
      if (!side->Compile()) return 1;
      side->Miss();
    }
  }
  const auto ratio = [&](auto figure) { return Median(with.*figure) / Median(without.*figure); };
  const double bytes = static_cast<double>(without.table->stats().bytes);
  std::printf(
      "{\"shape\":\"%.*s\",\"scale\":%g,\"bytes\":%.0f,\"bytes_ratio\":%.3f,\"compile_ms\":%.1f,\"compile_ratio\":%.3f,"
      "\"known_miss_ns\":%.1f,\"known_miss_ratio\":%.3f,\"unseen_miss_ns\":%.1f,\"unseen_miss_ratio\":%.3f}\n",
      static_cast<int>(shape.name.size()), shape.name.data(), scale, bytes,
      static_cast<double>(with.table->stats().bytes) / bytes, Median(without.compile_ms), ratio(&Side::compile_ms),
      Median(without.known_ns), ratio(&Side::known_ns), Median(without.unseen_ns), ratio(&Side::unseen_ns));
  std::fflush(stdout);
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "";
  const double scale = argc > 2 ? std::atof(argv[2]) : 1.0;
  const int turns = argc > 3 ? std::atoi(argv[3]) : 5;
  int status = 0;
  for (const sluice::Shape& shape : sluice::Shapes()) {
    if (wanted.empty() || wanted == shape.name) status |= sluice::Measure(shape, scale, turns);
  }
  return status;
}
