// Small worlds, all of them: every form of selector, peer, port and policyTypes over a few pods, every flow between
// all addresses that matter. Compiled policy must say what the reference says, and name the same rule.
#include <gtest/gtest.h>

#include <tuple>

#include "reference/compare.h"
#include "reference/world.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

// Three namespaces (c has no labels of its own), two nodes, both families, a label of every kind: set, empty, missing.
Cluster SmallWorld() {
  return ClusterBuilder()
      .Namespace("a", {{"team", "red"}})
      .Namespace("b", {{"team", ""}})
      .Namespace("c")
      .Node("n1", {"192.0.2.1", "2001:db8::1"})
      .Node("n2", {"192.0.2.2"})
      .Pod("a/web", {{"app", "web"}, {"tier", "x"}}, {"10.0.0.1", "fd00::1"})
      .OnNode("n1")
      .Port("http", kProtoTcp, 80)
      .Port("dns", kProtoUdp, 53)
      .Pod("a/db", {{"app", "db"}}, {"10.0.0.2"})
      .OnNode("n1")
      .Port("http", kProtoTcp, 81)
      .Port("http", kProtoTcp, 90)
      .Pod("b/web", {{"app", "web"}}, {"10.0.1.1", "fd00::1:1"})
      .OnNode("n2")
      .Port("http", kProtoUdp, 80)
      .Pod("c/bare", {{"app", ""}}, {"10.0.2.1"})
      .OnNode("n2")
      .Pod("a/agent", {{"app", "web"}}, {"192.0.2.2"})
      .OnNode("n2")
      .HostNetwork()
      .Build();
}

const std::vector<std::string_view> kOutsiders = {"198.51.100.7", "203.0.113.9", "2001:db8:f::7"};

std::vector<LabelSelector> Selectors() {
  return {Everything(),
          Where({In("app", {"web"})}),
          Where({In("app", {"web", "db"})}),
          Where({In("app", {""})}),
          Where({In("app", {"none"})}),
          Where({NotIn("app", {"web"})}),
          Where({Exists("app")}),
          Where({Exists("tier")}),
          Where({DoesNotExist("tier")}),
          Where({In("app", {"web"}), NotIn("tier", {"x"})})};
}

std::vector<LabelSelector> NamespaceSelectors() {
  return {Everything(),
          Where({In("team", {"red"})}),
          Where({In("team", {""})}),
          Where({NotIn("team", {"red"})}),
          Where({Exists("team")}),
          Where({DoesNotExist("team")}),
          Where({In("kubernetes.io/metadata.name", {"c"})})};
}

std::vector<NetworkPolicyPeer> BlockPeers() {
  return {CidrPeer("0.0.0.0/0"),
          CidrPeer("::/0"),
          CidrPeer("0.0.0.0/0", {"10.0.0.0/8", "192.0.2.0/24"}),
          CidrPeer("10.0.0.0/30", {"10.0.0.2/32"}),
          CidrPeer("10.0.0.2/31", {"10.0.0.2/32"}),
          CidrPeer("10.0.1.1/32"),
          CidrPeer("128.0.0.0/1", {"198.51.100.0/24", "198.51.100.7/32"}),
          CidrPeer("198.51.100.7/32"),
          CidrPeer("fd00::/16", {"fd00::1:0/112"}),
          CidrPeer("fd00::1/128"),
          CidrPeer("2001:db8::/32", {"2001:db8:f::/48"}),
          CidrPeer("255.255.255.255/32")};
}

std::vector<std::vector<NetworkPolicyPeer>> PeerLists() {
  std::vector<std::vector<NetworkPolicyPeer>> lists = {{}};
  for (const LabelSelector& selector : Selectors()) lists.push_back({PodPeer(selector)});
  for (const LabelSelector& selector : NamespaceSelectors()) {
    lists.push_back({NamespacePeer(selector)});
    for (const LabelSelector& pods : Selectors()) lists.push_back({PodPeerIn(selector, pods)});
  }
  for (const NetworkPolicyPeer& peer : BlockPeers()) lists.push_back({peer});
  // Items are ORed, also where they overlap or undo each other's excepts.
  lists.push_back({CidrPeer("0.0.0.0/0", {"10.0.0.0/8"}), CidrPeer("10.0.0.0/8", {"10.0.0.0/24"})});
  lists.push_back({CidrPeer("0.0.0.0/0", {"10.0.0.1/32"}), PodPeer(Where({In("app", {"web"})}))});
  lists.push_back({PodPeer(Where({In("app", {"db"})})), NamespacePeer(Where({Exists("team")}))});
  lists.push_back({CidrPeer("::/0", {"fd00::/8"}), CidrPeer("0.0.0.0/0")});
  return lists;
}

