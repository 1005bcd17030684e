// Ports, and named ports above all: each destination pod resolves a name for itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/resolved.h"
#include "support/cluster_builder.h"

namespace sluice {
namespace {

using testing::ElementsAre;

// Pods that mean different numbers, protocols, several, or nothing by "http".
ClusterBuilder Servers() {
  ClusterBuilder builder;
  builder.Pod("a/eighty", {{"app", "web"}}, {"10.0.0.1"}).Port("http", kProtoTcp, 80).Port("dns", kProtoUdp, 53);
  builder.Pod("a/high", {{"app", "web"}}, {"10.0.0.2"}).Port("http", kProtoTcp, 8080);
  builder.Pod("a/mute", {{"app", "web"}}, {"10.0.0.3"}).Port("other", kProtoTcp, 80);
  builder.Pod("a/udp", {{"app", "web"}}, {"10.0.0.4"}).Port("http", kProtoUdp, 80);
  builder.Pod("b/both", {{"app", "web"}}, {"10.0.1.1"}).Port("http", kProtoTcp, 8080).Port("http", kProtoTcp, 80);
  builder.Pod("b/eighty", {{"app", "web"}}, {"10.0.1.2", "fd00::2"}).Port("http", kProtoTcp, 80);
  return builder;
}

const char kAll[] = "a/eighty,a/high,a/mute,a/udp";

Names IngressRules(std::vector<NetworkPolicyPort> ports) {
  return Resolved(Servers().Policy("a/p").Ingress({}, std::move(ports))).Rules("a/p", kIngress);
}

Names EgressRules(std::vector<NetworkPolicyPeer> to, std::vector<NetworkPolicyPort> ports) {
  return Resolved(Servers().Pod("c/client").Policy("c/p").Egress(std::move(to), std::move(ports)))
      .Rules("c/p", kEgress);
}

TEST(NetworkPolicy, NP_50_PortRangeIsInclusiveAndMergedWithItsNeighbours) {
  EXPECT_THAT(IngressRules({Tcp(90), Tcp(80, 89), Tcp(92), Udp(91)}),
              ElementsAre(std::string(kAll) + " <- any : tcp/80-90,tcp/92,udp/91 #0"));
}

TEST(NetworkPolicy, NP_50_ProtocolWithoutPortIsAllPortsOfThatProtocolOnly) {
  EXPECT_THAT(IngressRules({AllPorts(kProtoSctp), Tcp(80)}),
              ElementsAre(std::string(kAll) + " <- any : tcp/80,sctp/0-65535 #0"));
  EXPECT_THAT(IngressRules({AllPorts(kProtoTcp), Tcp(80), Tcp(65535)}),
              ElementsAre(std::string(kAll) + " <- any : tcp/0-65535 #0"));
}

TEST(NetworkPolicy, NP_60_SctpRuleIsolatesAndIsSctpsOnly) {
  const Resolved resolved(Servers().Policy("a/p").Ingress({}, {Sctp(80)}));
  EXPECT_TRUE(resolved.Isolating("a/p", kIngress).isolates);
  EXPECT_THAT(resolved.Rules("a/p", kIngress), ElementsAre(std::string(kAll) + " <- any : sctp/80 #0"));
}

TEST(NetworkPolicy, NP_51_IngressNameResolvesOnEachSubjectByNameAndProtocol) {
  EXPECT_THAT(IngressRules({Tcp("http")}), ElementsAre("a/eighty <- any : tcp/80 #0", "a/high <- any : tcp/8080 #0"));
  EXPECT_THAT(IngressRules({Udp("http")}), ElementsAre("a/udp <- any : udp/80 #0"));
}

TEST(NetworkPolicy, NP_51_IngressNameKeepsTheRulesIndexAndNumbersStayForAllSubjects) {
  const Resolved resolved(Servers()
                              .Policy("a/p")
                              .Ingress({}, {Sctp(9)})
                              .Ingress({PodPeer(Everything())}, {Tcp("http"), Tcp(443), Udp("dns")}));
  EXPECT_THAT(resolved.Rules("a/p", kIngress), ElementsAre(std::string(kAll) + " <- any : sctp/9 #0",
                                                           std::string(kAll) + " <- " + kAll + " : tcp/443 #1",
                                                           "a/eighty <- " + std::string(kAll) + " : udp/53 #1",
                                                           "a/eighty <- " + std::string(kAll) + " : tcp/80 #1",
                                                           "a/high <- " + std::string(kAll) + " : tcp/8080 #1"));
  ASSERT_EQ(resolved.Sections("a/p", kIngress).size(), 4u);
  for (const Section* section : resolved.Sections("a/p", kIngress)) {
    EXPECT_EQ(section->isolates, section == &resolved.Isolating("a/p", kIngress));
  }
}

// A rule without ports matches nothing; it stays, so that it can be told of.
TEST(NetworkPolicy, NP_51_NameThatNoPodHasMatchesNothing) {
  EXPECT_THAT(IngressRules({Tcp("nowhere")}), ElementsAre(std::string(kAll) + " <- any :  #0"));
  EXPECT_THAT(IngressRules({Tcp("nowhere"), Tcp(443)}),
              ElementsAre(std::string(kAll) + " <- any : tcp/443 #0", std::string(kAll) + " <- any :  #0"));
  EXPECT_THAT(EgressRules({PodPeer(Everything())}, {Tcp("nowhere")}), ElementsAre("c/client -> c/client :  #0"));
  EXPECT_THAT(EgressRules({}, {Tcp("nowhere")}), ElementsAre("c/client -> any :  #0"));
}

TEST(NetworkPolicy, NP_51_EgressNameResolvesOnEachPeer) {
  EXPECT_THAT(EgressRules({NamespacePeer(Match({{"kubernetes.io/metadata.name", "a"}}))}, {Tcp("http"), Tcp(443)}),
              ElementsAre("c/client -> a/eighty,a/high,a/mute,a/udp : tcp/443 #0", "c/client -> a/eighty : tcp/80 #0",
                          "c/client -> a/high : tcp/8080 #0"));
}

TEST(NetworkPolicy, NP_51_EgressNameToEveryoneIsEveryPodThatHasIt) {
  EXPECT_THAT(EgressRules({}, {Tcp("http")}),
              ElementsAre("c/client -> a/eighty,b/eighty : tcp/80 #0", "c/client -> b/both : tcp/80,tcp/8080 #0",
                          "c/client -> a/high : tcp/8080 #0"));
}

TEST(NetworkPolicy, NP_51_EgressNameInABlockResolvesOnPodsOfThatBlockOnly) {
  EXPECT_THAT(EgressRules({CidrPeer("10.0.0.0/24", {"10.0.0.2/32"}), CidrPeer("203.0.113.0/24")}, {Tcp("http")}),
              ElementsAre("c/client -> a/eighty : tcp/80 #0"));
}

TEST(NetworkPolicy, NP_51_EgressNameInABlockOfOneFamilyHoldsForThatAddressOnly) {
  EXPECT_THAT(EgressRules({CidrPeer("10.0.1.2/32")}, {Tcp("http")}),
              ElementsAre("c/client -> 10.0.1.2/32 : tcp/80 #0"));
  EXPECT_THAT(EgressRules({CidrPeer("10.0.1.2/32"), CidrPeer("fd00::/64")}, {Tcp("http")}),
              ElementsAre("c/client -> b/eighty : tcp/80 #0"));
}

TEST(NetworkPolicy, NP_51_EgressNameInABlockBesideASelectorIsTheUnion) {
  EXPECT_THAT(EgressRules({CidrPeer("10.0.1.2/32"), PodPeerIn(Everything(), Match({{"app", "web"}}))}, {Tcp("http")}),
              ElementsAre("c/client -> a/eighty,b/eighty : tcp/80 #0", "c/client -> b/both : tcp/80,tcp/8080 #0",
                          "c/client -> a/high : tcp/8080 #0"));
}

TEST(NetworkPolicy, NP_51_HostNetworkPodResolvesNoName) {
  const Resolved resolved(ClusterBuilder()
                              .Pod("a/agent", {}, {"192.168.0.1"})
                              .HostNetwork()
                              .Port("http", kProtoTcp, 80)
                              .Policy("a/p")
                              .Egress({CidrPeer("192.168.0.0/24")}, {Tcp("http")}));
  EXPECT_THAT(resolved.Rules("a/p", kEgress), ElementsAre(" -> 192.168.0.0/24 :  #0")) << "a rule without ports";
}

TEST(NetworkPolicy, NP_52_NameWithSeveralNumbersMatchesEach) {
  const Resolved resolved(Servers().Policy("b/p").Ingress({}, {Tcp("http")}));
  EXPECT_THAT(resolved.Rules("b/p", kIngress),
              ElementsAre("b/eighty <- any : tcp/80 #0", "b/both <- any : tcp/80,tcp/8080 #0"));
}

// As many meanings of a name as pods, asked for by as many policies: each is narrowed by its own pods, not by all.
TEST(Resolve, NameThatEveryPodResolvesToAnotherNumberStaysLinear) {
  ClusterBuilder builder;
  constexpr int kCount = 2000;
  for (int i = 0; i < kCount; ++i) {
    const std::string space = "n" + std::to_string(i);
    builder.Pod(space + "/p", {}, {IpAddress::V4(0x0a000001 + static_cast<std::uint32_t>(i)).ToString()});
    builder.Port("http", kProtoTcp, static_cast<std::uint16_t>(1000 + i));
    builder.Policy(space + "/p").Ingress({}, {Tcp("http")});
  }
  const Resolved resolved(builder);
  EXPECT_THAT(resolved.Rules("n77/p", kIngress), ElementsAre("n77/p <- any : tcp/1077 #0"));
  EXPECT_EQ(resolved.policy().groups.size(), 2u * kCount);
  EXPECT_EQ(resolved.policy().sections.size(), 2u * kCount);
}

}  // namespace
}  // namespace sluice
