#include "manifest/staged_folder.h"

#include <string>

namespace sluice {

std::vector<StagedNetworkPolicy> StagedIn(const Manifests& folder, Diagnostics* diagnostics) {
  const Cluster& cluster = folder.cluster;
  std::vector<StagedNetworkPolicy> staged;
  for (const NetworkPolicy& policy : cluster.policies) {
    if (policy.refused) continue;
    staged.push_back({policy.namespace_name, policy.name, StagedNetworkPolicy::Action::kSet, policy});
  }
  staged.insert(staged.end(), cluster.staged.begin(), cluster.staged.end());
  const auto warn = [diagnostics](const std::string& object) {
    Diagnostic diagnostic;
    diagnostic.severity = Severity::kWarning;
    diagnostic.object = object;
    diagnostic.message =
        "is not staged: of a folder of staged policies, NetworkPolicies and StagedNetworkPolicies are read";
    diagnostics->push_back(std::move(diagnostic));
  };
  for (const ClusterPolicy& policy : cluster.cluster_policies) warn(std::string(Name(policy.kind)) + ' ' + policy.name);
  for (const Pod& pod : cluster.pods) warn("Pod " + pod.namespace_name + '/' + pod.name);
  for (const NodeObject& node : cluster.nodes) warn("Node " + node.name);
  return staged;
}

}  // namespace sluice
