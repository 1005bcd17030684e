#include "lint/rules_by_name.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/cover.h"
#include "sluice/domain_name.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint16_t kPlainDnsPort = 53;
constexpr std::uint16_t kEncryptedDnsPort = 853;
// As in the manifests of NodeLocal DNSCache.
constexpr std::string_view kCacheLabel = "k8s-app";
constexpr std::string_view kCacheName = "node-local-dns";
constexpr std::uint32_t kLinkLocal = 0xa9fe0000;  // 169.254.0.0/16; NodeLocal DNSCache suggests 169.254.20.10
constexpr int kNarrowRange = 1000;                // a wider range was not meant for it
// The best-known resolvers that answer by HTTPS.
constexpr std::string_view kPublicResolvers[] = {"*.dns.google", "*.cloudflare-dns.com", "*.dns.quad9.net",
                                                 "*.doh.opendns.com", "*.dns.nextdns.io"};

bool IsByName(const ClusterPolicyPeer& peer) { return !peer.domain_names.empty(); }

bool HasLabel(const Pod& pod, std::string_view key, std::string_view value) {
  return std::any_of(pod.labels.begin(), pod.labels.end(),
                     [&](const auto& label) { return label.first == key && label.second == value; });
}

bool IsPod(const LintResolver& resolver, const Pod& pod) {
  if (resolver.address) {
    return std::find(pod.addresses.begin(), pod.addresses.end(), *resolver.address) != pod.addresses.end();
  }
  return pod.namespace_name == resolver.namespace_name &&
         std::all_of(resolver.labels.begin(), resolver.labels.end(),
                     [&](const auto& label) { return HasLabel(pod, label.first, label.second); });
}

class RulesByNameLint {
 public:
  RulesByNameLint(const ClusterPolicy& policy, const LintDns* dns, LintGround* ground)
      : policy_(policy), dns_(dns), ground_(*ground) {}

  void Run() {
    const auto by_name = std::find_if(policy_.egress.begin(), policy_.egress.end(), [](const auto& rule) {
      return std::any_of(rule.peers.begin(), rule.peers.end(), IsByName);
    });
    if (by_name == policy_.egress.end()) return;
    const std::string at = FieldOf(static_cast<std::size_t>(by_name - policy_.egress.begin()));
    LookForEncryptedDns();
    LookForNodeLocalDns(at);
    if (dns_ == nullptr) return LookForDeniedDns();
    if (dns_->resolvers.empty()) {
      return ground_.Find(kNamesWithoutDns, at,
                          "is by name, and the configuration trusts no resolver, so that no name is learnt of DNS; "
                          "name the cluster's DNS in dns.resolvers, or push names (NamesService)");
    }
    LookForDeniedResolvers();
  }

 private:
  // The parts of one resolver that a rule can reach.
  struct Target {
    const LintResolver* resolver = nullptr;
    PodSet pods;
    std::vector<IpAddress> addresses;
  };

  static std::string FieldOf(std::size_t rule) { return "spec.egress[" + std::to_string(rule) + ']'; }

