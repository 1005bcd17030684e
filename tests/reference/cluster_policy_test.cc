// Cluster policy: the rules CNP-nn by example, asked of the reference and of compiled policy.
#include <gtest/gtest.h>

#include "reference/compare.h"
#include "reference/evaluate.h"
#include "reference/world.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

using reference::Answer;
using reference::Side;

constexpr Tier kAdmin = Tier::kAdmin;
constexpr Tier kBaseline = Tier::kBaseline;
constexpr Action kAccept = Action::kAllow;
constexpr Action kDeny = Action::kDeny;
constexpr Action kPass = Action::kPass;

Side By(Tier tier, bool allow, const char* policy, int rule, const char* name = "") {
  Side side{allow, true, tier, policy, rule, name};
  if (rule == -1) side.isolated_by = {policy};
  return side;
}
const Side kUndecided;

// Namespaces a {team: red} and b {team: blue}; pods web (named port http: TCP 80) and db in a, web in b, a hostNetwork
// agent; nodes n1 {zone: x} and n2 {zone: y}; an outsider.
class ClusterPolicyRules : public testing::Test {
 protected:
  // What both engines say.
  Answer Ask(std::string_view source, std::string_view destination, std::uint16_t port = 80,
             std::uint8_t protocol = kProtoTcp, bool exemptions = true) const {
    const reference::Flow flow{Ip(source), Ip(destination), protocol, 40000, port};
    const Answer answer = reference::Evaluator(cluster).Evaluate(flow, exemptions);
    Compiler compiler;
    Classifier classifier;
    const auto table = CompileWorld(cluster, compiler);
    EXPECT_EQ(Classify(*table, classifier, {&flow, 1}, exemptions).at(0), answer)
        << ToText(flow) << "\n  reference: " << ToText(answer);
    return answer;
  }
  Side IngressOf(std::string_view source, std::string_view destination, std::uint16_t port = 80,
                 std::uint8_t protocol = kProtoTcp) const {
    return Ask(source, destination, port, protocol).ingress;
  }
  Side EgressOf(std::string_view source, std::string_view destination, std::uint16_t port = 80,
                std::uint8_t protocol = kProtoTcp) const {
    return Ask(source, destination, port, protocol).egress;
  }
  void Add(ClusterPolicy policy) { cluster.cluster_policies.push_back(std::move(policy)); }

  const std::string_view a_web = "10.0.0.1", a_db = "10.0.0.2", b_web = "10.0.1.1", outside = "198.51.100.7",
                         n1 = "192.0.2.1", n2 = "192.0.2.2";
  const PodSelection in_a{Where({In("team", {"red"})}), {}};
  Cluster cluster = ClusterBuilder()
                        .Namespace("a", {{"team", "red"}})
                        .Namespace("b", {{"team", "blue"}})
                        .Node("n1", {"192.0.2.1"})
                        .Labelled({{"zone", "x"}})
                        .Node("n2", {"192.0.2.2"})
                        .Labelled({{"zone", "y"}})
                        .Pod("a/web", {{"app", "web"}}, {"10.0.0.1"})
                        .OnNode("n1")
                        .Port("http", kProtoTcp, 80)
                        .Pod("a/db", {{"app", "db"}}, {"10.0.0.2"})
                        .OnNode("n1")
                        .Pod("b/web", {{"app", "web"}}, {"10.0.1.1"})
                        .OnNode("n2")
                        .Port("http", kProtoUdp, 8080)
                        .Pod("a/agent", {{"app", "web"}}, {"192.0.2.2"})
                        .OnNode("n2")
                        .HostNetwork()
                        .Build();
};

TEST_F(ClusterPolicyRules, CNP_01_AdminThenNetworkPolicyThenBaselineThenAllow) {
  EXPECT_EQ(IngressOf(b_web, a_web), kUndecided);
  Add(WithIngress(MakeClusterPolicy("base", kBaseline, 0), {MakeRule(kDeny, {InNamespaces({})}, {}, "no pods")}));
  EXPECT_EQ(IngressOf(b_web, a_web), By(kBaseline, false, "base", 0, "no pods"));
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{}})};
  EXPECT_EQ(IngressOf(b_web, a_web), By(Tier::kNetworkPolicy, true, "a/p", 0));
  Add(WithIngress(MakeClusterPolicy("top", kAdmin, 1000), {MakeRule(kDeny, {InNamespaces({})})}));
  EXPECT_EQ(IngressOf(b_web, a_web), By(kAdmin, false, "top", 0));
}

