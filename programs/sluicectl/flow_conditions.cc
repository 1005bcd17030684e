#include "sluicectl/flow_conditions.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "observe/flow_log_filter.h"

namespace sluice {

void AddFlowConditions(CLI::App& command, FlowConditions& conditions, const std::vector<std::string_view>& without) {
  for (const FlowLogFilter::Condition& condition : FlowLogFilter::Conditions()) {
    if (std::find(without.begin(), without.end(), condition.name) != without.end()) continue;
    const std::string short_form = condition.name == "namespace" ? "-n," : "";
    command.add_option(short_form + "--" + condition.name, conditions.values[condition.name], condition.text)
        ->type_name(condition.value)
        ->allow_extra_args(false)
        ->take_all();
  }
  command.add_flag("--not", conditions.negations, "what follows must not hold");
}

std::variant<std::vector<v1::FlowCondition>, std::string> ConditionsOf(const CLI::App& command,
                                                                       const FlowConditions& given) {
  const std::string dangling = "--not wants a condition after it, such as --not --verdict forward";
  std::vector<v1::FlowCondition> conditions;
  FlowLogFilter filter;
  std::map<std::string, std::size_t> taken;
  bool negated = false;
  for (const CLI::Option* option : command.parse_order()) {
    const std::string name = option->get_lnames().empty() ? "" : option->get_lnames()[0];
    if (name == "not") {
      if (negated) return "--not twice in a row: say it once, before what is not wanted";
      negated = true;
      continue;
    }
    const auto values = given.values.find(name);
    if (values == given.values.end()) {
      if (negated) return dangling;
      continue;
    }
    v1::FlowCondition& condition = conditions.emplace_back();
    condition.set_name(name);
    condition.set_value(values->second[taken[name]++]);
    condition.set_negated(std::exchange(negated, false));
    if (const auto error = filter.Add(name, condition.value(), condition.negated())) {
      return "--" + name + " '" + condition.value() + "' " + *error;
    }
  }
  if (negated) return dangling;
  return conditions;
}

}  // namespace sluice
