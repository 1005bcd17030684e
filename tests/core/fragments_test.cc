#include "core/fragments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "core/parse.h"
#include "sluice/protocol.h"
#include "support/packet_builder.h"

namespace sluice {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

PacketBuilder V4() { return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder V6() { return PacketBuilder().Ethernet().Ipv6("fd00::1", "fd00::2"); }

// A table, and the frames that went through it in order.
class Fragments : public testing::Test {
 protected:
  struct Passed {
    const std::uint8_t* data;
    ParsedPacket packet;
  };

  void Limit(FragmentLimits limits) { table_ = FragmentTable(limits, 1); }

  // The fate of `bytes`; what proceeds (it, then what it released) is appended to passed_, what was held and is to be
  // dropped to dropped_.
  FragmentFate Offer(const ByteVector& bytes, std::uint16_t port = 0) {
    frames_.push_back(bytes);
    const auto length = static_cast<std::uint32_t>(bytes.size());
    last_frame_ = {.data = frames_.back().data(), .length = length, .frame_length = length, .port = port};
    Parse(last_frame_, {}, last_);
    EXPECT_EQ(Name(last_.reason), "");
    const FragmentFate fate = table_.Admit(last_frame_, last_, now_);
    if (fate == FragmentFate::kProceed) passed_.push_back({last_frame_.data, last_});
    Collect();
    return fate;
  }

  void Collect() {
    for (const ReleasedFragment& released : table_.released()) {
      (released.packet.reason == DropReason::kNone ? passed_ : dropped_)
          .push_back({released.frame.data, released.packet});
    }
  }

  FragmentTable table_{FragmentLimits{}, 1};
  std::uint64_t now_ = 0;
  std::deque<ByteVector> frames_;
  Frame last_frame_;
  ParsedPacket last_;
  std::vector<Passed> passed_, dropped_;
};

TEST_F(Fragments, InOrderTakeOnThePortsAndLeaveNothing) {
  for (const ByteVector& bytes : SplitIntoFragments(V4().Tcp(1234, 80).Payload(1000).Bytes(), 256, 7)) {
    EXPECT_EQ(Offer(bytes), FragmentFate::kProceed);
    EXPECT_EQ(last_.source_port, 1234);
    EXPECT_EQ(last_.destination_port, 80);
    EXPECT_TRUE(last_.Is(ParsedPacket::kHasPorts));
  }
  EXPECT_EQ(passed_.size(), 4u);
  EXPECT_EQ(table_.train_count(), 0u);
}

TEST_F(Fragments, EarlyOnesAreHeldAndReleasedInOrderOfArrivalAfterTheFirst) {
  const auto parts = SplitIntoFragments(V6().Udp(1234, 53).Payload(1000).Bytes(), 256, 7);
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(Offer(parts[2]), FragmentFate::kHeld);
  EXPECT_EQ(Offer(parts[1]), FragmentFate::kHeld);
  EXPECT_EQ(table_.held_count(), 2u);
  EXPECT_TRUE(passed_.empty());
  EXPECT_EQ(Offer(parts[0]), FragmentFate::kProceed);
  ASSERT_EQ(passed_.size(), 3u);
  EXPECT_EQ(passed_[0].data, frames_[2].data());
  EXPECT_EQ(passed_[1].data, frames_[0].data());
  EXPECT_EQ(passed_[2].data, frames_[1].data());
  for (const Passed& passed : passed_) EXPECT_EQ(passed.packet.destination_port, 53);
  EXPECT_EQ(Offer(parts[3]), FragmentFate::kProceed);
  EXPECT_EQ(table_.train_count(), 0u);
  EXPECT_EQ(table_.held_count(), 0u);
}

TEST_F(Fragments, LastOfAllToComeIsTheFirst) {
  const auto parts = SplitIntoFragments(V4().Udp(1234, 53).Payload(500).Bytes(), 256, 7);
  EXPECT_EQ(Offer(parts[1]), FragmentFate::kHeld);
  EXPECT_EQ(Offer(parts[0]), FragmentFate::kProceed);
  EXPECT_EQ(passed_.size(), 2u);
  EXPECT_EQ(table_.train_count(), 0u);
}

TEST_F(Fragments, EchoIdentifierAndTypeAreTakenOn) {
  const auto parts = SplitIntoFragments(V6().Icmpv6(129, 0, 0x70001).Payload(500).Bytes(), 256, 7);
  Offer(parts[0]);
  Offer(parts[1]);
  EXPECT_EQ(last_.source_port, 7);
  EXPECT_EQ(last_.icmp_type, 129);
  EXPECT_TRUE(last_.Is(ParsedPacket::kReplyType));
  EXPECT_FALSE(last_.Is(ParsedPacket::kHasPorts));
}

TEST_F(Fragments, Ipv6TransportBehindFragmentedOptionsIsTakenOn) {
  Offer(V6().FragmentHeader(9, 0, true).DestinationOptions().Udp(1, 2).Payload(8).Bytes());
  Offer(V6().FragmentHeader(9, 24, false).Protocol(kProtoDestinationOptions).Payload(9).Bytes());
  EXPECT_EQ(last_.protocol, kProtoUdp);
  EXPECT_EQ(last_.destination_port, 2);
  EXPECT_EQ(table_.train_count(), 0u);
}

TEST_F(Fragments, DifferentDatagramsDoNotMix) {
  const auto first = [](PacketBuilder builder, std::uint8_t protocol) {
    return builder.Protocol(protocol).Payload(16).Bytes();
  };
  Offer(V4().FragmentOf(7, 0, true).Udp(1234, 53).Payload(8).Bytes());
  EXPECT_EQ(Offer(first(V4().FragmentOf(8, 16, false), kProtoUdp)), FragmentFate::kHeld);
  EXPECT_EQ(Offer(first(V4().FragmentOf(7, 16, false), 99)), FragmentFate::kHeld);
  EXPECT_EQ(Offer(first(PacketBuilder().Ethernet().Ipv4("10.0.0.3", "10.0.0.2").FragmentOf(7, 16, false), kProtoUdp)),
            FragmentFate::kHeld);
  EXPECT_EQ(Offer(first(PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.3").FragmentOf(7, 16, false), kProtoUdp)),
            FragmentFate::kHeld);
  EXPECT_EQ(Offer(first(V4().FragmentOf(7, 16, false), kProtoUdp), 1), FragmentFate::kHeld);
  EXPECT_EQ(Offer(first(V4().FragmentOf(7, 16, false), kProtoUdp)), FragmentFate::kProceed);
}

TEST_F(Fragments, SameDatagramOnAnotherPortIsNoDuplicate) {
  const auto parts = SplitIntoFragments(V4().Udp(1234, 53).Payload(500).Bytes(), 256, 7);
  EXPECT_EQ(Offer(parts[0], 0), FragmentFate::kProceed);
  EXPECT_EQ(Offer(parts[0], 3), FragmentFate::kProceed);
  EXPECT_EQ(Offer(parts[1], 3), FragmentFate::kProceed);
  EXPECT_EQ(Offer(parts[1], 0), FragmentFate::kProceed);
}

TEST_F(Fragments, IdentificationMayComeRoundOnceTheTrainIsComplete) {
  const auto parts = SplitIntoFragments(V4().Udp(1234, 53).Payload(500).Bytes(), 256, 7);
  for (int round = 0; round < 3; ++round) {
    for (const ByteVector& bytes : parts) EXPECT_EQ(Offer(bytes), FragmentFate::kProceed);
  }
}

TEST_F(Fragments, OverlapDropsAllThatComesLater) {
  const auto part = [](std::uint16_t offset, std::size_t size, bool more) {
    return V4().FragmentOf(7, offset, more).Protocol(kProtoUdp).Payload(size).Bytes();
  };
  const ByteVector first = V4().FragmentOf(7, 0, true).Udp(1234, 53).Payload(24).Bytes();  // bytes 0..31
  struct Case {
    std::uint16_t offset;
    std::size_t size;
  };
  for (const Case& overlap : {Case{24, 16}, Case{8, 8}, Case{32, 16}, Case{40, 8}, Case{16, 64}, Case{40, 16}}) {
    Limit({});
    Offer(first);
    Offer(part(32, 16, true));
    EXPECT_EQ(Offer(part(overlap.offset, overlap.size, true)), FragmentFate::kDrop);
    EXPECT_EQ(last_.reason, DropReason::kFragmentOverlap) << overlap.offset;
    EXPECT_EQ(Offer(part(96, 16, false)), FragmentFate::kDrop);
    EXPECT_EQ(last_.reason, DropReason::kFragmentOverlap) << overlap.offset;
  }
}

TEST_F(Fragments, DuplicateIsAnOverlap) {
  const auto parts = SplitIntoFragments(V6().Udp(1234, 53).Payload(500).Bytes(), 256, 7);
  Offer(parts[0]);
  EXPECT_EQ(Offer(parts[0]), FragmentFate::kDrop);
  EXPECT_EQ(last_.reason, DropReason::kFragmentOverlap);
  EXPECT_EQ(Offer(parts[1]), FragmentFate::kDrop);
}

TEST_F(Fragments, OverlapOfHeldOnesDropsThemAll) {
  Offer(V4().FragmentOf(7, 64, true).Protocol(kProtoUdp).Payload(64).Bytes());
  EXPECT_EQ(Offer(V4().FragmentOf(7, 96, true).Protocol(kProtoUdp).Payload(64).Bytes()), FragmentFate::kDrop);
  ASSERT_EQ(dropped_.size(), 1u);
  EXPECT_EQ(dropped_[0].packet.reason, DropReason::kFragmentOverlap);
  EXPECT_EQ(table_.held_count(), 0u);
  EXPECT_EQ(Offer(V4().FragmentOf(7, 0, true).Udp(1, 2).Bytes()), FragmentFate::kDrop);
  EXPECT_EQ(last_.reason, DropReason::kFragmentOverlap);
}

TEST_F(Fragments, EndsThatCannotBeAreBadLengths) {
  const auto part = [](std::uint16_t offset, bool more) {
    return V4().FragmentOf(7, offset, more).Protocol(kProtoUdp).Payload(16).Bytes();
  };
  Offer(part(64, false));
  EXPECT_EQ(Offer(part(96, true)), FragmentFate::kDrop);  // behind the end
  EXPECT_EQ(last_.reason, DropReason::kFragmentBadLength);
  Limit({});
  Offer(part(64, false));
  EXPECT_EQ(Offer(part(32, false)), FragmentFate::kDrop);  // a second end
  EXPECT_EQ(last_.reason, DropReason::kFragmentBadLength);
  Limit({});
  Offer(part(64, true));
  EXPECT_EQ(Offer(part(32, false)), FragmentFate::kDrop);  // an end before what was seen
  EXPECT_EQ(last_.reason, DropReason::kFragmentBadLength);
}

TEST_F(Fragments, OrphansAreDroppedWhenTimeIsUp) {
  const auto parts = SplitIntoFragments(V4().Udp(1234, 53).Payload(1000).Bytes(), 256, 7);
  Offer(parts[1]);
  now_ = 500 * kMillisecond;
  Offer(parts[2]);
  now_ = 999 * kMillisecond;
  table_.Expire(now_);
  EXPECT_TRUE(table_.released().empty());
  now_ = 1000 * kMillisecond;
  table_.Expire(now_);
  Collect();
  ASSERT_EQ(dropped_.size(), 2u);
  EXPECT_EQ(dropped_[0].data, frames_[0].data());
  EXPECT_EQ(dropped_[1].packet.reason, DropReason::kFragmentOrphan);
  EXPECT_EQ(table_.train_count(), 0u);
  EXPECT_EQ(table_.held_count(), 0u);
}

TEST_F(Fragments, ArrivalEndsWhatExpired) {
  Offer(V4().FragmentOf(7, 64, true).Protocol(kProtoUdp).Payload(64).Bytes());
  now_ = 2000 * kMillisecond;
  EXPECT_EQ(Offer(V4().FragmentOf(7, 0, true).Udp(1, 2).Bytes()), FragmentFate::kProceed);
  ASSERT_EQ(dropped_.size(), 1u);
  EXPECT_EQ(dropped_[0].packet.reason, DropReason::kFragmentOrphan);
  EXPECT_EQ(passed_.size(), 1u);
}

TEST_F(Fragments, RestOfADroppedFirstIsDenied) {
  const auto parts = SplitIntoFragments(V4().Udp(1234, 53).Payload(1000).Bytes(), 256, 7);
  Offer(parts[0]);
  table_.MarkDropped(last_frame_, last_);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    EXPECT_EQ(Offer(parts[i]), FragmentFate::kDrop);
    EXPECT_EQ(last_.reason, DropReason::kFragmentDenied);
  }
  EXPECT_EQ(table_.train_count(), 0u);
}

TEST_F(Fragments, HeldAreBoundedEachAndInAll) {
  Limit({.trains = 64, .held = 6, .held_each = 4, .timeout_ns = kMillisecond});
  const auto part = [](std::uint16_t id, std::uint16_t index) {
    const auto offset = static_cast<std::uint16_t>(8 + index * 8);
    return V4().FragmentOf(id, offset, true).Protocol(kProtoUdp).Payload(8).Bytes();
  };
  for (std::uint16_t i = 0; i < 4; ++i) EXPECT_EQ(Offer(part(1, i)), FragmentFate::kHeld);
  EXPECT_EQ(Offer(part(1, 4)), FragmentFate::kDrop);
  EXPECT_EQ(last_.reason, DropReason::kFragmentLimit);
  for (std::uint16_t i = 0; i < 2; ++i) EXPECT_EQ(Offer(part(2, i)), FragmentFate::kHeld);
  EXPECT_EQ(Offer(part(2, 2)), FragmentFate::kDrop);
  EXPECT_EQ(last_.reason, DropReason::kFragmentLimit);
  EXPECT_EQ(Offer(part(3, 0)), FragmentFate::kDrop);
  EXPECT_EQ(last_.reason, DropReason::kFragmentLimit);
  EXPECT_EQ(table_.train_count(), 2u);
  // Those that were held still follow their first.
  EXPECT_EQ(Offer(V4().FragmentOf(1, 0, true).Udp(1, 2).Bytes()), FragmentFate::kProceed);
  EXPECT_EQ(passed_.size(), 5u);
  EXPECT_EQ(Offer(part(3, 0)), FragmentFate::kHeld);
}

TEST_F(Fragments, OldestTrainMakesRoom) {
  Limit({.trains = 4, .held = 16, .held_each = 4, .timeout_ns = kMillisecond});
  const auto early = [](std::uint16_t id) {
    return V4().FragmentOf(id, 64, true).Protocol(kProtoUdp).Payload(8).Bytes();
  };
  for (std::uint16_t id = 1; id <= 4; ++id) Offer(early(id));
  EXPECT_EQ(Offer(V4().FragmentOf(9, 0, true).Udp(1, 2).Bytes()), FragmentFate::kProceed);
  ASSERT_EQ(dropped_.size(), 1u);
  EXPECT_EQ(dropped_[0].data, frames_[0].data());
  EXPECT_EQ(dropped_[0].packet.reason, DropReason::kFragmentLimit);
  EXPECT_EQ(table_.train_count(), 4u);
  EXPECT_EQ(Offer(V4().FragmentOf(2, 0, true).Udp(1, 2).Bytes()), FragmentFate::kProceed);
}

TEST_F(Fragments, TooManyGapsDropOneFragmentNotTheTrain) {
  Offer(V4().FragmentOf(7, 0, true).Udp(1, 2).Bytes());
  const auto part = [](int index) {
    return V4().FragmentOf(7, static_cast<std::uint16_t>(16 * index), true).Protocol(kProtoUdp).Payload(8).Bytes();
  };
  for (int i = 1; i < 16; ++i) EXPECT_EQ(Offer(part(i)), FragmentFate::kProceed);
  EXPECT_EQ(Offer(part(16)), FragmentFate::kDrop);
  EXPECT_EQ(last_.reason, DropReason::kFragmentLimit);
  EXPECT_EQ(Offer(V4().FragmentOf(7, 8, true).Protocol(kProtoUdp).Payload(8).Bytes()), FragmentFate::kProceed);
}

TEST_F(Fragments, ClearGivesEverythingBack) {
  for (std::uint16_t id = 1; id <= 5; ++id) {
    Offer(V4().FragmentOf(id, 64, true).Protocol(kProtoUdp).Payload(8).Bytes());
  }
  table_.Clear();
  Collect();
  EXPECT_EQ(dropped_.size(), 5u);
  EXPECT_EQ(table_.train_count(), 0u);
  EXPECT_EQ(table_.held_count(), 0u);
}

// Any order of arrival of many datagrams at once: each fragment comes out exactly once, its ports those of its first.
TEST_F(Fragments, ShuffledDatagramsComeOutWhole) {
  Limit({.trains = 64, .held = 1024, .held_each = 16, .timeout_ns = kMillisecond});
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<ByteVector> all;
    for (std::uint16_t id = 1; id <= 40; ++id) {
      const bool ipv4 = id % 2 == 0;
      const ByteVector whole = (ipv4 ? V4() : V6()).Udp(id, 53).Payload(60 + random() % 400).Bytes();
      for (const ByteVector& bytes : SplitIntoFragments(whole, 48, id)) all.push_back(bytes);
    }
    std::ranges::shuffle(all, random);
    frames_.clear();
    passed_.clear();
    for (const ByteVector& bytes : all) EXPECT_NE(Offer(bytes), FragmentFate::kDrop);
    EXPECT_EQ(passed_.size(), all.size());
    for (const Passed& passed : passed_) EXPECT_EQ(passed.packet.source_port, passed.packet.fragment_id);
    EXPECT_EQ(table_.train_count(), 0u);
    EXPECT_EQ(table_.held_count(), 0u);
  }
  EXPECT_TRUE(dropped_.empty());
}

}  // namespace
}  // namespace sluice
