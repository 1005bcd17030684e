#include "lint/overruled.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lint/cover.h"
#include "lint/tiers.h"
#include "sluice/cover.h"

namespace sluice {
namespace {

// A direction of a policy of the Admin tier, with the pods that it selects now.
struct AdminSide {
  struct Rule {
    const ClusterPolicyRule* rule;
    PodSet pods;  // of all its peers
    bool everywhere;
  };
  const ClusterPolicy* policy;
  PodSet subjects;
  std::vector<Rule> rules;
};

struct LintedDirection {
  std::vector<ClusterPolicyRule> ClusterPolicy::*admin;
  std::vector<NetworkPolicyRule> NetworkPolicy::*own;
  std::string_view path;
};

constexpr LintedDirection kDirections[] = {
    {&ClusterPolicy::ingress, &NetworkPolicy::ingress, "spec.ingress"},
    {&ClusterPolicy::egress, &NetworkPolicy::egress, "spec.egress"},
};

// The ports of a NetworkPolicy's rule, in the words of cluster policy.
ClusterPolicyRule PortsOf(const NetworkPolicyRule& rule) {
  ClusterPolicyRule ports;
  ports.any_port = rule.ports.empty();
  for (const NetworkPolicyPort& port : rule.ports) {
    if (!port.name.empty()) {
      ports.ports.push_back({.name = port.name});
      continue;
    }
    const std::uint16_t first = port.port.value_or(0);
    const std::uint16_t last = port.end_port.value_or(port.port.value_or(std::numeric_limits<std::uint16_t>::max()));
    ports.ports.push_back({.protocol = port.protocol, .first = first, .last = last, .name = {}});
  }
  return ports;
}

class OverruledLook {
 public:
  explicit OverruledLook(LintGround* ground) : ground_(*ground) {}

  void Run() {
    for (const LintedDirection& direction : kDirections) {
      ReadAdminTier(direction);
      if (admin_.empty()) continue;
      for (const NetworkPolicy& policy : ground_.manifests().cluster.policies) LookAt(policy, direction);
    }
  }

 private:
  // In the order in which policies are asked (CNP-02).
  void ReadAdminTier(const LintedDirection& direction) {
    admin_.clear();
    for (const ClusterPolicy* policy : AskedInOrder(ground_.manifests().cluster.cluster_policies)) {
      if (policy->tier != Tier::kAdmin || (policy->*direction.admin).empty()) continue;
      AdminSide side{policy, ground_.PodsOf(policy->subject), {}};
      for (const ClusterPolicyRule& rule : policy->*direction.admin) {
        AdminSide::Rule read{
            &rule, {}, rule.everyone || std::any_of(rule.peers.begin(), rule.peers.end(), IsEverywhere)};
        for (const ClusterPolicyPeer& peer : rule.peers) {
          if (peer.pods) read.pods |= ground_.PodsOf(*peer.pods);
        }
        side.rules.push_back(std::move(read));
      }
      admin_.push_back(std::move(side));
    }
  }

  void LookAt(const NetworkPolicy& policy, const LintedDirection& direction) {
    const std::vector<NetworkPolicyRule>& rules = policy.*direction.own;
    if (rules.empty() || !ground_.TurnTo(policy)) return;
    const PodSet subjects =
        ground_.selections().PodsOf(*ground_.selections().Pods(policy.namespace_name, policy.pod_selector));
    if (subjects.isEmpty()) return;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      LookAtRule(policy, subjects, rules[i], direction, RuleField(direction.path, i));
    }
  }

  // A Pass that meets the rule ends the search: what it takes out of the tier is the rule's to decide.
  void LookAtRule(const NetworkPolicy& policy, const PodSet& subjects, const NetworkPolicyRule& rule,
                  const LintedDirection& direction, const std::string& field) {
    const ClusterPolicyRule ports = PortsOf(rule);
    PodSet pods;
    for (const NetworkPolicyPeer& peer : rule.peers) {
      if (peer.ip_block) continue;
      const PodSet selected = ground_.selections().PodsOf(*ground_.selections().Peers(policy.namespace_name, {peer}));
      if (selected.isEmpty()) return;  // peer-matches-nothing tells of it
      pods |= selected;
    }
    for (const AdminSide& side : admin_) {
      if (!side.subjects.intersect(subjects)) continue;
      const bool holds_subjects = subjects.isSubset(side.subjects);
      for (std::size_t i = 0; i < side.rules.size(); ++i) {
        const AdminSide::Rule& other = side.rules[i];
        if (other.rule->matches_nothing()) continue;
        if (other.rule->action == Action::kPass) {
          if (Meets(rule, pods, other) && PortsMeet(ports, *other.rule)) return;
        } else if (holds_subjects && ArePortsCovered(ports, *other.rule) && HoldsPeers(rule, pods, other)) {
          return Tell(*side.policy, *other.rule, RuleField(direction.path, i), field);
        }
      }
    }
  }

  // Of addresses it is not known whether they are pods'.
  static bool Meets(const NetworkPolicyRule& rule, const PodSet& pods, const AdminSide::Rule& other) {
    const bool has_blocks = rule.peers.empty() || std::any_of(rule.peers.begin(), rule.peers.end(),
                                                              [](const auto& peer) { return peer.ip_block; });
    const bool has_networks = other.everywhere || std::any_of(other.rule->peers.begin(), other.rule->peers.end(),
                                                              [](const auto& peer) { return !peer.pods; });
    return has_blocks || has_networks || pods.intersect(other.pods);
  }

  static bool HoldsPeers(const NetworkPolicyRule& rule, const PodSet& pods, const AdminSide::Rule& other) {
    if (other.everywhere) return true;
    if (rule.peers.empty() || !pods.isSubset(other.pods)) return false;
    return std::all_of(rule.peers.begin(), rule.peers.end(), [&](const NetworkPolicyPeer& peer) {
      return !peer.ip_block || IsInNetworks(peer.ip_block->cidr, *other.rule);
    });
  }

  static bool IsInNetworks(const Prefix& cidr, const ClusterPolicyRule& rule) {
    return std::any_of(rule.peers.begin(), rule.peers.end(), [&](const ClusterPolicyPeer& peer) {
      return std::any_of(peer.networks.begin(), peer.networks.end(), [&](const Prefix& network) {
        return network.base.family == cidr.base.family && network.Contains(cidr);
      });
    });
  }

  void Tell(const ClusterPolicy& admin, const ClusterPolicyRule& rule, const std::string& admin_field,
            const std::string& field) {
    const bool denies = rule.action == Action::kDeny;
    ground_.Find(
        kRuleNeverDecides, field,
        TitleOf(admin) + ' ' + RuleText(rule, admin_field) + " (" + std::string(ActionText(admin, rule.action)) +
            ") of the Admin tier comes first and matches all that this rule matches, so this one " +
            (denies ? "admits nothing" : "decides nothing") + "; remove it, or have a Pass put before that one");
  }

  LintGround& ground_;
  std::vector<AdminSide> admin_;
};

}  // namespace

void LintOverruled(LintGround* ground) {
  if (ground->has_pods()) OverruledLook(ground).Run();
}

}  // namespace sluice
