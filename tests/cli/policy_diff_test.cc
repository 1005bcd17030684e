// What differs between two resolved policies, object by object.
#include "sluicectl/policy_diff.h"

#include <gmock/gmock.h>

#include "table/policy_builder.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using enum ObjectChange::Kind;

// Pod web in group web, which policy default/web isolates and lets `peers` in on TCP 80.
ResolvedPolicy Web(const std::string& peers, const std::string& address = "10.0.0.1") {
  PolicyBuilder builder;
  const GroupId other = builder.Group(peers);
  const GroupId web = builder.Group("web");
  builder.Node("node1", {Ip("192.0.2.1")});
  builder.Endpoint("web", {Ip(address)}, {web});
  builder.Section("default/web", Direction::kIngress, web, {AllowRule(other, {TcpPort(80)})});
  return std::move(builder.policy());
}

TEST(PolicyDiff, SamePolicyInOtherNumbersIsNoDifference) {
  PolicyBuilder builder;
  builder.Group("unused");
  const GroupId web = builder.Group("web");
  const GroupId other = builder.Group("clients");
  builder.Node("gone", {});
  builder.Node("node1", {Ip("192.0.2.1")});
  builder.policy().endpoints.emplace_back();  // a number that is no longer used
  builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
  builder.Section("default/web", Direction::kIngress, web, {AllowRule(other, {TcpPort(80)})});
  EXPECT_TRUE(Compare(Web("clients"), builder.policy()).empty());
}

TEST(PolicyDiff, ChangedRuleIsShownAsItWasAndAsItIs) {
  const PolicyDiff diff = Compare(Web("clients"), Web("admins"));
  ASSERT_EQ(diff.policies.size(), 1u);
  EXPECT_EQ(diff.policies[0].kind, kChanged);
  EXPECT_EQ(diff.policies[0].name, "default/web");
  EXPECT_THAT(diff.policies[0].left, ElementsAre("ingress[0]: allow from clients, tcp/80"));
  EXPECT_THAT(diff.policies[0].came, ElementsAre("ingress[0]: allow from admins, tcp/80"));
  EXPECT_THAT(diff.endpoints, IsEmpty());
  EXPECT_THAT(diff.nodes, IsEmpty());
}

TEST(PolicyDiff, WhatComesAndGoesIsNamed) {
  PolicyBuilder none;
  const PolicyDiff came = Compare(none.policy(), Web("clients"));
  ASSERT_EQ(came.policies.size(), 1u);
  EXPECT_EQ(came.policies[0].kind, kAdded);
  EXPECT_THAT(came.policies[0].came,
              ElementsAre("ingress default: deny; isolates web", "ingress[0]: allow from clients, tcp/80"));
  EXPECT_EQ(Count(came.endpoints, kAdded), 1u);
  EXPECT_EQ(Count(came.nodes, kAdded), 1u);
  const PolicyDiff went = Compare(Web("clients"), none.policy());
  EXPECT_EQ(Count(went.policies, kRemoved), 1u);
  EXPECT_EQ(Count(went.endpoints, kRemoved), 1u);
  EXPECT_EQ(Count(went.nodes, kRemoved), 1u);
}

TEST(PolicyDiff, EndpointThatMovesShowsItsAddress) {
  const PolicyDiff diff = Compare(Web("clients"), Web("clients", "10.0.0.9"));
  ASSERT_EQ(diff.endpoints.size(), 1u);
  EXPECT_EQ(diff.endpoints[0].name, "default/web");
  EXPECT_THAT(diff.endpoints[0].left, ElementsAre("address 10.0.0.1"));
  EXPECT_THAT(diff.endpoints[0].came, ElementsAre("address 10.0.0.9"));
}

// A namespace that was relabelled: the pod is as it was, and another selector of both sides picks it.
TEST(PolicyDiff, EndpointThatASelectorNoLongerPicksShowsIt) {
  const auto policy = [](bool picked) {
    PolicyBuilder builder;
    const GroupId web = builder.Group("web");
    const GroupId trusted = builder.Group("trusted");
    builder.Endpoint("web", {Ip("10.0.0.1")}, picked ? std::vector{web, trusted} : std::vector{web});
    builder.Section("default/web", Direction::kIngress, web, {AllowRule(trusted)});
    return std::move(builder.policy());
  };
  const PolicyDiff diff = Compare(policy(true), policy(false));
  EXPECT_THAT(diff.policies, IsEmpty());
  ASSERT_EQ(diff.endpoints.size(), 1u);
  EXPECT_THAT(diff.endpoints[0].left, ElementsAre("selected by trusted"));
  EXPECT_THAT(diff.endpoints[0].came, IsEmpty());
}

}  // namespace
}  // namespace sluice
