#include "model/dump.h"

#include <string_view>
#include <vector>

#include "model/selector_text.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

std::string_view ProtocolText(std::uint8_t protocol) {
  return protocol == kProtoTcp ? "TCP" : protocol == kProtoUdp ? "UDP" : "SCTP";
}

std::string_view PhaseText(Pod::Phase phase) {
  constexpr std::string_view kNames[] = {"Pending", "Running", "Succeeded", "Failed", "Unknown"};
  return kNames[static_cast<int>(phase)];
}

template <typename T, typename ToText>
std::string Join(const std::vector<T>& items, std::string_view separator, ToText to_text) {
  std::string joined;
  for (const T& item : items) {
    if (!joined.empty()) joined += separator;
    joined += to_text(item);
  }
  return joined;
}

std::string Text(const std::vector<IpAddress>& addresses) {
  return Join(addresses, ",", [](const IpAddress& address) { return address.ToString(); });
}

std::string Text(const std::vector<Prefix>& prefixes) {
  return Join(prefixes, ",", [](const Prefix& prefix) { return prefix.ToString(); });
}

std::string Text(const Labels& labels) {
  return Join(labels, ",", [](const auto& label) { return label.first + '=' + label.second; });
}

std::string Text(const ContainerPort& port) {
  return port.name + ':' + std::string(ProtocolText(port.protocol)) + '/' + std::to_string(port.port);
}

std::string Text(const NetworkPolicyPeer& peer) {
  if (peer.ip_block) {
    const std::string excepts = Text(peer.ip_block->excepts);
    return peer.ip_block->cidr.ToString() + (excepts.empty() ? "" : " except " + excepts);
  }
  const std::string pods = "pods[" + (peer.pod_selector ? SelectorText(*peer.pod_selector) : "") + ']';
  return peer.namespace_selector ? pods + " in namespaces[" + SelectorText(*peer.namespace_selector) + ']' : pods;
}

std::string Text(const NetworkPolicyPort& port) {
  std::string text(ProtocolText(port.protocol));
  if (!port.name.empty()) return text + '/' + port.name;
  if (port.port) text += '/' + std::to_string(*port.port);
  if (port.end_port) text += '-' + std::to_string(*port.end_port);
  return text;
}

void Append(std::string_view name, const std::string& value, std::string* line) {
  if (value.empty()) return;
  *line += ' ';
  *line += name;
  *line += '=';
  *line += value;
}

void AppendRules(std::string_view direction, const std::vector<NetworkPolicyRule>& rules, std::string* out) {
  const auto text = [](const auto& item) { return Text(item); };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::string peers = rules[i].peers.empty() ? "any" : Join(rules[i].peers, " or ", text);
    const std::string ports = rules[i].ports.empty() ? "any" : Join(rules[i].ports, ",", text);
    *out += "  ";
    *out += direction;
    *out += '[' + std::to_string(i) + "] peers={" + peers + "} ports=" + ports + '\n';
  }
}

void AppendPod(const Pod& pod, std::string* out) {
  std::string line = "pod " + pod.namespace_name + '/' + pod.name;
  Append("labels", Text(pod.labels), &line);
  Append("addresses", Text(pod.addresses), &line);
  Append("node", pod.node, &line);
  Append("hostIPs", Text(pod.host_addresses), &line);
  Append("ports", Join(pod.ports, ",", [](const ContainerPort& port) { return Text(port); }), &line);
  if (pod.phase != Pod::Phase::kRunning) Append("phase", std::string(PhaseText(pod.phase)), &line);
  if (pod.host_network) line += " hostNetwork";
  if (pod.created != 0) Append("created", std::to_string(pod.created), &line);
  *out += line + '\n';
}

void AppendPolicy(const NetworkPolicy& policy, std::string* out) {
  *out += "policy " + policy.namespace_name + '/' + policy.name + " pods[" + SelectorText(policy.pod_selector) + ']';
  if (policy.has_ingress) *out += " ingress";
  if (policy.has_egress) *out += " egress";
  if (policy.refused) *out += " refused";
  *out += '\n';
  AppendRules("ingress", policy.ingress, out);
  AppendRules("egress", policy.egress, out);
}

}  // namespace

std::string Dump(const Cluster& cluster) {
  std::string out;
  for (const Namespace& space : cluster.namespaces) {
    std::string line = "namespace " + space.name;
    Append("labels", Text(space.labels), &line);
    out += line + '\n';
  }
  for (const NodeObject& node : cluster.nodes) {
    std::string line = "node " + node.name;
    Append("addresses", Text(node.addresses), &line);
    Append("podCIDRs", Text(node.pod_cidrs), &line);
    Append("annotated", Text(node.annotated_addresses), &line);
    out += line + '\n';
  }
  for (const Pod& pod : cluster.pods) AppendPod(pod, &out);
  for (const NetworkPolicy& policy : cluster.policies) AppendPolicy(policy, &out);
  return out;
}

}  // namespace sluice
