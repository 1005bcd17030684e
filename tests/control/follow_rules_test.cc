// What single changes make of the updates that a view sends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "control/follower.h"
#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "support/cluster_builder.h"

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

TEST(Follow, NP_70_NodesLoseAnAddressWhileAnotherClaimsIt) {
  ClusterResolver resolver;
  Tell(ClusterBuilder().Node("n1", {"192.168.0.1", "192.168.0.9"}), &resolver);
  Follower follower(&resolver);
  const auto nodes = [&] {
    EXPECT_TRUE(follower.Follow());
    std::string lines;
    std::istringstream text(InNames(follower.policy()));
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("node ")) lines += line + '\n';
    }
    return lines;
  };
  Tell(ClusterBuilder().Node("n2", {"192.168.0.1", "192.168.0.2"}), &resolver);
  EXPECT_EQ(nodes(), "node n1 192.168.0.9\nnode n2 192.168.0.2\n");
  // What a pod says of its node counts as much.
  Tell(ClusterBuilder().Pod("a/web", {}, {"10.0.0.1"}).OnNode("n2").HostAddresses({"192.168.0.1"}), &resolver);
  resolver.DeleteNode("n2");
  EXPECT_EQ(nodes(), "node n1 192.168.0.9\n");
  EXPECT_THAT(resolver.Conflicts(), SizeIs(1));
  resolver.DeletePod("a", "web");
  EXPECT_EQ(nodes(), "node n1 192.168.0.1 192.168.0.9\n");
  EXPECT_THAT(resolver.Conflicts(), IsEmpty());
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
