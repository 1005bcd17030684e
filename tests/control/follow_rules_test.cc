// What single changes make of the updates that a view sends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <sstream>
#include <string>

#include "control/follower.h"
#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "support/cluster_builder.h"
#include "table/classify.h"

namespace sluice::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

void Tell(const ClusterBuilder& builder, ClusterResolver* resolver) {
  const Cluster cluster = builder.Build();
  for (const Namespace& object : cluster.namespaces) resolver->Upsert(object);
  for (const NodeObject& object : cluster.nodes) resolver->Upsert(object);
  for (const Pod& object : cluster.pods) resolver->Upsert(object);
  for (const NetworkPolicy& object : cluster.policies) resolver->Upsert(object);
}

Pod PodAt(std::string name, std::string_view address, std::int64_t created = 0) {
  Pod pod;
  pod.namespace_name = "a";
  pod.name = std::move(name);
  pod.addresses = {Ip(address)};
  pod.created = created;
  return pod;
}

TEST(Follow, NP_82_PodThatFinishesIsRemovedAndItsAddressMayBeReusedInTheSameBatch) {
  ClusterResolver resolver;
  Tell(ClusterBuilder().Pod("a/old", {}, {"10.0.0.1"}), &resolver);
  Follower follower(&resolver);
  Pod old = PodAt("old", "10.0.0.1");
  old.phase = Pod::Phase::kSucceeded;
  resolver.Upsert(old);
  resolver.Upsert(PodAt("new", "10.0.0.1"));
  ASSERT_TRUE(follower.Follow());
  EXPECT_THAT(follower.update().removed_endpoints, testing::ElementsAre(0));
  EXPECT_THAT(InNames(follower.policy()), HasSubstr("endpoint a/new labels  10.0.0.1"));
  EXPECT_THAT(InNames(follower.policy()), Not(HasSubstr("a/old")));
}

TEST(Follow, NP_83_LoserGetsItsAddressBackWhenTheWinnerGoes) {
  ClusterResolver resolver;
  resolver.Upsert(PodAt("older", "10.0.0.1", 1));
  Follower follower(&resolver);
  resolver.Upsert(PodAt("newer", "10.0.0.1", 2));
  ASSERT_TRUE(follower.Follow());
  EXPECT_THAT(InNames(follower.policy()), Not(HasSubstr("a/older labels  10.0.0.1")));
  EXPECT_THAT(resolver.Conflicts(), SizeIs(1));
  resolver.DeletePod("a", "newer");
  ASSERT_TRUE(follower.Follow());
  EXPECT_THAT(InNames(follower.policy()), HasSubstr("a/older labels  10.0.0.1"));
  EXPECT_THAT(resolver.Conflicts(), IsEmpty());
}

TEST(Follow, NP_70_NodeLosesAnAddressWhileAPodClaimsIt) {
  ClusterResolver resolver;
  Tell(ClusterBuilder().Node("n1", {"192.168.0.1"}), &resolver);
  Follower follower(&resolver);
  resolver.Upsert(PodAt("thief", "192.168.0.1"));
  ASSERT_TRUE(follower.Follow());
  EXPECT_THAT(InNames(follower.policy()), Not(HasSubstr("node n1 192.168.0.1")));
  resolver.DeletePod("a", "thief");
  ASSERT_TRUE(follower.Follow());
  EXPECT_THAT(InNames(follower.policy()), HasSubstr("node n1 192.168.0.1"));
}

// Follows, and returns the nodes that are then in force.
std::string NodesOf(Follower& follower) {
  EXPECT_TRUE(follower.Follow());
  std::string lines;
  std::istringstream text(InNames(follower.policy()));
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("node ")) lines += line + '\n';
  }
  return lines;
}

Exemption ExemptionBetween(const Table& table, std::string_view source, std::string_view destination) {
  Classifier classifier(1);
  const ClassifyQuery query{Ip(source), Ip(destination), kProtoTcp, 80};
  Classification result;
  classifier.Classify(table, std::span(&query, 1), &result);
  EXPECT_FALSE(result.unknown_endpoint);
  return result.exemption;
}

