// What is learnt of the packets that cross: answers to queries that were seen, over UDP and TCP, and nothing else.
#include "dns/answer_watcher.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sluice/protocol.h"
#include "support/dns_builder.h"

namespace sluice {
namespace {

class Notes final : public AnswerSink {
 public:
  std::size_t Learn(const DnsAnswer& answer, const IpAddress& resolver, std::uint64_t) override {
    for (const IpAddress& address : answer.addresses) {
      texts.push_back(answer.names.front() + " " + address.ToString() + " by " + resolver.ToString());
    }
    return keeps ? answer.addresses.size() : 0;
  }
  std::vector<std::string> texts;
  bool keeps = true;
};

class AnswerWatcherTest : public testing::Test {
 protected:
  DnsPacket Packet(bool is_from_resolver, std::uint8_t protocol = kProtoUdp) {
    DnsPacket packet{.source = {IpAddress::V4(0x0a000001), 40000},
                     .destination = {IpAddress::V4(0x0a60000a), 53},
                     .time_ns = now_ns_ += 1000,
                     .protocol = protocol,
                     .is_from_resolver = is_from_resolver};
    if (is_from_resolver) std::swap(packet.source, packet.destination);
    return packet;
  }
  void Ask(std::uint16_t id = 7, std::string_view name = "s3.example.com") {
    watcher_.Meet(Packet(false), DnsBuilder::Query(id, name).Bytes());
  }
  static DnsBuilder Answer(std::uint16_t id = 7, std::string_view name = "s3.example.com") {
    return DnsBuilder(id).Question(name).A(name, "203.0.113.9");
  }
  // A segment; sequence numbers of either end begin with 100 after its SYN.
  void Segment(bool is_from_resolver, std::uint8_t flags, std::uint32_t sequence, const ByteVector& bytes = {}) {
    DnsPacket packet = Packet(is_from_resolver, kProtoTcp);
    packet.tcp_flags = flags;
    packet.sequence = sequence;
    watcher_.Meet(packet, bytes);
  }
  void Connect() {
    Segment(false, kTcpSyn, 99);
    Segment(true, kTcpSyn | kTcpAck, 99);
  }
  const DnsCounters& counters() const { return watcher_.counters(); }

