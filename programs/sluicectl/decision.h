// One notation for a rule as text, and one JSON object for a decision, for all commands.
#ifndef SLUICE_PROGRAMS_SLUICECTL_DECISION_H_
#define SLUICE_PROGRAMS_SLUICECTL_DECISION_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/policy_terms.h"
#include "sluicectl/output.h"

namespace sluice {

// The spelling of a verdict in every command.
std::string_view VerdictName(bool allow);

// What policy decided in one direction. Texts belong to the object that it was made from.
struct SideAnswer {
  bool allow = true;
  bool decided = false;   // a policy decided it; if not, the fields below are empty
  std::string_view tier;  // "Admin", "NetworkPolicy" or "Baseline"
  std::string_view policy;
  std::int32_t rule = -1;  // -1: the default deny of isolation
  std::string_view rule_name = {};
  std::vector<std::string_view> isolated_by = {};  // for a default deny: all policies that isolate, by name

  bool is_default() const { return decided && rule < 0; }

  friend bool operator==(const SideAnswer&, const SideAnswer&) = default;
};

// "ingress[0]", "ingress default"; with the name of a cluster policy's rule: `ingress[0] "its name"`.
std::string RuleText(Direction direction, std::int32_t rule, std::string_view rule_name);
// "shop/deny, shop/web": the policies that isolate, if a default deny decides.
std::string IsolatedByText(const SideAnswer& side);
// "shop/backend ingress[0]", "shop/backend, shop/deny ingress default", `no-metadata egress[1] "its name" in Admin`;
// "-" if no policy decides. Names are shown as in sluice/printable.h.
std::string RuleText(const SideAnswer& side, Direction direction);
// The same after "allow " or "deny ".
std::string ToText(const SideAnswer& side, Direction direction);
// "shop/deny, shop/web egress default; shop/db ingress default": what denies on each side; empty if neither does.
std::string DeniedBy(const SideAnswer& egress, const SideAnswer& ingress);

// {"verdict","tier","policy","rule","rule_name","isolated_by"}. Without policy and rule if no policy decides, without
// rule_name if the rule has none, and without isolated_by if no default deny decides or it is unknown.
nlohmann::ordered_json ToJson(const SideAnswer& side);
// Writes the same, fast enough for a million a second.
void WriteSideJson(Output& output, const SideAnswer& side);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_DECISION_H_
