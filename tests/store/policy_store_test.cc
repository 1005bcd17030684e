#include "store/policy_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "table/policy_builder.h"

namespace sluice {
namespace {

class PolicyStoreTest : public ::testing::Test {
 protected:
  PolicyStore::Publish Record() {
    return [this](std::shared_ptr<const Table> table) { published_.push_back(std::move(table)); };
  }
  static PolicyUpdate PodUpdate(EndpointId id, const char* address) {
    PolicyUpdate update;
    update.endpoints.push_back(
        {id, {"default", "e" + std::to_string(id), "", {}, {Ip(address)}, kNoNode, kEmptyIdSet}, "", {}});
    return update;
  }

  std::vector<std::shared_ptr<const Table>> published_;
};

TEST_F(PolicyStoreTest, PublishesTheEmptyTableFirst) {
  const PolicyStore store({}, Record());
  ASSERT_EQ(published_.size(), 1u);
  EXPECT_FALSE(published_[0]->has_policy());
}

TEST_F(PolicyStoreTest, ReplaceThenUpdateShareOneNumbering) {
  PolicyStore store({}, Record());
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  builder.Endpoint("e0", {Ip("10.0.0.1")}, {web});
  builder.Section("default/web", Direction::kIngress, web, {});
  ASSERT_FALSE(store.Replace(std::move(builder.policy())));
  PolicyUpdate update = PodUpdate(1, "10.0.0.2");
  update.endpoints[0].groups = {web};
  ASSERT_FALSE(store.Update(update));
  ASSERT_EQ(published_.size(), 3u);
  EXPECT_FALSE(Classify(*store.table(), "192.0.2.1", "10.0.0.2", kProtoTcp, 80).allow);
  store.Read([](const ResolvedPolicy& policy, const Table& table) {
    EXPECT_EQ(policy.endpoints.size(), 2u);
    EXPECT_EQ(table.generation(), 2u);
  });
}

TEST_F(PolicyStoreTest, GenerationsPassTwoToTheThirtySecond) {
  constexpr std::uint64_t kBound = std::uint64_t{1} << 32;
  PolicyStore store({}, Record(), kBound - 3);
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  builder.Endpoint("e0", {Ip("10.0.0.1")}, {web});
  builder.Section("default/web", Direction::kIngress, web, {});
  ASSERT_FALSE(store.Replace(std::move(builder.policy())));
  EXPECT_EQ(store.table()->generation(), kBound - 2);
  for (EndpointId id = 1; id <= 4; ++id) {
    const std::uint64_t before = store.table()->generation();
    PolicyUpdate update = PodUpdate(id, ("10.0.0." + std::to_string(1 + id)).c_str());
    update.endpoints[0].groups = {web};
    ASSERT_FALSE(store.Update(update));
    EXPECT_GT(store.table()->generation(), before);
    EXPECT_FALSE(Classify(*store.table(), "192.0.2.1", "10.0.0." + std::to_string(1 + id), kProtoTcp, 80).allow);
  }
  EXPECT_GT(store.table()->generation(), kBound);
}

TEST_F(PolicyStoreTest, StateEqualToTheOneInForceIsNotPublished) {
  PolicyStore store({}, Record());
  ASSERT_FALSE(store.Replace({}));  // a policy that says nothing is more than none
  EXPECT_EQ(published_.size(), 2u);
  const auto state = [](const char* address, std::uint16_t port) {
    PolicyBuilder builder;
    const GroupId web = builder.Group("web");
    builder.Endpoint("e0", {Ip(address)}, {web});
    builder.Section("default/web", Direction::kIngress, web, {{.ports = {{kProtoTcp, port, port}}, .any_port = false}});
    return std::move(builder.policy());
  };
  ASSERT_FALSE(store.Replace(state("10.0.0.1", 80)));
  ASSERT_FALSE(store.Replace(state("10.0.0.1", 80)));
  EXPECT_EQ(published_.size(), 3u);
  ASSERT_FALSE(store.Replace(state("10.0.0.1", 81)));
  ASSERT_FALSE(store.Replace(state("10.0.0.2", 81)));
  EXPECT_EQ(published_.size(), 5u);
}

TEST_F(PolicyStoreTest, RefusedUpdateLeavesPolicyTableAndNumbersAlone) {
  PolicyStore store({}, Record());
  PolicyBuilder builder;
  builder.Endpoint("e0", {Ip("10.0.0.1")}, {});
  ASSERT_FALSE(store.Replace(std::move(builder.policy())));
  const std::string before = store.Read([](const ResolvedPolicy& policy, const Table&) { return policy.Dump(); });
  const auto table = store.table();
  EXPECT_TRUE(store.Update(PodUpdate(7'000'000, "10.0.0.2")));  // leaves out too many numbers
  EXPECT_TRUE(store.Update(PodUpdate(1, "10.0.0.1")));          // e0's address
  EXPECT_EQ(store.table(), table);
  EXPECT_EQ(published_.size(), 2u);
  const std::string after = store.Read([](const ResolvedPolicy& policy, const Table&) { return policy.Dump(); });
  EXPECT_THAT(after, ::testing::StartsWith(before));
  EXPECT_FALSE(store.Update(PodUpdate(1, "10.0.0.2")));
}

TEST_F(PolicyStoreTest, ReplaceBeyondTheLimitKeepsTheOldTable) {
  PolicyStore store(CompileLimits{.rules = 3}, Record());
  PolicyBuilder small;
  small.Section("default/a", Direction::kIngress, small.Group("g"), {});
  ASSERT_FALSE(store.Replace(std::move(small.policy())));
  PolicyBuilder large;
  const GroupId group = large.Group("g");
  for (int i = 0; i < 9; ++i) large.Section("default/p" + std::to_string(i), Direction::kIngress, group, {});
  const auto refused = store.Replace(std::move(large.policy()));
  ASSERT_TRUE(refused);
  EXPECT_THAT(refused->ToString(), ::testing::HasSubstr("default/p"));
  EXPECT_EQ(store.table()->generation(), 1u);
}

// The thread sanitizer watches readers of the policy and of older tables while the writer goes on.
TEST_F(PolicyStoreTest, ReadersGoOnWhileTheWriterUpdates) {
  PolicyStore store({}, [](const std::shared_ptr<const Table>&) {});
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  builder.Section("default/web", Direction::kIngress, web, {});
  ASSERT_FALSE(store.Replace(std::move(builder.policy())));
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const auto table = store.table();
      Classify(*table, "192.0.2.1", "10.0.0.7", kProtoTcp, 80);
      store.Read(
          [](const ResolvedPolicy& policy, const Table& read) { return policy.endpoints.size() + read.generation(); });
    }
  });
  for (EndpointId id = 0; id < 300; ++id) {
    PolicyUpdate update = PodUpdate(id, ("10.0.0." + std::to_string(id % 250)).c_str());
    update.endpoints[0].groups = {web};
    if (id >= 250) update.removed_endpoints = {id - 250};
    ASSERT_FALSE(store.Update(update));
  }
  done = true;
  reader.join();
}

