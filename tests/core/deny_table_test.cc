// Denials counted exactly: by pair, by rule where pairs are too many, and while the reader takes them away.
#include "core/deny_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using Entry = DenyTable::Entry;

DropRecord Denied(std::uint32_t source, std::uint16_t port, RuleId rule = 7, std::uint64_t time_ns = 1) {
  DropRecord record;
  record.time_ns = time_ns;
  record.source = IpAddress::V4(source);
  record.destination = IpAddress::V4(2);
  record.epoch = 1;
  record.generation = 5;
  record.ingress_rule = rule;
  record.frame_length = 100;
  record.source_port = static_cast<std::uint16_t>(time_ns);
  record.destination_port = port;
  record.protocol = kProtoTcp;
  record.reason = DropReason::kPolicyDenied;
  return record;
}

// What was added up to now.
std::vector<Entry> Taken(DenyTable& table) {
  std::vector<Entry> entries;
  table.Ask();
  table.Turn();
  EXPECT_TRUE(table.IsTurned());
  table.Take([&](const Entry& entry) { entries.push_back(entry); });
  return entries;
}

// Its rules are the same, and the sections behind them may have changed meanwhile.
TEST(DenyTable, AnEntryHasTheSectionsOfItsLastPacket) {
  DenyTable table(1);
  DropRecord denied = Denied(1, 80);
  for (const IdSetId sections : {3, 5}) {
    denied.sections = {7, sections, sections + 1};
    table.Add(denied);
  }
  const std::vector<Entry> entries = Taken(table);
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0].sections.numbering, 7u);
  EXPECT_EQ(entries[0].sections.egress, 5u);
  EXPECT_EQ(entries[0].sections.ingress, 6u);
}

TEST(DenyTable, PacketsOfOnePairAndRuleAreOneEntry) {
  DenyTable table(1);
  table.Add(Denied(1, 80, 7, 10));
  table.Add(Denied(1, 80, 7, 30));
  table.Add(Denied(1, 81, 7, 20));
  table.Add(Denied(1, 80, 8, 40));
  const std::vector<Entry> entries = Taken(table);
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[0].packets, 2u);
  EXPECT_EQ(entries[0].bytes, 200u);
  EXPECT_EQ(entries[0].first_ns, 10u);
  EXPECT_EQ(entries[0].last_ns, 30u);
  EXPECT_EQ(entries[0].source_port, 10);
  EXPECT_EQ(entries[0].generation, 5u);
  EXPECT_EQ(entries[0].scope, Entry::Scope::kPair);
  EXPECT_EQ(entries[1].key.destination_port, 81);
  EXPECT_EQ(entries[2].key.ingress_rule, 8u);
}

TEST(DenyTable, WhatWasTakenIsGone) {
  DenyTable table(1);
  table.Add(Denied(1, 80));
  EXPECT_THAT(Taken(table), SizeIs(1));
  EXPECT_THAT(Taken(table), IsEmpty());
  table.Add(Denied(1, 80));
  EXPECT_THAT(Taken(table), SizeIs(1));
}

TEST(DenyTable, PairsBeyondTheRoomAreCountedByRuleAndRulesBeyondItInOneEntry) {
  DenyTable table(1, 2, 1);
  for (std::uint32_t source = 1; source <= 5; ++source) table.Add(Denied(source, 80, 7));
  table.Add(Denied(9, 80, 8));
  table.Add(Denied(1, 80, 7));  // has its place
  const std::vector<Entry> entries = Taken(table);
  ASSERT_THAT(entries, SizeIs(4));
  EXPECT_EQ(entries[0].packets, 2u);
  EXPECT_EQ(entries[1].packets, 1u);
  EXPECT_EQ(entries[2].scope, Entry::Scope::kRule);
  EXPECT_EQ(entries[2].packets, 3u);
  EXPECT_EQ(entries[2].key.ingress_rule, 7u);
  EXPECT_EQ(entries[2].key.source, IpAddress());
  EXPECT_EQ(entries[3].scope, Entry::Scope::kRest);
  EXPECT_EQ(entries[3].packets, 1u);
}

TEST(DenyTable, AllItsPairsAreKeptApart) {
  DenyTable table(1);
  for (std::uint32_t source = 0; source < DenyTable::kMostPairs; ++source) table.Add(Denied(source, 80));
  table.Add(Denied(70000, 80));
  std::uint64_t pairs = 0;
  for (const Entry& entry : Taken(table)) pairs += entry.scope == Entry::Scope::kPair && entry.packets == 1;
  EXPECT_EQ(pairs, DenyTable::kMostPairs);
}

TEST(DenyTable, AReaderThatTakesMeanwhileMissesNoneAndCountsNoneTwice) {
  constexpr std::uint64_t kPackets = 300'000;
  DenyTable table(1, 64, 8);
  std::atomic<bool> ends = false;
  std::uint64_t counted = 0;
  std::thread worker([&] {
    for (std::uint64_t i = 0; i < kPackets; ++i) table.Add(Denied(static_cast<std::uint32_t>(i % 100), 80, 1 + i % 20));
    ends = true;
  });
  const auto count = [&](const Entry& entry) { counted += entry.packets; };
  table.Ask();
  while (!ends) {
    if (!table.IsTurned()) continue;
    table.Take(count);
    table.Ask();
  }
  worker.join();
  table.TakeAll(count);
  EXPECT_EQ(counted, kPackets);
}

TEST(DenyTable, ThePipelineCountsWhatPolicyDeniesAndNothingElse) {
  DenyTable table(1);
  PipelineFixture worker;
  worker.pipeline().CountDenies(&table);
  worker.Load(ServerAdmitsClient());
  worker.Send(ClientTcp(kTcpSyn, 1000, 80));
  worker.Send(ClientTcp(kTcpSyn, 1001, 81));
  worker.Send(ClientTcp(kTcpSyn, 1002, 81));
  worker.Send(ClientTcp(kTcpSyn | kTcpFin, 1003, 81));  // malformed: no policy was asked
  table.Ask();
  worker.SweepAll();  // housekeeping hands it over without another denied packet
  ASSERT_TRUE(table.IsTurned());
  std::vector<Entry> entries;
  table.Take([&](const Entry& entry) { entries.push_back(entry); });
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0].packets, 2u);
  EXPECT_EQ(entries[0].key.source, Ip("10.0.0.1"));
  EXPECT_EQ(entries[0].key.destination_port, 81);
  EXPECT_EQ(entries[0].source_port, 1001);
  EXPECT_EQ(worker.table().rule(entries[0].key.ingress_rule).policy, "default/server");
  EXPECT_EQ(worker.table().rule(entries[0].key.ingress_rule).index, -1);
}

}  // namespace
}  // namespace sluice
