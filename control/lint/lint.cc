#include "lint/lint.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "lint/cover.h"
#include "model/selector_text.h"
#include "resolve/cluster_state.h"
#include "resolve/selections.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

enum RuleNumber : std::size_t {
  kBlockCoversPods,
  kDnsByUdpAlone,
  kEgressWithoutDns,
  kEmptyPeerList,
  kNamedPortMissing,
  kNamespaceUnknown,
  kOrMeantAsAnd,
  kPeerMatchesNothing,
  kPortOfNoContainer,
  kRedundantRule,
  kRulesNotInForce,
  kSelectsNothing,
  kRuleCount,
};

constexpr std::array<LintRule, kRuleCount> kRules = {{
    {"block-covers-pods", "An ipBlock holds pods of the cluster, which it then admits like any other address."},
    {"dns-by-udp-alone", "Egress admits UDP port 53 and not TCP port 53, which long answers need."},
    {"egress-without-dns", "Pods are isolated for egress and no rule admits port 53, so that names are not resolved."},
    {"empty-peer-list", "A list of peers is empty, which means everyone and not nobody."},
    {"named-port-missing", "No pod that the port is looked up on has a port of that name."},
    {"namespace-unknown",
     "A selector asks for labels of namespaces, and no Namespace object tells those of a namespace that has pods."},
    {"or-meant-as-and",
     "A namespaceSelector and a podSelector are two peers, where one peer with both was likely meant."},
    {"peer-matches-nothing", "A peer selects no pod."},
    {"port-of-no-container", "All pods that the policy selects declare their ports, and none declares this one."},
    {"redundant-rule", "Another rule of the policy admits all that this one does."},
    {"rules-not-in-force", "The policy has rules in a direction that its policyTypes leave out."},
    {"selects-nothing", "A policy selects no pod."},
}};

constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint8_t kPortProtocols[] = {kProtoTcp, kProtoUdp, kProtoSctp};

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

// Each namespace has kubernetes.io/metadata.name, whether an object tells of it or not (NP-33).
bool AsksLabels(const LabelSelector& namespaces) {
  return std::any_of(namespaces.requirements.begin(), namespaces.requirements.end(),
                     [](const LabelRequirement& term) { return term.key != "kubernetes.io/metadata.name"; });
}

