#include "sluice-sync/cluster_follower.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {
namespace {

using Outcome = DecodedObject::Outcome;

std::string Join(const std::string& namespace_name, const std::string& name) {
  return namespace_name.empty() ? name : namespace_name + '/' + name;
}

std::pair<std::string, std::string> Split(const std::string& joined) {
  const std::size_t slash = joined.find('/');
  if (slash == std::string::npos) return {"", joined};
  return {joined.substr(0, slash), joined.substr(slash + 1)};
}

void UpsertPod(ClusterResolver& resolver, LocalPods* local_pods, const Pod& pod, const std::string& uid) {
  resolver.Upsert(local_pods == nullptr ? pod : local_pods->Note(pod, uid));
}

void Delete(ClusterResolver& resolver, LocalPods* local_pods, Resource resource, const std::string& joined) {
  const auto [namespace_name, name] = Split(joined);
  switch (resource) {
    case Resource::kNamespaces:
      resolver.DeleteNamespace(joined);
      break;
    case Resource::kNodes:
      resolver.DeleteNode(joined);
      break;
    case Resource::kPods:
      if (local_pods != nullptr) local_pods->Forget(namespace_name, name);
      resolver.DeletePod(namespace_name, name);
      break;
    case Resource::kNetworkPolicies:
      resolver.DeletePolicy(namespace_name, name);
      break;
    case Resource::kClusterNetworkPolicies:
      resolver.DeleteClusterPolicy(ClusterPolicyKind::kClusterNetworkPolicy, joined);
      break;
    case Resource::kAdminNetworkPolicies:
      resolver.DeleteClusterPolicy(ClusterPolicyKind::kAdminNetworkPolicy, joined);
      break;
    case Resource::kBaselineAdminNetworkPolicies:
      resolver.DeleteClusterPolicy(ClusterPolicyKind::kBaselineAdminNetworkPolicy, joined);
      break;
    case Resource::kStagedNetworkPolicies:
      resolver.DeleteStaged(namespace_name, name, StagedBy::kObject);
      break;
    case Resource::kStagedClusterNetworkPolicies:
      resolver.DeleteStagedCluster(joined, StagedBy::kObject);
      break;
    case Resource::kCalicoStagedNetworkPolicies:
      resolver.DeleteStaged(namespace_name, name, StagedBy::kCalicoObject);
      break;
  }
}

ChangeTime TimeOf(const Arrival& arrival, std::int64_t changed_s) {
  return {changed_s, arrival.wall.time_since_epoch() / std::chrono::nanoseconds(1)};
}

}  // namespace

void KubeFollower::OnReplaceBegin(Resource resource) {
  ++Of(resource).replacement;
  if (statuses_ != nullptr && has_status(resource)) statuses_->OnListBegin(resource);
}

void KubeFollower::OnReplaceEnd(Resource resource) {
  Kept& kept = Of(resource);
  std::vector<std::string> gone;
  std::erase_if(kept.objects, [&](const auto& entry) {
    if (entry.second.replacement == kept.replacement) return false;
    if (gathering()) Ungather(resource, entry.second);
    if (statuses_ != nullptr && has_status(resource)) statuses_->Forget(resource, entry.first);
    gone.push_back(entry.first);
    return true;
  });
  kept.listed = true;
  if (statuses_ != nullptr && has_status(resource)) statuses_->OnListEnd(resource);
  if (!gathering()) {
    feed_.Change(ChangeTime::Now(), [&](ClusterResolver& resolver) {
      for (const std::string& joined : gone) Delete(resolver, local_pods_, resource, joined);
    });
  } else if (std::all_of(kResources.begin(), kResources.end(), [this](Resource each) { return Of(each).listed; })) {
    LoadGathered();
  }
}

Removal KubeFollower::RemovalOf(Resource resource) const {
  const Kept& kept = Of(resource);
  Removal removal;
  for (const auto& [name, known] : kept.objects) {
    removal.known += known.since != kept.replacement;
    removal.unnamed += known.replacement != kept.replacement;
  }
  return removal;
}

