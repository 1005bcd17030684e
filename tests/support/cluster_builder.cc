#include "support/cluster_builder.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <tuple>

namespace sluice {
namespace {

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

template <typename T>
T Parsed(std::optional<T> value, std::string_view text) {
  if (!value) {
    std::fprintf(stderr, "ClusterBuilder: '%.*s' does not parse\n", static_cast<int>(text.size()), text.data());
    std::abort();
  }
  return *value;
}

template <typename T>
void SortUnique(std::vector<T>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

std::pair<std::string, std::string> SplitPath(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {"default", std::string(path)};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

std::vector<IpAddress> Addresses(const std::vector<std::string>& texts) {
  std::vector<IpAddress> addresses;
  for (const std::string& text : texts) addresses.push_back(Ip(text));
  return addresses;
}

Namespace MakeNamespace(std::string name, Labels labels) {
  const bool named =
      std::any_of(labels.begin(), labels.end(), [](const auto& label) { return label.first == kNameLabel; });
  if (!named) labels.emplace_back(kNameLabel, name);
  SortUnique(&labels);
  return {std::move(name), std::move(labels)};
}

LabelRequirement Requirement(std::string key, LabelRequirement::Operator op, std::vector<std::string> values) {
  SortUnique(&values);
  return {std::move(key), op, std::move(values)};
}

}  // namespace

IpAddress Ip(std::string_view text) { return Parsed(IpAddress::Parse(text), text); }
Prefix Cidr(std::string_view text) { return Parsed(Prefix::Parse(text), text); }

LabelRequirement In(std::string key, std::vector<std::string> values) {
  return Requirement(std::move(key), LabelRequirement::Operator::kIn, std::move(values));
}
LabelRequirement NotIn(std::string key, std::vector<std::string> values) {
  return Requirement(std::move(key), LabelRequirement::Operator::kNotIn, std::move(values));
}
LabelRequirement Exists(std::string key) {
  return Requirement(std::move(key), LabelRequirement::Operator::kExists, {});
}
LabelRequirement DoesNotExist(std::string key) {
  return Requirement(std::move(key), LabelRequirement::Operator::kDoesNotExist, {});
}

LabelSelector Match(Labels labels) {
  std::vector<LabelRequirement> requirements;
  for (auto& [key, value] : labels) requirements.push_back(In(key, {value}));
  return Where(std::move(requirements));
}
LabelSelector Where(std::vector<LabelRequirement> requirements) {
  SortUnique(&requirements);
  return {std::move(requirements)};
}

NetworkPolicyPeer PodPeer(LabelSelector pods) { return {std::move(pods), std::nullopt, std::nullopt}; }
NetworkPolicyPeer NamespacePeer(LabelSelector namespaces) {
  return {std::nullopt, std::move(namespaces), std::nullopt};
}
NetworkPolicyPeer PodPeerIn(LabelSelector namespaces, LabelSelector pods) {
  return {std::move(pods), std::move(namespaces), std::nullopt};
}
NetworkPolicyPeer CidrPeer(std::string_view cidr, std::vector<std::string> excepts) {
  IpBlock block{Cidr(cidr), {}};
  for (const std::string& except : excepts) block.excepts.push_back(Cidr(except));
  return {std::nullopt, std::nullopt, std::move(block)};
}

NetworkPolicyPort AllPorts(std::uint8_t protocol) { return {protocol, std::nullopt, std::nullopt, ""}; }
NetworkPolicyPort PortOf(std::uint8_t protocol, std::uint16_t port) { return {protocol, port, std::nullopt, ""}; }
NetworkPolicyPort PortsOf(std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
  return {protocol, first, last, ""};
}
NetworkPolicyPort PortOf(std::uint8_t protocol, std::string name) {
  return {protocol, std::nullopt, std::nullopt, std::move(name)};
}

ClusterPolicyPeer InNamespaces(LabelSelector namespaces) { return InPods(std::move(namespaces), {}); }
ClusterPolicyPeer InPods(LabelSelector namespaces, LabelSelector pods) {
  ClusterPolicyPeer peer;
  peer.pods = {std::move(namespaces), std::move(pods)};
  return peer;
}
ClusterPolicyPeer OfNodes(LabelSelector nodes) {
  ClusterPolicyPeer peer;
  peer.nodes = std::move(nodes);
  return peer;
}
ClusterPolicyPeer OfNetworks(std::vector<std::string> networks) {
  ClusterPolicyPeer peer;
  for (const std::string& network : networks) peer.networks.push_back(Cidr(network));
  return peer;
}
ClusterPolicyPeer OfNames(std::vector<std::string> domain_names) {
  ClusterPolicyPeer peer;
  peer.domain_names = std::move(domain_names);
  return peer;
}

ClusterPolicyPort OnPorts(std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
  return {protocol, first, last, {}};
}
ClusterPolicyPort OnTcp(std::uint16_t port) { return OnPorts(kProtoTcp, port, port); }
ClusterPolicyPort OnNamed(std::string name) { return {0, 0, 0, std::move(name)}; }

ClusterPolicyRule MakeRule(Action action, std::vector<ClusterPolicyPeer> peers, std::vector<ClusterPolicyPort> ports,
                           std::string name) {
  ClusterPolicyRule rule;
  rule.name = std::move(name);
  rule.action = action;
  rule.peers = std::move(peers);
  rule.any_port = ports.empty();
  rule.ports = std::move(ports);
  return rule;
}
ClusterPolicy MakeClusterPolicy(std::string name, Tier tier, std::uint32_t priority, PodSelection subject) {
  ClusterPolicy policy;
  policy.name = std::move(name);
  policy.tier = tier;
  policy.priority = priority;
  policy.subject = std::move(subject);
  return policy;
}
ClusterPolicy WithIngress(ClusterPolicy policy, std::vector<ClusterPolicyRule> rules) {
  policy.ingress = std::move(rules);
  return policy;
}
ClusterPolicy WithEgress(ClusterPolicy policy, std::vector<ClusterPolicyRule> rules) {
  policy.egress = std::move(rules);
  return policy;
}

ClusterBuilder& ClusterBuilder::Namespace(std::string name, Labels labels) {
  cluster_.namespaces.push_back(MakeNamespace(std::move(name), std::move(labels)));
  return *this;
}

ClusterBuilder& ClusterBuilder::Node(std::string name, std::vector<std::string> addresses,
                                     std::vector<std::string> pod_cidrs) {
  NodeObject node{std::move(name), Addresses(addresses), {}, {}};
  for (const std::string& cidr : pod_cidrs) node.pod_cidrs.push_back(Cidr(cidr));
  cluster_.nodes.push_back(std::move(node));
  return *this;
}

ClusterBuilder& ClusterBuilder::Labelled(Labels labels) {
  SortUnique(&labels);
  cluster_.nodes.back().labels = std::move(labels);
  return *this;
}

ClusterBuilder& ClusterBuilder::Annotated(std::vector<std::string> addresses) {
  cluster_.nodes.back().annotated_addresses = Addresses(addresses);
  return *this;
}

ClusterBuilder& ClusterBuilder::Pod(std::string_view path, Labels labels, std::vector<std::string> addresses) {
  sluice::Pod pod;
  std::tie(pod.namespace_name, pod.name) = SplitPath(path);
  SortUnique(&labels);
  pod.labels = std::move(labels);
  pod.addresses = Addresses(addresses);
  cluster_.pods.push_back(std::move(pod));
  return *this;
}

ClusterBuilder& ClusterBuilder::OnNode(std::string name) {
  cluster_.pods.back().node = std::move(name);
  return *this;
}
ClusterBuilder& ClusterBuilder::Port(std::string name, std::uint8_t protocol, std::uint16_t port) {
  cluster_.pods.back().ports.push_back({std::move(name), protocol, port});
  return *this;
}
ClusterBuilder& ClusterBuilder::HostNetwork() {
  cluster_.pods.back().host_network = true;
  return *this;
}
ClusterBuilder& ClusterBuilder::HostAddresses(std::vector<std::string> addresses) {
  cluster_.pods.back().host_addresses = Addresses(addresses);
  return *this;
}
ClusterBuilder& ClusterBuilder::InPhase(Pod::Phase phase) {
  cluster_.pods.back().phase = phase;
  return *this;
}
ClusterBuilder& ClusterBuilder::Created(std::int64_t seconds) {
  cluster_.pods.back().created = seconds;
  return *this;
}

ClusterBuilder& ClusterBuilder::Policy(std::string_view path, LabelSelector pods) {
  NetworkPolicy policy;
  std::tie(policy.namespace_name, policy.name) = SplitPath(path);
  policy.pod_selector = std::move(pods);
  cluster_.policies.push_back(std::move(policy));
  return *this;
}

ClusterBuilder& ClusterBuilder::Ingress(std::vector<NetworkPolicyPeer> from, std::vector<NetworkPolicyPort> ports) {
  cluster_.policies.back().ingress.push_back({std::move(from), std::move(ports)});
  return DenyIngress();
}
ClusterBuilder& ClusterBuilder::Egress(std::vector<NetworkPolicyPeer> to, std::vector<NetworkPolicyPort> ports) {
  cluster_.policies.back().egress.push_back({std::move(to), std::move(ports)});
  return DenyEgress();
}
ClusterBuilder& ClusterBuilder::DenyIngress() {
  cluster_.policies.back().has_ingress = true;
  return *this;
}
ClusterBuilder& ClusterBuilder::DenyEgress() {
  cluster_.policies.back().has_egress = true;
  return *this;
}
ClusterBuilder& ClusterBuilder::Refused() {
  cluster_.policies.back().refused = true;
  return *this;
}

ClusterBuilder& ClusterBuilder::Add(ClusterPolicy policy) {
  cluster_.cluster_policies.push_back(std::move(policy));
  return *this;
}

Cluster ClusterBuilder::Build() const {
  Cluster cluster = cluster_;
  std::set<std::string> known;
  for (const sluice::Namespace& space : cluster.namespaces) known.insert(space.name);
  const auto add_unknown = [&](const std::string& name) {
    if (known.insert(name).second) cluster.namespaces.push_back(MakeNamespace(name, {}));
  };
  for (const sluice::Pod& pod : cluster.pods) add_unknown(pod.namespace_name);
  for (const NetworkPolicy& policy : cluster.policies) add_unknown(policy.namespace_name);
  return cluster;
}

}  // namespace sluice
