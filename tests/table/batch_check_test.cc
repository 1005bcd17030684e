// Batches that contradict themselves: refused whole, by the name of what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "sluice/policy_update.h"
#include "table/policy_builder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Group GroupOf(const std::string& key, const std::vector<std::string>& cidrs = {}) {
  Group group{key, {}};
  for (const std::string& cidr : cidrs) group.blocks.push_back({*Prefix::Parse(cidr), {}});
  return group;
}

EndpointUpdate PodOf(EndpointId id, const std::string& name, const std::string& address, std::vector<GroupId> groups) {
  return {id, {"default", name, "", {}, {Ip(address)}, kNoNode, kEmptyIdSet}, "", std::move(groups)};
}

// With the index of the policy and without, which must agree.
std::string Refusal(const ResolvedPolicy& policy, const PolicyUpdate& update) {
  const UpdateIndex index(policy);
  const auto by_index = Check(policy, update, &index);
  const auto error = Check(policy, update);
  EXPECT_EQ(error ? error->ToString() : "", by_index ? by_index->ToString() : "");
  return error ? error->ToString() : "";
}

std::string Refusal(const ResolvedPolicy& policy) {
  const auto error = CheckFullState(policy);
  return error ? error->ToString() : "";
}

// Two pods, 10.0.0.1 and 10.0.0.2, the first in group "a", both in group "b".
class BatchCheckTest : public testing::Test {
 protected:
  BatchCheckTest() {
    builder_.Node("n1", {});
    a_ = builder_.Group("a");
    b_ = builder_.Group("b");
    builder_.Endpoint("e0", {Ip("10.0.0.1")}, {a_, b_});
    builder_.Endpoint("e1", {Ip("10.0.0.2")}, {b_});
    builder_.Section("default/p", Direction::kIngress, b_, {});
  }
  std::string Refuses(const PolicyUpdate& update) const { return Refusal(builder_.policy(), update); }

  PolicyBuilder builder_;
  GroupId a_ = 0, b_ = 0;
};

TEST_F(BatchCheckTest, GroupRemovedTwiceIsRefused) {
  PolicyUpdate update;
  update.removed_groups = {a_, a_};
  EXPECT_THAT(Refuses(update), HasSubstr("group 0: is removed twice in one update"));
  update.removed_groups = {a_};
  EXPECT_EQ(Refuses(update), "");
}

TEST_F(BatchCheckTest, EndpointRemovedTwiceIsRefused) {
  PolicyUpdate update;
  update.removed_endpoints = {1, 0, 1};
  EXPECT_THAT(Refuses(update), HasSubstr("endpoint 1: is removed twice in one update"));
  update.removed_endpoints = {1, 0};
  EXPECT_EQ(Refuses(update), "");
}

TEST_F(BatchCheckTest, WhatIsNotThereCannotBeRemovedByItsNumber) {
  PolicyUpdate update;
  update.removed_groups = {7};
  EXPECT_THAT(Refuses(update), HasSubstr("group 7: is not there to be removed"));
  update = {};
  update.removed_endpoints = {7};
  EXPECT_THAT(Refuses(update), HasSubstr("endpoint 7: is not there to be removed"));
  update = {};
  update.removed_groups = {a_};
  Apply(update, builder_.policy());
  EXPECT_THAT(Refuses(update), HasSubstr("group 0: is not there to be removed"));
}

TEST_F(BatchCheckTest, NamesRemovedTwiceAreRefused) {
  PolicyUpdate update;
  update.removed_policies = {"default/p", "default/p"};
  EXPECT_THAT(Refuses(update), HasSubstr("policy default/p: is removed twice in one update"));
  update = {};
  update.removed_nodes = {"n1", "n1"};
  EXPECT_THAT(Refuses(update), HasSubstr("node n1: is removed twice in one update"));
}

TEST_F(BatchCheckTest, PolicyThatIsRemovedAndComesAgainInOneUpdateIsFine) {
  PolicyUpdate update;
  update.removed_policies = {"default/p"};
  update.removed_nodes = {"n1"};
  update.nodes = {{"n1", {Ip("192.0.2.1")}, {}}};
  Section section;
  section.policy = "default/p";
  section.subjects = a_;
  update.sections = {{"default/p", {section}}};
  EXPECT_EQ(Refuses(update), "");
}

TEST_F(BatchCheckTest, EndpointNumberGivenTwiceIsRefused) {
  PolicyUpdate update;
  update.endpoints = {PodOf(2, "e2", "10.0.0.3", {}), PodOf(2, "e3", "10.0.0.4", {})};
  EXPECT_THAT(Refuses(update), HasSubstr("endpoint default/e3: id: 2 is given twice in one update"));
  update.endpoints = {PodOf(1, "e1", "10.0.0.2", {b_}), PodOf(1, "e1", "10.0.0.9", {b_})};
  EXPECT_THAT(Refuses(update), HasSubstr("endpoint default/e1: id: 1 is given twice in one update"));
}

