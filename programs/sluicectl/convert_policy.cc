#include "sluicectl/convert_policy.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "sluice/protocol.h"
#include "sluicectl/policy_manifest.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMost = 25;  // for every list (CNP-10)
constexpr std::uint32_t kLastPriority = 1000;

template <typename T>
std::vector<std::vector<T>> Cut(const std::vector<T>& list) {
  std::vector<std::vector<T>> parts;
  for (std::size_t at = 0; at < list.size(); at += kMost) {
    parts.emplace_back(list.begin() + static_cast<std::ptrdiff_t>(at),
                       list.begin() + static_cast<std::ptrdiff_t>(std::min(at + kMost, list.size())));
  }
  if (parts.empty()) parts.emplace_back();
  return parts;
}

// Peers and ports are ORed, so a rule may be cut into several consecutive rules of the same action.
std::vector<ClusterPolicyRule> CutRules(const std::vector<ClusterPolicyRule>& rules) {
  std::vector<ClusterPolicyRule> cut;
  for (const ClusterPolicyRule& rule : rules) {
    for (auto& peers : Cut(rule.peers)) {
      for (auto& ports : Cut(rule.ports)) {
        ClusterPolicyRule& part = cut.emplace_back(rule);
        part.peers = peers;
        part.ports = std::move(ports);
      }
    }
  }
  return cut;
}

std::string TitleOf(const ClusterPolicy& policy) { return std::string(Name(policy.kind)) + ' ' + policy.name; }

class Converter {
 public:
  explicit Converter(const Cluster& cluster) {
    result_.cluster = cluster;
    result_.cluster.cluster_policies.clear();
    for (const ClusterPolicy& policy : cluster.cluster_policies) {
      if (policy.kind != ClusterPolicyKind::kClusterNetworkPolicy) continue;
      names_.insert(policy.name);
      result_.cluster.cluster_policies.push_back(policy);
    }
    for (const ClusterPolicy& policy : cluster.cluster_policies) {
      if (policy.kind != ClusterPolicyKind::kClusterNetworkPolicy) Add(policy, cluster.cluster_policies);
    }
  }

  Conversion Take() && { return std::move(result_); }

 private:
  void Refuse(const ClusterPolicy& policy, std::string field, std::string message) {
    result_.refused.push_back({Severity::kError, "", 0, TitleOf(policy), std::move(field), std::move(message)});
  }

  void Add(const ClusterPolicy& policy, const std::vector<ClusterPolicy>& all) {
    if (policy.refused) return Refuse(policy, "", "is refused as it stands; correct it first");
    const auto ingress = Cut(CutRules(policy.ingress));
    const auto egress = Cut(CutRules(policy.egress));
    const std::size_t count = std::max(ingress.size(), egress.size());
    if (count > 1 && !HasRoom(policy, count, all)) return;
    std::string name = policy.name;
    if (names_.contains(name) && policy.kind == ClusterPolicyKind::kBaselineAdminNetworkPolicy)
      name = "baseline-" + name;
    for (std::size_t i = 0; i < count; ++i) {
      ClusterPolicy made = policy;
      made.kind = ClusterPolicyKind::kClusterNetworkPolicy;
      made.name = i == 0 ? name : name + '-' + std::to_string(i + 1);
      made.priority = policy.priority + static_cast<std::uint32_t>(i);
      made.ingress = i < ingress.size() ? ingress[i] : std::vector<ClusterPolicyRule>();
      made.egress = i < egress.size() ? egress[i] : std::vector<ClusterPolicyRule>();
      if (!names_.insert(made.name).second) {
        return Refuse(policy, "metadata.name",
                      "would become the ClusterNetworkPolicy " + made.name + ", which there is already; rename one");
      }
      result_.cluster.cluster_policies.push_back(made);
      result_.made.push_back(std::move(made));
    }
  }

  bool HasRoom(const ClusterPolicy& policy, std::size_t count, const std::vector<ClusterPolicy>& all) {
    const std::uint32_t last = policy.priority + static_cast<std::uint32_t>(count) - 1;
    const std::string needs = "becomes " + std::to_string(count) +
                              " ClusterNetworkPolicies of at most 25 rules a direction, with the priorities " +
                              std::to_string(policy.priority) + " to " + std::to_string(last);
    if (last > kLastPriority) {
      Refuse(policy, "spec.priority", needs + "; 1000 is the last one: give it a lower one");
      return false;
    }
    for (const ClusterPolicy& other : all) {
      if (&other == &policy || other.tier != policy.tier) continue;
      if (other.priority < policy.priority || other.priority > last) continue;
      Refuse(policy, "spec.priority",
             needs + "; " + TitleOf(other) + " has " + std::to_string(other.priority) + ": move one of them");
      return false;
    }
    return true;
  }

  Conversion result_;
  std::set<std::string> names_;
};

Json ToJson(const PodSelection& selection) {
  if (selection.pods.requirements.empty()) return {{"namespaces", SelectorManifest(selection.namespaces)}};
  return {{"pods",
           {{"namespaceSelector", SelectorManifest(selection.namespaces)},
            {"podSelector", SelectorManifest(selection.pods)}}}};
}

Json ToJson(const ClusterPolicyPeer& peer) {
  if (peer.pods) return ToJson(*peer.pods);
  if (peer.nodes) return {{"nodes", SelectorManifest(*peer.nodes)}};
  Json json = Json::object();
  for (const Prefix& network : peer.networks) json["networks"].push_back(network.ToString());
  for (const std::string& name : peer.domain_names) json["domainNames"].push_back(name);
  return json;
}

