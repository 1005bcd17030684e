#include "lint/network_policies.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "lint/cover.h"
#include "model/selector_text.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint16_t kDnsPort = 53;

bool AdmitsPort(const NetworkPolicyRule& rule, std::uint8_t protocol, std::uint16_t number) {
  return rule.ports.empty() || std::any_of(rule.ports.begin(), rule.ports.end(), [&](const NetworkPolicyPort& port) {
           if (port.protocol != protocol) return false;
           if (!port.name.empty()) return port.name.starts_with("dns");
           return !port.port || (*port.port <= number && number <= port.end_port.value_or(*port.port));
         });
}

bool AdmitsPort(const std::vector<NetworkPolicyRule>& rules, std::uint8_t protocol, std::uint16_t number) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const NetworkPolicyRule& rule) { return AdmitsPort(rule, protocol, number); });
}

std::string PortText(const NetworkPolicyPort& port) {
  std::string text(ApiNameOf(port.protocol));
  if (!port.name.empty()) return text + " port '" + port.name + '\'';
  text += " port " + std::to_string(*port.port);
  if (port.end_port) text += " to " + std::to_string(*port.end_port);
  return text;
}

class NetworkPolicyLint {
 public:
  explicit NetworkPolicyLint(LintGround* ground) : ground_(*ground) {}

  Isolated Run() {
    for (const NetworkPolicy& policy : ground_.manifests().cluster.policies) LookAt(policy);
    if (ground_.has_pods() && ground_.all()) LookAtDns();
    return std::move(isolated_);
  }

 private:
  // One direction of the present policy.
  struct Side {
    Direction direction;
    const std::vector<NetworkPolicyRule>* rules;
    std::string_view path;   // "spec.ingress"
    std::string_view peers;  // "from"
  };

  void LookAt(const NetworkPolicy& policy) {
    if (!ground_.TurnTo(policy)) return;
    policy_ = &policy;
    subjects_ = ground_.selections().PodsOf(*ground_.selections().Pods(policy.namespace_name, policy.pod_selector));
    if (ground_.has_pods() && subjects_.isEmpty())
      ground_.Find(kSelectsNothing, "spec.podSelector", WhySelectsNothing());
    for (const Side& side : {Side{Direction::kIngress, &policy.ingress, "spec.ingress", "from"},
                             Side{Direction::kEgress, &policy.egress, "spec.egress", "to"}}) {
      LookAt(side);
    }
    if (policy.has_egress && !policy.egress.empty()) asking_.push_back(&policy);
    if (policy.has_ingress) isolated_.ingress |= subjects_;
    if (!policy.has_egress) return;
    isolated_.egress |= subjects_;
    if (!policy.egress.empty()) reaching_ |= subjects_;
    if (AdmitsPort(policy.egress, kProtoUdp, kDnsPort)) with_udp_ |= subjects_;
    if (AdmitsPort(policy.egress, kProtoTcp, kDnsPort)) with_tcp_ |= subjects_;
  }

  void LookAt(const Side& side) {
    const bool in_force = side.direction == Direction::kIngress ? policy_->has_ingress : policy_->has_egress;
    if (ground_.all() && !in_force && ground_.place().lines->Has(std::string(side.path) + "[0]")) {
      const std::string name = side.direction == Direction::kIngress ? "Ingress" : "Egress";
      ground_.Find(
          kRulesNotInForce, std::string(side.path),
          "policyTypes leaves " + name + " out, so these rules do nothing; add " + name + " to spec.policyTypes");
    }
    for (std::size_t i = 0; i < side.rules->size(); ++i) {
      const std::string path = std::string(side.path) + '[' + std::to_string(i) + ']';
      LookAtPeers((*side.rules)[i], path + '.' + std::string(side.peers));
      LookAtPorts(side, (*side.rules)[i], path + ".ports");
      if (ground_.all()) LookForCover(*side.rules, i, path);
    }
  }