TEST_F(ClusterPolicyRules, CNP_01_BothDirectionsMustPass) {
  Add(WithIngress(MakeClusterPolicy("in", kAdmin, 1), {MakeRule(kAccept, {InNamespaces({})})}));
  Add(WithEgress(MakeClusterPolicy("out", kAdmin, 2), {MakeRule(kDeny, {OfNetworks({"10.0.0.0/8"})})}));
  const Answer answer = Ask(b_web, a_web);
  EXPECT_FALSE(answer.allow);
  EXPECT_EQ(answer.ingress, By(kAdmin, true, "in", 0));
  EXPECT_EQ(answer.egress, By(kAdmin, false, "out", 0));
}

TEST_F(ClusterPolicyRules, CNP_02_LowerPrioritiesFirstThenTheListThenTheName) {
  const auto all = InNamespaces({});
  Add(WithIngress(MakeClusterPolicy("a-late", kAdmin, 20), {MakeRule(kDeny, {all})}));
  Add(WithIngress(MakeClusterPolicy("z-early", kAdmin, 10),
                  {MakeRule(kDeny, {all}, {OnTcp(81)}), MakeRule(kAccept, {all}), MakeRule(kDeny, {all})}));
  EXPECT_EQ(IngressOf(b_web, a_web, 80), By(kAdmin, true, "z-early", 1));
  EXPECT_EQ(IngressOf(b_web, a_web, 81), By(kAdmin, false, "z-early", 0));
  Add(WithIngress(MakeClusterPolicy("b-tie", kAdmin, 10), {MakeRule(kDeny, {all})}));
  EXPECT_EQ(IngressOf(b_web, a_web, 80), By(kAdmin, false, "b-tie", 0));
}

TEST_F(ClusterPolicyRules, CNP_03_AcceptAndDenyAreFinalAndPassLeavesTheTier) {
  const auto all = InNamespaces({});
  cluster.policies = {Ingress(MakePolicy("a", "p"), {})};
  Add(WithIngress(MakeClusterPolicy("admin", kAdmin, 1),
                  {MakeRule(kAccept, {all}, {OnTcp(80)}), MakeRule(kPass, {all}, {OnTcp(81)})}));
  Add(WithIngress(MakeClusterPolicy("later", kAdmin, 2), {MakeRule(kAccept, {all})}));
  EXPECT_EQ(IngressOf(b_web, a_web, 80), By(kAdmin, true, "admin", 0));
  EXPECT_EQ(IngressOf(b_web, a_web, 81), By(Tier::kNetworkPolicy, false, "a/p", -1));
  EXPECT_EQ(IngressOf(b_web, a_web, 82), By(kAdmin, true, "later", 0));
  Add(WithIngress(MakeClusterPolicy("base", kBaseline, 1),
                  {MakeRule(kPass, {all}, {OnTcp(81)}), MakeRule(kDeny, {all})}));
  EXPECT_EQ(IngressOf(a_web, b_web, 81), By(kBaseline, true, "base", 0));
  cluster.cluster_policies.erase(cluster.cluster_policies.begin() + 1);
  EXPECT_EQ(IngressOf(a_web, b_web, 82), By(kBaseline, false, "base", 1));
}

TEST_F(ClusterPolicyRules, CNP_04_BaselineIsNotReachedWhereANetworkPolicyIsolatesInThatDirection) {
  const auto all = InNamespaces({});
  Add(WithIngress(WithEgress(MakeClusterPolicy("base", kBaseline, 1), {MakeRule(kAccept, {all})}),
                  {MakeRule(kAccept, {all})}));
  cluster.policies = {Ingress(MakePolicy("a", "p"), {})};
  EXPECT_EQ(IngressOf(b_web, a_web), By(Tier::kNetworkPolicy, false, "a/p", -1));
  EXPECT_EQ(EgressOf(a_web, b_web), By(kBaseline, true, "base", 0));
}

