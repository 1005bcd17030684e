// What rules by domain name cost a packet that opens a connection, and what it costs to learn addresses while packets
// go on: a worker classifies misses, beside it a thread learns so many addresses a second.
//
// Usage: names_bench [SECONDS [LEARNT-A-SECOND]]. Prints a JSON object. Times of the worker are the processor's.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "names/name_store.h"
#include "table/classify.h"
#include "table/compile.h"

namespace sluice {
namespace {

constexpr std::uint32_t kPods = 1000;
constexpr std::uint32_t kOutside = 0xc6120000;  // 198.18.0.0: what may be learnt
constexpr std::uint32_t kAddresses = 1 << 16;
constexpr std::uint32_t kNames = 1 << 10;
constexpr int kRules = 25;

double CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::string NameOf(std::uint32_t number) {
  return "host" + std::to_string(number) + ".zone" + std::to_string(number % kRules) + ".example.com";
}

// Pods that may reach outside by rules by name, or by CIDR.
ResolvedPolicy Policy(bool by_name) {
  ResolvedPolicy policy;
  policy.groups.push_back({"pods", {}});
  policy.groups.push_back({"some", {{*Prefix::Parse("198.51.100.0/24"), {}}}});
  const GroupId pods[] = {0};
  const IdSetId members = policy.member_sets.Intern(pods);
  for (std::uint32_t i = 0; i < kPods; ++i) {
    Endpoint endpoint;
    endpoint.namespace_name = "shop";
    endpoint.name = "pod" + std::to_string(i);
    endpoint.addresses = {IpAddress::V4(0x0a000001 + i)};
    endpoint.members = members;
    policy.endpoints.push_back(std::move(endpoint));
  }
  Section section;
  section.policy = "names";
  section.direction = Direction::kEgress;
  section.tier = Tier::kAdmin;
  section.isolates = false;
  for (int i = 0; i < kRules; ++i) {
    Rule rule;
    rule.index = i;
    rule.any_port = false;
    rule.ports = {{6, 443, 443}};
    if (by_name) {
      rule.domain_names = DomainPatterns({"*.zone" + std::to_string(i) + ".example.com"});
    } else {
      rule.peers = 1;
    }
    section.rules.push_back(std::move(rule));
  }
  Rule deny;
  deny.index = kRules;
  deny.action = Action::kDeny;
  section.rules.push_back(std::move(deny));
  policy.sections.push_back(std::move(section));
  return policy;
}

std::shared_ptr<const Table> TableOf(Compiler& compiler, bool by_name) {
  auto result = compiler.Compile(Policy(by_name));
  if (const auto* error = std::get_if<Diagnostic>(&result)) {
    std::fprintf(stderr, "%s\n", error->ToString().c_str());
    std::exit(1);
  }
  return std::get<std::shared_ptr<const Table>>(std::move(result));
}

// To `base` and the addresses after it.
std::vector<ClassifyQuery> Queries(std::uint32_t base) {
  std::mt19937 random(1);
  std::vector<ClassifyQuery> queries(1 << 14);
  for (ClassifyQuery& query : queries) {
    query = {IpAddress::V4(0x0a000001 + random() % kPods), IpAddress::V4(base + random() % kAddresses), 6, 443};
  }
  return queries;
}

// The one worker of this bench: quiescent after each burst.
class OneReader final : public GracePeriod {
 public:
  void Quiescent() { seen_.store(now_.load(std::memory_order_acquire), std::memory_order_release); }
  std::uint64_t Begin() override { return now_.fetch_add(1) + 1; }
  bool IsOver(std::uint64_t token) override { return seen_.load(std::memory_order_acquire) >= token; }

