// Kubernetes objects as Sluice sees them: decoded, defaulted (NP-10 to NP-13), validated (NP-14, NP-15). Only the
// fields that policy needs. Plain values; the decoder makes them, the resolver and the reference evaluator read them.
// Equal ones mean the same to policy.
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
  // Those of kNodeAddressAnnotations. They and the first ones of its pod CIDRs are the node's own as well (NP-72).
  std::vector<IpAddress> annotated_addresses;
  // Made from resolved policy: `addresses` are all of its own, and its pod CIDRs tell of no others.
  bool addresses_are_all = false;
  Labels labels = {};  // by which `nodes` peers select it (CNP-07)

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
  Phase phase = Phase::kRunning;          // status.phase; absent offline means running
  std::vector<IpAddress> addresses;       // status.podIPs, else status.podIP
  std::vector<IpAddress> host_addresses;  // status.hostIPs, else status.hostIP
  std::vector<ContainerPort> ports;       // of containers and native sidecars (NP-51)
  std::int64_t created = 0;               // metadata.creationTimestamp, seconds since 1970; 0: absent
  // What runs it, by metadata.ownerReferences: "Deployment/web" of its ReplicaSet, "CronJob/report" of its Job. Empty:
  // nothing does. For people.
  std::string workload = {};

  bool finished() const { return phase == Phase::kSucceeded || phase == Phase::kFailed; }

  friend bool operator==(const Pod&, const Pod&) = default;
};

struct IpBlock {
  Prefix cidr;
  std::vector<Prefix> excepts;

  friend bool operator==(const IpBlock&, const IpBlock&) = default;
};

// networking.k8s.io/v1 NetworkPolicyPeer: an ip_block alone, or at least one selector.
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
  // Stands for an object that was refused and has no last good version (NP-16): its subjects are isolated in its
  // directions, and it has no rules.
  bool refused = false;

  friend bool operator==(const NetworkPolicy&, const NetworkPolicy&) = default;
};

enum class StagedAction : std::uint8_t {
  kSet,     // the policy would be in the place of the one of its name, if there is one
  kDelete,  // the one of its name would be gone
  kIgnore,  // Calico's Ignore and Learn: nothing is staged
};

// Where a change is staged. Of several for one policy, the first in this order counts.
enum class StagedBy : std::uint8_t {
  kFolder,        // --staged
  kObject,        // a kind of ours
  kCalicoObject,  // StagedKubernetesNetworkPolicy
};

// policy.sluice.internal/v1alpha1 StagedNetworkPolicy, or Calico's StagedKubernetesNetworkPolicy: a change of the
// NetworkPolicy of that name that is to be tried. Traffic is judged by it and never by it alone: it enforces nothing.
struct StagedNetworkPolicy {
  // Its namespace and name.
  std::string namespace_name;
  std::string name;
  StagedAction action = StagedAction::kSet;
  NetworkPolicy policy;  // kSet; of the same name
  StagedBy by = StagedBy::kObject;

  friend bool operator==(const StagedNetworkPolicy&, const StagedNetworkPolicy&) = default;
};

// policy.sluice.internal/v1alpha1 StagedClusterNetworkPolicy: the same of the ClusterNetworkPolicy of that name.
struct StagedClusterPolicy {
  std::string name;
  StagedAction action = StagedAction::kSet;
  ClusterPolicy policy;  // kSet; a ClusterNetworkPolicy of the same name
  StagedBy by = StagedBy::kObject;

  friend bool operator==(const StagedClusterPolicy&, const StagedClusterPolicy&) = default;
};

// What one source (a folder, an API server) says at one time.
struct Cluster {
  std::vector<Namespace> namespaces;  // unique by name
  std::vector<NodeObject> nodes;
  std::vector<Pod> pods;  // unique by namespace, name
  std::vector<NetworkPolicy> policies;
  std::vector<ClusterPolicy> cluster_policies;  // unique by kind, name
  // Unique by what they are for and StagedBy.
  std::vector<StagedNetworkPolicy> staged;
  std::vector<StagedClusterPolicy> staged_cluster;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_OBJECTS_H_
