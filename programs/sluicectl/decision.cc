#include "sluicectl/decision.h"

#include <nlohmann/json.hpp>

#include "sluice/printable.h"

namespace sluice {

std::string_view VerdictName(bool allow) { return allow ? "allow" : "deny"; }

std::string RuleText(Direction direction, std::int32_t rule, std::string_view rule_name) {
  std::string text(Name(direction));
  text += rule < 0 ? " default" : '[' + std::to_string(rule) + ']';
  if (!rule_name.empty()) text += " \"" + Printable(rule_name) + '"';
  return text;
}

std::string IsolatedByText(const SideAnswer& side) {
  std::string text;
  for (const std::string_view policy : side.isolated_by) text += (text.empty() ? "" : ", ") + Printable(policy);
  return text;
}

std::string RuleText(const SideAnswer& side, Direction direction) {
  if (!side.decided) return "-";
  std::string text = side.isolated_by.empty() ? Printable(side.policy) : IsolatedByText(side);
  text += ' ' + RuleText(direction, side.rule, side.rule_name);
  if (side.tier != Name(Tier::kNetworkPolicy)) text.append(" in ").append(side.tier);
  return text;
}

std::string ToText(const SideAnswer& side, Direction direction) {
  const std::string rule = RuleText(side, direction);
  return side.decided ? std::string(VerdictName(side.allow)) + ' ' + rule : rule;
}

std::string DeniedBy(const SideAnswer& egress, const SideAnswer& ingress) {
  std::string text;
  const auto add = [&](const SideAnswer& side, Direction direction) {
    if (side.decided && !side.allow) text += (text.empty() ? "" : "; ") + RuleText(side, direction);
  };
  add(egress, Direction::kEgress);
  add(ingress, Direction::kIngress);
  return text;
}

nlohmann::ordered_json ToJson(const SideAnswer& side) {
  nlohmann::ordered_json json = {{"verdict", VerdictName(side.allow)}, {"tier", side.tier}};
  if (!side.decided) return json;
  json["policy"] = side.policy;
  json["rule"] = side.rule;
  if (!side.rule_name.empty()) json["rule_name"] = side.rule_name;
  if (!side.isolated_by.empty()) json["isolated_by"] = side.isolated_by;
  return json;
}

void WriteSideJson(Output& output, const SideAnswer& side) {
  output << R"({"verdict":")" << VerdictName(side.allow) << R"(","tier":")" << side.tier << "\"";
  if (side.decided) {
    output << R"(,"policy":)" << JsonText(side.policy) << R"(,"rule":)" << std::int64_t{side.rule};
    if (!side.rule_name.empty()) output << R"(,"rule_name":)" << JsonText(side.rule_name);
  }
  const char* separator = R"(,"isolated_by":[)";
  for (const std::string_view policy : side.isolated_by) {
    output << separator << JsonText(policy);
    separator = ",";
  }
  if (!side.isolated_by.empty()) output << "]";
  output << "}";
}

}  // namespace sluice
