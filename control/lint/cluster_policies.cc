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
#include "lint/tiers.h"
#include "sluice/cover.h"
#include "sluice/domain_name.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint8_t kPortProtocols[] = {kProtoTcp, kProtoUdp, kProtoSctp};

constexpr std::uint16_t kPlainDnsPort = 53;
constexpr std::uint16_t kEncryptedDnsPort = 853;
// Of NodeLocal DNSCache, as its manifests have it.
constexpr std::string_view kCacheLabel = "k8s-app";
constexpr std::string_view kCacheName = "node-local-dns";
constexpr int kNarrowRange = 1000;  // a wider one was not meant for it
// The best-known ones that answer by HTTPS.
constexpr std::string_view kPublicResolvers[] = {"*.dns.google", "*.cloudflare-dns.com", "*.dns.quad9.net",
                                                 "*.doh.opendns.com", "*.dns.nextdns.io"};

Prefix Host(const IpAddress& address) { return {address, static_cast<std::uint8_t>(AddressBits(address.family))}; }

class ClusterPolicyLint {
 public:
  ClusterPolicyLint(const Isolated& isolated, LintGround* ground) : isolated_(isolated), ground_(*ground) {}

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
    LookAtAnswers(policy);
  }

  // Whether the filter can learn what rules by name ask for.
  void LookAtAnswers(const ClusterPolicy& policy) {
    const auto asks_by_name = [](const ClusterPolicyRule& rule) {
      return std::any_of(rule.peers.begin(), rule.peers.end(),
                         [](const ClusterPolicyPeer& peer) { return !peer.domain_names.empty(); });
    };
    const auto by_name = std::find_if(policy.egress.begin(), policy.egress.end(), asks_by_name);
    if (by_name == policy.egress.end()) return;
    const std::string at = "spec.egress[" + std::to_string(by_name - policy.egress.begin()) + ']';
    LookForEncryptedDns(policy.egress);
    LookForNodeLocalDns(at);
    LookForDeniedDns(policy);
  }

  void LookForNodeLocalDns(const std::string& at) {
    const std::vector<Pod>& pods = ground_.manifests().cluster.pods;
    const auto cache = std::find_if(pods.begin(), pods.end(), [](const Pod& pod) {
      return std::any_of(pod.labels.begin(), pod.labels.end(),
                         [](const auto& label) { return label.first == kCacheLabel && label.second == kCacheName; });
    });
    if (cache == pods.end()) return;
    ground_.Find(kNodeLocalDns, at,
                 "is by name, and pods may be answered on their own node, by " + cache->namespace_name + '/' +
                     cache->name +
                     ". Such answers do not cross a filter at the node's uplink; filter at the pods' interfaces, with "
                     "the cache's address (169.254.20.10) in dns.resolvers, or push names (NamesService)");
  }

  // Only what no cluster policy takes back: elsewhere, whether DNS is admitted hangs on more than this policy.
  void LookForDeniedDns(const ClusterPolicy& policy) {
    const auto speaks_of_dns = [](const ClusterPolicyRule& rule) {
      return rule.any_port || std::any_of(rule.ports.begin(), rule.ports.end(), [](const ClusterPolicyPort& port) {
               return port.name.empty() && port.protocol == kProtoUdp && port.first <= kPlainDnsPort &&
                      kPlainDnsPort <= port.last;
             });
    };
    const auto lets_dns_by = [&](const ClusterPolicyRule& rule) {
      const bool is_by_name_alone =
          !rule.everyone && std::all_of(rule.peers.begin(), rule.peers.end(),
                                        [](const ClusterPolicyPeer& peer) { return !peer.domain_names.empty(); });
      return rule.action != Action::kDeny && !is_by_name_alone && speaks_of_dns(rule);
    };
    const auto denies = std::find_if(policy.egress.begin(), policy.egress.end(), [&](const ClusterPolicyRule& rule) {
      return rule.action == Action::kDeny && speaks_of_dns(rule) && IsOfEveryone(rule);
    });
    if (denies == policy.egress.end() || std::any_of(policy.egress.begin(), denies, lets_dns_by)) return;
    for (const ClusterPolicy& other : ground_.manifests().cluster.cluster_policies) {
      const bool is_asked_before =
          &other != &policy &&
          (other.tier < policy.tier || (other.tier == policy.tier && other.priority <= policy.priority));
      if (is_asked_before && std::any_of(other.egress.begin(), other.egress.end(), lets_dns_by)) return;
    }
    ground_.Find(
        kNamesWithoutDns, "spec.egress[" + std::to_string(denies - policy.egress.begin()) + ']',
        "denies DNS, and no rule before it accepts UDP port 53. So no name is resolved, and the policy's rules "
        "by name match nothing; accept UDP and TCP port 53 towards the cluster's DNS before it");
  }

  // Whoever asks by DNS over TLS (RFC 7858), QUIC (RFC 9250) or HTTPS gets answers that nobody else can read.
  void LookForEncryptedDns(const std::vector<ClusterPolicyRule>& rules) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (rules[i].action != Action::kAllow || rules[i].matches_nothing()) continue;
      const bool names_port = std::any_of(rules[i].ports.begin(), rules[i].ports.end(), [](const auto& port) {
        return port.name.empty() && port.protocol != kProtoSctp && port.first <= kEncryptedDnsPort &&
               kEncryptedDnsPort <= port.last && port.last - port.first < kNarrowRange;
      });
      if (!names_port && !NamesResolver(rules[i])) continue;
      ground_.Find(kEncryptedDns, "spec.egress[" + std::to_string(i) + ']',
                   "accepts DNS that is encrypted. The filter cannot read its answers, so rules by name match nothing "
                   "that was resolved by it; have pods ask a resolver in the clear, or push what it answers "
                   "(NamesService)");
    }
  }

  static bool NamesResolver(const ClusterPolicyRule& rule) {
    return std::any_of(rule.peers.begin(), rule.peers.end(), [](const ClusterPolicyPeer& peer) {
      return std::any_of(peer.domain_names.begin(), peer.domain_names.end(), [](const std::string& name) {
        return std::any_of(std::begin(kPublicResolvers), std::end(kPublicResolvers), [&](std::string_view resolver) {
          return DomainPatternCovers(resolver, name) || CanonicalDomainName(name) == resolver.substr(2);
        });
      });
    });
  }

  // Whether the rules decide more than their author likely thinks, or nothing.
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

  // What earlier rules of the policy keep from the rule, whatever the port.
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

  static bool IsOfEveryone(const ClusterPolicyRule& rule) {
    return rule.everyone || std::any_of(rule.peers.begin(), rule.peers.end(), [](const ClusterPolicyPeer& peer) {
             if (peer.pods) return peer.pods->namespaces.requirements.empty() && peer.pods->pods.requirements.empty();
             return std::any_of(peer.networks.begin(), peer.networks.end(),
                                [](const Prefix& network) { return network.length == 0; });
           });
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

  // Without pods, only what any pods would show.
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
  LintGround& ground_;
  PodSet subjects_;  // of the policy that is being looked at
};

}  // namespace

void LintClusterPolicies(const Isolated& isolated, LintGround* ground) { ClusterPolicyLint(isolated, ground).Run(); }

}  // namespace sluice
