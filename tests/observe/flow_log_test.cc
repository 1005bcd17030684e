// The flow log without a daemon: whose rule a line names, and what is told of lines that were lost.
#include "observe/flow_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/pipeline_fixture.h"
#include "observe/fake_names.h"
#include "observe/flow_log_filter.h"
#include "sluice/time_text.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class FlowLogTest : public testing::Test {
 protected:
  FlowLogTest() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice-flows-XXXXXX").string();
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    settings_.sinks.emplace_back().to = "file:" + (folder_ / "flows").string();
    settings_.sinks[0].most_mb = 100;
    settings_.history = 100;
  }
  ~FlowLogTest() override { std::filesystem::remove_all(folder_); }

  // All that was written so far; the log has no thread of its own here.
  std::vector<std::string> LinesOf(FlowLog& log, const std::vector<Observation>& workers = {}) {
    log.Stop(workers);
    std::ifstream file(folder_ / "flows");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  std::unique_ptr<FlowLog> MakeLog() {
    return std::make_unique<FlowLog>(settings_, names_, [this](std::string_view line) { said_.emplace_back(line); });
  }
  static FlowView Flow(RuleId rule, std::uint64_t generation) {
    FlowView flow;
    flow.source = {Ip("10.0.0.1"), 1000};
    flow.destination = {Ip("10.0.0.2"), 80};
    flow.protocol = kProtoTcp;
    flow.ingress_rule = rule;
    flow.generation = generation;
    return flow;
  }

  std::filesystem::path folder_;
  FlowLogSettings settings_;
  FakeNames names_;
  std::vector<std::string> said_;
};

TEST_F(FlowLogTest, APipelinesFlowsAndDenialsAreNamed) {
  PipelineFixture worker;
  worker.Load(ServerAdmitsClient());
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  names_.owners_[Ip("10.0.0.2")] = {"default", "server\n\"", "n1"};
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  worker.pipeline().Listen(&tap.ends);
  worker.pipeline().CountDenies(&tap.denies);
  worker.Send(ClientTcp(kTcpSyn, 1000, 80));
  worker.Send(ClientTcp(kTcpSyn, 1001, 81));
  const std::vector<std::string> lines = LinesOf(*log, {worker.pipeline().Observe()});
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(
      lines[0],
      AllOf(
          HasSubstr(R"("type":"deny","src":{"address":"10.0.0.1","port":1001},"dst":{"address":"10.0.0.2","port":81,)"),
          HasSubstr(R"("namespace":"default","pod":"server\\n\"","node":"n1"})"),
          HasSubstr(R"("policy":"default/server","rule":-1)"), HasSubstr(R"("packets":1)")));
  EXPECT_THAT(lines[1], AllOf(HasSubstr(R"("type":"end")"), HasSubstr(R"("policy":"default/server","rule":0)"),
                              HasSubstr(R"("cause":"stopped")")));
}

TEST_F(FlowLogTest, ADefaultDenyIsOfAllPoliciesThatIsolate) {
  ResolvedPolicy policy = ServerAdmitsClient();
  for (const char* name : {"default/zone", "default/all"}) {
    Section section = *policy.sections.begin();
    ASSERT_TRUE(section.isolates && section.direction == Direction::kIngress);
    section.policy = name;
    section.rules.clear();
    policy.sections.push_back(std::move(section));
  }
  PipelineFixture worker;
  worker.Load(policy);
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  worker.pipeline().CountDenies(&tap.denies);
  worker.Send(ClientTcp(kTcpSyn, 1001, 81));
  const std::vector<std::string> lines = LinesOf(*log);
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_THAT(lines[0], HasSubstr(R"("policy":"default/all","rule":-1,)"
                                  R"("isolated_by":["default/all","default/server","default/zone"]})"));
  const auto json = FlowLogFilter::Json::parse(lines[0]);
  for (const auto& [name, matches] : {std::pair("default/zone", true), std::pair("default/none", false)}) {
    FlowLogFilter filter;
    ASSERT_FALSE(filter.Add("policy", name, false));
    EXPECT_EQ(filter.Matches(json), matches) << name;
  }
}

