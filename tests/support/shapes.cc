#include "support/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "support/cluster_builder.h"

namespace sluice {
namespace {

constexpr std::uint32_t kPods = 100'000;
constexpr std::uint32_t kPodsANode = 100;
constexpr std::uint32_t kPodBase = 0x0a000001;    // 10.0.0.1
constexpr std::uint32_t kChurnBase = 0x0a800001;  // 10.128.0.1
constexpr std::uint32_t kNodeBase = 0xc0a80001;   // 192.168.0.1

std::uint32_t Scaled(std::uint32_t count, double scale) {
  return std::max(1u, static_cast<std::uint32_t>(std::lround(count * scale)));
}

std::string Numbered(const char* stem, std::uint32_t i) { return stem + std::to_string(i); }

Namespace NamedNamespace(std::string name, Labels labels = {}) {
  labels.emplace_back("kubernetes.io/metadata.name", name);
  std::sort(labels.begin(), labels.end());
  return {std::move(name), std::move(labels)};
}

// Adds a pod at the next address, on the next node.
Pod& AddPod(Cluster* cluster, std::string namespace_name, Labels labels) {
  const auto i = static_cast<std::uint32_t>(cluster->pods.size());
  const std::uint32_t node = i / kPodsANode;
  if (node == cluster->nodes.size()) {
    cluster->nodes.push_back({Numbered("node-", node), {IpAddress::V4(kNodeBase + node)}, {}, {}});
  }
  Pod pod;
  pod.namespace_name = std::move(namespace_name);
  pod.name = Numbered("pod-", i);
  pod.labels = std::move(labels);
  pod.node = cluster->nodes[node].name;
  pod.addresses = {IpAddress::V4(kPodBase + i)};
  pod.ports = {{"http", kProtoTcp, static_cast<std::uint16_t>(i % 2 == 0 ? 80 : 8080)}};
  return cluster->pods.emplace_back(std::move(pod));
}

NetworkPolicy& AddPolicy(Cluster* cluster, std::string namespace_name, std::string name, LabelSelector pods) {
  NetworkPolicy policy;
  policy.namespace_name = std::move(namespace_name);
  policy.name = std::move(name);
  policy.pod_selector = std::move(pods);
  return cluster->policies.emplace_back(std::move(policy));
}

void AllowFrom(NetworkPolicy* policy, std::vector<NetworkPolicyPeer> peers, std::vector<NetworkPolicyPort> ports = {}) {
  policy->has_ingress = true;
  policy->ingress.push_back({std::move(peers), std::move(ports)});
}

void AllowTo(NetworkPolicy* policy, std::vector<NetworkPolicyPeer> peers, std::vector<NetworkPolicyPort> ports = {}) {
  policy->has_egress = true;
  policy->egress.push_back({std::move(peers), std::move(ports)});
}

// Namespaces of equally many pods, half of them app=web and half app=db.
Cluster Tenants(std::uint32_t namespaces, std::uint32_t pods) {
  Cluster cluster;
  for (std::uint32_t i = 0; i < namespaces; ++i) {
    cluster.namespaces.push_back(NamedNamespace(Numbered("tenant-", i), {{"team", Numbered("team-", i % 50)}}));
  }
  for (std::uint32_t i = 0; i < pods; ++i) {
    AddPod(&cluster, Numbered("tenant-", i % namespaces), {{"app", i / namespaces % 2 == 0 ? "web" : "db"}});
  }
  return cluster;
}

// Each tenant: default deny, same namespace, from the ingress controllers.
Cluster TemplatedTenants(std::uint32_t namespaces, std::uint32_t pods) {
  Cluster cluster = Tenants(namespaces, pods);
  cluster.namespaces.push_back(NamedNamespace("ingress"));
  for (int i = 0; i < 4; ++i) AddPod(&cluster, "ingress", {{"app", "controller"}});
  const LabelSelector controllers_namespace = Match({{"kubernetes.io/metadata.name", "ingress"}});
  for (std::uint32_t i = 0; i < namespaces; ++i) {
    const std::string tenant = Numbered("tenant-", i);
    NetworkPolicy& deny = AddPolicy(&cluster, tenant, "default-deny", {});
    deny.has_ingress = deny.has_egress = true;
    NetworkPolicy& same = AddPolicy(&cluster, tenant, "same-namespace", {});
    AllowFrom(&same, {PodPeer({})});
    AllowTo(&same, {PodPeer({})});
    AllowFrom(&AddPolicy(&cluster, tenant, "from-ingress-controllers", {}),
              {PodPeerIn(controllers_namespace, Match({{"app", "controller"}}))});
  }
  return cluster;
}

}  // namespace

Cluster TemplatesShape(double scale) { return TemplatedTenants(Scaled(5'000, scale), Scaled(kPods, scale)); }

Cluster LargeShape(double scale) { return TemplatedTenants(Scaled(25'000, scale), Scaled(kPods, scale)); }

Cluster AllPodsShape(double scale) {
  const std::uint32_t namespaces = Scaled(5'000, scale);
  Cluster cluster = Tenants(namespaces, Scaled(kPods, scale));
  for (std::uint32_t i = 0; i < namespaces; ++i) {
    AllowFrom(&AddPolicy(&cluster, Numbered("tenant-", i), "own-port", {}), {NamespacePeer({})},
              {Tcp(static_cast<std::uint16_t>(10'000 + i))});
  }
  return cluster;
}

Cluster WorldLessPrivateShape(double scale) {
  const std::uint32_t namespaces = Scaled(5'000, scale);
  Cluster cluster = Tenants(namespaces, Scaled(kPods, scale));
  for (std::uint32_t i = 0; i < namespaces; ++i) {
    const IpBlock own{Prefix::Make(IpAddress::V4(0x0a400000 + (i << 8)), 24), {}};  // from 10.64.0.0 up
    AllowTo(&AddPolicy(&cluster, Numbered("tenant-", i), "internet", {}),
            {CidrPeer("0.0.0.0/0", {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}), {{}, {}, own}});
  }
  return cluster;
}

Cluster LabelLatticeShape(double scale) {
  constexpr std::uint32_t kLabels = 6, kValues = 8;
  std::mt19937_64 random(4);
  Cluster cluster;
  cluster.namespaces.push_back(NamedNamespace("lattice"));
  const std::uint32_t pods = Scaled(kPods, scale);
  for (std::uint32_t i = 0; i < pods; ++i) {
    Labels labels;
    for (std::uint32_t label = 0; label < kLabels; ++label) {
      labels.emplace_back(Numbered("l", label), Numbered("v", static_cast<std::uint32_t>(random() % kValues)));
    }
    AddPod(&cluster, "lattice", std::move(labels));
  }
  const auto pair = [&random] {
    const auto first = static_cast<std::uint32_t>(random() % kLabels);
    const auto second = static_cast<std::uint32_t>((first + 1 + random() % (kLabels - 1)) % kLabels);
    return Match({{Numbered("l", first), Numbered("v", static_cast<std::uint32_t>(random() % kValues))},
                  {Numbered("l", second), Numbered("v", static_cast<std::uint32_t>(random() % kValues))}});
  };
  const std::uint32_t policies = Scaled(2'000, scale);
  for (std::uint32_t i = 0; i < policies; ++i) {
    NetworkPolicy& policy = AddPolicy(&cluster, "lattice", Numbered("policy-", i), pair());
    AllowFrom(&policy, {PodPeer(pair())}, {Tcp(static_cast<std::uint16_t>(1'000 + i))});
  }
  return cluster;
}

Cluster LongListsShape(double scale) {
  const std::uint32_t entries = Scaled(10'000, scale);
  const std::uint32_t policies = Scaled(500, scale);
  std::mt19937_64 random(5);
  std::vector<NetworkPolicyPeer> list;
  for (std::uint32_t i = 0; i < entries; ++i) {
    const auto address = static_cast<std::uint32_t>(0x40000000 + random() % 0x60000000);  // 64.0.0.0 to 159.255.255.255
    list.push_back(
        {{}, {}, IpBlock{Prefix::Make(IpAddress::V4(address), static_cast<std::uint8_t>(20 + random() % 13)), {}}});
  }
  Cluster cluster = Tenants(policies + 1, 10 * (policies + 1));
  AllowTo(&AddPolicy(&cluster, "tenant-0", "list", {}), list);
  for (std::uint32_t i = 1; i <= policies; ++i) {
    std::vector<NetworkPolicyPeer> own = list;
    if (i % 2 == 1) own[random() % entries].ip_block->cidr = Prefix::Make(IpAddress::V4(0xa0000000 + i), 32);
    AllowTo(&AddPolicy(&cluster, Numbered("tenant-", i), "list", {}), std::move(own));
  }
  return cluster;
}

Cluster ManyPortsShape(double scale) {
  const std::uint32_t policies = Scaled(100, scale);
  std::mt19937_64 random(6);
  Cluster cluster = Tenants(Scaled(10, scale), Scaled(1'000, scale));
  for (std::uint32_t i = 0; i < policies; ++i) {
    std::vector<NetworkPolicyPort> ports;
    for (std::uint32_t p = 0; p < 100; ++p) {
      const auto first = static_cast<std::uint16_t>(1 + random() % 60'000);
      ports.push_back(p % 2 == 0 ? Tcp(first) : Tcp(first, static_cast<std::uint16_t>(first + random() % 5'000)));
    }
    const auto tenant = static_cast<std::uint32_t>(i % cluster.namespaces.size());
    AllowFrom(&AddPolicy(&cluster, Numbered("tenant-", tenant), Numbered("ports-", i), {}), {NamespacePeer({})},
              std::move(ports));
  }
  return cluster;
}

Cluster ManySubjectsShape(double scale) {
  constexpr std::uint32_t kLabels = 5, kValues = 100, kChosen = 10;  // a tenth of the pods, chosen in many ways
  std::mt19937_64 random(7);
  Cluster cluster;
  cluster.namespaces.push_back(NamedNamespace("crowd"));
  const std::uint32_t pods = Scaled(kPods, scale);
  for (std::uint32_t i = 0; i < pods; ++i) {
    Labels labels;
    for (std::uint32_t label = 0; label < kLabels; ++label) {
      labels.emplace_back(Numbered("l", label), Numbered("v", static_cast<std::uint32_t>(random() % kValues)));
    }
    AddPod(&cluster, "crowd", std::move(labels));
  }
  const std::uint32_t policies = Scaled(10'000, scale);
  for (std::uint32_t i = 0; i < policies; ++i) {
    std::vector<std::string> values;
    while (values.size() < kChosen) {
      std::string value = Numbered("v", static_cast<std::uint32_t>(random() % kValues));
      if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(std::move(value));
    }
    NetworkPolicy& policy = AddPolicy(&cluster, "crowd", Numbered("policy-", i),
                                      Where({In(Numbered("l", i % kLabels), std::move(values))}));
    AllowFrom(&policy, {NamespacePeer({})}, {Tcp(static_cast<std::uint16_t>(1 + i))});
  }
  return cluster;
}

std::span<const Shape> Shapes() {
  static constexpr std::array kShapes = {
      Shape{"templates", TemplatesShape},
      Shape{"all pods", AllPodsShape},
      Shape{"world less private", WorldLessPrivateShape},
      Shape{"label lattice", LabelLatticeShape},
      Shape{"long lists", LongListsShape},
      Shape{"many ports", ManyPortsShape},
      Shape{"many subjects", ManySubjectsShape},
      Shape{"large", LargeShape},
  };
  return kShapes;
}

Cluster UnderClusterPolicies(Cluster cluster, std::uint32_t policies) {
  constexpr std::uint32_t kIngress = 13, kEgress = 12, kSelectors = 20;
  std::mt19937_64 random(8);
  const auto labelled = [&](std::uint32_t i) {
    const Pod& pod = cluster.pods[(std::size_t{i} * 7919) % cluster.pods.size()];
    const auto& [key, value] = pod.labels[i % pod.labels.size()];
    return InPods({}, Match({{key, value}}));
  };
  const auto peer = [&](std::uint32_t i, bool is_egress) {
    if (is_egress && i % 5 == 4) return OfNetworks({"198.51." + std::to_string(i / 5 % 20) + ".0/24"});
    return i % 3 == 0 ? InNamespaces({}) : labelled(i % kSelectors);
  };
  constexpr std::array kActions = {Action::kPass, Action::kAllow, Action::kDeny};
  std::uint32_t rule = 0;
  const auto rules = [&](std::uint32_t count, bool is_egress) {
    std::vector<ClusterPolicyRule> list;
    for (std::uint32_t i = 0; i < count; ++i, ++rule) {
      const auto port = static_cast<std::uint16_t>(2'000 + rule % 60'000);
      list.push_back(MakeRule(kActions[random() % kActions.size()], {peer(rule, is_egress)}, {OnTcp(port)}));
    }
    return list;
  };
  for (std::uint32_t i = 0; i < policies; ++i) {
    ClusterPolicy policy =
        MakeClusterPolicy(Numbered("tier-", i), i % 2 == 0 ? Tier::kAdmin : Tier::kBaseline, i % 1000);
    policy = WithIngress(std::move(policy), rules(kIngress, false));
    cluster.cluster_policies.push_back(WithEgress(std::move(policy), rules(kEgress, true)));
  }
  return cluster;
}

void Churn::Step(Cluster* cluster, std::size_t count) {
  std::vector<Pod>& pods = cluster->pods;
  for (std::size_t i = 0; i < count; ++i) {
    Pod& gone = pods[random_() % pods.size()];
    const Pod& like = pods[random_() % pods.size()];
    Pod fresh = like;
    fresh.name = Numbered("fresh-", added_);
    fresh.addresses = {IpAddress::V4(kChurnBase + added_)};
    ++added_;
    gone = std::move(fresh);
  }
}

}  // namespace sluice
