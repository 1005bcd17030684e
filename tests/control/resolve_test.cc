// What resolving decides of NetworkPolicy: isolation, rules, selectors, blocks.
#include "resolve/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "control/resolved.h"
#include "support/cluster_builder.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Two teams of two namespaces; labels of every kind: set, other, empty, missing.
ClusterBuilder Teams() {
  ClusterBuilder builder;
  builder.Namespace("a", {{"team", "red"}}).Namespace("b", {{"team", "blue"}}).Namespace("c");
  builder.Pod("a/db", {{"app", "db"}}, {"10.0.0.1"});
  builder.Pod("a/web", {{"app", "web"}, {"tier", "front"}}, {"10.0.0.2"});
  builder.Pod("b/blank", {{"app", ""}}, {"10.0.1.1"});
  builder.Pod("b/web", {{"app", "web"}}, {"10.0.1.2"});
  builder.Pod("c/bare", {}, {"10.0.2.1"});
  return builder;
}

Names PeersOf(const NetworkPolicyPeer& peer) {
  return Resolved(Teams().Policy("a/p").Ingress({peer})).Peers("a/p", kIngress);
}

TEST(NetworkPolicy, NP_01_PolicyIsolatesItsSelectedPodsInItsDirectionsOnly) {
  const Resolved resolved(Teams().Policy("a/p", Match({{"app", "web"}})).DenyEgress());
  EXPECT_THAT(resolved.Subjects("a/p", kEgress), ElementsAre("a/web"));
  EXPECT_THAT(resolved.Sections("a/p", kIngress), IsEmpty());
}

TEST(NetworkPolicy, NP_01_PolicySelectsNoPodOfAnotherNamespace) {
  const Resolved resolved(Teams().Policy("c/p", Match({{"app", "web"}})).DenyIngress());
  EXPECT_THAT(resolved.Subjects("c/p", kIngress), IsEmpty());
  EXPECT_TRUE(resolved.Isolating("c/p", kIngress).isolates);
}

TEST(NetworkPolicy, NP_01_NoPolicyMeansNoSection) {
  const Resolved resolved(Teams());
  EXPECT_THAT(resolved.policy().sections, IsEmpty());
  EXPECT_THAT(resolved.policy().groups, IsEmpty());
  EXPECT_EQ(resolved.policy().endpoints.size(), 5u);
}

TEST(NetworkPolicy, NP_02_EveryPolicyOfAPodHasItsSectionWithAllowRulesAlone) {
  const Resolved resolved(Teams()
                              .Policy("a/one")
                              .Ingress({PodPeer(Match({{"app", "db"}}))}, {Tcp(80)})
                              .Policy("a/two", Match({{"app", "web"}}))
                              .Ingress({}, {Tcp(443)}));
  EXPECT_THAT(resolved.Rules("a/one", kIngress), ElementsAre("a/db,a/web <- a/db : tcp/80 #0"));
  EXPECT_THAT(resolved.Rules("a/two", kIngress), ElementsAre("a/web <- any : tcp/443 #0"));
  for (const Section& section : resolved.policy().sections) {
    EXPECT_EQ(section.tier, Tier::kNetworkPolicy);
    EXPECT_EQ(section.priority, 0u);
    for (const Rule& rule : section.rules) EXPECT_EQ(rule.action, Action::kAllow);
  }
}

TEST(NetworkPolicy, NP_05_RelabelledPodAndNamespaceChangeMembershipNotKeys) {
  Cluster cluster =
      Teams().Policy("a/p", Match({{"app", "web"}})).Ingress({NamespacePeer(Match({{"team", "blue"}}))}).Build();
  const Resolved before(cluster);
  std::find_if(cluster.pods.begin(), cluster.pods.end(), [](const Pod& pod) { return pod.name == "db"; })->labels = {
      {"app", "web"}};
  std::find_if(cluster.namespaces.begin(), cluster.namespaces.end(), [](const Namespace& space) {
    return space.name == "c";
  })->labels.emplace_back("team", "blue");
  const Resolved after(cluster);
  EXPECT_THAT(before.Subjects("a/p", kIngress), ElementsAre("a/web"));
  EXPECT_THAT(after.Subjects("a/p", kIngress), ElementsAre("a/db", "a/web"));
  EXPECT_THAT(before.Peers("a/p", kIngress), ElementsAre("b/blank", "b/web"));
  EXPECT_THAT(after.Peers("a/p", kIngress), ElementsAre("b/blank", "b/web", "c/bare"));
  ASSERT_EQ(before.policy().groups.size(), after.policy().groups.size());
  for (std::size_t i = 0; i < before.policy().groups.size(); ++i) {
    EXPECT_EQ(before.policy().groups[i].key, after.policy().groups[i].key);
  }
}

