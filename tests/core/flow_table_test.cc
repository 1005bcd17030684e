#include "core/flow_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace sluice {
namespace {

template <typename Key>
std::unique_ptr<FlowTable<Key>> MakeTable(std::uint32_t capacity, std::uint64_t seed = 1) {
  return std::move(std::get<0>(FlowTable<Key>::Create(capacity, seed, FlowMemory::Heap())));
}

template <typename Key>
Key MakeKey(std::uint32_t number) {
  ParsedPacket packet;
  packet.protocol = kProtoUdp;
  packet.flags = ParsedPacket::kHasPorts;
  packet.family = Key::kFamily;
  packet.source_hi = packet.destination_hi = Key::kFamily == Family::kIpv6 ? 0xfd00000000000000u : 0;
  packet.source_lo = 0x0a000000 + number / 40000;
  packet.destination_lo = 0x0b000001;
  packet.source_port = static_cast<std::uint16_t>(number % 40000);
  packet.destination_port = 53;
  Key key;
  Key::Make(packet, key);
  return key;
}

template <typename Key>
class FlowTableTest : public testing::Test {};
using Keys = testing::Types<Ipv4FlowKey, Ipv6FlowKey>;
TYPED_TEST_SUITE(FlowTableTest, Keys);

// Random insertions, removals, promotions and lookups at every degree of fullness, beside a std::map.
TYPED_TEST(FlowTableTest, RandomOperationsAgreeWithAMap) {
  using Key = TypeParam;
  constexpr std::uint32_t kCapacity = 3000;
  constexpr std::uint32_t kKeys = 4000;
  const auto table = MakeTable<Key>(kCapacity);
  std::map<std::uint32_t, std::uint32_t> model;  // key number -> flow
  std::deque<std::uint32_t> evictable;           // key numbers, the oldest first
  std::mt19937_64 random(7);
  std::uint32_t fullest = 0;
  for (int step = 0; step < 200000; ++step) {
    const auto number = static_cast<std::uint32_t>(random() % kKeys);
    const Key key = MakeKey<Key>(number);
    const FlowIndex::Place place = table->PlaceOf(key);
    const auto known = model.find(number);
    ASSERT_EQ(table->Find(key, place), known == model.end() ? kNoFlow : known->second);
    const bool shrink = step / 20000 % 2 == 1;
    if (known == model.end()) {
      if (shrink && random() % 4 != 0) continue;
      const std::uint32_t flow =
          table->Insert(key, place, {.state = FlowState::kUdpUnreplied, .generation = number, .now_ms = 5});
      if (model.size() == kCapacity) {
        ASSERT_EQ(flow, kNoFlow);
        continue;
      }
      ASSERT_NE(flow, kNoFlow);
      ASSERT_EQ(table->entry(flow).generation, number);
      model[number] = flow;
      evictable.push_back(number);
    } else if (random() % 8 == 0) {
      table->Keep(known->second);
      std::erase(evictable, number);
    } else if (shrink || random() % 8 == 0) {
      table->Erase(known->second);
      model.erase(known);
      std::erase(evictable, number);
    }
    ASSERT_EQ(table->size(), model.size());
    ASSERT_EQ(table->OldestEvictable(), evictable.empty() ? kNoFlow : model.at(evictable.front()));
    fullest = std::max(fullest, table->size());
  }
  EXPECT_EQ(fullest, kCapacity);
  for (std::uint32_t number = 0; number < kKeys; ++number) {
    const Key key = MakeKey<Key>(number);
    const auto known = model.find(number);
    ASSERT_EQ(table->Find(key, table->PlaceOf(key)), known == model.end() ? kNoFlow : known->second);
  }
}

// The index has room for every entry, whatever the seed.
TYPED_TEST(FlowTableTest, HoldsItsWholeCapacity) {
  using Key = TypeParam;
  for (const std::uint32_t capacity : {1u, 2u, 9u, 10u, 11u, 1000u, 65536u}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const auto table = MakeTable<Key>(capacity, seed);
      for (std::uint32_t i = 0; i < capacity; ++i) {
        const Key key = MakeKey<Key>(i);
        ASSERT_NE(table->Insert(key, table->PlaceOf(key), {}), kNoFlow) << i << " of " << capacity;
      }
      const Key key = MakeKey<Key>(capacity);
      EXPECT_EQ(table->Insert(key, table->PlaceOf(key), {}), kNoFlow);
    }
  }
}