void KubeFollower::OnUpsert(Resource resource, ReceivedObject object, const Arrival& arrival) {
  const DecodedObject& decoded = object.decoded;
  const EventSubject subject{resource, decoded.key.namespace_name, decoded.key.name, object.uid,
                             object.resource_version};
  const bool refused = decoded.outcome == Outcome::kRefused;
  bool is_told = false;  // this version of its spec was reported
  if (!decoded.key.name.empty()) {
    Kept& kept = Of(resource);
    const std::string joined = Join(decoded.key.namespace_name, decoded.key.name);
    const auto [found, is_new] = kept.objects.try_emplace(joined);
    Known& known = found->second;
    if (is_new) known.since = kept.replacement;
    known.replacement = kept.replacement;
    is_told = has_status(resource) && !is_new && known.uid == object.uid && object.generation != 0 &&
              known.generation == object.generation;
    known.generation = object.generation;
    if (known.uid != object.uid) {
      // This is another object of that name: the old one is gone, whether or not we were told.
      known.good = false;
      known.uid = object.uid;
      if (!is_new && std::holds_alternative<std::monostate>(decoded.object)) Forget(resource, joined, known, arrival);
    }
    // What is gathered becomes the feed's first revision.
    std::uint64_t revision = 1;
    const bool keeps_last_good = refused && known.good;
    if (keeps_last_good) {
      // The last good version stays.
    } else if (gathering()) {
      Gather(decoded, known);
    } else {
      revision = feed_.Change(TimeOf(arrival, object.changed_s), [&](ClusterResolver& resolver) {
        std::visit(
            [&](const auto& value) {
              using Object = std::decay_t<decltype(value)>;
              if constexpr (std::is_same_v<Object, Pod>) {
                UpsertPod(resolver, local_pods_, value, object.uid);
              } else if constexpr (!std::is_same_v<Object, std::monostate>) {
                resolver.Upsert(value);
              }
            },
            decoded.object);
      });
    }
    known.good |= !refused;
    if (statuses_ != nullptr && has_status(resource)) {
      is_told ? statuses_->SeeVersion(resource, object.resource_version)
              : statuses_->See(subject, object, keeps_last_good, revision);
    }
  }
  if (is_told) return;
  if (refused) refused_(subject, object.diagnostics);
  if (!refused && !decoded.failed_closed.empty() && failed_closed_) failed_closed_(subject, object.diagnostics);
}

void KubeFollower::OnDelete(Resource resource, const ObjectKey& key, const Arrival& arrival) {
  const std::string joined = Join(key.namespace_name, key.name);
  const auto found = Of(resource).objects.find(joined);
  if (found == Of(resource).objects.end()) return;
  Forget(resource, joined, found->second, arrival);
  if (statuses_ != nullptr && has_status(resource)) statuses_->Forget(resource, joined);
  Of(resource).objects.erase(found);
}

void KubeFollower::Forget(Resource resource, const std::string& joined, Known& known, const Arrival& arrival) {
  if (gathering()) {
    Ungather(resource, known);
    known.gathered = kNone;
    return;
  }
  feed_.Change(TimeOf(arrival, 0), [&](ClusterResolver& resolver) { Delete(resolver, local_pods_, resource, joined); });
}

void KubeFollower::Gather(const DecodedObject& decoded, Known& known) {
  const auto put = [&known](auto& all, const auto& value) {
    if (known.gathered == kNone) {
      known.gathered = static_cast<std::uint32_t>(all.size());
      all.push_back(value);
    } else {
      all[known.gathered] = value;
    }
  };
  std::visit(
      [&](const auto& value) {
        using Object = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Object, Namespace>) put(gathered_->namespaces, value);
        if constexpr (std::is_same_v<Object, NodeObject>) put(gathered_->nodes, value);
        if constexpr (std::is_same_v<Object, Pod>) put(gathered_->pods, value);
        if constexpr (std::is_same_v<Object, NetworkPolicy>) put(gathered_->policies, value);
        if constexpr (std::is_same_v<Object, ClusterPolicy>) put(gathered_->cluster_policies, value);
        if constexpr (std::is_same_v<Object, StagedNetworkPolicy>) put(gathered_->staged, value);
        if constexpr (std::is_same_v<Object, StagedClusterPolicy>) put(gathered_->staged_cluster, value);
      },
      decoded.object);
}

