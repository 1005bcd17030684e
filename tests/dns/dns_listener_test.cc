// What workers copied is read by a thread, and what they are told of it is told in that order.
#include "dns/dns_listener.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "sluice/protocol.h"
#include "support/dns_builder.h"

namespace sluice {
namespace {

class CountLearnt final : public AnswerSink {
 public:
  std::size_t Learn(const DnsAnswer& answer, const IpAddress&, std::uint64_t) override {
    learnt.fetch_add(answer.addresses.size());
    return answer.addresses.size();
  }
  std::atomic<std::size_t> learnt = 0;
};

DnsPacket PacketOf(std::uint16_t port, bool is_from_resolver) {
  DnsPacket packet{.source = {IpAddress::V4(1), port},
                   .destination = {IpAddress::V4(2), 53},
                   .time_ns = 1'000'000'000,
                   .protocol = kProtoUdp,
                   .is_from_resolver = is_from_resolver};
  if (is_from_resolver) std::swap(packet.source, packet.destination);
  return packet;
}

TEST(DnsListener, ATurnReadsAllThatWasCopied) {
  CountLearnt sink;
  DnsTap tap({.port = 53});
  DnsListener listener(sink);
  listener.Add(tap);
  EXPECT_EQ(listener.Turn(), 0u);
  tap.packets().Put(PacketOf(1000, false), DnsBuilder::Query(7, "a.b").Bytes());
  tap.packets().Put(PacketOf(1000, true), DnsBuilder(7).Question("a.b").A("a.b", "203.0.113.9").Bytes());
  EXPECT_EQ(listener.Turn(), 2u);
  EXPECT_EQ(sink.learnt, 1u);
  EXPECT_TRUE(tap.packets().IsTaken(tap.packets().mark()));
  EXPECT_EQ(listener.totals().learnt, 1u);
  EXPECT_EQ(listener.totals().queries, 1u);
}

TEST(DnsListener, TrustIsToldToAllWorkersOrNone) {
  CountLearnt sink;
  DnsTap one({.port = 53}), other({.port = 53});
  DnsListener listener(sink);
  listener.Add(one);
  listener.Add(other);
  const IpAddress first = IpAddress::V4(1), second = IpAddress::V4(2);
  EXPECT_TRUE(listener.Trust({first}));
  EXPECT_FALSE(listener.Trust({second}));
  one.Turn();
  EXPECT_FALSE(listener.Trust({second}));
  other.Turn();
  EXPECT_TRUE(one.Trusts(first) && other.Trusts(first));
  EXPECT_TRUE(listener.Trust({second}));
  EXPECT_TRUE(one.Trusts(first));
  one.Turn();
  EXPECT_FALSE(one.Trusts(first));
  EXPECT_TRUE(one.Trusts(second));
}

// A worker that finds its copy taken finds, too, what it taught: of every answer, in any order of the threads.
TEST(DnsListener, WhatATakenCopyTaughtIsInForce) {
  CountLearnt sink;
  DnsTap tap({.port = 53});
  DnsListener listener(sink);
  listener.Add(tap);
  listener.Start();
  std::size_t sent = 0;
  for (std::uint16_t id = 0; id < 300; ++id) {
    const ByteVector query = DnsBuilder::Query(id, "a.b").Bytes();
    const ByteVector answer = DnsBuilder(id).Question("a.b").A("a.b", "203.0.113.9").Bytes();
    while (!tap.packets().Put(PacketOf(1000, false), query)) std::this_thread::yield();
    while (!tap.packets().Put(PacketOf(1000, true), answer)) std::this_thread::yield();
    ++sent;
    if (id % 7 != 0) continue;
    const std::uint64_t mark = tap.packets().mark();
    while (!tap.packets().IsTaken(mark)) std::this_thread::yield();
    ASSERT_EQ(sink.learnt, sent);
  }
  listener.Stop();
  EXPECT_EQ(sink.learnt, sent);
}

// What was copied last is read before it ends.
TEST(DnsListener, TheEndLeavesNothingUnread) {
  CountLearnt sink;
  DnsTap tap({.port = 53});
  DnsListener listener(sink);
  listener.Add(tap);
  listener.Start();
  tap.packets().Put(PacketOf(1000, false), DnsBuilder::Query(7, "a.b").Bytes());
  tap.packets().Put(PacketOf(1000, true), DnsBuilder(7).Question("a.b").A("a.b", "203.0.113.9").Bytes());
  listener.Stop();
  EXPECT_EQ(sink.learnt, 1u);
}

}  // namespace
}  // namespace sluice
