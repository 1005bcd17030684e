// Pods of which nothing was seen since something was staged: what they need is not known.
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
  std::uint64_t silent = 0;  // of these
};

// Of that namespace's pods, or of all where it is empty. Calls `visit` for each silent one, while the policy's writer
// waits; some pods at a time. Any thread.
PodCounts FindSilentPods(const PolicyStore& store, const StagedLedger& ledger, const std::string& namespace_name = {},
                         const std::function<void(const Endpoint&)>& visit = {});

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_SILENT_PODS_H_
