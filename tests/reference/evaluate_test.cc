// The reference evaluator against answers written by hand from docs/semantics.md.
#include "reference/evaluate.h"

#include <gtest/gtest.h>

#include "reference/world.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

using reference::Answer;
using reference::Evaluator;
using reference::Side;

const Side kUndecided;
Side AllowedBy(const char* policy, int rule) { return {true, true, Tier::kNetworkPolicy, policy, rule}; }
Side DeniedBy(std::vector<std::string> policies) {
  return {false, true, Tier::kNetworkPolicy, policies.front(), -1, {}, policies};
}
Side DeniedBy(const char* policy) { return DeniedBy(std::vector<std::string>{policy}); }

// Namespaces a {team: red} and b {team: blue}; pods web (named port http: TCP 80) and db in a, web in b; an outsider.
class Reference : public testing::Test {
 protected:
  Answer Ask(std::string_view source, std::string_view destination, std::uint16_t port = 80,
             std::uint8_t protocol = kProtoTcp, bool exemptions = true) const {
    return Evaluator(cluster).Evaluate({Ip(source), Ip(destination), protocol, 40000, port}, exemptions);
  }
  bool Allows(std::string_view source, std::string_view destination, std::uint16_t port = 80,
              std::uint8_t protocol = kProtoTcp) const {
    return Ask(source, destination, port, protocol).allow;
  }

  const std::string_view a_web = "10.0.0.1", a_db = "10.0.0.2", b_web = "10.0.1.1", outside = "198.51.100.7";
  Cluster cluster = ClusterBuilder()
                        .Namespace("a", {{"team", "red"}})
                        .Namespace("b", {{"team", "blue"}})
                        .Node("n1", {"192.0.2.1", "2001:db8::1"})
                        .Node("n2", {"192.0.2.2"})
                        .Pod("a/web", {{"app", "web"}}, {"10.0.0.1", "fd00::1"})
                        .OnNode("n1")
                        .Port("http", kProtoTcp, 80)
                        .Pod("a/db", {{"app", "db"}}, {"10.0.0.2"})
                        .OnNode("n1")
                        .Pod("b/web", {{"app", "web"}}, {"10.0.1.1"})
                        .OnNode("n2")
                        .Build();
};

TEST_F(Reference, NP_01_NoPolicyAllowsAndNamesNone) {
  EXPECT_EQ(Ask(outside, a_web), (Answer{true, kUndecided, kUndecided, Exemption::kNone}));
}

TEST_F(Reference, NP_01_IsolatesOnlySelectedPodsOfItsNamespaceInItsDirection) {
  cluster.policies = {Ingress(MakePolicy("a", "deny", Where({In("app", {"web"})})), {})};
  EXPECT_EQ(Ask(b_web, a_web), (Answer{false, kUndecided, DeniedBy("a/deny"), Exemption::kNone}));
  EXPECT_TRUE(Allows(b_web, a_db));
  EXPECT_TRUE(Allows(a_db, b_web));
  EXPECT_TRUE(Allows(a_web, b_web));
}

TEST_F(Reference, NP_02_RulesOfAllPoliciesAreUnitedAndTheFirstByNameIsNamed) {
  cluster.policies = {Ingress(MakePolicy("a", "z"), {{{}, {Tcp(80)}}, {{}, {Tcp(443)}}}),
                      Ingress(MakePolicy("a", "m"), {{{}, {Tcp(443)}}}), Ingress(MakePolicy("a", "b"), {})};
  EXPECT_EQ(Ask(outside, a_web, 80).ingress, AllowedBy("a/z", 0));
  EXPECT_EQ(Ask(outside, a_web, 443).ingress, AllowedBy("a/m", 0));
  EXPECT_EQ(Ask(outside, a_web, 22).ingress, DeniedBy({"a/b", "a/m", "a/z"}));
}

TEST_F(Reference, NP_03_BothEndsMustPass) {
  cluster.policies = {Egress(MakePolicy("b", "out"), {{{}, {Tcp(80)}}}),
                      Ingress(MakePolicy("a", "in"), {{{}, {Tcp(443)}}})};
  const Answer answer = Ask(b_web, a_web, 80);
  EXPECT_FALSE(answer.allow);
  EXPECT_TRUE(answer.egress.allow);
  EXPECT_FALSE(answer.ingress.allow);
  EXPECT_FALSE(Allows(b_web, a_web, 443));
  EXPECT_TRUE(Allows(b_web, outside, 80));
}

