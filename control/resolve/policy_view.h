// What one receiver has of the resolved policy, in numbers of its own, and what it must still get.
//
// The view keeps the names of what changed, never a list of changes. So it takes at most as much memory as the objects
// do, however long the receiver stays away, and a thousand changes of one pod count as one.
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

// ClusterResolver::MakeView makes it. It must not outlive the resolver.
//
// The view of one node holds that node, the policies that select its pods, those pods, and the pods in the groups that
// these policies name as peers. Groups of subjects are narrowed to the pods on the node: a pod elsewhere may be subject
// to policies that the view leaves out, so it is nobody's subject here. Of other nodes, the view holds the addresses
// that they share with its node, which are then no node's own (NP-70). The view also holds whatever has an address in
// the node's pod CIDRs, pod or node: it would be an unknown endpoint otherwise. The view holds the names of all staged
// policies: with sections if the policy selects pods of the node, and without if not, since the policy in force may.
class PolicyView {
 public:
  ~PolicyView();
  PolicyView(const PolicyView&) = delete;
  PolicyView& operator=(const PolicyView&) = delete;

  // Begins a numbering: the whole state, where a number is an index. The order of past changes has no influence on it.
  ResolvedPolicy Full();

  // No numbering was begun yet; or objects that are gone used up so many numbers that the receiver should begin a new
  // numbering, to save memory.
  bool FullDue() const;

  // False: TakeChanges would be empty. True: it may still be empty, if no change concerns the view's node.
  bool HasChanges() const;
  // Rises with each change that makes HasChanges true.
  std::uint64_t heard() const { return heard_; }
  // All changes since Full or the last TakeChanges, to be applied after those. Requires an earlier Full.
  PolicyUpdate TakeChanges();

 private:
  friend class ClusterResolver;

  // A group of this view: a selection. A view of one node may also narrow it to the pods of that node.
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

  // Called by the resolver.
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
  std::unordered_map<const BoundPolicy*, std::vector<GroupKey>> policies_;  // sent ones, with the groups they use
  std::vector<EndpointId> endpoint_ids_;                                    // by pod; of sent pods
  PodSet sent_pods_;
  PodSet node_pods_;                         // for one node: the endpoints on it
  std::vector<Prefix> pod_cidrs_;            // for one node: its own
  PodSet pods_in_cidrs_;                     // for one node: the endpoints with an address in these
  std::map<std::string, Node> other_nodes_;  // for one node: what was sent of others
  GroupId next_group_ = 0;
  EndpointId next_endpoint_ = 0;
  std::set<std::string> sent_nodes_;  // nodes that the receiver has, because it got no removal yet
  std::uint64_t gone_nodes_ = 0;      // removals sent since Full; a receiver keeps their names
  std::uint64_t numbers_of_full_ = 0;

  std::uint64_t heard_ = 0;
  PodSet changed_pods_;
  std::unordered_set<const BoundPolicy*> changed_policies_;
  std::set<std::string> changed_nodes_;
  std::vector<EndpointId> gone_endpoints_;
  std::vector<std::string> gone_policies_;
  std::vector<std::string> gone_staged_;
  std::vector<GroupKey> released_;    // one entry for each use of a group that ended
  std::vector<GroupKey> new_groups_;  // not sent yet
};

bool IsEmpty(const PolicyUpdate& update);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_POLICY_VIEW_H_