TEST_F(ClusterPolicyRules, CNP_05_WhatNoRuleMatchesIsNotDenied) {
  Add(WithIngress(MakeClusterPolicy("one", kAdmin, 1), {MakeRule(kAccept, {InNamespaces({})}, {OnTcp(80)})}));
  Add(MakeClusterPolicy("none", kAdmin, 0));
  EXPECT_EQ(IngressOf(b_web, a_web, 81), kUndecided);
  EXPECT_EQ(EgressOf(a_web, outside), kUndecided);
}

TEST_F(ClusterPolicyRules, CNP_06_TheSubjectIsPodsOfThePodNetworkByBothLabels) {
  const auto networks = OfNetworks({"0.0.0.0/0"});
  Add(WithEgress(MakeClusterPolicy("web", kAdmin, 1, {in_a.namespaces, Where({In("app", {"web"})})}),
                 {MakeRule(kDeny, {networks})}));
  EXPECT_EQ(EgressOf(a_web, outside), By(kAdmin, false, "web", 0));
  EXPECT_EQ(EgressOf(a_db, outside), kUndecided);
  EXPECT_EQ(EgressOf(b_web, outside), kUndecided);
  EXPECT_EQ(EgressOf(n2, outside), kUndecided);  // the hostNetwork agent's
  Add(WithEgress(MakeClusterPolicy("all", kAdmin, 2), {MakeRule(kDeny, {networks})}));
  EXPECT_EQ(EgressOf(b_web, outside), By(kAdmin, false, "all", 0));
}

TEST_F(ClusterPolicyRules, CNP_07_NodesAreTheAddressesOfNodesByLabel) {
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1),
                 {MakeRule(kDeny, {OfNodes(Where({In("zone", {"y"})}))}, {OnTcp(80)}),
                  MakeRule(kDeny, {OfNodes({})}, {OnTcp(81)})}));
  EXPECT_EQ(EgressOf(a_web, n2), By(kAdmin, false, "p", 0));
  EXPECT_EQ(Ask(a_web, n1, 80, kProtoTcp, false).egress, kUndecided);
  EXPECT_EQ(Ask(a_web, n1, 81, kProtoTcp, false).egress, By(kAdmin, false, "p", 1));
  EXPECT_EQ(EgressOf(a_web, b_web, 81), kUndecided);
  EXPECT_EQ(EgressOf(a_web, outside, 81), kUndecided);
  cluster.nodes[1].labels = {{"zone", "x"}};
  EXPECT_EQ(EgressOf(a_web, n2), kUndecided);
}

TEST_F(ClusterPolicyRules, CNP_07_ANodesAddressThatAPodHasStaysThePods) {
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1), {MakeRule(kDeny, {OfNodes({})})}));
  cluster.pods.push_back(MakePod("b", "taker", {}, {"192.0.2.2"}));
  EXPECT_EQ(EgressOf(a_web, n2), kUndecided);
}

TEST_F(ClusterPolicyRules, CNP_07_DomainNamesMatchNothingThatWasNotLearnt) {
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1), {MakeRule(kAccept, {OfNames({"example.com"})}),
                                                     MakeRule(kDeny, {OfNetworks({"::/0", "0.0.0.0/0"})})}));
  EXPECT_EQ(EgressOf(a_web, outside), By(kAdmin, false, "p", 1));
}

TEST_F(ClusterPolicyRules, CNP_08_AnAcceptOfWhichNothingIsLeftMatchesNothingAndADenyOfEverythingAll) {
  ClusterPolicyRule everything;
  everything.action = kDeny;
  everything.everyone = true;
  ClusterPolicyRule no_port = MakeRule(kAccept, {InNamespaces({})});
  no_port.any_port = false;
  Add(WithIngress(MakeClusterPolicy("p", kAdmin, 1, in_a), {MakeRule(kAccept, {}), no_port, everything}));
  for (const std::string_view source : {b_web, outside, n2}) {
    EXPECT_EQ(IngressOf(source, a_web), By(kAdmin, false, "p", 2)) << source;
  }
  EXPECT_EQ(IngressOf(outside, a_web, 0, kProtoEsp), By(kAdmin, false, "p", 2));
}