TEST_F(Reference, NP_16_RefusedPolicyIsolates) {
  NetworkPolicy refused = Egress(Ingress(MakePolicy("a", "broken"), {}), {});
  refused.refused = true;
  cluster.policies = {refused};
  EXPECT_EQ(Ask(a_web, a_db), (Answer{false, DeniedBy("a/broken"), DeniedBy("a/broken"), Exemption::kNone}));
}

TEST_F(Reference, NP_20_NoRulesDenyAllAndOneEmptyRuleAllowsAll) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {})};
  EXPECT_FALSE(Allows(outside, a_web));
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{}})};
  EXPECT_EQ(Ask(outside, a_web).ingress, AllowedBy("a/p", 0));
  EXPECT_TRUE(Allows(outside, a_web, 0, kProtoIcmp));
}

TEST_F(Reference, NP_21_PeersAndPortsAreAndedItemsOred) {
  cluster.policies = {
      Ingress(MakePolicy("a", "p"), {{{PodPeer(Everything()), CidrPeer("198.51.100.0/24")}, {Tcp(80), Tcp(81)}}})};
  EXPECT_TRUE(Allows(outside, a_web, 80));
  EXPECT_TRUE(Allows(a_db, a_web, 81));
  EXPECT_FALSE(Allows(outside, a_web, 82));
  EXPECT_FALSE(Allows(b_web, a_web, 80));
}

TEST_F(Reference, NP_30_SelectorScopes) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{PodPeer(Where({In("app", {"web"})}))}, {}}})};
  EXPECT_FALSE(Allows(b_web, a_db));
  EXPECT_TRUE(Allows(a_web, a_db));
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{NamespacePeer(Where({In("team", {"blue"})}))}, {}}})};
  EXPECT_TRUE(Allows(b_web, a_db));
  EXPECT_FALSE(Allows(a_web, a_db));
  cluster.policies = {
      Ingress(MakePolicy("a", "p"), {{{PodPeerIn(Where({In("team", {"blue"})}), Where({In("app", {"db"})}))}, {}}})};
  EXPECT_FALSE(Allows(b_web, a_db));
}

TEST_F(Reference, NP_31_EmptyNamespaceSelectorIsPodsOnly) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{NamespacePeer(Everything())}, {}}})};
  EXPECT_TRUE(Allows(b_web, a_web));
  EXPECT_FALSE(Allows(outside, a_web));
  EXPECT_FALSE(Allows("192.0.2.2", a_web));
}

TEST_F(Reference, NP_32_HostNetworkPodIsNeitherSubjectNorPeer) {
  cluster.pods.push_back(MakePod("a", "agent", {{"app", "agent"}}, {"192.0.2.2"}));
  cluster.pods.back().node = "n2";
  cluster.pods.back().host_network = true;
  cluster.policies = {Egress(Ingress(MakePolicy("a", "p"), {{{PodPeer(Everything())}, {}}}), {})};
  EXPECT_FALSE(Allows("192.0.2.2", a_web));   // not a peer
  EXPECT_TRUE(Allows("192.0.2.2", outside));  // not a subject
}

TEST_F(Reference, NP_33_MetadataNameIsMadeUpForANamespaceWithoutObject) {
  cluster.pods.push_back(MakePod("ghost", "x", {}, {"10.0.9.1"}));
  cluster.policies = {
      Ingress(MakePolicy("a", "p"), {{{NamespacePeer(Where({In("kubernetes.io/metadata.name", {"ghost"})}))}, {}}})};
  EXPECT_TRUE(Allows("10.0.9.1", a_web));
  EXPECT_FALSE(Allows(b_web, a_web));
}

