#include "core/make_frame.h"

#include <gtest/gtest.h>

#include "core/parse.h"
#include "core/pipeline.h"
#include "sluice/protocol.h"
#include "support/packet_builder.h"
#include "support/sample_packets.h"

namespace sluice {
namespace {

constexpr std::uint16_t kPort = 4;

// What was made in answer to a packet, padding cut off; empty: nothing.
struct Made {
  ByteVector bytes;
  std::uint16_t port = 0;
};

template <typename Make>
Made Answer(ByteVector bytes, Make make) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  const Frame frame{
      .data = bytes.data(), .length = length, .frame_length = length, .port = kPort, .out_port = kPort ^ 1};
  ParsedPacket packet;
  Parse(frame, {}, packet);
  EXPECT_EQ(Name(packet.reason), "");
  MadeFrame made;
  if (!make(frame, packet, made)) return {};
  ParsedPacket answer;
  Parse({.data = made.bytes, .length = made.length, .frame_length = made.length}, {}, answer);
  EXPECT_EQ(Name(answer.reason), "");
  EXPECT_GE(made.length, 60);
  return {{made.bytes, made.bytes + answer.l4_offset + answer.l4_length}, made.out_port};
}

Made Reset(const PacketBuilder& packet, AnswerSide side) {
  return Answer(packet.Bytes(), [side](const Frame& frame, const ParsedPacket& parsed, MadeFrame& out) {
    return MakeTcpReset(frame, parsed, side, out);
  });
}
Made Prohibited(const PacketBuilder& packet) { return Answer(packet.Bytes(), MakeAdminProhibited); }

PacketBuilder V4() { return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder V6() { return PacketBuilder().Ethernet().Ipv6("fd00::1", "fd00::2"); }
PacketBuilder Back() { return PacketBuilder().Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01"); }

// RFC 9293 3.10.7.1: "If the ACK bit is off, sequence number zero is used".
TEST(MakeTcpReset, SynIsAnsweredWithItsAcknowledgement) {
  const Made made = Reset(V4().Tcp(1234, 80, kTcpSyn, 1000), AnswerSide::kSender);
  EXPECT_EQ(
      made.bytes,
      Back().Ipv4("10.0.0.2", "10.0.0.1").DontFragment().Tcp(80, 1234, kTcpRst | kTcpAck, 0, 1001).Window(0).Bytes());
  EXPECT_EQ(made.port, kPort);
}

TEST(MakeTcpReset, DataCountsInTheAcknowledgement) {
  const Made made =
      Reset(V4().Tcp(1234, 80, kTcpSyn, 0xfffffffe).Options({1, 1, 1, 1}).Payload(9), AnswerSide::kSender);
  EXPECT_EQ(
      made.bytes,
      Back().Ipv4("10.0.0.2", "10.0.0.1").DontFragment().Tcp(80, 1234, kTcpRst | kTcpAck, 0, 8).Window(0).Bytes());
}

TEST(MakeTcpReset, AcknowledgingSegmentIsAnsweredAtThatNumber) {
  const Made made = Reset(V6().Tcp(1234, 80, kTcpAck, 1000, 2000).Payload(7), AnswerSide::kSender);
  EXPECT_EQ(made.bytes, Back().Ipv6("fd00::2", "fd00::1").Tcp(80, 1234, kTcpRst, 2000, 0).Window(0).Bytes());
}

TEST(MakeTcpReset, TowardTheReceiverAsFromTheSender) {
  const Made made = Reset(V4().Tcp(1234, 80, kTcpAck, 1000, 2000).Payload(7), AnswerSide::kReceiver);
  EXPECT_EQ(made.bytes, V4().DontFragment().Tcp(1234, 80, kTcpRst | kTcpAck, 1000, 2000).Window(0).Bytes());
  EXPECT_EQ(made.port, kPort ^ 1);
}

TEST(MakeTcpReset, VlanTagsStay) {
  const auto tagged = [](PacketBuilder builder) { return builder.Vlan(5, 0x88a8).Vlan(6); };
  const Made made =
      Reset(tagged(PacketBuilder().Ethernet()).Ipv6("fd00::1", "fd00::2").Tcp(1, 80, kTcpSyn, 5), AnswerSide::kSender);
  EXPECT_EQ(made.bytes,
            tagged(Back()).Ipv6("fd00::2", "fd00::1").Tcp(80, 1, kTcpRst | kTcpAck, 0, 6).Window(0).Bytes());
}

TEST(MakeTcpReset, NotToAReset) {
  EXPECT_TRUE(Reset(V4().Tcp(1, 80, kTcpRst), AnswerSide::kSender).bytes.empty());
  EXPECT_TRUE(Reset(V4().Tcp(1, 80, kTcpRst | kTcpAck), AnswerSide::kReceiver).bytes.empty());
}

TEST(MakeTcpReset, OnlyToTcp) { EXPECT_TRUE(Reset(V4().Udp(1, 80), AnswerSide::kSender).bytes.empty()); }

TEST(MakeAdminProhibited, Ipv4QuotesTheWholePacketIfItFits) {
  const PacketBuilder packet = V4().Udp(1234, 53).Payload(40);
  ByteVector quoted = packet.Bytes();
  quoted.erase(quoted.begin(), quoted.begin() + 14);
  const Made made = Prohibited(packet);
  EXPECT_EQ(made.bytes,
            Back().Ipv4("10.0.0.2", "10.0.0.1").TrafficClass(0xc0).DontFragment().Icmp(3, 13).Payload(quoted).Bytes());
  EXPECT_EQ(made.port, kPort);
}

TEST(MakeAdminProhibited, Ipv6QuotesWhatFits) {
  const PacketBuilder packet = V6().Udp(1234, 53).Payload(1001);
  ByteVector quoted = packet.Bytes();
  quoted.erase(quoted.begin(), quoted.begin() + 14);
  quoted.resize(sizeof(MadeFrame::bytes) - 14 - 40 - 8);
  EXPECT_EQ(Prohibited(packet).bytes, Back().Ipv6("fd00::2", "fd00::1").Icmpv6(1, 1).Payload(quoted).Bytes());
}

TEST(MakeAdminProhibited, PaddingIsNotQuoted) {
  const PacketBuilder packet = V4().TotalLength(28).Udp(1, 2).UdpLength(8).Payload(18);
  EXPECT_EQ(Prohibited(packet).bytes.size(), 14u + 20 + 8 + 28);
}

// RFC 1122 3.2.2, RFC 4443 2.4(e).
TEST(MakeAdminProhibited, NotToErrorsGroupsOrLaterFragments) {
  const ByteVector quoted = PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").Udp(1, 2).Payload(40).Bytes();
  const PacketBuilder silent[] = {
      V4().Icmp(3, 1).Payload(quoted),
      V6().Icmpv6(1, 4).Payload(60),
      V6().Icmpv6(100).Payload(60),
      PacketBuilder().Ethernet().Ipv4("10.0.0.1", "224.0.0.251").Udp(1, 2),
      PacketBuilder().Ethernet().Ipv4("10.0.0.1", "255.255.255.255").Udp(1, 2),
      PacketBuilder().Ethernet().Ipv4("0.0.0.0", "10.0.0.2").Udp(1, 2),
      PacketBuilder().Ethernet().Ipv6("fd00::1", "ff02::1").Udp(1, 2),
      PacketBuilder().Ethernet().Ipv6("::", "fd00::1").Udp(1, 2),
      PacketBuilder().Ethernet("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff").Ipv4("10.0.0.1", "10.0.0.255").Udp(1, 2),
      PacketBuilder().Ethernet("03:00:00:00:00:01").Ipv4("10.0.0.1", "10.0.0.2").Udp(1, 2),
      V4().FragmentOf(1, 64, false).Protocol(kProtoUdp).Payload(20),
  };
  for (const PacketBuilder& packet : silent) EXPECT_TRUE(Prohibited(packet).bytes.empty());
  EXPECT_FALSE(Prohibited(V4().FragmentOf(1, 0, true).Udp(1, 2)).bytes.empty());
  EXPECT_FALSE(Prohibited(V4().Icmp(8).Payload(20)).bytes.empty());
  EXPECT_FALSE(Prohibited(V6().Icmpv6(128).Payload(20)).bytes.empty());
}

// Every packet that parses: the answer parses too, stays in bounds, and is not answered in turn by another reset.
TEST(MakeReject, EverySampleIsAnsweredByAValidFrameOrNotAtAll) {
  int answered = 0;
  for (const SamplePacket& sample : SamplePackets()) {
    SCOPED_TRACE(sample.name);
    ByteVector bytes = sample.bytes;
    const auto length = static_cast<std::uint32_t>(bytes.size());
    const Frame frame{.data = bytes.data(), .length = length, .frame_length = length};
    ParsedPacket packet;
    Parse(frame, {}, packet);
    if (packet.reason != DropReason::kNone || packet.Is(ParsedPacket::kPass)) continue;
    MadeFrame made;
    if (!MakeReject(frame, packet, made)) continue;
    ++answered;
    ASSERT_LE(made.length, sizeof(made.bytes));
    const Frame answer{.data = made.bytes, .length = made.length, .frame_length = made.length};
    ParsedPacket parsed;
    Parse(answer, {}, parsed);
    EXPECT_EQ(Name(parsed.reason), "");
    EXPECT_EQ(parsed.source(), packet.destination());
    EXPECT_EQ(parsed.destination(), packet.source());
    if (packet.protocol == kProtoTcp) {
      EXPECT_EQ(parsed.destination_port, packet.source_port);
      EXPECT_NE(parsed.tcp_flags & kTcpRst, 0);
    } else {
      EXPECT_TRUE(parsed.Is(ParsedPacket::kIcmpError));
      ParsedPacket quoted;
      const std::uint8_t* quote = made.bytes + parsed.l4_offset + 8;
      ParseQuoted({quote, parsed.l4_length - 8u}, packet.family, quoted);
      EXPECT_EQ(quoted.source(), packet.source());
    }
    MadeFrame again;
    EXPECT_FALSE(MakeReject(answer, parsed, again));
  }
  EXPECT_GT(answered, 40);
}

}  // namespace
}  // namespace sluice
