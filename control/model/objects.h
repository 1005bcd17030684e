// Kubernetes objects as Sluice sees them: decoded, defaulted (NP-10 to NP-13), validated (NP-14, NP-15). They have only
// the fields that policy needs. Plain values; the decoder makes them, the resolver and the reference evaluator read
// them. Equal objects mean the same to policy.
#ifndef SLUICE_CONTROL_MODEL_OBJECTS_H_
#define SLUICE_CONTROL_MODEL_OBJECTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/cluster_policy.h"
#include "model/label_selector.h"
#include "sluice/address.h"

namespace sluice {

struct Namespace {
  std::string name;
  Labels labels;  // kubernetes.io/metadata.name included (NP-33)

  friend bool operator==(const Namespace&, const Namespace&) = default;
};

struct NodeObject {
  std::string name;
  std::vector<IpAddress> addresses;  // status.addresses of type InternalIP and ExternalIP
  std::vector<Prefix> pod_cidrs;     // spec.podCIDRs, or spec.podCIDR
  // From kNodeAddressAnnotations. These and the first ones of its pod CIDRs are the node's own, too (NP-72).
  std::vector<IpAddress> annotated_addresses;
  // Made from resolved policy: `addresses` has all of its own addresses, and its pod CIDRs add none.
  bool addresses_are_all = false;
  Labels labels = {};  // `nodes` peers select it by these (CNP-07)

  friend bool operator==(const NodeObject&, const NodeObject&) = default;
};

struct ContainerPort {
  std::string name;  // only named ports are kept
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;

  friend bool operator==(const ContainerPort&, const ContainerPort&) = default;
};

struct Pod {
  enum class Phase : std::uint8_t { kPending, kRunning, kSucceeded, kFailed, kUnknown };

  std::string namespace_name;
  std::string name;
  Labels labels;
  std::string node;                       // spec.nodeName
  bool host_network = false;              // spec.hostNetwork (NP-32)
  Phase phase = Phase::kRunning;          // status.phase; in a manifest without one: running
  std::vector<IpAddress> addresses;       // status.podIPs, else status.podIP
  std::vector<IpAddress> host_addresses;  // status.hostIPs, else status.hostIP
  std::vector<ContainerPort> ports;       // of containers and native sidecars (NP-51)
  std::int64_t created = 0;               // metadata.creationTimestamp, seconds since 1970; 0: absent
  // The workload that runs it, by metadata.ownerReferences: "Deployment/web" from its ReplicaSet, "CronJob/report" from
  // its Job. Empty: it has no owner. For people.
  std::string workload = {};

  bool finished() const { return phase == Phase::kSucceeded || phase == Phase::kFailed; }

  friend bool operator==(const Pod&, const Pod&) = default;
};

struct IpBlock {
  Prefix cidr;
  std::vector<Prefix> excepts;

  friend bool operator==(const IpBlock&, const IpBlock&) = default;
};

// networking.k8s.io/v1 NetworkPolicyPeer: either an ip_block alone, or at least one selector.
struct NetworkPolicyPeer {
  std::optional<LabelSelector> pod_selector;
  std::optional<LabelSelector> namespace_selector;
  std::optional<IpBlock> ip_block;

  friend bool operator==(const NetworkPolicyPeer&, const NetworkPolicyPeer&) = default;
};

// networking.k8s.io/v1 NetworkPolicyPort.
struct NetworkPolicyPort {
  std::uint8_t protocol = 0;              // TCP, UDP or SCTP
  std::optional<std::uint16_t> port;      // a number, 1..65535
  std::optional<std::uint16_t> end_port;  // >= port
  std::string name;                       // a named port; then `port` is absent

  friend bool operator==(const NetworkPolicyPort&, const NetworkPolicyPort&) = default;
};

struct NetworkPolicyRule {
  std::vector<NetworkPolicyPeer> peers;  // from / to; empty: everyone (NP-22)
  std::vector<NetworkPolicyPort> ports;  // empty: every port and protocol (NP-22)

  friend bool operator==(const NetworkPolicyRule&, const NetworkPolicyRule&) = default;
};

struct NetworkPolicy {
  std::string namespace_name;
  std::string name;
  LabelSelector pod_selector;
  bool has_ingress = false;  // Ingress is among policyTypes, by default or by name (NP-10, NP-11)
  bool has_egress = false;
  std::vector<NetworkPolicyRule> ingress;  // kept only where has_ingress
  std::vector<NetworkPolicyRule> egress;
  // This policy stands for an object that was refused and has no last good version (NP-16): its subjects are isolated
  // in its directions, and it has no rules.
  bool refused = false;

  friend bool operator==(const NetworkPolicy&, const NetworkPolicy&) = default;
};

enum class StagedAction : std::uint8_t {
  kSet,     // the policy would replace the policy of its name, if there is one
  kDelete,  // the policy of its name would be deleted
  kIgnore,  // Calico's Ignore and Learn: nothing is staged
};

// Where a change is staged. If several are staged for one policy, the first in this order counts.
enum class StagedBy : std::uint8_t {
  kFolder,        // --staged
  kObject,        // a kind of ours
  kCalicoObject,  // StagedKubernetesNetworkPolicy
};

// policy.sluice.internal/v1alpha1 StagedNetworkPolicy, or Calico's StagedKubernetesNetworkPolicy: a change of the
// NetworkPolicy with that name, to be tried. Traffic is judged by it, but never by it alone: it enforces nothing.
struct StagedNetworkPolicy {
  // The namespace and name of that NetworkPolicy.
  std::string namespace_name;
  std::string name;
  StagedAction action = StagedAction::kSet;
  NetworkPolicy policy;  // kSet; of the same name
  StagedBy by = StagedBy::kObject;

  friend bool operator==(const StagedNetworkPolicy&, const StagedNetworkPolicy&) = default;
};

// policy.sluice.internal/v1alpha1 StagedClusterNetworkPolicy: the same for the ClusterNetworkPolicy with that name.
struct StagedClusterPolicy {
  std::string name;
  StagedAction action = StagedAction::kSet;
  ClusterPolicy policy;  // kSet; a ClusterNetworkPolicy of the same name
  StagedBy by = StagedBy::kObject;

  friend bool operator==(const StagedClusterPolicy&, const StagedClusterPolicy&) = default;
};

// All objects that one source (a folder, an API server) has at one time.
struct Cluster {
  std::vector<Namespace> namespaces;  // unique by name
  std::vector<NodeObject> nodes;
  std::vector<Pod> pods;  // unique by namespace, name
  std::vector<NetworkPolicy> policies;
  std::vector<ClusterPolicy> cluster_policies;  // unique by kind, name
  // Unique by the policy they are staged for and by StagedBy.
  std::vector<StagedNetworkPolicy> staged;
  std::vector<StagedClusterPolicy> staged_cluster;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_OBJECTS_H_
