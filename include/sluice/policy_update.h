// A change of resolved policy. It changes a full state (ResolvedPolicy), and uses the numbers of that state.
//
// Groups and endpoints have numbers. In a full state, the number is the index. Later, the sender of updates chooses
// numbers that were not used since that full state. So a name that goes and comes back gets a new number, and no
// old data can stick to it.
#ifndef SLUICE_POLICY_UPDATE_H_
#define SLUICE_POLICY_UPDATE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"

namespace sluice {

using EndpointId = std::uint32_t;  // index into ResolvedPolicy::endpoints

// A new number may be at most this far beyond the largest used one, so that a hostile sender can't claim memory.
inline constexpr std::uint32_t kMaxNumberGap = 65536;

// A new group with all its members. A later GroupUpdate never changes the members of the group;
// only EndpointUpdates do.
struct GroupUpdate {
  GroupId id = 0;
  Group group;
  std::vector<EndpointId> members;  // ascending; endpoints of the full state or of earlier updates

  friend bool operator==(const GroupUpdate&, const GroupUpdate&) = default;
};

// An endpoint as it is from now on. It is new, or it replaces the endpoint with that number.
struct EndpointUpdate {
  EndpointId id = 0;
  Endpoint endpoint;            // `node` and `members` are not read
  std::string node;             // name; empty: not known
  std::vector<GroupId> groups;  // ascending: all groups that select it, those of this update included

  friend bool operator==(const EndpointUpdate&, const EndpointUpdate&) = default;
};

// All sections of one policy. They replace the sections that the policy had.
struct SectionsUpdate {
  std::string policy;
  std::vector<Section> sections;

  friend bool operator==(const SectionsUpdate&, const SectionsUpdate&) = default;
};

// An update is applied whole or not at all, in this order: removed policies, removed groups, nodes, new groups, removed
// endpoints, new and changed endpoints, sections, staged policies.
struct PolicyUpdate {
  std::vector<std::string> removed_policies;
  std::vector<GroupId> removed_groups;  // no section may name them afterwards
  std::vector<Node> nodes;              // new, or in place of the node of that name
  std::vector<std::string> removed_nodes;
  std::vector<GroupUpdate> groups;
  std::vector<EndpointId> removed_endpoints;
  std::vector<EndpointUpdate> endpoints;
  std::vector<SectionsUpdate> sections;
  std::vector<std::string> removed_staged;  // policies for which nothing is staged any more
  std::vector<SectionsUpdate> staged;       // as StagedPolicies; replaces what was staged for each policy

  friend bool operator==(const PolicyUpdate&, const PolicyUpdate&) = default;
};

// What an update did to a policy. The compiler follows the policy by it, and Undo takes the update back by it.
struct PolicyChange {
  std::vector<Section> sections_left;
  std::vector<Section> sections_came;
  std::vector<std::pair<GroupId, Group>> groups_left;
  std::vector<GroupId> groups_came;
  std::vector<std::pair<EndpointId, Endpoint>> endpoints_left;  // as they were before; also those that only changed
  std::vector<EndpointId> endpoints_came;
  std::vector<std::pair<EndpointId, IdSetId>> members_left;  // members that a new group got, with their sets before
  std::vector<std::pair<NodeId, Node>> nodes_left;           // as before; each has a place in the policy now
  bool pod_cidrs_changed = false;
  // What was staged for a policy before; nullopt: nothing was staged.
  std::vector<std::pair<std::string, std::optional<std::vector<Section>>>> staged_left;
  std::vector<std::string> staged_came;
  std::size_t endpoints_before = 0;  // how many numbers were used
  std::size_t groups_before = 0;
};

// Answers what an update asks of a policy, which would need a search otherwise. It is updated after each update.
class UpdateIndex {
 public:
  UpdateIndex() = default;
  explicit UpdateIndex(const ResolvedPolicy& policy);
  void Follow(const PolicyChange& change, const ResolvedPolicy& policy);  // after each Apply that is not undone

  // The groups that have this key; they are equal.
  std::vector<GroupId> GroupsOfKey(const ResolvedPolicy& policy, const std::string& key) const;
  // The groups whose key another group has, too.
  const std::set<GroupId>& Twins() const { return twins_; }
  // How often the sections, staged ones included, name the group.
  std::uint32_t UsesOf(GroupId group) const { return group < group_uses_.size() ? group_uses_[group] : 0; }
  // Looks among the first NodeCount() nodes of the policy. Nodes that the current update added are not among them.
  std::optional<NodeId> NodeNamed(const std::string& name) const;
  std::size_t NodeCount() const { return node_count_; }

 private:
  void Count(const Section& section, std::uint32_t by);
  void Count(const std::vector<Section>& sections, std::uint32_t by);
  void AddNodes(const ResolvedPolicy& policy);
  void AddGroup(const ResolvedPolicy& policy, GroupId group);
  void RemoveGroup(const ResolvedPolicy& policy, GroupId group, const std::string& key);

  std::vector<std::uint32_t> group_uses_;
  std::unordered_multimap<std::size_t, GroupId> groups_;  // by the key's hash
  std::set<GroupId> twins_;
  std::unordered_map<std::string, NodeId> nodes_;  // nodes never go, and never change their names
  std::size_t node_count_ = 0;
};

// Says in words what is wrong with a rule of the section, looked at by itself. Empty: nothing is wrong.
std::string_view ProblemOf(const Section& section, const Rule& rule);

// Says what is wrong with `update` for `policy`, and names object and field: a number that is unknown, used before or
// given twice, an address that two endpoints of the update have, groups with one key that differ, an except outside its
// CIDR, a range that ends before it begins. Returns nothing if the update may be applied. With the `index` of the
// policy, removing a group costs what is removed with it. Without the index, it costs a look at every section.
std::optional<Diagnostic> Check(const ResolvedPolicy& policy, const PolicyUpdate& update,
                                const UpdateIndex* index = nullptr);

// Says what is wrong with a full state, apart from its numbers: an address or a name that two endpoints have, groups
// with one key that differ. Returns nothing if the state may be applied.
std::optional<Diagnostic> CheckFullState(const ResolvedPolicy& policy);

// Applies an update in which Check found nothing wrong. Removed numbers stay, as endpoints without a name, groups
// without a key, and nodes without addresses. Without the policy's `index`, each endpoint's node is searched among all.
PolicyChange Apply(PolicyUpdate update, ResolvedPolicy& policy, const UpdateIndex* index = nullptr);

// Undoes the last Apply.
void Undo(PolicyChange change, ResolvedPolicy& policy);

// Removes from the policy's member sets those that no endpoint has, and from the others the groups that are gone: an
// update leaves behind what it replaces. Endpoints get the new numbers of their sets. The set numbers in an earlier
// PolicyChange mean nothing afterwards.
void CompactMemberSets(ResolvedPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_POLICY_UPDATE_H_
