// Updates against whole compilations: after each random update, the updated table must answer like one compiled afresh,
// and whatever answers differently than before must be of an address that is said to have changed. So too where all is
// numbered anew now and then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "sluice/policy_update.h"
#include "table/answers.h"
#include "table/policy_builder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

// A small world that changes at random: few addresses, groups and ports, so that everything meets.
class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  IpAddress Address() {
    const std::uint64_t low = Below(24);
    return Below(3) == 0 ? IpAddress::V6(0xfd00000000000000u, low)
                         : IpAddress::V4(0x0a000000u + static_cast<std::uint32_t>(low));
  }

  std::vector<CidrBlock> Blocks() {
    std::vector<CidrBlock> blocks;
    for (std::uint64_t i = Below(3); i > 0; --i) {
      const IpAddress base = Address();
      const int bits = AddressBits(base.family);
      CidrBlock block{Prefix::Make(base, static_cast<std::uint8_t>(Below(4) == 0 ? 0 : bits - Below(5))), {}};
      const IpAddress hole = Address();
      const Prefix except =
          Prefix::Make(hole, static_cast<std::uint8_t>(AddressBits(hole.family) - static_cast<int>(Below(3))));
      if (block.cidr.Contains(except) && block.cidr != except && Below(2) == 0) block.excepts.push_back(except);
      blocks.push_back(block);
    }
    return blocks;
  }

  std::vector<std::uint32_t> LiveEndpoints(const ResolvedPolicy& policy) {
    std::vector<std::uint32_t> live;
    for (EndpointId id = 0; id < policy.endpoints.size(); ++id) {
      if (!policy.endpoints[id].name.empty()) live.push_back(id);
    }
    return live;
  }

  std::vector<GroupId> LiveGroups(const ResolvedPolicy& policy) {
    std::vector<GroupId> live;
    for (GroupId id = 0; id < policy.groups.size(); ++id) {
      if (!policy.groups[id].key.empty()) live.push_back(id);
    }
    return live;
  }

  template <typename T>
  std::vector<T> Some(const std::vector<T>& all) {
    std::vector<T> some;
    for (const T& one : all) {
      if (Below(2) == 0) some.push_back(one);
    }
    return some;
  }

  SectionsUpdate Policy(const std::vector<GroupId>& groups) {
    SectionsUpdate update;
    // Cluster policies of few subjects share bundles.
    const bool of_cluster = Below(2) == 0;
    const Tier tier = !of_cluster ? Tier::kNetworkPolicy : Below(2) == 0 ? Tier::kAdmin : Tier::kBaseline;
    const auto priority = static_cast<std::uint32_t>(of_cluster ? Below(3) : 0);
    update.policy = (of_cluster ? "c" : "default/p") + std::to_string(Below(8));
    for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
      if (Below(3) == 0) continue;
      Section section;
      section.policy = update.policy;
      section.direction = direction;
      section.tier = tier;
      section.priority = priority;
      if (of_cluster) section.isolates = Below(8) == 0;  // an API sender's: no cluster policy of Kubernetes' does
      section.subjects = groups[Below(of_cluster ? std::min<std::uint64_t>(groups.size(), 2) : groups.size())];
      for (std::uint64_t i = Below(4); i > 0; --i) {
        Rule rule;
        if (of_cluster) rule.action = Below(3) == 0 ? Action::kAllow : Below(2) == 0 ? Action::kDeny : Action::kPass;
        rule.peers = Below(5) == 0 ? kAnyPeer : groups[Below(groups.size())];
        rule.any_port = Below(3) == 0;
        if (!rule.any_port)
          rule.ports = {
              {kProtoTcp, static_cast<std::uint16_t>(1 + Below(3)), static_cast<std::uint16_t>(3 + Below(3))}};
        rule.index = static_cast<std::int32_t>(section.rules.size());
        section.rules.push_back(rule);
      }
      update.sections.push_back(section);
    }
    return update;
  }

  PolicyUpdate Update(const ResolvedPolicy& policy) {
    PolicyUpdate update;
    const std::vector<EndpointId> endpoints = LiveEndpoints(policy);
    std::vector<GroupId> groups = LiveGroups(policy);
    if (Below(3) == 0 || groups.size() < 3) {
      GroupUpdate group;
      group.id = static_cast<GroupId>(policy.groups.size());
      group.group = {"g" + std::to_string(Below(6)) + "/" + std::to_string(group.id), Blocks()};
      group.members = Some(endpoints);
      groups.push_back(group.id);
      update.groups.push_back(group);
    }
    if (Below(4) == 0) {  // an unused group goes
      for (const GroupId id : LiveGroups(policy)) {
        bool used = false;
        for (const Section& section : policy.sections) {
          used = used || section.subjects == id;
          for (const Rule& rule : section.rules) used = used || rule.peers == id;
        }
        if (used || !update.removed_groups.empty()) continue;
        update.removed_groups.push_back(id);
        std::erase(groups, id);
      }
    }
    if (!groups.empty() && Below(2) == 0) update.sections.push_back(Policy(groups));
    if (Below(5) == 0) {
      update.removed_policies.push_back((Below(2) == 0 ? "c" : "default/p") + std::to_string(Below(8)));
    }
    if (!endpoints.empty() && Below(4) == 0) update.removed_endpoints.push_back(endpoints[Below(endpoints.size())]);
    if (Below(2) == 0) {
      EndpointUpdate came;
      const bool existing = !endpoints.empty() && Below(2) == 0;
      came.id = existing ? endpoints[Below(endpoints.size())] : static_cast<EndpointId>(policy.endpoints.size());
      came.endpoint.namespace_name = "default";
      came.endpoint.name = "e" + std::to_string(came.id);
      came.endpoint.addresses = {Address()};
      came.node = Below(2) == 0 ? "n" + std::to_string(Below(3)) : "";
      came.groups = Some(groups);
      if (std::find(update.removed_endpoints.begin(), update.removed_endpoints.end(), came.id) ==
          update.removed_endpoints.end()) {
        update.endpoints.push_back(came);
      }
    }
    if (Below(6) == 0) {
      Node node{"n" + std::to_string(Below(3)), {}, {}};
      if (Below(2) == 0) node.addresses = {Address()};
      if (Below(4) == 0) node.pod_cidrs = {Prefix::Make(Address(), 28)};
      update.nodes.push_back(node);
    }
    if (Below(12) == 0) update.removed_nodes.push_back("n" + std::to_string(Below(3)));
    return update;
  }

 private:
  std::mt19937_64 random_;
};

