// Objects that no message can carry, and updates that a dataplane chokes on: told of by name, and all else goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "codec/codec.h"
#include "kube/process.h"
#include "push/fit.h"
#include "push/observer.h"
#include "push/push_server.h"
#include "push/pusher.h"
#include "support/cluster_builder.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// An API server's list of so many addresses, in one rule.
NetworkPolicy ListOf(const std::string& name, std::uint32_t addresses) {
  NetworkPolicy policy = ClusterBuilder().Policy("a/" + name).Ingress({}, {Tcp(443)}).Build().policies[0];
  for (std::uint32_t i = 0; i < addresses; ++i) {
    NetworkPolicyPeer peer = CidrPeer("192.0.0.0/32");
    peer.ip_block->cidr.base = IpAddress::V4(peer.ip_block->cidr.base.v4() + 2 * i);
    policy.ingress[0].peers.push_back(std::move(peer));
  }
  return policy;
}

const Section* IngressOf(const ResolvedPolicy& policy, const std::string& name) {
  for (const Section& section : policy.sections) {
    if (section.policy == name) return &section;
  }
  return nullptr;
}

class LargeObjects : public testing::Test {
 protected:
  LargeObjects() {
    options_.seed = 1;
    options_.most_message_bytes = options_.most_gathered_bytes = std::size_t{2} << 20;
    options_.backoff_least = options_.backoff_most = std::chrono::milliseconds(10);
    options_.refused_backoff_most = std::chrono::milliseconds(20);
    server_.Start();
    Take(ClusterBuilder().Namespace("a").Pod("a/web", {{"app", "web"}}, {"10.0.0.1"}).Build());
  }

  void Take(const Cluster& cluster) {
    feed_.Change({}, [&](ClusterResolver& resolver) {
      for (const Namespace& object : cluster.namespaces) resolver.Upsert(object);
      for (const Pod& object : cluster.pods) resolver.Upsert(object);
      for (const NetworkPolicy& object : cluster.policies) resolver.Upsert(object);
    });
    feed_.Publish();
  }
  void TakePolicy(NetworkPolicy policy) {
    Cluster cluster;
    cluster.policies.push_back(std::move(policy));
    Take(cluster);
  }
  void Push() { pusher_ = std::make_unique<Pusher>(feed_, Address(), options_, observer_); }
  std::string Address() const { return "unix:" + (folder_ / "a.sock"); }
  bool Arrives(const std::string& pod, const std::string& address) {
    Take(ClusterBuilder().Pod("a/" + pod, {{"app", "web"}}, {address}).Build());
    return server_.WaitUntil([&](const ResolvedPolicy& policy) {
      for (const Endpoint& endpoint : policy.endpoints) {
        if (endpoint.name == pod) return true;
      }
      return false;
    });
  }
  bool HasRules(const std::string& policy, std::size_t rules) {
    return server_.WaitUntil([&](const ResolvedPolicy& held) {
      const Section* section = IngressOf(held, policy);
      return section != nullptr && section->isolates && section->rules.size() == rules;
    });
  }
  // How many addresses the first rule admits, as the dataplane has it.
  std::size_t AddressesOf(const std::string& policy) {
    std::size_t addresses = 0;
    server_.WaitUntil([&](const ResolvedPolicy& held) {
      addresses = held.groups[IngressOf(held, policy)->rules.at(0).peers].blocks.size();
      return true;
    });
    return addresses;
  }

  TempFolder folder_;
  PushServer server_{Address()};
  PolicyFeed feed_;
  PushOptions options_;
  RecordingObserver observer_;
  std::unique_ptr<Pusher> pusher_;
};

TEST_F(LargeObjects, APolicyThatNoMessageCanCarryIsHeldBackByNameAndAllElseGoesOn) {
  Push();
  ASSERT_TRUE(Arrives("first", "10.0.0.2"));
  TakePolicy(ListOf("wide", 200'000));
  ASSERT_TRUE(HasRules("a/wide", 0));
  TakePolicy(ListOf("narrow", 10));
  ASSERT_TRUE(HasRules("a/narrow", 1));
  ASSERT_TRUE(Arrives("second", "10.0.0.3"));
  EXPECT_THAT(observer_.refused(), ElementsAre("policy a/wide held"));
  EXPECT_THAT(observer_.reasons(), ElementsAre(HasSubstr("ingress[0] peers: takes 2 MB, and a dataplane takes at "
                                                         "most 0 MB for one object: divide it into several")));
  EXPECT_EQ(pusher_->health().held_policies, 1u);
  EXPECT_THAT(pusher_->health().held_reasons.Get(),
              ElementsAre(testing::Pair("a/wide", HasSubstr("ingress[0] peers: takes 2 MB"))));
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) {
    return IngressOf(policy, "a/wide")->held.starts_with("ingress[0] peers: takes 2 MB");
  }));
  EXPECT_EQ(pusher_->health().connects, 1u);

  // Smaller, it is whole, though it names the same addresses as another policy that was held with it.
  TakePolicy(ListOf("wide", 1000));
  ASSERT_TRUE(HasRules("a/wide", 1));
  EXPECT_EQ(AddressesOf("a/wide"), 1000u);
  EXPECT_EQ(pusher_->health().held_policies, 0u);
  EXPECT_TRUE(pusher_->health().held_reasons.Get().empty());
  EXPECT_TRUE(
      server_.WaitUntil([](const ResolvedPolicy& policy) { return IngressOf(policy, "a/wide")->held.empty(); }));
}