TEST_F(FlowLogTest, AFlowOfAnEpochThatIsOverIsNotGivenAnotherRulesName) {
  Compiler before;
  const auto older = MustCompile(before, ServerAdmitsClient());
  ResolvedPolicy renamed = ServerAdmitsClient();
  for (Section& section : renamed.sections) section.policy = "default/renamed";
  Compiler after({}, older->generation() + 4);
  const auto newer = MustCompile(after, renamed);
  ASSERT_EQ(newer->generation(), older->generation() + 5);
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  const auto last_line_of = [&](std::uint64_t generation) {
    tap.ends.FlowEnded(Flow(1, generation), FlowEndCause::kExpired, 0);
    return LinesOf(*log).back();
  };
  names_.table_ = older;
  EXPECT_THAT(last_line_of(older->generation()), HasSubstr("default/server"));
  names_.table_ = newer;
  EXPECT_THAT(last_line_of(newer->generation()), HasSubstr("default/renamed"));
  EXPECT_THAT(last_line_of(older->generation()), HasSubstr("default/server"));
  // Nobody saw which epoch was in force then.
  EXPECT_THAT(last_line_of(older->generation() + 2), Not(HasSubstr("policy")));
}

TEST_F(FlowLogTest, WhatAFullRingLostIsToldInTheStream) {
  PipelineFixture worker;
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  settings_.sinks.push_back(settings_.sinks[0]);
  settings_.sinks[1].to = "file:" + (folder_ / "denied").string();
  settings_.sinks[1].only = FlowLogOnly::kDenied;
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  for (std::uint32_t i = 0; i < FlowEndRing::kCapacity + 7; ++i) {
    tap.ends.FlowEnded(Flow(kNoRule, 1), FlowEndCause::kExpired, 0);
  }
  const std::vector<std::string> lines = LinesOf(*log);
  ASSERT_THAT(lines, SizeIs(FlowEndRing::kCapacity + 1));
  EXPECT_THAT(lines.back(), HasSubstr(R"("type":"lost","not_logged":7,"cause":"ring"})"));
  EXPECT_EQ(log->Counts()[0].lost[0], 7u);
  EXPECT_EQ(log->Counts()[1].lost[0], 0u) << "it wants no flows that ended";
}

TEST_F(FlowLogTest, DenialsThatCannotBeToldApartHaveNoEnds) {
  PipelineFixture worker;
  worker.Load(ServerAdmitsClient());
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  DropRecord denied;
  denied.reason = DropReason::kUnknownEndpoint;
  denied.epoch = worker.table().epoch();
  denied.frame_length = 60;
  for (std::uint32_t i = 0; i < DenyTable::kMostPairs + 5; ++i) {
    denied.source = IpAddress::V4(i);
    tap.denies.Add(denied);
  }
  const std::vector<std::string> lines = LinesOf(*log);
  ASSERT_THAT(lines, SizeIs(DenyTable::kMostPairs + 1));
  EXPECT_THAT(lines.back(), AllOf(HasSubstr(R"("type":"deny","verdict":"drop","reason":"unknown_endpoint")"),
                                  HasSubstr(R"("packets":5,"bytes":300)"), Not(HasSubstr("src"))));
}

TEST_F(FlowLogTest, AFileThatCannotBeWrittenIsSaidOnceWithItsReason) {
  PipelineFixture worker;
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  settings_.sinks[0].to = "file:" + (folder_ / "missing/flows").string();
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  for (int i = 0; i < 3; ++i) tap.ends.FlowEnded(Flow(kNoRule, 1), FlowEndCause::kExpired, 0);
  log->Stop({});
  ASSERT_THAT(said_, SizeIs(1));
  EXPECT_THAT(said_[0], AllOf(HasSubstr("flow log file:"), HasSubstr("No such file or directory")));
  EXPECT_EQ(log->Counts()[0].lost[1], 3u);
}