// Pods 10.1.0.0 and up, in namespace default, and as many policies.
ResolvedPolicy ManyPods(std::uint32_t count) {
  PolicyBuilder builder;
  for (std::uint32_t i = 0; i < count; ++i) {
    const GroupId group = builder.Group("g" + std::to_string(i));
    builder.Endpoint("e" + std::to_string(i), {IpAddress::V4(0x0a010000 + i)}, {group});
    builder.Section("default/p" + std::to_string(100'000 + i), Direction::kIngress, group, {AllowRule(group)});
  }
  return std::move(builder.policy());
}

std::string DumpOf(const PolicyStore& store) {
  return store.Read([](const ResolvedPolicy& policy, const Table&) { return policy.Dump(); });
}

TEST_F(PolicyStoreTest, CopyIsThePolicyInForce) {
  PolicyStore store({}, Record());
  EXPECT_EQ(store.Copy().Dump(), "");
  ASSERT_FALSE(store.Replace(ManyPods(1000)));
  EXPECT_EQ(store.Copy().Dump(), DumpOf(store));
}

// Each update moves one pod's address and one policy's rule together, so that a copy of two moments shows.
PolicyUpdate MoveTogether(std::uint32_t pods, std::uint32_t step) {
  PolicyUpdate update;
  const std::uint32_t pod = step * 7 % pods;
  const std::string mark = std::to_string(step);
  for (const std::uint32_t id : {pod, pods - 1 - pod}) {
    Endpoint endpoint;
    endpoint.namespace_name = "default";
    endpoint.name = "e" + std::to_string(id);
    endpoint.labels = "step=" + mark;
    endpoint.addresses = {IpAddress::V4(0x0a010000 + id)};
    update.endpoints.push_back({id, endpoint, "", {id}});
    if (pod == pods - 1 - pod) break;
  }
  Section section;
  section.policy = "default/p" + std::to_string(100'000 + pod);
  section.subjects = pod;
  section.rules = {AllowRule(kAnyPeer, {}, static_cast<std::int32_t>(step))};
  update.sections.push_back({section.policy, {section}});
  return update;
}

// The thread sanitizer watches, too.
TEST_F(PolicyStoreTest, CopyIsOfOneMomentWhileTheWriterGoesOn) {
  constexpr std::uint32_t kPods = 1001;
  PolicyStore store({}, [](const std::shared_ptr<const Table>&) {});
  ASSERT_FALSE(store.Replace(ManyPods(kPods)));
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint32_t step = 1; !done; ++step) {
      if (step % 64 == 0) {
        EXPECT_FALSE(store.Replace(ManyPods(kPods)));
      }
      EXPECT_FALSE(store.Update(MoveTogether(kPods, step)));
    }
  });
  for (int i = 0; i < 30; ++i) {
    const ResolvedPolicy copy = store.Copy();
    ASSERT_EQ(copy.endpoints.size(), kPods);
    ASSERT_EQ(copy.sections.size(), kPods);
    const std::vector<Section> sections(copy.sections.begin(), copy.sections.end());
    const auto step_of = [&](std::uint32_t id) { return sections[id].rules.front().index; };
    for (std::uint32_t id = 0; id < kPods; ++id) {
      ASSERT_EQ(sections[id].policy, "default/p" + std::to_string(100'000 + id));
      ASSERT_EQ(copy.member_sets.ToVector(copy.endpoints[id].members), std::vector{id});
      const std::int32_t step = std::max(step_of(id), step_of(kPods - 1 - id));
      ASSERT_EQ(copy.endpoints[id].labels, step == 0 ? "" : "step=" + std::to_string(step)) << id;
    }
  }
  done = true;
  writer.join();
}

// Peers of ever new rules: the n-th update's are half of the pods, and those of some updates before are gone.
PolicyUpdate PeersCome(std::uint32_t pods, std::uint32_t step) {
  PolicyUpdate update;
  const GroupId id = pods + step;
  const auto name = [](std::uint32_t of) { return "default/q" + std::to_string(of); };
  GroupUpdate group{id, {"peers of " + name(step), {}}, {}};
  for (EndpointId pod = 0; pod < pods; ++pod) {
    if ((pod * 2654435761u >> step % 20 & 1) != 0) group.members.push_back(pod);
  }
  Section section;
  section.policy = name(step);
  section.subjects = 0;
  section.rules = {AllowRule(id, {TcpPort(static_cast<std::uint16_t>(1 + step % 1000))})};
  update.groups.push_back(std::move(group));
  update.sections.push_back({section.policy, {section}});
  if (step >= 8) {
    update.removed_policies = {name(step - 8)};
    update.removed_groups = {id - 8};
  }
  return update;
}

// The thread sanitizer watches threads that copy the policy and ask the table meanwhile.
TEST_F(PolicyStoreTest, ChangeWithoutEndLeavesNothingBehindWhileReadersGoOn) {
  constexpr std::uint32_t kPods = 501;
  std::uint64_t renewals = 0, most_sets = 0;
  std::uint64_t generation = 0, numbering = 0;
  PolicyStore store({}, [&](const std::shared_ptr<const Table>& table) {
    if (table->generation() == generation && numbering != table->numbering()) ++renewals;
    EXPECT_GE(table->generation(), generation);
    generation = table->generation();
    numbering = table->numbering();
  });
  ASSERT_FALSE(store.Replace(ManyPods(kPods)));
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const ResolvedPolicy copy = store.Copy();
      ASSERT_EQ(copy.endpoints.size(), kPods);
      for (std::uint32_t id = 0; id < kPods; ++id) {
        ASSERT_TRUE(copy.member_sets.Contains(copy.endpoints[id].members, id));
      }
      Classify(*store.table(), "10.1.0.1", "10.1.0.0", kProtoTcp, 80);
    }
  });
  for (std::uint32_t step = 0; step < 600; ++step) {
    ASSERT_FALSE(store.Update(PeersCome(kPods, step)));
    const std::uint64_t sets =
        store.Read([](const ResolvedPolicy& policy, const Table&) { return policy.member_sets.SetCount(); });
    most_sets = std::max(most_sets, sets);
  }
  done = true;
  reader.join();
  EXPECT_GT(renewals, 2u);
  EXPECT_LT(renewals, 60u);
  EXPECT_LT(most_sets, 100'000u);  // of 300,000
  const ResolvedPolicy copy = store.Copy();
  EXPECT_LE(copy.member_sets.SetCount(), kPods + 1);
  Compiler fresh;
  const auto table = MustCompile(fresh, copy);
  for (std::uint32_t pod = 0; pod < kPods; ++pod) {
    for (const std::uint16_t port : {592, 595, 600}) {
      const std::string source = IpAddress::V4(0x0a010000 + pod).ToString();
      ASSERT_EQ(Classify(*store.table(), source, "10.1.0.0", kProtoTcp, port).allow,
                Classify(*table, source, "10.1.0.0", kProtoTcp, port).allow);
    }
  }
}

