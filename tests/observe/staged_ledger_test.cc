// The ledger of what staged policies would change, over a pipeline: what begins anew, what stays and what is settled.
#include "observe/staged_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "core/pipeline_fixture.h"
#include "observe/fake_names.h"

namespace sluice {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// In force: nobody is isolated. Staged: the server admits the client alone.
class StagedLedgerTest : public testing::Test {
 protected:
  StagedLedgerTest() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice-ledger-XXXXXX").string();
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    names_.owners_ = {{Ip("10.0.0.1"), {"default", "client", {}, {}}},
                      {Ip("10.0.0.2"), {"default", "server", {}, {}}},
                      {Ip("10.0.0.3"), {"default", "bystander", {}, {}}}};
    Publish(1);
  }
  ~StagedLedgerTest() override { std::filesystem::remove_all(folder_); }

  static PipelineConfig RoomForManyFlows() {
    PipelineConfig config = PipelineFixture::SmallConfig();
    config.flow_capacity_ipv4 = 4096;
    return config;
  }
  static ResolvedPolicy NothingInForce() {
    ResolvedPolicy policy = ServerAdmitsClient();
    policy.sections = {};
    return policy;
  }
  // `staging` names what is staged; the policy in force may be what is staged already.
  void Publish(std::uint64_t staging, bool promoted = false) {
    staged_ = MustCompile(staged_compiler_, ServerAdmitsClient());
    table_ = MustCompile(compiler_, promoted ? ServerAdmitsClient() : NothingInForce());
    compiler_.Stage({staging == 0 ? nullptr : staged_, staging, StagedTable::Changed::kAll});
    names_.table_ = table_;
    pipeline_.pipeline().Reserve(*table_);
    pipeline_.Load(table_);
  }
  static PacketBuilder From(const char* source, std::uint16_t source_port) {
    return PacketBuilder().Ethernet().Ipv4(source, "10.0.0.2").Udp(source_port, 80);
  }
  // All that the worker knows by now: what a sweep folds is in the half after the one that it leaves.
  void Collect(StagedLedger& ledger) {
    const std::vector<Observation> workers = {pipeline_.pipeline().Observe()};
    for (int round = 0; round < 3; ++round) {
      ledger.Collect(workers);
      pipeline_.SweepAll();
    }
    ledger.Collect(workers);
  }

  std::filesystem::path folder_;
  FakeNames names_;
  Compiler compiler_;
  Compiler staged_compiler_;
  std::shared_ptr<const Table> staged_;
  std::shared_ptr<const Table> table_;
  PipelineFixture pipeline_{RoomForManyFlows()};
};

TEST_F(StagedLedgerTest, HasPairsWithNamesRulesAndCountsAndWhoWasSeen) {
  StagedLedger ledger(names_);
  Collect(ledger);
  pipeline_.Send(From("10.0.0.1", 1000));
  pipeline_.Send(From("10.0.0.3", 1000));
  pipeline_.Send(From("10.0.0.3", 1000));
  pipeline_.Send(From("10.0.0.3", 1001));
  Collect(ledger);
  const auto differences = ledger.Differences();
  ASSERT_THAT(differences, SizeIs(1));
  const StagedDifference& one = differences[0];
  EXPECT_FALSE(one.would_allow);
  EXPECT_EQ(one.source_owner.pod, "bystander");
  EXPECT_EQ(one.destination_owner.pod, "server");
  EXPECT_EQ(one.destination_port, 80);
  EXPECT_EQ(one.connections, 2u);
  EXPECT_EQ(one.packets, 3u);
  EXPECT_THAT(one.in_force, IsEmpty());
  ASSERT_THAT(one.staged, SizeIs(1));
  EXPECT_EQ(one.staged[0].policy, "default/server");
  EXPECT_EQ(one.staged[0].index, -1);
  EXPECT_EQ(ledger.totals().judged, 3u);
  EXPECT_EQ(ledger.totals().would_deny, 2u);
  EXPECT_TRUE(ledger.HasSeen("default/client"));
  EXPECT_TRUE(ledger.HasSeen("default/bystander"));
  EXPECT_TRUE(ledger.HasSeen("default/server"));
  EXPECT_FALSE(ledger.HasSeen("default/idle"));
}

TEST_F(StagedLedgerTest, BeginsAnewWhenSomethingElseIsStagedAndEndsWithIt) {
  StagedLedger ledger(names_);
  Collect(ledger);
  pipeline_.Send(From("10.0.0.3", 1000));
  Collect(ledger);
  const std::uint64_t since = ledger.totals().since_unix_ns;
  ASSERT_THAT(ledger.Differences(), SizeIs(1));
  Publish(2);
  Collect(ledger);
  EXPECT_NE(ledger.totals().since_unix_ns, since);
  EXPECT_THAT(ledger.Differences(), SizeIs(1)) << "the live flow is judged by what is staged now";
  Publish(0);
  Collect(ledger);
  EXPECT_EQ(ledger.totals().since_unix_ns, 0u);
  EXPECT_THAT(ledger.Differences(), IsEmpty());
}

