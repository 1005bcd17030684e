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
  enum : GroupId { kEverybody, kWeb, kWide, kNarrow, kHoles };

  CoveredRulesTest() {
    policy_.groups = {{"everybody", {}},
                      {"web", {}},
                      {"wide", {Block("10.0.0.0/8")}},
                      {"narrow", {Block("10.1.0.0/16"), Block("10.2.0.0/16")}},
                      {"holes", {Block("10.0.0.0/8", {"10.1.0.0/16"})}}};
    Endpoint pod;
    pod.members = policy_.member_sets.Intern(std::vector<std::uint32_t>{kEverybody, kWeb});
    policy_.endpoints.push_back(pod);
  }
  std::map<std::int32_t, std::int32_t> CoveredIn(std::vector<Rule> rules, Tier tier = Tier::kNetworkPolicy) {
    policy_.sections = {{.policy = "p", .tier = tier, .subjects = kEverybody, .rules = std::move(rules)}};
    std::map<std::int32_t, std::int32_t> covered;
    for (const auto& [place, other] : CoveredRules(policy_)) {
      EXPECT_EQ(place.policy, "p");
      covered[place.index] = other;
    }
    return covered;
  }
  using Covered = std::map<std::int32_t, std::int32_t>;

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
  EXPECT_EQ(CoveredIn({TcpRule(0, kWeb, 1, 1), TcpRule(1, kEverybody, 1, 1)}), Covered{}) << "pods come and go";
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
