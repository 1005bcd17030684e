#include "reference/random_world.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "reference/world.h"
#include "sluice/policy_terms.h"
#include "sluice/protocol.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

const std::vector<std::string> kKeys = {"app", "tier", "team", "env"};
const std::vector<std::string> kValues = {"", "a", "b", "c", "d"};
const std::vector<std::string> kPortNames = {"http", "dns", "metrics"};
const std::vector<std::uint8_t> kProtocols = {kProtoTcp, kProtoTcp, kProtoUdp, kProtoSctp};
const std::vector<std::string> kPatterns = {"a.example.com",   "b.example.com.", "*.example.com",
                                            "*.a.Example.com", "x.example.org",  "*.org"};
const std::vector<std::string> kNames = {"a.example.com",   "A.example.com.", "b.example.com", "c.a.example.com",
                                         "d.c.example.com", "example.com",    "x.example.org"};
const std::vector<std::string_view> kOutsiders = {"203.0.113.9", "8.8.8.8", "2001:db8:f::7"};
const std::vector<int> kPorts = {1, 22, 53, 80, 81, 82, 443, 8080, 8090, 30000, 65534, 65535};

}  // namespace

RandomWorld::RandomWorld(std::uint64_t seed, WorldSize size) : random_(seed), size_(size) {
  for (int i = 0; i < size.namespaces; ++i) {
    cluster_.namespaces.push_back({"ns" + std::to_string(i), {}});
    RelabelNamespace(cluster_.namespaces.back());
  }
  for (int i = 0; i < size.nodes; ++i) cluster_.nodes.push_back(RandomNode("node" + std::to_string(i)));
  for (int i = 0; i < size.pods; ++i) cluster_.pods.push_back(RandomPod());
  for (int i = 0; i < size.policies; ++i) {
    cluster_.policies.push_back(RandomPolicy(NamespaceName(), "policy" + std::to_string(names_made_++)));
  }
  for (int i = 0; i < size.cluster_policies; ++i) AddClusterPolicy();
}

bool RandomWorld::Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }
int RandomWorld::Below(int limit) { return std::uniform_int_distribution(0, limit - 1)(random_); }
template <typename T>
const T& RandomWorld::Pick(const std::vector<T>& from) {
  return from[static_cast<std::size_t>(Below(static_cast<int>(from.size())))];
}

// One beyond the namespaces that have an object, and for nodes likewise.
std::string RandomWorld::NamespaceName() { return "ns" + std::to_string(Below(size_.namespaces + 1)); }
std::string RandomWorld::NodeName() { return Chance(0.1) ? "" : "node" + std::to_string(Below(size_.nodes + 1)); }

Labels RandomWorld::RandomLabels() {
  std::map<std::string, std::string> labels;
  for (const std::string& key : kKeys) {
    if (Chance(0.6)) labels[key] = Pick(kValues);
  }
  return {labels.begin(), labels.end()};
}

LabelSelector RandomWorld::RandomSelector() {
  std::vector<LabelRequirement> requirements;
  for (int count = Pick<int>({0, 1, 1, 1, 2, 2, 3}); count > 0; --count) {
    const std::string& key = Pick(kKeys);
    std::vector<std::string> values;
    for (int i = Pick<int>({1, 1, 2, 3}); i > 0; --i) values.push_back(Pick(kValues));
    switch (Below(5)) {
      case 0:
      case 1:
        requirements.push_back(In(key, values));
        break;
      case 2:
        requirements.push_back(NotIn(key, values));
        break;
      case 3:
        requirements.push_back(Exists(key));
        break;
      default:
        requirements.push_back(DoesNotExist(key));
    }
  }
  return Where(std::move(requirements));
}

