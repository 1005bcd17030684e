// The resolver: keeps a cluster's objects as they come and go, every label selector evaluated.
//
//   ClusterResolver resolver;
//   auto view = resolver.MakeView();
//   resolver.Upsert(pod); ...
//   send(view->Full());
//   resolver.Upsert(other_pod); ...
//   send(view->TakeChanges());
//
// Its parts, a file each: the objects and the indexes over them (cluster_state), subjects and peers as selections
// (selections), named ports (port_splits), policies in those terms (bound_policy), and what each receiver has and what
// it must still get (policy_view). Neither the resolver nor its views are safe to share between threads.
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
  ~ClusterResolver();  // its views must be gone by then
  ClusterResolver(const ClusterResolver&) = delete;
  ClusterResolver& operator=(const ClusterResolver&) = delete;

  // Loads all objects at the beginning: several times as fast as one by one. Requires that there are no objects yet,
  // and that each object comes once.
  void Load(const Cluster& cluster);

  // Puts an object as it is from now on, new or changed. Costs little if policy sees no difference. A pod takes
  // microseconds; a policy, the evaluation of its named ports; a namespace with new labels, the time of all its pods.
  void Upsert(const Namespace& object);
  void Upsert(const NodeObject& object);
  void Upsert(const Pod& object);
  void Upsert(const NetworkPolicy& object);  // also one that was refused and has no good version (NP-16)

  // This may change the titles of policies of other kinds with the same name.
  void Upsert(const ClusterPolicy& object);

  // Puts what is staged there for the policy with its name. StagedAction::kIgnore stages nothing. If several are staged
  // for one policy, the first in the order of StagedBy counts.
  void Upsert(const StagedNetworkPolicy& object);
  // The same for a ClusterNetworkPolicy. If it would change the titles of policies of other kinds, those are
  // staged under their new titles.
  void Upsert(const StagedClusterPolicy& object);

  // Does nothing for an object that isn't there. Pods outlive their Namespace and Node objects.
  void DeleteNamespace(const std::string& name);
  void DeleteNode(const std::string& name);
  void DeletePod(const std::string& namespace_name, const std::string& name);
  void DeletePolicy(const std::string& namespace_name, const std::string& name);
  void DeleteClusterPolicy(ClusterPolicyKind kind, const std::string& name);
  void DeleteStaged(const std::string& namespace_name, const std::string& name, StagedBy by);
  void DeleteStagedCluster(const std::string& name, StagedBy by);

  // After Load, does the work that the first change of a pod would have to do otherwise.
  void PrepareForChanges() { state_.IndexPods(); }

  // A warning for each thing that two objects claim now and one loses (NP-83). A policy staged twice is such a claim.
  Diagnostics Conflicts() const;

  // A receiver's view. With a node's name: only what the pods on that node need.
  std::unique_ptr<PolicyView> MakeView(std::string node = "");

 private:
  friend class PolicyView;

  // Pods change in this way alone. Whether a pod belongs to a part of a named port depends on its labels, ports,
  // addresses and namespace, and on the other claimants of its addresses (NP-83). So each pod that the change concerns
  // first leaves its parts as it still is; then the change is made; then each pod joins the parts that it belongs to
  // now. A pod that joined in one form and left in another would stay in a part for ever.
  // `change` returns the number of a pod that it added, or ClusterState::kNone. It must not ask for a selection's pods.
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
  // The cluster policies with one name.
  using KindedPolicies = std::map<ClusterPolicyKind, const ClusterPolicy*>;
  using Titled = std::map<std::string, const ClusterPolicy*>;
  static Titled Titles(const std::string& name, const KindedPolicies& policies);
  Titled StagedTitles(const std::string& name, KindedPolicies policies) const;
  void BindClusterPolicies(const std::string& name);
  // To be called after everything else is up to date: the nodes that `nodes` peers stand for may have changed.
  void FollowNodes();

  ClusterState state_;
  Selections selections_;
  PortSplits splits_;
  BoundPolicies policies_;
  BoundPolicies staged_;
  std::map<std::string, std::map<ClusterPolicyKind, ClusterPolicy>> cluster_policies_;  // by name
  // What is staged for one policy. The first entry counts.
  template <typename Staged>
  using ByPlace = std::map<StagedBy, Staged>;
  std::map<std::string, ByPlace<StagedNetworkPolicy>> staged_policies_;  // by title
  std::map<std::string, ByPlace<StagedClusterPolicy>> staged_cluster_;   // by name
  std::set<std::string> with_nodes_;  // names of cluster policies, also staged, with `nodes` peers
  std::map<LabelSelector, std::vector<CidrBlock>> node_blocks_;  // worked out since nodes_changed_ was last set
  bool nodes_changed_ = false;
  std::vector<PolicyView*> views_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_CLUSTER_RESOLVER_H_
