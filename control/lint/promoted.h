// Manifests as they would be once what they stage is in force.
#ifndef SLUICE_CONTROL_LINT_PROMOTED_H_
#define SLUICE_CONTROL_LINT_PROMOTED_H_

#include "manifest/manifest_reader.h"

namespace sluice {

inline bool IsStaged(const Manifests& manifests) {
  return !manifests.cluster.staged.empty() || !manifests.cluster.staged_cluster.empty();
}

// Each staged policy in the place of the one of its name, and where the staged object stands; those that would be
// deleted are gone. Nothing is staged in it any more. Of several that are staged for one policy, the first StagedBy
// counts.
Manifests Promoted(Manifests manifests);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_PROMOTED_H_