TEST_F(Reference, NP_34_NegativeOperatorsMatchAMissingKey) {
  cluster.pods.push_back(MakePod("a", "bare", {{"empty", ""}}, {"10.0.0.9"}));
  const auto allows = [&](LabelRequirement requirement, std::string_view source) {
    cluster.policies = {Ingress(MakePolicy("a", "p"), {{{PodPeer(Where({std::move(requirement)}))}, {}}})};
    return Allows(source, a_db);
  };
  EXPECT_TRUE(allows(NotIn("app", {"db"}), "10.0.0.9"));
  EXPECT_TRUE(allows(NotIn("app", {"db"}), a_web));
  EXPECT_FALSE(allows(NotIn("app", {"web"}), a_web));
  EXPECT_TRUE(allows(DoesNotExist("app"), "10.0.0.9"));
  EXPECT_FALSE(allows(DoesNotExist("app"), a_web));
  EXPECT_TRUE(allows(Exists("app"), a_web));
  EXPECT_FALSE(allows(Exists("app"), "10.0.0.9"));
  EXPECT_TRUE(allows(In("empty", {""}), "10.0.0.9"));
  EXPECT_FALSE(allows(In("empty", {""}), a_web));
}

TEST_F(Reference, NP_40_ExceptOnlyCutsItsOwnBlock) {
  const NetworkPolicyPeer holed = CidrPeer("198.51.100.0/24", {"198.51.100.0/28"});
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{holed}, {}}})};
  EXPECT_FALSE(Allows(outside, a_web));
  EXPECT_TRUE(Allows("198.51.100.16", a_web));
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{holed, CidrPeer("198.51.100.7/32")}, {}}})};
  EXPECT_TRUE(Allows(outside, a_web));
}

TEST_F(Reference, NP_41_FamiliesNeverMeet) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{CidrPeer("0.0.0.0/0")}, {}}})};
  EXPECT_TRUE(Allows(outside, a_web));
  EXPECT_FALSE(Allows("2001:db8::7", "fd00::1"));
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{CidrPeer("::/0")}, {}}})};
  EXPECT_FALSE(Allows(outside, a_web));
  EXPECT_TRUE(Allows("2001:db8::7", "fd00::1"));
}

TEST_F(Reference, NP_42_BlocksHoldPods) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{CidrPeer("10.0.1.0/24")}, {}}})};
  EXPECT_TRUE(Allows(b_web, a_web));
  EXPECT_FALSE(Allows(a_db, a_web));
}

TEST_F(Reference, NP_50_DestinationPortRangeIsInclusive) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{}, {Tcp(80, 90), AllPorts(kProtoUdp)}}})};
  EXPECT_FALSE(Allows(outside, a_web, 79));
  EXPECT_TRUE(Allows(outside, a_web, 80));
  EXPECT_TRUE(Allows(outside, a_web, 90));
  EXPECT_FALSE(Allows(outside, a_web, 91));
  EXPECT_TRUE(Allows(outside, a_web, 65535, kProtoUdp));
  EXPECT_FALSE(Allows(outside, a_web, 80, kProtoSctp));
}

TEST_F(Reference, NP_51_NamedPortIsTheDestinationPods) {
  cluster.pods[1].ports = {{"http", kProtoTcp, 8080}};
  cluster.pods[2].ports = {{"http", kProtoUdp, 80}};
  cluster.policies = {Ingress(MakePolicy("a", "in"), {{{}, {Tcp("http")}}}),
                      Egress(MakePolicy("b", "out"), {{{}, {Tcp("http")}}})};
  EXPECT_TRUE(Allows(outside, a_web, 80));
  EXPECT_FALSE(Allows(outside, a_web, 8080));
  EXPECT_TRUE(Allows(outside, a_db, 8080));
  EXPECT_TRUE(Allows(b_web, a_db, 8080));
  EXPECT_FALSE(Allows(b_web, outside, 80));  // not a pod: matches nothing
  cluster.policies = {Ingress(MakePolicy("b", "in"), {{{}, {Tcp("http")}}})};
  EXPECT_FALSE(Allows(outside, b_web, 80));  // another protocol
}

TEST_F(Reference, NP_52_NameMayStandForSeveralPorts) {
  cluster.pods[0].ports = {{"http", kProtoTcp, 80}, {"http", kProtoTcp, 81}};
  cluster.policies = {Ingress(MakePolicy("a", "in"), {{{}, {Tcp("http")}}})};
  EXPECT_TRUE(Allows(outside, a_web, 80));
  EXPECT_TRUE(Allows(outside, a_web, 81));
  EXPECT_FALSE(Allows(outside, a_web, 82));
}

