#include "sluice/policy_update.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace sluice {
namespace {

Diagnostic Wrong(std::string object, std::string field, std::string message) {
  Diagnostic diagnostic;
  diagnostic.object = std::move(object);
  diagnostic.field = std::move(field);
  diagnostic.message = std::move(message);
  return diagnostic;
}

constexpr const char* kPolicy = "policy ";
constexpr const char* kStagedPolicy = "staged policy ";

std::string NameOf(const Endpoint& endpoint) { return "endpoint " + endpoint.namespace_name + '/' + endpoint.name; }

bool EndpointLives(const ResolvedPolicy& policy, EndpointId id) {
  return id < policy.endpoints.size() && !policy.endpoints[id].name.empty();
}

// The groups that are there after the removals and arrivals of `update`.
class GroupsAfter {
 public:
  GroupsAfter(const ResolvedPolicy& policy, const PolicyUpdate& update) : policy_(policy) {
    removed_.insert(update.removed_groups.begin(), update.removed_groups.end());
    for (const GroupUpdate& group : update.groups) added_.insert(group.id);
  }
  bool Has(GroupId id) const {
    if (added_.contains(id)) return true;
    return id < policy_.groups.size() && !policy_.groups[id].key.empty() && !removed_.contains(id);
  }

 private:
  const ResolvedPolicy& policy_;
  std::unordered_set<GroupId> removed_;
  std::unordered_set<GroupId> added_;
};

std::optional<Diagnostic> CheckBlocks(const std::string& object, const Group& group) {
  for (const CidrBlock& block : group.blocks) {
    for (const Prefix& except : block.excepts) {
      if (block.cidr.Contains(except) && block.cidr != except) continue;
      return Wrong(object, "blocks",
                   "except " + except.ToString() + " must lie strictly inside " + block.cidr.ToString());
    }
  }
  return std::nullopt;
}

std::optional<Diagnostic> CheckGroups(const ResolvedPolicy& policy, const PolicyUpdate& update) {
  std::set<GroupId> seen;
  for (const GroupUpdate& added : update.groups) {
    const std::string object = "group " + std::to_string(added.id) + " {" + added.group.key + '}';
    if (added.group.key.empty()) return Wrong(object, "key", "must not be empty");
    if (added.id < policy.groups.size() || !seen.insert(added.id).second) {
      return Wrong(object, "id", "is in use or was used since the full state; take a number never used");
    }
    if (added.id - policy.groups.size() > kMaxNumberGap) return Wrong(object, "id", "leaves out too many numbers");
    if (auto error = CheckBlocks(object, added.group)) return error;
    if (!std::is_sorted(added.members.begin(), added.members.end(), std::less_equal<>())) {
      return Wrong(object, "members", "must be strictly ascending");
    }
    for (const EndpointId member : added.members) {
      if (!EndpointLives(policy, member)) {
        return Wrong(object, "members", "no endpoint has the number " + std::to_string(member));
      }
    }
  }
  std::unordered_set<GroupId> gone;
  for (const GroupId id : update.removed_groups) {
    const std::string object = "group " + std::to_string(id);
    if (id >= policy.groups.size() || policy.groups[id].key.empty()) {
      return Wrong(object, "", "is not there to be removed");
    }
    if (!gone.insert(id).second) return Wrong(object, "", "is removed twice in one update");
  }
  return std::nullopt;
}

// Unlike numbers, names may be removed although they are not there.
std::optional<Diagnostic> CheckNames(const PolicyUpdate& update) {
  std::unordered_set<std::string_view> policies;
  for (const std::string& name : update.removed_policies) {
    if (!policies.insert(name).second) return Wrong("policy " + name, "", "is removed twice in one update");
  }
  std::unordered_set<std::string_view> gone_nodes;
  for (const std::string& name : update.removed_nodes) {
    if (!gone_nodes.insert(name).second) return Wrong("node " + name, "", "is removed twice in one update");
  }
  std::unordered_set<std::string_view> nodes;
  for (const Node& node : update.nodes) {
    if (!nodes.insert(node.name).second) return Wrong("node " + node.name, "name", "is given twice in one update");
  }
  return std::nullopt;
}

// Calls `visit(group)` each time that the section names a group.
template <typename Visit>
void ForEachGroup(const Section& section, Visit visit) {
  visit(section.subjects);
  for (const Rule& rule : section.rules) {
    if (rule.peers != kAnyPeer) visit(rule.peers);
  }
}

// Whether only policies that go or change name the groups that are removed.
bool AreLastUsers(const ResolvedPolicy& policy, const std::unordered_set<std::string>& replaced,
                  const std::unordered_set<std::string>& restaged, const PolicyUpdate& update,
                  const UpdateIndex& index) {
  std::unordered_map<GroupId, std::uint32_t> left;
  for (const GroupId group : update.removed_groups) left[group] = index.UsesOf(group);
  const auto release = [&left](const Section& section) {
    ForEachGroup(section, [&](GroupId group) {
      if (const auto use = left.find(group); use != left.end()) --use->second;
    });
  };
  for (const std::string& name : replaced) {
    for (const Section& section : policy.sections.Find(name)) release(section);
  }
  for (const std::string& name : restaged) {
    const auto staged = policy.staged.find(name);
    if (staged == policy.staged.end()) continue;
    for (const Section& section : staged->second) release(section);
  }
  return std::all_of(left.begin(), left.end(), [](const auto& use) { return use.second == 0; });
}

std::optional<Diagnostic> CheckSections(const ResolvedPolicy& policy, const PolicyUpdate& update,
                                        const GroupsAfter& groups, const UpdateIndex* index) {
  std::unordered_set<std::string> replaced(update.removed_policies.begin(), update.removed_policies.end());
  std::unordered_set<std::string_view> coming;
  for (const SectionsUpdate& sections : update.sections) {
    if (!coming.insert(sections.policy).second) {
      return Wrong("policy " + sections.policy, "sections", "come twice in one update");
    }
    replaced.insert(sections.policy);
  }
  std::unordered_set<std::string> restaged(update.removed_staged.begin(), update.removed_staged.end());
  std::unordered_set<std::string_view> staging;
  for (const SectionsUpdate& sections : update.staged) {
    if (!staging.insert(sections.policy).second) {
      return Wrong(kStagedPolicy + sections.policy, "", "comes twice in one update");
    }
    restaged.insert(sections.policy);
  }
  // A sender holds back the policy that a refusal names. So a staged policy is named as a staged one.
  const auto check = [&](const Section& section, const char* what) -> std::optional<Diagnostic> {
    const std::string object = what + section.policy;
    if (!groups.Has(section.subjects)) {
      return Wrong(object, "subjects", "no group has the number " + std::to_string(section.subjects));
    }
    for (const Rule& rule : section.rules) {
      const std::string field = std::string(Name(section.direction)) + '[' + std::to_string(rule.index) + ']';
      if (rule.peers != kAnyPeer && !groups.Has(rule.peers)) {
        return Wrong(object, field + ".peers", "no group has the number " + std::to_string(rule.peers));
      }
      for (const PortRange& range : rule.ports) {
        if (range.first > range.last) return Wrong(object, field + ".ports", "the range ends before it begins");
      }
      if (const auto problem = ProblemOf(section, rule); !problem.empty()) {
        return Wrong(object, field + ".domain_names", std::string(problem));
      }
    }
    return std::nullopt;
  };
  for (const auto& [all, what] : {std::pair(&update.sections, kPolicy), std::pair(&update.staged, kStagedPolicy)}) {
    for (const SectionsUpdate& sections : *all) {
      for (const Section& section : sections.sections) {
        if (section.policy != sections.policy) {
          return Wrong(what + sections.policy, "sections", "holds a section of policy " + section.policy);
        }
        if (auto error = check(section, what)) return error;
      }
    }
  }
  if (update.removed_groups.empty()) return std::nullopt;
  if (index != nullptr && AreLastUsers(policy, replaced, restaged, update, *index)) return std::nullopt;
  for (const Section& section : policy.sections) {  // a policy that stays must not lose a group
    if (replaced.contains(section.policy)) continue;
    if (auto error = check(section, kPolicy)) return error;
  }
  for (const auto& [name, sections] : policy.staged) {
    if (restaged.contains(name)) continue;
    for (const Section& section : sections) {
      if (auto error = check(section, kStagedPolicy)) return error;
    }
  }
  return std::nullopt;
}

std::optional<Diagnostic> CheckEndpoints(const ResolvedPolicy& policy, const PolicyUpdate& update,
                                         const GroupsAfter& groups) {
  std::unordered_set<EndpointId> gone;
  for (const EndpointId id : update.removed_endpoints) {
    const std::string object = "endpoint " + std::to_string(id);
    if (!EndpointLives(policy, id)) return Wrong(object, "", "is not there to be removed");
    if (!gone.insert(id).second) return Wrong(object, "", "is removed twice in one update");
  }
  std::unordered_map<IpAddress, const Endpoint*> taken;
  std::unordered_set<EndpointId> seen;
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const EndpointUpdate& update_of : update.endpoints) {
    const std::string object = NameOf(update_of.endpoint);
    if (update_of.endpoint.name.empty())
      return Wrong("endpoint " + std::to_string(update_of.id), "name", "must not be empty");
    if (!seen.insert(update_of.id).second) {
      return Wrong(object, "id", std::to_string(update_of.id) + " is given twice in one update");
    }
    if (!names.emplace(update_of.endpoint.namespace_name, update_of.endpoint.name).second) {
      return Wrong(object, "name", "is given twice in one update");
    }
    if (gone.contains(update_of.id)) return Wrong(object, "id", "is removed and replaced in one update");
    if (update_of.id < policy.endpoints.size() && !EndpointLives(policy, update_of.id)) {
      return Wrong(object, "id", "was used since the full state; take a number never used");
    }
    if (update_of.id > policy.endpoints.size() + kMaxNumberGap)
      return Wrong(object, "id", "leaves out too many numbers");
    if (!std::is_sorted(update_of.groups.begin(), update_of.groups.end(), std::less_equal<>())) {
      return Wrong(object, "groups", "must be strictly ascending");
    }
    for (const GroupId group : update_of.groups) {
      if (!groups.Has(group)) return Wrong(object, "groups", "no group has the number " + std::to_string(group));
    }
    for (const IpAddress& address : update_of.endpoint.addresses) {
      const auto [place, added] = taken.try_emplace(address, &update_of.endpoint);
      if (!added) return Wrong(object, "addresses", address.ToString() + " is also given to " + NameOf(*place->second));
    }
  }
  return std::nullopt;
}