std::vector<ClassifyQuery> AllQueries() {
  std::vector<IpAddress> addresses;
  for (std::uint64_t low = 0; low < 25; ++low) {
    addresses.push_back(IpAddress::V4(0x0a000000u + static_cast<std::uint32_t>(low)));
    if (low % 4 == 0) addresses.push_back(IpAddress::V6(0xfd00000000000000u, low));
  }
  std::vector<ClassifyQuery> queries;
  for (const IpAddress& source : addresses) {
    for (const IpAddress& destination : addresses) {
      if (source.family != destination.family) continue;
      for (const std::uint16_t port : {2, 4, 9}) queries.push_back({source, destination, kProtoTcp, port});
      queries.push_back({source, destination, kProtoIcmp, 0});
    }
  }
  return queries;
}

// The policy without the empty places that numbers leave behind.
std::string Live(const ResolvedPolicy& policy) {
  std::istringstream dump(policy.Dump());
  std::string live;
  for (std::string line; std::getline(dump, line);) {
    const bool empty = line.starts_with("endpoint / ") || (line.starts_with("group ") && line.ends_with(" {}"));
    const bool bare_node = line.starts_with("node ") && line.ends_with(" addresses= podCIDRs=");
    if (!empty && !bare_node) live += line + '\n';
  }
  return live;
}

class UpdateTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(UpdateTest, RandomUpdatesAnswerLikeAFreshCompilation) {
  World world(GetParam());
  const std::vector<ClassifyQuery> queries = AllQueries();
  ResolvedPolicy policy;
  Compiler compiler;
  std::shared_ptr<const Table> table = MustCompile(compiler, policy);
  std::vector<std::string> before(queries.size());
  for (std::size_t i = 0; i < queries.size(); ++i) before[i] = Answer(*table, queries[i]);
  Classifier remembers;  // from update to update, as a worker's does
  int refused = 0;
  for (int step = 0; step < 60; ++step) {
    PolicyUpdate update = world.Update(policy);
    if (Check(policy, update)) {
      ++refused;
      continue;
    }
    const std::string live = Live(policy);
    PolicyChange change = Apply(std::move(update), policy);
    const Compiler::Result result = compiler.Update(policy, change);
    if (std::holds_alternative<Diagnostic>(result)) {  // an address that another endpoint has
      Undo(std::move(change), policy);
      ASSERT_EQ(Live(policy), live);
      ++refused;
      continue;
    }
    table = std::get<std::shared_ptr<const Table>>(result);
    if (world.Below(6) == 0) {
      CompactMemberSets(policy);
      table = compiler.Renew(policy);
    }
    Compiler fresh_compiler;
    const auto fresh = MustCompile(fresh_compiler, policy);
    for (std::size_t i = 0; i < queries.size(); ++i) {
      const ClassifyQuery& query = queries[i];
      const std::string answer = Answer(*table, query);
      ASSERT_EQ(answer, Answer(remembers, *table, query)) << "step " << step;
      ASSERT_EQ(answer, Answer(*fresh, query)) << "step " << step << ' ' << query.source.ToString() << " -> "
                                               << query.destination.ToString() << ':' << query.destination_port;
      if (answer == before[i]) continue;
      const auto last = static_cast<std::uint32_t>(table->generation() - 1);
      ASSERT_TRUE(table->changes().Since(last, query.source) || table->changes().Since(last, query.destination))
          << "step " << step << ": " << before[i] << " became " << answer;
      before[i] = answer;
    }
  }
  EXPECT_LT(refused, 45);
}

INSTANTIATE_TEST_SUITE_P(Seeds, UpdateTest, ::testing::Range<std::uint64_t>(0, 60));

TEST(Update, UndoBringsTheSamePolicyBack) {
  for (std::uint64_t seed = 100; seed < 130; ++seed) {
    World world(seed);
    ResolvedPolicy policy;
    for (int step = 0; step < 60; ++step) {
      PolicyUpdate update = world.Update(policy);
      if (Check(policy, update)) continue;
      const std::string live = Live(policy);
      PolicyChange change = Apply(update, policy);
      Undo(std::move(change), policy);
      ASSERT_EQ(Live(policy), live) << "seed " << seed << " step " << step;
      PolicyUpdate again = world.Update(policy);
      if (!Check(policy, again)) Apply(std::move(again), policy);
    }
  }
}

