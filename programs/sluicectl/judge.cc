#include "sluicectl/judge.h"

#include <string>

namespace sluice {
namespace {

SideAnswer ToAnswer(const reference::Side& side) {
  if (!side.decided) return {};
  return {side.allow, true, Name(side.tier), side.policy, side.rule, side.rule_name};
}

}  // namespace

SideAnswer ToAnswer(const Table& table, const Decision& decision) {
  if (decision.rule == kNoRule) return {};
  const TableRule& rule = table.rule(decision.rule);
  return {decision.allow, true, Name(rule.tier), rule.policy, rule.index, rule.name.text()};
}

std::string ToText(const FlowAnswer& answer) {
  std::string text(VerdictName(answer.allow));
  if (answer.unknown_endpoint) text += ", but for an unknown endpoint";
  if (answer.exemption != Exemption::kNone) return text + " (exempt: " + std::string(Name(answer.exemption)) + ')';
  return text + "; egress: " + ToText(answer.egress, Direction::kEgress) +
         "; ingress: " + ToText(answer.ingress, Direction::kIngress);
}

void CompiledJudge::Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) {
  std::array<ClassifyQuery, kMaxBurst> queries;
  std::array<Classification, kMaxBurst> results;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    queries[i] = {flows[i].source, flows[i].destination, flows[i].protocol, flows[i].destination_port};
  }
  classifier_.Classify(*table_, std::span(queries).first(flows.size()), results.data(), exemptions_);
  for (std::size_t i = 0; i < flows.size(); ++i) {
    answers[i] = {results[i].allow, ToAnswer(*table_, results[i].egress), ToAnswer(*table_, results[i].ingress),
                  results[i].exemption, results[i].unknown_endpoint};
  }
}

void ReferenceJudge::Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) {
  for (std::size_t i = 0; i < flows.size(); ++i) {
    held_[i] = evaluator_.Evaluate(flows[i], exemptions_);
    answers[i] = {held_[i].allow, ToAnswer(held_[i].egress), ToAnswer(held_[i].ingress), held_[i].exemption,
                  held_[i].unknown_endpoint};
  }
}

}  // namespace sluice