Diagnostic Differs(GroupId group, const std::string& key, const char* field, GroupId other) {
  return Wrong("group " + std::to_string(group) + " {" + key + '}', field,
               "are not those of group " + std::to_string(other) + ", which has the same key");
}

// Groups with the same key after an update is applied, and their members.
class TwinsAfter {
 public:
  TwinsAfter(const ResolvedPolicy& policy, const PolicyUpdate& update, const UpdateIndex& index)
      : policy_(policy), update_(update), removed_(update.removed_groups.begin(), update.removed_groups.end()) {
    for (const GroupId group : index.Twins()) Add(policy.groups[group].key, group);
    for (const GroupUpdate& added : update.groups) added_.emplace(added.id, &added);
    for (const GroupUpdate& added : update.groups) {
      const std::string& key = added.group.key;
      for (const GroupId group : index.GroupsOfKey(policy, key)) Add(key, group);
      Add(key, added.id);
    }
    std::erase_if(twins_, [](const auto& twins) { return twins.second.size() < 2; });
  }

  std::optional<Diagnostic> Check() {
    for (const auto& [key, groups] : twins_) {
      const GroupId first = *groups.begin();
      for (const GroupId group : groups) {
        if (BlocksOf(group) != BlocksOf(first)) return Differs(group, key, "blocks", first);
        if (MembersOf(group) != MembersOf(first)) return Differs(group, key, "members", first);
      }
    }
    return std::nullopt;
  }