  void LookAtPeers(const NetworkPolicyRule& rule, const std::string& path) {
    if (ground_.all() && rule.peers.empty() && ground_.place().lines->Has(path)) {
      ground_.Find(
          kEmptyPeerList, path,
          "an empty list means everyone; leave the field out if that is meant, and the whole rule if nobody is");
    }
    std::optional<std::size_t> spaces_alone;
    std::optional<std::size_t> pods_alone;
    for (std::size_t i = 0; i < rule.peers.size(); ++i) {
      const NetworkPolicyPeer& peer = rule.peers[i];
      const std::string at = path + '[' + std::to_string(i) + ']';
      if (peer.ip_block) {
        if (ground_.all())
          ground_.LookAtBlock(*peer.ip_block, at + ".ipBlock",
                              "add the pod network to except, or name pods by selectors if they are meant");
        continue;
      }
      if (peer.namespace_selector) ground_.LookForUnknownSpaces(*peer.namespace_selector, at + ".namespaceSelector");
      if (!ground_.all()) continue;
      if (peer.namespace_selector && !peer.pod_selector) spaces_alone = i;
      if (!peer.namespace_selector && peer.pod_selector && !peer.pod_selector->requirements.empty()) pods_alone = i;
      if (ground_.has_pods() &&
          ground_.selections().PodsOf(*ground_.selections().Peers(policy_->namespace_name, {peer})).isEmpty()) {
        ground_.Find(kPeerMatchesNothing, at, WhyMatchesNothing(peer));
      }
    }
    if (spaces_alone && pods_alone) {
      ground_.Find(
          kOrMeantAsAnd, path + '[' + std::to_string(std::max(*spaces_alone, *pods_alone)) + ']',
          "these are two peers, and either is enough: all pods of the selected namespaces, or the selected pods of "
          "namespace " +
              policy_->namespace_name +
              ". For pods that are both, write podSelector and namespaceSelector in one list item");
    }
  }

  void LookAtPorts(const Side& side, const NetworkPolicyRule& rule, const std::string& path) {
    if (!ground_.has_pods()) return;
    for (std::size_t i = 0; i < rule.ports.size(); ++i) {
      const NetworkPolicyPort& port = rule.ports[i];
      const std::string at = path + '[' + std::to_string(i) + ']';
      const bool ingress = side.direction == Direction::kIngress;
      if (!port.name.empty()) {
        const PodSet targets =
            ingress ? subjects_
                    : ground_.selections().PodsOf(*ground_.selections().Peers(policy_->namespace_name, rule.peers));
        if (!targets.isEmpty() && !ground_.HasNamedPort(targets, port.protocol, port.name)) {
          ground_.Find(kNamedPortMissing, at,
                       "no pod that " + std::string(ingress ? "the policy selects" : "the rule names") + " has a " +
                           PortText(port) + "; name a port of their containers, or give its number");
        }
      } else if (ground_.all() && ingress && port.port && !subjects_.isEmpty() && IsDeclaredByNone(port)) {
        ground_.Find(kPortOfNoContainer, at,
                     "no container of " + ground_.PodsText(subjects_) + " declares " + PortText(port) +
                         "; check the number against containerPort");
      }
    }
  }

  // False if some pod declares no port at all: then nobody knows its ports.
  bool IsDeclaredByNone(const NetworkPolicyPort& wanted) const {
    const std::uint16_t last = wanted.end_port.value_or(*wanted.port);
    for (const std::uint32_t pod : ToVector(subjects_)) {
      const std::set<std::pair<std::uint8_t, std::uint16_t>>* declared = ground_.ContainerPorts(pod);
      if (declared == nullptr || declared->empty()) return false;
      const auto first = declared->lower_bound({wanted.protocol, *wanted.port});
      if (first != declared->end() && first->first == wanted.protocol && first->second <= last) return false;
    }
    return true;
  }

