// Which rules decide nothing, as another one of their policy says all that they say.
#include "page/covered_rules.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice {
namespace {

CidrBlock Block(const char* cidr, const std::vector<const char*>& excepts = {}) {
  CidrBlock block{*Prefix::Parse(cidr), {}};
  for (const char* except : excepts) block.excepts.push_back(*Prefix::Parse(except));
  return block;
}

Rule TcpRule(std::int32_t index, GroupId peers, std::uint16_t first, std::uint16_t last) {
  return {.peers = peers, .ports = {{6, first, last}}, .any_port = false, .index = index};
}

class CoveredRulesTest : public testing::Test {
 protected:
  enum : GroupId { kEverybody, kWeb, kFront, kNobody, kWide, kNarrow, kHoles, kMoreHoles };

  CoveredRulesTest() {
    policy_.groups = {{"everybody", {}},
                      {"web", {}},
                      {"front", {}},
                      {"nobody", {}},
                      {"wide", {Block("10.0.0.0/8")}},
                      {"narrow", {Block("10.1.0.0/16"), Block("10.2.0.0/16")}},
                      {"holes", {Block("10.0.0.0/8", {"10.1.0.0/16"})}},
                      {"more holes", {Block("10.0.0.0/8", {"10.1.0.0/16", "10.2.0.0/16"})}}};
    Endpoint web, database;
    web.members = policy_.member_sets.Intern(std::vector<std::uint32_t>{kEverybody, kWeb, kFront});
    database.members = policy_.member_sets.Intern(std::vector<std::uint32_t>{kEverybody});
    policy_.endpoints = {web, database};
  }
  std::map<std::int32_t, std::int32_t> CoveredIn(std::vector<Rule> rules, Tier tier = Tier::kNetworkPolicy) {
    policy_.sections = {{.policy = "p", .tier = tier, .subjects = kEverybody, .rules = std::move(rules)}};
    std::map<std::int32_t, std::int32_t> covered;
    for (const auto& [place, other] : CoveredRules(policy_)) {
      EXPECT_EQ(place.policy, "p");
      EXPECT_EQ(other.of_pods_now, of_pods_now_);
      covered[place.index] = other.index;
    }
    return covered;
  }
  using Covered = std::map<std::int32_t, std::int32_t>;

  bool of_pods_now_ = false;  // what is expected of each
  ResolvedPolicy policy_;
};

TEST_F(CoveredRulesTest, PortsAndPeersMustBothBeWithin) {
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 80, 80), TcpRule(1, kWeb, 80, 90)}), (Covered{{0, 1}}));
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 80, 80), TcpRule(1, kAnyPeer, 81, 90)}), Covered{});
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 80, 80), {.peers = kAnyPeer, .ports = {}, .index = 1}}), (Covered{{0, 1}}));
  EXPECT_EQ(CoveredIn({{.peers = kWeb, .ports = {}, .index = 0}, TcpRule(1, kAnyPeer, 0, 65535)}), Covered{});
  EXPECT_EQ(CoveredIn({TcpRule(0, kNarrow, 1, 1), TcpRule(1, kWide, 1, 1)}), (Covered{{0, 1}}));
  EXPECT_EQ(CoveredIn({TcpRule(0, kNarrow, 1, 1), TcpRule(1, kHoles, 1, 1)}), Covered{});
  EXPECT_EQ(CoveredIn({TcpRule(0, kHoles, 1, 1), TcpRule(1, kWide, 1, 1)}), (Covered{{0, 1}}));
  EXPECT_EQ(CoveredIn({TcpRule(0, kHoles, 1, 1), TcpRule(1, kMoreHoles, 1, 1)}), (Covered{{1, 0}}));
}

TEST_F(CoveredRulesTest, OfSelectorsThatDifferThePodsThereAreDecide) {
  of_pods_now_ = true;
  EXPECT_EQ(CoveredIn({TcpRule(0, kEverybody, 1, 9), TcpRule(1, kWeb, 1, 1)}), (Covered{{1, 0}}));
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 1, 9), TcpRule(1, kEverybody, 1, 1)}), Covered{}) << "the database is no web";
  EXPECT_EQ(CoveredIn({TcpRule(0, kEverybody, 1, 1), TcpRule(1, kWeb, 1, 2)}), Covered{}) << "another port";
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 1, 1), TcpRule(1, kFront, 1, 1)}), (Covered{{1, 0}})) << "the same pods";
  EXPECT_EQ(CoveredIn({TcpRule(0, kEverybody, 1, 1), TcpRule(1, kNobody, 1, 1)}), Covered{}) << "has no peer";
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 1, 1), TcpRule(1, kEverybody, 1, 9)}, Tier::kAdmin), Covered{}) << "later";
}

TEST_F(CoveredRulesTest, WhatCoversWhateverPodsThereAreIsPreferred) {
  policy_.sections = {{.policy = "p",
                       .subjects = kEverybody,
                       .rules = {TcpRule(0, kEverybody, 1, 9), TcpRule(1, kWeb, 1, 1), TcpRule(2, kWeb, 1, 2)}}};
  const std::map<RulePlace, CoveringRule> expected = {{{"p", Direction::kIngress, 1}, {2, false}},
                                                      {{"p", Direction::kIngress, 2}, {0, true}}};
  EXPECT_EQ(CoveredRules(policy_), expected);
}

TEST_F(CoveredRulesTest, ARuleOfNamesCoversOnlyWhatTheyCover) {
  Rule names = TcpRule(0, kAnyPeer, 443, 443), more = TcpRule(1, kAnyPeer, 443, 443);
  names.domain_names = DomainPatterns({"*.example.com"});
  more.domain_names = DomainPatterns({"www.example.com"});
  EXPECT_EQ(CoveredIn({names, TcpRule(1, kWeb, 443, 443)}), Covered{});
  EXPECT_EQ(CoveredIn({names, more}), (Covered{{1, 0}}));
  EXPECT_EQ(CoveredIn({names, {.peers = kAnyPeer, .ports = {}, .index = 1}}), (Covered{{0, 1}}));
}

TEST_F(CoveredRulesTest, OfTwoThatSayTheSameTheLaterOneIsCovered) {
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 80, 80), TcpRule(1, kWeb, 80, 80)}), (Covered{{1, 0}}));
}

TEST_F(CoveredRulesTest, InTheTiersOfClusterPoliciesOnlyAnEarlierRuleCovers) {
  const Rule deny{.peers = kAnyPeer, .ports = {}, .action = Action::kDeny, .index = 1};
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 80, 80), deny}, Tier::kAdmin), Covered{});
  EXPECT_EQ(CoveredIn({deny, TcpRule(2, kWeb, 80, 80)}, Tier::kAdmin), (Covered{{2, 1}}));
}

TEST_F(CoveredRulesTest, ARuleOfSomeSubjectsCoversNoneOfAll) {
  policy_.sections = {{.policy = "p", .subjects = kEverybody, .rules = {TcpRule(0, kWeb, 80, 80)}},
                      {.policy = "p", .subjects = kWeb, .isolates = false, .rules = {TcpRule(1, kWeb, 1, 100)}}};
  EXPECT_TRUE(CoveredRules(policy_).empty());
}

}  // namespace
}  // namespace sluice
