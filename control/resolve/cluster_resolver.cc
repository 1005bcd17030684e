#include "resolve/cluster_resolver.h"

#include <algorithm>
#include <iterator>
#include <string_view>
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
  for (const StagedClusterPolicy& object : cluster.staged_cluster) Upsert(object);
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
  // Lists of policies come in order, so the next policy mostly goes to the end.
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
  if (object.action == StagedAction::kIgnore) return DeleteStaged(object.namespace_name, object.name, object.by);
  const std::string title = PolicyTitle(object.namespace_name, object.name);
  staged_policies_[title].insert_or_assign(object.by, object);
  PutStaged(title);
}

void ClusterResolver::DeleteStaged(const std::string& namespace_name, const std::string& name, StagedBy by) {
  const std::string title = PolicyTitle(namespace_name, name);
  const auto known = staged_policies_.find(title);
  if (known == staged_policies_.end() || known->second.erase(by) == 0) return;
  if (!known->second.empty()) return PutStaged(title);
  staged_policies_.erase(known);
  Remove(staged_, title);
}

void ClusterResolver::PutStaged(const std::string& title) {
  Put(Bind(staged_policies_.at(title).begin()->second, &selections_, &splits_));
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
  if (known->second.empty()) cluster_policies_.erase(known);
  BindClusterPolicies(name);
}

void ClusterResolver::Upsert(const StagedClusterPolicy& object) {
  if (object.action == StagedAction::kIgnore) return DeleteStagedCluster(object.name, object.by);
  staged_cluster_[object.name].insert_or_assign(object.by, object);
  BindClusterPolicies(object.name);
}

void ClusterResolver::DeleteStagedCluster(const std::string& name, StagedBy by) {
  const auto known = staged_cluster_.find(name);
  if (known == staged_cluster_.end() || known->second.erase(by) == 0) return;
  if (known->second.empty()) staged_cluster_.erase(known);
  BindClusterPolicies(name);
}

// The policies by title. The first kind gets the name as its title; other kinds add their kind to the name.
ClusterResolver::Titled ClusterResolver::Titles(const std::string& name, const KindedPolicies& policies) {
  Titled titled;
  for (const auto& [kind, policy] : policies) {
    titled.emplace(titled.empty() ? name : ClusterPolicyTitle(kind, name), policy);
  }
  return titled;
}

// What would change with what is staged for that name: titles as in the policy that it would make. Null: none would be.
ClusterResolver::Titled ClusterResolver::StagedTitles(const std::string& name, KindedPolicies policies) const {
  constexpr auto kKind = ClusterPolicyKind::kClusterNetworkPolicy;
  const StagedClusterPolicy& staged = staged_cluster_.at(name).begin()->second;
  const Titled in_force = Titles(name, policies);
  if (staged.action == StagedAction::kSet) {
    policies[kKind] = &staged.policy;
  } else if (policies.erase(kKind) == 0) {
    return {{policies.empty() ? name : ClusterPolicyTitle(kKind, name), nullptr}};
  }
  const Titled would_be = Titles(name, policies);
  Titled changes;
  for (const auto& [title, policy] : would_be) {
    const auto now = in_force.find(title);
    if (policy == &staged.policy || now == in_force.end() || now->second != policy) changes.emplace(title, policy);
  }
  for (const auto& [title, policy] : in_force) {
    if (!would_be.contains(title)) changes.emplace(title, nullptr);
  }
  return changes;
}

void ClusterResolver::BindClusterPolicies(const std::string& name) {
  with_nodes_.erase(name);
  const auto node_blocks = [this](const LabelSelector& selector) {
    const auto [blocks, added] = node_blocks_.try_emplace(selector);
    if (added) blocks->second = state_.NodeBlocks(selector);
    return blocks->second;
  };
  const auto names_nodes = [](const ClusterPolicyRule& rule) {
    return std::any_of(rule.peers.begin(), rule.peers.end(), [](const auto& peer) { return peer.nodes.has_value(); });
  };
  const auto bind = [&](const Titled& titled, bool staged) {
    std::vector<std::string> gone = {name};
    for (const auto kind : {ClusterPolicyKind::kClusterNetworkPolicy, ClusterPolicyKind::kAdminNetworkPolicy,
                            ClusterPolicyKind::kBaselineAdminNetworkPolicy}) {
      gone.push_back(ClusterPolicyTitle(kind, name));
    }
    std::erase_if(gone, [&](const std::string& title) { return titled.contains(title); });
    for (const std::string& title : gone) Remove(staged ? staged_ : policies_, title);
    for (const auto& [title, policy] : titled) {
      BoundPolicy bound;
      if (policy != nullptr) {
        bound = Bind(*policy, title, node_blocks, &selections_, &splits_);
        if (std::any_of(policy->egress.begin(), policy->egress.end(), names_nodes)) with_nodes_.insert(name);
      }
      bound.title = title;
      bound.staged = staged;
      Put(std::move(bound));
    }
  };
  KindedPolicies policies;
  if (const auto in_force = cluster_policies_.find(name); in_force != cluster_policies_.end()) {
    for (const auto& [kind, policy] : in_force->second) policies.emplace(kind, &policy);
  }
  bind(Titles(name, policies), /*staged=*/false);
  bind(staged_cluster_.contains(name) ? StagedTitles(name, policies) : Titled(), /*staged=*/true);
}

void ClusterResolver::FollowNodes() {
  if (!nodes_changed_) return;
  nodes_changed_ = false;
  node_blocks_.clear();
  const std::set<std::string> names = with_nodes_;
  for (const std::string& name : names) BindClusterPolicies(name);
}

Diagnostics ClusterResolver::Conflicts() const {
  Diagnostics conflicts = state_.Conflicts();
  constexpr std::string_view kPlaces[] = {"a folder of staged policies (--staged)", "an object of its kind",
                                          "an object of Calico's kind"};
  const auto tell = [&](const std::string& policy, const auto& by_place) {
    for (auto loser = std::next(by_place.begin()); loser != by_place.end(); ++loser) {
      conflicts.push_back({Severity::kWarning, "", 0, policy, "",
                           "is staged in two places: that of " +
                               std::string(kPlaces[static_cast<int>(by_place.begin()->first)]) +
                               " counts, and not that of " + std::string(kPlaces[static_cast<int>(loser->first)]) +
                               "; take one of them away"});
    }
  };
  for (const auto& [title, by_place] : staged_policies_) tell("NetworkPolicy " + title, by_place);
  for (const auto& [name, by_place] : staged_cluster_) tell("ClusterNetworkPolicy " + name, by_place);
  return conflicts;
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
