#include "resolve/bound_policy.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "sluice/port_ranges.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

std::vector<PortRange> Merged(std::vector<PortRange> ranges) {
  SortAndMerge(ranges);
  return ranges;
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

std::vector<PortRange> NumberedPorts(const ClusterPolicyRule& rule) {
  std::vector<PortRange> ranges;
  for (const ClusterPolicyPort& port : rule.ports) {
    if (port.name.empty()) ranges.push_back({port.protocol, port.first, port.last});
  }
  return Merged(std::move(ranges));
}

// CNP-09: a name fits any protocol.
std::vector<std::pair<std::string, std::uint8_t>> PortNames(const ClusterPolicyRule& rule) {
  std::vector<std::pair<std::string, std::uint8_t>> names;
  for (const ClusterPolicyPort& port : rule.ports) {
    if (port.name.empty()) continue;
    for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp, kProtoSctp}) names.emplace_back(port.name, protocol);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void Append(std::vector<CidrBlock> added, std::vector<CidrBlock>* blocks) {
  std::move(added.begin(), added.end(), std::back_inserter(*blocks));
}

std::vector<PortRange> ToRanges(std::uint8_t protocol, const PortNumbers& numbers) {
  std::vector<PortRange> ranges;
  for (const std::uint16_t number : numbers) ranges.push_back({protocol, number, number});
  return Merged(std::move(ranges));
}

template <typename Visit>
void ForEachSplit(const BoundPolicy& policy, Visit visit) {
  for (const BoundDirection& direction : policy.directions) {
    for (const BoundRule& rule : direction.rules) {
      for (const PortSplitPtr& split : rule.by_name) visit(*split);
    }
  }
}

Section MakeSection(const BoundPolicy& policy, const BoundDirection& direction, GroupId subjects) {
  Section section;
  section.policy = policy.title;
  section.direction = direction.direction;
  section.tier = policy.tier;
  section.priority = policy.priority;
  section.subjects = subjects;
  section.isolates = false;
  return section;
}

// Whether one of the names stands for no port of any pod. A name in a cluster policy fits any protocol (CNP-09).
bool NamesNoPort(const BoundRule& rule) {
  std::set<std::string_view> names;
  for (const PortSplitPtr& split : rule.by_name) names.insert(split->name());
  for (const PortSplitPtr& split : rule.by_name) {
    if (!split->parts().empty()) names.erase(split->name());
  }
  return !names.empty();
}

// The section that isolates comes first. It holds what all subjects share. A named port is looked up on the destination
// pod (NP-51). In egress, the name splits the peers: each part becomes a rule with that part as its peers. In ingress,
// it splits the subjects: each part becomes a section of its own. Such a section does not isolate, because the first
// section does that already, and a default deny that is counted twice would be two rules.
void AddSections(const BoundPolicy& policy, const BoundDirection& direction, const GroupOf& group_of,
                 std::vector<Section>* sections) {
  Section isolating = MakeSection(policy, direction, group_of(policy.subjects, Role::kSubjects));
  isolating.isolates = policy.isolates;
  isolating.rules.reserve(direction.rules.size());
  std::map<GroupId, std::vector<Rule>> by_subjects;
  for (const BoundRule& rule : direction.rules) {
    const auto add = [&](std::vector<Rule>* rules, const SelectionPtr& peers, std::vector<PortRange> ports) {
      rules->push_back({.peers = group_of(peers, Role::kPeers),
                        .ports = std::move(ports),
                        .any_port = rule.any_port,
                        .action = rule.action,
                        .index = rule.index,
                        .name = rule.name,
                        .domain_names = rule.domain_names});
    };
    if (rule.any_port || !rule.ports.empty()) add(&isolating.rules, rule.peers, rule.ports);
    // This rule matches nothing. It is there so that people see it.
    if (NamesNoPort(rule)) add(&isolating.rules, rule.peers, {});
    for (const PortSplitPtr& split : rule.by_name) {
      for (const auto& [numbers, part] : split->parts()) {
        std::vector<PortRange> ports = ToRanges(split->protocol(), numbers);
        if (direction.direction == Direction::kEgress) {
          add(&isolating.rules, part.selection, std::move(ports));
        } else {
          add(&by_subjects[group_of(part.selection, Role::kSubjects)], rule.peers, std::move(ports));
        }
      }
    }
  }
  sections->push_back(std::move(isolating));
  for (auto& [subjects, rules] : by_subjects) {
    Section section = MakeSection(policy, direction, subjects);
    section.rules = std::move(rules);
    sections->push_back(std::move(section));
  }
}

}  // namespace

std::string PolicyTitle(const std::string& namespace_name, const std::string& name) {
  return namespace_name + '/' + name;
}

std::string ClusterPolicyTitle(ClusterPolicyKind kind, const std::string& name) {
  return std::string(Name(kind)) + '/' + name;
}