TEST(Update, CheckAndApplyDoTheSameWithAnIndexAsWithout) {
  int refused = 0, applied = 0;
  for (std::uint64_t seed = 200; seed < 230; ++seed) {
    World world(seed);
    ResolvedPolicy policy, without;
    UpdateIndex index(policy);
    for (int step = 0; step < 60; ++step) {
      PolicyUpdate update = world.Update(policy);
      if (step % 2 == 1 && !policy.groups.empty()) {  // one that somebody may need
        update.removed_groups.push_back(static_cast<GroupId>(step * 7) % policy.groups.size());
      }
      const auto error = Check(policy, update);
      const auto by_index = Check(policy, update, &index);
      ASSERT_EQ(error ? error->ToString() : "", by_index ? by_index->ToString() : "") << "seed " << seed;
      ++(error ? refused : applied);
      if (error) continue;
      Apply(update, without);
      index.Follow(Apply(std::move(update), policy, &index), policy);
      ASSERT_EQ(policy, without) << "seed " << seed;
      const UpdateIndex afresh(policy);
      for (GroupId group = 0; group < policy.groups.size(); ++group) {
        ASSERT_EQ(index.UsesOf(group), afresh.UsesOf(group));
      }
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(applied, 100);
}

TEST(Update, AddressThatTwoNodesClaimIsNoNodesUntilOneIsLeft) {
  PolicyBuilder builder;
  builder.Node("old", {Ip("192.0.2.1")});
  const NodeId new_node = builder.Node("new", {Ip("192.0.2.1")});
  const GroupId web = builder.Group("web");
  builder.Endpoint("web", {Ip("10.0.0.1")}, {web}, new_node);
  builder.Section("default/web", Direction::kIngress, web, {});
  Compiler compiler;
  const auto exemption = [](const Table& table) {
    return Classify(table, "192.0.2.1", "10.0.0.1", kProtoTcp, 80).exemption;
  };
  EXPECT_EQ(exemption(*MustCompile(compiler, builder.policy())), Exemption::kNone);
  PolicyUpdate update;
  update.removed_nodes = {"old"};
  PolicyChange change = Apply(update, builder.policy());
  EXPECT_EQ(exemption(*std::get<0>(compiler.Update(builder.policy(), change))), Exemption::kNode);
  update = {};
  update.nodes = {{"third", {Ip("192.0.2.1")}, {}}};
  change = Apply(update, builder.policy());
  EXPECT_EQ(exemption(*std::get<0>(compiler.Update(builder.policy(), change))), Exemption::kNone);
}

TEST(Update, AddressOfAnotherEndpointIsRefusedNamingBoth) {
  PolicyBuilder builder;
  builder.Endpoint("first", {Ip("10.0.0.1")}, {});
  Compiler compiler;
  MustCompile(compiler, builder.policy());
  PolicyUpdate update;
  update.endpoints.push_back({1, {"default", "second", "", {}, {Ip("10.0.0.1")}, kNoNode, kEmptyIdSet}, "", {}});
  ASSERT_FALSE(Check(builder.policy(), update));
  PolicyChange change = Apply(update, builder.policy());
  const auto result = compiler.Update(builder.policy(), change);
  ASSERT_TRUE(std::holds_alternative<Diagnostic>(result));
  EXPECT_THAT(std::get<Diagnostic>(result).ToString(),
              HasSubstr("endpoint default/second: addresses: 10.0.0.1 belongs to endpoint default/first"));
  Undo(std::move(change), builder.policy());
  // In one update with the removal, the address is reused (a pod's address reused within a second).
  update.removed_endpoints = {0};
  change = Apply(update, builder.policy());
  ASSERT_TRUE(std::holds_alternative<std::shared_ptr<const Table>>(compiler.Update(builder.policy(), change)));
}

TEST(Update, UnknownNumbersAreRefusedNamingThem) {
  PolicyBuilder builder;
  builder.Group("g");
  builder.Endpoint("e", {Ip("10.0.0.1")}, {0});
  builder.Section("default/p", Direction::kIngress, 0, {});
  const auto message = [&](const PolicyUpdate& update) {
    const auto error = Check(builder.policy(), update);
    return error ? error->ToString() : "";
  };
  EXPECT_EQ(message({}), "");
  PolicyUpdate update;
  update.removed_groups = {0};
  EXPECT_THAT(message(update), HasSubstr("policy default/p: subjects: no group has the number 0"));
  update = {};
  update.removed_endpoints = {7};
  EXPECT_THAT(message(update), HasSubstr("endpoint 7"));
  update = {};
  update.groups.push_back({0, {"again", {}}, {}});
  EXPECT_THAT(message(update), HasSubstr("take a number never used"));
  update = {};
  update.groups.push_back({1, {"bad", {{Cidr("10.0.0.0/8"), {Cidr("11.0.0.0/8")}}}}, {}});
  EXPECT_THAT(message(update), HasSubstr("except 11.0.0.0/8 must lie strictly inside 10.0.0.0/8"));
  update = {};
  update.sections = {{"default/q", {}}, {"default/q", {}}};
  EXPECT_THAT(message(update), HasSubstr("policy default/q: sections: come twice"));
  update = {};
  update.endpoints.push_back({1, {"default", "x", "", {}, {Ip("10.0.0.9")}, kNoNode, kEmptyIdSet}, "", {4}});
  EXPECT_THAT(message(update), HasSubstr("endpoint default/x: groups: no group has the number 4"));
}

}  // namespace
}  // namespace sluice