TEST_F(Reference, NP_61_OtherProtocolsMatchOnlyRulesWithoutPorts) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{}, {Tcp(1, 65535)}}, {{PodPeer(Everything())}, {}}})};
  EXPECT_FALSE(Allows(outside, a_web, 0, kProtoIcmp));
  EXPECT_TRUE(Allows(a_db, a_web, 0, kProtoIcmp));
  EXPECT_TRUE(Allows(a_db, a_web, 0, kProtoEsp));
}

TEST_F(Reference, NP_70_OwnNodePassesByAnyOfItsAddresses) {
  cluster.policies = {Egress(Ingress(MakePolicy("a", "p"), {}), {})};
  cluster.pods[1].host_addresses = {Ip("192.0.2.101")};
  cluster.pods.push_back(MakePod("kube-system", "agent", {}, {"192.0.2.201"}));
  cluster.pods.back().host_network = true;
  for (const std::string_view node : {"192.0.2.1", "192.0.2.101", "192.0.2.201"}) {
    EXPECT_EQ(Ask(node, a_web), (Answer{true, kUndecided, kUndecided, Exemption::kNode})) << node;
    EXPECT_EQ(Ask(a_web, node).exemption, Exemption::kNode) << node;
  }
  EXPECT_FALSE(Allows("192.0.2.2", a_web));
  EXPECT_FALSE(Ask("192.0.2.1", a_web, 80, kProtoTcp, false).allow);
}

TEST_F(Reference, NP_70_AddressThatTwoNodesClaimIsNeithers) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {})};
  cluster.nodes[1].addresses.push_back(Ip("192.0.2.1"));
  EXPECT_FALSE(Allows("192.0.2.1", a_web));
  EXPECT_EQ(Ask("192.0.2.1", b_web).exemption, Exemption::kNone);
  EXPECT_EQ(Ask("2001:db8::1", "fd00::1").exemption, Exemption::kNode) << "n1's other address is its own";
}

TEST_F(Reference, NP_72_NodeHasTheFirstTwoAddressesOfItsPodCidrsAndAnnotatedOnes) {
  cluster.policies = {Egress(Ingress(MakePolicy("a", "p"), {}), {})};
  cluster.nodes[0].pod_cidrs = {Cidr("10.0.8.0/24"), Cidr("fd00::8:0/112"), Cidr("10.0.9.3/32"), Cidr("10.0.9.6/31")};
  cluster.nodes[0].annotated_addresses = {Ip("10.0.8.77"), Ip("172.16.0.1")};
  for (const std::string_view node : {"10.0.8.0", "10.0.8.1", "10.0.9.3", "10.0.9.6", "10.0.9.7", "10.0.8.77"}) {
    EXPECT_EQ(Ask(node, a_web), (Answer{true, kUndecided, kUndecided, Exemption::kNode})) << node;
    EXPECT_EQ(Ask(a_web, node).exemption, Exemption::kNode) << node;
    EXPECT_EQ(Ask(node, b_web).exemption, Exemption::kNone) << node << " is not b_web's own node's";
    EXPECT_FALSE(Ask(node, b_web).unknown_endpoint) << node;
  }
  EXPECT_EQ(Ask("172.16.0.1", a_web).exemption, Exemption::kNode);
  EXPECT_EQ(Ask("fd00::8:0", "fd00::1").exemption, Exemption::kNode);
  EXPECT_EQ(Ask("fd00::8:1", "fd00::1").exemption, Exemption::kNode);
  for (const std::string_view stranger : {"10.0.8.2", "10.0.8.255"}) {
    EXPECT_EQ(Ask(stranger, a_web).exemption, Exemption::kNone) << stranger;
    EXPECT_TRUE(Ask(stranger, a_web).unknown_endpoint) << stranger;
    EXPECT_TRUE(Ask(outside, stranger).unknown_endpoint) << stranger;
  }
  EXPECT_TRUE(Ask("fd00::8:2", "fd00::1").unknown_endpoint);
  for (const std::string_view outsider : {"10.0.7.255", "10.0.9.0", "10.0.9.2", "10.0.9.4"}) {
    EXPECT_FALSE(Ask(outsider, a_web).unknown_endpoint) << outsider;
    EXPECT_EQ(Ask(outsider, a_web).exemption, Exemption::kNone) << outsider;
  }
}