std::vector<std::vector<NetworkPolicyPort>> PortLists() {
  return {{},
          {AllPorts(kProtoTcp)},
          {AllPorts(kProtoSctp)},
          {Tcp(80)},
          {PortOf(kProtoUdp, 53)},
          {Tcp(1), Tcp(65535)},
          {Tcp(80, 90)},
          {Tcp(1, 65535)},
          {Tcp("http")},
          {PortOf(kProtoUdp, "http")},
          {Tcp("nowhere")},
          {Tcp("http"), PortOf(kProtoUdp, 53)},
          {Tcp(80, 85), Tcp(83, 90), Tcp(91)},
          {AllPorts(kProtoTcp), Tcp(80), PortOf(kProtoUdp, "dns")}};
}

// Compares in one world after another, sharing neither compiler nor memory between them.
void Check(const Cluster& cluster) {
  std::vector<IpAddress> addresses = Addresses(cluster);
  for (const std::string_view outsider : kOutsiders) addresses.push_back(Ip(outsider));
  Compiler compiler;
  Classifier classifier(4096);
  const auto table = CompileWorld(cluster, compiler);
  const auto flows = AllFlows(addresses, Services(cluster));
  const auto difference = FirstDifference(cluster, *table, classifier, flows);
  ASSERT_FALSE(difference) << *difference << "\nin the world\n" << ToManifest(cluster);
}

TEST(SmallWorlds, EverySubjectAndPolicyTypes) {
  for (const LabelSelector& subjects : Selectors()) {
    for (int types = 0; types < 4; ++types) {
      for (const std::vector<NetworkPolicyRule>& rules :
           {std::vector<NetworkPolicyRule>{}, {NetworkPolicyRule{}}, {{{}, {Tcp(80)}}}}) {
        Cluster cluster = SmallWorld();
        NetworkPolicy policy = MakePolicy("a", "p", subjects);
        if (types & 1) policy = Ingress(policy, rules);
        if (types & 2) policy = Egress(policy, rules);
        cluster.policies = {policy};
        ASSERT_NO_FATAL_FAILURE(Check(cluster));
      }
    }
  }
}

NetworkPolicy WithRules(Direction direction, NetworkPolicy policy, std::vector<NetworkPolicyRule> rules) {
  return direction == Direction::kIngress ? Ingress(std::move(policy), std::move(rules))
                                          : Egress(std::move(policy), std::move(rules));
}

class SmallWorldsWithPorts : public testing::TestWithParam<std::tuple<Direction, std::size_t>> {};
INSTANTIATE_TEST_SUITE_P(All, SmallWorldsWithPorts,
                         testing::Combine(testing::Values(Direction::kIngress, Direction::kEgress),
                                          testing::Range(std::size_t{0}, PortLists().size())),
                         [](const auto& form) {
                           return std::string(Name(std::get<0>(form.param))) + "_form_" +
                                  std::to_string(std::get<1>(form.param));
                         });

TEST_P(SmallWorldsWithPorts, EveryPeerForm) {
  const auto [direction, port_form] = GetParam();
  for (const auto& peers : PeerLists()) {
    Cluster cluster = SmallWorld();
    cluster.policies = {WithRules(direction, MakePolicy("a", "p"), {{peers, PortLists()[port_form]}})};
    ASSERT_NO_FATAL_FAILURE(Check(cluster));
  }
}

class SmallWorldsIn : public testing::TestWithParam<Direction> {};
INSTANTIATE_TEST_SUITE_P(Direction, SmallWorldsIn, testing::Values(Direction::kIngress, Direction::kEgress),
                         [](const auto& form) { return std::string(Name(form.param)); });

TEST_P(SmallWorldsIn, EveryPairOfRulesInOnePolicyAndInTwo) {
  std::vector<NetworkPolicyRule> rules = {{}};
  for (const NetworkPolicyPeer& peer :
       {PodPeer(Where({In("app", {"web"})})), NamespacePeer(Where({In("team", {"red"})})),
        CidrPeer("10.0.0.0/16", {"10.0.0.1/32"}), CidrPeer("0.0.0.0/0", {"10.0.0.0/8"})}) {
    for (const NetworkPolicyPort& port : {Tcp(80, 90), Tcp("http"), AllPorts(kProtoUdp)}) {
      rules.push_back({{peer}, {port}});
    }
  }
  for (const NetworkPolicyRule& first : rules) {
    for (const NetworkPolicyRule& second : rules) {
      Cluster cluster = SmallWorld();
      cluster.policies = {WithRules(GetParam(), MakePolicy("a", "p"), {first, second})};
      ASSERT_NO_FATAL_FAILURE(Check(cluster));
      cluster.policies = {WithRules(GetParam(), MakePolicy("a", "q", Where({In("app", {"web"})})), {first}),
                          WithRules(GetParam(), MakePolicy("a", "p"), {second})};
      ASSERT_NO_FATAL_FAILURE(Check(cluster));
    }
  }
}

}  // namespace
}  // namespace sluice::test
