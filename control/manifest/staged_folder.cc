#include "manifest/staged_folder.h"

#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "model/recognise.h"

namespace sluice {
namespace {

std::string_view PlainKind(const StagedNetworkPolicy&) { return "NetworkPolicy"; }
std::string_view PlainKind(const StagedClusterPolicy&) { return Name(ClusterPolicyKind::kClusterNetworkPolicy); }

std::string PathOf(const StagedNetworkPolicy& staged) { return staged.namespace_name + '/' + staged.name; }
std::string PathOf(const StagedClusterPolicy& staged) { return staged.name; }

class Gatherer {
 public:
  explicit Gatherer(Diagnostics* diagnostics) : diagnostics_(diagnostics) {}

  void Warn(const std::string& object, std::string message) {
    Diagnostic diagnostic;
    diagnostic.severity = Severity::kWarning;
    diagnostic.object = object;
    diagnostic.message = std::move(message);
    diagnostics_->push_back(std::move(diagnostic));
  }

  // `kind`: of the object that stages. If two objects are staged for one policy, the first counts.
  template <typename Staged>
  void Add(Staged staged, std::string_view kind, std::vector<Staged>* all) {
    if (staged.action == StagedAction::kIgnore) return;
    const std::string object = std::string(kind) + ' ' + PathOf(staged);
    const auto [first, is_new] =
        first_.try_emplace(std::string(PlainKind(staged)) + ' ' + PathOf(staged), object, all->size());
    staged.by = StagedBy::kFolder;
    if (is_new) {
      all->push_back(std::move(staged));
    } else if ((*all)[first->second.second] != staged) {
      Warn(object,
           "is not staged: " + first->second.first + ", which is staged there, too, counts; remove one of them");
    }
  }

 private:
  Diagnostics* const diagnostics_;
  std::map<std::string, std::pair<std::string, std::size_t>> first_;  // by policy: the object, and its place
};

}  // namespace

StagedSet StagedIn(const Manifests& folder, Diagnostics* diagnostics) {
  const Cluster& cluster = folder.cluster;
  Gatherer gatherer(diagnostics);
  StagedSet set;
  for (const StagedBy by : {StagedBy::kObject, StagedBy::kCalicoObject}) {
    for (const StagedNetworkPolicy& staged : cluster.staged) {
      if (staged.by != by) continue;
      gatherer.Add(staged, by == StagedBy::kObject ? kStagedKind : kCalicoStagedKind, &set.policies);
    }
  }
  for (const StagedClusterPolicy& staged : cluster.staged_cluster) {
    gatherer.Add(staged, kStagedClusterKind, &set.cluster_policies);
  }
  for (const NetworkPolicy& policy : cluster.policies) {
    if (policy.refused) continue;
    const StagedNetworkPolicy staged{policy.namespace_name, policy.name, StagedAction::kSet, policy};
    gatherer.Add(staged, PlainKind(staged), &set.policies);
  }
  for (const ClusterPolicy& policy : cluster.cluster_policies) {
    if (policy.kind != ClusterPolicyKind::kClusterNetworkPolicy) {
      gatherer.Warn(std::string(Name(policy.kind)) + ' ' + policy.name,
                    "is not staged: of cluster policies, ClusterNetworkPolicies are; sluicectl convert makes them");
      continue;
    }
    if (policy.refused) continue;
    const StagedClusterPolicy staged{policy.name, StagedAction::kSet, policy};
    gatherer.Add(staged, PlainKind(staged), &set.cluster_policies);
  }
  constexpr const char* kForeign = "is not staged: of a folder of staged policies, policies alone are read";
  for (const Pod& pod : cluster.pods) gatherer.Warn("Pod " + pod.namespace_name + '/' + pod.name, kForeign);
  for (const NodeObject& node : cluster.nodes) gatherer.Warn("Node " + node.name, kForeign);
  return set;
}

}  // namespace sluice
