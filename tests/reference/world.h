// Worlds to compare evaluators in: single objects as values, beside ClusterBuilder for whole clusters, and the text of
// a world for a failure's message.
#ifndef SLUICE_TESTS_REFERENCE_WORLD_H_
#define SLUICE_TESTS_REFERENCE_WORLD_H_

#include <string>
#include <string_view>
#include <vector>

#include "model/objects.h"

namespace sluice::test {

// Of node n1, running.
Pod MakePod(std::string space, std::string name, Labels labels, std::vector<std::string_view> addresses);

// No direction yet; those below add one each.
NetworkPolicy MakePolicy(std::string space, std::string name, LabelSelector subjects = {});
NetworkPolicy Ingress(NetworkPolicy policy, std::vector<NetworkPolicyRule> rules);
NetworkPolicy Egress(NetworkPolicy policy, std::vector<NetworkPolicyRule> rules);

// The world as a Kubernetes List in JSON, which `sluicectl --manifests` reads. Cluster policies are all of one kind in
// it.
std::string ToManifest(const Cluster& cluster);

}  // namespace sluice::test

#endif  // SLUICE_TESTS_REFERENCE_WORLD_H_
