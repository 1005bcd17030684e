// Folders of what is to be tried (`--staged`): the policies in them are staged as they stand, and staged objects say
// for themselves what they are.
#ifndef SLUICE_CONTROL_MANIFEST_STAGED_FOLDER_H_
#define SLUICE_CONTROL_MANIFEST_STAGED_FOLDER_H_

#include <vector>

#include "manifest/manifest_reader.h"
#include "model/objects.h"
#include "sluice/diagnostic.h"

namespace sluice {

struct StagedSet {
  std::vector<StagedNetworkPolicy> policies;          // unique by namespace and name
  std::vector<StagedClusterPolicy> cluster_policies;  // unique by name

  bool empty() const { return policies.empty() && cluster_policies.empty(); }

  friend bool operator==(const StagedSet&, const StagedSet&) = default;
};

// What `folder`, as it was read, stages. What is refused there stages nothing, and its own diagnostics say why. A
// warning in `diagnostics` tells of objects that cannot be staged, and of a policy that is staged twice there.
StagedSet StagedIn(const Manifests& folder, Diagnostics* diagnostics);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_STAGED_FOLDER_H_
