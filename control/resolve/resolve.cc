#include "resolve/resolve.h"

#include <utility>

#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"

namespace sluice {

ResolvedPolicy Resolve(const Cluster& cluster, Diagnostics* diagnostics) {
  ClusterResolver resolver;
  resolver.Load(cluster);
  if (diagnostics != nullptr) {
    for (Diagnostic& conflict : resolver.Conflicts()) diagnostics->push_back(std::move(conflict));
  }
  return resolver.MakeView()->Full();
}

}  // namespace sluice