 private:
  void Add(const std::string& key, GroupId group) {
    if (!removed_.contains(group)) twins_[key].insert(group);
  }
  const std::vector<CidrBlock>& BlocksOf(GroupId group) const {
    const auto added = added_.find(group);
    return added == added_.end() ? policy_.groups[group].blocks : added->second->group.blocks;
  }
  std::set<EndpointId> MembersOf(GroupId group) const {
    std::set<EndpointId> members;
    if (const auto added = added_.find(group); added != added_.end()) {
      members.insert(added->second->members.begin(), added->second->members.end());
    } else {
      for (EndpointId id = 0; id < policy_.endpoints.size(); ++id) {
        if (policy_.member_sets.Contains(policy_.endpoints[id].members, group)) members.insert(id);
      }
    }
    for (const EndpointId id : update_.removed_endpoints) members.erase(id);
    for (const EndpointUpdate& endpoint : update_.endpoints) {
      const bool is_member = std::binary_search(endpoint.groups.begin(), endpoint.groups.end(), group);
      if (is_member) {
        members.insert(endpoint.id);
      } else {
        members.erase(endpoint.id);
      }
    }
    return members;
  }

  const ResolvedPolicy& policy_;
  const PolicyUpdate& update_;
  const std::unordered_set<GroupId> removed_;
  std::unordered_map<GroupId, const GroupUpdate*> added_;
  std::map<std::string, std::set<GroupId>> twins_;  // by key
};