// Dense, so that blocks hold some pods and addresses are shared now and then (NP-83).
IpAddress RandomWorld::RandomPodAddress(Family family) {
  const auto host = static_cast<std::uint32_t>(Below(size_.pods * 8));
  return family == Family::kIpv4 ? IpAddress::V4(0x0a000000 + host) : IpAddress::V6(0xfd00'0000'0000'0000, host);
}

std::vector<ContainerPort> RandomWorld::RandomContainerPorts() {
  std::vector<ContainerPort> ports;
  for (int i = Pick<int>({0, 1, 1, 2, 3}); i > 0; --i) {
    ports.push_back({Pick(kPortNames), Pick(kProtocols), static_cast<std::uint16_t>(Pick(kPorts))});
  }
  return ports;
}

Pod RandomWorld::RandomPod() {
  Pod pod;
  pod.namespace_name = NamespaceName();
  pod.name = "pod" + std::to_string(names_made_++);
  pod.labels = RandomLabels();
  pod.node = NodeName();
  pod.ports = RandomContainerPorts();
  pod.created = 1'700'000'000 + Below(1000);
  if (Chance(0.05)) pod.phase = Chance(0.5) ? Pod::Phase::kSucceeded : Pod::Phase::kFailed;
  if (Chance(0.05)) {
    pod.host_network = true;
    pod.addresses = {RandomNodeAddress(pod.node)};
    pod.host_addresses = pod.addresses;
    return pod;
  }
  if (Chance(0.95)) pod.addresses.push_back(RandomPodAddress(Family::kIpv4));
  if (Chance(0.3)) pod.addresses.push_back(RandomPodAddress(Family::kIpv6));
  return pod;
}

// Four addresses a node, and now and then its neighbour's.
IpAddress RandomWorld::RandomNodeAddress(const std::string& node) {
  const int number = node.empty() ? size_.nodes + 1 : std::stoi(node.substr(4));
  return IpAddress::V4(0xc6330000 + static_cast<std::uint32_t>(number * 4 + Below(Chance(0.1) ? 8 : 4)));
}

NodeObject RandomWorld::RandomNode(std::string name) {
  NodeObject node{std::move(name), {}, {}, {}};
  node.addresses.push_back(RandomNodeAddress(node.name));
  if (Chance(0.5)) node.addresses.push_back(IpAddress::V6(0x2001'0db8'0000'0000, node.addresses[0].lo));
  node.pod_cidrs = RandomPodCidrs();
  node.labels = RandomLabels();
  for (int i = Pick<int>({0, 0, 1, 2}); i > 0; --i) {
    node.annotated_addresses.push_back(Chance(0.5) ? RandomNodeAddress(node.name)
                                                   : RandomPodAddress(Chance(0.7) ? Family::kIpv4 : Family::kIpv6));
  }
  return node;
}

// Small ones, so that pods have their first addresses now and then, and pods and other nodes lie in them (NP-72); down
// to those that have no second address; now and then another node's.
std::vector<Prefix> RandomWorld::RandomPodCidrs() {
  std::vector<Prefix> cidrs;
  for (int i = Pick<int>({0, 1, 1, 2, 3}); i > 0; --i) {
    if (Chance(0.2) && !cluster_.nodes.empty()) {
      const std::vector<Prefix>& others = Pick(cluster_.nodes).pod_cidrs;
      if (!others.empty()) cidrs.push_back(Pick(others));
      continue;
    }
    const Family family = Chance(0.6) ? Family::kIpv4 : Family::kIpv6;
    const IpAddress inside =
        Chance(0.1) && family == Family::kIpv4 ? RandomNodeAddress(NodeName()) : RandomPodAddress(family);
    cidrs.push_back(Prefix::Make(inside, static_cast<std::uint8_t>(AddressBits(family) - Pick<int>({0, 1, 2, 3, 5}))));
  }
  return cidrs;
}

IpBlock RandomWorld::RandomBlock() {
  const Family family = Chance(0.75) ? Family::kIpv4 : Family::kIpv6;
  const int bits = AddressBits(family);
  const auto random_prefix = [&](IpAddress inside, int shortest) {
    const int length = shortest >= bits ? bits
                       : Chance(0.3)    ? bits - Below(std::min(bits - shortest + 1, 4))
                                        : shortest + Below(bits - shortest + 1);
    return Prefix::Make(inside, static_cast<std::uint8_t>(length));
  };
  IpBlock block;
  block.cidr = Chance(0.2) ? Prefix::Make(RandomPodAddress(family), 0) : random_prefix(RandomPodAddress(family), 8);
  for (int i = Pick<int>({0, 0, 1, 2}); i > 0; --i) {
    const Prefix except = random_prefix(RandomPodAddress(family), block.cidr.length + 1);
    if (block.cidr.Contains(except) && except.length > block.cidr.length) block.excepts.push_back(except);
  }
  return block;
}

NetworkPolicyPeer RandomWorld::RandomPeer() {
  switch (Below(4)) {
    case 0:
      return PodPeer(RandomSelector());
    case 1:
      return NamespacePeer(RandomSelector());
    case 2:
      return PodPeerIn(RandomSelector(), RandomSelector());
    default:
      return {{}, {}, RandomBlock()};
  }
}

NetworkPolicyPort RandomWorld::RandomPort() {
  const std::uint8_t protocol = Pick(kProtocols);
  switch (Below(5)) {
    case 0:
      return AllPorts(protocol);
    case 1:
      return PortOf(protocol, Pick(kPortNames));
    case 2: {
      const auto first = static_cast<std::uint16_t>(Pick(kPorts));
      const auto last = static_cast<std::uint16_t>(Pick(kPorts));
      return PortsOf(protocol, std::min(first, last), std::max(first, last));
    }
    default:
      return PortOf(protocol, static_cast<std::uint16_t>(Pick(kPorts)));
  }
}

std::vector<NetworkPolicyRule> RandomWorld::RandomRules() {
  std::vector<NetworkPolicyRule> rules(static_cast<std::size_t>(Pick<int>({0, 1, 1, 2, 3})));
  for (NetworkPolicyRule& rule : rules) {
    for (int i = Pick<int>({0, 1, 1, 2, 3}); i > 0; --i) rule.peers.push_back(RandomPeer());
    for (int i = Pick<int>({0, 1, 1, 2, 3}); i > 0; --i) rule.ports.push_back(RandomPort());
  }
  return rules;
}

NetworkPolicy RandomWorld::RandomPolicy(std::string space, std::string name) {
  NetworkPolicy policy = MakePolicy(std::move(space), std::move(name), RandomSelector());
  if (Chance(0.7)) policy = Ingress(std::move(policy), RandomRules());
  if (Chance(0.6)) policy = Egress(std::move(policy), RandomRules());
  if (Chance(0.03)) {
    policy.refused = true;
    policy.ingress.clear();
    policy.egress.clear();
  }
  return policy;
}

void RandomWorld::RelabelNamespace(Namespace& space) {
  space.labels = RandomLabels();
  space.labels.emplace_back("kubernetes.io/metadata.name", space.name);
  std::sort(space.labels.begin(), space.labels.end());
}

std::string RandomWorld::Mutate() {
  auto& pods = cluster_.pods;
  auto& policies = cluster_.policies;
  const auto pod = [&]() -> Pod& { return pods[static_cast<std::size_t>(Below(static_cast<int>(pods.size())))]; };
  if (size_.cluster_policies > 0 && Chance(0.2)) return MutateClusterPolicy();
  const int kind = Below(10);
  if (kind == 0 || pods.size() < 3) {
    pods.push_back(RandomPod());
    return "added " + pods.back().name;
  }
  if (kind == 1) {
    const auto victim = pods.begin() + Below(static_cast<int>(pods.size()));
    const std::string name = victim->name;
    pods.erase(victim);
    return "removed " + name;
  }
  if (kind == 2) {
    Pod& changed = pod();
    changed.labels = RandomLabels();
    return "relabelled " + changed.name;
  }
  if (kind == 3) {
    Pod& changed = pod();
    changed.ports = RandomContainerPorts();
    return "changed the ports of " + changed.name;
  }
  if (kind == 4) {
    Pod& changed = pod();
    if (!changed.host_network) changed.node = NodeName();
    return "moved " + changed.name + " to '" + changed.node + '\'';
  }
  if (kind == 5) {
    Namespace& space =
        cluster_.namespaces[static_cast<std::size_t>(Below(static_cast<int>(cluster_.namespaces.size())))];
    RelabelNamespace(space);
    return "relabelled " + space.name;
  }
  if (kind == 6) {
    NodeObject& node = cluster_.nodes[static_cast<std::size_t>(Below(static_cast<int>(cluster_.nodes.size())))];
    // Other pod CIDRs have everything judged again: mostly, an address alone changes.
    const std::vector<Prefix> cidrs = Chance(0.3) ? RandomPodCidrs() : node.pod_cidrs;
    node = RandomNode(node.name);
    node.pod_cidrs = cidrs;
    return "changed the addresses of " + node.name;
  }
  if (kind == 7 || policies.size() < 3) {
    policies.push_back(RandomPolicy(NamespaceName(), "policy" + std::to_string(names_made_++)));
    return "added " + policies.back().name;
  }
  NetworkPolicy& policy = policies[static_cast<std::size_t>(Below(static_cast<int>(policies.size())))];
  const std::string name = policy.name;
  if (kind == 8) {
    policies.erase(policies.begin() + (&policy - policies.data()));
    return "removed " + name;
  }
  policy = RandomPolicy(policy.namespace_name, name);
  return "changed " + name;
}

ClusterPolicyPeer RandomWorld::RandomClusterPeer(Direction direction, Action action) {
  switch (Below(direction == Direction::kEgress ? (action == Action::kAllow ? 6 : 5) : 2)) {
    case 0:
      return InNamespaces(RandomSelector());
    case 1:
      return InPods(RandomSelector(), RandomSelector());
    case 2:
      return OfNodes(RandomSelector());
    case 5: {  // FQ-06: of an Accept alone
      std::vector<std::string> patterns;
      for (int i = Pick<int>({1, 1, 2, 3}); i > 0; --i) patterns.push_back(Pick(kPatterns));
      return OfNames(std::move(patterns));
    }
    default: {
      ClusterPolicyPeer peer;
      for (int i = Pick<int>({1, 1, 2}); i > 0; --i) peer.networks.push_back(RandomBlock().cidr);
      return peer;
    }
  }
}

// Now and then a rule in which something failed closed (CNP-08).
std::vector<ClusterPolicyRule> RandomWorld::RandomClusterRules(Direction direction) {
  std::vector<ClusterPolicyRule> rules(static_cast<std::size_t>(Pick<int>({0, 1, 2, 3})));
  for (ClusterPolicyRule& rule : rules) {
    rule.action = Pick<Action>({Action::kAllow, Action::kDeny, Action::kPass});
    if (Chance(0.3)) rule.name = "rule " + std::to_string(Below(5));
    if (Chance(0.03)) {
      rule.everyone = true;
      continue;
    }
    for (int i = Pick<int>({1, 1, 2, 3}) - (Chance(0.05) ? 1 : 0); i > 0; --i) {
      rule.peers.push_back(RandomClusterPeer(direction, rule.action));
    }
    rule.any_port = Chance(0.3);
    for (int i = rule.any_port ? 0 : Pick<int>({0, 1, 1, 2}); i > 0; --i) {
      if (Chance(0.3)) {
        rule.ports.push_back(OnNamed(Pick(kPortNames)));
        continue;
      }
      const auto first = static_cast<std::uint16_t>(Pick(kPorts));
      const auto last = Chance(0.5) ? first : static_cast<std::uint16_t>(Pick(kPorts));
      rule.ports.push_back(OnPorts(Pick(kProtocols), std::min(first, last), std::max(first, last)));
    }
  }
  return rules;
}

ClusterPolicy RandomWorld::RandomClusterPolicy(ClusterPolicyKind kind, std::string name) {
  const bool baseline = kind == ClusterPolicyKind::kBaselineAdminNetworkPolicy ||
                        (kind == ClusterPolicyKind::kClusterNetworkPolicy && Chance(0.5));
  ClusterPolicy policy = MakeClusterPolicy(std::move(name), baseline ? Tier::kBaseline : Tier::kAdmin,
                                           static_cast<std::uint32_t>(Below(4)), {RandomSelector(), RandomSelector()});
  policy.kind = kind;
  policy.ingress = RandomClusterRules(Direction::kIngress);
  policy.egress = RandomClusterRules(Direction::kEgress);
  return policy;
}

void RandomWorld::AddClusterPolicy() {
  const auto kind =
      Pick<ClusterPolicyKind>({ClusterPolicyKind::kClusterNetworkPolicy, ClusterPolicyKind::kClusterNetworkPolicy,
                               ClusterPolicyKind::kAdminNetworkPolicy, ClusterPolicyKind::kBaselineAdminNetworkPolicy});
  auto& all = cluster_.cluster_policies;
  std::string name = "cluster" + std::to_string(names_made_++);
  if (!all.empty() && Chance(0.3)) {
    const std::string other = Pick(all).name;
    const bool taken = std::any_of(all.begin(), all.end(),
                                   [&](const auto& policy) { return policy.kind == kind && policy.name == other; });
    if (!taken) name = other;
  }
  all.push_back(RandomClusterPolicy(kind, std::move(name)));
}

std::string RandomWorld::MutateClusterPolicy() {
  auto& all = cluster_.cluster_policies;
  const int kind = Below(4);
  if (kind == 0 && !cluster_.nodes.empty()) {
    NodeObject& node = cluster_.nodes[static_cast<std::size_t>(Below(static_cast<int>(cluster_.nodes.size())))];
    node.labels = RandomLabels();
    return "relabelled " + node.name;
  }
  if (kind == 1 || all.size() < 3) {
    AddClusterPolicy();
    return "added " + std::string(Name(all.back().kind)) + ' ' + all.back().name;
  }
  ClusterPolicy& policy = all[static_cast<std::size_t>(Below(static_cast<int>(all.size())))];
  const std::string title = std::string(Name(policy.kind)) + ' ' + policy.name;
  if (kind == 2) {
    all.erase(all.begin() + (&policy - all.data()));
    return "removed " + title;
  }
  policy = RandomClusterPolicy(policy.kind, policy.name);
  return "changed " + title;
}

reference::NamesByAddress RandomWorld::Names() {
  std::vector<IpAddress> addresses = Addresses(cluster_);
  for (const std::string_view outsider : kOutsiders) addresses.insert(addresses.end(), 10, Ip(outsider));
  reference::NamesByAddress names;
  for (std::size_t i = 0; i < addresses.size() / 3; ++i) names[Pick(addresses)].insert(Pick(kNames));
  return names;
}

std::vector<reference::Flow> RandomWorld::Flows(std::size_t count) {
  std::vector<IpAddress> addresses = Addresses(cluster_);
  for (const std::string_view outsider : kOutsiders) addresses.push_back(Ip(outsider));
  const std::vector<Service> services = Services(cluster_);
  std::vector<reference::Flow> flows;
  while (flows.size() < count) {
    const IpAddress& source = Pick(addresses);
    const IpAddress& destination = Chance(0.01) ? source : Pick(addresses);
    if (source.family != destination.family) continue;
    const Service& service = Pick(services);
    flows.push_back({source, destination, service.protocol, 40000, service.port});
  }
  return flows;
}

std::uint64_t TestSeed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("SLUICE_TEST_SEED");
    const std::uint64_t chosen =
        given != nullptr
            ? std::strtoull(given, nullptr, 10)
            : static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) % 1'000'000'000;
    std::printf("SLUICE_TEST_SEED=%llu\n", static_cast<unsigned long long>(chosen));
    return chosen;
  }();
  return seed;
}

}  // namespace sluice::test
