// The straight road of plain frames against the long one, which a VLAN tag forces.
#include "core/plain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "core/parse.h"
#include "core/wire.h"
#include "support/packet_builder.h"

namespace sluice {
namespace {

constexpr std::size_t kMacs = 12;
constexpr std::size_t kTag = 4;

ByteVector Tagged(const ByteVector& bytes) {
  ByteVector tagged = bytes;
  const std::uint8_t tag[kTag] = {0x81, 0x00, 0x00, 0x07};
  tagged.insert(tagged.begin() + kMacs, tag, tag + kTag);
  return tagged;
}

// Its bytes end where the heap block ends, so that the address sanitizer sees every read past them.
struct Copy {
  explicit Copy(const ByteVector& bytes) : memory(std::make_unique<std::uint8_t[]>(bytes.size())) {
    std::ranges::copy(bytes, memory.get());
    frame.data = memory.get();
    frame.length = frame.frame_length = static_cast<std::uint32_t>(bytes.size());
  }
  std::unique_ptr<std::uint8_t[]> memory;
  Frame frame;
};

ByteVector RandomFrame(std::mt19937& random) {
  const auto port = [&] { return static_cast<std::uint16_t>(random() % 4 == 0 ? 80 : random()); };
  const char* const ipv4[] = {"10.0.0.1", "10.0.0.2", "255.1.2.3", "1.2.3.255", "224.0.0.1"};
  const char* const ipv6[] = {"fd00::1", "fd00::2", "2001:db8::ffff:1", "ff02::1", "8000::1"};
  PacketBuilder builder;
  builder.Ethernet();
  random() % 2 == 0 ? builder.Ipv4(ipv4[random() % 5], ipv4[random() % 5])
                    : builder.Ipv6(ipv6[random() % 5], ipv6[random() % 5]);
  constexpr std::uint8_t kFlags[] = {kTcpSyn,           kTcpSyn | kTcpAck, kTcpAck,
                                     kTcpAck | kTcpFin, kTcpRst,           kTcpAck | kTcpPsh};
  random() % 2 == 0 ? builder.Tcp(port(), port(), kFlags[random() % 6]) : builder.Udp(port(), port());
  return builder.Payload(random() % 64).Bytes();
}

ByteVector CommonFrame(bool ipv4, bool tcp, std::size_t payload) {
  PacketBuilder builder;
  builder.Ethernet();
  ipv4 ? builder.Ipv4("10.0.0.1", "10.0.0.2") : builder.Ipv6("fd00::1", "fd00::2");
  tcp ? builder.Tcp(5, 6, kTcpAck) : builder.Udp(5, 6);
  return builder.Payload(payload).Bytes();
}

struct Seen {
  int plain = 0;
  int not_plain = 0;
};

template <typename Key, typename Plain>
void Compare(const Frame& frame, const ParsedPacket& parsed, Seen& seen) {
  Plain plain;
  if (frame.length < kShortestPlain || !Plain::Read(frame, plain)) {
    ++seen.not_plain;
    return;
  }
  ++seen.plain;
  ASSERT_EQ(Name(parsed.reason), Name(DropReason::kNone));
  ASSERT_EQ(parsed.flags, ParsedPacket::kHasPorts);
  ASSERT_EQ(parsed.family, Key::kFamily);
  ASSERT_EQ(plain.protocol(), parsed.protocol);
  ASSERT_EQ(plain.l4_length(), parsed.l4_length);
  ASSERT_EQ(plain.event, EventOf(parsed));
  Key key, expected;
  ASSERT_EQ(MakeKey(plain, key), Key::Make(parsed, expected));
  ASSERT_EQ(key.words, expected.words);
}

TEST(Plain, WhateverIsReadStraightIsWhatParseSays) {
  std::mt19937 random(21);
  Seen seen;
  for (int round = 0; round < 200'000; ++round) {
    ByteVector bytes = RandomFrame(random);
    for (std::uint32_t changes = random() % 4; changes != 0; --changes) {
      bytes[kMacs + random() % std::min<std::size_t>(bytes.size() - kMacs, 64)] = static_cast<std::uint8_t>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % bytes.size() + 1);
    const Copy untagged(bytes);
    ParsedPacket parsed;
    if (bytes.size() >= kMacs) {
      const Copy tagged(Tagged(bytes));
      Parse(tagged.frame, {}, parsed);
    } else {
      Parse(untagged.frame, {}, parsed);
    }
    Compare<Ipv4FlowKey, PlainIpv4>(untagged.frame, parsed, seen);
    Compare<Ipv6FlowKey, PlainIpv6>(untagged.frame, parsed, seen);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
  EXPECT_GT(seen.plain, 10'000);
  EXPECT_GT(seen.not_plain, 100'000);
}

// Every length that IP may announce beside every one that the transport may, around what is there and at the far end.
TEST(Plain, LengthsAreHeldAgainstEachOtherAsParseDoes) {
  Seen seen;
  for (const bool ipv4 : {true, false}) {
    for (const bool tcp : {true, false}) {
      ByteVector bytes = CommonFrame(ipv4, tcp, 20);
      std::uint8_t* const announced = &bytes[kMacs + 2 + (ipv4 ? 2 : 4)];
      std::uint8_t* const l4 = &bytes[ipv4 ? PlainIpv4::kL4Offset : PlainIpv6::kL4Offset];
      std::vector<std::uint16_t> lengths = {0x7fff, 0x8000, 0xffff - 54, 0xffff - 20, 0xffff - 8, 0xffff};
      for (std::uint16_t length = 0; length < bytes.size() + 4; ++length) lengths.push_back(length);
      for (const std::uint16_t length : lengths) {
        Store16(announced, length);
        for (const std::uint16_t transport : lengths) {
          if (tcp) {
            l4[12] = static_cast<std::uint8_t>(transport << 4);
          } else {
            Store16(l4 + 4, transport);
          }
          ParsedPacket parsed;
          Parse(Copy(Tagged(bytes)).frame, {}, parsed);
          const Copy copy(bytes);
          ipv4 ? Compare<Ipv4FlowKey, PlainIpv4>(copy.frame, parsed, seen)
               : Compare<Ipv6FlowKey, PlainIpv6>(copy.frame, parsed, seen);
          if (HasFatalFailure())
            FAIL() << (ipv4 ? "IPv4 " : "IPv6 ") << (tcp ? "TCP " : "UDP ") << length << " " << transport;
        }
      }
    }
  }
  EXPECT_GT(seen.plain, 1'000);
  EXPECT_GT(seen.not_plain, 10'000);
}

TEST(Plain, CommonFramesAre) {
  for (const std::size_t payload : {std::size_t{12}, std::size_t{26}, std::size_t{1400}}) {
    for (const bool tcp : {true, false}) {
      for (const bool ipv4 : {true, false}) {
        const Copy copy(CommonFrame(ipv4, tcp, payload));
        PlainIpv4 plain4;
        PlainIpv6 plain6;
        ASSERT_GE(copy.frame.length, kShortestPlain);
        EXPECT_EQ(PlainIpv4::Read(copy.frame, plain4), ipv4);
        EXPECT_EQ(PlainIpv6::Read(copy.frame, plain6), !ipv4);
      }
    }
  }
}

TEST(Plain, NotWhereTheNicFoundABadChecksum) {
  Copy copy(PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Udp(5, 6).Payload(30).Bytes());
  PlainIpv4 plain;
  EXPECT_TRUE(PlainIpv4::Read(copy.frame, plain));
  copy.frame.bad_ip_checksum = true;
  EXPECT_FALSE(PlainIpv4::Read(copy.frame, plain));
}

// Its last segment may lie elsewhere: what IP announces is held against the whole frame, what is read against what is
// here.
TEST(Plain, OfASegmentedFrameTheFirstSegmentIsEnough) {
  const ByteVector bytes =
      PacketBuilder().Ethernet().Ipv6("fd00::1", "fd00::2").Tcp(5, 6, kTcpAck).Payload(100).Bytes();
  Copy copy(bytes);
  PlainIpv6 plain;
  copy.frame.length = PlainIpv6::kL4Offset + 20;
  EXPECT_TRUE(PlainIpv6::Read(copy.frame, plain));
  --copy.frame.length;
  EXPECT_FALSE(PlainIpv6::Read(copy.frame, plain));
}

}  // namespace
}  // namespace sluice
