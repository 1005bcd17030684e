// A NetworkPolicy as the manifest that says it.
#ifndef SLUICE_PROGRAMS_SLUICECTL_POLICY_MANIFEST_H_
#define SLUICE_PROGRAMS_SLUICECTL_POLICY_MANIFEST_H_

#include <nlohmann/json_fwd.hpp>

#include "model/objects.h"

namespace sluice {

nlohmann::ordered_json SelectorManifest(const LabelSelector& selector);

// Its labels and annotations, which no policy depends on, are not in the model.
nlohmann::ordered_json ToManifest(const NetworkPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_POLICY_MANIFEST_H_
