#include "lint/promoted.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/recognise.h"

namespace sluice {
namespace {

std::string PromotedTitle(const NetworkPolicy& policy) {
  return "NetworkPolicy " + policy.namespace_name + '/' + policy.name;
}
std::string PromotedTitle(const ClusterPolicy& policy) { return std::string(Name(policy.kind)) + ' ' + policy.name; }
std::string PromotedTitle(const StagedNetworkPolicy& staged) {
  return "NetworkPolicy " + staged.namespace_name + '/' + staged.name;
}
std::string PromotedTitle(const StagedClusterPolicy& staged) {
  return std::string(Name(ClusterPolicyKind::kClusterNetworkPolicy)) + ' ' + staged.name;
}

std::string ObjectOf(const StagedNetworkPolicy& staged) {
  const std::string_view kind = staged.by == StagedBy::kCalicoObject ? kCalicoStagedKind : kStagedKind;
  return std::string(kind) + ' ' + staged.namespace_name + '/' + staged.name;
}
std::string ObjectOf(const StagedClusterPolicy& staged) { return std::string(kStagedClusterKind) + ' ' + staged.name; }

template <typename Staged, typename Policy>
void Promote(const std::vector<Staged>& all, std::vector<Policy>* policies, Manifests* manifests) {
  std::map<std::string, const Staged*> by_title;
  for (const Staged& staged : all) {
    if (staged.action == StagedAction::kIgnore) continue;
    const Staged*& first = by_title[PromotedTitle(staged)];
    if (first == nullptr || staged.by < first->by) first = &staged;
  }
  std::erase_if(*policies, [&](const Policy& policy) { return by_title.contains(PromotedTitle(policy)); });
  for (const auto& [title, staged] : by_title) {
    if (staged->action != StagedAction::kSet) continue;
    policies->push_back(staged->policy);
    const auto place = manifests->places.find(ObjectOf(*staged));
    if (place == manifests->places.end()) continue;
    ObjectPlace& of_policy = manifests->places[title] = place->second;
    of_policy.object = ObjectOf(*staged);
  }
}

}  // namespace

Manifests Promoted(Manifests manifests) {
  const auto staged = std::exchange(manifests.cluster.staged, {});
  const auto staged_cluster = std::exchange(manifests.cluster.staged_cluster, {});
  Promote(staged, &manifests.cluster.policies, &manifests);
  Promote(staged_cluster, &manifests.cluster.cluster_policies, &manifests);
  return manifests;
}

}  // namespace sluice
