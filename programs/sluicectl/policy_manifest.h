// Makes the manifest of a NetworkPolicy.
#ifndef SLUICE_PROGRAMS_SLUICECTL_POLICY_MANIFEST_H_
#define SLUICE_PROGRAMS_SLUICECTL_POLICY_MANIFEST_H_

#include <nlohmann/json_fwd.hpp>

#include "model/objects.h"

namespace sluice {

nlohmann::ordered_json SelectorManifest(const LabelSelector& selector);

// Without labels and annotations: no policy depends on them, so the model lacks them.
nlohmann::ordered_json ToManifest(const NetworkPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_POLICY_MANIFEST_H_
