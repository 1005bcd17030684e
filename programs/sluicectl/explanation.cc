#include "sluicectl/explanation.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/first_packet.h"
#include "sluice/protocol.h"
#include "table/classify.h"

namespace sluice {
namespace {

const Endpoint* FindEndpoint(const ResolvedPolicy& policy, const IpAddress& address) {
  for (const Endpoint& endpoint : policy.endpoints) {
    if (std::find(endpoint.addresses.begin(), endpoint.addresses.end(), address) != endpoint.addresses.end()) {
      return &endpoint;
    }
  }
  return nullptr;
}

EndExplanation ExplainEnd(const Table& table, const IpAddress& address, const Endpoint* endpoint) {
  EndExplanation end;
  end.address = address;
  const AddressEntry entry = table.Lookup(address);
  if (entry.node < kSeveralNodes) end.node = table.node_names()[entry.node];
  if (endpoint != nullptr) {
    end.kind = "pod";
    end.name = endpoint->namespace_name + '/' + endpoint->name;
    end.labels = endpoint->labels;
  } else if (entry.node != kNoNode) {
    end.kind = "node";
    end.name = end.node;
  } else {
    end.kind = (table.identity(entry.identity).flags & Identity::kInPodCidr) != 0 ? "unknown" : "external";
  }
  return end;
}

bool Holds(const CidrBlock& block, const IpAddress& address) {
  return block.cidr.Contains(address) && std::none_of(block.excepts.begin(), block.excepts.end(),
                                                      [&](const Prefix& except) { return except.Contains(address); });
}

bool IsMember(const ResolvedPolicy& policy, GroupId group, const IpAddress& address, const Endpoint* endpoint) {
  if (endpoint != nullptr && policy.member_sets.Contains(endpoint->members, group)) return true;
  const auto& blocks = policy.groups[group].blocks;
  return std::any_of(blocks.begin(), blocks.end(), [&](const CidrBlock& block) { return Holds(block, address); });
}

std::string PortsText(const Rule& rule) {
  constexpr std::size_t kShown = 8;
  if (rule.any_port) return "every protocol and port";
  std::string text;
  for (std::size_t i = 0; i < std::min(rule.ports.size(), kShown); ++i) {
    const PortRange& range = rule.ports[i];
    if (i > 0) text += ", ";
    text += ProtocolName(range.protocol);
    if (range.first == 0 && range.last == 65535) continue;
    text += ' ' + std::to_string(range.first);
    if (range.last != range.first) text += '-' + std::to_string(range.last);
  }
  if (rule.ports.size() > kShown) text += " and " + std::to_string(rule.ports.size() - kShown) + " more";
  return text;
}

bool PortsMatch(const Rule& rule, const reference::Flow& flow) {
  return rule.any_port || std::any_of(rule.ports.begin(), rule.ports.end(), [&](const PortRange& range) {
           return range.protocol == flow.protocol && range.first <= flow.destination_port &&
                  flow.destination_port <= range.last;
         });
}

std::string WhyNot(const Rule& rule, const RuleExplanation& step, const reference::Flow& flow) {
  std::string text = step.peers_match            ? ""
                     : rule.domain_names.empty() ? "the peer is not among them"
                                                 : "the peer was not learnt to have such a name";
  if (step.ports_match) return text;
  if (!text.empty()) text += ", and ";
  if (rule.ports.empty()) return text + "no pod has a port of the name that it asks for";
  if (!HasPorts(flow.protocol)) return text + "it is for ports, which " + ProtocolName(flow.protocol) + " has none of";
  const bool same_protocol = std::any_of(rule.ports.begin(), rule.ports.end(),
                                         [&](const PortRange& range) { return range.protocol == flow.protocol; });
  return text + (same_protocol ? "the port is another" : "the protocol is another");
}

bool HasName(const KnownNames& names, const IpAddress& address, const DomainPatterns& patterns) {
  const auto known = names.by_address().find(address);
  return known != names.by_address().end() &&
         std::any_of(known->second.begin(), known->second.end(),
                     [&](const std::string& name) { return patterns.Match(name); });
}

RuleExplanation ExplainRule(const ResolvedPolicy& policy, const Rule& rule, const IpAddress& peer,
                            const Endpoint* peer_endpoint, const reference::Flow& flow, const KnownNames& names) {
  RuleExplanation step;
  step.index = rule.index;
  step.name = rule.name.text();
  step.action = rule.action;
  step.peers = rule.peers == kAnyPeer ? "everyone" : policy.groups[rule.peers].key;
  step.ports = PortsText(rule);
  step.peers_match = rule.peers == kAnyPeer || IsMember(policy, rule.peers, peer, peer_endpoint);
  if (!rule.domain_names.empty()) {
    step.peers = rule.domain_names.ToString();
    step.peers_match = HasName(names, peer, rule.domain_names);
  }
  step.ports_match = PortsMatch(rule, flow);
  step.why_not = WhyNot(rule, step, flow);
  return step;
}

// A rule whose peers match is nearer than one whose ports match: its author thought of this peer.
std::optional<NearestRule> FindNearest(const SideExplanation& side) {
  std::optional<NearestRule> nearest;
  int least = 0;
  if (!side.answer.decided || side.answer.allow) return nearest;
  for (std::size_t i = 0; i < side.policies.size(); ++i) {
    const PolicyExplanation& policy = side.policies[i];
    for (std::size_t j = 0; j < policy.rules.size(); ++j) {
      const RuleExplanation& rule = policy.rules[j];
      if (rule.decides) return nearest;  // later rules are not asked
      if (rule.action == Action::kDeny || (rule.peers_match && rule.ports_match)) continue;
      const int distance = (rule.peers_match ? 0 : 2) + (rule.ports_match ? 0 : 1);
      if (nearest && distance >= least) continue;
      nearest = {i, j};
      least = distance;
    }
  }
  return nearest;
}

SideExplanation ExplainSide(const ResolvedPolicy& policy, Direction direction, const reference::Flow& flow,
                            const Endpoint* subject, const Endpoint* peer_endpoint, SideAnswer decided,
                            const KnownNames& names) {
  SideExplanation side;
  side.answer = std::move(decided);
  const SideAnswer& answer = side.answer;
  side.managed = subject != nullptr;
  if (subject == nullptr) return side;
  const IpAddress& peer = direction == Direction::kEgress ? flow.destination : flow.source;
  for (const Section& section : policy.sections) {
    if (section.direction != direction || !policy.member_sets.Contains(subject->members, section.subjects)) continue;
    // Sections of one policy are adjacent, and differ in what named ports stand for.
    if (side.policies.empty() || side.policies.back().policy != section.policy) {
      side.policies.push_back({section.policy, section.tier, section.priority, false, {}});
    }
    PolicyExplanation& step = side.policies.back();
    step.isolates = step.isolates || section.isolates;
    for (const Rule& rule : section.rules) {
      step.rules.push_back(ExplainRule(policy, rule, peer, peer_endpoint, flow, names));
      RuleExplanation& last = step.rules.back();
      last.decides = last.peers_match && last.ports_match && answer.decided && answer.policy == section.policy &&
                     answer.rule == rule.index;
    }
  }
  for (PolicyExplanation& step : side.policies) {
    std::stable_sort(step.rules.begin(), step.rules.end(),
                     [](const RuleExplanation& a, const RuleExplanation& b) { return a.index < b.index; });
  }
  std::stable_sort(side.policies.begin(), side.policies.end(),
                   [](const PolicyExplanation& a, const PolicyExplanation& b) {
                     return std::tie(a.tier, a.priority, a.policy) < std::tie(b.tier, b.priority, b.policy);
                   });
  side.nearest = FindNearest(side);
  return side;
}

}  // namespace

Explanation Explain(const ResolvedPolicy& policy, const Table& table, const reference::Flow& flow, bool exemptions,
                    const FilterSettings& settings, bool is_foreign, const KnownNames& names) {
  Classifier classifier(1);
  const ClassifyQuery query{flow.source, flow.destination, flow.protocol, flow.destination_port};
  Classification decision;
  classifier.Classify(table, {&query, 1}, &decision, exemptions, names.now());

  const Endpoint* source = FindEndpoint(policy, flow.source);
  const Endpoint* destination = FindEndpoint(policy, flow.destination);
  Explanation explanation;
  explanation.source = ExplainEnd(table, flow.source, source);
  explanation.destination = ExplainEnd(table, flow.destination, destination);
  explanation.exemption = decision.exemption;
  const FirstPacket packet{.source = flow.source,
                           .protocol = flow.protocol,
                           .destination_port = flow.destination_port,
                           .unknown_endpoint = decision.unknown_endpoint,
                           .between_nodes = decision.between_nodes,
                           .is_foreign = is_foreign,
                           .is_to_node = settings.has_hooks && IsFromPodToNode(table, flow.source, flow.destination)};
  explanation.reason = ReasonBesidePolicy(settings.pipeline, table.has_policy(), packet);
  explanation.allow = decision.allow && explanation.reason.empty();
  explanation.egress = ExplainSide(policy, Direction::kEgress, flow, source, destination,
                                   ToAnswer(table, decision.egress, decision.egress_sections), names);
  explanation.ingress = ExplainSide(policy, Direction::kIngress, flow, destination, source,
                                    ToAnswer(table, decision.ingress, decision.ingress_sections), names);
  return explanation;
}

}  // namespace sluice