TEST_F(Reference, NP_72_NodeMadeFromResolvedPolicyHasTheAddressesThatItNamesAndNoOthers) {
  cluster.nodes[0].pod_cidrs = {Cidr("10.0.8.0/24")};
  cluster.nodes[0].addresses.push_back(Ip("10.0.8.1"));
  cluster.nodes[0].addresses_are_all = true;
  EXPECT_EQ(Ask("10.0.8.1", a_web).exemption, Exemption::kNode);
  EXPECT_TRUE(Ask("10.0.8.0", a_web).unknown_endpoint);
}

TEST_F(Reference, NP_72_AddressThatAPodHasIsThePods) {
  cluster.nodes[0].pod_cidrs = {Cidr("10.0.0.0/24")};  // whose second address a_web has
  cluster.policies = {Ingress(MakePolicy("a", "p"), {})};
  EXPECT_EQ(Ask(a_web, a_db).exemption, Exemption::kNone);
  EXPECT_FALSE(Ask(a_web, a_db).unknown_endpoint);
  EXPECT_EQ(Ask("10.0.0.0", a_db).exemption, Exemption::kNode);
}

TEST_F(Reference, NP_72_GuessYieldsToWhatAnotherNodeStatesAndOneOfTwoIsNobodysOwn) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {})};
  cluster.nodes[0].pod_cidrs = {Cidr("10.0.8.0/24"), Cidr("10.0.9.0/24")};
  cluster.nodes[1].addresses.push_back(Ip("10.0.8.1"));
  cluster.nodes[1].pod_cidrs = {Cidr("10.0.9.0/24")};
  EXPECT_EQ(Ask("10.0.8.1", b_web).exemption, Exemption::kNode);
  EXPECT_EQ(Ask("10.0.8.1", a_web).exemption, Exemption::kNone);
  for (const std::string_view shared : {"10.0.9.0", "10.0.9.1"}) {
    EXPECT_EQ(Ask(shared, a_web).exemption, Exemption::kNone) << shared;
    EXPECT_EQ(Ask(shared, b_web).exemption, Exemption::kNone) << shared;
    EXPECT_FALSE(Ask(shared, b_web).unknown_endpoint) << shared;
  }
}

TEST_F(Reference, NP_71_PodReachesItself) {
  cluster.policies = {Egress(Ingress(MakePolicy("a", "p"), {}), {})};
  EXPECT_EQ(Ask(a_web, a_web), (Answer{true, kUndecided, kUndecided, Exemption::kSelf}));
  EXPECT_FALSE(Ask(a_web, a_web, 80, kProtoTcp, false).allow);
  EXPECT_EQ(Ask(outside, outside).exemption, Exemption::kNone);
}

TEST_F(Reference, NP_82_FinishedPodHasNoAddressesAndAllOfAPodsAddressesAreOne) {
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{PodPeer(Where({In("app", {"web"})}))}, {}}})};
  cluster.pods[1].addresses.push_back(Ip("fd00::2"));
  EXPECT_TRUE(Allows(a_web, a_db));
  EXPECT_TRUE(Allows("fd00::1", "fd00::2"));
  cluster.pods[0].phase = Pod::Phase::kSucceeded;
  EXPECT_FALSE(Allows(a_web, a_db));
  EXPECT_TRUE(Allows(outside, a_web));
}

TEST_F(Reference, NP_83_SharedAddressIsTheUnfinishedThenTheNewerPods) {
  cluster.pods.push_back(MakePod("b", "late", {}, {"10.0.0.2"}));
  cluster.pods.back().created = 100;
  EXPECT_EQ(Evaluator(cluster).FindPod(Ip(a_db))->name, "late");
  cluster.pods.back().phase = Pod::Phase::kFailed;
  EXPECT_EQ(Evaluator(cluster).FindPod(Ip(a_db))->name, "db");
}

}  // namespace
}  // namespace sluice::test
