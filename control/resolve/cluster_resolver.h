// The resolver: keeps a cluster's objects as they come and go, every label selector evaluated.
//
//   ClusterResolver resolver;
//   auto view = resolver.MakeView();
//   resolver.Upsert(pod); ...
//   send(view->Full());
//   resolver.Upsert(other_pod); ...
//   send(view->TakeChanges());
//
// What it is made of, a file each: the objects and the indexes over them (cluster_state), subjects and peers as
// selections (selections), named ports (port_splits), policies in those terms (bound_policy), and what each receiver
// has and has yet to hear (policy_view). Not safe to share between threads, nor are its views.
#ifndef SLUICE_CONTROL_RESOLVE_CLUSTER_RESOLVER_H_
#define SLUICE_CONTROL_RESOLVE_CLUSTER_RESOLVER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "model/objects.h"
#include "resolve/bound_policy.h"
#include "resolve/cluster_state.h"
#include "resolve/port_splits.h"
#include "resolve/selections.h"
#include "sluice/diagnostic.h"

namespace sluice {

class PolicyView;

class ClusterResolver {
 public:
  ClusterResolver();
  ~ClusterResolver();  // its views are gone by then
  ClusterResolver(const ClusterResolver&) = delete;
  ClusterResolver& operator=(const ClusterResolver&) = delete;

  // All objects, to begin with: several times as fast as one by one. Requires that none is there yet, and that each
  // comes once.
  void Load(const Cluster& cluster);

  // An object as it is from now on, new or not; costs little where policy sees no difference. A pod takes microseconds,
  // a policy what evaluating its named ports takes, a namespace that is relabelled the time of its pods.
  void Upsert(const Namespace& object);
  void Upsert(const NodeObject& object);
  void Upsert(const Pod& object);
  void Upsert(const NetworkPolicy& object);  // one that was refused and has no good version included (NP-16)

  // The policies of the same name of other kinds may get other titles by this.
  void Upsert(const ClusterPolicy& object);

  // What is staged there for the policy of its name; StagedAction::kIgnore: nothing. Of several for one policy, that of
  // the first StagedBy counts.
  void Upsert(const StagedNetworkPolicy& object);
  // The same of a ClusterNetworkPolicy. Policies of other kinds that would get another title by it are staged under
  // that.
  void Upsert(const StagedClusterPolicy& object);

  // Of an object that isn't there: nothing. Pods outlive their Namespace and Node objects.
  void DeleteNamespace(const std::string& name);
  void DeleteNode(const std::string& name);
  void DeletePod(const std::string& namespace_name, const std::string& name);
  void DeletePolicy(const std::string& namespace_name, const std::string& name);
  void DeleteClusterPolicy(ClusterPolicyKind kind, const std::string& name);
  void DeleteStaged(const std::string& namespace_name, const std::string& name, StagedBy by);
  void DeleteStagedCluster(const std::string& name, StagedBy by);

  // Does after Load what the first change of a pod would otherwise pay for.
  void PrepareForChanges() { state_.IndexPods(); }

  // What two objects claim and one loses, now: a warning each (NP-83). A policy that is staged twice is such a claim.
  Diagnostics Conflicts() const;

  // A receiver's view. With a node's name: only what the pods on that node need.
  std::unique_ptr<PolicyView> MakeView(std::string node = "");

 private:
  friend class PolicyView;

  // The one way in which pods change. Whether a pod belongs to a part of a named port depends on its labels, ports,
  // addresses and namespace, and on the other claimants of its addresses (NP-83). So each pod that the change concerns
  // leaves its parts as it still is, the change is made, and each joins the parts of what it is then. A pod that joined
  // under one shape and left under another would stay in a part for ever.
  // `change` returns the number of a pod that it added, or ClusterState::kNone. It must look at no selection's pods.
  template <typename Change>
  void Rejoin(const std::vector<std::uint32_t>& pods, Change change);
  void ChangeNamespace(const std::string& name, const Namespace* object);
  void OnPod(std::uint32_t pod);      // an endpoint came or changed
  void OnPodGone(std::uint32_t pod);  // an endpoint went
  void OnPolicy(BoundPolicy* policy);
  void OnNode(const std::string& name);
  void Put(BoundPolicy bound);
  using BoundPolicies = std::map<std::string, BoundPolicy>;  // by title
  void Remove(BoundPolicies& policies, const std::string& title);
  void PutStaged(const std::string& title);
  // Cluster policies of one name.
  using KindedPolicies = std::map<ClusterPolicyKind, const ClusterPolicy*>;
  using Titled = std::map<std::string, const ClusterPolicy*>;
  static Titled Titles(const std::string& name, const KindedPolicies& policies);
  Titled StagedTitles(const std::string& name, KindedPolicies policies) const;
  void BindClusterPolicies(const std::string& name);
  // Once everything else has followed: what `nodes` peers stand for may have changed.
  void FollowNodes();

  ClusterState state_;
  Selections selections_;
  PortSplits splits_;
  BoundPolicies policies_;
  BoundPolicies staged_;
  std::map<std::string, std::map<ClusterPolicyKind, ClusterPolicy>> cluster_policies_;  // by name
  // What is staged for one policy, of which the first counts.
  template <typename Staged>
  using ByPlace = std::map<StagedBy, Staged>;
  std::map<std::string, ByPlace<StagedNetworkPolicy>> staged_policies_;  // by title
  std::map<std::string, ByPlace<StagedClusterPolicy>> staged_cluster_;   // by name
  std::set<std::string> with_nodes_;  // names of cluster policies, staged ones included, that have such peers
  std::map<LabelSelector, std::vector<CidrBlock>> node_blocks_;  // worked out since nodes_changed_ was last set
  bool nodes_changed_ = false;
  std::vector<PolicyView*> views_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_CLUSTER_RESOLVER_H_
