// What a worker gives to whoever captures: which packets, how much of each, with which verdict, and what found no room.
#include "core/capture_ring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

struct Captured {
  DropRecord record;
  bool reply;
  ByteVector bytes;
};

std::vector<Captured> TakeAll(CaptureRing& ring) {
  std::vector<Captured> taken;
  ring.Take(1'000'000, [&](const DropRecord& record, bool reply, std::span<const std::uint8_t> bytes) {
    taken.push_back({record, reply, ByteVector(bytes.begin(), bytes.end())});
  });
  return taken;
}

CaptureWish All() {
  CaptureWish wish;
  wish.forwarded = wish.dropped = true;
  return wish;
}

class CaptureTest : public testing::Test {
 protected:
  CaptureTest() {
    worker_.Load(ServerAdmitsClient());
    worker_.pipeline().Capture(&ring_);
  }

  PipelineFixture worker_;
  CaptureRing ring_;
};

TEST_F(CaptureTest, EachVerdictComesWithItsRuleAndGeneration) {
  ASSERT_TRUE(ring_.Ask(All()));
  worker_.Send(ClientTcp(kTcpSyn, 1000, 80));
  worker_.Send(ServerTcp(kTcpSyn | kTcpAck));
  worker_.Send(ClientTcp(kTcpSyn, 1001, 81));
  const std::vector<Captured> taken = TakeAll(ring_);
  ASSERT_EQ(taken.size(), 3u);
  const Table& table = worker_.table();
  EXPECT_EQ(taken[0].record.reason, DropReason::kNone);
  EXPECT_EQ(taken[0].record.verdict, Verdict::kForward);
  EXPECT_EQ(table.rule(taken[0].record.ingress_rule).index, 0);
  EXPECT_EQ(taken[0].record.generation, table.generation());
  EXPECT_FALSE(taken[0].reply);
  EXPECT_TRUE(taken[1].reply);
  EXPECT_EQ(taken[1].record.ingress_rule, taken[0].record.ingress_rule) << "of its flow";
  EXPECT_EQ(taken[2].record.reason, DropReason::kPolicyDenied);
  EXPECT_EQ(taken[2].record.verdict, Verdict::kDrop);
  EXPECT_EQ(table.rule(taken[2].record.ingress_rule).index, -1);
  EXPECT_EQ(taken[2].record.destination_port, 81);
}

TEST_F(CaptureTest, AKnownFlowsPacketsHaveItsRulesToo) {
  worker_.Send(ClientTcp(kTcpSyn, 1000, 80));
  worker_.Send(ServerTcp(kTcpSyn | kTcpAck));
  worker_.Send(ClientTcp(kTcpAck, 1000, 80));
  ASSERT_TRUE(ring_.Ask(All()));
  for (int i = 0; i < 3; ++i) worker_.Send(ClientTcp(kTcpAck, 1000, 80));
  const std::vector<Captured> taken = TakeAll(ring_);
  ASSERT_EQ(taken.size(), 3u);
  EXPECT_EQ(worker_.table().rule(taken[2].record.ingress_rule).policy, "default/server");
}

TEST_F(CaptureTest, OnlyWhatIsWantedIsTaken) {
  CaptureWish wish;
  wish.dropped = true;
  ASSERT_TRUE(ring_.Ask(wish));
  worker_.Send(ClientTcp(kTcpSyn, 1000, 80));
  EXPECT_TRUE(TakeAll(ring_).empty());
  worker_.Send(ClientTcp(kTcpSyn, 1000, 81));
  EXPECT_EQ(TakeAll(ring_).size(), 1u);

  wish.reasons = DropRing::BitOf(DropReason::kFlowCut);
  ASSERT_TRUE(ring_.Ask(wish));
  worker_.Send(ClientTcp(kTcpSyn, 1000, 81));
  EXPECT_TRUE(TakeAll(ring_).empty());

  wish = All();
  wish.ports = {81};
  ASSERT_TRUE(ring_.Ask(wish));
  worker_.Send(ClientTcp(kTcpSyn, 1002, 80));
  worker_.Send(ClientTcp(kTcpSyn, 1002, 81));
  EXPECT_EQ(TakeAll(ring_).size(), 1u);

  wish = All();
  wish.protocols = {kProtoUdp};
  ASSERT_TRUE(ring_.Ask(wish));
  worker_.Send(ClientTcp(kTcpSyn, 1003, 80));
  EXPECT_TRUE(TakeAll(ring_).empty());

  wish = All();
  wish.addresses = {*Prefix::Parse("192.0.2.0/24")};
  ASSERT_TRUE(ring_.Ask(wish));
  worker_.Send(ClientTcp(kTcpSyn, 1004, 80));
  EXPECT_TRUE(TakeAll(ring_).empty());

  ASSERT_TRUE(ring_.Ask({}));
  worker_.Send(ClientTcp(kTcpSyn, 1005, 81));
  EXPECT_TRUE(TakeAll(ring_).empty());
}

