// Cluster policies changed one by one, each by one port of one rule, over a cluster of 100,000 pods: from hearing of
// the change to its being in force, in one process.
//
// Usage: tiers_change_bench [policies=1000] [pods=100000] [rounds=1]
// Milliseconds are of the processor, so that neighbours on the machine count for little.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "measure.h"
#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "store/policy_store.h"
#include "support/shapes.h"

namespace sluice {
namespace {

double CpuMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

[[noreturn]] void Fail(const std::string& text) {
  std::fprintf(stderr, "tiers_change_bench: %s\n", text.c_str());
  std::exit(1);
}

void Measure(std::uint32_t policies, std::uint32_t pods, std::uint32_t rounds) {
  Cluster cluster = UnderClusterPolicies(LargeShape(pods / 100'000.0), policies);
  std::shared_ptr<const Table> table;
  double in_force = 0;  // when the last change was
  PolicyStore store({}, [&](std::shared_ptr<const Table> made) {
    if (in_force == 0) in_force = CpuMilliseconds();
    table = std::move(made);
  });
  ClusterResolver resolver;
  resolver.Load(cluster);
  const std::unique_ptr<PolicyView> view = resolver.MakeView();
  if (const auto refused = store.Replace(view->Full())) Fail(refused->ToString());
  resolver.PrepareForChanges();
  std::vector<double> ms;
  std::vector<double> resolve_ms;
  std::vector<double> whole_ms;  // with what the table does when the change is in force: to number itself anew
  for (std::uint32_t round = 0; round < rounds; ++round) {
    for (ClusterPolicy& policy : cluster.cluster_policies) {
      policy.ingress.front().ports.front().first ^= 1;
      policy.ingress.front().ports.front().last ^= 1;
      in_force = 0;
      const double heard = CpuMilliseconds();
      resolver.Upsert(policy);
      if (!view->HasChanges()) Fail("the change of " + policy.name + " is none");
      PolicyUpdate update = view->TakeChanges();
      resolve_ms.push_back(CpuMilliseconds() - heard);
      if (const auto refused = store.Update(std::move(update))) Fail(refused->ToString());
      ms.push_back(in_force - heard);
      whole_ms.push_back(CpuMilliseconds() - heard);
    }
  }
  std::sort(ms.begin(), ms.end());
  std::sort(resolve_ms.begin(), resolve_ms.end());
  const auto at = [](const std::vector<double>& sorted, double share) {
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
  };
  const auto line = [&] {
    Result result("tiers", "sluice");
    result.Number("policies", policies).Number("pods", pods);
    return result;
  };
  line().Values("change_p50_ms", {at(ms, 0.5)});
  line().Values("change_p99_ms", {at(ms, 0.99)});
  line().Values("change_longest_ms", {ms.back()});
  line().Values("whole_longest_ms", {*std::max_element(whole_ms.begin(), whole_ms.end())});
  line().Values("resolve_p99_ms", {at(resolve_ms, 0.99)});
  line().Values("table_mb", {static_cast<double>(table->stats().bytes) / 1e6});
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const sluice::Arguments arguments("tiers_change_bench", argc, argv);
  sluice::Measure(arguments.Number("policies", 1000), arguments.Number("pods", 100'000), arguments.Number("rounds", 1));
  return 0;
}
