// The ring between a worker and whoever watches its drops, and what the pipeline puts there.
#include "core/drop_ring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

constexpr std::uint64_t kEveryReason = ~std::uint64_t{0};

// A record by which to know it again.
DropRecord Numbered(std::uint64_t number) {
  DropRecord record;
  record.time_ns = record.epoch = number;
  record.frame_length = static_cast<std::uint32_t>(number);
  return record;
}

std::vector<DropRecord> TakeAll(DropRing& ring) {
  std::vector<DropRecord> records;
  ring.Take([&](const DropRecord& record) { records.push_back(record); });
  return records;
}

TEST(DropRing, FullRingCountsWhatItDoesNotKeep) {
  DropRing ring;
  for (std::uint32_t i = 0; i < DropRing::kCapacity + 5; ++i) ring.Put(Numbered(i));
  EXPECT_EQ(ring.overflowed(), 5u);
  const auto records = TakeAll(ring);
  ASSERT_EQ(records.size(), DropRing::kCapacity);
  EXPECT_EQ(records.front().frame_length, 0u);
  EXPECT_EQ(records.back().frame_length, DropRing::kCapacity - 1);
  ring.Put(Numbered(77));
  EXPECT_EQ(TakeAll(ring).at(0).frame_length, 77u);
  EXPECT_EQ(ring.overflowed(), 5u);
}

TEST(DropRing, WatchesTheReasonsThatItWasTold) {
  DropRing ring;
  EXPECT_FALSE(ring.Watches(DropReason::kPolicyDenied));
  ring.Watch(DropRing::BitOf(DropReason::kPolicyDenied));
  EXPECT_TRUE(ring.Watches(DropReason::kPolicyDenied));
  EXPECT_FALSE(ring.Watches(DropReason::kTruncated));
}

// The thread sanitizer watches.
TEST(DropRing, EachRecordIsTakenWholeAndInOrderOrCounted) {
  constexpr std::uint64_t kPut = 200'000;
  DropRing ring;
  std::atomic<bool> done{false};
  std::thread worker([&] {
    for (std::uint64_t i = 1; i <= kPut; ++i) ring.Put(Numbered(i));
    done = true;
  });
  std::uint64_t taken = 0;
  std::uint64_t last = 0;
  std::uint64_t torn = 0;
  const auto take = [&] {
    taken += ring.Take([&](const DropRecord& record) {
      torn += record.time_ns != record.epoch || record.time_ns != record.frame_length || record.time_ns <= last;
      last = record.time_ns;
    });
  };
  while (!done) take();
  worker.join();
  take();
  EXPECT_EQ(torn, 0u);
  EXPECT_EQ(taken + ring.overflowed(), kPut);
}

class RecordedDrops : public testing::Test {
 protected:
  RecordedDrops() { worker_.pipeline().drop_ring().Watch(kEveryReason); }

  // The one record that the packet left.
  DropRecord RecordOf(const PacketBuilder& packet, std::uint16_t port = 0) {
    worker_.Send(packet, port);
    return Only();
  }
  DropRecord Only() {
    const auto records = TakeAll(worker_.pipeline().drop_ring());
    EXPECT_EQ(records.size(), 1u);
    return records.empty() ? DropRecord{} : records[0];
  }

  PipelineFixture worker_;
};

TEST_F(RecordedDrops, DefaultDenyNamesItsRuleAndGeneration) {
  worker_.Load(ServerAdmitsClient());
  const DropRecord record = RecordOf(ClientTcp(kTcpSyn, 1000, 81), 3);
  EXPECT_EQ(record.reason, DropReason::kPolicyDenied);
  EXPECT_EQ(record.verdict, Verdict::kDrop);
  EXPECT_EQ(record.source, Ip("10.0.0.1"));
  EXPECT_EQ(record.destination, Ip("10.0.0.2"));
  EXPECT_EQ(record.source_port, 1000);
  EXPECT_EQ(record.destination_port, 81);
  EXPECT_EQ(record.protocol, kProtoTcp);
  EXPECT_EQ(record.port, 3);
  EXPECT_EQ(record.time_ns, worker_.now_ns());
  EXPECT_EQ(record.epoch, worker_.table().epoch());
  EXPECT_EQ(record.generation, worker_.table().generation());
  EXPECT_EQ(record.egress_rule, kNoRule);
  ASSERT_NE(record.ingress_rule, kNoRule);
  const TableRule& rule = worker_.table().rule(record.ingress_rule);
  EXPECT_EQ(rule.policy, "default/server");
  EXPECT_EQ(rule.index, -1);
  EXPECT_EQ(record.sections.numbering, worker_.table().numbering());
  EXPECT_EQ(worker_.table().DefaultDenies(record.sections.ingress), std::vector{record.ingress_rule});
  EXPECT_TRUE(worker_.table().DefaultDenies(record.sections.egress).empty());
}

