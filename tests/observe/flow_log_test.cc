// The flow log without a daemon: whose rule a line names, and what is told of lines that were lost.
#include "observe/flow_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "core/pipeline_fixture.h"
#include "observe/fake_names.h"
#include "observe/flow_log_filter.h"
#include "sluice/printable.h"
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
  FlowView flow = Flow(kNoRule, 1);
  flow.source.address = Ip("2001:db8::1");
  flow.destination.address = Ip("2001:db8::2");
  for (std::uint32_t i = 0; i < FlowEndRing::kCapacity + 7; ++i) {
    if (tap.ends.WantsNext()) tap.ends.FlowEnded(flow, FlowEndCause::kExpired, 0);
  }
  const std::vector<std::string> lines = LinesOf(*log);
  ASSERT_THAT(lines, SizeIs(FlowEndRing::kCapacity + 1));
  EXPECT_THAT(lines.front(), HasSubstr(R"("address":"2001:db8::1")"));
  EXPECT_THAT(lines.back(), HasSubstr(R"("type":"lost","not_logged":7,"cause":"ring"})"));
  EXPECT_EQ(log->Counts()[0].lost[0], 7u);
  EXPECT_EQ(log->Counts()[1].lost[0], 0u) << "it wants no flows that ended";
}

void ExpectSame(const FlowEndRecord& end, const FlowEndRecord& wanted) {
  const FlowView& flow = end.flow;
  EXPECT_TRUE(flow.source.address == wanted.flow.source.address && flow.source.port == wanted.flow.source.port);
  EXPECT_TRUE(flow.destination.address == wanted.flow.destination.address &&
              flow.destination.port == wanted.flow.destination.port);
  EXPECT_EQ(std::tuple(flow.protocol, flow.state, flow.replied, flow.guessed, flow.generation, flow.egress_rule,
                       flow.ingress_rule),
            std::tuple(wanted.flow.protocol, wanted.flow.state, wanted.flow.replied, wanted.flow.guessed,
                       wanted.flow.generation, wanted.flow.egress_rule, wanted.flow.ingress_rule));
  EXPECT_EQ(std::tuple(flow.traffic.packets, flow.traffic.bytes, flow.reply.packets, flow.reply.bytes),
            std::tuple(wanted.flow.traffic.packets, wanted.flow.traffic.bytes, wanted.flow.reply.packets,
                       wanted.flow.reply.bytes));
  EXPECT_EQ(std::tuple(end.cause, end.idle_ms, end.age_ms), std::tuple(wanted.cause, wanted.idle_ms, wanted.age_ms));
}

