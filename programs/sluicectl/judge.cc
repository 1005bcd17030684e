#include "sluicectl/judge.h"

#include <string>

#include "core/first_packet.h"

namespace sluice {
namespace {

SideAnswer ToAnswer(const reference::Side& side) {
  if (!side.decided) return {};
  return {side.allow,
          true,
          Name(side.tier),
          side.policy,
          side.rule,
          side.rule_name,
          {side.isolated_by.begin(), side.isolated_by.end()}};
}

}  // namespace

SideAnswer ToAnswer(const Table& table, const Decision& decision, IdSetId sections) {
  if (decision.rule == kNoRule) return {};
  const TableRule& rule = table.rule(decision.rule);
  SideAnswer side{decision.allow, true, Name(rule.tier), rule.policy, rule.index, rule.name.text()};
  if (!side.is_default()) return side;
  for (const RuleId deny : table.DefaultDenies(sections)) side.isolated_by.push_back(table.rule(deny).policy);
  return side;
}

std::string ToText(const FlowAnswer& answer) {
  std::string text(VerdictName(answer.allow));
  if (answer.reason != DropReason::kNone) text += " (" + std::string(Name(answer.reason)) + "), whatever policy says";
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
    const Classification& result = results[i];
    const DropReason reason =
        ReasonBesidePolicy(config_, table_->has_policy(), flows[i].source, result.unknown_endpoint);
    answers[i] = {result.allow && reason == DropReason::kNone, reason,
                  ToAnswer(*table_, result.egress, result.egress_sections),
                  ToAnswer(*table_, result.ingress, result.ingress_sections), result.exemption};
  }
}

void ReferenceJudge::Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) {
  for (std::size_t i = 0; i < flows.size(); ++i) {
    held_[i] = evaluator_.Evaluate(flows[i], exemptions_);
    const DropReason reason = ReasonBesidePolicy(config_, true, flows[i].source, held_[i].unknown_endpoint);
    answers[i] = {held_[i].allow && reason == DropReason::kNone, reason, ToAnswer(held_[i].egress),
                  ToAnswer(held_[i].ingress), held_[i].exemption};
  }
}

}  // namespace sluice
