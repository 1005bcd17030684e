// Whose an address is: pods, duplicates, finished pods, nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/resolved.h"
#include "support/cluster_builder.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(NetworkPolicy, NP_70_NodeHasItsOwnAddressesThoseOfItsPodsHostAndOfHostNetworkPods) {
  const Resolved resolved(ClusterBuilder()
                              .Node("n1", {"192.168.0.1"})
                              .Node("n2", {"192.168.0.9"})
                              .Pod("a/web", {}, {"10.0.0.1"})
                              .OnNode("n1")
                              .HostAddresses({"192.168.0.1", "fd00:1::1"})
                              .Pod("a/agent", {}, {"192.168.0.2"})
                              .OnNode("n1")
                              .HostNetwork());
  EXPECT_THAT(resolved.NodeAddresses("n1"), ElementsAre("192.168.0.1", "192.168.0.2", "fd00:1::1"));
  EXPECT_THAT(resolved.NodeAddresses("n2"), ElementsAre("192.168.0.9"));
  const Endpoint* web = resolved.FindEndpoint("a/web");
  ASSERT_NE(web, nullptr);
  EXPECT_EQ(resolved.policy().nodes.at(web->node).name, "n1");
}

TEST(NetworkPolicy, NP_70_NodeThatOnlyAPodNamesIsMadeUp) {
  const Resolved resolved(
      ClusterBuilder().Pod("a/web", {}, {"10.0.0.1"}).OnNode("n9").HostAddresses({"192.168.0.9"}).Pod("a/lost"));
  EXPECT_THAT(resolved.NodeAddresses("n9"), ElementsAre("192.168.0.9"));
  EXPECT_EQ(resolved.FindEndpoint("a/lost")->node, kNoNode);
}

TEST(NetworkPolicy, NP_70_AddressThatAPodHoldsGivesNobodyANodesRights) {
  const Resolved resolved(ClusterBuilder()
                              .Node("n1", {"10.0.0.1", "192.168.0.1"})
                              .Pod("a/web", {}, {"10.0.0.1"})
                              .Pod("a/agent", {}, {"10.0.0.1"})
                              .OnNode("n1")
                              .HostNetwork());
  EXPECT_THAT(resolved.NodeAddresses("n1"), ElementsAre("192.168.0.1"));
  EXPECT_THAT(resolved.EndpointAddresses("a/web"), ElementsAre("10.0.0.1"));
  ASSERT_THAT(resolved.diagnostics(), SizeIs(1));
  EXPECT_EQ(resolved.diagnostics()[0].severity, Severity::kWarning);
  EXPECT_EQ(resolved.diagnostics()[0].object, "Node n1");
}

TEST(NetworkPolicy, NP_70_AddressThatTwoNodesClaimIsToldOfBothAndTheWarningNamesThem) {
  const Resolved resolved(ClusterBuilder()
                              .Node("n1", {"192.168.0.1"})
                              .Node("n2", {"192.168.0.1", "192.168.0.2"})
                              .Node("n3", {"192.168.0.1"}));
  EXPECT_THAT(resolved.NodeAddresses("n1"), ElementsAre("192.168.0.1"));
  EXPECT_THAT(resolved.NodeAddresses("n2"), ElementsAre("192.168.0.1", "192.168.0.2"));
  ASSERT_THAT(resolved.diagnostics(), SizeIs(1));
  EXPECT_THAT(resolved.diagnostics()[0].ToString(),
              HasSubstr("warning: Node n1: status.addresses: 192.168.0.1 is also claimed by Node n2 and 1 more; "));
}

TEST(NetworkPolicy, NP_72_NodeHasTheFirstTwoAddressesOfEachPodCidrAndTheAnnotatedOnes) {
  const Resolved resolved(ClusterBuilder()
                              .Node("n1", {"192.168.0.1"}, {"10.0.1.0/24", "fd00:1::/64"})
                              .Annotated({"172.16.0.1", "10.0.1.77"})
                              .Node("n2", {"192.168.0.2"}));
  EXPECT_THAT(resolved.NodeAddresses("n1"),
              ElementsAre("10.0.1.0", "10.0.1.1", "10.0.1.77", "172.16.0.1", "192.168.0.1", "fd00:1::", "fd00:1::1"));
  EXPECT_THAT(resolved.NodeAddresses("n2"), ElementsAre("192.168.0.2"));
  EXPECT_THAT(resolved.diagnostics(), IsEmpty());
}

