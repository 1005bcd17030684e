#include "resolve/resolve.h"

#include <utility>

#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"

namespace sluice {

ResolvedPolicy Resolve(const Cluster& cluster, Diagnostics* diagnostics) {
  ClusterResolver resolver;
  for (const Namespace& object : cluster.namespaces) resolver.Upsert(object);
  for (const NodeObject& object : cluster.nodes) resolver.Upsert(object);
  for (const Pod& object : cluster.pods) resolver.Upsert(object);
  for (const NetworkPolicy& object : cluster.policies) resolver.Upsert(object);
  if (diagnostics != nullptr) {
    for (Diagnostic& conflict : resolver.Conflicts()) diagnostics->push_back(std::move(conflict));
  }
  return resolver.MakeView()->Full();
}

}  // namespace sluice