  Notes notes_;
  AnswerWatcher watcher_{notes_};
  std::uint64_t now_ns_ = 1'000'000'000;
};

const std::vector<std::string> kOne = {"s3.example.com 203.0.113.9 by 10.96.0.10"};

TEST_F(AnswerWatcherTest, FQ_03_AnAnswerToAQueryThatWentOutIsLearnt) {
  Ask();
  watcher_.Meet(Packet(true), Answer().Bytes());
  EXPECT_EQ(notes_.texts, kOne);
  EXPECT_EQ(counters().queries.value(), 1u);
  EXPECT_EQ(counters().answers.value(), 1u);
  EXPECT_EQ(counters().learnt.value(), 1u);
}

TEST_F(AnswerWatcherTest, FQ_03_WhatNobodyAskedForIsNotLearnt) {
  watcher_.Meet(Packet(true), Answer().Bytes());
  Ask();
  watcher_.Meet(Packet(true), Answer(8).Bytes());
  watcher_.Meet(Packet(true), Answer(7, "other.example.com").Bytes());
  watcher_.Meet(Packet(true), DnsBuilder(7).Question("s3.example.com", DnsBuilder::kAaaa).Bytes());
  DnsPacket other_port = Packet(true);
  other_port.destination.port = 40001;
  watcher_.Meet(other_port, Answer().Bytes());
  DnsPacket other_resolver = Packet(true);
  other_resolver.source.address = IpAddress::V4(0x0a60000b);
  watcher_.Meet(other_resolver, Answer().Bytes());
  EXPECT_TRUE(notes_.texts.empty());
  EXPECT_EQ(counters().spoofed.value(), 6u);
  // None of them took the place of the real one.
  watcher_.Meet(Packet(true), Answer().Bytes());
  EXPECT_EQ(notes_.texts, kOne);
}

TEST_F(AnswerWatcherTest, ASecondAnswerToOneQueryIsNotLearnt) {
  Ask();
  watcher_.Meet(Packet(true), Answer().Bytes());
  watcher_.Meet(Packet(true), DnsBuilder(7).Question("s3.example.com").A("@12", "198.51.100.1").Bytes());
  EXPECT_EQ(notes_.texts, kOne);
  EXPECT_EQ(counters().spoofed.value(), 1u);
}

TEST_F(AnswerWatcherTest, QueriesThatClaimToBeAnswersAndTheReverse) {
  watcher_.Meet(Packet(true), DnsBuilder::Query(7, "s3.example.com").Bytes());  // the resolver asks: opens nothing
  watcher_.Meet(Packet(false), Answer().Bytes());
  EXPECT_TRUE(notes_.texts.empty());
  watcher_.Meet(Packet(true), Answer().Bytes());
  EXPECT_TRUE(notes_.texts.empty());
}

TEST_F(AnswerWatcherTest, WhatNoRuleAsksForIsCountedAsAnAnswerAlone) {
  notes_.keeps = false;
  Ask();
  watcher_.Meet(Packet(true), Answer().Bytes());
  EXPECT_EQ(counters().answers.value(), 1u);
  EXPECT_EQ(counters().learnt.value(), 0u);
}

TEST_F(AnswerWatcherTest, MalformedMessagesAreCounted) {
  Ask();
  ByteVector cut = Answer().Bytes();
  cut.pop_back();
  watcher_.Meet(Packet(true), cut);
  watcher_.Meet(Packet(true), ByteVector{1, 2, 3});
  watcher_.Meet(Packet(false), ByteVector{1, 2, 3});
  EXPECT_TRUE(notes_.texts.empty());
  EXPECT_EQ(counters().malformed.value(), 3u);
}

TEST_F(AnswerWatcherTest, ATruncatedAnswerCountsNotAndItsWholeByTcpDoes) {
  Ask();
  watcher_.Meet(Packet(true), DnsBuilder(7, 0x8380).Question("s3.example.com").A("@12", "198.51.100.1").Bytes());
  EXPECT_TRUE(notes_.texts.empty());
  EXPECT_EQ(counters().truncated.value(), 1u);
  Connect();
  Segment(false, kTcpAck, 100, DnsBuilder::Query(7, "s3.example.com").Framed());
  const ByteVector answer = Answer().Framed();
  Segment(true, kTcpAck, 110, ByteVector(answer.begin() + 10, answer.end()));
  EXPECT_TRUE(notes_.texts.empty());
  Segment(true, kTcpAck, 100, ByteVector(answer.begin(), answer.begin() + 10));
  EXPECT_EQ(notes_.texts, kOne);
}

TEST_F(AnswerWatcherTest, SeveralMessagesOfOneConnection) {
  Connect();
  ByteVector asked, answered;
  for (std::uint16_t id = 1; id <= 3; ++id) {
    const std::string name = "n" + std::to_string(id) + ".example.com";
    const ByteVector query = DnsBuilder::Query(id, name).Framed(), answer = Answer(id, name).Framed();
    asked.insert(asked.end(), query.begin(), query.end());
    answered.insert(answered.begin(), answer.begin(), answer.end());  // the other way round
  }
  Segment(false, kTcpAck, 100, asked);
  Segment(true, kTcpAck, 100, answered);
  EXPECT_EQ(notes_.texts, std::vector<std::string>({"n3.example.com 203.0.113.9 by 10.96.0.10",
                                                    "n2.example.com 203.0.113.9 by 10.96.0.10",
                                                    "n1.example.com 203.0.113.9 by 10.96.0.10"}));
}

TEST_F(AnswerWatcherTest, AQueryByUdpIsNotAnsweredByTcp) {
  Ask();
  Connect();
  Segment(true, kTcpAck, 100, Answer().Framed());
  EXPECT_TRUE(notes_.texts.empty());
  EXPECT_EQ(counters().spoofed.value(), 1u);
}

TEST_F(AnswerWatcherTest, AConnectionThatBeganUnseenTeachesNothingAndIsCountedOnce) {
  Segment(false, kTcpAck, 100, DnsBuilder::Query(7, "s3.example.com").Framed());
  Segment(true, kTcpAck, 100, Answer().Framed());
  Segment(true, kTcpAck, 200, Answer().Framed());
  EXPECT_TRUE(notes_.texts.empty());
  EXPECT_EQ(counters().lost_streams.value(), 1u);
  Connect();  // the next one between the same ends
  Segment(false, kTcpAck, 100, DnsBuilder::Query(7, "s3.example.com").Framed());
  Segment(true, kTcpAck, 100, Answer().Framed());
  EXPECT_EQ(notes_.texts, kOne);
}

TEST_F(AnswerWatcherTest, ConnectionsAreBoundedInNumberAndBytes) {
  AnswerWatcher watcher(notes_,
                        {.queries = {}, .streams = 8, .stream_bytes = 100'000, .stream_timeout_ns = 1'000'000'000'000});
  const auto segment = [&](std::uint16_t port, std::uint8_t flags, std::uint32_t sequence, const ByteVector& bytes) {
    DnsPacket packet = Packet(true, kProtoTcp);
    packet.destination.port = port;
    packet.tcp_flags = flags;
    packet.sequence = sequence;
    watcher.Meet(packet, bytes);
  };
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    segment(port, kTcpSyn | kTcpAck, 99, {});
    segment(port, kTcpAck, 100, ByteVector(30'000, 0xff));  // of a message of 65,535 bytes
  }
  EXPECT_LE(watcher.connections(), 8u);
  EXPECT_LE(watcher.stream_bytes(), 100'000u);
  EXPECT_GE(watcher.connections(), 1u);
}

// Names that no rule asks for, each once: nothing grows.
TEST_F(AnswerWatcherTest, ManyNamesLeaveNothingBehind) {
  notes_.keeps = false;
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    const std::string name = "n" + std::to_string(i) + ".example.com";
    const auto id = static_cast<std::uint16_t>(i);
    Ask(id, name);
    watcher_.Meet(Packet(true), DnsBuilder(id).Question(name).Bytes());
  }
  EXPECT_EQ(counters().answers.value(), 200'000u);
  EXPECT_EQ(watcher_.open_queries(), 0u);
}

}  // namespace
}  // namespace sluice
