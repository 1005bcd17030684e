// Converts AdminNetworkPolicy and BaselineAdminNetworkPolicy to ClusterNetworkPolicy (CNP-12).
#ifndef SLUICE_PROGRAMS_SLUICECTL_CONVERT_POLICY_H_
#define SLUICE_PROGRAMS_SLUICECTL_CONVERT_POLICY_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/objects.h"
#include "sluice/diagnostic.h"

namespace sluice {

struct Conversion {
  std::vector<ClusterPolicy> made;  // ClusterNetworkPolicies, in the order of their original objects
  Cluster cluster;                  // the given cluster with these instead of the originals
  Diagnostics refused;              // objects that cannot be converted; then do not use `made`
};

// An object with more than a ClusterNetworkPolicy may have (CNP-10) becomes several. Longer lists of peers and ports
// become several rules. More rules become several policies with ascending priorities, which no other policy may have.
Conversion Convert(const Cluster& cluster);

// Returns it as a manifest.
nlohmann::ordered_json ToManifest(const ClusterPolicy& policy);

// Adds pods, namespaces and nodes to the cluster. Then each selector of a cluster policy selects an object, and for
// each of its requirements there is one that only this requirement excludes. So a result for these objects holds for
// everything that single selectors can tell apart. Bounded; returns how many pods were added.
std::size_t AddMadeUpPods(Cluster* cluster);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_CONVERT_POLICY_H_
