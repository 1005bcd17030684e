// A change of resolved policy: what a full state (ResolvedPolicy) becomes, said in the numbers that it established.
//
// Groups and endpoints are numbered: in a full state by their index, afterwards by whoever sends updates, with numbers
// never used since that full state. So a name that goes and comes back is somebody new, and nothing stale can stick to
// it.
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

// A new number may leave out at most this many after the largest used, so that a hostile one can't claim memory.
inline constexpr std::uint32_t kMaxNumberGap = 65536;

// A group that was not there before, with everybody in it. Its members never change by a GroupUpdate afterwards, only
// by EndpointUpdates.
struct GroupUpdate {
  GroupId id = 0;
  Group group;
  std::vector<EndpointId> members;  // ascending; endpoints of the full state or of earlier updates

  friend bool operator==(const GroupUpdate&, const GroupUpdate&) = default;
};

// An endpoint as it is from now on: new, or in place of the one of that number.
struct EndpointUpdate {
  EndpointId id = 0;
  Endpoint endpoint;            // `node` and `members` are not read
  std::string node;             // name; empty: not known
  std::vector<GroupId> groups;  // ascending: all groups that select it, those of this update included

  friend bool operator==(const EndpointUpdate&, const EndpointUpdate&) = default;
};

// All sections of one policy, in place of those that it had.
struct SectionsUpdate {
  std::string policy;
  std::vector<Section> sections;

  friend bool operator==(const SectionsUpdate&, const SectionsUpdate&) = default;
};

// Applied whole or not at all, in this order: removals of policies, groups, nodes, groups' arrival, endpoints (going,
// then coming), sections, what is staged.
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
  std::vector<SectionsUpdate> staged;       // as StagedPolicies, in place of what was staged for each

  friend bool operator==(const PolicyUpdate&, const PolicyUpdate&) = default;
};

// What an update did to a policy: what the compiler needs to follow it, and what takes it back.
struct PolicyChange {
  std::vector<Section> sections_left;
  std::vector<Section> sections_came;
  std::vector<std::pair<GroupId, Group>> groups_left;
  std::vector<GroupId> groups_came;
  std::vector<std::pair<EndpointId, Endpoint>> endpoints_left;  // as they were, those that only changed included
  std::vector<EndpointId> endpoints_came;
  std::vector<std::pair<EndpointId, IdSetId>> members_left;  // the members a new group gathered, with the set before
  std::vector<std::pair<NodeId, Node>> nodes_left;           // as they were; each has a place in the policy now
  bool pod_cidrs_changed = false;
  // What was staged for a policy; nothing: nothing was.
  std::vector<std::pair<std::string, std::optional<std::vector<Section>>>> staged_left;
  std::vector<std::string> staged_came;
  std::size_t endpoints_before = 0;  // how many numbers were used
  std::size_t groups_before = 0;
};

// What an update asks of a policy and would else be searched for; followed update by update.
class UpdateIndex {
 public:
  UpdateIndex() = default;
  explicit UpdateIndex(const ResolvedPolicy& policy);
  void Follow(const PolicyChange& change, const ResolvedPolicy& policy);  // after Apply, of which none was undone

  // The groups of that key, which are equal.
  std::vector<GroupId> GroupsOfKey(const ResolvedPolicy& policy, const std::string& key) const;
  // Those whose key another one has too.
  const std::set<GroupId>& Twins() const { return twins_; }
  // How often the sections, staged ones included, name the group.
  std::uint32_t UsesOf(GroupId group) const { return group < group_uses_.size() ? group_uses_[group] : 0; }
  // Of the first NodeCount() nodes of the policy: those of the update are not among them.
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
  std::unordered_map<std::string, NodeId> nodes_;  // they never go, nor change their names
  std::size_t node_count_ = 0;
};

// What is wrong with a rule of that section by itself, in words; empty: nothing.
std::string_view ProblemOf(const Section& section, const Rule& rule);

// What is wrong with `update` against `policy`, naming object and field: numbers unknown, used or given twice, an
// address that two endpoints would have, groups of one key that differ, an except outside its CIDR, a range upside
// down. Nothing: it may be applied. With the `index` of the policy, a group that goes costs what went with it; without,
// a look at every section.
std::optional<Diagnostic> Check(const ResolvedPolicy& policy, const PolicyUpdate& update,
                                const UpdateIndex* index = nullptr);

// What is wrong with a full state beyond what its numbers are: an address or a name that two endpoints have, groups of
// one key that differ. Nothing: it may be applied.
std::optional<Diagnostic> CheckFullState(const ResolvedPolicy& policy);

// Applies an update that Check found good. Numbers that went stay as endpoints without a name, groups without a key,
// and nodes without addresses. Without the `index` of the policy, each endpoint's node is searched for among all.
PolicyChange Apply(PolicyUpdate update, ResolvedPolicy& policy, const UpdateIndex* index = nullptr);

// Takes the last Apply back.
void Undo(PolicyChange change, ResolvedPolicy& policy);

// Leaves of the policy's member sets those that endpoints have, and in them the groups that are there: updates leave
// behind what they replace. Endpoints get the new numbers of their sets; those that a PolicyChange names mean nothing
// any more.
void CompactMemberSets(ResolvedPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_POLICY_UPDATE_H_
