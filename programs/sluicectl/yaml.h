// JSON values as YAML that people read: a line a member, lists by dashes, quotes where YAML would take a text for
// something else.
#ifndef SLUICE_PROGRAMS_SLUICECTL_YAML_H_
#define SLUICE_PROGRAMS_SLUICECTL_YAML_H_

#include <nlohmann/json_fwd.hpp>

#include "sluicectl/output.h"

namespace sluice {

void WriteYaml(Output& output, const nlohmann::ordered_json& value);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_YAML_H_
