#include "lint/cluster_policies.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lint/cover.h"
#include "lint/rules_by_name.h"
#include "lint/tiers.h"
#include "sluice/cover.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint8_t kPortProtocols[] = {kProtoTcp, kProtoUdp, kProtoSctp};

Prefix Host(const IpAddress& address) { return {address, static_cast<std::uint8_t>(AddressBits(address.family))}; }

class ClusterPolicyLint {
 public:
  ClusterPolicyLint(const Isolated& isolated, const LintDns* dns, LintGround* ground)
      : isolated_(isolated), dns_(dns), ground_(*ground) {}

  void Run() {
    for (const ClusterPolicy& policy : ground_.manifests().cluster.cluster_policies) LookAt(policy);
    if (ground_.all()) LookAtTiers();
  }

 private:
  void LookAt(const ClusterPolicy& policy) {
    if (!ground_.TurnTo(policy)) return;
    subjects_ = ground_.PodsOf(policy.subject);
    if (ground_.has_pods() && subjects_.isEmpty()) {
      ground_.Find(kSelectsNothing, "spec.subject",
                   "no pod is its subject; check the labels against those of the pods");
    }
    ground_.LookForUnknownSpaces(policy.subject.namespaces, "spec.subject");
    LookAtRules(policy.ingress, Direction::kIngress, "spec.ingress");
    LookAtRules(policy.egress, Direction::kEgress, "spec.egress");
    if (!ground_.all()) return;
    LookAtReach(policy, policy.ingress, isolated_.ingress, "spec.ingress");
    LookAtReach(policy, policy.egress, isolated_.egress, "spec.egress");
    LintRulesByName(policy, dns_, &ground_);
  }

  // Reports rules that decide more than their author likely thinks, or nothing.
  void LookAtReach(const ClusterPolicy& policy, const std::vector<ClusterPolicyRule>& rules, const PodSet& isolated,
                   std::string_view path) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const std::string at = std::string(path) + '[' + std::to_string(i) + ']';
      if (rules[i].action != Action::kAllow || rules[i].matches_nothing()) continue;
      for (const ClusterPolicyPeer& peer : rules[i].peers) {
        for (const Prefix& network : peer.networks) {
          ground_.LookAtBlock(
              {network, HeldBack(rules, i)}, at,
              "networks match pods and nodes as well; narrow them, or put a Deny of these pods before this rule");
        }
      }
      if (policy.tier == Tier::kAdmin && rules[i].any_port && IsOfEveryone(rules[i])) {
        ground_.Find(
            kAcceptOfEverything, at,
            "accepts every port and protocol of everyone, and no NetworkPolicy can take that back; name protocols or "
            "peers, or use Pass where NetworkPolicies are to decide");
      }
    }
    if (policy.tier != Tier::kBaseline || rules.empty() || subjects_.isEmpty() || !subjects_.isSubset(isolated)) return;
    ground_.Find(
        kBaselineNotReached, std::string(path),
        "NetworkPolicies isolate all subjects (" + ground_.PodsText(subjects_) +
            ") in this direction and decide there alone, so these rules decide nothing; put what must hold into the "
            "Admin tier");
  }

  // The addresses that earlier rules of the policy keep from this rule on every port.
  std::vector<Prefix> HeldBack(const std::vector<ClusterPolicyRule>& rules, std::size_t end) {
    std::vector<Prefix> blocks;
    for (std::size_t i = 0; i < end; ++i) {
      if (rules[i].action == Action::kAllow || !rules[i].any_port) continue;
      for (const ClusterPolicyPeer& peer : rules[i].peers) {
        blocks.insert(blocks.end(), peer.networks.begin(), peer.networks.end());
        if (!peer.pods) continue;
        const PodSet pods = ground_.PodsOf(*peer.pods);
        for (const LintGround::AddressOfPod& one : ground_.addresses()) {
          if (pods.contains(one.number)) blocks.push_back(Host(one.address));
        }
      }
    }
    return blocks;
  }

  void LookAtTiers() {
    const Meeting meeting = {[this](const PodSelection& a, const PodSelection& b) { return Meet(a, b); },
                             [this](const ClusterPolicyPeer& a, const ClusterPolicyPeer& b) { return Meet(a, b); }};
    for (TierFinding& finding : sluice::LookAtTiers(ground_.manifests().cluster.cluster_policies, meeting)) {
      if (!ground_.TurnTo(*finding.policy)) continue;
      ground_.Find(finding.fault == TierFault::kNeverDecides ? kRuleNeverDecides : kEqualPriority, finding.field,
                   std::move(finding.message));
    }
  }

  // Without pods, only what would be true for any pods.
  bool Meet(const PodSelection& a, const PodSelection& b) {
    if (IsCoveredBy(a, b) || IsCoveredBy(b, a)) return true;
    return ground_.PodsOf(a).intersect(ground_.PodsOf(b));
  }

  bool Meet(const ClusterPolicyPeer& a, const ClusterPolicyPeer& b) {
    if (a.pods && b.pods) return Meet(*a.pods, *b.pods);
    if (a.nodes || b.nodes) return a.nodes == b.nodes;
    if (a.pods || b.pods) {
      const PodSet pods = ground_.PodsOf(a.pods ? *a.pods : *b.pods);
      const std::vector<Prefix>& networks = a.pods ? b.networks : a.networks;
      return std::any_of(ground_.addresses().begin(), ground_.addresses().end(),
                         [&](const LintGround::AddressOfPod& one) {
                           return pods.contains(one.number) &&
                                  std::any_of(networks.begin(), networks.end(),
                                              [&](const Prefix& network) { return network.Contains(one.address); });
                         });
    }
    return std::any_of(a.networks.begin(), a.networks.end(), [&](const Prefix& one) {
      return std::any_of(b.networks.begin(), b.networks.end(), [&](const Prefix& two) { return Overlap(one, two); });
    });
  }

  void LookAtRules(const std::vector<ClusterPolicyRule>& rules, Direction direction, std::string_view path) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const std::string at = std::string(path) + '[' + std::to_string(i) + ']';
      PodSet targets = subjects_;
      if (direction == Direction::kEgress) targets = rules[i].everyone ? ground_.state().endpoints() : PodSet();
      for (const ClusterPolicyPeer& peer : rules[i].peers) {
        if (!peer.pods) continue;
        ground_.LookForUnknownSpaces(peer.pods->namespaces, at);
        const PodSet pods = ground_.PodsOf(*peer.pods);
        if (ground_.all() && ground_.has_pods() && pods.isEmpty()) {
          ground_.Find(kPeerMatchesNothing, at, "a peer selects no pod; check its labels against those of the pods");
        }
        if (direction == Direction::kEgress) targets |= pods;
      }
      for (const ClusterPolicyPort& port : rules[i].ports) {
        if (port.name.empty() || targets.isEmpty()) continue;
        const bool has_one = std::any_of(std::begin(kPortProtocols), std::end(kPortProtocols), [&](std::uint8_t one) {
          return ground_.HasNamedPort(targets, one, port.name);
        });
        if (has_one) continue;
        ground_.Find(kNamedPortMissing, at,
                     "no pod that the rule is for has a port '" + port.name +
                         "'; name a port of their containers, or give its number");
      }
    }
  }

  const Isolated& isolated_;
  const LintDns* dns_;
  LintGround& ground_;
  PodSet subjects_;  // of the present policy
};

}  // namespace

void LintClusterPolicies(const Isolated& isolated, const LintDns* dns, LintGround* ground) {
  ClusterPolicyLint(isolated, dns, ground).Run();
}

}  // namespace sluice