TEST(NetworkPolicy, NP_16_RefusedPolicyIsolatesItsSubjectsAndAllowsNothing) {
  const Resolved resolved(Teams().Policy("a/p", Match({{"app", "db"}})).Ingress().Egress().Refused());
  for (const Direction direction : {kIngress, kEgress}) {
    EXPECT_THAT(resolved.Subjects("a/p", direction), ElementsAre("a/db"));
    EXPECT_THAT(resolved.Rules("a/p", direction), IsEmpty());
  }
}

TEST(NetworkPolicy, NP_20_DirectionWithoutRulesHasNoneAndEmptyRuleAllowsAll) {
  const Resolved resolved(Teams().Policy("a/p").DenyIngress().Egress());
  EXPECT_THAT(resolved.Rules("a/p", kIngress), IsEmpty());
  EXPECT_THAT(resolved.Rules("a/p", kEgress), ElementsAre("a/db,a/web -> any : any #0"));
}

TEST(NetworkPolicy, NP_21_PeersOfARuleAreOneUnionAndPortsOneMergedList) {
  const Resolved resolved(Teams()
                              .Policy("a/p", Match({{"app", "db"}}))
                              .Ingress({PodPeer(Match({{"app", "web"}})), NamespacePeer(Match({{"team", "blue"}})),
                                        CidrPeer("192.0.2.0/24")},
                                       {Tcp(80), Udp(53), Tcp(81, 90), Tcp(80)})
                              .Ingress({PodPeer(Everything())}, {Tcp(22)}));
  EXPECT_THAT(
      resolved.Rules("a/p", kIngress),
      ElementsAre("a/db <- a/web,b/blank,b/web,192.0.2.0/24 : tcp/80-90,udp/53 #0", "a/db <- a/db,a/web : tcp/22 #1"));
}

TEST(NetworkPolicy, NP_22_EmptyPeersAreEveryoneAndEmptyPortsEveryProtocol) {
  const Resolved resolved(Teams().Policy("a/p").Ingress({}, {Tcp(80)}).Ingress({PodPeer(Everything())}));
  EXPECT_EQ(resolved.Isolating("a/p", kIngress).rules.at(0).peers, kAnyPeer);
  EXPECT_TRUE(resolved.Isolating("a/p", kIngress).rules.at(1).any_port);
}

TEST(NetworkPolicy, NP_30_PodSelectorAloneIsScopedToThePolicysNamespace) {
  EXPECT_THAT(PeersOf(PodPeer(Match({{"app", "web"}}))), ElementsAre("a/web"));
}

TEST(NetworkPolicy, NP_30_NamespaceSelectorAloneIsAllPodsOfThoseNamespaces) {
  EXPECT_THAT(PeersOf(NamespacePeer(Match({{"team", "blue"}}))), ElementsAre("b/blank", "b/web"));
}

TEST(NetworkPolicy, NP_30_BothSelectorsInOneItemAreAnded) {
  EXPECT_THAT(PeersOf(PodPeerIn(Match({{"team", "blue"}}), Match({{"app", "web"}}))), ElementsAre("b/web"));
}

TEST(NetworkPolicy, NP_31_EmptyNamespaceSelectorIsAllPodsAndNoBlock) {
  const Resolved resolved(Teams().Policy("a/p").Ingress({NamespacePeer(Everything())}));
  EXPECT_THAT(resolved.Peers("a/p", kIngress), ElementsAre("a/db", "a/web", "b/blank", "b/web", "c/bare"));
  EXPECT_THAT(resolved.PeerBlocks("a/p", kIngress), IsEmpty());
}

TEST(NetworkPolicy, NP_32_HostNetworkPodIsNeitherSubjectNorPeer) {
  const Resolved resolved(Teams()
                              .Pod("a/agent", {{"app", "web"}}, {"192.168.0.1"})
                              .OnNode("n1")
                              .HostNetwork()
                              .Policy("a/p", Match({{"app", "web"}}))
                              .Ingress({NamespacePeer(Match({{"team", "red"}}))}));
  EXPECT_EQ(resolved.FindEndpoint("a/agent"), nullptr);
  EXPECT_THAT(resolved.Subjects("a/p", kIngress), ElementsAre("a/web"));
  EXPECT_THAT(resolved.Peers("a/p", kIngress), ElementsAre("a/db", "a/web"));
  EXPECT_THAT(resolved.NodeAddresses("n1"), ElementsAre("192.168.0.1"));
}