TEST(Follow, NP_70_AddressIsNobodysOwnWhileAnotherNodeClaimsItAndNeverUnknown) {
  ClusterResolver resolver;
  Tell(ClusterBuilder()
           .Node("n1", {"10.0.0.9"}, {"10.0.0.0/24"})
           .Pod("a/one", {}, {"10.0.0.101"})
           .OnNode("n1")
           .Pod("a/two", {}, {"10.0.0.102"})
           .OnNode("n2"),
       &resolver);
  Follower all(&resolver), of_n1(&resolver, "n1"), of_n2(&resolver, "n2");
  const auto expect_own_of = [&](std::string_view node) {
    for (Follower* follower : {&all, &of_n1, &of_n2}) ASSERT_TRUE(follower->Follow());
    const auto expected = [&](std::string_view of) { return of == node ? Exemption::kNode : Exemption::kNone; };
    EXPECT_EQ(ExemptionBetween(all.table(), "10.0.0.9", "10.0.0.101"), expected("n1"));
    EXPECT_EQ(ExemptionBetween(all.table(), "10.0.0.102", "10.0.0.9"), expected("n2"));
    EXPECT_EQ(ExemptionBetween(of_n1.table(), "10.0.0.9", "10.0.0.101"), expected("n1"));
    EXPECT_EQ(ExemptionBetween(of_n2.table(), "10.0.0.102", "10.0.0.9"), expected("n2"));
  };
  expect_own_of("n1");
  Tell(ClusterBuilder().Node("n2", {"10.0.0.9", "192.168.0.2"}), &resolver);
  expect_own_of("");
  EXPECT_EQ(NodesOf(all), "node n1 10.0.0.0 10.0.0.1 10.0.0.9 10.0.0.0/24\nnode n2 10.0.0.9 192.168.0.2\n");
  EXPECT_EQ(NodesOf(of_n1), "node n1 10.0.0.0 10.0.0.1 10.0.0.9 10.0.0.0/24\nnode n2 10.0.0.9\n");
  EXPECT_EQ(NodesOf(of_n2), "node n1 10.0.0.9\nnode n2 10.0.0.9 192.168.0.2\n");
  // What a pod says of its node counts as much.
  Tell(ClusterBuilder().Pod("a/two", {}, {"10.0.0.102"}).OnNode("n2").HostAddresses({"10.0.0.9"}), &resolver);
  resolver.DeleteNode("n2");
  expect_own_of("");
  EXPECT_THAT(resolver.Conflicts(), SizeIs(1));
  resolver.DeleteNode("n1");
  expect_own_of("n2");
  EXPECT_THAT(resolver.Conflicts(), IsEmpty());
  Tell(ClusterBuilder().Node("n1", {"10.0.0.9"}, {"10.0.0.0/24"}), &resolver);
  expect_own_of("");
  resolver.DeletePod("a", "two");
  ASSERT_TRUE(all.Follow());
  EXPECT_EQ(ExemptionBetween(all.table(), "10.0.0.9", "10.0.0.101"), Exemption::kNode);
}

TEST(Follow, NP_72_NodeHasAnAddressOfItsPodCidrWhileNoPodHasIt) {
  ClusterResolver resolver;
  Tell(ClusterBuilder().Node("n1", {}, {"10.0.1.0/24"}).Pod("a/web", {}, {"10.0.1.10"}).OnNode("n1"), &resolver);
  Follower all(&resolver), of_n1(&resolver, "n1");
  for (Follower* follower : {&all, &of_n1}) {
    EXPECT_EQ(NodesOf(*follower), "node n1 10.0.1.0 10.0.1.1 10.0.1.0/24\n");
    EXPECT_EQ(ExemptionBetween(follower->table(), "10.0.1.1", "10.0.1.10"), Exemption::kNode);
  }
  Tell(ClusterBuilder().Pod("a/other", {}, {"10.0.1.1"}).OnNode("n2"), &resolver);
  for (Follower* follower : {&all, &of_n1}) {
    EXPECT_EQ(NodesOf(*follower), "node n1 10.0.1.0 10.0.1.0/24\n");
    EXPECT_EQ(ExemptionBetween(follower->table(), "10.0.1.1", "10.0.1.10"), Exemption::kNone);
  }
  resolver.DeletePod("a", "other");
  for (Follower* follower : {&all, &of_n1}) {
    EXPECT_EQ(NodesOf(*follower), "node n1 10.0.1.0 10.0.1.1 10.0.1.0/24\n");
    EXPECT_EQ(ExemptionBetween(follower->table(), "10.0.1.1", "10.0.1.10"), Exemption::kNode);
  }
}