Json ToJson(const ClusterPolicyPort& port) {
  if (!port.name.empty()) return {{"destinationNamedPort", port.name}};
  Json destination;
  if (port.first == port.last) {
    destination["number"] = port.first;
  } else {
    destination["range"] = {{"start", port.first}, {"end", port.last}};
  }
  return {{std::string(ToolNameOf(port.protocol)), {{"destinationPort", destination}}}};
}

Json ToJson(const ClusterPolicyRule& rule, const char* peers) {
  constexpr const char* kActions[] = {"Accept", "Deny", "Pass"};
  Json json = Json::object();
  if (!rule.name.empty()) json["name"] = rule.name;
  json["action"] = kActions[static_cast<int>(rule.action)];
  for (const ClusterPolicyPeer& peer : rule.peers) json[peers].push_back(ToJson(peer));
  for (const ClusterPolicyPort& port : rule.ports) json["protocols"].push_back(ToJson(port));
  return json;
}

// Returns labels that the selector selects, and for each requirement labels that only this requirement excludes.
std::set<Labels> Variants(const LabelSelector& selector) {
  using Values = std::map<std::string, std::string>;
  constexpr char kOther[] = "sluice-made-up";  // selectors rarely name it; if one does, a variant is lost
  Values fits;
  for (const LabelRequirement& term : selector.requirements) {
    if (term.op == LabelRequirement::Operator::kIn) fits[term.key] = term.values.front();
    if (term.op == LabelRequirement::Operator::kExists) fits.try_emplace(term.key, kOther);
  }
  std::set<Labels> variants = {Labels(fits.begin(), fits.end())};
  for (const LabelRequirement& term : selector.requirements) {
    const auto add = [&](const std::string* value) {
      Values labels = fits;
      labels.erase(term.key);
      if (value != nullptr) labels[term.key] = *value;
      variants.emplace(labels.begin(), labels.end());
    };
    const std::string other = kOther;
    add(nullptr);
    add(&other);
    for (const std::string& value : term.values) add(&value);
  }
  return variants;
}

template <typename Visit>
void ForEachRuleOf(const Cluster& cluster, Visit visit) {
  for (const ClusterPolicy& policy : cluster.cluster_policies) {
    for (const auto* rules : {&policy.ingress, &policy.egress}) {
      for (const ClusterPolicyRule& rule : *rules) visit(rule);
    }
  }
}

}  // namespace

Conversion Convert(const Cluster& cluster) { return Converter(cluster).Take(); }

Json ToManifest(const ClusterPolicy& policy) {
  Json spec = {{"tier", Name(policy.tier)}, {"priority", policy.priority}, {"subject", ToJson(policy.subject)}};
  for (const ClusterPolicyRule& rule : policy.ingress) spec["ingress"].push_back(ToJson(rule, "from"));
  for (const ClusterPolicyRule& rule : policy.egress) spec["egress"].push_back(ToJson(rule, "to"));
  return {{"apiVersion", "policy.networking.k8s.io/v1alpha2"},
          {"kind", "ClusterNetworkPolicy"},
          {"metadata", {{"name", policy.name}}},
          {"spec", spec}};
}

std::size_t AddMadeUpPods(Cluster* cluster) {
  constexpr std::size_t kMostPods = 400;
  std::set<Labels> nodes;
  std::map<Labels, std::set<Labels>> pods;  // by their namespace's labels
  const auto select = [&](const PodSelection& selection) {
    for (const Labels& space : Variants(selection.namespaces)) {
      pods[space].merge(Variants(selection.pods));
    }
  };
  std::set<std::string> port_names;
  for (const ClusterPolicy& policy : cluster->cluster_policies) select(policy.subject);
  ForEachRuleOf(*cluster, [&](const ClusterPolicyRule& rule) {
    for (const ClusterPolicyPeer& peer : rule.peers) {
      if (peer.pods) select(*peer.pods);
      if (peer.nodes) nodes.merge(Variants(*peer.nodes));
    }
    for (const ClusterPolicyPort& port : rule.ports) {
      if (!port.name.empty()) port_names.insert(port.name);
    }
  });

  // 100.64.0.0/10 (RFC 6598), and for IPv6 RFC 3849's prefix.
  std::uint32_t next = 0;
  const auto address = [&next](std::vector<IpAddress>* addresses) {
    addresses->push_back(IpAddress::V4(0x64400000 + ++next));
    addresses->push_back(IpAddress::V6(0x2001'0db8'0000'0000, next));
  };
  for (const Labels& labels : nodes) {
    NodeObject& node = cluster->nodes.emplace_back();
    node.name = "(made up " + std::to_string(cluster->nodes.size()) + ')';
    node.labels = labels;
    address(&node.addresses);
  }
  std::size_t added = 0;
  for (const auto& [space_labels, of_space] : pods) {
    Namespace& space = cluster->namespaces.emplace_back();
    space.name = "(made up " + std::to_string(cluster->namespaces.size()) + ')';
    space.labels = space_labels;
    for (const Labels& labels : of_space) {
      if (added == kMostPods) return added;
      Pod& pod = cluster->pods.emplace_back();
      pod.namespace_name = space.name;
      pod.name = "pod-" + std::to_string(++added);
      pod.labels = labels;
      address(&pod.addresses);
      std::uint16_t number = 8000;
      for (const std::string& name : port_names) {
        ++number;
        if (added % 2 == 0) pod.ports.push_back({name, added % 4 == 0 ? kProtoTcp : kProtoUdp, number});
      }
    }
  }
  return added;
}

}  // namespace sluice
