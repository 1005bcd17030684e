// Resolve: from Kubernetes objects to resolved policy, every label selector evaluated, once.
#ifndef SLUICE_CONTROL_RESOLVE_RESOLVE_H_
#define SLUICE_CONTROL_RESOLVE_RESOLVE_H_

#include "model/objects.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// What a ClusterResolver that was given the whole cluster says. Requires: namespaces unique by name, pods and policies
// by namespace and name. Never fails: what two objects claim and one loses is a warning in `diagnostics` (may be null;
// NP-83). The result does not depend on the order of the objects and holds nothing of `cluster`. Any thread; keeps no
// state.
ResolvedPolicy Resolve(const Cluster& cluster, Diagnostics* diagnostics);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_RESOLVE_H_