TEST_F(BatchCheckTest, EndpointNameGivenTwiceIsRefused) {
  PolicyUpdate update;
  update.endpoints = {PodOf(2, "e2", "10.0.0.3", {}), PodOf(3, "e2", "10.0.0.4", {})};
  EXPECT_THAT(Refuses(update), HasSubstr("endpoint default/e2: name: is given twice in one update"));
}

TEST_F(BatchCheckTest, NodeOrPolicyGivenTwiceIsRefused) {
  PolicyUpdate update;
  update.nodes = {{"n2", {Ip("192.0.2.1")}, {}}, {"n2", {Ip("192.0.2.2")}, {}}};
  EXPECT_THAT(Refuses(update), HasSubstr("node n2: name: is given twice in one update"));
  update = {};
  update.sections = {{"default/q", {}}, {"default/q", {}}};
  EXPECT_THAT(Refuses(update), HasSubstr("policy default/q: sections: come twice in one update"));
}

TEST_F(BatchCheckTest, NewGroupsOfOneKeyMustBeEqual) {
  PolicyUpdate update;
  update.groups = {{2, GroupOf("k", {"10.1.0.0/16"}), {0}}, {3, GroupOf("k", {"10.1.0.0/16"}), {0}}};
  EXPECT_EQ(Refuses(update), "");
  update.groups[1].group = GroupOf("k", {"10.2.0.0/16"});
  EXPECT_THAT(Refuses(update), HasSubstr("group 3 {k}: blocks: are not those of group 2, which has the same key"));
  update.groups[1].group = GroupOf("k", {"10.1.0.0/16"});
  update.groups[1].members = {0, 1};
  EXPECT_THAT(Refuses(update), HasSubstr("group 3 {k}: members: are not those of group 2, which has the same key"));
  update.endpoints = {PodOf(1, "e1", "10.0.0.2", {b_, 2, 3})};  // then they are
  EXPECT_EQ(Refuses(update), "");
}

TEST_F(BatchCheckTest, NewGroupOfAKeyInForceMustBeEqualToIt) {
  PolicyUpdate update;
  update.groups = {{2, GroupOf("b"), {0}}};
  EXPECT_THAT(Refuses(update), HasSubstr("group 2 {b}: members: are not those of group 1, which has the same key"));
  update.groups[0].members = {0, 1};
  EXPECT_EQ(Refuses(update), "");
  update.groups[0].group = GroupOf("b", {"0.0.0.0/0"});
  EXPECT_THAT(Refuses(update), HasSubstr("group 2 {b}: blocks: are not those of group 1"));
  // One that goes in the same update does not count.
  update.removed_groups = {b_};
  update.removed_policies = {"default/p"};
  EXPECT_EQ(Refuses(update), "");
}

TEST_F(BatchCheckTest, EqualGroupsOfOneKeyMustStayEqual) {
  PolicyUpdate update;
  update.groups = {{2, GroupOf("b"), {0, 1}}};
  Apply(update, builder_.policy());
  update = {};
  update.endpoints = {PodOf(2, "e2", "10.0.0.3", {b_, 2})};
  EXPECT_EQ(Refuses(update), "");
  update.endpoints = {PodOf(2, "e2", "10.0.0.3", {b_})};
  EXPECT_THAT(Refuses(update), HasSubstr("group 2 {b}: members: are not those of group 1"));
  update.endpoints = {PodOf(1, "e1", "10.0.0.2", {2})};
  EXPECT_THAT(Refuses(update), HasSubstr("group 2 {b}: members: are not those of group 1"));
  update.endpoints.clear();
  update.removed_endpoints = {1};
  EXPECT_EQ(Refuses(update), "");
}

TEST(FullStateCheck, GroupsOfOneKeyMustBeEqual) {
  const auto state = [](const std::string& cidr, std::vector<GroupId> groups) {
    PolicyBuilder builder;
    builder.Group("k", {{*Prefix::Parse("10.1.0.0/16"), {}}});
    builder.Group("other");
    builder.Group("k", {{*Prefix::Parse(cidr), {}}});
    builder.Endpoint("e0", {Ip("10.0.0.1")}, std::move(groups));
    return std::move(builder.policy());
  };
  EXPECT_EQ(Refusal(state("10.1.0.0/16", {0, 2})), "");
  EXPECT_EQ(Refusal(state("10.1.0.0/16", {1})), "");
  EXPECT_THAT(Refusal(state("10.2.0.0/16", {0, 2})), HasSubstr("group 2 {k}: blocks: are not those of group 0"));
  EXPECT_THAT(Refusal(state("10.1.0.0/16", {0, 1})), HasSubstr("group 2 {k}: members: are not those of group 0"));
}