TEST(Follow, NP_72_GuessComesBackWhenTheNodeThatStatesTheAddressGoes) {
  ClusterResolver resolver;
  Tell(ClusterBuilder().Node("n1", {}, {"10.0.1.0/24"}).Node("n2", {"10.0.1.1"}), &resolver);
  Follower all(&resolver), of_n1(&resolver, "n1");
  EXPECT_EQ(NodesOf(all), "node n1 10.0.1.0 10.0.1.0/24\nnode n2 10.0.1.1\n");
  EXPECT_EQ(NodesOf(of_n1), "node n1 10.0.1.0 10.0.1.0/24\nnode n2 10.0.1.1\n");
  resolver.DeleteNode("n2");
  EXPECT_EQ(NodesOf(all), "node n1 10.0.1.0 10.0.1.1 10.0.1.0/24\n");
  EXPECT_EQ(NodesOf(of_n1), "node n1 10.0.1.0 10.0.1.1 10.0.1.0/24\n");
}

// Else a pod with such an address, which policy may allow, would be dropped as an unknown endpoint there.
TEST(Follow, ViewOfANodeHoldsWhateverHasAnAddressInItsPodCidrs) {
  ClusterResolver resolver;
  const auto node = [](std::vector<std::string> cidrs) { return ClusterBuilder().Node("n1", {}, std::move(cidrs)); };
  Tell(node({"10.0.1.0/24"})
           .Node("n2", {"10.0.1.20", "192.168.0.2"})
           .Pod("a/here", {}, {"10.0.1.10"})
           .OnNode("n1")
           .Pod("b/elsewhere", {}, {"10.0.1.30"})
           .OnNode("n2")
           .Pod("b/far", {}, {"10.0.2.30"})
           .OnNode("n2"),
       &resolver);
  Follower follower(&resolver, "n1");
  const auto expect_in_force = [&](bool elsewhere, bool far) {
    const std::string names = InNames(follower.policy());
    EXPECT_EQ(names.find("endpoint b/elsewhere labels  10.0.1.30") != names.npos, elsewhere) << names;
    EXPECT_EQ(names.find("node n2 10.0.1.20\n") != names.npos, elsewhere) << names;
    EXPECT_EQ(names.find("endpoint b/far labels  10.0.2.30") != names.npos, far) << names;
    EXPECT_THAT(names, Not(HasSubstr("192.168.0.2")));
  };
  expect_in_force(true, false);
  Tell(node({"10.0.2.0/24"}), &resolver);
  ASSERT_TRUE(follower.Follow());
  expect_in_force(false, true);
  Tell(node({}), &resolver);
  ASSERT_TRUE(follower.Follow());
  expect_in_force(false, false);
  Tell(node({"10.0.0.0/16"}), &resolver);
  ASSERT_TRUE(follower.Follow());
  expect_in_force(true, true);
  resolver.DeletePod("b", "far");
  ASSERT_TRUE(follower.Follow());
  expect_in_force(true, false);
  Tell(ClusterBuilder().Pod("b/far", {}, {"10.0.2.30"}).OnNode("n2"), &resolver);
  ASSERT_TRUE(follower.Follow());
  expect_in_force(true, true);
}

TEST(Follow, GroupThatComesBackHasANewNumberAndAllItsMembers) {
  ClusterResolver resolver;
  const ClusterBuilder builder = ClusterBuilder().Pod("a/web", {}, {"10.0.0.1"}).Policy("a/p").DenyIngress();
  Tell(builder, &resolver);
  Follower follower(&resolver);
  resolver.DeletePolicy("a", "p");
  ASSERT_TRUE(follower.Follow());
  EXPECT_THAT(follower.update().removed_groups, testing::ElementsAre(0));
  Tell(builder, &resolver);
  ASSERT_TRUE(follower.Follow());
  ASSERT_THAT(follower.update().groups, SizeIs(1));
  EXPECT_EQ(follower.update().groups[0].id, 1);
  EXPECT_THAT(follower.update().groups[0].members, testing::ElementsAre(0));
}