TYPED_TEST(FlowTableTest, CandidateIsNearlyAlwaysTheFlow) {
  using Key = TypeParam;
  const auto table = MakeTable<Key>(1000);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const Key key = MakeKey<Key>(i);
    table->Insert(key, table->PlaceOf(key), {});
  }
  const FlowIndex& index = table->index();
  std::uint32_t direct = 0, right = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const Key key = MakeKey<Key>(i);
    const FlowIndex::Place place = table->PlaceOf(key);
    std::uint32_t candidate = kNoFlow;
    if (const std::uint32_t matches = index.MatchesInPrimary(place); matches != 0) {
      candidate = index.FirstOf(place, matches);
      ++direct;
    } else {
      ASSERT_TRUE(index.MayBeInSecondary(place));
      candidate = index.SecondaryCandidate(place);
    }
    ASSERT_LT(candidate, table->capacity());
    if (table->entry(candidate).Is(key)) ++right;
  }
  EXPECT_GT(direct, 850u);
  EXPECT_LT(direct, 1000u);  // else nothing was said of secondary buckets
  EXPECT_GT(right, 990u);
}

TYPED_TEST(FlowTableTest, AnEmptyTableHasNoCandidates) {
  using Key = TypeParam;
  const auto table = MakeTable<Key>(1000);
  const Key zero{};
  for (const Key& key : {zero, MakeKey<Key>(1)}) {
    EXPECT_EQ(table->index().MatchesInPrimary(table->PlaceOf(key)), 0u);
    EXPECT_FALSE(table->index().MayBeInSecondary(table->PlaceOf(key)));
    EXPECT_EQ(table->index().SecondaryCandidate(table->PlaceOf(key)), kNoFlow);
    EXPECT_FALSE(table->entry(0).live());
  }
}

TEST(FlowTable, BytesAFlowAtCapacity) {
  constexpr std::uint32_t kFlows = 1 << 20;
  EXPECT_LE(MakeTable<Ipv4FlowKey>(kFlows)->MemoryBytes(), std::uint64_t{88} * kFlows);
  EXPECT_LE(MakeTable<Ipv6FlowKey>(kFlows)->MemoryBytes(), std::uint64_t{112} * kFlows);
}

TEST(FlowTable, NoMemoryIsAnErrorThatNamesTheKeyAndTheSize) {
  const FlowMemory memory{.allocate = [](std::size_t) -> void* { return nullptr; },
                          .release = [](void*, std::size_t) { FAIL() << "nothing was allocated"; }};
  const auto result = FlowTable<Ipv6FlowKey>::Create(1 << 20, 1, memory);
  ASSERT_TRUE(std::holds_alternative<Diagnostic>(result));
  EXPECT_EQ(std::get<Diagnostic>(result).field, "flow_capacity_ipv6");
  EXPECT_NE(std::get<Diagnostic>(result).message.find("1048576 flows (111 MiB"), std::string::npos)
      << std::get<Diagnostic>(result).message;
}

TEST(FlowIndex, BothFormsOfTagMatchAgree) {
  std::mt19937 random(3);
  FlowIndex::Bucket bucket{};
  for (int round = 0; round < 1000; ++round) {
    for (auto& tag : bucket.tags) tag = static_cast<std::uint16_t>(random() % 4 == 0 ? 0x8001 : random());
    bucket.secondary = bucket.overflow = 0x8001;
    for (const std::uint16_t tag : {bucket.tags[round % 10], std::uint16_t{0x8001}, std::uint16_t{1}}) {
      ASSERT_EQ(FlowIndex::MatchTags(bucket, tag), FlowIndex::MatchTagsPortable(bucket, tag));
    }
  }
}

