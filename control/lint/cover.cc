#include "lint/cover.h"

#include <algorithm>
#include <optional>
#include <string>

#include "sluice/cover.h"

namespace sluice {
namespace {

// Requirements are ANDed: a selector with fewer selects more.
bool Selects(const LabelSelector& wide, const LabelSelector& narrow) {
  return std::includes(narrow.requirements.begin(), narrow.requirements.end(), wide.requirements.begin(),
                       wide.requirements.end());
}

// A pod selector without a namespace selector looks into the policy's own namespace (NP-30), which is the same for
// both.
bool IsPeerCovered(const NetworkPolicyPeer& peer, const NetworkPolicyPeer& other) {
  if (peer.ip_block || other.ip_block) {
    return peer.ip_block && other.ip_block && IsBlockCovered(*peer.ip_block, *other.ip_block);
  }
  if (other.namespace_selector && !other.namespace_selector->requirements.empty() &&
      (!peer.namespace_selector || !Selects(*other.namespace_selector, *peer.namespace_selector))) {
    return false;
  }
  if (!other.namespace_selector && peer.namespace_selector) return false;
  const LabelSelector everyone;
  return Selects(other.pod_selector.value_or(everyone), peer.pod_selector.value_or(everyone));
}

bool IsPortCovered(const NetworkPolicyPort& port, const NetworkPolicyPort& other) {
  if (port.protocol != other.protocol) return false;
  if (!other.name.empty()) return port.name == other.name;
  if (!other.port) return true;  // every port of the protocol
  if (!port.port) return false;
  return *other.port <= *port.port && port.end_port.value_or(*port.port) <= other.end_port.value_or(*other.port);
}

bool HoldsWholeFamily(const std::vector<Prefix>& networks, Family family) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Prefix& one) { return one.base.family == family && one.length == 0; });
}

bool IsPeerCovered(const ClusterPolicyPeer& peer, const ClusterPolicyPeer& other) {
  if (IsEverywhere(other)) return true;
  if (peer.pods) return other.pods && IsCoveredBy(*peer.pods, *other.pods);
  if (peer.nodes) return other.nodes && Selects(*other.nodes, *peer.nodes);
  if (!peer.domain_names.empty()) return AreNamesCovered(peer.domain_names, other.domain_names);
  return !peer.networks.empty() && std::all_of(peer.networks.begin(), peer.networks.end(), [&](const Prefix& network) {
    return std::any_of(other.networks.begin(), other.networks.end(), [&](const Prefix& wide) {
      return wide.base.family == network.base.family && wide.Contains(network);
    });
  });
}

bool IsPortCovered(const ClusterPolicyPort& port, const ClusterPolicyPort& other) {
  if (!port.name.empty() || !other.name.empty()) return port.name == other.name;
  return port.protocol == other.protocol && other.first <= port.first && port.last <= other.last;
}

}  // namespace

bool IsEverywhere(const ClusterPolicyPeer& peer) {
  return HoldsWholeFamily(peer.networks, Family::kIpv4) && HoldsWholeFamily(peer.networks, Family::kIpv6);
}

bool IsCoveredBy(const PodSelection& selection, const PodSelection& other) {
  return Selects(other.namespaces, selection.namespaces) && Selects(other.pods, selection.pods);
}

bool ArePortsCovered(const ClusterPolicyRule& rule, const ClusterPolicyRule& other) {
  const auto covers_port = [&](const ClusterPolicyPort& port) {
    return std::any_of(other.ports.begin(), other.ports.end(),
                       [&](const ClusterPolicyPort& wide) { return IsPortCovered(port, wide); });
  };
  return other.any_port || (!rule.any_port && std::all_of(rule.ports.begin(), rule.ports.end(), covers_port));
}

bool IsCoveredBy(const ClusterPolicyRule& rule, const ClusterPolicyRule& other) {
  const auto covers_peer = [&](const ClusterPolicyPeer& peer) {
    return std::any_of(other.peers.begin(), other.peers.end(),
                       [&](const ClusterPolicyPeer& wide) { return IsPeerCovered(peer, wide); });
  };
  const bool peers =
      other.everyone || (!rule.everyone && std::all_of(rule.peers.begin(), rule.peers.end(), covers_peer));
  return !other.matches_nothing() && peers && ArePortsCovered(rule, other);
}

bool PortsMeet(const ClusterPolicyRule& rule, const ClusterPolicyRule& other) {
  if (rule.any_port || other.any_port) return true;
  return std::any_of(rule.ports.begin(), rule.ports.end(), [&](const ClusterPolicyPort& one) {
    return std::any_of(other.ports.begin(), other.ports.end(), [&](const ClusterPolicyPort& two) {
      if (!one.name.empty() || !two.name.empty()) return one.name.empty() != two.name.empty() || one.name == two.name;
      return one.protocol == two.protocol && one.first <= two.last && two.first <= one.last;
    });
  });
}

bool IsCoveredBy(const NetworkPolicyRule& rule, const NetworkPolicyRule& other) {
  const auto covers_peer = [&](const NetworkPolicyPeer& peer) {
    return std::any_of(other.peers.begin(), other.peers.end(),
                       [&](const NetworkPolicyPeer& wide) { return IsPeerCovered(peer, wide); });
  };
  const auto covers_port = [&](const NetworkPolicyPort& port) {
    return std::any_of(other.ports.begin(), other.ports.end(),
                       [&](const NetworkPolicyPort& wide) { return IsPortCovered(port, wide); });
  };
  const bool peers =
      other.peers.empty() || (!rule.peers.empty() && std::all_of(rule.peers.begin(), rule.peers.end(), covers_peer));
  const bool ports =
      other.ports.empty() || (!rule.ports.empty() && std::all_of(rule.ports.begin(), rule.ports.end(), covers_port));
  return peers && ports;
}

}  // namespace sluice