TEST_F(PolicyStoreTest, SizeAndOwnersFollowEachChange) {
  PolicyStore store({}, Record());
  ASSERT_FALSE(store.Replace(ManyPods(3)));
  EXPECT_EQ(store.size().endpoints, 3u);
  EXPECT_EQ(store.size().policies, 3u);
  const auto owner = [&](const char* address) {
    std::string name;
    const IpAddress asked = Ip(address);
    store.VisitOwners({&asked, 1},
                      [&](std::size_t, const Endpoint& endpoint, std::string_view) { name = endpoint.name; });
    return name;
  };
  EXPECT_EQ(owner("10.1.0.2"), "e2");
  PolicyUpdate update = PodUpdate(3, "10.1.0.2");
  update.removed_endpoints = {2};
  update.removed_policies = {"default/p100001"};
  ASSERT_FALSE(store.Update(update));
  EXPECT_EQ(owner("10.1.0.2"), "e3");
  EXPECT_EQ(store.size().endpoints, 3u);
  EXPECT_EQ(store.size().policies, 2u);
  EXPECT_TRUE(store.Update(PodUpdate(4, "10.1.0.2")));  // refused: e3 has it
  EXPECT_EQ(owner("10.1.0.2"), "e3");
  EXPECT_EQ(store.size().endpoints, 3u);
  ASSERT_FALSE(store.Update(PodUpdate(3, "10.1.0.9")));
  EXPECT_EQ(owner("10.1.0.2"), "");
  EXPECT_EQ(owner("10.1.0.9"), "e3");
}

}  // namespace
}  // namespace sluice