class Linter {
 public:
  Linter(const Manifests& manifests, LintScope scope)
      : manifests_(manifests), all_(scope == LintScope::kAll), state_([](const std::string&) {}), selections_(&state_) {
    const Cluster& cluster = manifests.cluster;
    for (const Namespace& space : cluster.namespaces) state_.UpsertNamespace(space);
    for (const Pod& pod : cluster.pods) {
      const std::uint32_t number = state_.AddPod(pod);
      const auto place = manifests.places.find("Pod " + pod.namespace_name + '/' + pod.name);
      if (place != manifests.places.end()) container_ports_[number] = &place->second.lines->container_ports;
      if (!state_.pod(number).IsEndpoint()) continue;
      for (const IpAddress& address : pod.addresses) addresses_.emplace_back(address, &pod);
    }
    std::sort(addresses_.begin(), addresses_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    has_pods_ = !state_.endpoints().isEmpty();
    std::set<std::string> spaces;
    for (const Pod& pod : cluster.pods) spaces.insert(pod.namespace_name);
    for (const std::string& space : spaces) {
      if (!manifests.places.contains("Namespace " + space)) unknown_spaces_.push_back(space);
    }
  }

  LintResult Run() {
    for (const NetworkPolicy& policy : manifests_.cluster.policies) LookAt(policy);
    for (const ClusterPolicy& policy : manifests_.cluster.cluster_policies) LookAt(policy);
    if (has_pods_ && all_) LookAtDns();
    std::sort(findings_.begin(), findings_.end(), [](const LintFinding& a, const LintFinding& b) {
      return std::tie(a.file, a.line, a.object, a.field, a.rule->name) <
             std::tie(b.file, b.line, b.object, b.field, b.rule->name);
    });
    return {std::move(findings_), has_pods_};
  }

 private:
  // A direction of the policy that is being looked at.
  struct Side {
    Direction direction;
    const std::vector<NetworkPolicyRule>* rules;
    std::string_view path;   // "spec.ingress"
    std::string_view peers;  // "from"
  };

  void LookAt(const NetworkPolicy& policy) {
    const auto place = manifests_.places.find("NetworkPolicy " + policy.namespace_name + '/' + policy.name);
    if (policy.refused || place == manifests_.places.end()) return;
    SetPolicy(policy, place->second);
    subjects_ = selections_.PodsOf(*selections_.Pods(policy.namespace_name, policy.pod_selector));
    if (has_pods_ && subjects_.isEmpty()) Find(kSelectsNothing, "spec.podSelector", WhySelectsNothing());
    for (const Side& side : {Side{Direction::kIngress, &policy.ingress, "spec.ingress", "from"},
                             Side{Direction::kEgress, &policy.egress, "spec.egress", "to"}}) {
      LookAt(side);
    }
    if (policy.has_egress && !policy.egress.empty()) asking_.push_back(&policy);
    if (!policy.has_egress) return;
    isolated_ |= subjects_;
    if (!policy.egress.empty()) reaching_ |= subjects_;
    if (AdmitsPort(policy.egress, kProtoUdp, kDnsPort)) with_udp_ |= subjects_;
    if (AdmitsPort(policy.egress, kProtoTcp, kDnsPort)) with_tcp_ |= subjects_;
  }

  void SetPolicy(const NetworkPolicy& policy, const ObjectPlace& place) {
    policy_ = &policy;
    place_ = &place;
    object_ = "NetworkPolicy " + policy.namespace_name + '/' + policy.name;
  }

  // Of cluster policy, what nothing answers to.
  void LookAt(const ClusterPolicy& policy) {
    object_ = std::string(Name(policy.kind)) + ' ' + policy.name;
    const auto place = manifests_.places.find(object_);
    if (policy.refused || place == manifests_.places.end()) return;
    place_ = &place->second;
    subjects_ = selections_.PodsOf(*selections_.Pods(policy.subject.namespaces, policy.subject.pods));
    if (has_pods_ && subjects_.isEmpty()) {
      Find(kSelectsNothing, "spec.subject", "no pod is its subject; check the labels against those of the pods");
    }
    LookForUnknownSpaces(policy.subject.namespaces, "spec.subject");
    LookAtRules(policy.ingress, Direction::kIngress, "spec.ingress");
    LookAtRules(policy.egress, Direction::kEgress, "spec.egress");
  }

  void LookAtRules(const std::vector<ClusterPolicyRule>& rules, Direction direction, std::string_view path) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const std::string at = std::string(path) + '[' + std::to_string(i) + ']';
      PodSet targets = subjects_;
      if (direction == Direction::kEgress) targets = rules[i].everyone ? state_.endpoints() : PodSet();
      for (const ClusterPolicyPeer& peer : rules[i].peers) {
        if (!peer.pods) continue;
        LookForUnknownSpaces(peer.pods->namespaces, at);
        if (direction == Direction::kIngress) continue;
        targets |= selections_.PodsOf(*selections_.Pods(peer.pods->namespaces, peer.pods->pods));
      }
      for (const ClusterPolicyPort& port : rules[i].ports) {
        if (port.name.empty() || targets.isEmpty()) continue;
        const bool has_one = std::any_of(std::begin(kPortProtocols), std::end(kPortProtocols),
                                         [&](std::uint8_t one) { return HasNamedPort(targets, one, port.name); });
        if (has_one) continue;
        Find(kNamedPortMissing, at,
             "no pod that the rule is for has a port '" + port.name +
                 "'; name a port of their containers, or give "
                 "its number");
      }
    }
  }

  // What labels such a namespace has is not known here, and a selector takes it for one that has none.
  void LookForUnknownSpaces(const LabelSelector& namespaces, const std::string& path) {
    if (unknown_spaces_.empty() || !AsksLabels(namespaces)) return;
    const std::size_t more = unknown_spaces_.size() - 1;
    Find(kNamespaceUnknown, path,
         "asks for labels of namespaces, and no Namespace object tells those of '" + unknown_spaces_[0] + '\'' +
             (more == 0 ? "" : " and " + std::to_string(more) + " more") +
             ", where there are pods; add the Namespaces, as by kubectl get namespaces -o yaml");
  }

  void LookAt(const Side& side) {
    const bool in_force = side.direction == Direction::kIngress ? policy_->has_ingress : policy_->has_egress;
    if (all_ && !in_force && place_->lines->Has(std::string(side.path) + "[0]")) {
      const std::string name = side.direction == Direction::kIngress ? "Ingress" : "Egress";
      Find(kRulesNotInForce, std::string(side.path),
           "policyTypes leaves " + name + " out, so these rules do nothing; add " + name + " to spec.policyTypes");
    }
    for (std::size_t i = 0; i < side.rules->size(); ++i) {
      const std::string path = std::string(side.path) + '[' + std::to_string(i) + ']';
      LookAtPeers((*side.rules)[i], path + '.' + std::string(side.peers));
      LookAtPorts(side, (*side.rules)[i], path + ".ports");
      if (all_) LookForCover(*side.rules, i, path);
    }
  }

  void LookAtPeers(const NetworkPolicyRule& rule, const std::string& path) {
    if (all_ && rule.peers.empty() && place_->lines->Has(path)) {
      Find(kEmptyPeerList, path,
           "an empty list means everyone; leave the field out if that is meant, and the whole rule if nobody is");
    }
    std::optional<std::size_t> spaces_alone;
    std::optional<std::size_t> pods_alone;
    for (std::size_t i = 0; i < rule.peers.size(); ++i) {
      const NetworkPolicyPeer& peer = rule.peers[i];
      const std::string at = path + '[' + std::to_string(i) + ']';
      if (peer.ip_block) {
        if (all_) LookAtBlock(*peer.ip_block, at + ".ipBlock");
        continue;
      }
      if (peer.namespace_selector) LookForUnknownSpaces(*peer.namespace_selector, at + ".namespaceSelector");
      if (!all_) continue;
      if (peer.namespace_selector && !peer.pod_selector) spaces_alone = i;
      if (!peer.namespace_selector && peer.pod_selector && !peer.pod_selector->requirements.empty()) pods_alone = i;
      if (has_pods_ && selections_.PodsOf(*selections_.Peers(policy_->namespace_name, {peer})).isEmpty()) {
        Find(kPeerMatchesNothing, at, WhyMatchesNothing(peer));
      }
    }
    if (spaces_alone && pods_alone) {
      Find(kOrMeantAsAnd, path + '[' + std::to_string(std::max(*spaces_alone, *pods_alone)) + ']',
           "these are two peers, and either is enough: all pods of the selected namespaces, or the selected pods of "
           "namespace " +
               policy_->namespace_name +
               ". For pods that are both, write podSelector and namespaceSelector in one list item");
    }
  }

  void LookAtBlock(const IpBlock& block, const std::string& path) {
    std::vector<Prefix> excepts = block.excepts;
    std::sort(excepts.begin(), excepts.end());
    const auto after = [this](const IpAddress& address) {
      return std::upper_bound(addresses_.begin(), addresses_.end(), address,
                              [](const IpAddress& one, const auto& other) { return one < other.first; });
    };
    const auto from = [this](const IpAddress& address) {
      return std::lower_bound(addresses_.begin(), addresses_.end(), address,
                              [](const auto& one, const IpAddress& other) { return one.first < other; });
    };
    std::ptrdiff_t count = 0;
    const Pod* example = nullptr;
    auto at = from(block.cidr.First());
    const auto take_until = [&](auto end) {
      if (end <= at) return;
      if (count == 0) example = at->second;
      count += end - at;
    };
    for (const Prefix& except : excepts) {
      take_until(from(except.First()));
      at = std::max(at, after(except.Last()));
    }
    take_until(after(block.cidr.Last()));
    if (count == 0) return;
    Find(kBlockCoversPods, path,
         block.cidr.ToString() + " also holds " + std::to_string(count) + (count == 1 ? " address" : " addresses") +
             " of pods, such as " + example->namespace_name + '/' + example->name +
             "'s; add the pod network to except, or name pods by selectors if they are meant");
  }

  void LookAtPorts(const Side& side, const NetworkPolicyRule& rule, const std::string& path) {
    if (!has_pods_) return;
    for (std::size_t i = 0; i < rule.ports.size(); ++i) {
      const NetworkPolicyPort& port = rule.ports[i];
      const std::string at = path + '[' + std::to_string(i) + ']';
      const bool ingress = side.direction == Direction::kIngress;
      if (!port.name.empty()) {
        const PodSet targets =
            ingress ? subjects_ : selections_.PodsOf(*selections_.Peers(policy_->namespace_name, rule.peers));
        if (!targets.isEmpty() && !HasNamedPort(targets, port.protocol, port.name)) {
          Find(kNamedPortMissing, at,
               "no pod that " + std::string(ingress ? "the policy selects" : "the rule names") + " has a " +
                   PortText(port) + "; name a port of their containers, or give its number");
        }
      } else if (all_ && ingress && port.port && !subjects_.isEmpty() && IsDeclaredByNone(port)) {
        Find(kPortOfNoContainer, at,
             "no container of " + PodsText(subjects_) + " declares " + PortText(port) +
                 "; check the number against containerPort");
      }
    }
  }

  bool HasNamedPort(const PodSet& pods, std::uint8_t protocol, const std::string& name) const {
    const PortIndex::Resolutions* known = state_.ports().Find(protocol, name);
    return known != nullptr &&
           std::any_of(known->begin(), known->end(), [&](const auto& entry) { return entry.second.intersect(pods); });
  }

  // False where some pod declares no port at all: what it listens on is then not known.
  bool IsDeclaredByNone(const NetworkPolicyPort& wanted) const {
    const std::uint16_t last = wanted.end_port.value_or(*wanted.port);
    for (const std::uint32_t pod : ToVector(subjects_)) {
      const auto declared = container_ports_.find(pod);
      if (declared == container_ports_.end() || declared->second->empty()) return false;
      const auto first = declared->second->lower_bound({wanted.protocol, *wanted.port});
      if (first != declared->second->end() && first->first == wanted.protocol && first->second <= last) return false;
    }
    return true;
  }

  // Of two that say the same, the later one.
  void LookForCover(const std::vector<NetworkPolicyRule>& rules, std::size_t index, const std::string& path) {
    for (std::size_t other = 0; other < rules.size(); ++other) {
      if (other == index || !IsCoveredBy(rules[index], rules[other])) continue;
      if (other > index && IsCoveredBy(rules[other], rules[index])) continue;
      Find(kRedundantRule, path,
           "rule " + std::to_string(other) + " admits all that this one does; remove one of them");
      return;
    }
  }

  std::string WhySelectsNothing() const {
    const std::uint32_t space = state_.FindNamespace(policy_->namespace_name);
    if (space == ClusterState::kNone || state_.space(space).endpoints.isEmpty()) {
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
    PodSet spaces = state_.all_namespaces();
    const IndexedSelector selector = state_.namespace_labels().Index(*peer.namespace_selector);
    state_.namespace_labels().Restrict(selector, &spaces);
    state_.namespace_labels().Release(selector);
    if (spaces.isEmpty()) {
      return "no namespace has the labels " + SelectorText(*peer.namespace_selector) +
             "; each has kubernetes.io/metadata.name, and others only as its Namespace object says";
    }
    return "the selected namespaces have no pod" + labels;
  }

  // Each pod is told of once, at the first policy by which it may reach somebody. A pod that may reach nobody at all is
  // shut in on purpose.
  void LookAtDns() {
    std::sort(asking_.begin(), asking_.end(), [](const NetworkPolicy* a, const NetworkPolicy* b) {
      return std::tie(a->namespace_name, a->name) < std::tie(b->namespace_name, b->name);
    });
    PodSet without = (isolated_ & reaching_) - with_udp_ - with_tcp_;
    PodSet udp_alone = (with_udp_ & reaching_) - with_tcp_;
    for (const NetworkPolicy* policy : asking_) {
      const PodSet subjects = selections_.PodsOf(*selections_.Pods(policy->namespace_name, policy->pod_selector));
      SetPolicy(*policy, manifests_.places.at("NetworkPolicy " + policy->namespace_name + '/' + policy->name));
      if (const PodSet pods = subjects & without; !pods.isEmpty()) {
        Find(kEgressWithoutDns, "spec.egress",
             PodsText(pods) +
                 " may not ask for names: no egress rule admits port 53; admit UDP and TCP port 53 towards "
                 "the cluster's DNS");
        without -= pods;
      }
      if (!AdmitsPort(policy->egress, kProtoUdp, kDnsPort)) continue;
      if (const PodSet pods = subjects & udp_alone; !pods.isEmpty()) {
        Find(kDnsByUdpAlone, "spec.egress",
             PodsText(pods) + " may ask for names by UDP alone; admit TCP port 53 as well, which long answers need");
        udp_alone -= pods;
      }
    }
  }

  std::string PodsText(const PodSet& pods) const {
    const PodEntry& first = state_.pod(pods.minimum());
    const std::string name = state_.space(first.space).name + '/' + first.name;
    const std::uint64_t more = pods.cardinality() - 1;
    return more == 0 ? "pod " + name : "pod " + name + " and " + std::to_string(more) + " more";
  }

  void Find(RuleNumber rule, const std::string& field, std::string message) {
    const std::uint32_t line = place_->lines->LineOf(field);
    findings_.push_back(
        {&kRules[rule], place_->file, line == 0 ? place_->line : line, object_, field, std::move(message)});
  }

  const Manifests& manifests_;
  const bool all_;  // and not only what nothing answers to
  ClusterState state_;
  Selections selections_;
  std::map<std::uint32_t, const std::set<std::pair<std::uint8_t, std::uint16_t>>*> container_ports_;  // by pod
  std::vector<std::pair<IpAddress, const Pod*>> addresses_;  // of endpoints, sorted
  bool has_pods_ = false;
  std::vector<std::string> unknown_spaces_;  // that have pods, and no object that tells their labels
  std::vector<LintFinding> findings_;

  // Of the policy that is being looked at.
  const NetworkPolicy* policy_ = nullptr;
  const ObjectPlace* place_ = nullptr;
  std::string object_;
  PodSet subjects_;

  // Of all policies so far: pods that are isolated for egress, may reach somebody, and may reach DNS.
  PodSet isolated_;
  PodSet reaching_;
  PodSet with_udp_;
  PodSet with_tcp_;
  std::vector<const NetworkPolicy*> asking_;
};

}  // namespace

std::span<const LintRule> LintRules() { return kRules; }

LintResult Lint(const Manifests& manifests, LintScope scope) { return Linter(manifests, scope).Run(); }

}  // namespace sluice
