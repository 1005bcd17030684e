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

FilterSettings SettingsOf(const Config& config) { return {config.pipeline, config.has_hooks()}; }

bool IsFromPodToNode(const Table& table, const IpAddress& source, const IpAddress& destination) {
  const auto is_pod = [&](const AddressEntry& entry) {
    return (table.identity(entry.identity).flags & Identity::kManaged) != 0;
  };
  const AddressEntry to = table.Lookup(destination);
  return is_pod(table.Lookup(source)) && !is_pod(to) && to.node != kNoNode;
}

std::string ToText(const FlowAnswer& answer) {
  std::string text(VerdictName(answer.allow));
  if (!answer.reason.empty()) text += " (" + std::string(answer.reason) + "), whatever policy says";
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
  classifier_.Classify(*table_, std::span(queries).first(flows.size()), results.data(), exemptions_, names_);
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const Classification& result = results[i];
    const FirstPacket packet{
        .source = flows[i].source,
        .protocol = flows[i].protocol,
        .destination_port = flows[i].destination_port,
        .unknown_endpoint = result.unknown_endpoint,
        .between_nodes = result.between_nodes,
        .is_to_node = settings_.has_hooks && IsFromPodToNode(*table_, flows[i].source, flows[i].destination)};
    const std::string_view reason = ReasonBesidePolicy(settings_.pipeline, table_->has_policy(), packet);
    answers[i] = {result.allow && reason.empty(), reason, ToAnswer(*table_, result.egress, result.egress_sections),
                  ToAnswer(*table_, result.ingress, result.ingress_sections), result.exemption};
  }
}

void ReferenceJudge::Answer(std::span<const reference::Flow> flows, FlowAnswer* answers) {
  for (std::size_t i = 0; i < flows.size(); ++i) {
    held_[i] = evaluator_.Evaluate(flows[i], exemptions_);
    const bool is_pods = evaluator_.FindPod(flows[i].source) != nullptr;
    const FirstPacket packet{
        .source = flows[i].source,
        .protocol = flows[i].protocol,
        .destination_port = flows[i].destination_port,
        .unknown_endpoint = held_[i].unknown_endpoint,
        .between_nodes = held_[i].between_nodes,
        .is_to_node = settings_.has_hooks && is_pods && evaluator_.IsOfNodes(flows[i].destination)};
    const std::string_view reason = ReasonBesidePolicy(settings_.pipeline, true, packet);
    answers[i] = {held_[i].allow && reason.empty(), reason, ToAnswer(held_[i].egress), ToAnswer(held_[i].ingress),
                  held_[i].exemption};
  }
}

}  // namespace sluice
