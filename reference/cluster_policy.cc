// The Admin and Baseline tiers (CNP-01 to CNP-14) and names (FQ-01 to FQ-07), on objects that the decoder has read.
// What failed closed (CNP-08) is in the objects as rules that match nothing, or as rules that deny everything.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <vector>

#include "reference/evaluate.h"
#include "reference/match.h"

namespace sluice::reference {

// If several policies have one name, the first kind keeps the bare name; the others get their kind before it.
void Evaluator::AddClusterPolicies(const Cluster& cluster) {
  std::set<std::string> taken;
  for (const ClusterPolicyKind kind : {ClusterPolicyKind::kClusterNetworkPolicy, ClusterPolicyKind::kAdminNetworkPolicy,
                                       ClusterPolicyKind::kBaselineAdminNetworkPolicy}) {
    for (const ClusterPolicy& policy : cluster.cluster_policies) {
      if (policy.kind != kind) continue;
      const bool first = taken.insert(policy.name).second;
      tiers_[policy.tier].push_back({&policy, first ? policy.name : std::string(Name(kind)) + '/' + policy.name});
    }
  }
  for (auto& [tier, policies] : tiers_) {  // CNP-02
    std::sort(policies.begin(), policies.end(), [](const NamedPolicy& a, const NamedPolicy& b) {
      return a.policy->priority != b.policy->priority ? a.policy->priority < b.policy->priority : a.name < b.name;
    });
  }
}

Side Evaluator::JudgeByTier(Tier tier, Direction direction, const Pod& subject, const Flow& flow) const {
  const bool is_egress = direction == Direction::kEgress;
  const IpAddress& peer = is_egress ? flow.destination : flow.source;
  const auto policies = tiers_.find(tier);
  if (policies == tiers_.end()) return {};
  for (const NamedPolicy& named : policies->second) {
    if (!IsSelected(named.policy->subject, subject)) continue;  // CNP-06
    const std::vector<ClusterPolicyRule>& rules = is_egress ? named.policy->egress : named.policy->ingress;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (!ClusterRuleMatches(rules[i], peer, flow)) continue;
      if (rules[i].action == Action::kPass && tier == Tier::kAdmin) return {};  // CNP-03
      Side side;
      side.decided = true;
      side.allow = rules[i].action != Action::kDeny;
      side.tier = tier;
      side.policy = named.name;
      side.rule = static_cast<std::int32_t>(i);
      side.rule_name = rules[i].name;
      return side;
    }
  }
  return {};  // CNP-05
}

bool Evaluator::IsSelected(const PodSelection& selection, const Pod& pod) const {
  return SelectorMatches(selection.namespaces, namespace_labels_.at(pod.namespace_name)) &&
         SelectorMatches(selection.pods, pod.labels);
}

bool Evaluator::ClusterRuleMatches(const ClusterPolicyRule& rule, const IpAddress& peer, const Flow& flow) const {
  const auto port_matches = [&](bool peer_is_pods) {
    if (rule.any_port) return true;
    for (const ClusterPolicyPort& port : rule.ports) {
      if (port.name.empty()) {
        if (port.protocol == flow.protocol && port.first <= flow.destination_port && flow.destination_port <= port.last)
          return true;
        continue;
      }
      const Pod* pod = FindPod(flow.destination);
      if (pod == nullptr || !peer_is_pods) continue;  // CNP-13
      for (const ContainerPort& container_port : pod->ports) {
        if (container_port.name == port.name && container_port.protocol == flow.protocol &&
            container_port.port == flow.destination_port) {
          return true;
        }
      }
    }
    return false;
  };
  if (rule.everyone) return port_matches(true);
  for (const ClusterPolicyPeer& candidate : rule.peers) {
    if (ClusterPeerMatches(candidate, peer) && port_matches(candidate.pods.has_value())) return true;
  }
  return false;
}

bool Evaluator::ClusterPeerMatches(const ClusterPolicyPeer& peer, const IpAddress& address) const {
  const Pod* pod = FindPod(address);
  if (peer.pods) return pod != nullptr && IsSelected(*peer.pods, *pod);
  if (peer.nodes) {  // CNP-07: the addresses in a Node's status; a pod's address stays the pod's
    if (pod != nullptr) return false;
    for (const NodeObject* node : node_objects_) {
      if (!SelectorMatches(*peer.nodes, node->labels)) continue;
      for (const IpAddress& own : node->addresses) {
        if (own == address) return true;
      }
    }
    return false;
  }
  for (const Prefix& network : peer.networks) {  // CNP-13: also pods and nodes
    if (BlockMatches({network, {}}, address)) return true;
  }
  for (const std::string& pattern : peer.domain_names) {  // FQ-07: whatever has the address
    if (HasName(address, pattern)) return true;
  }
  return false;
}

// FQ-01, label by label from the end.
bool Evaluator::HasName(const IpAddress& address, const std::string& pattern) const {
  const auto labels = [](const std::string& text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
      if (c == '.') {
        parts.emplace_back();
      } else {
        parts.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
    }
    if (parts.size() > 1 && parts.back().empty()) parts.pop_back();
    return parts;
  };
  const auto known = names_.find(address);
  if (known == names_.end()) return false;
  std::vector<std::string> wanted = labels(pattern);
  const bool star = wanted.front() == "*";
  if (star) wanted.erase(wanted.begin());
  for (const std::string& name : known->second) {
    std::vector<std::string> has = labels(name);
    if (star ? has.size() <= wanted.size() : has.size() != wanted.size()) continue;
    has.erase(has.begin(), has.end() - static_cast<std::ptrdiff_t>(wanted.size()));
    if (has == wanted) return true;
  }
  return false;
}

}  // namespace sluice::reference
