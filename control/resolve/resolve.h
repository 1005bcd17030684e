// Resolve: from Kubernetes objects to resolved policy, every label selector evaluated.
//
// The passes, a file each: pods are numbered and keep the addresses that are theirs (pod_table); labels become bitmaps
// over those numbers (label_index), named ports too (port_index); subjects and peers become groups, evaluated once for
// each distinct text (groups); policies become sections (resolve).
#ifndef SLUICE_CONTROL_RESOLVE_RESOLVE_H_
#define SLUICE_CONTROL_RESOLVE_RESOLVE_H_

#include "model/objects.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// Requires: namespaces unique by name, pods and policies by namespace and name. Never fails: what two objects claim and
// one loses is a warning in `diagnostics` (NP-83). The result does not depend on the order of the objects and holds
// nothing of `cluster`. Any thread; keeps no state.
ResolvedPolicy Resolve(const Cluster& cluster, Diagnostics* diagnostics);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_RESOLVE_H_