TEST(FullStateCheck, AddressesAndNamesOfEndpointsAreGivenOnce) {
  PolicyBuilder builder;
  builder.Endpoint("b", {Ip("10.0.0.1")}, {}).Endpoint("a", {Ip("10.0.0.2")}, {}).Endpoint("b", {}, {});
  EXPECT_THAT(Refusal(builder.policy()), StartsWith("error: endpoint default/b: name: is given twice"));
  builder.policy().endpoints[2].namespace_name = "other";
  EXPECT_EQ(Refusal(builder.policy()), "");
  builder.policy().endpoints[2].addresses = {Ip("10.0.0.2")};
  EXPECT_THAT(Refusal(builder.policy()),
              HasSubstr("endpoint other/b: addresses: 10.0.0.2 is also given to endpoint default/a"));
}

TEST(FullStateCheck, NumbersThatWentMayBeMany) {
  PolicyBuilder builder;
  builder.policy().endpoints.resize(3);
  builder.policy().groups.resize(3);
  EXPECT_EQ(Refusal(builder.policy()), "");
}

// What holds of a state: groups of one key are equal.
bool KeysAreOfEqualGroups(const ResolvedPolicy& policy) {
  for (GroupId a = 0; a < policy.groups.size(); ++a) {
    for (GroupId b = 0; b < a; ++b) {
      if (policy.groups[a].key.empty() || policy.groups[a].key != policy.groups[b].key) continue;
      if (policy.groups[a] != policy.groups[b]) return false;
      for (const Endpoint& endpoint : policy.endpoints) {
        const bool in_a = policy.member_sets.Contains(endpoint.members, a);
        if (in_a != policy.member_sets.Contains(endpoint.members, b)) return false;
      }
    }
  }
  return true;
}

class RandomUpdates {
 public:
  explicit RandomUpdates(std::uint64_t seed) : random_(seed) {}

  PolicyUpdate Next(const ResolvedPolicy& policy) {
    PolicyUpdate update;
    std::vector<GroupId> live;
    for (GroupId group = 0; group < policy.groups.size(); ++group) {
      if (policy.groups[group].key.empty()) continue;
      if (Under(8) == 0) {
        update.removed_groups.push_back(group);
      } else {
        live.push_back(group);
      }
    }
    for (std::uint64_t i = Under(3); i > 0; --i) {
      const auto id = static_cast<GroupId>(policy.groups.size() + update.groups.size());
      const std::string key(1, static_cast<char>('a' + Under(3)));
      GroupUpdate added{
          id, GroupOf(key, Under(4) == 0 ? std::vector<std::string>{"10.1.0.0/16"} : std::vector<std::string>{}), {}};
      for (EndpointId pod = 0; pod < policy.endpoints.size(); ++pod) {
        if (!policy.endpoints[pod].name.empty() && Under(3) == 0) added.members.push_back(pod);
      }
      update.groups.push_back(std::move(added));
      live.push_back(id);
    }
    const auto next_pod = static_cast<EndpointId>(policy.endpoints.size());
    for (EndpointId pod = 0; pod <= next_pod; ++pod) {
      if (pod < next_pod && policy.endpoints[pod].name.empty()) continue;
      const std::uint64_t choice = Under(pod == next_pod && next_pod < 4 ? 2 : 6);
      if (choice == 0 && pod < next_pod) update.removed_endpoints.push_back(pod);
      if (choice != 1) continue;
      std::vector<GroupId> groups;
      std::copy_if(live.begin(), live.end(), std::back_inserter(groups), [&](GroupId) { return Under(2) == 0; });
      update.endpoints.push_back(PodOf(pod, "e" + std::to_string(pod),
                                       "10.0." + std::to_string(pod / 250) + '.' + std::to_string(pod % 250),
                                       std::move(groups)));
    }
    return update;
  }

 private:
  std::uint64_t Under(std::uint64_t bound) { return random_() % bound; }

  std::mt19937_64 random_;
};

TEST(BatchCheck, RandomUpdatesPassExactlyIfGroupsOfOneKeyAreEqualAfterwards) {
  int refused = 0, applied_with_twins = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    RandomUpdates updates(seed);
    ResolvedPolicy policy;
    UpdateIndex index(policy);
    for (int step = 0; step < 60; ++step) {
      PolicyUpdate update = updates.Next(policy);
      const auto error = Check(policy, update, &index);
      ASSERT_EQ(error.has_value(), Check(policy, update).has_value()) << "seed " << seed;
      PolicyChange change = Apply(std::move(update), policy, &index);
      ASSERT_EQ(!error, KeysAreOfEqualGroups(policy)) << "seed " << seed << ": " << (error ? error->ToString() : "");
      if (error) {
        Undo(std::move(change), policy);
        ++refused;
      } else {
        index.Follow(change, policy);
        applied_with_twins += !index.Twins().empty();
      }
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(applied_with_twins, 100);
}

}  // namespace
}  // namespace sluice
