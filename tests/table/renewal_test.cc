// What change without end leaves behind: memory stays in proportion to what is in force, ids keep their meaning while
// somebody remembers them, and flows are judged again only where something changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "sluice/policy_update.h"
#include "table/answers.h"
#include "table/policy_builder.h"

namespace sluice {
namespace {

constexpr std::uint32_t kPods = 300;

// Pods in namespaces of ten, each of which admits its own pods; changed in one way or another without end, every time
// by what was never there before.
class Flapping {
 public:
  explicit Flapping(std::uint64_t seed) : random_(seed) {
    PolicyBuilder builder;
    for (std::uint32_t i = 0; i < kPods / 10; ++i) {
      const GroupId group = builder.Group("namespace " + std::to_string(i));
      builder.Section("n" + std::to_string(100 + i) + "/own", Direction::kIngress, group, {AllowRule(group)});
    }
    for (std::uint32_t i = 0; i < kPods; ++i) {
      builder.Endpoint("e" + std::to_string(i), {IpAddress::V4(0x0a000000 + i)}, {i / 10});
      live_.push_back(i);
    }
    policy_ = std::move(builder.policy());
    next_endpoint_ = kPods;
    next_group_ = static_cast<GroupId>(policy_.groups.size());
    table_ = MustCompile(compiler_, policy_);
    first_epoch_ = table_->epoch();
  }

  const ResolvedPolicy& policy() const { return policy_; }
  const Table& table() const { return *table_; }
  Compiler& compiler() { return compiler_; }
  std::uint64_t HeldBytes() const { return compiler_.MemoryBytes() + policy_.member_sets.MemoryBytes(); }
  int renewals() const { return renewals_; }
  int epochs() const { return epochs_; }
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  // As the store does it.
  void Apply(PolicyUpdate update) {
    if (const auto error = Check(policy_, update)) throw std::runtime_error(error->ToString());
    const PolicyChange change = sluice::Apply(std::move(update), policy_);
    auto result = compiler_.Update(policy_, change);
    if (const auto* error = std::get_if<Diagnostic>(&result)) throw std::runtime_error(error->ToString());
    const std::uint64_t epoch = table_->epoch();
    table_ = std::get<0>(std::move(result));
    if (table_->epoch() != epoch) ++epochs_;
    if (!compiler_.IsRenewalDue(policy_)) return;
    ++renewals_;
    CompactMemberSets(policy_);
    table_ = compiler_.Renew(policy_);
    EXPECT_FALSE(compiler_.IsRenewalDue(policy_));
  }

  // A policy for the first namespace, whose rules admit `group` on `ports`, comes and goes.
  void MakeAndDelete(std::string name, Group group, std::vector<EndpointId> members,
                     std::vector<PortRange> ports = {}) {
    PolicyUpdate update = Made(std::move(name), std::move(group), std::move(members), std::move(ports));
    PolicyUpdate gone;
    gone.removed_policies = {update.sections[0].policy};
    gone.removed_groups = {update.groups[0].id};
    Apply(std::move(update));
    Apply(std::move(gone));
  }
  PolicyUpdate Made(std::string name, Group group, std::vector<EndpointId> members, std::vector<PortRange> ports = {}) {
    PolicyUpdate update;
    const GroupId id = next_group_++;
    update.groups.push_back({id, std::move(group), std::move(members)});
    Section section;
    section.policy = std::move(name);
    section.subjects = 0;
    section.rules = {AllowRule(id, std::move(ports))};
    update.sections.push_back({section.policy, {section}});
    return update;
  }

