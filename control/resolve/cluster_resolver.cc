#include "resolve/cluster_resolver.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "resolve/cluster_order.h"
#include "resolve/policy_view.h"

namespace sluice {

ClusterResolver::ClusterResolver()
    : state_([this](const std::string& node) { OnNode(node); }),
      selections_(&state_),
      splits_(&state_, &selections_, [this](BoundPolicy* policy) { OnPolicy(policy); }) {}
ClusterResolver::~ClusterResolver() { selections_.Close(); }

std::unique_ptr<PolicyView> ClusterResolver::MakeView(std::string node) {
  return std::unique_ptr<PolicyView>(new PolicyView(this, std::move(node)));
}

void ClusterResolver::Load(const Cluster& cluster) {
  state_.Reserve(cluster.namespaces.size(), cluster.pods.size());
  selections_.Reserve(cluster.namespaces.size());
  const ClusterOrder order(cluster);
  order.ForEach(cluster.namespaces, [this](const Namespace& object) { state_.UpsertNamespace(object); });
  for (const NodeObject& object : cluster.nodes) Upsert(object);
  order.ForEach(cluster.pods, [this](const Pod& object) { state_.AddPod(object); });
  order.ForEach(cluster.policies, [this](const NetworkPolicy& object) { Upsert(object); });
  for (const ClusterPolicy& object : cluster.cluster_policies) Upsert(object);
  for (const StagedNetworkPolicy& object : cluster.staged) Upsert(object);
  for (std::uint32_t pod = 0; pod < state_.pod_limit(); ++pod) {
    if (state_.pod(pod).IsEndpoint()) OnPod(pod);
  }
  FollowNodes();
}

template <typename Change>
void ClusterResolver::Rejoin(const std::vector<std::uint32_t>& pods, Change change) {
  for (const std::uint32_t pod : pods) {
    if (state_.endpoints().contains(pod)) splits_.Leave(pod);
  }
  const std::uint32_t added = change();
  selections_.ForgetPods();
  if (added != ClusterState::kNone && state_.endpoints().contains(added)) splits_.Join(added);
  for (const std::uint32_t pod : pods) {
    if (state_.endpoints().contains(pod)) splits_.Join(pod);
  }
  splits_.Settle();
}

void ClusterResolver::Upsert(const Namespace& object) { ChangeNamespace(object.name, &object); }
void ClusterResolver::DeleteNamespace(const std::string& name) { ChangeNamespace(name, nullptr); }

void ClusterResolver::ChangeNamespace(const std::string& name, const Namespace* object) {
  const std::uint32_t before = state_.FindNamespace(name);
  if (before != ClusterState::kNone && object != nullptr && state_.space(before).has_object &&
      state_.namespace_labels().Equal(state_.space(before).labels, object->labels)) {
    return;
  }
  std::vector<std::uint32_t> pods;
  std::vector<const Scope*> scopes;
  if (before != ClusterState::kNone) {
    pods = ToVector(state_.space(before).endpoints);
    if (!pods.empty()) scopes = selections_.ScopesOf(state_.space(before).labels);
  }
  Rejoin(pods, [&] {
    object != nullptr ? state_.UpsertNamespace(*object) : state_.DeleteNamespace(name);
    return ClusterState::kNone;
  });
  if (pods.empty()) return;
  std::vector<const Scope*> now = selections_.ScopesOf(state_.space(before).labels);
  std::sort(scopes.begin(), scopes.end());
  std::sort(now.begin(), now.end());
  if (now == scopes) return;
  for (const std::uint32_t pod : pods) OnPod(pod);
}

void ClusterResolver::Upsert(const NodeObject& object) {
  nodes_changed_ |= state_.nodes().Upsert(object);
  FollowNodes();
}

void ClusterResolver::DeleteNode(const std::string& name) {
  state_.nodes().Delete(name);
  FollowNodes();
}

void ClusterResolver::Upsert(const Pod& object) {
  std::uint32_t pod = state_.FindPod(object.namespace_name, object.name);
  const bool known = pod != ClusterState::kNone;
  if (known && state_.IsSame(pod, object)) return;
  const bool was_endpoint = known && state_.pod(pod).IsEndpoint();
  std::vector<std::uint32_t> pods = state_.Rivals(pod, object.addresses);
  if (was_endpoint) {
    const std::vector<std::uint32_t> former = state_.Rivals(pod, state_.pod(pod).addresses);
    std::vector<std::uint32_t> all;
    std::set_union(pods.begin(), pods.end(), former.begin(), former.end(), std::back_inserter(all));
    pods = std::move(all);
  }
  const std::vector<std::uint32_t> rivals = pods;
  if (known) pods.push_back(pod);
  Rejoin(pods, [&] {
    if (!known) return pod = state_.AddPod(object);
    state_.UpdatePod(pod, object);
    return ClusterState::kNone;
  });
  const bool is_endpoint = state_.pod(pod).IsEndpoint();
  if (is_endpoint) OnPod(pod);
  if (was_endpoint && !is_endpoint) OnPodGone(pod);
  for (const std::uint32_t rival : rivals) OnPod(rival);
  FollowNodes();
}

void ClusterResolver::DeletePod(const std::string& namespace_name, const std::string& name) {
  const std::uint32_t pod = state_.FindPod(namespace_name, name);
  if (pod == ClusterState::kNone) return;
  const bool was_endpoint = state_.pod(pod).IsEndpoint();
  std::vector<std::uint32_t> pods;
  if (was_endpoint) pods = state_.Rivals(pod, state_.pod(pod).addresses);
  const std::vector<std::uint32_t> rivals = pods;
  pods.push_back(pod);
  Rejoin(pods, [&] {
    state_.DeletePod(pod);
    return ClusterState::kNone;
  });
  if (was_endpoint) OnPodGone(pod);
  for (const std::uint32_t rival : rivals) OnPod(rival);
  FollowNodes();
}

void ClusterResolver::Upsert(const NetworkPolicy& object) { Put(Bind(object, &selections_, &splits_)); }

void ClusterResolver::Put(BoundPolicy bound) {
  BoundPolicies& policies = bound.staged ? staged_ : policies_;
  const std::size_t count = policies.size();
  // Lists of policies come in order: what comes next is mostly the last.
  BoundPolicy& policy = policies.try_emplace(policies.end(), bound.title)->second;
  if (policies.size() == count) {
    if (policy == bound) return;
    Delist(&policy);
  }
  policy = std::move(bound);
  Enlist(&policy);
  OnPolicy(&policy);
}

void ClusterResolver::DeletePolicy(const std::string& namespace_name, const std::string& name) {
  Remove(policies_, PolicyTitle(namespace_name, name));
}

void ClusterResolver::Upsert(const StagedNetworkPolicy& object) {
  if (object.action == StagedNetworkPolicy::Action::kIgnore) return DeleteStaged(object.namespace_name, object.name);
  Put(Bind(object, &selections_, &splits_));
}

void ClusterResolver::DeleteStaged(const std::string& namespace_name, const std::string& name) {
  Remove(staged_, PolicyTitle(namespace_name, name));
}

void ClusterResolver::Remove(BoundPolicies& policies, const std::string& title) {
  const auto known = policies.find(title);
  if (known == policies.end()) return;
  for (PolicyView* view : views_) view->OnPolicyGone(&known->second);
  Delist(&known->second);
  policies.erase(known);
}

void ClusterResolver::Upsert(const ClusterPolicy& object) {
  cluster_policies_[object.name].insert_or_assign(object.kind, object);
  BindClusterPolicies(object.name);
}

void ClusterResolver::DeleteClusterPolicy(ClusterPolicyKind kind, const std::string& name) {
  const auto known = cluster_policies_.find(name);
  if (known == cluster_policies_.end() || known->second.erase(kind) == 0) return;
  BindClusterPolicies(name);
  if (known->second.empty()) cluster_policies_.erase(known);
}

// Kind by kind, the first one takes the name for its title, others one with their kind.
void ClusterResolver::BindClusterPolicies(const std::string& name) {
  std::set<std::string> titles;
  with_nodes_.erase(name);
  const auto node_blocks = [this](const LabelSelector& selector) {
    const auto [blocks, added] = node_blocks_.try_emplace(selector);
    if (added) blocks->second = state_.NodeBlocks(selector);
    return blocks->second;
  };
  std::vector<BoundPolicy> bound;
  for (const auto& [kind, policy] : cluster_policies_.at(name)) {
    std::string title = titles.empty() ? name : ClusterPolicyTitle(kind, name);
    titles.insert(title);
    bound.push_back(Bind(policy, std::move(title), node_blocks, &selections_, &splits_));
    const auto names_nodes = [](const ClusterPolicyRule& rule) {
      return std::any_of(rule.peers.begin(), rule.peers.end(), [](const auto& peer) { return peer.nodes.has_value(); });
    };
    if (std::any_of(policy.egress.begin(), policy.egress.end(), names_nodes)) with_nodes_.insert(name);
  }
  std::vector<std::string> before = {name};
  for (const auto kind : {ClusterPolicyKind::kAdminNetworkPolicy, ClusterPolicyKind::kBaselineAdminNetworkPolicy}) {
    before.push_back(ClusterPolicyTitle(kind, name));
  }
  for (const std::string& title : before) {
    if (!titles.contains(title)) Remove(policies_, title);
  }
  for (BoundPolicy& policy : bound) Put(std::move(policy));
}

void ClusterResolver::FollowNodes() {
  if (!nodes_changed_) return;
  nodes_changed_ = false;
  node_blocks_.clear();
  const std::set<std::string> names = with_nodes_;
  for (const std::string& name : names) BindClusterPolicies(name);
}

void ClusterResolver::OnPod(std::uint32_t pod) {
  for (PolicyView* view : views_) view->OnPod(pod);
}

void ClusterResolver::OnPodGone(std::uint32_t pod) {
  for (PolicyView* view : views_) view->OnPodGone(pod);
}

void ClusterResolver::OnPolicy(BoundPolicy* policy) {
  for (PolicyView* view : views_) view->OnPolicy(policy);
}

void ClusterResolver::OnNode(const std::string& name) {
  nodes_changed_ = true;
  for (PolicyView* view : views_) view->OnNode(name);
}

}  // namespace sluice
