// Cluster policy as Sluice sees it: ClusterNetworkPolicy of policy.networking.k8s.io, and the older AdminNetworkPolicy
// and BaselineAdminNetworkPolicy in the same terms (CNP-12). Plain values, as in objects.h.
//
// The decoder has already made fail closed what this version does not know of a rule (CNP-08): it left the part out of
// an Accept, and turned a Deny or Pass into a Deny of everything.
#ifndef SLUICE_CONTROL_MODEL_CLUSTER_POLICY_H_
#define SLUICE_CONTROL_MODEL_CLUSTER_POLICY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/label_selector.h"
#include "sluice/address.h"
#include "sluice/policy_terms.h"

namespace sluice {

enum class ClusterPolicyKind : std::uint8_t {
  kClusterNetworkPolicy = 0,
  kAdminNetworkPolicy = 1,
  kBaselineAdminNetworkPolicy = 2,
};

constexpr std::string_view Name(ClusterPolicyKind kind) {
  constexpr std::string_view kNames[] = {"ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"};
  return kNames[static_cast<int>(kind)];
}

// Pods, by the labels of their namespaces and by their own labels; both empty: every pod of every namespace.
struct PodSelection {
  LabelSelector namespaces;
  LabelSelector pods;

  friend bool operator==(const PodSelection&, const PodSelection&) = default;
};

// One entry of a rule's from or to: exactly one of the four is set (CNP-07).
struct ClusterPolicyPeer {
  std::optional<PodSelection> pods;       // `namespaces` or `pods`
  std::optional<LabelSelector> nodes;     // only for egress
  std::vector<Prefix> networks;           // only for egress
  std::vector<std::string> domain_names;  // only for egress, in an Accept; as written (FQ-01)

  friend bool operator==(const ClusterPolicyPeer&, const ClusterPolicyPeer&) = default;
};

// One entry of a rule's protocols (CNP-09).
struct ClusterPolicyPort {
  std::uint8_t protocol = 0;  // TCP, UDP or SCTP; 0 for a named port, which fits any of them
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  std::string name;  // a named port; then it has no numbers

  friend bool operator==(const ClusterPolicyPort&, const ClusterPolicyPort&) = default;
};

// A rule matches if one of its peers and one of its ports match. It may have no peers or no ports left (CNP-08): then
// it matches nothing, and keeps its place.
struct ClusterPolicyRule {
  std::string name;
  Action action = Action::kAllow;
  bool everyone = false;  // every address is a peer, and `peers` is empty
  std::vector<ClusterPolicyPeer> peers;
  bool any_port = true;  // every port and protocol, and `ports` is empty
  std::vector<ClusterPolicyPort> ports;

  bool matches_nothing() const { return (!everyone && peers.empty()) || (!any_port && ports.empty()); }

  friend bool operator==(const ClusterPolicyRule&, const ClusterPolicyRule&) = default;
};

struct ClusterPolicy {
  ClusterPolicyKind kind = ClusterPolicyKind::kClusterNetworkPolicy;
  std::string name;
  Tier tier = Tier::kAdmin;  // Admin or Baseline
  std::uint32_t priority = 0;
  PodSelection subject;
  std::vector<ClusterPolicyRule> ingress;
  std::vector<ClusterPolicyRule> egress;
  // This policy stands for an object that was refused and has no last good version: its Accepts match nothing, and each
  // of its Denies and Passes denies its subject everything in that direction.
  bool refused = false;

  friend bool operator==(const ClusterPolicy&, const ClusterPolicy&) = default;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_CLUSTER_POLICY_H_