// Short ones and long ones in any order, around the ring's end many times: each comes out as it went in.
TEST(FlowEndRing, EveryFlowComesOutAsItWentIn) {
  constexpr std::uint64_t kNowMs = std::uint64_t{7} << 32;
  std::mt19937_64 random(1);
  FlowEndRing ring(8);
  std::deque<FlowEndRecord> expected;
  std::uint64_t taken = 0, refused = 0;
  const auto take = [&](std::uint32_t most) {
    ring.Take(most, [&](const FlowEndRecord& end) {
      ASSERT_FALSE(expected.empty());
      const FlowEndRecord wanted = expected.front();
      expected.pop_front();
      ++taken;
      ExpectSame(end, wanted);
    });
  };
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t bits = random();
    FlowView flow;
    const bool is_ipv6 = (bits & 3) == 0;
    flow.source = {
        is_ipv6 ? IpAddress{Family::kIpv6, random(), random()} : IpAddress::V4(static_cast<std::uint32_t>(random())),
        static_cast<std::uint16_t>(bits >> 8)};
    flow.destination = {
        is_ipv6 ? IpAddress{Family::kIpv6, random(), random()} : IpAddress::V4(static_cast<std::uint32_t>(random())),
        static_cast<std::uint16_t>(bits >> 24)};
    flow.protocol = static_cast<std::uint8_t>(bits >> 40);
    flow.state = static_cast<FlowState>((bits >> 48) % kFlowStates);
    flow.replied = (bits & 4) != 0;
    flow.guessed = (bits & 8) != 0;
    flow.generation = random();
    flow.egress_rule = static_cast<RuleId>(random());
    flow.ingress_rule = static_cast<RuleId>(random());
    const bool is_vast = (bits & 0x30) == 0;
    flow.traffic = {is_vast ? random() : random() >> 32, random()};
    flow.reply = {(bits & 0xc0) == 0 ? random() : random() >> 32, random()};
    const std::uint64_t age_ms = (bits & 0x700) == 0 ? random() % kNowMs : random() >> 32;
    const auto idle_ms = static_cast<std::uint32_t>(random() % (std::min<std::uint64_t>(age_ms, 1 << 30) + 1));
    flow.began_ms = kNowMs - age_ms;
    flow.last_seen_ms = static_cast<std::uint32_t>(kNowMs) - idle_ms;
    const auto cause = static_cast<FlowEndCause>(random() % 7);
    if (ring.WantsNext()) {
      ring.FlowEnded(flow, cause, kNowMs);
      expected.push_back({flow, cause, idle_ms, age_ms});
    } else {
      ++refused;
      EXPECT_GE(expected.size(), 8u);
    }
    if (bits % 5 == 0) take(static_cast<std::uint32_t>(random() % 12));
  }
  take(16);
  EXPECT_TRUE(expected.empty());
  EXPECT_EQ(taken + refused, 10'000u);
  EXPECT_EQ(ring.lost(), refused);
  EXPECT_GT(refused, 100u);
}

// One packet of 60 bytes of each of so many addresses.
void DenySources(std::uint32_t count, std::uint64_t epoch, DenyTable& denies) {
  DropRecord denied;
  denied.reason = DropReason::kUnknownEndpoint;
  denied.epoch = epoch;
  denied.frame_length = 60;
  for (std::uint32_t i = 0; i < count; ++i) {
    denied.source = IpAddress::V4(i);
    denies.Add(denied);
  }
}

TEST_F(FlowLogTest, DenialsThatCannotBeToldApartHaveNoEnds) {
  PipelineFixture worker;
  worker.Load(ServerAdmitsClient());
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  const auto log = MakeLog();
  DenySources(DenyTable::kMostPairs + 5, worker.table().epoch(), log->AddTap(1).denies);
  const std::vector<std::string> lines = LinesOf(*log);
  ASSERT_THAT(lines, SizeIs(DenyTable::kMostPairs + 1));
  EXPECT_THAT(lines.back(), AllOf(HasSubstr(R"("type":"deny","verdict":"drop","reason":"unknown_endpoint")"),
                                  HasSubstr(R"("packets":5,"bytes":300)"), Not(HasSubstr("src"))));
}

TEST_F(FlowLogTest, HowManyDenialsAreToldApartIsAKey) {
  PipelineFixture worker;
  worker.Load(ServerAdmitsClient());
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  settings_.deny_keys = 3;
  const auto log = MakeLog();
  DenySources(10, worker.table().epoch(), log->AddTap(1).denies);
  const std::vector<std::string> lines = LinesOf(*log);
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines.back(), AllOf(HasSubstr(R"("packets":7,"bytes":420)"), Not(HasSubstr("src"))));
}