TEST_F(ClusterPolicyRules, CNP_09_ProtocolsAreNumbersRangesAndNamesOfAnyProtocol) {
  const auto all = InNamespaces({});
  Add(WithIngress(MakeClusterPolicy("p", kAdmin, 1),
                  {MakeRule(kDeny, {all}, {OnNamed("http")}),
                   MakeRule(kDeny, {all}, {OnPorts(kProtoSctp, 5, 7), OnTcp(443)}), MakeRule(kAccept, {all})}));
  EXPECT_EQ(IngressOf(b_web, a_web, 80), By(kAdmin, false, "p", 0));
  EXPECT_EQ(IngressOf(b_web, a_web, 80, kProtoUdp), By(kAdmin, true, "p", 2));
  EXPECT_EQ(IngressOf(a_web, b_web, 8080, kProtoUdp), By(kAdmin, false, "p", 0));
  EXPECT_EQ(IngressOf(b_web, a_db, 80), By(kAdmin, true, "p", 2));  // has no port of that name
  EXPECT_EQ(IngressOf(b_web, a_web, 6, kProtoSctp), By(kAdmin, false, "p", 1));
  EXPECT_EQ(IngressOf(b_web, a_web, 8, kProtoSctp), By(kAdmin, true, "p", 2));
  EXPECT_EQ(IngressOf(b_web, a_web, 443), By(kAdmin, false, "p", 1));
  EXPECT_EQ(IngressOf(b_web, a_web, 0, kProtoIcmp), By(kAdmin, true, "p", 2));
}

TEST_F(ClusterPolicyRules, CNP_11_APodMayAlwaysReachItself) {
  Add(WithIngress(WithEgress(MakeClusterPolicy("p", kAdmin, 1), {MakeRule(kDeny, {OfNetworks({"0.0.0.0/0"})})}),
                  {MakeRule(kDeny, {InNamespaces({})})}));
  EXPECT_EQ(Ask(a_web, a_web).exemption, Exemption::kSelf);
  EXPECT_TRUE(Ask(a_web, a_web).allow);
  EXPECT_FALSE(Ask(a_web, a_db).allow);
}

TEST_F(ClusterPolicyRules, CNP_12_TheOlderKindsAreInTheSameTiersAndKeepTheirNamesApart) {
  const auto all = InNamespaces({});
  ClusterPolicy admin = WithIngress(MakeClusterPolicy("default", kAdmin, 5), {MakeRule(kDeny, {all}, {OnTcp(80)})});
  admin.kind = ClusterPolicyKind::kAdminNetworkPolicy;
  ClusterPolicy baseline = WithIngress(MakeClusterPolicy("default", kBaseline, 0), {MakeRule(kDeny, {all})});
  baseline.kind = ClusterPolicyKind::kBaselineAdminNetworkPolicy;
  Add(baseline);
  EXPECT_EQ(IngressOf(b_web, a_web, 80), By(kBaseline, false, "default", 0));
  Add(admin);
  EXPECT_EQ(IngressOf(b_web, a_web, 80), By(kAdmin, false, "default", 0));
  EXPECT_EQ(IngressOf(b_web, a_web, 81), By(kBaseline, false, "BaselineAdminNetworkPolicy/default", 0));
  Add(WithIngress(MakeClusterPolicy("default", kAdmin, 5), {MakeRule(kAccept, {all}, {OnTcp(81)})}));
  EXPECT_EQ(IngressOf(b_web, a_web, 80), By(kAdmin, false, "AdminNetworkPolicy/default", 0));
  EXPECT_EQ(IngressOf(b_web, a_web, 81), By(kAdmin, true, "default", 0));
}