  // DNS over TLS (RFC 7858), QUIC (RFC 9250) or HTTPS gives answers that only the pod that asked can read.
  void LookForEncryptedDns() {
    const std::vector<ClusterPolicyRule>& rules = policy_.egress;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (rules[i].action != Action::kAllow || rules[i].matches_nothing()) continue;
      const bool names_port = std::any_of(rules[i].ports.begin(), rules[i].ports.end(), [](const auto& port) {
        return port.name.empty() && port.protocol != kProtoSctp && port.first <= kEncryptedDnsPort &&
               kEncryptedDnsPort <= port.last && port.last - port.first < kNarrowRange;
      });
      if (!names_port && !NamesPublicResolver(rules[i])) continue;
      ground_.Find(kEncryptedDns, FieldOf(i),
                   "accepts DNS that is encrypted. The filter cannot read its answers, so rules by name match nothing "
                   "that was resolved by it; have pods ask a resolver in the clear, or push what it answers "
                   "(NamesService)");
    }
  }

  static bool NamesPublicResolver(const ClusterPolicyRule& rule) {
    return std::any_of(rule.peers.begin(), rule.peers.end(), [](const ClusterPolicyPeer& peer) {
      return std::any_of(peer.domain_names.begin(), peer.domain_names.end(), [](const std::string& name) {
        return std::any_of(std::begin(kPublicResolvers), std::end(kPublicResolvers), [&](std::string_view resolver) {
          return DomainPatternCovers(resolver, name) || CanonicalDomainName(name) == resolver.substr(2);
        });
      });
    });
  }

  void LookForNodeLocalDns(const std::string& at) {
    const std::vector<Pod>& pods = ground_.manifests().cluster.pods;
    const auto cache =
        std::find_if(pods.begin(), pods.end(), [](const Pod& pod) { return HasLabel(pod, kCacheLabel, kCacheName); });
    if (cache == pods.end()) return;
    const std::string answered =
        "is by name, and pods may be answered on their own node, by " + cache->namespace_name + '/' + cache->name;
    if (dns_ != nullptr && dns_->at_pods) {
      const Prefix link_local = Prefix::Make(IpAddress::V4(kLinkLocal), 16);
      const bool trusts_it =
          std::any_of(dns_->resolvers.begin(), dns_->resolvers.end(), [&](const LintResolver& resolver) {
            return IsPod(resolver, *cache) || (resolver.address && link_local.Contains(*resolver.address));
          });
      if (trusts_it) return;
      return ground_.Find(kNodeLocalDns, at,
                          answered +
                              ", which the configuration does not trust; put the cache's address "
                              "(169.254.20.10) into dns.resolvers, or push names (NamesService)");
    }
    ground_.Find(kNodeLocalDns, at,
                 answered +
                     ". Such answers do not cross a filter at the node's uplink; filter at the pods' interfaces, "
                     "with the cache's address (169.254.20.10) in dns.resolvers, or push names (NamesService)");
  }

  bool SpeaksOfDns(const ClusterPolicyRule& rule) const {
    const std::uint16_t dns_port = dns_ == nullptr ? kPlainDnsPort : dns_->port;
    return rule.any_port || std::any_of(rule.ports.begin(), rule.ports.end(), [&](const ClusterPolicyPort& port) {
             return port.name.empty() && port.protocol == kProtoUdp && port.first <= dns_port && dns_port <= port.last;
           });
  }

  bool LetsDnsBy(const ClusterPolicyRule& rule) const {
    const bool is_by_name_alone = !rule.everyone && std::all_of(rule.peers.begin(), rule.peers.end(), IsByName);
    return rule.action != Action::kDeny && !is_by_name_alone && SpeaksOfDns(rule);
  }

  // Whether a policy that is asked before this one has a rule for which `lets_by` is true.
  template <typename LetsBy>
  bool IsLetByBefore(LetsBy lets_by) const {
    const std::vector<ClusterPolicy>& policies = ground_.manifests().cluster.cluster_policies;
    return std::any_of(policies.begin(), policies.end(), [&](const ClusterPolicy& other) {
      const bool is_asked_before =
          &other != &policy_ &&
          (other.tier < policy_.tier || (other.tier == policy_.tier && other.priority <= policy_.priority));
      return is_asked_before && std::any_of(other.egress.begin(), other.egress.end(), lets_by);
    });
  }

  // Reports only a denial that no cluster policy takes back. Otherwise, more than this policy decides about DNS.
  void LookForDeniedDns() {
    const std::vector<ClusterPolicyRule>& rules = policy_.egress;
    const auto lets_dns_by = [this](const ClusterPolicyRule& rule) { return LetsDnsBy(rule); };
    const auto denies = std::find_if(rules.begin(), rules.end(), [this](const ClusterPolicyRule& rule) {
      return rule.action == Action::kDeny && SpeaksOfDns(rule) && IsOfEveryone(rule);
    });
    if (denies == rules.end() || std::any_of(rules.begin(), denies, lets_dns_by) || IsLetByBefore(lets_dns_by)) return;
    ground_.Find(kNamesWithoutDns, FieldOf(static_cast<std::size_t>(denies - rules.begin())),
                 "denies DNS, and no rule before it accepts UDP port 53. So no name is resolved, and the policy's "
                 "rules by name match nothing; accept UDP and TCP port 53 towards the cluster's DNS before it");
  }

  Target TargetOf(const LintResolver& resolver) const {
    Target target{&resolver, {}, {}};
    if (resolver.address) target.addresses.push_back(*resolver.address);
    for (const LintGround::AddressOfPod& one : ground_.addresses()) {
      if (!IsPod(resolver, *one.pod)) continue;
      target.pods.add(one.number);
      if (!resolver.address) target.addresses.push_back(one.address);
    }
    return target;
  }

  PodSet PodsIn(const ClusterPolicyRule& rule) {
    PodSet pods;
    for (const ClusterPolicyPeer& peer : rule.peers) {
      if (peer.pods) pods |= ground_.PodsOf(*peer.pods);
    }
    return pods;
  }

  static bool NetworksHold(const ClusterPolicyRule& rule, const IpAddress& address) {
    return std::any_of(rule.peers.begin(), rule.peers.end(), [&](const ClusterPolicyPeer& peer) {
      return std::any_of(peer.networks.begin(), peer.networks.end(),
                         [&](const Prefix& network) { return network.Contains(address); });
    });
  }

  // Whether the rule admits a part of the target. If the manifests do not tell its pods (as for the address of a
  // Service), a rule for pods or nodes may admit it.
  bool MayReach(const ClusterPolicyRule& rule, const Target& target) {
    if (rule.everyone) return true;
    if (target.pods.isEmpty() && std::any_of(rule.peers.begin(), rule.peers.end(), [&](const ClusterPolicyPeer& peer) {
          return peer.pods || peer.nodes || (target.addresses.empty() && !peer.networks.empty());
        })) {
      return true;
    }
    return PodsIn(rule).intersect(target.pods) ||
           std::any_of(target.addresses.begin(), target.addresses.end(),
                       [&](const IpAddress& address) { return NetworksHold(rule, address); });
  }

  // Whether the rule denies all of the target.
  bool Covers(const ClusterPolicyRule& rule, const Target& target) {
    if (rule.everyone) return true;
    if (target.addresses.empty()) return IsOfEveryone(rule);
    if (!target.pods.isEmpty() && target.pods.isSubset(PodsIn(rule))) return true;
    return std::all_of(target.addresses.begin(), target.addresses.end(),
                       [&](const IpAddress& address) { return NetworksHold(rule, address); });
  }

  // The index of the rule that denies DNS towards the resolver; the number of rules if none does.
  std::size_t DenyOf(const Target& target) {
    const std::vector<ClusterPolicyRule>& rules = policy_.egress;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (LetsDnsBy(rules[i]) && MayReach(rules[i], target)) return rules.size();
      if (rules[i].action == Action::kDeny && SpeaksOfDns(rules[i]) && Covers(rules[i], target)) return i;
    }
    return rules.size();
  }

  // One resolver that pods can ask is enough.
  void LookForDeniedResolvers() {
    std::size_t denies = policy_.egress.size();
    std::string names;
    for (const LintResolver& resolver : dns_->resolvers) {
      const Target target = TargetOf(resolver);
      const std::size_t by = DenyOf(target);
      if (by == policy_.egress.size() ||
          IsLetByBefore([&](const ClusterPolicyRule& rule) { return LetsDnsBy(rule) && MayReach(rule, target); })) {
        return;
      }
      if (names.empty()) denies = by;
      names += (names.empty() ? "" : ", ") + resolver.text;
    }
    const std::string port = std::to_string(dns_->port);
    ground_.Find(kNamesWithoutDns, FieldOf(denies),
                 "denies DNS of all resolvers that the configuration trusts (" + names +
                     "), and no rule before it accepts UDP port " + port +
                     " towards one. So no name is learnt, and the policy's rules by name match nothing; accept UDP and "
                     "TCP port " +
                     port + " towards them before it");
  }

  const ClusterPolicy& policy_;
  const LintDns* dns_;
  LintGround& ground_;
};

}  // namespace

void LintRulesByName(const ClusterPolicy& policy, const LintDns* dns, LintGround* ground) {
  RulesByNameLint(policy, dns, ground).Run();
}

bool IsOfEveryone(const ClusterPolicyRule& rule) {
  return rule.everyone || std::any_of(rule.peers.begin(), rule.peers.end(), [](const ClusterPolicyPeer& peer) {
           if (peer.pods) return peer.pods->namespaces.requirements.empty() && peer.pods->pods.requirements.empty();
           return std::any_of(peer.networks.begin(), peer.networks.end(),
                              [](const Prefix& network) { return network.length == 0; });
         });
}

}  // namespace sluice
