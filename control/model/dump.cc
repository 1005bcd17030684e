#include "model/dump.h"

#include <string_view>
#include <vector>

#include "model/selector_text.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

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
  return port.name + ':' + std::string(ApiNameOf(port.protocol)) + '/' + std::to_string(port.port);
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
  std::string text(ApiNameOf(port.protocol));
  if (!port.name.empty()) return text + '/' + port.name;
  if (port.port) text += '/' + std::to_string(*port.port);
  if (port.end_port) text += '-' + std::to_string(*port.end_port);
  return text;
}

std::string Text(const PodSelection& pods) {
  return "pods[" + SelectorText(pods.pods) + "] in namespaces[" + SelectorText(pods.namespaces) + ']';
}

std::string Text(const ClusterPolicyPeer& peer) {
  if (peer.pods) return Text(*peer.pods);
  if (peer.nodes) return "nodes[" + SelectorText(*peer.nodes) + ']';
  if (!peer.networks.empty()) return Text(peer.networks);
  return Join(peer.domain_names, ",", [](const std::string& name) { return name; });
}

std::string Text(const ClusterPolicyPort& port) {
  if (!port.name.empty()) return port.name;
  std::string text = std::string(ApiNameOf(port.protocol)) + '/' + std::to_string(port.first);
  return port.first == port.last ? text : text + '-' + std::to_string(port.last);
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
  Append("workload", pod.workload, &line);
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

void AppendRules(std::string_view direction, const std::vector<ClusterPolicyRule>& rules, std::string* out) {
  const auto text = [](const auto& item) { return Text(item); };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const ClusterPolicyRule& rule = rules[i];
    const std::string peers = rule.everyone ? "any" : rule.peers.empty() ? "none" : Join(rule.peers, " or ", text);
    const std::string ports = rule.any_port ? "any" : rule.ports.empty() ? "none" : Join(rule.ports, ",", text);
    *out += "  ";
    *out += direction;
    *out += '[' + std::to_string(i) + "] " + std::string(Name(rule.action));
    if (!rule.name.empty()) *out += " \"" + rule.name + '"';
    *out += " peers={" + peers + "} ports=" + ports + '\n';
  }
}

void AppendPolicy(const ClusterPolicy& policy, std::string* out) {
  *out += std::string(Name(policy.kind)) + ' ' + policy.name + " tier=" + std::string(Name(policy.tier)) +
          " priority=" + std::to_string(policy.priority) + ' ' + Text(policy.subject);
  if (policy.refused) *out += " refused";
  *out += '\n';
  AppendRules("ingress", policy.ingress, out);
  AppendRules("egress", policy.egress, out);
}

// The part after the name.
template <typename Staged>
void AppendStaged(const Staged& staged, std::string* out) {
  *out += staged.action == StagedAction::kSet ? " set" : staged.action == StagedAction::kDelete ? " delete" : " ignore";
  *out += staged.by == StagedBy::kFolder ? " by a folder\n" : "\n";
  if (staged.action == StagedAction::kSet) AppendPolicy(staged.policy, out);
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
    Append("labels", Text(node.labels), &line);
    Append("addresses", Text(node.addresses), &line);
    Append("podCIDRs", Text(node.pod_cidrs), &line);
    Append("annotated", Text(node.annotated_addresses), &line);
    out += line + '\n';
  }
  for (const Pod& pod : cluster.pods) AppendPod(pod, &out);
  for (const NetworkPolicy& policy : cluster.policies) AppendPolicy(policy, &out);
  for (const ClusterPolicy& policy : cluster.cluster_policies) AppendPolicy(policy, &out);
  for (const StagedNetworkPolicy& staged : cluster.staged) {
    out += "staged " + staged.namespace_name + '/' + staged.name;
    AppendStaged(staged, &out);
  }
  for (const StagedClusterPolicy& staged : cluster.staged_cluster) {
    out += "staged " + staged.name;
    AppendStaged(staged, &out);
  }
  return out;
}

}  // namespace sluice