TEST_F(CaptureTest, WhatIsAskedForWaitsForTheWorker) {
  ASSERT_TRUE(ring_.Ask(All()));
  EXPECT_FALSE(ring_.IsTurned());
  EXPECT_FALSE(ring_.Ask({})) << "the worker may be looking at the one before";
  worker_.Send(ClientTcp(kTcpSyn, 1000, 80));
  EXPECT_TRUE(ring_.IsTurned());
}

TEST_F(CaptureTest, HeadersAloneUnlessThePayloadIsAskedFor) {
  const ByteVector secret(100, 0x5a);
  const auto packet = [&](std::uint16_t port) {
    return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(1000, port, kTcpSyn).Payload(secret);
  };
  ASSERT_TRUE(ring_.Ask(All()));
  worker_.Send(packet(81));
  CaptureWish wish = All();
  wish.payload = true;
  ASSERT_TRUE(ring_.Ask(wish));
  worker_.Send(packet(82));
  const std::vector<Captured> taken = TakeAll(ring_);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].bytes.size(), 54u);
  EXPECT_EQ(taken[0].record.frame_length, 154u);
  EXPECT_EQ(taken[1].bytes.size(), 154u);
}

TEST(CaptureRing, WhatFindsNoRoomIsCountedAndTheRestIsWhole) {
  CaptureRing ring(4096);
  ASSERT_TRUE(ring.Ask(All()));
  ring.Turn();
  std::uint64_t put = 0, taken = 0;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    DropRecord record;
    record.time_ns = i;
    ring.Put(record, i % 3 == 0, ByteVector(i * 7 % 700, static_cast<std::uint8_t>(i)));
    ++put;
    if (i % 7 != 0) continue;
    for (const Captured& one : TakeAll(ring)) {
      const auto number = static_cast<std::uint32_t>(one.record.time_ns);
      EXPECT_EQ(one.bytes, ByteVector(number * 7 % 700, static_cast<std::uint8_t>(number)));
      EXPECT_EQ(one.reply, number % 3 == 0);
      ++taken;
    }
  }
  taken += TakeAll(ring).size();
  EXPECT_GT(ring.overflowed(), 0u);
  EXPECT_EQ(taken + ring.overflowed(), put);
}

TEST(CaptureRing, AWorkerAndAReaderAtOnceLoseNothingThatIsNotCounted) {
  CaptureRing ring(8192);
  ASSERT_TRUE(ring.Ask(All()));
  constexpr std::uint64_t kPackets = 100'000;
  std::atomic<bool> done = false;
  std::thread worker([&] {
    for (std::uint64_t i = 0; i < kPackets; ++i) {
      ring.Turn();
      DropRecord record;
      record.time_ns = i;
      if (i % 2 == 0 || ring.HasRoom()) ring.Put(record, false, ByteVector(i % 200, static_cast<std::uint8_t>(i)));
    }
    done = true;
  });
  std::uint64_t taken = 0, last = 0;
  const auto take = [&] {
    return ring.Take(100, [&](const DropRecord& record, bool, std::span<const std::uint8_t> bytes) {
      EXPECT_TRUE(taken == 0 || record.time_ns > last);
      last = record.time_ns;
      ++taken;
      EXPECT_EQ(bytes.size(), record.time_ns % 200);
      EXPECT_TRUE(bytes.empty() || bytes.back() == static_cast<std::uint8_t>(record.time_ns));
    });
  };
  while (!done) take();
  worker.join();
  while (take() != 0) continue;
  EXPECT_EQ(taken + ring.overflowed(), kPackets);
}

}  // namespace
}  // namespace sluice
