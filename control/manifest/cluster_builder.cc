#include "manifest/cluster_builder.h"

#include <set>
#include <utility>
#include <variant>

#include "model/decode_kinds.h"

namespace sluice {

void ClusterBuilder::Add(DecodedObject object, const std::string& file) {
  if (std::holds_alternative<std::monostate>(object.object)) return;
  std::string name = object.key.ToString();
  const Place place{&*files_.insert(file).first, object.line};
  const auto [earlier, is_new] = places_.try_emplace(std::move(name), place);
  if (!is_new) {
    const std::string where = *earlier->second.file + ':' + std::to_string(earlier->second.line);
    result_.diagnostics.push_back({Severity::kError,
                                   file,
                                   object.line,
                                   earlier->first,
                                   {},
                                   "is also in " + where + ", which is the one that counts; remove one of them"});
    return;
  }
  Cluster& cluster = result_.cluster;
  if (auto* space = std::get_if<Namespace>(&object.object)) cluster.namespaces.push_back(std::move(*space));
  if (auto* node = std::get_if<NodeObject>(&object.object)) cluster.nodes.push_back(std::move(*node));
  if (auto* pod = std::get_if<Pod>(&object.object)) cluster.pods.push_back(std::move(*pod));
  if (auto* policy = std::get_if<NetworkPolicy>(&object.object)) cluster.policies.push_back(std::move(*policy));
}

void ClusterBuilder::AddDiagnostics(const Diagnostics& diagnostics) {
  result_.diagnostics.insert(result_.diagnostics.end(), diagnostics.begin(), diagnostics.end());
}

Manifests ClusterBuilder::Finish() && {
  Cluster& cluster = result_.cluster;
  std::unordered_set<std::string> declared;
  for (const Namespace& space : cluster.namespaces) declared.insert(space.name);
  std::set<std::string> missing;
  for (const Pod& pod : cluster.pods) {
    if (!declared.contains(pod.namespace_name)) missing.insert(pod.namespace_name);
  }
  for (const NetworkPolicy& policy : cluster.policies) {
    if (!declared.contains(policy.namespace_name)) missing.insert(policy.namespace_name);
  }
  for (const std::string& name : missing) {
    SetNamespaceNameLabel(cluster.namespaces.emplace_back(Namespace{name, {}}));
  }
  return std::move(result_);
}

}  // namespace sluice