// The table knows a peer group by its key: two groups with one key that differ would become one group that holds both.
// Mostly all keys are unique; then the check costs one look-up for each new group.
std::optional<Diagnostic> CheckKeys(const ResolvedPolicy& policy, const PolicyUpdate& update,
                                    const UpdateIndex* index) {
  if (index == nullptr) return TwinsAfter(policy, update, UpdateIndex(policy)).Check();
  if (index->Twins().empty() && update.groups.empty()) return std::nullopt;
  return TwinsAfter(policy, update, *index).Check();
}

std::optional<NodeId> FindNode(const ResolvedPolicy& policy, const UpdateIndex* index, const std::string& name) {
  std::size_t searched = 0;
  if (index != nullptr) {
    if (const auto known = index->NodeNamed(name)) return known;
    searched = index->NodeCount();
  }
  for (std::size_t id = searched; id < policy.nodes.size(); ++id) {
    if (policy.nodes[id].name == name) return static_cast<NodeId>(id);
  }
  return std::nullopt;
}

NodeId NodeNamed(ResolvedPolicy& policy, const UpdateIndex* index, const std::string& name) {
  if (name.empty()) return kNoNode;
  if (const auto known = FindNode(policy, index, name)) return *known;
  policy.nodes.push_back({name, {}, {}});
  return static_cast<NodeId>(policy.nodes.size() - 1);
}

void RemoveSections(const std::string& policy_name, ResolvedPolicy& policy, PolicyChange& change) {
  std::vector<Section> left = policy.sections.Remove(policy_name);
  std::move(left.begin(), left.end(), std::back_inserter(change.sections_left));
}

void ApplyStaged(PolicyUpdate& update, ResolvedPolicy& policy, PolicyChange& change) {
  const auto leave = [&](const std::string& name) {
    auto left = policy.staged.extract(name);
    change.staged_left.emplace_back(name, left ? std::optional(std::move(left.mapped())) : std::nullopt);
  };
  for (const std::string& name : update.removed_staged) leave(name);
  for (SectionsUpdate& sections : update.staged) {
    leave(sections.policy);
    change.staged_came.push_back(sections.policy);
    policy.staged.emplace(std::move(sections.policy), std::move(sections.sections));
  }
}

