#include "resolve/resolve.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "resolve/pod_table.h"
#include "resolve/selections.h"

namespace sluice {
namespace {

// Ports by number, sorted and merged.
std::vector<PortRange> Merged(std::vector<PortRange> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<PortRange> merged;
  for (const PortRange& range : ranges) {
    if (!merged.empty() && merged.back().protocol == range.protocol && range.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::vector<PortRange> NumberedPorts(const NetworkPolicyRule& rule) {
  std::vector<PortRange> ranges;
  for (const NetworkPolicyPort& port : rule.ports) {
    if (!port.name.empty()) continue;
    const std::uint16_t first = port.port.value_or(0);
    ranges.push_back({port.protocol, first, port.port ? port.end_port.value_or(first) : std::uint16_t{65535}});
  }
  return Merged(std::move(ranges));
}

std::vector<std::pair<std::string, std::uint8_t>> PortNames(const NetworkPolicyRule& rule) {
  std::vector<std::pair<std::string, std::uint8_t>> names;
  for (const NetworkPolicyPort& port : rule.ports) {
    if (!port.name.empty()) names.emplace_back(port.name, port.protocol);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<PortRange> ToRanges(std::uint8_t protocol, const std::vector<std::uint16_t>& numbers) {
  std::vector<PortRange> ranges;
  for (const std::uint16_t number : numbers) ranges.push_back({protocol, number, number});
  return Merged(std::move(ranges));
}

// One direction of one policy: the section that isolates, and one for each group of subjects for which the named ports
// of ingress rules stand for numbers of their own (NP-51).
class PolicyDirection {
 public:
  PolicyDirection(const NetworkPolicy& policy, const std::string& title, Direction direction, Selections* selections)
      : policy_(policy),
        selections_(*selections),
        subjects_(selections->Pods(policy.namespace_name, policy.pod_selector)) {
    isolating_.policy = title;
    isolating_.direction = direction;
    isolating_.subjects = selections_.Group(subjects_);
  }

  void Add(const NetworkPolicyRule& rule, std::int32_t index) {
    const Selections::Id peers = selections_.Peers(policy_.namespace_name, rule.peers);
    if (rule.ports.empty()) {
      isolating_.rules.push_back({.peers = selections_.Group(peers), .ports = {}, .index = index});
      return;
    }
    std::vector<PortRange> numbered = NumberedPorts(rule);
    if (!numbered.empty()) {
      isolating_.rules.push_back(
          {.peers = selections_.Group(peers), .ports = std::move(numbered), .any_port = false, .index = index});
    }
    for (const auto& [name, protocol] : PortNames(rule)) {
      if (isolating_.direction == Direction::kIngress) {
        AddByNameOfSubjects(peers, name, protocol, index);
      } else {
        AddByNameOfPeers(peers, name, protocol, index);
      }
    }
  }

  void AppendTo(std::vector<Section>* sections) && {
    const std::size_t first = sections->size();
    sections->push_back(std::move(isolating_));
    for (auto& [subjects, rules] : by_named_port_) {
      Section section;
      section.policy = (*sections)[first].policy;
      section.direction = (*sections)[first].direction;
      section.subjects = subjects;
      section.isolates = false;
      section.rules = std::move(rules);
      sections->push_back(std::move(section));
    }
  }

 private:
  void AddByNameOfSubjects(Selections::Id peers, const std::string& name, std::uint8_t protocol, std::int32_t index) {
    for (const auto& [numbers, subjects] : selections_.WithNamedPort(subjects_, protocol, name)) {
      const GroupId group = selections_.Group(subjects);
      by_named_port_[group].push_back(
          {.peers = selections_.Group(peers), .ports = ToRanges(protocol, numbers), .any_port = false, .index = index});
    }
  }

  void AddByNameOfPeers(Selections::Id peers, const std::string& name, std::uint8_t protocol, std::int32_t index) {
    for (const auto& [numbers, destinations] : selections_.WithNamedPort(peers, protocol, name)) {
      isolating_.rules.push_back({.peers = selections_.Group(destinations),
                                  .ports = ToRanges(protocol, numbers),
                                  .any_port = false,
                                  .index = index});
    }
  }

  const NetworkPolicy& policy_;
  Selections& selections_;
  const Selections::Id subjects_;
  Section isolating_;
  std::map<GroupId, std::vector<Rule>> by_named_port_;  // by subjects
};

void AddPolicy(const NetworkPolicy& policy, const std::string& title, Selections* selections,
               std::vector<Section>* sections) {
  const auto add = [&](Direction direction, const std::vector<NetworkPolicyRule>& rules) {
    PolicyDirection one(policy, title, direction, selections);
    // Of a refused object only the isolation stands (NP-16).
    for (std::size_t i = 0; i < rules.size() && !policy.refused; ++i) one.Add(rules[i], static_cast<std::int32_t>(i));
    std::move(one).AppendTo(sections);
  };
  if (policy.has_egress) add(Direction::kEgress, policy.egress);
  if (policy.has_ingress) add(Direction::kIngress, policy.ingress);
}

}  // namespace

ResolvedPolicy Resolve(const Cluster& cluster, Diagnostics* diagnostics) {
  ResolvedPolicy resolved;
  const PodTable pods(cluster, diagnostics);
  resolved.nodes = pods.Nodes(cluster, diagnostics);
  resolved.endpoints = pods.Endpoints(resolved.nodes);

  std::vector<std::pair<std::string, const NetworkPolicy*>> policies;
  policies.reserve(cluster.policies.size());
  for (const NetworkPolicy& policy : cluster.policies) {
    policies.emplace_back(policy.namespace_name + '/' + policy.name, &policy);
  }
  std::sort(policies.begin(), policies.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

  Selections selections(cluster, pods);
  for (const auto& [title, policy] : policies) AddPolicy(*policy, title, &selections, &resolved.sections);
  selections.Finish(&resolved);
  return resolved;
}

}  // namespace sluice