TEST(NetworkPolicy, NP_33_MetadataNameSelectsDeclaredAndMadeUpNamespaces) {
  Cluster cluster =
      Teams().Policy("a/p").Ingress({NamespacePeer(Match({{"kubernetes.io/metadata.name", "b"}}))}).Build();
  EXPECT_THAT(Resolved(cluster).Peers("a/p", kIngress), ElementsAre("b/blank", "b/web"));
  std::erase_if(cluster.namespaces, [](const Namespace& space) { return space.name == "b"; });
  EXPECT_THAT(Resolved(cluster).Peers("a/p", kIngress), ElementsAre("b/blank", "b/web"));
}

TEST(NetworkPolicy, NP_34_InNeedsTheKeyAndOneOfTheValues) {
  const auto all = [](LabelRequirement requirement) {
    return PodPeerIn(Everything(), Where({std::move(requirement)}));
  };
  EXPECT_THAT(PeersOf(all(In("app", {"web"}))), ElementsAre("a/web", "b/web"));
  EXPECT_THAT(PeersOf(all(In("app", {"db", "web"}))), ElementsAre("a/db", "a/web", "b/web"));
  EXPECT_THAT(PeersOf(all(In("app", {"none"}))), IsEmpty());
  EXPECT_THAT(PeersOf(all(In("none", {"web"}))), IsEmpty());
}

TEST(NetworkPolicy, NP_34_EmptyValueNeedsTheKeyPresent) {
  EXPECT_THAT(PeersOf(PodPeerIn(Everything(), Match({{"app", ""}}))), ElementsAre("b/blank"));
}

TEST(NetworkPolicy, NP_34_NotInAndDoesNotExistMatchAMissingKey) {
  const auto all = [](LabelRequirement requirement) {
    return PodPeerIn(Everything(), Where({std::move(requirement)}));
  };
  EXPECT_THAT(PeersOf(all(NotIn("app", {"web"}))), ElementsAre("a/db", "b/blank", "c/bare"));
  EXPECT_THAT(PeersOf(all(NotIn("app", {"web", "db", ""}))), ElementsAre("c/bare"));
  EXPECT_THAT(PeersOf(all(NotIn("none", {"x"}))).size(), 5u);
  EXPECT_THAT(PeersOf(all(Exists("tier"))), ElementsAre("a/web"));
  EXPECT_THAT(PeersOf(all(DoesNotExist("tier"))), ElementsAre("a/db", "b/blank", "b/web", "c/bare"));
}

TEST(NetworkPolicy, NP_34_RequirementsAreAnded) {
  EXPECT_THAT(PeersOf(PodPeerIn(Everything(), Where({In("app", {"web"}), DoesNotExist("tier")}))),
              ElementsAre("b/web"));
  EXPECT_THAT(PeersOf(PodPeerIn(Where({Exists("team"), NotIn("team", {"red"})}), Everything())),
              ElementsAre("b/blank", "b/web"));
}

TEST(NetworkPolicy, NP_40_BlockKeepsItsOwnExceptsBesideABlockThatAllowsThem) {
  const Resolved resolved(Teams().Policy("a/p").Egress(
      {CidrPeer("10.0.0.0/8", {"10.2.0.0/16", "10.1.0.0/16", "10.2.0.0/16"}), CidrPeer("10.1.0.0/16")}));
  EXPECT_THAT(resolved.PeerBlocks("a/p", kEgress),
              ElementsAre("10.0.0.0/8 less 10.1.0.0/16 less 10.2.0.0/16", "10.1.0.0/16"));
}

TEST(NetworkPolicy, NP_41_BlocksOfBothFamiliesStayApart) {
  const Resolved resolved(
      Teams().Policy("a/p").Egress({CidrPeer("::/0"), CidrPeer("0.0.0.0/0"), CidrPeer("0.0.0.0/0")}));
  EXPECT_THAT(resolved.PeerBlocks("a/p", kEgress), ElementsAre("0.0.0.0/0", "::/0"));
}

TEST(NetworkPolicy, NP_42_BlockIsLeftToAddressesAndNamesNoMember) {
  const Resolved resolved(Teams().Policy("a/p").Egress({CidrPeer("10.0.0.0/8")}));
  EXPECT_THAT(resolved.Peers("a/p", kEgress), IsEmpty());
  EXPECT_THAT(resolved.PeerBlocks("a/p", kEgress), ElementsAre("10.0.0.0/8"));
}

TEST(Resolve, EqualPeerListsInAnyOrderAndNamespaceAreOneGroup) {
  const Resolved resolved(
      Teams()
          .Policy("a/p")
          .Ingress({NamespacePeer(Match({{"team", "red"}})), CidrPeer("192.0.2.0/24"), CidrPeer("198.51.100.0/24")})
          .Policy("b/p")
          .Ingress({CidrPeer("198.51.100.0/24"), PodPeerIn(Match({{"team", "red"}}), Everything()),
                    CidrPeer("192.0.2.0/24"), NamespacePeer(Match({{"team", "red"}}))}));
  EXPECT_EQ(resolved.Isolating("a/p", kIngress).rules.at(0).peers,
            resolved.Isolating("b/p", kIngress).rules.at(0).peers);
}