// A node that is removed leaves its name behind, because endpoints still use it to name the node.
void ApplyNodes(PolicyUpdate& update, ResolvedPolicy& policy, const UpdateIndex* index, PolicyChange& change) {
  const auto replace = [&](Node node) {
    const NodeId id = NodeNamed(policy, index, node.name);
    change.pod_cidrs_changed |= policy.nodes[id].pod_cidrs != node.pod_cidrs;
    change.nodes_left.emplace_back(id, std::exchange(policy.nodes[id], std::move(node)));
  };
  for (const std::string& name : update.removed_nodes) {
    if (FindNode(policy, index, name)) replace({name, {}, {}});
  }
  for (Node& node : update.nodes) replace(std::move(node));
}

}  // namespace

std::string_view ProblemOf(const Section& section, const Rule& rule) {
  if (rule.domain_names.empty()) return {};
  if (section.direction != Direction::kEgress) return "stand in egress alone";
  if (rule.action != Action::kAllow) return "stand only in a rule that allows";
  if (rule.peers != kAnyPeer) return "stand beside no other peers: make two rules of it";
  return {};
}

UpdateIndex::UpdateIndex(const ResolvedPolicy& policy) : group_uses_(policy.groups.size()) {
  for (const Section& section : policy.sections) Count(section, 1);
  for (const auto& [name, sections] : policy.staged) Count(sections, 1);
  AddNodes(policy);
  groups_.reserve(policy.groups.size());
  for (GroupId group = 0; group < policy.groups.size(); ++group) AddGroup(policy, group);
}

void UpdateIndex::Follow(const PolicyChange& change, const ResolvedPolicy& policy) {
  for (const Section& section : change.sections_left) Count(section, 0u - 1);
  for (const Section& section : change.sections_came) Count(section, 1);
  for (const auto& [name, sections] : change.staged_left) {
    if (sections) Count(*sections, 0u - 1);
  }
  for (const std::string& name : change.staged_came) Count(policy.staged.at(name), 1);
  AddNodes(policy);
  for (const auto& [group, left] : change.groups_left) RemoveGroup(policy, group, left.key);
  for (const GroupId group : change.groups_came) AddGroup(policy, group);
}

void UpdateIndex::AddGroup(const ResolvedPolicy& policy, GroupId group) {
  const std::string& key = policy.groups[group].key;
  if (key.empty()) return;
  const std::vector<GroupId> same = GroupsOfKey(policy, key);
  groups_.emplace(std::hash<std::string>()(key), group);
  if (same.empty()) return;
  twins_.insert(same.begin(), same.end());
  twins_.insert(group);
}

void UpdateIndex::RemoveGroup(const ResolvedPolicy& policy, GroupId group, const std::string& key) {
  const auto [begin, end] = groups_.equal_range(std::hash<std::string>()(key));
  const auto entry = std::find_if(begin, end, [&](const auto& one) { return one.second == group; });
  if (entry != end) groups_.erase(entry);
  if (twins_.erase(group) == 0) return;
  const std::vector<GroupId> left = GroupsOfKey(policy, key);
  if (left.size() == 1) twins_.erase(left.front());
}

std::vector<GroupId> UpdateIndex::GroupsOfKey(const ResolvedPolicy& policy, const std::string& key) const {
  std::vector<GroupId> groups;
  const auto [begin, end] = groups_.equal_range(std::hash<std::string>()(key));
  for (auto entry = begin; entry != end; ++entry) {
    if (policy.groups[entry->second].key == key) groups.push_back(entry->second);
  }
  return groups;
}

