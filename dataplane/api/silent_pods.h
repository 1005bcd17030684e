// Pods that took part in no traffic since something was staged: nobody knows what they need.
#ifndef SLUICE_DATAPLANE_API_SILENT_PODS_H_
#define SLUICE_DATAPLANE_API_SILENT_PODS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "observe/staged_ledger.h"
#include "sluice/resolved_policy.h"
#include "store/policy_store.h"

namespace sluice {

struct PodCounts {
  std::uint64_t pods = 0;
  std::uint64_t silent = 0;  // of the pods above
};

// Looks at the pods of that namespace, or at all pods if it is empty. Calls `visit` for each silent pod, while the
// policy's writer waits; it looks at some pods at a time. Any thread.
PodCounts FindSilentPods(const PolicyStore& store, const StagedLedger& ledger, const std::string& namespace_name = {},
                         const std::function<void(const Endpoint&)>& visit = {});

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_SILENT_PODS_H_
