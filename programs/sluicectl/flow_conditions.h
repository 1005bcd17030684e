// The options that choose flows or packets: each condition of a flow log filter, and --not.
#ifndef SLUICE_PROGRAMS_SLUICECTL_FLOW_CONDITIONS_H_
#define SLUICE_PROGRAMS_SLUICECTL_FLOW_CONDITIONS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/v1/observe.pb.h"

namespace CLI {
class App;
}

namespace sluice {

struct FlowConditions {
  std::map<std::string, std::vector<std::string>> values;  // by condition
  std::int64_t negations = 0;
};

// Adds all conditions except `without`.
void AddFlowConditions(CLI::App& command, FlowConditions& conditions,
                       const std::vector<std::string_view>& without = {});

// Returns the conditions of a parsed command line, checked, in the order in which they were given; or what is wrong
// with them.
std::variant<std::vector<v1::FlowCondition>, std::string> ConditionsOf(const CLI::App& command,
                                                                       const FlowConditions& conditions);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_FLOW_CONDITIONS_H_