// Such a line may be of any end that is asked for; what it does say is held against the filter.
TEST_F(FlowLogTest, WhatAFilterAsksOfEndsIsNotAskedOfALineWithoutEnds) {
  PipelineFixture worker;
  worker.Load(ServerAdmitsClient());
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  settings_.deny_keys = 3;
  settings_.sinks[0].filter = {{"address", "0.0.0.1", false}, {"port", "9", true}, {"verdict", "drop", false}};
  settings_.sinks.push_back(settings_.sinks[0]);
  settings_.sinks[1].to = "file:" + (folder_ / "rejected").string();
  settings_.sinks[1].filter[2].value = "reject";
  const auto log = MakeLog();
  DenySources(10, worker.table().epoch(), log->AddTap(1).denies);
  const std::vector<std::string> lines = LinesOf(*log);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines.front(), HasSubstr(R"("src":{"address":"0.0.0.1")"));
  EXPECT_THAT(lines.back(), AllOf(HasSubstr(R"("packets":7,"bytes":420)"), Not(HasSubstr("src"))));
  EXPECT_EQ(log->Counts()[1].lines, 0u);
}

// A ring that is told of ends of IPv4 flows, and the views that say the same.
class BothWays final : public FlowListener {
 public:
  void FlowEnded(const FlowView& flow, FlowEndCause cause, std::uint64_t now_ms) override {
    views.push_back({flow, cause, static_cast<std::uint32_t>(now_ms) - flow.last_seen_ms, now_ms - flow.began_ms});
  }
  bool Ipv4FlowEnded(const Ipv4FlowEnd& flow) override {
    EXPECT_TRUE(ring.Ipv4FlowEnded(flow));
    return false;
  }

  FlowEndRing ring;
  std::vector<FlowEndRecord> views;
};

TEST(FlowEndRing, AnEndOfAnIpv4FlowSaysWhatItsViewSays) {
  PipelineFixture worker;
  BothWays both;
  worker.pipeline().Listen(&both);
  worker.Load(ServerAdmitsClient());
  for (std::uint16_t port = 1; port <= 40; ++port) {
    const auto ways = {std::pair("10.0.0.1", "10.0.0.2"), std::pair("10.0.0.2", "10.0.0.1")};
    const bool server_opens = port % 2 == 0;
    for (const auto& [source, destination] : ways) {
      const bool opens = server_opens == (source == std::string("10.0.0.2"));
      if (!opens && port % 3 == 0) continue;
      const auto packet = PacketBuilder().Ethernet().Ipv4(source, destination);
      for (int i = 0; i < port; ++i) {
        const std::uint16_t from = opens ? static_cast<std::uint16_t>(1000 + port) : 80;
        worker.Send(PacketBuilder(packet).Tcp(from, opens ? 80 : static_cast<std::uint16_t>(1000 + port), kTcpAck));
        worker.Advance(1);
      }
    }
  }
  worker.Advance(1'000'000);
  worker.SweepAll();
  ASSERT_GE(both.views.size(), 40u);
  std::size_t count = 0, replied = 0, guessed = 0, greater = 0;
  both.ring.Take(1'000'000, [&](const FlowEndRecord& end) {
    ASSERT_LT(count, both.views.size());
    ExpectSame(end, both.views[count++]);
    replied += end.flow.reply.packets != 0 ? 1 : 0;
    guessed += end.flow.guessed ? 1 : 0;
    greater += end.flow.source.address == *IpAddress::Parse("10.0.0.2") ? 1 : 0;
  });
  EXPECT_EQ(count, both.views.size());
  EXPECT_GT(replied, 0u);
  EXPECT_GT(guessed, 0u);
  EXPECT_GT(greater, 0u);
  EXPECT_LT(greater, count);
}

