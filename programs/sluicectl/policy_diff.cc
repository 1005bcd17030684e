#include "sluicectl/policy_diff.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "sluice/port_ranges.h"
#include "sluicectl/decision.h"
#include "sluicectl/output.h"

namespace sluice {
namespace {

using Lines = std::vector<std::string>;
using Objects = std::map<std::string, Lines, std::less<>>;

std::string PortsText(const std::vector<PortRange>& ports) {
  std::string text;
  for (const PortRange& range : ports) {
    if (!text.empty()) text += ',';
    text += ToText(range);
  }
  return text.empty() ? "no port" : text;
}

std::string RuleLine(const ResolvedPolicy& policy, const Section& section, const Rule& rule) {
  std::string text = RuleText(section.direction, rule.index, rule.name.text()) + ": " + std::string(Name(rule.action));
  text += section.direction == Direction::kEgress ? " to " : " from ";
  text += !rule.domain_names.empty() ? rule.domain_names.ToString()
          : rule.peers == kAnyPeer   ? "anyone"
                                     : policy.groups[rule.peers].key;
  text += ", " + (rule.any_port ? "any port" : PortsText(rule.ports));
  // If a policy isolates its subjects, only the numbers of named ports concern some of them. A cluster policy isolates
  // none, so each rule says which pods it binds.
  if (!section.isolates) text += "; for " + policy.groups[section.subjects].key;
  return text;
}

Objects DescribePolicies(const ResolvedPolicy& policy) {
  Objects objects;
  for (const Section& section : policy.sections) {
    Lines& lines = objects[section.policy];
    if (section.isolates) {
      lines.push_back(RuleText(section.direction, -1, "") + ": deny; isolates " + policy.groups[section.subjects].key);
    }
    if (section.tier != Tier::kNetworkPolicy) {
      lines.push_back(std::string(Name(section.tier)) + " tier, priority " + std::to_string(section.priority));
    }
    for (const Rule& rule : section.rules) lines.push_back(RuleLine(policy, section, rule));
  }
  return objects;
}

// A node that is gone still has its name.
Objects DescribeNodes(const ResolvedPolicy& policy) {
  Objects objects;
  for (const Node& node : policy.nodes) {
    if (node.addresses.empty() && node.pod_cidrs.empty()) continue;
    Lines& lines = objects[node.name];
    for (const IpAddress& address : node.addresses) lines.push_back("address " + address.ToString());
    for (const Prefix& prefix : node.pod_cidrs) lines.push_back("pod CIDR " + prefix.ToString());
  }
  return objects;
}

Lines DescribeEndpoint(const ResolvedPolicy& policy, const Endpoint& endpoint) {
  Lines lines;
  for (const IpAddress& address : endpoint.addresses) lines.push_back("address " + address.ToString());
  if (endpoint.node != kNoNode) lines.push_back("node " + policy.nodes[endpoint.node].name);
  if (!endpoint.labels.empty()) lines.push_back("labels " + endpoint.labels);
  for (const NamedPort& port : endpoint.ports) {
    lines.push_back("port " + port.name + " " + ProtocolName(port.protocol) + '/' + std::to_string(port.port));
  }
  return lines;
}

// Returns the lines of `a` that `b` lacks, in order.
Lines Less(const Lines& a, Lines b) {
  Lines less;
  for (const std::string& line : a) {
    const auto found = std::find(b.begin(), b.end(), line);
    if (found == b.end()) {
      less.push_back(line);
    } else {
      b.erase(found);
    }
  }
  return less;
}

void AddChange(const std::string& name, const Lines* before, const Lines* after, std::vector<ObjectChange>& changes) {
  using enum ObjectChange::Kind;
  if (before == nullptr) {
    changes.push_back({kAdded, name, {}, *after});
  } else if (after == nullptr) {
    changes.push_back({kRemoved, name, *before, {}});
  } else if (*before != *after) {
    ObjectChange change{kChanged, name, Less(*before, *after), Less(*after, *before)};
    if (!change.left.empty() || !change.came.empty()) changes.push_back(std::move(change));
  }
}

std::vector<ObjectChange> CompareObjects(const Objects& before, const Objects& after) {
  std::vector<ObjectChange> changes;
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    const bool only_old = now == after.end() || (old != before.end() && old->first < now->first);
    const bool only_now = old == before.end() || (now != after.end() && now->first < old->first);
    AddChange(only_now ? now->first : old->first, only_now ? nullptr : &old->second, only_old ? nullptr : &now->second,
              changes);
    if (!only_now) ++old;
    if (!only_old) ++now;
  }
  return changes;
}

// Finds endpoints that selectors of both sides pick on one side only, for example since a namespace's labels changed.
class SharedGroups {
 public:
  SharedGroups(const ResolvedPolicy& before, const ResolvedPolicy& after) : before_(before), after_(after) {
    std::unordered_map<std::string_view, GroupId> old_groups;
    for (GroupId id = 0; id < before.groups.size(); ++id) {
      if (!before.groups[id].key.empty()) old_groups[before.groups[id].key] = id;
    }
    shared_before_.resize(before.groups.size());
    shared_after_.resize(after.groups.size(), kNone);
    for (GroupId id = 0; id < after.groups.size(); ++id) {
      const auto old = old_groups.find(after.groups[id].key);
      if (old == old_groups.end()) continue;
      shared_after_[id] = old->second;
      shared_before_[old->second] = true;
    }
  }

