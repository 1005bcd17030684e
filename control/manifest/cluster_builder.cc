#include "manifest/cluster_builder.h"

#include <set>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "model/decode_kinds.h"

namespace sluice {
namespace {

using Outcome = DecodedObject::Outcome;

std::vector<Namespace>& ListOf(Cluster& cluster, const Namespace&) { return cluster.namespaces; }
std::vector<NodeObject>& ListOf(Cluster& cluster, const NodeObject&) { return cluster.nodes; }
std::vector<Pod>& ListOf(Cluster& cluster, const Pod&) { return cluster.pods; }
std::vector<NetworkPolicy>& ListOf(Cluster& cluster, const NetworkPolicy&) { return cluster.policies; }
std::vector<ClusterPolicy>& ListOf(Cluster& cluster, const ClusterPolicy&) { return cluster.cluster_policies; }
std::vector<StagedNetworkPolicy>& ListOf(Cluster& cluster, const StagedNetworkPolicy&) { return cluster.staged; }
std::vector<StagedClusterPolicy>& ListOf(Cluster& cluster, const StagedClusterPolicy&) {
  return cluster.staged_cluster;
}

// If an object is in two places, the later one counts, unless the earlier one has a better version.
int Rank(Outcome outcome) { return outcome == Outcome::kAccepted ? 2 : outcome == Outcome::kKept ? 1 : 0; }

}  // namespace

void ClusterBuilder::Add(DecodedObject decoded, const std::string& file) {
  std::visit(
      [&](auto&& object) {
        using Object = std::decay_t<decltype(object)>;
        if constexpr (!std::is_same_v<Object, std::monostate>) Put(std::move(object), decoded, file);
      },
      std::move(decoded.object));
}

template <typename Object>
void ClusterBuilder::Put(Object object, const DecodedObject& decoded, const std::string& file) {
  std::vector<Object>& all = ListOf(result_.cluster, object);
  if (object.name.empty()) return PutUnnamed(std::move(object));
  const Place place{&*files_.insert(file).first, decoded.line, decoded.outcome, all.size()};
  const auto [entry, is_new] = places_.try_emplace(decoded.key.ToString(), place);
  if (is_new) {
    if (decoded.lines) result_.places[entry->first] = {file, decoded.line, decoded.lines};
    all.push_back(std::move(object));
    return;
  }
  Place& earlier = entry->second;
  Object& counting = all[earlier.index];
  const std::string where = *earlier.file + ':' + std::to_string(earlier.line);
  const auto tell = [&, &name = entry->first](Severity severity, std::string message) {
    result_.diagnostics.push_back({severity, file, decoded.line, name, {}, std::move(message)});
  };
  if (Rank(decoded.outcome) < Rank(earlier.outcome)) {
    return tell(Severity::kNote, "is also in " + where + ", which counts, since this one is refused");
  }
  if (counting == object) {
    tell(Severity::kNote, "is also in " + where + ", and means the same there");
  } else if (decoded.outcome == Outcome::kRefused) {
    tell(Severity::kError, "is also in " + where + ", and refused there too; remove one of them");
    return PutUnnamed(std::move(object));  // without a name; each isolates the pods that it selects
  } else if (Rank(decoded.outcome) == Rank(earlier.outcome)) {
    tell(Severity::kError,
         "is also in " + where + ", where it differs; the later one, this, counts: remove one of them");
  }
  if (decoded.lines) result_.places[entry->first] = {file, decoded.line, decoded.lines};
  counting = std::move(object);
  earlier = {place.file, place.line, place.outcome, earlier.index};
}

// Nobody refers to such an object by name, and no real name can have these characters.
template <typename Object>
void ClusterBuilder::PutUnnamed(Object object) {
  if constexpr (std::is_same_v<Object, Namespace>) return;
  object.name = "(unnamed " + std::to_string(++unnamed_) + ')';
  ListOf(result_.cluster, object).push_back(std::move(object));
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
  for (const StagedNetworkPolicy& staged : cluster.staged) {
    if (!declared.contains(staged.namespace_name)) missing.insert(staged.namespace_name);
  }
  for (const std::string& name : missing) {
    SetNamespaceNameLabel(cluster.namespaces.emplace_back(Namespace{name, {}}));
  }
  return std::move(result_);
}

}  // namespace sluice
