// A fluent builder of Cluster for tests: what a manifest would say, less the YAML.
//
//   Cluster cluster = ClusterBuilder()
//                         .Namespace("a", {{"team", "x"}})
//                         .Node("n1", {"192.168.0.1"})
//                         .Pod("a/web", {{"app", "web"}}, {"10.0.0.1", "fd00::1"}).OnNode("n1").Port("http", kProtoTcp,
//                         80) .Policy("a/allow", Match({{"app", "web"}})) .Ingress({PodPeer(Match({{"app", "api"}})),
//                         CidrPeer("10.0.0.0/8", {"10.1.0.0/16"})}, {Tcp(80), Udp("dns")}) .DenyEgress() .Build();
//
// Names are "namespace/name". A text that does not parse aborts the test.
#ifndef SLUICE_TESTS_SUPPORT_CLUSTER_BUILDER_H_
#define SLUICE_TESTS_SUPPORT_CLUSTER_BUILDER_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/objects.h"
#include "sluice/address.h"
#include "sluice/protocol.h"

namespace sluice {

IpAddress Ip(std::string_view text);
Prefix Cidr(std::string_view text);

// Requirements and selectors, as the decoder would leave them: sorted and unique.
LabelRequirement In(std::string key, std::vector<std::string> values);
LabelRequirement NotIn(std::string key, std::vector<std::string> values);
LabelRequirement Exists(std::string key);
LabelRequirement DoesNotExist(std::string key);
LabelSelector Match(Labels labels);                               // matchLabels
LabelSelector Where(std::vector<LabelRequirement> requirements);  // matchExpressions
inline LabelSelector Everything() { return {}; }

// Items of from / to.
NetworkPolicyPeer PodPeer(LabelSelector pods);              // podSelector alone
NetworkPolicyPeer NamespacePeer(LabelSelector namespaces);  // namespaceSelector alone
NetworkPolicyPeer PodPeerIn(LabelSelector namespaces, LabelSelector pods);
NetworkPolicyPeer CidrPeer(std::string_view cidr, std::vector<std::string> excepts = {});

// Items of ports. Without a number or name: every port of the protocol.
NetworkPolicyPort AllPorts(std::uint8_t protocol);
NetworkPolicyPort PortOf(std::uint8_t protocol, std::uint16_t port);
NetworkPolicyPort PortsOf(std::uint8_t protocol, std::uint16_t first, std::uint16_t last);
NetworkPolicyPort PortOf(std::uint8_t protocol, std::string name);
inline NetworkPolicyPort Tcp(std::uint16_t port) { return PortOf(kProtoTcp, port); }
inline NetworkPolicyPort Tcp(std::uint16_t first, std::uint16_t last) { return PortsOf(kProtoTcp, first, last); }
inline NetworkPolicyPort Tcp(std::string name) { return PortOf(kProtoTcp, std::move(name)); }
inline NetworkPolicyPort Udp(std::uint16_t port) { return PortOf(kProtoUdp, port); }
inline NetworkPolicyPort Udp(std::string name) { return PortOf(kProtoUdp, std::move(name)); }
inline NetworkPolicyPort Sctp(std::uint16_t port) { return PortOf(kProtoSctp, port); }

// Items of from / to of a cluster policy, and of its protocols.
ClusterPolicyPeer InNamespaces(LabelSelector namespaces);
ClusterPolicyPeer InPods(LabelSelector namespaces, LabelSelector pods);
ClusterPolicyPeer OfNodes(LabelSelector nodes);
ClusterPolicyPeer OfNetworks(std::vector<std::string> networks);
ClusterPolicyPeer OfNames(std::vector<std::string> domain_names);
ClusterPolicyPort OnPorts(std::uint8_t protocol, std::uint16_t first, std::uint16_t last);
ClusterPolicyPort OnTcp(std::uint16_t port);
ClusterPolicyPort OnNamed(std::string name);

// Of any port, where none is given.
ClusterPolicyRule MakeRule(Action action, std::vector<ClusterPolicyPeer> peers,
                           std::vector<ClusterPolicyPort> ports = {}, std::string name = "");
// Of every pod, without rules.
ClusterPolicy MakeClusterPolicy(std::string name, Tier tier, std::uint32_t priority, PodSelection subject = {});
ClusterPolicy WithIngress(ClusterPolicy policy, std::vector<ClusterPolicyRule> rules);
ClusterPolicy WithEgress(ClusterPolicy policy, std::vector<ClusterPolicyRule> rules);

class ClusterBuilder {
 public:
  // Adds kubernetes.io/metadata.name where `labels` lacks it (NP-33).
  ClusterBuilder& Namespace(std::string name, Labels labels = {});
  ClusterBuilder& Node(std::string name, std::vector<std::string> addresses = {},
                       std::vector<std::string> pod_cidrs = {});
  ClusterBuilder& Labelled(Labels labels);  // the node added last
  // Of the node added last: what network plugins say of it.
  ClusterBuilder& Annotated(std::vector<std::string> addresses);

  ClusterBuilder& Pod(std::string_view path, Labels labels = {}, std::vector<std::string> addresses = {});
  // These speak of the pod added last.
  ClusterBuilder& OnNode(std::string name);
  ClusterBuilder& Port(std::string name, std::uint8_t protocol, std::uint16_t port);
  ClusterBuilder& HostNetwork();
  ClusterBuilder& HostAddresses(std::vector<std::string> addresses);
  ClusterBuilder& InPhase(Pod::Phase phase);
  ClusterBuilder& Created(std::int64_t seconds);

  ClusterBuilder& Policy(std::string_view path, LabelSelector pods = {});
  // These speak of the policy added last. Ingress and Egress add a rule, and the direction with it.
  ClusterBuilder& Ingress(std::vector<NetworkPolicyPeer> from = {}, std::vector<NetworkPolicyPort> ports = {});
  ClusterBuilder& Egress(std::vector<NetworkPolicyPeer> to = {}, std::vector<NetworkPolicyPort> ports = {});
  ClusterBuilder& DenyIngress();  // the direction, without a rule
  ClusterBuilder& DenyEgress();
  ClusterBuilder& Refused();

  ClusterBuilder& Add(ClusterPolicy policy);

  // Adds the namespaces that pods and policies name and Namespace did not.
  Cluster Build() const;

 private:
  Cluster cluster_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_SUPPORT_CLUSTER_BUILDER_H_