TEST(Resolve, PodSelectorOfAnotherNamespaceIsAnotherGroup) {
  const Resolved resolved(
      Teams().Policy("a/p").Ingress({PodPeer(Everything())}).Policy("b/p").Ingress({PodPeer(Everything())}));
  EXPECT_NE(resolved.Isolating("a/p", kIngress).rules.at(0).peers,
            resolved.Isolating("b/p", kIngress).rules.at(0).peers);
  EXPECT_EQ(resolved.Isolating("a/p", kIngress).rules.at(0).peers, resolved.Isolating("a/p", kIngress).subjects);
}

TEST(Resolve, LongListsThatDifferInOneExceptHaveDifferentKeys) {
  const auto list = [](std::string_view except) {
    std::vector<NetworkPolicyPeer> peers;
    for (int i = 0; i < 100; ++i) peers.push_back(CidrPeer("172.16." + std::to_string(i) + ".0/24"));
    peers.push_back(CidrPeer("10.0.0.0/8", {std::string(except)}));
    return peers;
  };
  auto reversed = list("10.1.0.0/16");
  std::reverse(reversed.begin(), reversed.end());
  const Resolved resolved(Teams()
                              .Policy("a/one")
                              .Egress(list("10.1.0.0/16"))
                              .Policy("a/same")
                              .Egress(reversed)
                              .Policy("a/two")
                              .Egress(list("10.2.0.0/16")));
  const GroupId one = resolved.Isolating("a/one", kEgress).rules.at(0).peers;
  const GroupId two = resolved.Isolating("a/two", kEgress).rules.at(0).peers;
  EXPECT_EQ(one, resolved.Isolating("a/same", kEgress).rules.at(0).peers);
  EXPECT_NE(resolved.policy().groups[one].key, resolved.policy().groups[two].key);
  EXPECT_LT(resolved.policy().groups[one].key.size(), 100u);
  EXPECT_EQ(resolved.policy().groups[one].blocks.size(), 101u);
}

TEST(Resolve, OrderOfObjectsDoesNotMatter) {
  Cluster cluster = Teams()
                        .Node("n2")
                        .Node("n1")
                        .Policy("a/q")
                        .Ingress({PodPeer(Everything())}, {Tcp("http")})
                        .Policy("a-b/p")
                        .Egress({NamespacePeer(Everything())})
                        .Policy("a/p")
                        .Ingress()
                        .Build();
  const std::string dump = Resolved(cluster).policy().Dump();
  std::reverse(cluster.namespaces.begin(), cluster.namespaces.end());
  std::reverse(cluster.nodes.begin(), cluster.nodes.end());
  std::reverse(cluster.pods.begin(), cluster.pods.end());
  std::reverse(cluster.policies.begin(), cluster.policies.end());
  EXPECT_EQ(Resolved(cluster).policy().Dump(), dump);
}

TEST(Resolve, DumpShowsTheWhole) {
  const Resolved resolved(ClusterBuilder()
                              .Node("n1", {"192.168.0.1"}, {"10.0.0.0/24"})
                              .Pod("a/web", {{"app", "web"}}, {"10.0.0.2", "fd00::2"})
                              .OnNode("n1")
                              .Port("http", kProtoTcp, 8080)
                              .Policy("a/p", Match({{"app", "web"}}))
                              .Ingress({CidrPeer("10.0.0.0/8", {"10.1.0.0/16"})}, {Tcp(80), Tcp("http")})
                              .DenyEgress());
  EXPECT_EQ(resolved.policy().Dump(),
            "node n1 addresses=10.0.0.0,10.0.0.1,192.168.0.1 podCIDRs=10.0.0.0/24\n"
            "group 0 {pods[app=web] in a}\n"
            "group 1 {10.0.0.0/8 except 10.1.0.0/16} 10.0.0.0/8 except 10.1.0.0/16\n"
            "group 2 {(pods[app=web] in a) with TCP/http=8080}\n"
            "endpoint a/web addresses=10.0.0.2,fd00::2 node=n1 labels=app=web ports=http:TCP/8080 groups=0,2\n"
            "section a/p egress tier=NetworkPolicy priority=0 subjects=0 isolates\n"
            "section a/p ingress tier=NetworkPolicy priority=0 subjects=0 isolates\n"
            "  rule 0 allow peers=1 ports=TCP/80\n"
            "section a/p ingress tier=NetworkPolicy priority=0 subjects=2\n"
            "  rule 0 allow peers=1 ports=TCP/8080\n");
}

}  // namespace
}  // namespace sluice