  // If two say the same, this reports the later one.
  void LookForCover(const std::vector<NetworkPolicyRule>& rules, std::size_t index, const std::string& path) {
    for (std::size_t other = 0; other < rules.size(); ++other) {
      if (other == index || !IsCoveredBy(rules[index], rules[other])) continue;
      if (other > index && IsCoveredBy(rules[other], rules[index])) continue;
      ground_.Find(kRedundantRule, path,
                   "rule " + std::to_string(other) + " admits all that this one does; remove one of them");
      return;
    }
  }

  std::string WhySelectsNothing() const {
    const std::uint32_t space = ground_.state().FindNamespace(policy_->namespace_name);
    if (space == ClusterState::kNone || ground_.state().space(space).endpoints.isEmpty()) {
      return "namespace " + policy_->namespace_name + " has no pod; check metadata.namespace";
    }
    return "no pod of namespace " + policy_->namespace_name + " has the labels " + SelectorText(policy_->pod_selector) +
           "; check them against the pods' labels";
  }

  std::string WhyMatchesNothing(const NetworkPolicyPeer& peer) {
    const LabelSelector pods = peer.pod_selector.value_or(LabelSelector{});
    const std::string labels = pods.requirements.empty() ? "" : " with the labels " + SelectorText(pods);
    if (!peer.namespace_selector) {
      return "namespace " + policy_->namespace_name + " has no pod" + labels +
             "; a podSelector alone looks into the policy's own namespace";
    }
    if (ground_.SelectsNoNamespace(*peer.namespace_selector)) {
      return "no namespace has the labels " + SelectorText(*peer.namespace_selector) +
             "; each has kubernetes.io/metadata.name, and others only as its Namespace object says";
    }
    return "the selected namespaces have no pod" + labels;
  }

  // Each pod is reported once, at the first policy by which it may reach somebody. A pod that may reach nobody at
  // all is shut in on purpose.
  void LookAtDns() {
    std::sort(asking_.begin(), asking_.end(), [](const NetworkPolicy* a, const NetworkPolicy* b) {
      return std::tie(a->namespace_name, a->name) < std::tie(b->namespace_name, b->name);
    });
    PodSet without = (isolated_.egress & reaching_) - with_udp_ - with_tcp_;
    PodSet udp_alone = (with_udp_ & reaching_) - with_tcp_;
    for (const NetworkPolicy* policy : asking_) {
      const PodSet subjects =
          ground_.selections().PodsOf(*ground_.selections().Pods(policy->namespace_name, policy->pod_selector));
      ground_.TurnTo(*policy);
      if (const PodSet pods = subjects & without; !pods.isEmpty()) {
        ground_.Find(kEgressWithoutDns, "spec.egress",
                     ground_.PodsText(pods) +
                         " may not ask for names: no egress rule admits port 53; admit UDP and TCP port 53 towards "
                         "the cluster's DNS");
        without -= pods;
      }
      if (!AdmitsPort(policy->egress, kProtoUdp, kDnsPort)) continue;
      if (const PodSet pods = subjects & udp_alone; !pods.isEmpty()) {
        ground_.Find(kDnsByUdpAlone, "spec.egress",
                     ground_.PodsText(pods) +
                         " may ask for names by UDP alone; admit TCP port 53 as well, which long answers need");
        udp_alone -= pods;
      }
    }
  }

  LintGround& ground_;

  // Of the present policy.
  const NetworkPolicy* policy_ = nullptr;
  PodSet subjects_;

  // Of all policies so far: pods that are isolated, may reach somebody, and may reach DNS.
  Isolated isolated_;
  PodSet reaching_;
  PodSet with_udp_;
  PodSet with_tcp_;
  std::vector<const NetworkPolicy*> asking_;
};

}  // namespace

Isolated LintNetworkPolicies(LintGround* ground) { return NetworkPolicyLint(ground).Run(); }

}  // namespace sluice