TEST(Follow, NP_51_PodWithAnotherNumberBringsItsPolicyANewSection) {
  ClusterResolver resolver;
  Tell(ClusterBuilder()
           .Pod("a/web", {}, {"10.0.0.1"})
           .Port("http", kProtoTcp, 80)
           .Policy("a/p")
           .Ingress({}, {Tcp("http")}),
       &resolver);
  Follower follower(&resolver);
  Pod other = PodAt("other", "10.0.0.2");
  other.ports = {{"http", kProtoTcp, 8080}};
  resolver.Upsert(other);
  ASSERT_TRUE(follower.Follow());
  ASSERT_THAT(follower.update().sections, SizeIs(1));
  EXPECT_THAT(follower.update().sections[0].sections, SizeIs(3));
}

TEST(Follow, WhatPolicyDoesNotSeeChangesNothing) {
  ClusterResolver resolver;
  const ClusterBuilder builder = ClusterBuilder()
                                     .Pod("a/web", {{"app", "web"}}, {"10.0.0.1"})
                                     .Policy("a/p", Match({{"app", "web"}}))
                                     .DenyIngress();
  Tell(builder, &resolver);
  auto view = resolver.MakeView();
  view->Full();
  Tell(builder, &resolver);
  resolver.Upsert(Namespace{"a", {{"kubernetes.io/metadata.name", "a"}, {"nobody", "asks"}}});
  EXPECT_FALSE(view->HasChanges());
}

TEST(Follow, ManyChangesOfOnePodAreOne) {
  ClusterResolver resolver;
  auto view = resolver.MakeView();
  view->Full();
  for (int i = 0; i < 1000; ++i) {
    resolver.DeletePod("a", "web");
    resolver.Upsert(PodAt("web", "10.0.0." + std::to_string(i % 250)));
  }
  const PolicyUpdate update = view->TakeChanges();
  EXPECT_THAT(update.endpoints, SizeIs(1));
  EXPECT_THAT(update.removed_endpoints, IsEmpty());
}

TEST(Follow, NumbersUsedUpCallForAFullState) {
  ClusterResolver resolver;
  auto view = resolver.MakeView();
  EXPECT_TRUE(view->FullDue());
  view->Full();
  for (int i = 0; !view->FullDue(); ++i) {
    ASSERT_LT(i, 1'000'000);
    resolver.DeletePod("a", "web");
    resolver.Upsert(PodAt("web", "10.0.0.1"));
    view->TakeChanges();
  }
  EXPECT_THAT(view->Full().endpoints, SizeIs(1));
  EXPECT_FALSE(view->FullDue());
}

TEST(Follow, ViewOfANodeHoldsItsPodsTheirPoliciesAndPeersAlone) {
  ClusterResolver resolver;
  Tell(ClusterBuilder()
           .Pod("a/here", {{"app", "web"}}, {"10.0.0.1"})
           .OnNode("n1")
           .Pod("a/there", {{"app", "web"}}, {"10.0.0.2"})
           .OnNode("n2")
           .Pod("b/peer", {}, {"10.0.0.3"})
           .OnNode("n2")
           .Pod("c/stranger", {}, {"10.0.0.4"})
           .OnNode("n2")
           .Policy("a/p", Match({{"app", "web"}}))
           .Ingress({NamespacePeer(Match({{"kubernetes.io/metadata.name", "b"}}))})
           .Policy("c/q")
           .DenyIngress(),
       &resolver);
  Follower follower(&resolver, "n1");
  const std::string names = InNames(follower.policy());
  EXPECT_THAT(names, HasSubstr("a/here"));
  EXPECT_THAT(names, HasSubstr("b/peer"));
  EXPECT_THAT(names, HasSubstr("section a/p"));
  EXPECT_THAT(names, Not(HasSubstr("a/there")));
  EXPECT_THAT(names, Not(HasSubstr("c/stranger")));
  EXPECT_THAT(names, Not(HasSubstr("section c/q")));
}

}  // namespace
}  // namespace sluice::test
