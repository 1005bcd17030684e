// Counters by policy: what they add up to, whatever comes, goes and begins anew.
#include "observe/policy_totals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Policy default/pN denies all that comes to pod 10.0.0.N, for N from 1 to `policies`.
ResolvedPolicy Isolated(int policies) {
  PolicyBuilder builder;
  for (int i = 1; i <= policies; ++i) {
    const std::string number = std::to_string(i);
    const GroupId group = builder.Group("g" + number);
    builder.Endpoint("e" + number, {Ip("10.0.0." + number)}, {group});
    builder.Section("default/p" + number, Direction::kIngress, group, {});
  }
  return std::move(builder.policy());
}

class PolicyTotalsTest : public testing::Test {
 protected:
  void Load(const ResolvedPolicy& policy) { Use(MustCompile(compiler_, policy)); }
  // The same rules in another epoch, in which counts begin anew.
  void LoadInAnotherEpoch(const ResolvedPolicy& policy) {
    Compiler another({}, worker_.table().generation());
    Use(MustCompile(another, policy));
  }
  void Hit(int policy, int times) {
    const std::string to = "10.0.0." + std::to_string(policy);
    for (int i = 0; i < times; ++i) {
      worker_.Send(PacketBuilder().Ethernet().Ipv4("192.0.2.1", to).Udp(1000, 53).Payload(20));
    }
  }
  void Update(PolicyTotals& totals) {
    totals.Update(worker_.table(), {worker_.pipeline().Observe()},
                  [this](const std::string& policy) { return policy != gone_; });
  }
  static std::string Told(const PolicyTotals& totals) {
    std::string text;
    for (const auto& [key, total] : totals.totals()) {
      text += (text.empty() ? "" : ", ") + std::get<0>(key) + "=" + std::to_string(total.packets);
    }
    return text;
  }

  PipelineFixture worker_;
  std::string gone_;

 private:
  void Use(std::shared_ptr<const Table> table) {
    worker_.pipeline().Reserve(*table);
    worker_.Load(std::move(table));
  }

  Compiler compiler_;
};

TEST_F(PolicyTotalsTest, WhatWasNeverHitHasNoTotal) {
  Load(Isolated(3));
  Hit(2, 5);
  PolicyTotals totals(10);
  Update(totals);
  EXPECT_EQ(Told(totals), "default/p2=5");
  const auto& [key, total] = *totals.totals().begin();
  EXPECT_EQ(key, (PolicyTotals::Key{"default/p2", Tier::kNetworkPolicy, Direction::kIngress, Action::kDeny}));
  EXPECT_EQ(total.bytes, 5u * 62);
}

TEST_F(PolicyTotalsTest, PoliciesThatThereIsNoRoomForShareOneTotal) {
  Load(Isolated(4));
  PolicyTotals totals(1);
  Hit(3, 1);
  Update(totals);
  EXPECT_EQ(totals.folded(), 0u);
  for (const int policy : {1, 2, 3, 4}) Hit(policy, 10);
  Update(totals);
  EXPECT_EQ(Told(totals), "=30, default/p3=11");
  EXPECT_EQ(totals.folded(), 3u);
}

TEST_F(PolicyTotalsTest, NoRoomAtAllLeavesTheSharedTotal) {
  Load(Isolated(2));
  Hit(1, 2);
  PolicyTotals totals(0);
  Update(totals);
  EXPECT_EQ(Told(totals), "=2");
}

TEST_F(PolicyTotalsTest, APolicyThatIsGoneGivesItsPlaceToOneThatIsHitForTheFirstTime) {
  Load(Isolated(3));
  PolicyTotals totals(1);
  Hit(1, 1);
  Hit(2, 2);
  Update(totals);
  EXPECT_EQ(Told(totals), "=2, default/p1=1");
  gone_ = "default/p1";
  Hit(2, 1);
  Hit(3, 4);
  Update(totals);
  // The second was folded before: its own series would begin with what the shared one has.
  EXPECT_EQ(Told(totals), "=3, default/p3=4");
  EXPECT_EQ(totals.folded(), 1u);
}

TEST_F(PolicyTotalsTest, AnotherEpochLowersNoTotal) {
  const ResolvedPolicy policy = Isolated(2);
  Load(policy);
  PolicyTotals totals(10);
  Hit(1, 7);
  Update(totals);
  LoadInAnotherEpoch(policy);
  Update(totals);
  EXPECT_EQ(Told(totals), "default/p1=7");
  Hit(1, 2);
  Hit(2, 1);
  Update(totals);
  EXPECT_EQ(Told(totals), "default/p1=9, default/p2=1");
}

TEST_F(PolicyTotalsTest, NoPolicyNoTotals) {
  PolicyTotals totals(10);
  Update(totals);
  EXPECT_THAT(totals.totals(), IsEmpty());
}

}  // namespace
}  // namespace sluice