void UpdateIndex::Count(const Section& section, std::uint32_t by) {
  ForEachGroup(section, [&](GroupId group) {
    if (group >= group_uses_.size()) group_uses_.resize(group + 1);
    group_uses_[group] += by;
  });
}

void UpdateIndex::Count(const std::vector<Section>& sections, std::uint32_t by) {
  for (const Section& section : sections) Count(section, by);
}

void UpdateIndex::AddNodes(const ResolvedPolicy& policy) {
  for (; node_count_ < policy.nodes.size(); ++node_count_) {
    nodes_.emplace(policy.nodes[node_count_].name, static_cast<NodeId>(node_count_));
  }
}

std::optional<NodeId> UpdateIndex::NodeNamed(const std::string& name) const {
  const auto node = nodes_.find(name);
  return node == nodes_.end() ? std::nullopt : std::optional(node->second);
}

std::optional<Diagnostic> Check(const ResolvedPolicy& policy, const PolicyUpdate& update, const UpdateIndex* index) {
  const GroupsAfter groups(policy, update);
  if (auto error = CheckGroups(policy, update)) return error;
  if (auto error = CheckNames(update)) return error;
  if (auto error = CheckEndpoints(policy, update, groups)) return error;
  if (auto error = CheckSections(policy, update, groups, index)) return error;
  return CheckKeys(policy, update, index);
}

std::optional<Diagnostic> CheckFullState(const ResolvedPolicy& policy) {
  std::unordered_map<IpAddress, const Endpoint*> owners;
  std::vector<const Endpoint*> by_name;
  for (const Endpoint& endpoint : policy.endpoints) {
    for (const IpAddress& address : endpoint.addresses) {
      const auto [owner, added] = owners.try_emplace(address, &endpoint);
      if (added) continue;
      return Wrong(NameOf(endpoint), "addresses", address.ToString() + " is also given to " + NameOf(*owner->second));
    }
    if (!endpoint.name.empty()) by_name.push_back(&endpoint);
  }
  const auto precedes = [](const Endpoint* a, const Endpoint* b) {
    return std::tie(a->namespace_name, a->name) < std::tie(b->namespace_name, b->name);
  };
  if (!std::is_sorted(by_name.begin(), by_name.end(), precedes)) std::sort(by_name.begin(), by_name.end(), precedes);
  const auto twice = std::adjacent_find(by_name.begin(), by_name.end(),
                                        [&](const Endpoint* a, const Endpoint* b) { return !precedes(a, b); });
  if (twice != by_name.end()) return Wrong(NameOf(**twice), "name", "is given twice");

  std::unordered_map<std::string_view, GroupId> keys;
  for (GroupId group = 0; group < policy.groups.size(); ++group) {
    const std::string& key = policy.groups[group].key;
    if (key.empty()) continue;
    const auto [first, added] = keys.try_emplace(key, group);
    if (added) continue;
    if (policy.groups[group].blocks != policy.groups[first->second].blocks) {
      return Differs(group, key, "blocks", first->second);
    }
    const auto has_one = [&, earlier = first->second](const Endpoint& endpoint) {
      return policy.member_sets.Contains(endpoint.members, group) !=
             policy.member_sets.Contains(endpoint.members, earlier);
    };
    if (std::any_of(policy.endpoints.begin(), policy.endpoints.end(), has_one)) {
      return Differs(group, key, "members", first->second);
    }
  }
  return std::nullopt;
}