 private:
  std::atomic<std::uint64_t> now_ = 0;
  std::atomic<std::uint64_t> seen_ = 0;
};

struct Run {
  double miss_ns = 0;
  std::uint64_t admitted = 0;
  std::uint64_t asked = 0;
};

Run Classify(const Table& table, std::span<const ClassifyQuery> queries, const NamesNow& names, OneReader& reader,
             double seconds) {
  constexpr std::size_t kBurst = 32;
  Classifier classifier;
  std::vector<Classification> results(Classifier::kMaxBurst);
  Run run;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  const double begun = CpuMs();
  while (std::chrono::steady_clock::now() < end) {
    for (std::size_t i = 0; i + kBurst <= queries.size(); i += kBurst) {
      classifier.Classify(table, queries.subspan(i, kBurst), results.data(), true, names);
      for (std::size_t j = 0; j < kBurst; ++j) run.admitted += results[j].allow;
      reader.Quiescent();
    }
    run.asked += queries.size();
  }
  run.miss_ns = (CpuMs() - begun) * 1e6 / static_cast<double>(run.asked);
  return run;
}

int Main(double seconds, std::uint64_t rate) {
  using Clock = std::chrono::steady_clock;
  Compiler compiler;
  Compiler compiler_by_name;
  const auto plain = TableOf(compiler, false);
  const auto by_name = TableOf(compiler_by_name, true);
  OneReader reader;
  NameStore store(&reader);
  store.Follow(*by_name);
  const NamesNow names{&store.learnt(), 1};
  const auto queries = Queries(kOutside);
  const double part = seconds / 4;
  const Run without = Classify(*plain, queries, names, reader, part);
  const Run unlearnt = Classify(*by_name, queries, names, reader, part);
  for (std::uint32_t i = 0; i < kAddresses; ++i) {
    const std::string name[] = {NameOf(i % kNames)};
    const IpAddress address[] = {IpAddress::V4(kOutside + i)};
    store.Learn({name, address, 3600, "bench"}, {1, 1});
  }
  const Run learnt = Classify(*by_name, queries, names, reader, part);

  std::atomic<bool> done = false;
  std::vector<double> learn_us;
  std::thread learner([&] {
    std::mt19937 random(2);
    const auto begun = Clock::now();
    for (std::uint64_t count = 0; !done.load(); ++count) {
      const auto due = begun + std::chrono::nanoseconds(count * 1'000'000'000 / rate);
      if (Clock::now() < due) std::this_thread::sleep_until(due);
      const std::uint32_t number = random() % kAddresses;
      const std::string name[] = {NameOf(number % kNames)};
      const IpAddress address[] = {IpAddress::V4(kOutside + number)};
      const auto from = Clock::now();
      store.Learn({name, address, 3600, "bench"}, {count + 2, count + 2});
      learn_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - from).count());
    }
  });
  const auto from = Clock::now();
  const Run while_learning = Classify(*by_name, queries, names, reader, part);
  done.store(true);
  learner.join();
  const double took = std::chrono::duration<double>(Clock::now() - from).count();
  std::sort(learn_us.begin(), learn_us.end());
  const auto quantile = [&](double q) {
    return learn_us.empty() ? 0 : learn_us[static_cast<std::size_t>(q * static_cast<double>(learn_us.size() - 1))];
  };
  std::printf(
      "{\"miss_without_rules_by_name_ns\":%.1f,\"miss_unlearnt_ns\":%.1f,\"miss_learnt_ns\":%.1f,"
      "\"miss_learnt_while_learning_ns\":%.1f,\"learnt_a_second\":%.0f,\"learn_p50_us\":%.2f,\"learn_p99_us\":%.2f,"
      "\"admitted_share\":%.3f}\n",
      without.miss_ns, unlearnt.miss_ns, learnt.miss_ns, while_learning.miss_ns,
      static_cast<double>(learn_us.size()) / took, quantile(0.5), quantile(0.99),
      static_cast<double>(while_learning.admitted) / static_cast<double>(while_learning.asked));
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  return sluice::Main(argc > 1 ? std::atof(argv[1]) : 4, argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 10'000);
}
