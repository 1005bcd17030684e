// Folders of policies to be tried (`--staged`). Policies in them are staged as they are. Staged objects say
// themselves what they stage.
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

// What `folder`, as it was read, stages. Refused objects stage nothing, and the folder's own diagnostics say why. A
// warning in `diagnostics` reports objects that cannot be staged, and a policy that is staged twice in the folder.
StagedSet StagedIn(const Manifests& folder, Diagnostics* diagnostics);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_STAGED_FOLDER_H_