  void FlapSamePolicy() { MakeAndDelete("n100/flaps", {"all pods", {}}, live_); }
  void FlapPeers() {
    const std::string name = Fresh("n100/peers-");
    std::vector<EndpointId> members;
    for (const EndpointId id : live_) {
      if (Below(2) == 0) members.push_back(id);
    }
    PolicyUpdate update = Made(name, {Fresh("some pods "), {}}, members);
    kept_.emplace_back(name, update.groups[0].id);
    Apply(std::move(update));
    if (kept_.size() <= 5) return;
    PolicyUpdate gone;
    gone.removed_policies = {kept_.front().first};
    gone.removed_groups = {kept_.front().second};
    kept_.erase(kept_.begin());
    Apply(std::move(gone));
  }
  void FlapBlocks() {
    std::vector<CidrBlock> blocks;
    for (int i = 0; i < 30; ++i) {
      const auto base = static_cast<std::uint32_t>(i % 5 == 0 ? 0x0a000000 + Below(400) : random_());
      blocks.push_back({Prefix::Make(IpAddress::V4(base), static_cast<std::uint8_t>(20 + Below(13))), {}});
    }
    std::sort(blocks.begin(), blocks.end());
    blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
    MakeAndDelete("n100/blocks", {Fresh("blocks "), std::move(blocks)}, {});
  }
  void FlapPorts() {
    std::vector<PortRange> ports;
    for (int i = 0; i < 10; ++i) {
      const auto first = static_cast<std::uint16_t>(Below(60'000));
      ports.push_back({kProtoTcp, first, static_cast<std::uint16_t>(first + Below(5'000))});
    }
    MakeAndDelete("n100/ports", {"all pods", {}}, live_, std::move(ports));
  }
  void FlapPods() {
    PolicyUpdate update;
    std::shuffle(live_.begin(), live_.end(), random_);
    for (int i = 0; i < 10; ++i) {
      update.removed_endpoints.push_back(live_[i]);
      Endpoint endpoint;
      endpoint.namespace_name = "default";
      endpoint.name = "e" + std::to_string(next_endpoint_);
      endpoint.addresses = {IpAddress::V4(0x0b000000 + next_endpoint_)};
      const std::string node = Below(2) == 0 ? "node-" + std::to_string(next_endpoint_) : "";
      update.endpoints.push_back({next_endpoint_, endpoint, node, {static_cast<GroupId>(Below(kPods / 10))}});
      if (!node.empty()) update.nodes.push_back({node, {IpAddress::V4(0x0c000000 + next_endpoint_)}, {}});
      if (!node.empty() && i > 0) update.removed_nodes.push_back("node-" + std::to_string(live_[i]));
      live_[i] = next_endpoint_++;
    }
    std::sort(live_.begin(), live_.end());
    Apply(std::move(update));
  }
  void FlapSections() {
    PolicyUpdate update;
    Section section;
    section.policy = "n100/own";
    for (int i = 0; i < 5; ++i) {
      section.rules.push_back(AllowRule(static_cast<GroupId>(Below(kPods / 10)),
                                        {{kProtoTcp, static_cast<std::uint16_t>(++fresh_), 65535}}, i));
    }
    update.sections = {{section.policy, {section}}};
    Apply(std::move(update));
  }
  void FlapAny() {
    static constexpr void (Flapping::*kWays[])() = {&Flapping::FlapSamePolicy, &Flapping::FlapPeers,
                                                    &Flapping::FlapBlocks,     &Flapping::FlapPorts,
                                                    &Flapping::FlapPods,       &Flapping::FlapSections};
    (this->*kWays[Below(std::size(kWays))])();
  }

  // Says what a fresh compilation says; also to a worker that remembers earlier answers.
  void ExpectRight() {
    Compiler fresh;
    const auto right = MustCompile(fresh, policy_);
    std::vector<IpAddress> addresses;
    for (const EndpointId id : live_) addresses.push_back(policy_.endpoints[id].addresses.front());
    for (int i = 0; i < 10; ++i) addresses.push_back(IpAddress::V4(static_cast<std::uint32_t>(random_())));
    for (int i = 0; i < 400; ++i) {
      const ClassifyQuery query{addresses[Below(addresses.size())], addresses[Below(addresses.size())], kProtoTcp,
                                static_cast<std::uint16_t>(Below(65536))};
      const std::string answer = Answer(*right, query);
      ASSERT_EQ(Answer(*table_, query), answer);
      ASSERT_EQ(Answer(remembers_, *table_, query), answer);
    }
  }

 private:
  std::string Fresh(const char* stem) { return stem + std::to_string(++fresh_); }

  std::mt19937_64 random_;
  ResolvedPolicy policy_;
  Compiler compiler_;
  std::shared_ptr<const Table> table_;
  Classifier remembers_{1024};
  std::vector<EndpointId> live_;
  std::vector<std::pair<std::string, GroupId>> kept_;
  EndpointId next_endpoint_ = 0;
  GroupId next_group_ = 0;
  std::uint64_t fresh_ = 0;
  std::uint64_t first_epoch_ = 0;
  int renewals_ = 0;
  int epochs_ = 0;
};

struct Way {
  const char* name;
  void (Flapping::*flap)();
  int flaps;
  bool leaves = true;  // something behind
};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

class FlappingTest : public ::testing::TestWithParam<Way> {};

TEST_P(FlappingTest, MemoryStaysInProportionAndTheAnswersRight) {
  const Way& way = GetParam();
  Flapping flapping(7);
  const auto bound = [&] {
    Compiler fresh;
    MustCompile(fresh, flapping.policy());
    // Numbers of what is gone are a full state's to end.
    const std::uint64_t numbers = flapping.policy().groups.size() + flapping.policy().endpoints.size();
    return 4 * fresh.MemoryBytes() + 200 * numbers + (std::uint64_t{6} << 20);
  };
  for (int i = 0; i < way.flaps; ++i) {
    (flapping.*way.flap)();
    if (i % (way.flaps / 20) != 0) continue;
    ASSERT_LE(flapping.HeldBytes(), bound()) << i;
    flapping.ExpectRight();
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_EQ(flapping.renewals() > 0, way.leaves);
  EXPECT_LT(flapping.renewals(), way.flaps / 5);
  EXPECT_EQ(flapping.epochs(), 0);  // no flow was judged again for what is left of others
}

INSTANTIATE_TEST_SUITE_P(Ways, FlappingTest,
                         ::testing::Values(Way{"SamePolicy", &Flapping::FlapSamePolicy, 3000},
                                           Way{"EverNewPeers", &Flapping::FlapPeers, 2000},
                                           Way{"EverNewBlocks", &Flapping::FlapBlocks, 1500},
                                           Way{"EverNewPorts", &Flapping::FlapPorts, 1500},
                                           Way{"EverNewPods", &Flapping::FlapPods, 2500, false},
                                           Way{"EverNewRules", &Flapping::FlapSections, 6000},
                                           Way{"AnyOfThese", &Flapping::FlapAny, 3000}),
                         [](const auto& way) { return std::string(way.param.name); });

// A policy that stays keeps its rules' ids, so their counts go on, however often all else was numbered anew.
TEST(Renewal, RulesKeepTheirIdsAndNothingIsSaidToHaveChanged) {
  Flapping flapping(3);
  const ClassifyQuery query{IpAddress::V4(0x0a000001), IpAddress::V4(0x0a000002), kProtoTcp, 80};
  const auto rule = [&] {
    Classification seen;
    Classifier(16).Classify(flapping.table(), std::span(&query, 1), &seen);
    return seen.ingress.rule;
  };
  const RuleId before = rule();
  flapping.FlapPods();
  const auto old = flapping.table().numbering();
  const auto limit = flapping.table().rule_limit();
  std::vector<bool> changed;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    changed.push_back(flapping.table().changes().Since(1, IpAddress::V4(0x0a000000 + i)));
  }
  const auto table = flapping.compiler().Renew(flapping.policy());
  EXPECT_NE(table->numbering(), old);
  EXPECT_EQ(table->epoch(), flapping.table().epoch());
  EXPECT_EQ(table->generation(), flapping.table().generation());
  EXPECT_EQ(table->rule_limit(), limit);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(table->changes().Since(1, IpAddress::V4(0x0a000000 + i)), changed[i]);
  }
  for (int i = 0; i < 500; ++i) flapping.FlapPeers();
  EXPECT_GT(flapping.renewals(), 0);
  EXPECT_EQ(rule(), before);
}

// A policy that was deleted and is made again counts anew: all of its rules, its default deny included. One that is
// replaced in a single update stays what it was.
TEST(Renewal, PolicyThatIsMadeAgainHasNewRulesAndOneThatIsReplacedHasNot) {
  const auto in = [](const GroupId peers, const char* name) {
    PolicyBuilder builder;
    const GroupId web = builder.Group("web");
    builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
    for (const char* policy : {"default/kept", name}) {
      if (policy[0] != 0) builder.Section(policy, Direction::kIngress, web, {AllowRule(peers, {TcpPort(80)})});
    }
    return std::move(builder.policy());
  };
  const auto ids_of = [](const Table& table, std::string_view name) {
    std::vector<RuleId> ids;
    const Identity& web = table.identity(table.Lookup(Ip("10.0.0.1")).identity);
    table.interned().section_sets.ForEach(web.ingress, [&](SectionId id) {
      const TableSection& section = table.interned().sections[id];
      if (table.rule(section.default_deny).policy != name) return;
      ids.push_back(section.default_deny);
      ids.push_back(section.rules[0].rule);
    });
    return ids;
  };
  const auto made = [](const char* name) {
    Section section;
    section.policy = name;
    section.rules = {AllowRule(kAnyPeer, {TcpPort(80)})};
    return section;
  };
  for (const bool whole : {false, true}) {
    Compiler compiler;
    ResolvedPolicy policy = in(kAnyPeer, "default/other");
    auto table = MustCompile(compiler, policy);
    const auto kept = ids_of(*table, "default/kept");
    const auto other = ids_of(*table, "default/other");
    ASSERT_EQ(other.size(), 2u);
    const auto update = [&](PolicyUpdate change) {
      ASSERT_FALSE(Check(policy, change));
      table = std::get<0>(compiler.Update(policy, Apply(std::move(change), policy)));
    };
    if (whole) {
      table = MustCompile(compiler, in(kAnyPeer, ""));
      table = MustCompile(compiler, in(kAnyPeer, "default/other"));
    } else {
      PolicyUpdate replaced;
      replaced.sections = {{"default/other", {made("default/other")}}};
      update(replaced);
      EXPECT_EQ(ids_of(*table, "default/other"), other);
      PolicyUpdate gone;
      gone.removed_policies = {"default/other"};
      update(gone);
      PolicyUpdate back;
      back.sections = {{"default/other", {made("default/other")}}};
      update(back);
    }
    EXPECT_EQ(ids_of(*table, "default/kept"), kept) << whole;
    const auto again = ids_of(*table, "default/other");
    ASSERT_EQ(again.size(), 2u);
    for (const RuleId id : again) EXPECT_EQ(std::count(other.begin(), other.end(), id), 0) << whole;
  }
}

TEST(Renewal, OfManyPodsThatWentLittleIsLeft) {
  constexpr EndpointId kMany = 60'000;
  Flapping flapping(5);
  PolicyUpdate came, gone;
  for (EndpointId id = kPods; id < kPods + kMany; ++id) {
    Endpoint endpoint;
    endpoint.namespace_name = "default";
    endpoint.name = "many" + std::to_string(id);
    endpoint.addresses = {IpAddress::V4(0x14000000 + id)};
    came.endpoints.push_back({id, endpoint, "", {id % (kPods / 10)}});
    gone.removed_endpoints.push_back(id);
  }
  flapping.Apply(std::move(came));
  const std::uint64_t most = flapping.HeldBytes();
  flapping.Apply(std::move(gone));
  EXPECT_LT(flapping.HeldBytes(), most / 4);
  flapping.ExpectRight();
}

// Rules outlive numberings; only when hundreds of thousands are gone does another epoch begin.
TEST(Renewal, RulesThatAreGoneEndTheEpochAndTheVerdictsStay) {
  Flapping flapping(11);
  constexpr int kRules = 4000;
  std::uint64_t most = 0;
  std::uint64_t last_epoch = flapping.table().epoch();
  int after_last = 0;
  for (int i = 0; i < 150; ++i) {
    PolicyUpdate update;
    Section section;
    if (i > 0) update.removed_policies = {"n200/p" + std::to_string(i - 1)};
    section.policy = "n200/p" + std::to_string(i);
    for (int rule = 0; rule < kRules; ++rule) section.rules.push_back(AllowRule(0, {}, rule));
    update.sections = {{section.policy, {section}}};
    flapping.Apply(std::move(update));
    most = std::max(most, flapping.HeldBytes());
    ++after_last;
    if (std::exchange(last_epoch, flapping.table().epoch()) == last_epoch) continue;
    EXPECT_GE(after_last * kRules, 1 << 18);
    EXPECT_EQ(flapping.table().changes().marked(), AddressChanges::kMarks);
    after_last = 0;
    flapping.ExpectRight();
  }
  EXPECT_GE(flapping.epochs(), 2);
  EXPECT_LT(most, std::uint64_t{100} << 20);
}

// Of the limits only what is in force counts, not what was.
TEST(Renewal, WhatIsGoneIsNoReasonToRefuse) {
  const CompileLimits limits{.rules = 300, .identities = 500, .table_bytes = 2'000'000};
  for (const bool by_update : {false, true}) {
    Compiler compiler(limits);
    PolicyBuilder builder;
    const GroupId web = builder.Group("web");
    builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
    builder.Section("default/web", Direction::kIngress, web, {});
    ResolvedPolicy& policy = builder.policy();
    MustCompile(compiler, policy);
    std::mt19937 random(1);
    for (std::uint32_t i = 0; i < 300; ++i) {
      PolicyUpdate update;
      Section section;
      section.policy = "default/web";
      const auto first = static_cast<GroupId>(policy.groups.size());
      for (std::uint32_t rule = 0; rule < 20; ++rule) {
        std::vector<EndpointId> members;
        if (random() % 2 == 0) members.push_back(0);
        update.groups.push_back({first + rule, {"group " + std::to_string(first + rule), {}}, members});
        if (i > 0) update.removed_groups.push_back(first + rule - 20);
        section.rules.push_back(AllowRule(first + rule, {TcpPort(static_cast<std::uint16_t>(1 + random() % 60'000))},
                                          static_cast<std::int32_t>(rule)));
      }
      update.sections = {{section.policy, {section}}};
      ASSERT_FALSE(Check(policy, update));
      const PolicyChange change = Apply(std::move(update), policy);
      const auto result = by_update ? compiler.Update(policy, change) : compiler.Compile(policy);
      ASSERT_TRUE(std::holds_alternative<std::shared_ptr<const Table>>(result))
          << i << ' ' << std::get<Diagnostic>(result).ToString();
      if (compiler.IsRenewalDue(policy)) {
        CompactMemberSets(policy);
        compiler.Renew(policy);
      }
    }
  }
}

TEST(Renewal, ARefusedPolicyLeavesLittleBehind) {
  Compiler compiler(CompileLimits{.table_bytes = 20'000'000});
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
  builder.Section("default/web", Direction::kIngress, web, {});
  const RuleId limit = MustCompile(compiler, builder.policy())->rule_limit();
  for (int round = 0; round < 2; ++round) {
    PolicyBuilder large;
    const GroupId group = large.Group("g");
    for (int i = 0; i < 6000; ++i) {
      std::vector<Rule> rules;
      for (int rule = 0; rule < 200; ++rule) {
        rules.push_back(AllowRule(group, {TcpPort(static_cast<std::uint16_t>(round * 200 + rule))}, rule));
      }
      large.Section("default/p" + std::to_string(i), Direction::kIngress, group, std::move(rules));
    }
    ASSERT_TRUE(std::holds_alternative<Diagnostic>(compiler.Compile(large.policy())));
    ASSERT_TRUE(compiler.IsRenewalDue(builder.policy()));
    EXPECT_EQ(compiler.Renew(builder.policy())->rule_limit(), limit);
    EXPECT_LT(compiler.MemoryBytes(), 4'000'000u) << round;
  }
}

TEST(Renewal, WhatARefusedPolicySaidIsNeverTakenForWhatAnotherSays) {
  Compiler compiler(CompileLimits{.identities = 5});
  const auto policy = [](Action action, int pods) {
    PolicyBuilder builder;
    const GroupId client = builder.Group("client");
    const GroupId web = builder.Group("web");
    builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
    builder.Endpoint("client", {Ip("10.0.0.2")}, {client});
    Rule rule = AllowRule(client, {TcpPort(80)});
    rule.action = action;
    builder.Cluster("admin", Direction::kIngress, web, Tier::kAdmin, 0, {rule});
    for (int i = 0; i < pods; ++i) {
      const GroupId group = builder.Group("g" + std::to_string(i));
      builder.Endpoint("e" + std::to_string(i), {IpAddress::V4(0x0a000100u + static_cast<std::uint32_t>(i))}, {group});
      builder.Section("default/p" + std::to_string(i), Direction::kIngress, group, {});
    }
    return std::move(builder.policy());
  };
  PolicyBuilder nothing;
  MustCompile(compiler, nothing.policy());
  ASSERT_TRUE(std::holds_alternative<Diagnostic>(compiler.Compile(policy(Action::kDeny, 10))));
  const auto table = MustCompile(compiler, policy(Action::kAllow, 0));
  EXPECT_TRUE(Classify(*table, "10.0.0.2", "10.0.0.1", kProtoTcp, 80).allow);
  EXPECT_EQ(Classify(*table, "10.0.0.2", "10.0.0.1", kProtoTcp, 80).ingress.rule, 1u);
}

TEST(Renewal, GenerationsGoOnPast32BitsAndNoneLooksLikeNone) {
  Compiler compiler({}, 0xfffffffdu);
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
  builder.Section("default/web", Direction::kIngress, web, {});
  EXPECT_EQ(MustCompile(compiler, builder.policy())->generation(), 0xfffffffeu);
  EXPECT_EQ(MustCompile(compiler, builder.policy())->generation(), 0xffffffffu);
  EXPECT_EQ(MustCompile(compiler, builder.policy())->generation(), 0x100000001u);
  builder.Endpoint("late", {Ip("10.0.0.2")}, {web});
  const auto table = MustCompile(compiler, builder.policy());
  EXPECT_TRUE(table->changes().Since(0xffffffffu, Ip("10.0.0.2")));
  EXPECT_FALSE(table->changes().Since(0xffffffffu, Ip("10.0.0.1")));
}

}  // namespace
}  // namespace sluice