TEST(NetworkPolicy, NP_72_PodCidrOfOneOrTwoAddressesGivesNoMoreThanThese) {
  const Resolved resolved(ClusterBuilder()
                              .Node("one", {}, {"10.0.1.7/32", "fd00:1::7/128"})
                              .Node("two", {}, {"10.0.2.6/31", "fd00:2::6/127"})
                              .Node("last", {}, {"255.255.255.255/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"}));
  EXPECT_THAT(resolved.NodeAddresses("one"), ElementsAre("10.0.1.7", "fd00:1::7"));
  EXPECT_THAT(resolved.NodeAddresses("two"), ElementsAre("10.0.2.6", "10.0.2.7", "fd00:2::6", "fd00:2::7"));
  EXPECT_THAT(resolved.NodeAddresses("last"),
              ElementsAre("255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(NetworkPolicy, NP_72_AddressThatAPodHasIsNotTheNodesAndOnlyAnAnnotationIsWarnedOf) {
  const Resolved resolved(ClusterBuilder()
                              .Node("n1", {}, {"10.0.1.0/24"})
                              .Annotated({"10.0.1.77"})
                              .Pod("a/web", {}, {"10.0.1.1"})
                              .OnNode("n1")
                              .Pod("a/db", {}, {"10.0.1.77"})
                              .OnNode("n2"));
  EXPECT_THAT(resolved.NodeAddresses("n1"), ElementsAre("10.0.1.0"));
  ASSERT_THAT(resolved.diagnostics(), SizeIs(1));
  EXPECT_EQ(resolved.diagnostics()[0].ToString(),
            "warning: Node n1: metadata.annotations: 10.0.1.77 is also a pod's address and stays the pod's");
}

TEST(NetworkPolicy, NP_72_GuessFromAPodCidrGivesWayToWhatAnotherNodeStates) {
  const Resolved resolved(ClusterBuilder()
                              .Node("n1", {"192.168.1.0"}, {"192.168.0.0/24"})
                              .Node("n2", {"192.168.0.1"}, {"192.168.1.0/24"})
                              .Annotated({"192.168.0.0"}));
  EXPECT_THAT(resolved.NodeAddresses("n1"), ElementsAre("192.168.1.0"));
  EXPECT_THAT(resolved.NodeAddresses("n2"), ElementsAre("192.168.0.0", "192.168.0.1", "192.168.1.1"));
  EXPECT_THAT(resolved.diagnostics(), IsEmpty());
}

TEST(NetworkPolicy, NP_72_NodeMadeFromResolvedPolicyHasTheAddressesThatItNamesAndNoOthers) {
  ClusterBuilder builder = ClusterBuilder().Node("n1", {"10.0.1.1"}, {"10.0.1.0/24"}).Pod("a/web").OnNode("n1");
  Cluster cluster = builder.Build();
  cluster.nodes[0].addresses_are_all = true;
  const Resolved resolved(cluster);
  EXPECT_THAT(resolved.NodeAddresses("n1"), ElementsAre("10.0.1.1"));
  EXPECT_THAT(resolved.policy().nodes.at(0).pod_cidrs, ElementsAre(Cidr("10.0.1.0/24")));
}

TEST(NetworkPolicy, NP_72_PodCidrOfTwoNodesIsWarnedOf) {
  const Resolved resolved(ClusterBuilder().Node("n1", {}, {"10.0.0.0/24"}).Node("n2", {}, {"10.0.0.0/32"}));
  EXPECT_THAT(resolved.NodeAddresses("n1"), ElementsAre("10.0.0.0", "10.0.0.1"));
  EXPECT_THAT(resolved.NodeAddresses("n2"), ElementsAre("10.0.0.0"));
  ASSERT_THAT(resolved.diagnostics(), SizeIs(1));
  EXPECT_EQ(resolved.diagnostics()[0].ToString(),
            "warning: Node n1: spec.podCIDRs: 10.0.0.0 is also claimed by Node n2; no pod takes it for its own node's, "
            "so policy decides; give each node pod CIDRs of its own");
}

TEST(NetworkPolicy, NP_71_AllAddressesOfAPodAreOneEndpoint) {
  const Resolved resolved(ClusterBuilder().Pod("a/web", {}, {"fd00::1", "10.0.0.1", "10.0.0.1"}));
  EXPECT_THAT(resolved.EndpointAddresses("a/web"), ElementsAre("10.0.0.1", "fd00::1"));
  EXPECT_THAT(resolved.diagnostics(), IsEmpty());
}

TEST(NetworkPolicy, NP_81_SelectedPodWithoutAddressIsAlreadyASubject) {
  const Resolved resolved(ClusterBuilder().Pod("a/new").InPhase(Pod::Phase::kPending).Policy("a/p").DenyIngress());
  EXPECT_THAT(resolved.Subjects("a/p", Direction::kIngress), ElementsAre("a/new"));
  EXPECT_THAT(resolved.EndpointAddresses("a/new"), IsEmpty());
}

TEST(NetworkPolicy, NP_82_FinishedPodsHaveNoAddresses) {
  const Resolved resolved(ClusterBuilder()
                              .Pod("a/done", {}, {"10.0.0.1"})
                              .InPhase(Pod::Phase::kSucceeded)
                              .Pod("a/broken", {}, {"10.0.0.2"})
                              .InPhase(Pod::Phase::kFailed)
                              .Pod("a/unknown", {}, {"10.0.0.3"})
                              .InPhase(Pod::Phase::kUnknown)
                              .Policy("a/p")
                              .DenyIngress());
  EXPECT_THAT(resolved.EndpointAddresses("a/done"), IsEmpty());
  EXPECT_THAT(resolved.EndpointAddresses("a/broken"), IsEmpty());
  EXPECT_THAT(resolved.EndpointAddresses("a/unknown"), ElementsAre("10.0.0.3"));
  EXPECT_THAT(resolved.Subjects("a/p", Direction::kIngress), ElementsAre("a/unknown"));
}

TEST(NetworkPolicy, NP_83_UnfinishedPodKeepsAnAddressThatAFinishedOneHad) {
  const Resolved resolved(ClusterBuilder()
                              .Pod("a/done", {}, {"10.0.0.1"})
                              .Created(200)
                              .InPhase(Pod::Phase::kSucceeded)
                              .Pod("a/live", {}, {"10.0.0.1"})
                              .Created(100));
  EXPECT_THAT(resolved.EndpointAddresses("a/live"), ElementsAre("10.0.0.1"));
  EXPECT_THAT(resolved.diagnostics(), IsEmpty());
}

TEST(NetworkPolicy, NP_83_NewerPodWinsAndTheOlderLosesThatAddressOnly) {
  const Resolved resolved(ClusterBuilder()
                              .Pod("a/older", {}, {"10.0.0.1", "fd00::1"})
                              .Created(100)
                              .Pod("b/newer", {}, {"10.0.0.1", "fd00::2"})
                              .Created(200));
  EXPECT_THAT(resolved.EndpointAddresses("a/older"), ElementsAre("fd00::1"));
  EXPECT_THAT(resolved.EndpointAddresses("b/newer"), ElementsAre("10.0.0.1", "fd00::2"));
  ASSERT_THAT(resolved.diagnostics(), SizeIs(1));
  const Diagnostic& warning = resolved.diagnostics()[0];
  EXPECT_EQ(warning.severity, Severity::kWarning);
  EXPECT_EQ(warning.object, "Pod a/older");
  EXPECT_EQ(warning.field, "status.podIPs");
  EXPECT_THAT(warning.message, HasSubstr("10.0.0.1 is also claimed by Pod b/newer, which is newer"));
}

TEST(NetworkPolicy, NP_83_OfEqualAgeTheFirstByNameWins) {
  const Resolved resolved(ClusterBuilder()
                              .Pod("b/one", {}, {"10.0.0.1"})
                              .Pod("a/two", {}, {"10.0.0.1"})
                              .Pod("c/three", {}, {"10.0.0.1"})
                              .Created(-1));
  EXPECT_THAT(resolved.EndpointAddresses("a/two"), ElementsAre("10.0.0.1"));
  EXPECT_THAT(resolved.EndpointAddresses("b/one"), IsEmpty());
  EXPECT_THAT(resolved.EndpointAddresses("c/three"), IsEmpty());
  EXPECT_THAT(resolved.diagnostics(), SizeIs(2));
}

}  // namespace
}  // namespace sluice
