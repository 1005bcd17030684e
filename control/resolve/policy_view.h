// What one receiver has of the resolved policy, in numbers of its own, and what it has yet to hear.
//
// What is yet to be heard is kept as names of what changed, never as a list of changes: it takes at most as much memory
// as the objects do, however long the receiver stays away, and a thousand changes of one pod are one.
#ifndef SLUICE_CONTROL_RESOLVE_POLICY_VIEW_H_
#define SLUICE_CONTROL_RESOLVE_POLICY_VIEW_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "resolve/bound_policy.h"
#include "resolve/cluster_resolver.h"
#include "resolve/pod_set.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// Made by ClusterResolver::MakeView, which it must not outlive.
//
// The view of one node holds that node, the policies that select its pods, those pods, and the pods in the groups that
// these policies name as peers. Groups of subjects are narrowed to the node there: a pod elsewhere may be subject to
// policies that the view leaves out, so it is nobody's subject. Of other nodes it holds the addresses that the node has
// too, which are then none's own (NP-70). Whatever has an address in its pod CIDRs is there, pod or node, since it
// would be an unknown endpoint otherwise. Of what is staged it holds all names: with sections where the staged policy
// selects pods of the node, and without where it does not, as the policy in force may.
class PolicyView {
 public:
  ~PolicyView();
  PolicyView(const PolicyView&) = delete;
  PolicyView& operator=(const PolicyView&) = delete;

  // Begins a numbering: the whole state, in which a number is an index. Does not depend on the order of past changes.
  ResolvedPolicy Full();

  // No numbering was begun yet, or so many of its numbers were used up by what is gone that the receiver's memory calls
  // for another.
  bool FullDue() const;

  // False: TakeChanges would be empty. True: it may still be, as of a pod that does not concern the view's node.
  bool HasChanges() const;
  // Rises with each change that HasChanges tells of.
  std::uint64_t heard() const { return heard_; }
  // All changes since Full or the last TakeChanges, to apply after those. Requires a Full before.
  PolicyUpdate TakeChanges();

 private:
  friend class ClusterResolver;

  // A group of this view: a selection, for a view of one node also one narrowed to that node's pods.
  struct GroupKey {
    const Selection* selection = nullptr;
    bool on_node = false;
    friend bool operator==(const GroupKey&, const GroupKey&) = default;
  };
  struct GroupKeyHash {
    std::size_t operator()(const GroupKey& key) const {
      return std::hash<const void*>()(key.selection) * 2 + (key.on_node ? 1 : 0);
    }
  };
  struct GroupEntry {
    SelectionPtr selection;
    GroupId id = 0;
    std::uint32_t uses = 0;  // by sections
    bool sent = false;
  };
  using GroupMap = std::unordered_map<GroupKey, GroupEntry, GroupKeyHash>;

  PolicyView(ClusterResolver* resolver, std::string node);

  // From the resolver.
  void OnPod(std::uint32_t pod);
  void OnPodGone(std::uint32_t pod);
  void OnPolicy(BoundPolicy* policy);
  void OnPolicyGone(BoundPolicy* policy);
  void OnNode(const std::string& name);

  bool OfOneNode() const { return !node_.empty(); }
  PodSet PodsOnNode() const;
  std::unordered_set<const BoundPolicy*> PoliciesOnNode() const;
  bool Selects(const BoundPolicy& policy) const;
  PodSet WantedPods();
  bool IsInPodCidrs(std::uint32_t pod) const;
  void FollowPodCidrs();

  GroupId UseGroup(const SelectionPtr& selection, Role role, std::vector<GroupKey>* used);
  void UsePolicy(const BoundPolicy& policy, std::vector<Section>* sections);
  void UseStaged(const BoundPolicy& policy, std::vector<Section>* sections);
  PodSet PodsOf(const GroupKey& key) const;
  Group MakeGroup(const GroupKey& key) const;
  std::vector<GroupId> GroupsOf(std::uint32_t pod) const;
  Endpoint MakeEndpoint(std::uint32_t pod) const;
  std::string NodeOf(std::uint32_t pod) const;
  Node MakeNode(const NodeEntry& entry) const;
  bool HoldsNode(const Node& node) const;
  std::set<std::string> NodesToLookAt();

  void Forget();
  void FollowNode();
  void TakePolicies(PolicyUpdate* update);
  bool TakeGroups(PolicyUpdate* update);
  void TakeEndpoints(bool groups_changed, PolicyUpdate* update);
  void TakeNodes(PolicyUpdate* update);

  ClusterResolver& resolver_;
  const std::string node_;

  bool numbered_ = false;
  GroupMap groups_;
  std::unordered_map<const BoundPolicy*, std::vector<GroupKey>> policies_;  // those sent, with the groups they use
  std::vector<EndpointId> endpoint_ids_;                                    // by pod; of those sent
  PodSet sent_pods_;
  PodSet node_pods_;                         // of one node: the endpoints on it
  std::vector<Prefix> pod_cidrs_;            // of one node: its own
  PodSet pods_in_cidrs_;                     // of one node: the endpoints with an address in them
  std::map<std::string, Node> other_nodes_;  // of one node: what was sent of others
  GroupId next_group_ = 0;
  EndpointId next_endpoint_ = 0;
  std::set<std::string> sent_nodes_;  // those that the receiver was told of and not yet that they are gone
  std::uint64_t gone_nodes_ = 0;      // told since Full; a receiver keeps their names
  std::uint64_t numbers_of_full_ = 0;

  std::uint64_t heard_ = 0;
  PodSet changed_pods_;
  std::unordered_set<const BoundPolicy*> changed_policies_;
  std::set<std::string> changed_nodes_;
  std::vector<EndpointId> gone_endpoints_;
  std::vector<std::string> gone_policies_;
  std::vector<std::string> gone_staged_;
  std::vector<GroupKey> released_;    // uses of groups that ended, one each
  std::vector<GroupKey> new_groups_;  // not sent yet
};

bool IsEmpty(const PolicyUpdate& update);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_POLICY_VIEW_H_