BoundPolicy Bind(const NetworkPolicy& policy, Selections* selections, PortSplits* splits) {
  BoundPolicy bound;
  bound.title = PolicyTitle(policy.namespace_name, policy.name);
  bound.subjects = selections->Pods(policy.namespace_name, policy.pod_selector);
  const auto bind = [&](Direction direction, const std::vector<NetworkPolicyRule>& rules) {
    BoundDirection& one = bound.directions.emplace_back();
    one.direction = direction;
    if (policy.refused) return;  // of a refused object only the isolation stands (NP-16)
    one.rules.reserve(rules.size());
    for (const NetworkPolicyRule& source : rules) {
      BoundRule& rule = one.rules.emplace_back();
      rule.index = static_cast<std::int32_t>(&source - rules.data());
      rule.peers = selections->Peers(policy.namespace_name, source.peers);
      rule.any_port = source.ports.empty();
      rule.ports = NumberedPorts(source);
      for (const auto& [name, protocol] : PortNames(source)) {
        rule.by_name.push_back(
            splits->Find(direction == Direction::kIngress ? bound.subjects : rule.peers, protocol, name));
      }
    }
  };
  if (policy.has_egress) bind(Direction::kEgress, policy.egress);
  if (policy.has_ingress) bind(Direction::kIngress, policy.ingress);
  return bound;
}

BoundPolicy Bind(const StagedNetworkPolicy& staged, Selections* selections, PortSplits* splits) {
  BoundPolicy bound;
  if (staged.action == StagedAction::kSet) bound = Bind(staged.policy, selections, splits);
  bound.title = PolicyTitle(staged.namespace_name, staged.name);
  bound.staged = true;
  return bound;
}

BoundPolicy Bind(const ClusterPolicy& policy, std::string title, const NodeBlocksOf& node_blocks,
                 Selections* selections, PortSplits* splits) {
  BoundPolicy bound;
  bound.title = std::move(title);
  bound.tier = policy.tier;
  bound.priority = policy.priority;
  bound.isolates = false;  // CNP-05
  bound.subjects = selections->Pods(policy.subject.namespaces, policy.subject.pods);
  const auto bind = [&](Direction direction, const std::vector<ClusterPolicyRule>& rules) {
    BoundDirection& one = bound.directions.emplace_back();
    one.direction = direction;
    for (const ClusterPolicyRule& source : rules) {
      if (source.matches_nothing()) continue;
      std::vector<SelectionPtr> pods;
      std::vector<CidrBlock> blocks;
      std::vector<std::string> domain_names;
      for (const ClusterPolicyPeer& peer : source.peers) {
        if (peer.pods) pods.push_back(selections->Pods(peer.pods->namespaces, peer.pods->pods));
        if (peer.nodes) Append(node_blocks(*peer.nodes), &blocks);
        for (const Prefix& network : peer.networks) blocks.push_back({network, {}});
        domain_names.insert(domain_names.end(), peer.domain_names.begin(), peer.domain_names.end());
      }
      const auto add = [&]() -> BoundRule& {
        BoundRule& rule = one.rules.emplace_back();
        rule.index = static_cast<std::int32_t>(&source - rules.data());
        rule.action = source.action;
        rule.name = RuleName(source.name);
        return rule;
      };
      // The names become a rule of their own. Whatever has a learnt address, none of its ports has a name (CNP-13).
      if (!domain_names.empty()) {
        BoundRule& rule = add();
        rule.peers = selections->everyone();
        rule.any_port = source.any_port;
        rule.ports = NumberedPorts(source);
        rule.domain_names = DomainPatterns(std::move(domain_names));
      }
      if (!source.everyone && pods.empty() && blocks.empty()) continue;
      BoundRule& rule = add();
      rule.peers = source.everyone ? selections->everyone() : selections->Union(pods, std::move(blocks));
      rule.any_port = source.any_port;
      rule.ports = NumberedPorts(source);
      for (const auto& [name, protocol] : PortNames(source)) {
        // CNP-13: among the peers of an egress rule, only pods have named ports.
        if (direction == Direction::kIngress) {
          rule.by_name.push_back(splits->Find(bound.subjects, protocol, name));
        } else if (!pods.empty()) {
          rule.by_name.push_back(splits->Find(selections->Union(pods, {}), protocol, name));
        }
      }
    }
  };
  if (!policy.egress.empty()) bind(Direction::kEgress, policy.egress);
  // At least one section, so that a policy without rules is seen.
  if (!policy.ingress.empty() || policy.egress.empty()) bind(Direction::kIngress, policy.ingress);
  return bound;
}

void Enlist(BoundPolicy* policy) {
  if (policy->subjects != nullptr) policy->subjects->policies.push_back(policy);
  ForEachSplit(*policy, [&](PortSplit& split) { split.policies.push_back(policy); });
}

void Delist(BoundPolicy* policy) {
  if (policy->subjects != nullptr) std::erase(policy->subjects->policies, policy);
  ForEachSplit(*policy, [&](PortSplit& split) { std::erase(split.policies, policy); });
}

void AppendSections(const BoundPolicy& policy, const GroupOf& group_of, std::vector<Section>* sections) {
  for (const BoundDirection& direction : policy.directions) AddSections(policy, direction, group_of, sections);
}

}  // namespace sluice
