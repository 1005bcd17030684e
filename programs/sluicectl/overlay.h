// Puts policies on top of the policy in force, with the result that `kubectl apply` of their manifests would have.
#ifndef SLUICE_PROGRAMS_SLUICECTL_OVERLAY_H_
#define SLUICE_PROGRAMS_SLUICECTL_OVERLAY_H_

#include <optional>

#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// Returns the update that puts the policies of `added` into `live`, and replaces policies of the same names. `added` is
// resolved against the endpoints of `live`, which are matched by name. If a policy in force uses the same selector,
// `live` knows what it selects, with the labels of namespaces: then that is used.
PolicyUpdate OverlayOf(const ResolvedPolicy& live, const ResolvedPolicy& added);

// Copies it, with the same groups, endpoints and policies under the same numbers.
ResolvedPolicy CopyOf(const ResolvedPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_OVERLAY_H_