TEST_F(ClusterPolicyRules, CNP_13_NetworksMatchPodsAndNodesAndEveryProtocolAndNoNamedPort) {
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1),
                 {MakeRule(kDeny, {OfNetworks({"10.0.0.0/8"}), OfNodes({})}, {OnNamed("http")}),
                  MakeRule(kAccept, {OfNetworks({"10.0.0.0/8", "192.0.2.0/24"})})}));
  EXPECT_EQ(EgressOf(b_web, a_web, 80), By(kAdmin, true, "p", 1));
  EXPECT_EQ(EgressOf(a_web, n2, 80), By(kAdmin, true, "p", 1));
  EXPECT_EQ(EgressOf(a_web, b_web, 0, kProtoEsp), By(kAdmin, true, "p", 1));
  EXPECT_EQ(EgressOf(a_web, outside), kUndecided);
  cluster.cluster_policies[0].egress[0].peers.push_back(InNamespaces(in_a.namespaces));
  EXPECT_EQ(EgressOf(b_web, a_web, 80), By(kAdmin, false, "p", 0));
}

TEST_F(ClusterPolicyRules, ANodesAgentIsNoPeerOfPods) {
  Add(WithIngress(MakeClusterPolicy("p", kAdmin, 1), {MakeRule(kDeny, {InNamespaces({})})}));
  EXPECT_EQ(IngressOf(n2, a_web), kUndecided);
}

// Every action in every place: two policies in the Admin tier, of every order of priorities, a NetworkPolicy that
// isolates with and without a rule, two rules in the Baseline tier; each of all peers or some, of all ports or one.
TEST(ClusterPolicySmallWorlds, EveryTierActionOverlapAndIsolation) {
  const Cluster base = ClusterBuilder()
                           .Namespace("a", {{"team", "red"}})
                           .Namespace("b")
                           .Pod("a/web", {{"app", "web"}}, {"10.0.0.1"})
                           .Port("http", kProtoTcp, 80)
                           .Pod("a/db", {{"app", "db"}}, {"10.0.0.2"})
                           .Pod("b/web", {{"app", "web"}}, {"10.0.1.1"})
                           .Build();
  const std::vector<IpAddress> addresses = {Ip("10.0.0.1"), Ip("10.0.0.2"), Ip("10.0.1.1"), Ip("198.51.100.7")};
  const auto flows = AllFlows(addresses, {{kProtoTcp, 80}, {kProtoTcp, 81}, {kProtoIcmp, 0}});
  const ClusterPolicyPeer all = InNamespaces({}), some = InPods(Where({In("team", {"red"})}), Where({Exists("app")}));
  const auto rules_of = [&](int form) {  // 0: none
    std::vector<ClusterPolicyRule> rules;
    if (form == 0) return rules;
    const auto action = static_cast<Action>((form - 1) % 3);
    rules.push_back((form - 1) / 3 == 0 ? MakeRule(action, {all}, {OnNamed("http")}) : MakeRule(action, {some}));
    return rules;
  };
  constexpr int kForms = 7;
  const std::pair<std::uint32_t, std::uint32_t> priorities[] = {{1, 2}, {2, 1}, {5, 5}};
  for (int first = 0; first < kForms; ++first) {
    for (int second = 0; second < kForms; ++second) {
      for (int baseline = 0; baseline < kForms; ++baseline) {
        for (int rest = 0; rest < 9; ++rest) {
          const int isolation = rest % 3;
          const auto [p, q] = priorities[rest / 3];
          Cluster cluster = base;
          const auto add = [&](const char* name, Tier tier, std::uint32_t priority, int form) {
            cluster.cluster_policies.push_back(
                WithEgress(WithIngress(MakeClusterPolicy(name, tier, priority), rules_of(form)), rules_of(form)));
          };
          add("x", kAdmin, p, first);
          add("y", kAdmin, q, second);
          add("z", kBaseline, 0, baseline);
          if (isolation > 0) {
            std::vector<NetworkPolicyRule> rules;
            if (isolation == 2) rules.push_back({{PodPeer({})}, {}});
            cluster.policies = {(first + second) % 2 == 0 ? Ingress(MakePolicy("a", "p"), rules)
                                                          : Egress(MakePolicy("a", "p"), rules)};
          }
          Compiler compiler;
          Classifier classifier(64);
          const auto table = CompileWorld(cluster, compiler);
          const auto difference = FirstDifference(cluster, *table, classifier, flows);
          ASSERT_FALSE(difference) << *difference << "\nin the world\n" << ToManifest(cluster);
        }
      }
    }
  }
}

}  // namespace
}  // namespace sluice::test
