#include "api/silent_pods.h"

#include <algorithm>
#include <cstddef>

namespace sluice {

PodCounts FindSilentPods(const PolicyStore& store, const StagedLedger& ledger, const std::string& namespace_name,
                         const std::function<void(const Endpoint&)>& visit) {
  constexpr std::size_t kAtOnce = 1000;
  PodCounts counts;
  for (std::size_t begin = 0, end = 1; begin < end; begin += kAtOnce) {
    store.Read([&](const ResolvedPolicy& policy, const Table&) {
      end = policy.endpoints.size();
      for (std::size_t i = begin; i < std::min(begin + kAtOnce, end); ++i) {
        const Endpoint& endpoint = policy.endpoints[i];
        if (endpoint.name.empty()) continue;
        if (!namespace_name.empty() && endpoint.namespace_name != namespace_name) continue;
        ++counts.pods;
        if (ledger.HasSeen(endpoint.namespace_name + '/' + endpoint.name)) continue;
        ++counts.silent;
        if (visit) visit(endpoint);
      }
    });
  }
  return counts;
}

}  // namespace sluice
