#include "reference/world.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "model/node_annotations.h"
#include "sluice/protocol.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

using Json = nlohmann::ordered_json;

const char* ProtocolText(std::uint8_t protocol) {
  return protocol == kProtoTcp ? "TCP" : protocol == kProtoUdp ? "UDP" : "SCTP";
}

Json ToJson(const Labels& labels) {
  Json json = Json::object();
  for (const auto& [key, value] : labels) json[key] = value;
  return json;
}

Json ToJson(const LabelSelector& selector) {
  static constexpr const char* kOperators[] = {"In", "NotIn", "Exists", "DoesNotExist"};
  Json json = Json::object();
  for (const LabelRequirement& requirement : selector.requirements) {
    Json item = {{"key", requirement.key}, {"operator", kOperators[static_cast<int>(requirement.op)]}};
    if (!requirement.values.empty()) item["values"] = requirement.values;
    json["matchExpressions"].push_back(item);
  }
  return json;
}

Json ToJson(const NetworkPolicyRule& rule, const char* peers_key) {
  Json json = Json::object();
  for (const NetworkPolicyPeer& peer : rule.peers) {
    Json item;
    if (peer.pod_selector) item["podSelector"] = ToJson(*peer.pod_selector);
    if (peer.namespace_selector) item["namespaceSelector"] = ToJson(*peer.namespace_selector);
    if (peer.ip_block) {
      item["ipBlock"]["cidr"] = peer.ip_block->cidr.ToString();
      for (const Prefix& except : peer.ip_block->excepts) item["ipBlock"]["except"].push_back(except.ToString());
    }
    json[peers_key].push_back(item);
  }
  for (const NetworkPolicyPort& port : rule.ports) {
    Json item = {{"protocol", ProtocolText(port.protocol)}};
    if (port.port) item["port"] = *port.port;
    if (!port.name.empty()) item["port"] = port.name;
    if (port.end_port) item["endPort"] = *port.end_port;
    json["ports"].push_back(item);
  }
  return json;
}

Json ToJson(const NetworkPolicy& policy) {
  Json json = {{"apiVersion", "networking.k8s.io/v1"},
               {"kind", "NetworkPolicy"},
               {"metadata", {{"namespace", policy.namespace_name}, {"name", policy.name}}}};
  Json& spec = json["spec"];
  spec["podSelector"] = ToJson(policy.pod_selector);
  spec["policyTypes"] = Json::array();
  if (policy.has_ingress) spec["policyTypes"].push_back("Ingress");
  if (policy.has_egress) spec["policyTypes"].push_back("Egress");
  for (const NetworkPolicyRule& rule : policy.ingress) spec["ingress"].push_back(ToJson(rule, "from"));
  for (const NetworkPolicyRule& rule : policy.egress) spec["egress"].push_back(ToJson(rule, "to"));
  return json;
}

Json ToJson(const ClusterPolicyPeer& peer) {
  Json json = Json::object();
  if (peer.pods) {
    json["pods"] = {{"namespaceSelector", ToJson(peer.pods->namespaces)}, {"podSelector", ToJson(peer.pods->pods)}};
  }
  if (peer.nodes) json["nodes"] = ToJson(*peer.nodes);
  for (const Prefix& network : peer.networks) json["networks"].push_back(network.ToString());
  for (const std::string& name : peer.domain_names) json["domainNames"].push_back(name);
  return json;
}

// As a ClusterNetworkPolicy says it; what failed closed has no text of its own.
Json ToJson(const ClusterPolicyRule& rule, const char* peers_key) {
  static constexpr const char* kActions[] = {"Accept", "Deny", "Pass"};
  Json json = {{"name", rule.name}, {"action", kActions[static_cast<int>(rule.action)]}};
  for (const ClusterPolicyPeer& peer : rule.peers) json[peers_key].push_back(ToJson(peer));
  for (const ClusterPolicyPort& port : rule.ports) {
    Json item;
    if (!port.name.empty()) {
      item["destinationNamedPort"] = port.name;
    } else {
      const char* protocol = port.protocol == kProtoTcp ? "tcp" : port.protocol == kProtoUdp ? "udp" : "sctp";
      Json& destination = item[protocol]["destinationPort"];
      if (port.first == port.last) destination["number"] = port.first;
      if (port.first != port.last) destination["range"] = {{"start", port.first}, {"end", port.last}};
    }
    json["protocols"].push_back(item);
  }
  return json;
}

