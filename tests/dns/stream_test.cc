// Messages come out of a stream however its segments come, and what cannot be followed yields nothing.
#include "dns/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "support/packet_builder.h"

namespace sluice {
namespace {

class Receiver {
 public:
  explicit Receiver(std::uint32_t first = 1000) { stream_.Begin(first - 1); }

  void Add(std::uint32_t sequence, const ByteVector& bytes) {
    stream_.Add(sequence, bytes,
                [&](std::span<const std::uint8_t> message) { messages_.emplace_back(message.begin(), message.end()); });
  }
  const std::vector<ByteVector>& messages() const { return messages_; }
  DnsStream& stream() { return stream_; }

 private:
  DnsStream stream_;
  std::vector<ByteVector> messages_;
};

ByteVector Framed(const ByteVector& message) {
  ByteVector framed = {static_cast<std::uint8_t>(message.size() >> 8), static_cast<std::uint8_t>(message.size())};
  framed.insert(framed.end(), message.begin(), message.end());
  return framed;
}

ByteVector Part(const ByteVector& bytes, std::size_t begin, std::size_t end) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.begin() + static_cast<std::ptrdiff_t>(end)};
}

TEST(DnsStream, AByteAtATime) {
  const ByteVector bytes = Framed({1, 2, 3});
  Receiver receiver;
  for (std::size_t i = 0; i < bytes.size(); ++i) receiver.Add(static_cast<std::uint32_t>(1000 + i), {bytes[i]});
  EXPECT_EQ(receiver.messages(), std::vector<ByteVector>({{1, 2, 3}}));
}

TEST(DnsStream, SegmentsInDisorderAndAgain) {
  const ByteVector bytes = Framed({1, 2, 3, 4, 5, 6});
  Receiver receiver;
  receiver.Add(1004, Part(bytes, 4, 8));
  receiver.Add(1002, Part(bytes, 2, 4));
  EXPECT_TRUE(receiver.messages().empty());
  receiver.Add(1000, Part(bytes, 0, 3));
  receiver.Add(1000, bytes);
  EXPECT_EQ(receiver.messages(), std::vector<ByteVector>({{1, 2, 3, 4, 5, 6}}));
}

TEST(DnsStream, WhatWasReceivedOnceIsNotReplaced) {
  Receiver receiver;
  receiver.Add(1000, {0, 3, 1});
  receiver.Add(1000, {0, 3, 9, 2, 3});
  EXPECT_EQ(receiver.messages(), std::vector<ByteVector>({{1, 2, 3}}));
}

TEST(DnsStream, LengthsUpToTheLongest) {
  Receiver receiver;
  ByteVector message(65535);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(i * 7);
  const ByteVector bytes = Framed(message);
  for (std::size_t at = 0; at < bytes.size(); at += 1448) {
    receiver.Add(static_cast<std::uint32_t>(1000 + at), Part(bytes, at, std::min(bytes.size(), at + 1448)));
  }
  EXPECT_EQ(receiver.messages(), std::vector<ByteVector>({message}));
}

TEST(DnsStream, WithoutItsBeginningItIsLost) {
  DnsStream stream;
  stream.Add(1000, ByteVector{0, 1, 5}, [](auto) { FAIL(); });
  EXPECT_TRUE(stream.is_lost());
  stream.Begin(1999);  // another connection between the same ends
  std::size_t messages = 0;
  stream.Add(2000, ByteVector{0, 1, 5}, [&](auto) { ++messages; });
  EXPECT_EQ(messages, 1u);
  EXPECT_FALSE(stream.is_lost());
}

TEST(DnsStream, ASynThatIsSentAgainLeavesItAsItIs) {
  Receiver receiver;
  receiver.Add(1001, {1, 5});
  receiver.stream().Begin(999);
  receiver.Add(1000, {0});
  EXPECT_EQ(receiver.messages(), std::vector<ByteVector>({{5}}));
}

TEST(DnsStream, TooMuchBehindAGapLosesIt) {
  Receiver receiver;
  for (std::uint32_t i = 0; i < 100; ++i) receiver.Add(1001 + 2 * i, {0});
  EXPECT_TRUE(receiver.stream().is_lost());
  Receiver far;
  far.Add(1000 + 70'000, {0});
  EXPECT_TRUE(far.stream().is_lost());
  EXPECT_LT(far.stream().MemoryBytes(), 1000u);
}

// Any cut of any messages, in nearly any order, across the round of sequence numbers: the same messages come out.
TEST(DnsStream, RandomCutsAndOrders) {
  std::mt19937 random(9);
  for (int round = 0; round < 300; ++round) {
    std::vector<ByteVector> messages(1 + random() % 5);
    ByteVector bytes;
    for (ByteVector& message : messages) {
      message.resize(1 + random() % 300);
      for (std::uint8_t& byte : message) byte = static_cast<std::uint8_t>(random());
      const ByteVector framed = Framed(message);
      bytes.insert(bytes.end(), framed.begin(), framed.end());
    }
    struct Segment {
      std::size_t begin, end;
    };
    std::vector<Segment> segments;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t end = std::min<std::size_t>(bytes.size(), at + 1 + random() % 200);
      segments.push_back({at, end});
      if (random() % 3 == 0) segments.push_back({at - random() % (at + 1), end});
      at = end;
    }
    std::shuffle(segments.begin(), segments.end(), random);
    const std::uint32_t first = 0xffffff00u + random() % 256;
    Receiver receiver(first);
    for (const Segment& segment : segments) {
      receiver.Add(first + static_cast<std::uint32_t>(segment.begin), Part(bytes, segment.begin, segment.end));
    }
    ASSERT_EQ(receiver.messages(), messages) << round;
  }
}

}  // namespace
}  // namespace sluice
