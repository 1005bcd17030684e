// Folders of what is to be tried (`--staged`): the NetworkPolicies in them are staged as they stand, and staged objects
// say for themselves what they are.
#ifndef SLUICE_CONTROL_MANIFEST_STAGED_FOLDER_H_
#define SLUICE_CONTROL_MANIFEST_STAGED_FOLDER_H_

#include <vector>

#include "manifest/manifest_reader.h"
#include "model/objects.h"
#include "sluice/diagnostic.h"

namespace sluice {

// What `folder`, as it was read, stages. What is refused there stages nothing, and its own diagnostics say why; a
// warning in `diagnostics` tells of objects that cannot be staged.
std::vector<StagedNetworkPolicy> StagedIn(const Manifests& folder, Diagnostics* diagnostics);

}  // namespace sluice

#endif  // SLUICE_CONTROL_MANIFEST_STAGED_FOLDER_H_
