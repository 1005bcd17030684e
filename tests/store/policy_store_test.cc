#include "store/policy_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace sluice
