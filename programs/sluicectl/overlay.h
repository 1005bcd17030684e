// Policies on top of what is in force: what `kubectl apply` of these manifests would leave there.
#ifndef SLUICE_PROGRAMS_SLUICECTL_OVERLAY_H_
#define SLUICE_PROGRAMS_SLUICECTL_OVERLAY_H_

#include <optional>

#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// The update that puts the policies of `added` into `live`, in place of those of their names there. `added` is resolved
// against the endpoints of `live`, which it has by their names. Of a selector that a policy in force has too, `live`
// knows what it selects, namespaces' labels and all: then that counts.
PolicyUpdate OverlayOf(const ResolvedPolicy& live, const ResolvedPolicy& added);

// The same groups, endpoints and policies under the same numbers.
ResolvedPolicy CopyOf(const ResolvedPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_OVERLAY_H_