TEST_F(StagedLedgerTest, WhatAChangeInForceSettlesIsToldOfNoMoreAndWhatAPodThatIsGoneDidStays) {
  StagedLedger ledger(names_);
  Collect(ledger);
  pipeline_.Send(From("10.0.0.3", 1000));
  Collect(ledger);
  names_.owners_[Ip("10.0.0.3")] = {"default", "somebody-else", {}, {}};
  const std::vector<Observation> workers = {pipeline_.pipeline().Observe()};
  Publish(1, true);
  StagedLedger after(names_, (folder_ / "none").string());
  Collect(ledger);
  const auto of_bystander = [&] {
    const auto all = ledger.Differences();
    return std::count_if(all.begin(), all.end(), [](const auto& one) { return one.source_owner.pod == "bystander"; });
  };
  EXPECT_EQ(of_bystander(), 1);
  names_.owners_[Ip("10.0.0.3")] = {"default", "bystander", {}, {}};
  // Tables are looked at once a second at most.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (of_bystander() != 0 && std::chrono::steady_clock::now() < deadline) {
    Publish(1, true);
    Collect(ledger);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(of_bystander(), 0);
  EXPECT_EQ(ledger.totals().would_deny, 0u);
}

TEST_F(StagedLedgerTest, IsKeptOverARestartForWhatIsStillStaged) {
  const std::string file = (folder_ / "staged.json").string();
  std::uint64_t since = 0;
  {
    StagedLedger ledger(names_, file);
    Collect(ledger);
    pipeline_.Send(From("10.0.0.3", 1000));
    Collect(ledger);
    since = ledger.totals().since_unix_ns;
    ledger.CollectLast({pipeline_.pipeline().Observe()});
  }
  StagedLedger same(names_, file);
  Collect(same);
  EXPECT_EQ(same.totals().since_unix_ns, since);
  ASSERT_THAT(same.Differences(), SizeIs(1));
  EXPECT_EQ(same.Differences()[0].staged[0].policy, "default/server");
  EXPECT_TRUE(same.HasSeen("default/bystander"));
  Publish(2);
  StagedLedger other(names_, file);
  Collect(other);
  EXPECT_NE(other.totals().since_unix_ns, since);
}

TEST_F(StagedLedgerTest, AFileThatItDidNotWriteIsNone) {
  const std::string file = (folder_ / "staged.json").string();
  for (const char* text : {"", "{", "[]", R"({"format":1,"staging":1})", R"({"format":2,"staging":1,"pairs":[{}]})"}) {
    std::ofstream(file, std::ios::trunc) << text;
    StagedLedger ledger(names_, file);
    Collect(ledger);
    EXPECT_THAT(ledger.Differences(), IsEmpty());
    EXPECT_NE(ledger.totals().since_unix_ns, 0u);
  }
}

// More than are written, or copied, at a time.
TEST_F(StagedLedgerTest, ManyPairsAreKeptWholeAndAFileThatWasCutIsNone) {
  const std::string file = (folder_ / "staged.json").string();
  constexpr std::uint32_t kPairs = 2500;
  std::vector<StagedDifference> before;
  {
    StagedLedger ledger(names_, file);
    Collect(ledger);
    for (std::uint32_t host = 0; host < kPairs; ++host) {
      const std::string source = IpAddress::V4(0xc0000200 + host).ToString();
      pipeline_.Send(PacketBuilder().Ethernet().Ipv4(source, "10.0.0.2").Udp(1000, 80));
    }
    Collect(ledger);
    before = ledger.Differences();
    ASSERT_THAT(before, SizeIs(kPairs));
    ledger.CollectLast({pipeline_.pipeline().Observe()});
  }
  {
    StagedLedger same(names_, file);
    Collect(same);
    const std::vector<StagedDifference> after = same.Differences();
    ASSERT_THAT(after, SizeIs(kPairs));
    for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].source, before[i].source);
    EXPECT_EQ(same.totals().would_deny, kPairs);
    std::size_t visited = 0;
    same.VisitDifferences([&](const StagedDifference&) { return ++visited < 1500; });
    EXPECT_EQ(visited, 1500u);
  }
  const auto size = std::filesystem::file_size(file);
  std::filesystem::resize_file(file, size - 20);
  StagedLedger cut(names_, file);
  Collect(cut);
  EXPECT_EQ(cut.totals().would_deny, 0u);
}

TEST_F(StagedLedgerTest, WhatFindsNoRoomIsCounted) {
  StagedLedger ledger(names_, {}, 2);
  Collect(ledger);
  for (std::uint16_t host = 0; host < 5; ++host) {
    pipeline_.Send(PacketBuilder().Ethernet().Ipv4("192.0.2." + std::to_string(host), "10.0.0.2").Udp(1000, 80));
  }
  Collect(ledger);
  EXPECT_THAT(ledger.Differences(), SizeIs(2));
  EXPECT_EQ(ledger.totals().not_kept, 3u);
  EXPECT_EQ(ledger.totals().would_deny, 5u);
}

}  // namespace
}  // namespace sluice
