// From AdminNetworkPolicy and BaselineAdminNetworkPolicy to ClusterNetworkPolicy (CNP-12).
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
  std::vector<ClusterPolicy> made;  // ClusterNetworkPolicies, in the order of the objects that they come from
  Cluster cluster;                  // the given one with these in place of those
  Diagnostics refused;              // objects that cannot be converted; then `made` is of no use
};

// An object that has more than a ClusterNetworkPolicy may have (CNP-10) becomes several: longer lists of peers and
// ports become several rules, and more rules several policies of ascending priorities, which nobody else may have.
Conversion Convert(const Cluster& cluster);

// As a manifest.
nlohmann::ordered_json ToManifest(const ClusterPolicy& policy);

// Adds pods, namespaces and nodes to the cluster so that each selector of a cluster policy has an object it selects
// and, for each of its requirements, one that only that leaves out: what holds of them holds of all the selectors
// tell apart alone. Bounded; returns how many pods were added.
std::size_t AddMadeUpPods(Cluster* cluster);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_CONVERT_POLICY_H_
