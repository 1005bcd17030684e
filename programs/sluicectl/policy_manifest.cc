#include "sluicectl/policy_manifest.h"

#include <nlohmann/json.hpp>
#include <string>

#include "sluice/protocol.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

Json PeerManifest(const NetworkPolicyPeer& peer) {
  Json json = Json::object();
  if (peer.ip_block) {
    json["ipBlock"]["cidr"] = peer.ip_block->cidr.ToString();
    for (const Prefix& except : peer.ip_block->excepts) json["ipBlock"]["except"].push_back(except.ToString());
  }
  if (peer.namespace_selector) json["namespaceSelector"] = SelectorManifest(*peer.namespace_selector);
  if (peer.pod_selector) json["podSelector"] = SelectorManifest(*peer.pod_selector);
  return json;
}

Json PortManifest(const NetworkPolicyPort& port) {
  Json json = {{"protocol", std::string(ApiNameOf(port.protocol))}};
  if (!port.name.empty()) json["port"] = port.name;
  if (port.port) json["port"] = *port.port;
  if (port.end_port) json["endPort"] = *port.end_port;
  return json;
}

// A missing list means everyone, or every port.
Json RulesManifest(const std::vector<NetworkPolicyRule>& rules, const char* peers) {
  Json list = Json::array();
  for (const NetworkPolicyRule& rule : rules) {
    Json json = Json::object();
    for (const NetworkPolicyPeer& peer : rule.peers) json[peers].push_back(PeerManifest(peer));
    for (const NetworkPolicyPort& port : rule.ports) json["ports"].push_back(PortManifest(port));
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace

Json SelectorManifest(const LabelSelector& selector) {
  using Operator = LabelRequirement::Operator;
  constexpr const char* kOperators[] = {"In", "NotIn", "Exists", "DoesNotExist"};
  Json json = Json::object();
  for (const LabelRequirement& term : selector.requirements) {
    const auto labels = json.find("matchLabels");
    const bool taken = labels != json.end() && labels->contains(term.key);
    if (term.op == Operator::kIn && term.values.size() == 1 && !taken) {
      json["matchLabels"][term.key] = term.values.front();
      continue;
    }
    Json item = {{"key", term.key}, {"operator", kOperators[static_cast<int>(term.op)]}};
    if (!term.values.empty()) item["values"] = term.values;
    json["matchExpressions"].push_back(std::move(item));
  }
  return json;
}

Json ToManifest(const NetworkPolicy& policy) {
  Json spec = {{"podSelector", SelectorManifest(policy.pod_selector)}, {"policyTypes", Json::array()}};
  if (policy.has_ingress) {
    spec["policyTypes"].push_back("Ingress");
    spec["ingress"] = RulesManifest(policy.ingress, "from");
  }
  if (policy.has_egress) {
    spec["policyTypes"].push_back("Egress");
    spec["egress"] = RulesManifest(policy.egress, "to");
  }
  return {{"apiVersion", "networking.k8s.io/v1"},
          {"kind", "NetworkPolicy"},
          {"metadata", {{"name", policy.name}, {"namespace", policy.namespace_name}}},
          {"spec", std::move(spec)}};
}

}  // namespace sluice