bool AreEqual(const FlowTraffic& a, const FlowTraffic& b) { return a.packets == b.packets && a.bytes == b.bytes; }
bool AreEqual(const FlowWays& a, const FlowWays& b) {
  return AreEqual(a.from_lesser, b.from_lesser) && AreEqual(a.from_greater, b.from_greater);
}

// Of a table with one flow, whose originator is the lesser end.
void ExpectShown(const FlowTable<Ipv4FlowKey>& table, const FlowWays& sent) {
  table.ForEach([&](const FlowView& view) {
    ASSERT_TRUE(AreEqual(view.traffic, sent.sum()));
    ASSERT_TRUE(AreEqual(view.reply, sent.from_greater));
  });
}

TEST(FlowTable, FoldLeavesTotalsAndCountsOn) {
  const auto table = MakeTable<Ipv4FlowKey>(4);
  const Ipv4FlowKey key = MakeKey<Ipv4FlowKey>(1);
  const std::uint32_t flow = table->Insert(key, table->PlaceOf(key), {});
  FlowWays sent, folded;
  std::mt19937 random(5);
  for (int round = 0; round < 10000; ++round) {
    const std::uint32_t count = random() % 5;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t length = random() % 1'000'000;  // larger than frames, to cross 2^22 often
      const bool is_greater = random() % 3 == 0;
      table->entry(flow).CountPacket(length, 9, is_greater ? FlowWay::kFromGreater : FlowWay::kFromLesser);
      FlowTraffic& way = is_greater ? sent.from_greater : sent.from_lesser;
      way = way + FlowTraffic{1, length};
    }
    if (count != 0 && random() % 2 == 0) ExpectShown(*table, sent);  // what is not folded, too
    const FlowWays unfolded = table->Unfolded(flow);
    folded = {folded.from_lesser + unfolded.from_lesser, folded.from_greater + unfolded.from_greater};
    table->Fold(flow);
    ASSERT_EQ(table->Unfolded(flow).sum().packets, 0u);
    ASSERT_EQ(table->Unfolded(flow).sum().bytes, 0u);
    ASSERT_TRUE(AreEqual(folded, sent));
    ExpectShown(*table, sent);
  }
  EXPECT_TRUE(table->entry(flow).Is(key));
}