TEST_F(FlowLogTest, TheHistoryHasTheSameRecordsAndSharesTheirNames) {
  PipelineFixture worker;
  worker.Load(ServerAdmitsClient());
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  names_.owners_[Ip("10.0.0.2")] = {"default", "server", "n1"};
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  for (int i = 0; i < 2; ++i) {
    tap.ends.FlowEnded(Flow(1, worker.table().generation()), FlowEndCause::kExpired, 0);
  }
  const std::vector<std::string> lines = LinesOf(*log);
  const FlowHistory::Slice slice = log->history()->Read(0, log->history()->End(), 10);
  ASSERT_THAT(slice.records, SizeIs(2));
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(ToJsonLine(slice.records[0]), lines[0] + '\n');
  EXPECT_EQ(slice.records[0].destination->owner, slice.records[1].destination->owner);
  EXPECT_EQ(slice.records[0].ingress, slice.records[1].ingress);
  EXPECT_NE(slice.records[0].ingress, nullptr);
}

TEST_F(FlowLogTest, ARefreshBringsWhatWorkersHaveAndEndsWithTheLog) {
  PipelineFixture worker;
  worker.Load(ServerAdmitsClient());
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  settings_.sinks.clear();
  settings_.deny_interval_s = 3600;
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  log->Start();
  DropRecord denied;
  denied.reason = DropReason::kUnknownEndpoint;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    denied.source = IpAddress::V4(static_cast<std::uint32_t>(i));
    tap.denies.Add(denied);
    std::atomic<bool> refreshed = false;
    std::thread reader([&] {
      log->Refresh(std::chrono::minutes(1));
      refreshed = true;
    });
    while (!refreshed) tap.denies.Turn();  // as a worker does in each round
    reader.join();
    EXPECT_EQ(log->history()->End(), i);
  }
  std::thread late([&] { log->Refresh(std::chrono::minutes(1)); });  // nobody turns
  log->Stop({});
  late.join();
}

TEST(FlowHistory, KeepsTheNewestAndCountsWhatAReaderMissed) {
  FlowHistory history(4);
  const std::uint64_t start = history.BeginUnixNs();
  EXPECT_GT(start, 0u);
  const auto add = [&](std::uint64_t time) {
    FlowLogRecord record;
    record.unix_ns = time;
    history.Add(record);
  };
  for (std::uint64_t time = 10; time <= 40; time += 10) add(time);
  EXPECT_EQ(history.BeginUnixNs(), start) << "nothing was overwritten";
  EXPECT_EQ(history.PositionSince(0), 0u);
  EXPECT_EQ(history.PositionSince(20), 1u);
  EXPECT_EQ(history.PositionSince(21), 2u);
  EXPECT_EQ(history.PositionSince(41), 4u);
  add(50);
  add(60);
  EXPECT_EQ(history.BeginUnixNs(), 30u);
  EXPECT_EQ(history.PositionSince(0), 2u);

  FlowHistory::Slice slice = history.Read(1, history.End(), 2);
  EXPECT_EQ(slice.missed, 1u);
  EXPECT_EQ(slice.next, 4u);
  ASSERT_THAT(slice.records, SizeIs(2));
  EXPECT_EQ(slice.records[0].unix_ns, 30u);
  slice = history.Read(slice.next, 5, 100);
  ASSERT_THAT(slice.records, SizeIs(1));
  EXPECT_EQ(slice.records[0].unix_ns, 50u);
  slice = history.Read(6, 6, 100);
  EXPECT_THAT(slice.records, SizeIs(0));
  EXPECT_EQ(slice.missed, 0u);
  EXPECT_EQ(slice.next, 6u);
  // What was overwritten before an `end` that is over, too.
  for (std::uint64_t time = 70; time <= 120; time += 10) add(time);
  slice = history.Read(3, 5, 100);
  EXPECT_THAT(slice.records, SizeIs(0));
  EXPECT_EQ(slice.missed, 2u);
  EXPECT_EQ(slice.next, 5u);
}

TEST(Rfc3339, HasMillisecondsAndTheEndOfTime) {
  EXPECT_EQ(Rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(Rfc3339(1'796'009'127'123'999'999), "2026-11-30T03:25:27.123Z");
}

}  // namespace
}  // namespace sluice