PolicyChange Apply(PolicyUpdate update, ResolvedPolicy& policy, const UpdateIndex* index) {
  PolicyChange change;
  change.endpoints_before = policy.endpoints.size();
  change.groups_before = policy.groups.size();
  for (const std::string& name : update.removed_policies) RemoveSections(name, policy, change);
  for (const SectionsUpdate& sections : update.sections) RemoveSections(sections.policy, policy, change);
  for (const GroupId id : update.removed_groups)
    change.groups_left.emplace_back(id, std::exchange(policy.groups[id], {}));
  ApplyNodes(update, policy, index, change);

  for (GroupUpdate& added : update.groups) {
    if (added.id >= policy.groups.size()) policy.groups.resize(added.id + 1);
    policy.groups[added.id] = std::move(added.group);
    change.groups_came.push_back(added.id);
    for (const EndpointId member : added.members) {
      Endpoint& endpoint = policy.endpoints[member];
      change.members_left.emplace_back(member, endpoint.members);
      std::vector<std::uint32_t> members = policy.member_sets.ToVector(endpoint.members);
      members.insert(std::lower_bound(members.begin(), members.end(), added.id), added.id);
      endpoint.members = policy.member_sets.Intern(members);
    }
  }
  for (const EndpointId id : update.removed_endpoints) {
    change.endpoints_left.emplace_back(id, std::exchange(policy.endpoints[id], {}));
  }
  for (EndpointUpdate& came : update.endpoints) {
    if (came.id >= policy.endpoints.size()) policy.endpoints.resize(came.id + 1);
    came.endpoint.node = NodeNamed(policy, index, came.node);
    came.endpoint.members = policy.member_sets.Intern(came.groups);
    change.endpoints_left.emplace_back(came.id, std::exchange(policy.endpoints[came.id], std::move(came.endpoint)));
    change.endpoints_came.push_back(came.id);
  }
  for (SectionsUpdate& sections : update.sections) {
    change.sections_came.insert(change.sections_came.end(), sections.sections.begin(), sections.sections.end());
    policy.sections.Insert(std::move(sections.sections));
  }
  ApplyStaged(update, policy, change);
  return change;
}

void Undo(PolicyChange change, ResolvedPolicy& policy) {
  for (auto left = change.staged_left.rbegin(); left != change.staged_left.rend(); ++left) {
    if (left->second) {
      policy.staged.insert_or_assign(left->first, *std::move(left->second));
    } else {
      policy.staged.erase(left->first);
    }
  }
  for (const Section& section : change.sections_came) policy.sections.Remove(section.policy);
  for (auto left = change.endpoints_left.rbegin(); left != change.endpoints_left.rend(); ++left) {
    policy.endpoints[left->first] = std::move(left->second);
  }
  for (auto left = change.members_left.rbegin(); left != change.members_left.rend(); ++left) {
    policy.endpoints[left->first].members = left->second;
  }
  policy.endpoints.resize(change.endpoints_before);
  policy.groups.resize(change.groups_before);
  for (auto left = change.nodes_left.rbegin(); left != change.nodes_left.rend(); ++left) {
    policy.nodes[left->first] = std::move(left->second);
  }
  for (auto& [id, group] : change.groups_left) policy.groups[id] = std::move(group);
  // The sections of each policy go back together.
  auto section = change.sections_left.begin();
  while (section != change.sections_left.end()) {
    const auto end = std::find_if(section, change.sections_left.end(),
                                  [&](const Section& other) { return other.policy != section->policy; });
    policy.sections.Insert({std::make_move_iterator(section), std::make_move_iterator(end)});
    section = end;
  }
}

void CompactMemberSets(ResolvedPolicy& policy) {
  constexpr IdSetId kUnknown = 0xffffffff;
  IdSetPool compact;
  std::vector<IdSetId> renumbered(policy.member_sets.SetCount(), kUnknown);
  renumbered[kEmptyIdSet] = kEmptyIdSet;
  for (Endpoint& endpoint : policy.endpoints) {
    IdSetId& set = renumbered[endpoint.members];
    if (set == kUnknown) {
      std::vector<std::uint32_t> members = policy.member_sets.ToVector(endpoint.members);
      std::erase_if(members, [&](GroupId group) { return policy.groups[group].key.empty(); });
      set = compact.Intern(members);
    }
    endpoint.members = set;
  }
  policy.member_sets = std::move(compact);
}

}  // namespace sluice