TEST(FlowTable, FoldedWhenCountPacketSaysSoNothingIsLost) {
  const auto table = MakeTable<Ipv4FlowKey>(1);
  const Ipv4FlowKey key = MakeKey<Ipv4FlowKey>(1);
  const std::uint32_t flow = table->Insert(key, table->PlaceOf(key), {});
  // Packets reach their limit first, then bytes; one way alone, and both in turns.
  for (const std::uint32_t length : {60u, 65'550u, 0x1fffffu}) {
    for (const std::uint64_t one_in : {1, 2, 7}) {
      ASSERT_EQ(table->Unfolded(flow).sum().packets, 0u);
      FlowWays folded;
      const auto fold = [&] {
        const FlowWays unfolded = table->Unfolded(flow);
        folded = {folded.from_lesser + unfolded.from_lesser, folded.from_greater + unfolded.from_greater};
        table->Fold(flow);
      };
      constexpr std::uint64_t kPackets = 42 * FlowCount::kPacketsLimit;
      for (std::uint64_t i = 0; i < kPackets; ++i) {
        const FlowWay way = i % one_in == 0 ? FlowWay::kFromGreater : FlowWay::kFromLesser;
        if (table->entry(flow).CountPacket(length, 9, way)) fold();
      }
      fold();
      const std::uint64_t greater = (kPackets + one_in - 1) / one_in, lesser = kPackets - greater;
      EXPECT_TRUE(AreEqual(folded, {{lesser, lesser * length}, {greater, greater * length}}))
          << length << ' ' << one_in;
    }
  }
}

// Field by field: whatever the view had before.
TYPED_TEST(FlowTableTest, TheWritersViewOfAFlowIsThatOfReaders) {
  using Key = TypeParam;
  constexpr std::uint32_t kFlows = 200;
  const auto table = MakeTable<Key>(kFlows);
  std::mt19937_64 random(13);
  FlowView own;
  for (std::uint32_t number = 0; number < kFlows; ++number) {
    const Key key = MakeKey<Key>(number);
    const bool greater_began = random() % 2 != 0;
    const std::uint8_t flags = greater_began ? FlowEntry<Key>::kOriginatorIsGreater : 0;
    const std::uint32_t flow = table->Insert(
        key, table->PlaceOf(key),
        {.state = FlowState::kUdpUnreplied, .flags = flags, .generation = number, .began_ms = random() >> 30});
    for (std::uint64_t packets = random() % 300; packets > 0; --packets) {
      const FlowWay way = random() % 3 == 0 ? FlowWay::kFromGreater : FlowWay::kFromLesser;
      if (table->entry(flow).CountPacket(60 + random() % 1000, number, way) || random() % 100 == 0) table->Fold(flow);
    }
    FlowView view;
    ASSERT_TRUE(table->View(flow, view));
    table->ViewOwn(flow, own);
    EXPECT_TRUE(own.source == view.source && own.destination == view.destination);
    EXPECT_EQ(own.protocol, view.protocol);
    EXPECT_EQ(own.state, view.state);
    EXPECT_EQ(own.replied, view.replied);
    EXPECT_EQ(own.guessed, view.guessed);
    EXPECT_EQ(own.generation, view.generation);
    EXPECT_EQ(own.last_seen_ms, view.last_seen_ms);
    EXPECT_EQ(own.egress_rule, view.egress_rule);
    EXPECT_EQ(own.ingress_rule, view.ingress_rule);
    EXPECT_EQ(own.began_ms, view.began_ms);
    EXPECT_EQ(own.traffic.packets, view.traffic.packets);
    EXPECT_EQ(own.traffic.bytes, view.traffic.bytes);
    EXPECT_EQ(own.reply.packets, view.reply.packets);
    EXPECT_EQ(own.reply.bytes, view.reply.bytes);
  }
}

TEST(FlowTable, AFlowTellsWhenItBegan) {
  constexpr std::uint64_t kFirst = 1'780'000'000'000;  // of a clock since 1970
  constexpr std::uint64_t kMonth = std::uint64_t{30} * 24 * 3600 * 1000;
  const auto table = MakeTable<Ipv4FlowKey>(8);
  std::uint32_t number = 0;
  for (const std::uint64_t moment : {kFirst, kFirst - kMonth, kFirst + 1, kFirst + 90 * kMonth}) {
    const Ipv4FlowKey key = MakeKey<Ipv4FlowKey>(++number);
    const std::uint32_t flow =
        table->Insert(key, table->PlaceOf(key), {.state = FlowState::kUdpUnreplied, .began_ms = moment});
    for (int i = 0; i < 2000; ++i) {
      if (table->entry(flow).CountPacket(60, 9, FlowWay::kFromGreater)) table->Fold(flow);
    }
    FlowView view;
    ASSERT_TRUE(table->View(flow, view));
    EXPECT_EQ(view.began_ms, moment);
  }
}

TEST(FlowKey, BothDirectionsAreOneKey) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 10000; ++round) {
    ParsedPacket there;
    there.protocol = kProtoTcp;
    there.source_lo = random() % 2;
    there.destination_lo = random() % 2;
    there.source_port = random() % 2;
    there.destination_port = random() % 2;
    there.source_hi = random() % 2;
    there.destination_hi = random() % 2;
    ParsedPacket back = there;
    std::swap(back.source_lo, back.destination_lo);
    std::swap(back.source_hi, back.destination_hi);
    std::swap(back.source_port, back.destination_port);
    Ipv6FlowKey key6, key6_back;
    const bool greater6 = Ipv6FlowKey::Make(there, key6);
    const bool back_greater6 = Ipv6FlowKey::Make(back, key6_back);
    ASSERT_EQ(key6.words, key6_back.words);
    const bool same_end = there.source() == there.destination() && there.source_port == there.destination_port;
    ASSERT_EQ(greater6 != back_greater6, !same_end);
    const auto source = greater6 ? Ipv6FlowKey::Greater(key6.words) : Ipv6FlowKey::Lesser(key6.words);
    ASSERT_EQ(source.address, IpAddress::V6(there.source_hi, there.source_lo));
    ASSERT_EQ(source.port, there.source_port);
    Ipv4FlowKey key4, key4_back;
    Ipv4FlowKey::Make(there, key4);
    Ipv4FlowKey::Make(back, key4_back);
    ASSERT_EQ(key4.words, key4_back.words);
  }
}

