#include "core/parse.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "sluice/protocol.h"
#include "support/packet_builder.h"
#include "support/sample_packets.h"

namespace sluice {
namespace {

// A copy on the heap of exactly that size, so that the address sanitizer sees every read past the end.
class ExactBuffer {
 public:
  explicit ExactBuffer(std::span<const std::uint8_t> bytes)
      : size_(bytes.size()), data_(std::make_unique<std::uint8_t[]>(bytes.size())) {
    if (size_ != 0) std::memcpy(data_.get(), bytes.data(), size_);
  }
  Frame frame() const {
    const auto length = static_cast<std::uint32_t>(size_);
    return {.data = data_.get(), .length = length, .frame_length = length};
  }
  std::span<const std::uint8_t> bytes() const { return {data_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::uint8_t[]> data_;
};

std::span<const std::uint8_t> First(const ByteVector& bytes, std::size_t size) { return {bytes.data(), size}; }

ParsedPacket ParseBytes(std::span<const std::uint8_t> bytes, const ParseConfig& config = {}) {
  const ExactBuffer buffer(bytes);
  ParsedPacket packet;
  Parse(buffer.frame(), config, packet);
  return packet;
}

ParsedPacket ParseBuilt(const PacketBuilder& builder, const ParseConfig& config = {}) {
  return ParseBytes(builder.Bytes(), config);
}

PacketBuilder V4() { return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder V6() { return PacketBuilder().Ethernet().Ipv6("fd00::1", "fd00::2"); }

TEST(ParseSamples, HasItsReason) {
  for (const SamplePacket& sample : SamplePackets()) {
    SCOPED_TRACE(sample.name);
    EXPECT_EQ(Name(ParseBytes(sample.bytes).reason), Name(sample.reason));
  }
}

// Whatever is missing, the parser stays inside what is there and never takes the cut packet for a good one: the only
// packets that may pass are cut inside the padding behind the IP datagram, or are forwarded unread.
TEST(ParseSamples, CutShortAnywhereIsRefused) {
  for (const SamplePacket& sample : SamplePackets()) {
    SCOPED_TRACE(sample.name);
    const ByteVector& bytes = sample.bytes;
    const ParsedPacket whole = ParseBytes(bytes);
    if (whole.reason != DropReason::kNone) {
      for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_NE(ParseBytes(First(bytes, size)).reason, DropReason::kNone) << size;
      }
      continue;
    }
    const std::size_t needed =
        whole.Is(ParsedPacket::kPass) ? whole.l3_offset : std::size_t{whole.l4_offset} + whole.l4_length;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const ParsedPacket cut = ParseBytes(First(bytes, size));
      EXPECT_EQ(cut.reason == DropReason::kNone, size >= needed) << size;
    }
  }
}

// The rest of the frame lies in further segments: headers must be in the first, and nothing behind it is read.
TEST(ParseSamples, FirstSegmentAnywhereIsTruncatedOrJudgedAlike) {
  for (const SamplePacket& sample : SamplePackets()) {
    SCOPED_TRACE(sample.name);
    const ByteVector& bytes = sample.bytes;
    const ParsedPacket whole = ParseBytes(bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const ExactBuffer buffer(First(bytes, size));
      Frame frame = buffer.frame();
      frame.frame_length = static_cast<std::uint32_t>(bytes.size());
      ParsedPacket packet;
      Parse(frame, {}, packet);
      if (packet.reason == DropReason::kTruncated) continue;
      if (sample.reason == DropReason::kSctpBadChunk && packet.reason == DropReason::kNone) continue;
      EXPECT_EQ(Name(packet.reason), Name(whole.reason)) << size;
      if (packet.reason == DropReason::kNone) {
        EXPECT_EQ(packet.l4_offset, whole.l4_offset) << size;
        EXPECT_EQ(packet.source_port, whole.source_port) << size;
        EXPECT_EQ(packet.destination_port, whole.destination_port) << size;
        EXPECT_EQ(packet.flags, whole.flags) << size;
      }
    }
  }
}

TEST(ParseSamples, BurstAgreesWithSingle) {
  for (const SamplePacket& sample : SamplePackets()) {
    SCOPED_TRACE(sample.name);
    const ParsedPacket single = ParseBytes(sample.bytes);
    const ExactBuffer buffer(sample.bytes);
    const std::vector<Frame> frames(20, buffer.frame());
    std::vector<ParsedPacket> packets(frames.size());
    ParseBurst(frames, {}, packets.data());
    for (const ParsedPacket& packet : packets) {
      EXPECT_EQ(packet.reason, single.reason);
      EXPECT_EQ(packet.flags, single.flags);
      EXPECT_EQ(packet.source(), single.source());
      EXPECT_EQ(packet.destination(), single.destination());
      EXPECT_EQ(packet.destination_port, single.destination_port);
    }
  }
}

// As a quote in an ICMP error, whole and cut anywhere: it stays inside the bytes, and ports need 8 bytes of transport.
TEST(ParseSamples, QuotedAndCutShortStaysInside) {
  for (const SamplePacket& sample : SamplePackets()) {
    SCOPED_TRACE(sample.name);
    const ByteVector& bytes = sample.bytes;
    const ParsedPacket whole = ParseBytes(bytes);
    if (whole.l3_offset == 0 || whole.Is(ParsedPacket::kPass)) continue;
    const auto ip = std::span(bytes).subspan(whole.l3_offset);
    const Family family = ip[0] >> 4 == 6 ? Family::kIpv6 : Family::kIpv4;
    for (std::size_t size = 0; size <= ip.size(); ++size) {
      const ExactBuffer buffer(ip.first(size));
      ParsedPacket quoted;
      ParseQuoted(buffer.bytes(), family, quoted);
      if (size < (family == Family::kIpv4 ? 20u : 40u)) {
        EXPECT_NE(quoted.reason, DropReason::kNone) << size;
      }
      if (quoted.Is(ParsedPacket::kHasPorts)) {
        EXPECT_GE(size, quoted.l4_offset + 8u);
      }
      if (whole.reason == DropReason::kNone && size == ip.size()) {
        EXPECT_EQ(Name(quoted.reason), "");
        EXPECT_EQ(quoted.source(), whole.source());
        EXPECT_EQ(quoted.source_port, whole.source_port);
        EXPECT_EQ(quoted.destination_port, whole.destination_port);
        EXPECT_EQ(quoted.protocol, whole.protocol);
      }
    }
  }
}

TEST(Parse, Ipv4TcpFields) {
  const ParsedPacket packet = ParseBuilt(V4().Tcp(1234, 80, kTcpSyn | kTcpAck).Payload(10));
  EXPECT_EQ(packet.source(), *IpAddress::Parse("10.0.0.1"));
  EXPECT_EQ(packet.destination(), *IpAddress::Parse("10.0.0.2"));
  EXPECT_EQ(packet.protocol, kProtoTcp);
  EXPECT_EQ(packet.source_port, 1234);
  EXPECT_EQ(packet.destination_port, 80);
  EXPECT_EQ(packet.tcp_flags, kTcpSyn | kTcpAck);
  EXPECT_EQ(packet.l3_offset, 14);
  EXPECT_EQ(packet.l4_offset, 34);
  EXPECT_EQ(packet.l4_length, 30);
  EXPECT_EQ(packet.flags, ParsedPacket::kHasPorts);
}

TEST(Parse, Ipv6UdpFields) {
  const ParsedPacket packet = ParseBuilt(V6().Udp(1234, 53).Payload(30));
  EXPECT_EQ(packet.source(), *IpAddress::Parse("fd00::1"));
  EXPECT_EQ(packet.destination(), *IpAddress::Parse("fd00::2"));
  EXPECT_EQ(packet.protocol, kProtoUdp);
  EXPECT_EQ(packet.source_port, 1234);
  EXPECT_EQ(packet.destination_port, 53);
  EXPECT_EQ(packet.tcp_flags, 0);
  EXPECT_EQ(packet.l4_offset, 54);
  EXPECT_EQ(packet.l4_length, 38);
}

// The straight path for plain packets and the layered one must tell the same: a VLAN tag forces the latter.
TEST(Parse, PlainAndTaggedPacketsAgree) {
  for (const int payload : {0, 1, 20, 1400}) {
    for (const bool tcp : {true, false}) {
      for (const bool ipv4 : {true, false}) {
        const auto build = [&](bool tagged) {
          PacketBuilder builder;
          builder.Ethernet();
          if (tagged) builder.Vlan(7);
          ipv4 ? builder.Ipv4("10.0.0.1", "10.0.0.2") : builder.Ipv6("fd00::1", "fd00::2");
          tcp ? builder.Tcp(5, 6, kTcpAck) : builder.Udp(5, 6);
          return ParseBuilt(builder.Payload(static_cast<std::size_t>(payload)));
        };
        ParsedPacket plain = build(false);
        const ParsedPacket tagged = build(true);
        plain.l3_offset += 4;
        plain.l4_offset += 4;
        EXPECT_EQ(std::memcmp(&plain, &tagged, offsetof(ParsedPacket, reason) + sizeof(DropReason)), 0)
            << payload << tcp << ipv4;
      }
    }
  }
}

TEST(Parse, EveryTcpFlagsByteIsJudgedAlikeOnBothPaths) {
  for (int flags = 0; flags < 256; ++flags) {
    const auto byte = static_cast<std::uint8_t>(flags);
    const auto plain = ParseBuilt(V4().Tcp(1, 80, byte)).reason;
    const auto tagged = ParseBuilt(PacketBuilder().Ethernet().Vlan(1).Ipv4("10.0.0.1", "10.0.0.2").Tcp(1, 80, byte));
    EXPECT_EQ(plain, tagged.reason) << flags;
    const int significant = flags & ~(kTcpPsh | 0xc0);
    const bool expected =
        significant == kTcpSyn || significant == (kTcpSyn | kTcpUrg) || significant == (kTcpSyn | kTcpAck) ||
        significant == kTcpRst || significant == (kTcpRst | kTcpAck) || significant == (kTcpFin | kTcpAck) ||
        significant == (kTcpFin | kTcpAck | kTcpUrg) || significant == kTcpAck || significant == (kTcpAck | kTcpUrg);
    EXPECT_EQ(plain == DropReason::kNone, expected) << flags;
  }
}

TEST(Parse, ListedEtherTypePasses) {
  ParseConfig config;
  config.pass_ethertypes = {0x8847, 0x88cc};
  const PacketBuilder lldp = PacketBuilder().Ethernet().EtherType(0x88cc).Payload(40);
  EXPECT_TRUE(ParseBuilt(lldp, config).Is(ParsedPacket::kPass));
  EXPECT_EQ(ParseBuilt(lldp, config).reason, DropReason::kNone);
  const PacketBuilder tagged = PacketBuilder().Ethernet().Vlan(3).EtherType(0x8847).Payload(40);
  EXPECT_TRUE(ParseBuilt(tagged, config).Is(ParsedPacket::kPass));
}

TEST(Parse, BadChecksumFromTheNicIsDropped) {
  for (const PacketBuilder& builder : {V4().Tcp(1, 80).Payload(20), V4().Icmp(8)}) {
    const ExactBuffer buffer(builder.Bytes());
    Frame frame = buffer.frame();
    frame.bad_ip_checksum = true;
    ParsedPacket packet;
    Parse(frame, {}, packet);
    EXPECT_EQ(packet.reason, DropReason::kBadIpChecksum);
  }
}

TEST(Parse, ExtensionDepthIsConfigured) {
  const auto depth = [](std::uint8_t value) {
    ParseConfig config;
    config.max_ipv6_extension_headers = value;
    return config;
  };
  const PacketBuilder two = V6().DestinationOptions().DestinationOptions().Udp(1, 2);
  EXPECT_EQ(ParseBuilt(two, depth(2)).reason, DropReason::kNone);
  EXPECT_EQ(ParseBuilt(two, depth(1)).reason, DropReason::kIpv6ExtensionDepth);
  EXPECT_EQ(ParseBuilt(V6().HopByHop().Udp(1, 2), depth(0)).reason, DropReason::kIpv6ExtensionDepth);
}

TEST(Parse, PortsBehindExtensionHeaders) {
  const ParsedPacket packet = ParseBuilt(V6().HopByHop().Routing(4, 1).DestinationOptions().Tcp(1234, 80));
  EXPECT_EQ(packet.protocol, kProtoTcp);
  EXPECT_EQ(packet.source_port, 1234);
  EXPECT_EQ(packet.destination_port, 80);
  EXPECT_EQ(packet.l4_offset, 14 + 40 + 8 + 24 + 8);
  EXPECT_EQ(packet.l4_length, 20);
}

TEST(Parse, NP_61_ProtocolsWithoutPorts) {
  for (const std::uint8_t protocol : {kProtoEsp, kProtoNoNext, std::uint8_t{47}, std::uint8_t{253}}) {
    const ParsedPacket packet = ParseBuilt(V6().Protocol(protocol).Payload(20));
    EXPECT_EQ(packet.reason, DropReason::kNone);
    EXPECT_EQ(packet.protocol, protocol);
    EXPECT_FALSE(packet.Is(ParsedPacket::kHasPorts));
  }
}

TEST(Parse, NP_61_DiscoveryAndMldAlwaysPass) {
  int passes = 0;
  for (const SamplePacket& sample : SamplePackets()) {
    const ParsedPacket packet = ParseBytes(sample.bytes);
    const bool discovery = packet.family == Family::kIpv6 && packet.protocol == kProtoIcmpv6 &&
                           ((packet.icmp_type >= 130 && packet.icmp_type <= 137) || packet.icmp_type == 143);
    EXPECT_EQ(packet.Is(ParsedPacket::kAlwaysPass), discovery && sample.reason == DropReason::kNone) << sample.name;
    passes += packet.Is(ParsedPacket::kAlwaysPass);
  }
  EXPECT_EQ(passes, 14);
}

TEST(Parse, EchoHasItsIdentifierInBothPorts) {
  const ParsedPacket request = ParseBuilt(V4().Icmp(8, 0, 0x12340001).Payload(8));
  EXPECT_EQ(request.source_port, 0x1234);
  EXPECT_EQ(request.destination_port, 0x1234);
  EXPECT_EQ(request.icmp_type, 8);
  EXPECT_EQ(request.flags, 0);
  const ParsedPacket reply = ParseBuilt(V6().Icmpv6(129, 0, 0x12340001).Payload(8));
  EXPECT_EQ(reply.source_port, 0x1234);
  EXPECT_EQ(reply.destination_port, 0x1234);
  EXPECT_EQ(reply.flags, ParsedPacket::kReplyType);
}

TEST(Parse, ErrorsAreMarked) {
  const ByteVector quoted = PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").Udp(80, 1234).Bytes();
  const ParsedPacket error = ParseBuilt(V4().Icmp(3, 4, 1400).Payload(quoted));
  EXPECT_EQ(error.flags, ParsedPacket::kIcmpError);
  EXPECT_EQ(error.icmp_type, 3);
  EXPECT_EQ(error.icmp_code, 4);
  EXPECT_EQ(error.source_port, 0);
}

TEST(Parse, Ipv4FragmentFields) {
  const auto fragments = SplitIntoFragments(V4().Udp(1234, 53).Payload(100).Bytes(), 40, 0x4321);
  ASSERT_EQ(fragments.size(), 3u);
  const ParsedPacket first = ParseBytes(fragments[0]);
  EXPECT_EQ(first.flags, ParsedPacket::kFragment | ParsedPacket::kFirstFragment | ParsedPacket::kMoreFragments |
                             ParsedPacket::kHasPorts);
  EXPECT_EQ(first.destination_port, 53);
  EXPECT_EQ(first.fragment_id, 0x4321u);
  EXPECT_EQ(first.fragment_length, 40);
  const ParsedPacket second = ParseBytes(fragments[1]);
  EXPECT_EQ(second.flags, ParsedPacket::kFragment | ParsedPacket::kMoreFragments);
  EXPECT_EQ(second.fragment_offset, 40);
  EXPECT_EQ(second.destination_port, 0);
  const ParsedPacket last = ParseBytes(fragments[2]);
  EXPECT_EQ(last.flags, ParsedPacket::kFragment);
  EXPECT_EQ(last.fragment_offset, 80);
  EXPECT_EQ(last.fragment_length, 28);
}

TEST(Parse, Ipv6FragmentFields) {
  const auto fragments = SplitIntoFragments(V6().Tcp(1234, 80).Payload(100).Bytes(), 64, 0x87654321);
  ASSERT_EQ(fragments.size(), 2u);
  const ParsedPacket first = ParseBytes(fragments[0]);
  EXPECT_TRUE(first.Is(ParsedPacket::kFirstFragment));
  EXPECT_EQ(first.destination_port, 80);
  EXPECT_EQ(first.fragment_id, 0x87654321u);
  EXPECT_EQ(first.fragment_length, 64);
  const ParsedPacket last = ParseBytes(fragments[1]);
  EXPECT_EQ(last.flags, ParsedPacket::kFragment);
  EXPECT_EQ(last.protocol, kProtoTcp);
  EXPECT_EQ(last.fragment_offset, 64);
  EXPECT_EQ(last.fragment_length, 56);
}

TEST(Parse, AtomicFragmentIsWhole) {
  const ParsedPacket packet = ParseBuilt(V6().FragmentHeader(9, 0, false).Tcp(1234, 80));
  EXPECT_EQ(packet.flags, ParsedPacket::kHasPorts);
  EXPECT_EQ(packet.destination_port, 80);
}

TEST(Parse, SctpFirstChunk) {
  EXPECT_EQ(ParseBuilt(V4().Sctp(1, 2, 0).InitChunk()).sctp_chunk, 1);
  EXPECT_EQ(ParseBuilt(V4().Sctp(1, 2).Chunk(10, ByteVector(8)).Chunk(0, ByteVector(12))).sctp_chunk, 10);
  EXPECT_EQ(ParseBuilt(V4().Sctp(1, 2)).sctp_chunk, 255);
}

TEST(ParseQuoted, TakesTheFirstEightBytesOfTransport) {
  const ByteVector tcp = PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").Tcp(80, 1234).Payload(500).Bytes();
  ParsedPacket quoted;
  ParseQuoted(std::span(tcp).first(28), Family::kIpv4, quoted);
  EXPECT_EQ(quoted.reason, DropReason::kNone);
  EXPECT_EQ(quoted.source(), *IpAddress::Parse("10.0.0.2"));
  EXPECT_EQ(quoted.source_port, 80);
  EXPECT_EQ(quoted.destination_port, 1234);
  ParseQuoted(std::span(tcp).first(27), Family::kIpv4, quoted);
  EXPECT_EQ(quoted.reason, DropReason::kTruncated);
}

TEST(ParseQuoted, WalksExtensionHeaders) {
  const ByteVector udp =
      PacketBuilder().Ipv6("fd00::2", "fd00::1").HopByHop().DestinationOptions().Udp(80, 1234).Payload(500).Bytes();
  ParsedPacket quoted;
  ParseQuoted(std::span(udp).first(64), Family::kIpv6, quoted);
  EXPECT_EQ(quoted.reason, DropReason::kNone);
  EXPECT_EQ(quoted.protocol, kProtoUdp);
  EXPECT_EQ(quoted.destination_port, 1234);
}

TEST(ParseQuoted, EchoAndErrorAreToldApart) {
  ParsedPacket quoted;
  ParseQuoted(PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").Icmp(8, 0, 0x70001).Bytes(), Family::kIpv4, quoted);
  EXPECT_EQ(quoted.source_port, 7);
  EXPECT_FALSE(quoted.Is(ParsedPacket::kIcmpError));
  ParseQuoted(PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").Icmp(3, 1).Payload(28).Bytes(), Family::kIpv4, quoted);
  EXPECT_TRUE(quoted.Is(ParsedPacket::kIcmpError));
}

TEST(ParseQuoted, LaterFragmentHasNoPorts) {
  const ByteVector bytes =
      PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").FragmentOf(5, 80, false).Protocol(17).Payload(40).Bytes();
  ParsedPacket quoted;
  ParseQuoted(bytes, Family::kIpv4, quoted);
  EXPECT_EQ(quoted.reason, DropReason::kNone);
  EXPECT_TRUE(quoted.Is(ParsedPacket::kFragment));
  EXPECT_FALSE(quoted.Is(ParsedPacket::kHasPorts));
}

TEST(ParseQuoted, OtherFamilyIsRefused) {
  ParsedPacket quoted;
  ParseQuoted(PacketBuilder().Ipv4("10.0.0.2", "10.0.0.1").Udp(1, 2).Payload(30).Bytes(), Family::kIpv6, quoted);
  EXPECT_EQ(quoted.reason, DropReason::kBadIpVersion);
}

}  // namespace
}  // namespace sluice
