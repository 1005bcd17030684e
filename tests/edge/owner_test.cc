// Which worker a packet belongs to: the NIC's own hash, and all packets of a conversation at one place.
#include "edge/owner.h"

#include <gtest/gtest.h>
#include <rte_config.h>
#include <rte_thash.h>

#include <random>
#include <set>
#include <vector>

#include "core/parse.h"
#include "support/packet_builder.h"

namespace sluice {
namespace {

constexpr std::uint32_t kWorkers = 5;
constexpr std::uint32_t kReceiver = 4;

IpAddress Address(std::string_view text) { return *IpAddress::Parse(text); }

std::uint32_t OwnerOfFrame(ByteVector bytes) {
  Frame frame;
  frame.data = bytes.data();
  frame.length = frame.frame_length = static_cast<std::uint32_t>(bytes.size());
  ParsedPacket packet;
  Parse(frame, {}, packet);
  return Owner(frame, packet, kReceiver, kWorkers);
}

std::uint32_t OwnerOfPair(std::string_view a, std::string_view b) {
  return OwnerOf(AddressPairHash(Address(a), Address(b)), kWorkers);
}

// DPDK's own Toeplitz, over the input as RSS defines it: 32-bit words in host order, source first.
std::uint32_t Toeplitz(const std::vector<std::uint32_t>& words) {
  auto input = words;
  return rte_softrss(input.data(), static_cast<std::uint32_t>(input.size()), SymmetricRssKey().data());
}

TEST(AddressPairHash, IsTheToeplitzHashThatNicsComputeForIpv4) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t a = random();
    const std::uint32_t b = random();
    EXPECT_EQ(AddressPairHash(IpAddress::V4(a), IpAddress::V4(b)), Toeplitz({a, b}));
  }
}

TEST(AddressPairHash, IsTheToeplitzHashThatNicsComputeForIpv6) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 1000; ++i) {
    const IpAddress a = IpAddress::V6(random(), random());
    const IpAddress b = IpAddress::V6(random(), random());
    std::vector<std::uint32_t> words;
    for (const std::uint64_t half : {a.hi, a.lo, b.hi, b.lo}) {
      words.push_back(static_cast<std::uint32_t>(half >> 32));
      words.push_back(static_cast<std::uint32_t>(half));
    }
    EXPECT_EQ(AddressPairHash(a, b), Toeplitz(words));
  }
}

TEST(AddressPairHash, IsTheSameInBothDirections) {
  EXPECT_EQ(AddressPairHash(Address("10.0.0.1"), Address("10.9.8.7")),
            AddressPairHash(Address("10.9.8.7"), Address("10.0.0.1")));
}

TEST(OwnerOf, NeighbouringPodsSpreadOverAllWorkers) {
  std::set<std::uint32_t> owners;
  for (std::uint32_t host = 1; host < 40; ++host) {
    owners.insert(OwnerOf(AddressPairHash(Address("10.0.0.1"), IpAddress::V4(0x0a000100 + host)), kWorkers));
  }
  EXPECT_EQ(owners.size(), kWorkers);
}

TEST(Owner, FragmentsOfADatagramMeetTheFlow) {
  const ByteVector datagram =
      PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.77").Udp(1000, 53).Payload(600).Bytes();
  const std::uint32_t owner = OwnerOfFrame(datagram);
  EXPECT_EQ(owner, OwnerOfPair("10.0.0.77", "10.0.0.1"));
  for (const ByteVector& fragment : SplitIntoFragments(datagram, 200, 9)) EXPECT_EQ(OwnerOfFrame(fragment), owner);
}

TEST(Owner, IcmpErrorOfARouterMeetsTheFlowThatItQuotes) {
  // The address of the router is chosen so that the outer pair has another owner.
  const std::string router = [] {
    for (int i = 1; i < 255; ++i) {
      const std::string candidate = "192.0.2." + std::to_string(i);
      if (OwnerOfPair(candidate, "10.0.0.1") != OwnerOfPair("10.0.0.1", "10.0.0.77")) return candidate;
    }
    return std::string();
  }();
  ASSERT_FALSE(router.empty());
  const ByteVector quoted = PacketBuilder().Ipv4("10.0.0.1", "10.0.0.77").Udp(1000, 53).Payload(20).Bytes();
  EXPECT_EQ(OwnerOfFrame(PacketBuilder().Ethernet().Ipv4(router, "10.0.0.1").Icmp(3, 4).Payload(quoted).Bytes()),
            OwnerOfPair("10.0.0.1", "10.0.0.77"));
}

TEST(Owner, Icmpv6ErrorOfARouterMeetsTheFlowThatItQuotes) {
  const ByteVector quoted = PacketBuilder().Ipv6("2001:db8::1", "2001:db8::77").Udp(1000, 53).Payload(20).Bytes();
  const ByteVector error =
      PacketBuilder().Ethernet().Ipv6("2001:db8:ffff::3", "2001:db8::1").Icmpv6(2, 0, 1280).Payload(quoted).Bytes();
  EXPECT_EQ(OwnerOfFrame(error), OwnerOfPair("2001:db8::1", "2001:db8::77"));
}

TEST(Owner, WhatHasNoAddressPairStaysWhereItCameIn) {
  EXPECT_EQ(OwnerOfFrame(PacketBuilder().Ethernet().Arp().Bytes()), kReceiver);
  EXPECT_EQ(OwnerOfFrame(ByteVector(10)), kReceiver);
}

}  // namespace
}  // namespace sluice
