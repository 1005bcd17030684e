// The manifests as they would be with what they stage in force.
#ifndef SLUICE_CONTROL_LINT_PROMOTED_H_
#define SLUICE_CONTROL_LINT_PROMOTED_H_

#include "manifest/manifest_reader.h"

namespace sluice {

inline bool IsStaged(const Manifests& manifests) {
  return !manifests.cluster.staged.empty() || !manifests.cluster.staged_cluster.empty();
}

// Each staged policy replaces the policy of its name, and its place is that of the staged object. Policies that
// would be deleted are gone. Nothing is staged in the result. If several are staged for one policy, the first in the
// order of StagedBy counts.
Manifests Promoted(Manifests manifests);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_PROMOTED_H_