TEST_F(RecordedDrops, ForwardedPacketLeavesNone) {
  worker_.Load(ServerAdmitsClient());
  worker_.Send(ClientTcp(kTcpSyn));
  EXPECT_TRUE(TakeAll(worker_.pipeline().drop_ring()).empty());
}

TEST_F(RecordedDrops, NobodyWatchesNothingIsRecorded) {
  worker_.Load(ServerAdmitsClient());
  worker_.pipeline().drop_ring().Watch(0);
  worker_.Send(ClientTcp(kTcpSyn, 1000, 81));
  EXPECT_TRUE(TakeAll(worker_.pipeline().drop_ring()).empty());
  EXPECT_EQ(worker_.Drops(DropReason::kPolicyDenied), 1u);
}

TEST_F(RecordedDrops, CutFlowNamesWhatCutIt) {
  worker_.Load(ServerAdmitsClient());
  worker_.Send(ClientTcp(kTcpSyn));
  worker_.Load(ServerAdmitsClient({}, false));
  for (int i = 0; i < 3; ++i) {  // the packet that finds it cut, and those after it
    const DropRecord record = RecordOf(ClientTcp(kTcpSyn));
    ASSERT_NE(record.ingress_rule, kNoRule);
    EXPECT_EQ(worker_.table().rule(record.ingress_rule).policy, "default/server");
    EXPECT_EQ(worker_.table().DefaultDenies(record.sections.ingress), std::vector{record.ingress_rule});
  }
  // What the server answers is of the same flow: it is the server that is isolated, not the answer's destination.
  const DropRecord answer =
      RecordOf(PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1").Tcp(80, 1000, kTcpSyn | kTcpAck));
  EXPECT_EQ(answer.reason, DropReason::kFlowCut);
  EXPECT_EQ(worker_.table().DefaultDenies(answer.sections.ingress), std::vector{answer.ingress_rule});
}

TEST_F(RecordedDrops, WhatFellBeforePolicyHasNoRule) {
  worker_.Load(ServerAdmitsClient());
  worker_.Send(ClientTcp(kTcpSyn, 1000, 81));  // leaves a decision in the same place of the burst
  TakeAll(worker_.pipeline().drop_ring());
  const DropRecord record = RecordOf(ClientTcp(kTcpSyn | kTcpFin));
  EXPECT_EQ(record.reason, DropReason::kTcpBadFlags);
  EXPECT_EQ(record.egress_rule, kNoRule);
  EXPECT_EQ(record.ingress_rule, kNoRule);
  EXPECT_EQ(record.generation, worker_.table().generation());
}

TEST_F(RecordedDrops, BeforeAnyPolicyThereIsNoRule) {
  const DropRecord record = RecordOf(ClientTcp(kTcpSyn));
  EXPECT_EQ(record.reason, DropReason::kNoPolicy);
  EXPECT_EQ(record.ingress_rule, kNoRule);
  EXPECT_EQ(record.generation, 0u);
}

TEST_F(RecordedDrops, FrameLostByTheEdgeShowsItsEnds) {
  worker_.Load(ServerAdmitsClient());
  worker_.Send(ClientTcp(kTcpSyn));
  ByteVector bytes = ClientTcp(kTcpSyn).Bytes();
  const auto length = static_cast<std::uint32_t>(bytes.size());
  worker_.pipeline().RecordLost({.data = bytes.data(), .length = length, .frame_length = length, .port = 1},
                                DropReason::kTxFull);
  const DropRecord record = Only();
  EXPECT_EQ(record.reason, DropReason::kTxFull);
  EXPECT_EQ(record.destination, Ip("10.0.0.2"));
  EXPECT_EQ(record.destination_port, 80);
  EXPECT_EQ(record.frame_length, length);
}

TEST(RecordedRejects, SayThatTheyWereRejected) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.action_on_deny = ActionOnDeny::kReject;
  PipelineFixture worker(config);
  worker.Load(ServerAdmitsClient());
  worker.pipeline().drop_ring().Watch(kEveryReason);
  worker.Send(ClientTcp(kTcpSyn, 1000, 81));
  const auto records = TakeAll(worker.pipeline().drop_ring());
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].verdict, Verdict::kReject);
}

}  // namespace
}  // namespace sluice
