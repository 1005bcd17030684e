// Resolve: from Kubernetes objects to resolved policy, with every label selector evaluated, once.
#ifndef SLUICE_CONTROL_RESOLVE_RESOLVE_H_
#define SLUICE_CONTROL_RESOLVE_RESOLVE_H_

#include "model/objects.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// Returns what a ClusterResolver says that got the whole cluster. Requires that namespaces are unique by name, and pods
// and policies by namespace and name. Never fails: where two objects claim something and one loses it, there is a
// warning in `diagnostics` (may be null; NP-83). The result does not depend on the order of the objects and refers to
// nothing in `cluster`. Any thread; keeps no state.
ResolvedPolicy Resolve(const Cluster& cluster, Diagnostics* diagnostics);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_RESOLVE_H_
