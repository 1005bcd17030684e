// One notation for a rule in text, and one JSON object for a decision, wherever a command shows them.
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

// As every command spells a verdict.
std::string_view VerdictName(bool allow);

// What policy decided in one direction. Texts belong to what it was made of.
struct SideAnswer {
  bool allow = true;
  bool decided = false;   // a policy decided it; else what follows is empty
  std::string_view tier;  // "Admin", "NetworkPolicy" or "Baseline"
  std::string_view policy;
  std::int32_t rule = -1;  // -1: the default deny of isolation
  std::string_view rule_name = {};
  std::vector<std::string_view> isolated_by = {};  // beside a default deny: all policies that isolate, by name

  bool is_default() const { return decided && rule < 0; }

  friend bool operator==(const SideAnswer&, const SideAnswer&) = default;
};

// "ingress[0]", "ingress default"; a rule of a cluster policy that has a name: `ingress[0] "its name"`.
std::string RuleText(Direction direction, std::int32_t rule, std::string_view rule_name);
// "shop/deny, shop/web": the policies that isolate, where a default deny decides.
std::string IsolatedByText(const SideAnswer& side);
// "shop/backend ingress[0]", "shop/backend, shop/deny ingress default", `no-metadata egress[1] "its name" in Admin`;
// "-" where no policy decides. Names are shown as sluice/printable.h says.
std::string RuleText(const SideAnswer& side, Direction direction);
// The same after "allow " or "deny ".
std::string ToText(const SideAnswer& side, Direction direction);
// "shop/deny, shop/web egress default; shop/db ingress default": what denies on each side; empty where neither does.
std::string DeniedBy(const SideAnswer& egress, const SideAnswer& ingress);

// {"verdict","tier","policy","rule","rule_name","isolated_by"}; policy and rule are absent where no policy decides,
// rule_name where the rule has none, and isolated_by where no default deny decides or it is not known.
nlohmann::ordered_json ToJson(const SideAnswer& side);
// The same, a million times a second.
void WriteSideJson(Output& output, const SideAnswer& side);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_DECISION_H_