  // Adds the selectors that pick the endpoint only before, and only after.
  void Compare(const Endpoint& old, const Endpoint& now, Lines* left, Lines* came) {
    const auto [difference, added] = differences_.try_emplace({old.members, now.members});
    if (added) difference->second = Difference(old.members, now.members);
    for (const GroupId id : difference->second.first) left->push_back("selected by " + before_.groups[id].key);
    for (const GroupId id : difference->second.second) came->push_back("selected by " + before_.groups[id].key);
  }

 private:
  static constexpr GroupId kNone = 0xffffffff;
  using Ids = std::vector<GroupId>;  // of groups before the change

  std::pair<Ids, Ids> Difference(IdSetId old_set, IdSetId now_set) const {
    Ids old;
    Ids now;
    before_.member_sets.ForEach(old_set, [&](GroupId id) {
      if (shared_before_[id]) old.push_back(id);
    });
    after_.member_sets.ForEach(now_set, [&](GroupId id) {
      if (shared_after_[id] != kNone) now.push_back(shared_after_[id]);
    });
    std::sort(now.begin(), now.end());
    std::pair<Ids, Ids> difference;
    std::set_difference(old.begin(), old.end(), now.begin(), now.end(), std::back_inserter(difference.first));
    std::set_difference(now.begin(), now.end(), old.begin(), old.end(), std::back_inserter(difference.second));
    return difference;
  }

  const ResolvedPolicy& before_;
  const ResolvedPolicy& after_;
  std::vector<bool> shared_before_;
  Ids shared_after_;  // by group after the change: the same group before
  std::map<std::pair<IdSetId, IdSetId>, std::pair<Ids, Ids>> differences_;
};

std::map<std::string, const Endpoint*> EndpointsByName(const ResolvedPolicy& policy) {
  std::map<std::string, const Endpoint*> endpoints;
  for (const Endpoint& endpoint : policy.endpoints) {
    if (!endpoint.name.empty()) endpoints[endpoint.namespace_name + '/' + endpoint.name] = &endpoint;
  }
  return endpoints;
}

std::vector<ObjectChange> CompareEndpoints(const ResolvedPolicy& before, const ResolvedPolicy& after) {
  SharedGroups groups(before, after);
  const auto old_endpoints = EndpointsByName(before);
  const auto new_endpoints = EndpointsByName(after);
  std::vector<ObjectChange> changes;
  for (const auto& [name, now] : new_endpoints) {
    Lines now_lines = DescribeEndpoint(after, *now);
    const auto old = old_endpoints.find(name);
    if (old == old_endpoints.end()) {
      AddChange(name, nullptr, &now_lines, changes);
      continue;
    }
    Lines old_lines = DescribeEndpoint(before, *old->second);
    groups.Compare(*old->second, *now, &old_lines, &now_lines);
    AddChange(name, &old_lines, &now_lines, changes);
  }
  for (const auto& [name, old] : old_endpoints) {
    if (new_endpoints.contains(name)) continue;
    const Lines lines = DescribeEndpoint(before, *old);
    AddChange(name, &lines, nullptr, changes);
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const ObjectChange& a, const ObjectChange& b) { return a.name < b.name; });
  return changes;
}

}  // namespace

PolicyDiff Compare(const ResolvedPolicy& before, const ResolvedPolicy& after) {
  return {CompareObjects(DescribePolicies(before), DescribePolicies(after)), CompareEndpoints(before, after),
          CompareObjects(DescribeNodes(before), DescribeNodes(after))};
}

std::size_t Count(const std::vector<ObjectChange>& changes, ObjectChange::Kind kind) {
  return static_cast<std::size_t>(
      std::count_if(changes.begin(), changes.end(), [&](const ObjectChange& change) { return change.kind == kind; }));
}

}  // namespace sluice