Json ToJson(const ClusterPolicy& policy) {
  Json json = {{"apiVersion", "policy.networking.k8s.io/v1alpha2"},
               {"kind", "ClusterNetworkPolicy"},
               {"metadata", {{"name", policy.name}}}};
  Json& spec = json["spec"];
  spec["tier"] = Name(policy.tier);
  spec["priority"] = policy.priority;
  spec["subject"]["pods"] = {{"namespaceSelector", ToJson(policy.subject.namespaces)},
                             {"podSelector", ToJson(policy.subject.pods)}};
  for (const ClusterPolicyRule& rule : policy.ingress) spec["ingress"].push_back(ToJson(rule, "from"));
  for (const ClusterPolicyRule& rule : policy.egress) spec["egress"].push_back(ToJson(rule, "to"));
  return json;
}

std::string TimeText(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Json ToJson(const Pod& pod) {
  static constexpr const char* kPhases[] = {"Pending", "Running", "Succeeded", "Failed", "Unknown"};
  Json json = {{"apiVersion", "v1"},
               {"kind", "Pod"},
               {"metadata", {{"namespace", pod.namespace_name}, {"name", pod.name}, {"labels", ToJson(pod.labels)}}}};
  if (pod.created != 0) json["metadata"]["creationTimestamp"] = TimeText(pod.created);
  Json container = {{"name", "main"}, {"image", "main"}};
  for (const ContainerPort& port : pod.ports) {
    container["ports"].push_back(
        {{"name", port.name}, {"protocol", ProtocolText(port.protocol)}, {"containerPort", port.port}});
  }
  if (!pod.node.empty()) json["spec"]["nodeName"] = pod.node;
  if (pod.host_network) json["spec"]["hostNetwork"] = true;
  json["spec"]["containers"].push_back(container);
  json["status"]["phase"] = kPhases[static_cast<int>(pod.phase)];
  for (const IpAddress& address : pod.addresses) json["status"]["podIPs"].push_back({{"ip", address.ToString()}});
  for (const IpAddress& address : pod.host_addresses) json["status"]["hostIPs"].push_back({{"ip", address.ToString()}});
  return json;
}

Json ToJson(const NodeObject& node) {
  Json json = {
      {"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", node.name}, {"labels", ToJson(node.labels)}}}};
  for (std::size_t i = 0; i < node.annotated_addresses.size(); ++i) {
    json["metadata"]["annotations"][kNodeAddressAnnotations.at(i)] = node.annotated_addresses[i].ToString();
  }
  for (const Prefix& cidr : node.pod_cidrs) json["spec"]["podCIDRs"].push_back(cidr.ToString());
  for (const IpAddress& address : node.addresses) {
    json["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", address.ToString()}});
  }
  return json;
}

}  // namespace

Pod MakePod(std::string space, std::string name, Labels labels, std::vector<std::string_view> addresses) {
  Pod pod;
  pod.namespace_name = std::move(space);
  pod.name = std::move(name);
  pod.labels = std::move(labels);
  pod.node = "n1";
  for (const std::string_view address : addresses) pod.addresses.push_back(Ip(address));
  return pod;
}

NetworkPolicy MakePolicy(std::string space, std::string name, LabelSelector subjects) {
  NetworkPolicy policy;
  policy.namespace_name = std::move(space);
  policy.name = std::move(name);
  policy.pod_selector = std::move(subjects);
  return policy;
}
NetworkPolicy Ingress(NetworkPolicy policy, std::vector<NetworkPolicyRule> rules) {
  policy.has_ingress = true;
  policy.ingress = std::move(rules);
  return policy;
}
NetworkPolicy Egress(NetworkPolicy policy, std::vector<NetworkPolicyRule> rules) {
  policy.has_egress = true;
  policy.egress = std::move(rules);
  return policy;
}

std::string ToManifest(const Cluster& cluster) {
  Json list = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", Json::array()}};
  for (const Namespace& space : cluster.namespaces) {
    list["items"].push_back({{"apiVersion", "v1"},
                             {"kind", "Namespace"},
                             {"metadata", {{"name", space.name}, {"labels", ToJson(space.labels)}}}});
  }
  for (const NodeObject& node : cluster.nodes) list["items"].push_back(ToJson(node));
  for (const Pod& pod : cluster.pods) list["items"].push_back(ToJson(pod));
  for (const NetworkPolicy& policy : cluster.policies) list["items"].push_back(ToJson(policy));
  for (const ClusterPolicy& policy : cluster.cluster_policies) list["items"].push_back(ToJson(policy));
  return list.dump(1);
}

}  // namespace sluice::test