void KubeFollower::Ungather(Resource resource, const Known& known) {
  if (known.gathered == kNone) return;
  switch (resource) {
    case Resource::kNamespaces:
      gathered_->namespaces[known.gathered].name.clear();
      break;
    case Resource::kNodes:
      gathered_->nodes[known.gathered].name.clear();
      break;
    case Resource::kPods:
      gathered_->pods[known.gathered].name.clear();
      break;
    case Resource::kNetworkPolicies:
      gathered_->policies[known.gathered].name.clear();
      break;
    case Resource::kClusterNetworkPolicies:
    case Resource::kAdminNetworkPolicies:
    case Resource::kBaselineAdminNetworkPolicies:
      gathered_->cluster_policies[known.gathered].name.clear();
      break;
    case Resource::kStagedNetworkPolicies:
    case Resource::kCalicoStagedNetworkPolicies:
      gathered_->staged[known.gathered].name.clear();
      break;
    case Resource::kStagedClusterNetworkPolicies:
      gathered_->staged_cluster[known.gathered].name.clear();
      break;
  }
}

void KubeFollower::LoadGathered() {
  const std::unique_ptr<Cluster> cluster = std::move(gathered_);
  const auto went = [](const auto& object) { return object.name.empty(); };
  std::erase_if(cluster->namespaces, went);
  std::erase_if(cluster->nodes, went);
  std::erase_if(cluster->pods, went);
  std::erase_if(cluster->policies, went);
  std::erase_if(cluster->cluster_policies, went);
  std::erase_if(cluster->staged, went);
  std::erase_if(cluster->staged_cluster, went);
  spdlog::info("all is listed: {} namespaces, {} nodes, {} pods, {} policies", cluster->namespaces.size(),
               cluster->nodes.size(), cluster->pods.size(),
               cluster->policies.size() + cluster->cluster_policies.size());
  feed_.Change({}, [&](ClusterResolver& resolver) {
    resolver.Load(*cluster);
    if (local_pods_ == nullptr) return;
    const auto& known = Of(Resource::kPods).objects;
    for (const Pod& pod : cluster->pods) local_pods_->Note(pod, known.at(Join(pod.namespace_name, pod.name)).uid);
  });
}

void KubeFollower::OnTrouble(Resource resource, const std::string& message) {
  spdlog::warn("{}: {}; what is known stays in force", InfoOf(resource).name, message);
}

void KubeFollower::OnNotice(Resource resource, const std::string& message) {
  spdlog::warn("{}: {}", InfoOf(resource).name, message);
}

void KubeFollower::OnRecovered(Resource resource) { spdlog::info("{}: the API server is back", InfoOf(resource).name); }

std::optional<EventSubject> KubeFollower::SubjectOf(Resource resource, const std::string& joined) const {
  const auto found = Of(resource).objects.find(joined);
  if (found == Of(resource).objects.end()) return std::nullopt;
  auto [namespace_name, own_name] = Split(joined);
  return EventSubject{resource, std::move(namespace_name), std::move(own_name), found->second.uid, ""};
}

std::string KubeFollower::UidOfNode(const std::string& name) const {
  const auto node = SubjectOf(Resource::kNodes, name);
  return node ? node->uid : "";
}

std::optional<EventSubject> KubeFollower::SubjectOfPolicy(const std::string& name) const {
  if (auto policy = SubjectOf(Resource::kNetworkPolicies, name)) return policy;
  // Accepts a cluster policy's title: its name, or kind and name if another kind has the name, too.
  const auto [kind, own_name] = Split(name);
  for (const Resource resource : kOptionalResources) {
    if (!IsClusterPolicy(resource) || (!kind.empty() && kind != InfoOf(resource).kind)) continue;
    if (auto policy = SubjectOf(resource, own_name)) return policy;
  }
  return std::nullopt;
}