TEST_F(LargeObjects, TwoPoliciesThatShareAListTooLargeAreBothHeldBack) {
  TakePolicy(ListOf("one", 100'000));
  TakePolicy(ListOf("two", 100'000));
  TakePolicy(ListOf("three", 90'000));
  TakePolicy(ListOf("narrow", 10));
  Push();
  ASSERT_TRUE(HasRules("a/narrow", 1));
  for (const char* policy : {"a/one", "a/two", "a/three"}) EXPECT_TRUE(HasRules(policy, 0));
  EXPECT_THAT(observer_.refused(),
              testing::UnorderedElementsAre("policy a/one held", "policy a/two held", "policy a/three held"));
}

TEST_F(LargeObjects, AnUpdateThatOneMessageCannotCarryBecomesAFullStateWhereNoPartsAreKnown) {
  options_.most_gathered_bytes = std::size_t{64} << 20;  // for a dataplane that knows parts; this one does not
  Push();
  ASSERT_TRUE(Arrives("first", "10.0.0.2"));
  ClusterBuilder many;
  for (int i = 0; i < 20'000; ++i) {
    many.Pod("a/many-" + std::to_string(i), {{"filler", std::string(100, 'x')}},
             {"10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250)});
  }
  Take(many.Build());
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return policy.endpoints.size() == 20'002; }));
  EXPECT_EQ(server_.full_states(), 2);
  EXPECT_TRUE(Arrives("second", "10.0.0.3"));
  EXPECT_EQ(pusher_->health().connects, 1u);
}

TEST_F(LargeObjects, AnUpdateOnWhichTheStreamEndsAgainAndAgainIsGivenUpForAFullState) {
  Push();
  ASSERT_TRUE(Arrives("first", "10.0.0.2"));
  server_.BreakAtUpdates(true);
  EXPECT_TRUE(Arrives("second", "10.0.0.3"));
  EXPECT_EQ(server_.full_states(), 2);
  EXPECT_THAT(observer_.troubles(), testing::Each("this update is too much for me"));
}

TEST_F(LargeObjects, WhileTheStreamEndsAtAnUpdateTheTargetIsNotInStep) {
  Push();
  ASSERT_TRUE(Arrives("first", "10.0.0.2"));
  while (!pusher_->health().in_step) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  options_.backoff_least = std::chrono::milliseconds(500);
  server_.BreakAtUpdates(true);
  Take(ClusterBuilder().Pod("a/second", {}, {"10.0.0.3"}).Build());
  while (observer_.troubles().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  // Each time that it connects, the dataplane agrees on all but the update. A full state counts before it is in step.
  while (!HasFailure()) {
    const bool in_step = pusher_->health().in_step;
    if (pusher_->health().full_states != 1) break;
    EXPECT_FALSE(in_step);
  }
}

Endpoint Named(const std::string& name) { return {"a", name, "", {}, {}, kNoNode, kEmptyIdSet}; }

TEST(Fit, OfAnEndpointThatIsTooLargeWhatIsForPeopleGoes) {
  ResolvedPolicy policy;
  policy.endpoints.push_back(Named("web"));
  policy.endpoints[0].labels = std::string(5000, 'x');
  policy.endpoints[0].ports.assign(100, {std::string(15, 'p'), kProtoTcp, 80});
  policy.endpoints[0].addresses = {Ip("10.0.0.1")};
  HeldPolicies held;
  const Fitting fitting = Fit(&policy, &held, 4000);
  EXPECT_FALSE(fitting.refused);
  EXPECT_THAT(fitting.held, IsEmpty());
  EXPECT_LT(policy.endpoints[0].labels.size(), 100u);
  EXPECT_THAT(policy.endpoints[0].ports, IsEmpty());
  EXPECT_EQ(policy.endpoints[0].addresses.size(), 1u);
}

TEST(Fit, WhatDecidesAndIsTooLargeIsRefusedByName) {
  ResolvedPolicy policy;
  policy.nodes.push_back({"n1", {}, std::vector<Prefix>(1000, Cidr("10.0.0.0/24"))});
  HeldPolicies held;
  EXPECT_EQ(Fit(&policy, &held, 4000).refused->object, "node n1");
  policy.nodes.clear();
  policy.endpoints.push_back(Named("web"));
  policy.endpoints[0].addresses.assign(1000, Ip("10.0.0.1"));
  EXPECT_EQ(Fit(&policy, &held, 4000).refused->object, "endpoint a/web");
}

TEST(Fit, AStagedPolicyThatIsTooLargeIsNotSentAndAllElseIs) {
  ResolvedPolicy policy;
  policy.groups.push_back({"everyone", {}});
  policy.groups.push_back({"wide", std::vector<CidrBlock>(1000, CidrBlock{Cidr("10.0.0.0/24"), {}})});
  Section section;
  section.policy = "a/web";
  section.subjects = 0;
  policy.sections.push_back(section);
  section.rules.resize(1);
  section.rules[0].peers = 1;
  policy.staged["a/wide"] = {section};
  section.rules.assign(1000, Rule{});
  policy.staged["a/web"] = {section};
  section.rules.resize(1);
  policy.staged["a/small"] = {section};
  HeldPolicies held;
  const Fitting fitting = Fit(&policy, &held, 4000);
  EXPECT_FALSE(fitting.refused);
  ASSERT_EQ(fitting.held.size(), 2u);
  EXPECT_EQ(fitting.held[0].object, "staged policy a/wide");
  EXPECT_EQ(fitting.held[1].object, "staged policy a/web");
  EXPECT_EQ(policy.sections.size(), 1u);
  ASSERT_EQ(policy.staged.size(), 1u);
  EXPECT_EQ(policy.staged.begin()->first, "a/small");
  EXPECT_FALSE(FindTooLarge(policy, 4000));
}

// What is staged uses its groups, too.
TEST(Fit, AGroupThatAStagedPolicyAloneUsesIsNotEmptied) {
  ResolvedPolicy policy;
  policy.groups.push_back({"everyone", {}});
  policy.groups.push_back({"small", {{Cidr("10.0.0.0/24"), {}}}});
  policy.groups.push_back({"unused", std::vector<CidrBlock>(1000, CidrBlock{Cidr("10.0.0.0/24"), {}})});
  Section section;
  section.policy = "a/web";
  section.subjects = 0;
  section.rules.resize(1);
  section.rules[0].peers = 1;
  policy.staged["a/web"] = {section};
  HeldPolicies held;
  EXPECT_TRUE(Fit(&policy, &held, 4000).emptied);
  EXPECT_EQ(policy.groups[1].blocks.size(), 1u);
  EXPECT_TRUE(policy.groups[2].blocks.empty());
}

// Without its rules, one of another tier might deny less.
TEST(Fit, APolicyOfAnotherTierIsNotHeldBackButRefused) {
  ResolvedPolicy policy;
  policy.groups.push_back({"everyone", {}});
  Section section;
  section.policy = "cluster-wide";
  section.tier = Tier::kAdmin;
  section.subjects = 0;
  section.rules.resize(1000);
  policy.sections.push_back(std::move(section));
  HeldPolicies held;
  const Fitting fitting = Fit(&policy, &held, 4000);
  ASSERT_TRUE(fitting.refused);
  EXPECT_EQ(fitting.refused->object, "policy cluster-wide");
  EXPECT_EQ(policy.sections.begin()->rules.size(), 1000u);
}

// What is told to fit must: the estimate is from above.
TEST(Fit, NoChunkOfWhatFitsIsLongerThanItWasTold) {
  ResolvedPolicy policy;
  policy.groups.push_back({"wide", {}});
  for (std::uint32_t i = 0; i < 500; ++i) {
    policy.groups[0].blocks.push_back(
        {Prefix::Make(IpAddress::V6(i, i), 100), {Prefix::Make(IpAddress::V6(i, i), 128)}});
  }
  policy.nodes.push_back({"n", {Ip("fd00::1")}, std::vector<Prefix>(100, Cidr("fd00::/64"))});
  policy.endpoints.push_back(Named("web"));
  policy.endpoints[0].addresses.assign(300, Ip("fd00::1"));
  policy.endpoints[0].ports.assign(300, {"http", kProtoTcp, 65535});
  Section section;
  section.policy = "a/p";
  section.subjects = 0;
  Rule rule;
  rule.peers = 0;
  rule.index = 1 << 30;
  rule.ports.assign(20, {kProtoTcp, 1000, 65535});
  section.rules.assign(300, rule);
  policy.sections.push_back(std::move(section));
  std::size_t least = 0;
  for (std::size_t most = 1 << 10; least == 0; most += 1 << 10) {
    if (!FindTooLarge(policy, most)) least = most;
  }
  std::size_t largest = 0;
  EncodeFullState(policy, ~std::uint64_t{0}, ~std::uint64_t{0}, 1, [&](const v1::FullStateChunk& chunk) {
    largest = std::max(largest, chunk.ByteSizeLong());
    return true;
  });
  EXPECT_LE(largest, least + 64);
  EXPECT_GT(largest, least - 2048);
}

}  // namespace
}  // namespace sluice
