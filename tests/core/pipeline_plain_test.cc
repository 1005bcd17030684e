// Plain packets of known flows take a road of their own through the pipeline. Who asks for outcomes sends every packet
// by the long one: here both must come to the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

std::vector<std::string> Told(const PipelineFixture& fixture) {
  std::vector<std::string> flows;
  for (const FlowView& flow : fixture.Flows()) {
    flows.push_back(flow.source.address.ToString() + " " + std::to_string(flow.source.port) + " > " +
                    flow.destination.address.ToString() + " " + std::to_string(flow.destination.port) + " protocol " +
                    std::to_string(flow.protocol) + " " + std::string(Name(flow.state)) +
                    (flow.replied ? " replied" : "") + " seen " + std::to_string(flow.last_seen_ms) + " packets " +
                    std::to_string(flow.traffic.packets) + " bytes " + std::to_string(flow.traffic.bytes) + " reply " +
                    std::to_string(flow.reply.packets) + ' ' + std::to_string(flow.reply.bytes));
  }
  std::ranges::sort(flows);
  return flows;
}

std::vector<ByteVector> Bytes(const std::vector<Frame>& frames) {
  std::vector<ByteVector> bytes;
  for (const Frame& frame : frames) bytes.emplace_back(frame.data, frame.data + frame.length);
  return bytes;
}

ByteVector RandomPacket(std::mt19937& random) {
  const char* const ipv4[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "9.9.9.9"};
  const char* const ipv6[] = {"fd00::1", "fd00::2", "fd00::3", "2001:db8::9"};
  constexpr std::uint8_t kFlags[] = {kTcpAck,           kTcpAck,           kTcpAck | kTcpPsh, kTcpSyn,
                                     kTcpSyn | kTcpAck, kTcpFin | kTcpAck, kTcpRst,           kTcpSyn | kTcpFin};
  const bool reply = random() % 3 == 0;
  const std::size_t other = random() % 8 == 0 ? 2 + random() % 2 : 0;
  const std::uint16_t server = random() % 16 == 0 ? 81 : 80;
  const auto client = static_cast<std::uint16_t>(1000 + random() % 6);
  PacketBuilder builder;
  builder.Ethernet();
  if (random() % 8 == 0) builder.Vlan(5);
  if (random() % 2 == 0) {
    reply ? builder.Ipv4(ipv4[1], ipv4[other]) : builder.Ipv4(ipv4[other], ipv4[1]);
  } else {
    reply ? builder.Ipv6(ipv6[1], ipv6[other]) : builder.Ipv6(ipv6[other], ipv6[1]);
  }
  const std::uint16_t source = reply ? server : client, destination = reply ? client : server;
  random() % 2 == 0 ? builder.Tcp(source, destination, kFlags[random() % 8]) : builder.Udp(source, destination);
  return builder.Payload(12 + random() % 40).Bytes();
}

TEST(PipelinePlain, DecidesCountsAndKeepsFlowsAsTheLongRoadDoes) {
  std::mt19937 random(4);
  PipelineFixture quick, slow;
  quick.Load(ServerAdmitsClient());
  slow.Load(ServerAdmitsClient());
  for (int round = 0; round < 2000; ++round) {
    std::vector<ByteVector> frames;
    for (std::uint32_t count = random() % 64; count != 0; --count) frames.push_back(RandomPacket(random));
    quick.SendQuietly(frames);
    slow.Burst(frames);
    ASSERT_EQ(Bytes(quick.output().forward), Bytes(slow.output().forward)) << round;
    ASSERT_EQ(Bytes(quick.output().drop), Bytes(slow.output().drop)) << round;
    ASSERT_EQ(Told(quick), Told(slow)) << round;
    const double seconds = random() % 20 == 0 ? 40 : random() % 3 == 0 ? 0.5 : 0;
    quick.Advance(seconds);
    slow.Advance(seconds);
    if (random() % 25 == 0) {
      const bool admitted = random() % 3 != 0;
      quick.Load(ServerAdmitsClient({}, admitted));
      slow.Load(ServerAdmitsClient({}, admitted));
    }
    if (random() % 10 == 0) {
      quick.SweepAll();
      slow.SweepAll();
    }
  }
  for (std::size_t reason = 0; reason < kDropReasonCount; ++reason) {
    const auto id = static_cast<DropReason>(reason);
    EXPECT_EQ(quick.Drops(id), slow.Drops(id)) << Name(id);
  }
  EXPECT_EQ(quick.counters().flows_created.value(), slow.counters().flows_created.value());
  EXPECT_EQ(quick.counters().flows_expired.value(), slow.counters().flows_expired.value());
  EXPECT_EQ(quick.counters().flows_cut.value(), slow.counters().flows_cut.value());
  EXPECT_GT(quick.counters().flows_cut.value(), 0u);
  EXPECT_GT(quick.Verdicts(Verdict::kForward), 10'000u);
}

// A flow table that no flow was in yet has zeros where a lookup ends that finds nothing: a packet whose key is zero too
// has no flow for all that.
TEST(PipelinePlain, APacketOfZerosHasNoFlow) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  ByteVector zeros = PacketBuilder().Ethernet().Ipv4("0.0.0.0", "0.0.0.0").Udp(0, 0).Payload(26).Bytes();
  zeros[23] = 0;  // the protocol
  for (int round = 0; round < 2; ++round) {
    fixture.SendQuietly({zeros, zeros});
    EXPECT_EQ(fixture.output().forward.size(), 2u);  // it concerns no pod
    EXPECT_TRUE(fixture.Flows().empty());
    EXPECT_EQ(Told(fixture.Send(ClientUdp())), "forward new");
    fixture.Advance(100);
    fixture.SweepAll();
  }
}

}  // namespace
}  // namespace sluice