std::optional<EventSubject> KubeFollower::SubjectOfStaged(const std::string& name) const {
  for (const Resource resource : {Resource::kStagedNetworkPolicies, Resource::kCalicoStagedNetworkPolicies}) {
    if (auto staged = SubjectOf(resource, name)) return staged;
  }
  const auto [kind, own_name] = Split(name);
  if (!kind.empty() && kind != Name(ClusterPolicyKind::kClusterNetworkPolicy)) return std::nullopt;
  return SubjectOf(Resource::kStagedClusterNetworkPolicies, own_name);
}

void ManifestFollower::Follow(const Cluster& cluster, const ChangeTime& time) {
  std::array<std::unordered_set<std::string>, kResourceCount> now;
  const auto of = [&now](Resource resource) -> auto& { return now[static_cast<std::size_t>(resource)]; };
  std::set<std::pair<ClusterPolicyKind, std::string>> cluster_policies;
  for (const ClusterPolicy& object : cluster.cluster_policies) cluster_policies.emplace(object.kind, object.name);
  std::set<std::tuple<std::string, std::string, StagedBy>> staged;
  for (const StagedNetworkPolicy& object : cluster.staged)
    staged.emplace(object.namespace_name, object.name, object.by);
  std::set<std::string> staged_cluster;
  for (const StagedClusterPolicy& object : cluster.staged_cluster) staged_cluster.insert(object.name);
  const bool first = !std::exchange(loaded_, true);
  feed_.Change(time, [&](ClusterResolver& resolver) {
    for (const Namespace& object : cluster.namespaces) of(Resource::kNamespaces).insert(object.name);
    for (const NodeObject& object : cluster.nodes) of(Resource::kNodes).insert(object.name);
    for (const Pod& object : cluster.pods) of(Resource::kPods).insert(Join(object.namespace_name, object.name));
    for (const NetworkPolicy& object : cluster.policies) {
      of(Resource::kNetworkPolicies).insert(Join(object.namespace_name, object.name));
    }
    if (first) {
      resolver.Load(cluster);
      for (const Pod& object : cluster.pods) {
        if (local_pods_ != nullptr) local_pods_->Note(object, "");
      }
      return;
    }
    for (const Resource resource : kResources) {
      for (const std::string& name : names_[static_cast<std::size_t>(resource)]) {
        if (!of(resource).contains(name)) Delete(resolver, local_pods_, resource, name);
      }
    }
    for (const auto& [namespace_name, name, by] : staged_) {
      if (!staged.contains({namespace_name, name, by})) resolver.DeleteStaged(namespace_name, name, by);
    }
    for (const std::string& name : staged_cluster_) {
      if (!staged_cluster.contains(name)) resolver.DeleteStagedCluster(name, StagedBy::kObject);
    }
    for (const auto& [kind, name] : cluster_policies_) {
      if (!cluster_policies.contains({kind, name})) resolver.DeleteClusterPolicy(kind, name);
    }
    for (const Namespace& object : cluster.namespaces) resolver.Upsert(object);
    for (const NodeObject& object : cluster.nodes) resolver.Upsert(object);
    for (const Pod& object : cluster.pods) UpsertPod(resolver, local_pods_, object, "");
    for (const NetworkPolicy& object : cluster.policies) resolver.Upsert(object);
    for (const ClusterPolicy& object : cluster.cluster_policies) resolver.Upsert(object);
    for (const StagedNetworkPolicy& object : cluster.staged) resolver.Upsert(object);
    for (const StagedClusterPolicy& object : cluster.staged_cluster) resolver.Upsert(object);
  });
  names_ = std::move(now);
  cluster_policies_ = std::move(cluster_policies);
  staged_ = std::move(staged);
  staged_cluster_ = std::move(staged_cluster);
}

}  // namespace sluice