TEST(FlowEndRing, WhatOneLineDoesNotHoldIsAskedForAsAView) {
  FlowEntry<Ipv4FlowKey> entry{};
  FlowRecord<Ipv4FlowKey> record{};
  FlowEndRing ring(1);
  const auto end = [&](std::uint64_t began_ms = 7, std::uint64_t now_ms = 9) {
    return ring.Ipv4FlowEnded({entry, record, 1, {}, began_ms, FlowEndCause::kExpired, now_ms});
  };
  EXPECT_FALSE(end(7, 7 + (std::uint64_t{1} << 32)));
  for (FlowTotal* total : {&record.from_lesser, &record.from_greater}) {
    total->packets_and_moment = std::uint64_t{1} << 32;
    EXPECT_FALSE(end());
    total->packets_and_moment = std::uint64_t{1} << FlowTotal::kPacketBits;
    EXPECT_TRUE(end()) << "a moment is no packet";
    EXPECT_EQ(ring.Take(4, [](const FlowEndRecord& one) { EXPECT_EQ(one.flow.traffic.packets, 0u); }), 1u);
    total->packets_and_moment = 0;
  }
  EXPECT_EQ(ring.lost(), 0u);
  EXPECT_TRUE(end());
  EXPECT_TRUE(end()) << "told, and lost";
  EXPECT_EQ(ring.lost(), 1u);
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

// The library that reads it writes it back as it was: so what is a name stays one, whatever is in it.
TEST(FlowLogRecord, ALineIsJsonWhateverNamesHold) {
  const std::string kHostile[] = {"plain",
                                  R"(a"b\c"")",
                                  "line\nend\t\x1b[31m\x7f",
                                  "\xff\xfe\xc3",
                                  "caf\xc3\xa9 \xe2\x80\xae",
                                  std::string("nul\0nul", 7),
                                  std::string(3000, '"')};
  for (const std::string& name : kHostile) {
    FlowLogRecord record;
    record.unix_ns = 1'796'000'000'123'456'789;
    record.is_deny = true;
    record.source = {Ip("10.0.0.1"), 1, std::make_shared<FlowLogOwner>(FlowLogOwner{name, name, name, name})};
    record.destination = {Ip("2001:db8::1"), 65535, nullptr};
    record.protocol = 200;
    record.verdict = "drop";
    TableRule rule;
    rule.policy = name;
    rule.index = -1;
    record.ingress = std::make_shared<TableRule>(rule);
    record.ingress_isolated_by = std::make_shared<std::vector<std::string>>(std::vector{name, std::string("second")});
    record.traffic = {~std::uint64_t{0}, 1};
    const std::string line = ToJsonLine(record);
    const auto json = nlohmann::ordered_json::parse(line);
    EXPECT_EQ(json.dump() + '\n', line);
    EXPECT_EQ(json, ToJson(record));
    EXPECT_EQ(json["src"]["pod"], Printable(name, 1024));
    EXPECT_EQ(json["ingress"]["isolated_by"][1], "second");
    EXPECT_EQ(json["proto"], 200);
    EXPECT_EQ(json["packets"], ~std::uint64_t{0});
    EXPECT_EQ(json["time"], "2026-11-30T00:53:20.123Z");
  }
}

// Each line is in the file or counted as lost, whatever of a batch found room.
TEST_F(FlowLogTest, ADiskThatFillsLosesWhatItCounts) {
  constexpr rlim_t kRoom = 200'000;
  PipelineFixture worker;
  names_.table_ = std::shared_ptr<const Table>(std::shared_ptr<const Table>(), &worker.table());
  const auto log = MakeLog();
  WorkerTap& tap = log->AddTap(1);
  for (int i = 0; i < 2000; ++i) tap.ends.FlowEnded(Flow(kNoRule, 1), FlowEndCause::kExpired, 0);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit little{kRoom, limit.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &little), 0);
  log->Stop({});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, handler);
  std::ifstream file(folder_ / "flows");
  std::uint64_t whole = 0;
  for (std::string line; std::getline(file, line); ++whole) {
    ASSERT_FALSE(file.eof()) << "a line without its end";
    EXPECT_EQ(nlohmann::json::parse(line)["type"], "end");
  }
  EXPECT_GT(whole, 100u);
  const FlowLog::SinkCounts counts = log->Counts()[0];
  EXPECT_EQ(counts.lines, whole);
  EXPECT_EQ(counts.lines + counts.lost[1], 2000u);
  ASSERT_THAT(said_, SizeIs(1));
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
