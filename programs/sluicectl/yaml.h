// JSON values as readable YAML: one line for each member, dashes for lists, and quotes
// if YAML would take a text for something else.
#ifndef SLUICE_PROGRAMS_SLUICECTL_YAML_H_
#define SLUICE_PROGRAMS_SLUICECTL_YAML_H_

#include <nlohmann/json_fwd.hpp>

#include "sluicectl/output.h"

namespace sluice {

void WriteYaml(Output& output, const nlohmann::ordered_json& value);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_YAML_H_