TEST(FlowKey, EchoRequestsOfBothEndsAreTwoFlows) {
  ParsedPacket request;
  request.protocol = kProtoIcmp;
  request.icmp_type = 8;
  request.source_lo = 1;
  request.destination_lo = 2;
  request.source_port = request.destination_port = 77;
  ParsedPacket reply = request;
  std::swap(reply.source_lo, reply.destination_lo);
  ParsedPacket request_back = reply;
  reply.icmp_type = 0;
  reply.flags = ParsedPacket::kReplyType;
  ParsedPacket timestamp = request;
  timestamp.icmp_type = 13;
  Ipv4FlowKey key, reply_key, back_key, timestamp_key;
  Ipv4FlowKey::Make(request, key);
  Ipv4FlowKey::Make(reply, reply_key);
  Ipv4FlowKey::Make(request_back, back_key);
  Ipv4FlowKey::Make(timestamp, timestamp_key);
  EXPECT_EQ(key.words, reply_key.words);
  EXPECT_NE(key.words, back_key.words);
  EXPECT_NE(key.words, timestamp_key.words);
}

TEST(FlowHash, SpreadsNeighbouringKeys) {
  const FlowHasher hash(42);
  std::vector<std::uint32_t> buckets(1024);
  std::vector<std::uint32_t> tags(1024);
  constexpr std::uint32_t kFlows = 102400;
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    const std::uint64_t value = hash(MakeKey<Ipv4FlowKey>(i));
    ++buckets[value >> 54];
    ++tags[value & 1023];
  }
  // Expected 100 in each, standard deviation 10.
  EXPECT_LT(*std::ranges::max_element(buckets), 160u);
  EXPECT_LT(*std::ranges::max_element(tags), 160u);
  EXPECT_GT(*std::ranges::min_element(buckets), 50u);
  EXPECT_GT(*std::ranges::min_element(tags), 50u);
}

// A listing never mixes two flows: each one's rules are made from its port.
TEST(FlowTable, ListedWhileItsWriterGoesOn) {
  const auto table = MakeTable<Ipv4FlowKey>(64);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    std::mt19937 random(1);
    std::vector<std::uint32_t> flows;
    while (!stop.load(std::memory_order_relaxed)) {
      const auto number = static_cast<std::uint32_t>(random() % 1000);
      const Ipv4FlowKey key = MakeKey<Ipv4FlowKey>(number);
      const FlowIndex::Place place = table->PlaceOf(key);
      std::uint32_t flow = table->Find(key, place);
      if (flow == kNoFlow) {
        if (table->size() == 64) table->Erase(table->OldestEvictable());
        flow = table->Insert(
            key, place, {.state = FlowState::kUdpUnreplied, .generation = number, .rules = {number + 1, number + 2}});
      }
      table->entry(flow).CountPacket(number, number, FlowWay::kFromLesser);
    }
  });
  std::uint64_t seen = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);  // for the writer to have its turn
  for (int round = 0; round < 2000 || (seen < 1000 && std::chrono::steady_clock::now() < end); ++round) {
    table->ForEach([&](const FlowView& view) {
      const std::uint32_t number = view.source.port == 53 ? view.destination.port : view.source.port;
      ASSERT_EQ(view.generation, number);
      ASSERT_EQ(view.egress_rule, number + 1);
      ASSERT_EQ(view.ingress_rule, number + 2);
      ASSERT_EQ(view.state, FlowState::kUdpUnreplied);
      ++seen;
    });
  }
  stop = true;
  writer.join();
  EXPECT_GT(seen, 0u);
}

}  // namespace
}  // namespace sluice
