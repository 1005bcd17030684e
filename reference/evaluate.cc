#include "reference/evaluate.h"

#include <algorithm>
#include <utility>

#include "reference/match.h"

namespace sluice::reference {
namespace {

// NP-83. Finished pods were left out before, so the newer pod wins; if both are equally old, the first by name.
bool Outranks(const Pod& pod, const Pod& other) {
  if (pod.created != other.created) return pod.created > other.created;
  if (pod.namespace_name != other.namespace_name) return pod.namespace_name < other.namespace_name;
  return pod.name < other.name;
}

}  // namespace

Evaluator::Evaluator(const Cluster& cluster, NamesByAddress names) : names_(std::move(names)) {
  for (const Namespace& space : cluster.namespaces) namespace_labels_[space.name] = space.labels;
  for (const NodeObject& node : cluster.nodes) AddNode(node);
  for (const NodeObject& node : cluster.nodes) node_objects_.push_back(&node);
  for (const Pod& pod : cluster.pods) {
    // NP-33: a namespace that only its pods name.
    namespace_labels_.try_emplace(pod.namespace_name, Labels{{"kubernetes.io/metadata.name", pod.namespace_name}});
    if (pod.finished()) continue;  // NP-82
    if (!pod.node.empty()) {
      std::vector<IpAddress> addresses = pod.host_addresses;
      if (pod.host_network) addresses.insert(addresses.end(), pod.addresses.begin(), pod.addresses.end());  // NP-32
      for (const IpAddress& address : addresses) nodes_[address].told.insert(pod.node);
    }
    if (pod.host_network) continue;
    for (const IpAddress& address : pod.addresses) {
      const Pod*& holder = pods_[address];
      if (holder == nullptr || Outranks(pod, *holder)) holder = &pod;
    }
  }
  for (const NetworkPolicy& policy : cluster.policies) policies_[policy.namespace_name].push_back(&policy);
  for (auto& [space, policies] : policies_) {
    std::sort(policies.begin(), policies.end(),
              [](const NetworkPolicy* a, const NetworkPolicy* b) { return a->name < b->name; });
  }
  AddClusterPolicies(cluster);
}

Answer Evaluator::Evaluate(const Flow& flow, bool exemptions) const {
  Answer answer;
  answer.unknown_endpoint = IsUnknownEndpoint(flow.source) || IsUnknownEndpoint(flow.destination);
  answer.between_nodes = !answer.unknown_endpoint && IsBetweenNodes(flow);
  if (exemptions) answer.exemption = ExemptionOf(flow);
  if (answer.exemption != Exemption::kNone) return answer;
  answer.egress = Judge(Direction::kEgress, flow);
  answer.ingress = Judge(Direction::kIngress, flow);
  answer.allow = answer.egress.allow && answer.ingress.allow;  // NP-03
  return answer;
}

const Pod* Evaluator::FindPod(const IpAddress& address) const {
  const auto found = pods_.find(address);
  return found == pods_.end() ? nullptr : found->second;
}

bool Evaluator::IsNodeAddress(const std::string& node, const IpAddress& address) const {
  return FindPod(address) == nullptr && NodesAt(address) == std::set<std::string>{node};
}

bool Evaluator::IsUnknownEndpoint(const IpAddress& address) const {
  if (FindPod(address) != nullptr || !NodesAt(address).empty()) return false;
  // Clears the address bit by bit from the right, and compares the rest with the pod CIDRs of that length.
  IpAddress base = address;
  for (int length = address.is_v4() ? 32 : 128;; --length) {
    if (pod_cidr_lengths_[address.is_v4() ? 0 : 1].contains(length) &&
        pod_cidrs_.contains({base, static_cast<std::uint8_t>(length)})) {
      return true;
    }
    if (length == 0) return false;
    const int bit = (address.is_v4() ? 32 : 128) - length;
    (bit < 64 ? base.lo : base.hi) &= ~(std::uint64_t{1} << bit % 64);
  }
}

std::vector<IpAddress> Evaluator::NodeAddresses() const {
  std::vector<IpAddress> addresses;
  for (const auto& [address, holders] : nodes_) addresses.push_back(address);
  return addresses;
}

void Evaluator::AddNode(const NodeObject& node) {
  for (const IpAddress& address : node.addresses) nodes_[address].told.insert(node.name);
  for (const IpAddress& address : node.annotated_addresses) nodes_[address].told.insert(node.name);  // NP-72
  for (const Prefix& cidr : node.pod_cidrs) {
    pod_cidrs_.insert(cidr);
    pod_cidr_lengths_[cidr.base.is_v4() ? 0 : 1].insert(cidr.length);
    if (node.addresses_are_all) continue;
    IpAddress first = cidr.base;
    nodes_[first].presumed.insert(node.name);
    if (cidr.length == (first.is_v4() ? 32 : 128)) continue;  // there is no second address
    first.lo |= 1;                                            // the bit was zero, as all host bits are
    nodes_[first].presumed.insert(node.name);
  }
}

std::set<std::string> Evaluator::NodesAt(const IpAddress& address) const {
  const auto found = nodes_.find(address);
  if (found == nodes_.end()) return {};
  return found->second.told.empty() ? found->second.presumed : found->second.told;
}

Exemption Evaluator::ExemptionOf(const Flow& flow) const {
  const Pod* source = FindPod(flow.source);
  const Pod* destination = FindPod(flow.destination);
  if (source != nullptr && flow.source == flow.destination) return Exemption::kSelf;                     // NP-71
  if (source != nullptr && IsNodeAddress(source->node, flow.destination)) return Exemption::kNode;       // NP-70
  if (destination != nullptr && IsNodeAddress(destination->node, flow.source)) return Exemption::kNode;  // NP-70
  return Exemption::kNone;
}

// If several nodes claim an address, nobody knows whose it is: two such addresses may belong to one node.
bool Evaluator::IsBetweenNodes(const Flow& flow) const {
  if (FindPod(flow.source) != nullptr || FindPod(flow.destination) != nullptr) return false;
  const std::set<std::string> from = NodesAt(flow.source);
  const std::set<std::string> to = NodesAt(flow.destination);
  if (from.size() > 1 && to.size() > 1) return false;
  return from != to;
}

// CNP-01: asks each tier in turn, until one decides.
Side Evaluator::Judge(Direction direction, const Flow& flow) const {
  const Pod* subject = FindPod(direction == Direction::kEgress ? flow.source : flow.destination);
  if (subject == nullptr) return {};  // NP-03: policy does not apply to what is no managed pod
  const Side admin = JudgeByTier(Tier::kAdmin, direction, *subject, flow);
  if (admin.decided) return admin;
  const Side side = JudgeByNetworkPolicy(direction, *subject, flow);
  if (side.decided) return side;  // CNP-04: final
  return JudgeByTier(Tier::kBaseline, direction, *subject, flow);
}

Side Evaluator::JudgeByNetworkPolicy(Direction direction, const Pod& subject, const Flow& flow) const {
  const bool is_egress = direction == Direction::kEgress;
  const IpAddress& peer = is_egress ? flow.destination : flow.source;
  Side side;
  const auto policies = policies_.find(subject.namespace_name);
  if (policies == policies_.end()) return side;
  for (const NetworkPolicy* policy : policies->second) {
    if (!(is_egress ? policy->has_egress : policy->has_ingress)) continue;
    if (!SelectorMatches(policy->pod_selector, subject.labels)) continue;
    if (!side.decided) {  // NP-01
      side.decided = true;
      side.allow = false;
      side.policy = policy->namespace_name + '/' + policy->name;
    }
    side.isolated_by.push_back(policy->namespace_name + '/' + policy->name);
    const std::vector<NetworkPolicyRule>& rules = is_egress ? policy->egress : policy->ingress;
    for (std::size_t i = 0; i < rules.size(); ++i) {  // NP-02
      if (!RuleMatches(*policy, rules[i], peer, flow)) continue;
      side.allow = true;
      side.policy = policy->namespace_name + '/' + policy->name;
      side.rule = static_cast<std::int32_t>(i);
      side.isolated_by.clear();
      return side;
    }
  }
  return side;
}

bool Evaluator::RuleMatches(const NetworkPolicy& policy, const NetworkPolicyRule& rule, const IpAddress& peer,
                            const Flow& flow) const {
  bool peer_matches = rule.peers.empty();  // NP-22
  for (const NetworkPolicyPeer& candidate : rule.peers) {
    if (PeerMatches(policy, candidate, peer)) peer_matches = true;
  }
  bool port_matches = rule.ports.empty();  // NP-22, NP-61
  for (const NetworkPolicyPort& candidate : rule.ports) {
    if (PortMatches(candidate, flow)) port_matches = true;
  }
  return peer_matches && port_matches;  // NP-21
}

bool Evaluator::PeerMatches(const NetworkPolicy& policy, const NetworkPolicyPeer& peer,
                            const IpAddress& address) const {
  if (peer.ip_block) return BlockMatches(*peer.ip_block, address);  // NP-42: pods' addresses too
  const Pod* pod = FindPod(address);
  if (pod == nullptr) return false;  // NP-31, NP-32: selectors match only pods
  if (peer.namespace_selector) {
    if (!SelectorMatches(*peer.namespace_selector, namespace_labels_.at(pod->namespace_name))) return false;
  } else if (pod->namespace_name != policy.namespace_name) {
    return false;  // NP-30
  }
  return !peer.pod_selector || SelectorMatches(*peer.pod_selector, pod->labels);
}

bool Evaluator::PortMatches(const NetworkPolicyPort& port, const Flow& flow) const {
  if (port.protocol != flow.protocol) return false;
  if (!port.name.empty()) {
    const Pod* pod = FindPod(flow.destination);  // NP-51: of the destination, in both directions
    if (pod == nullptr) return false;
    for (const ContainerPort& container_port : pod->ports) {  // NP-52: any of those with this name
      if (container_port.name == port.name && container_port.protocol == port.protocol &&
          container_port.port == flow.destination_port) {
        return true;
      }
    }
    return false;
  }
  if (!port.port) return true;  // NP-50: all ports of the protocol
  const std::uint16_t last = port.end_port.value_or(*port.port);
  return *port.port <= flow.destination_port && flow.destination_port <= last;
}

}  // namespace sluice::reference
