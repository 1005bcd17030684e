#include "table/address_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "table/policy_builder.h"

namespace sluice {
namespace {

IpAddress RandomAddress(std::mt19937_64& random) {
  // Few distinct upper bits, so that neighbours and shared prefixes occur.
  if (random() % 2 == 0) return IpAddress::V4(0x0a000000u | static_cast<std::uint32_t>(random() % 100'000));
  return IpAddress::V6(0xfd00000000000000u | random() % 4, random() % 50'000);
}

TEST(AddressMap, EmptyMapKnowsNobody) {
  AddressMap map;
  EXPECT_EQ(map.Lookup(Ip("10.0.0.1")), AddressEntry{});
  EXPECT_EQ(map.Lookup(Ip("::1")), AddressEntry{});
}

TEST(AddressMap, RandomChangesMatchAStdMap) {
  std::mt19937_64 random(11);
  AddressMap map;
  std::map<IpAddress, AddressEntry> expected;
  for (int step = 0; step < 20'000; ++step) {
    const IpAddress address = RandomAddress(random);
    if (random() % 4 == 0) {
      map.Erase(address);
      expected.erase(address);
    } else {
      const AddressEntry entry{static_cast<std::uint32_t>(random() % 1000), static_cast<NodeId>(random() % 10)};
      map.Set(address, entry);
      expected[address] = entry;
    }
  }
  EXPECT_EQ(map.host_count(), expected.size());
  for (const auto& [address, entry] : expected) ASSERT_EQ(map.Lookup(address), entry) << address.ToString();
  for (int probe = 0; probe < 50'000; ++probe) {
    const IpAddress address = RandomAddress(random);
    const auto found = expected.find(address);
    ASSERT_EQ(map.Lookup(address), found == expected.end() ? AddressEntry{} : found->second);
  }
  std::size_t visited = 0;
  map.ForEachHost([&](const IpAddress& address, const AddressEntry& entry) {
    ++visited;
    EXPECT_EQ(expected.at(address), entry);
  });
  EXPECT_EQ(visited, expected.size());
}

TEST(AddressMap, ChangingACopyLeavesTheOriginal) {
  AddressMap before;
  for (std::uint32_t i = 0; i < 5000; ++i) before.Set(IpAddress::V4(i), {i, 0});
  AddressMap after = before;
  after.Set(IpAddress::V4(7), {70, 1});
  after.Erase(IpAddress::V4(8));
  EXPECT_EQ(before.Lookup(IpAddress::V4(7)).identity, 7u);
  EXPECT_EQ(before.Lookup(IpAddress::V4(8)).identity, 8u);
  EXPECT_EQ(after.Lookup(IpAddress::V4(7)).identity, 70u);
  EXPECT_EQ(after.Lookup(IpAddress::V4(8)), AddressEntry{});
}

// As generations do: each is a copy of one before, changed in many places of few pages, and all live on for a while.
TEST(AddressMap, ChangesOfCopiesOfCopiesReachNobodyElse) {
  std::mt19937 random(3);
  std::vector<std::pair<AddressMap, std::map<std::uint32_t, AddressEntry>>> maps(1);
  for (std::uint32_t i = 0; i < 700; ++i) {
    maps[0].first.Set(IpAddress::V4(i), {i, 0});
    maps[0].second[i] = {i, 0};
  }
  for (int step = 0; step < 300; ++step) {
    auto next = maps[random() % maps.size()];
    auto& [map, expected] = random() % 4 == 0 ? maps[random() % maps.size()] : next;  // also one that was copied
    for (int i = 0; i < 100; ++i) {
      const std::uint32_t key = static_cast<std::uint32_t>(random() % 1000);
      if (random() % 3 == 0) {
        map.Erase(IpAddress::V4(key));
        expected.erase(key);
      } else {
        const AddressEntry entry{static_cast<std::uint32_t>(random() % 8), 0};
        map.Set(IpAddress::V4(key), entry);
        expected[key] = entry;
      }
    }
    maps.push_back(next);
    if (maps.size() > 6) maps.erase(maps.begin() + static_cast<std::ptrdiff_t>(random() % maps.size()));
    for (const auto& [one, other] : maps) {
      ASSERT_EQ(one.host_count(), other.size());
      for (std::uint32_t key = 0; key < 1000; ++key) {
        const auto known = other.find(key);
        ASSERT_EQ(one.Lookup(IpAddress::V4(key)), known == other.end() ? AddressEntry{} : known->second) << step;
      }
    }
  }
}

TEST(AddressMap, CellsAnswerForWhoIsNoHost) {
  AddressMap map;
  map.Set(Ip("10.1.2.3"), {9, 1});
  map.SetCells({{Ip("10.0.0.0"), Ip("10.255.255.255"), 1},
                {Ip("11.0.0.1"), Ip("11.0.0.6"), 2},
                {Ip("192.168.0.0"), Ip("192.168.3.255"), 3},
                {Ip("2001:db8::"), Ip("2001:db8::ffff"), 4},
                {Ip("2001:db8:0:1::"), Ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 5}});
  const auto identity = [&](const char* address) { return map.Lookup(Ip(address)).identity; };
  EXPECT_EQ(identity("10.1.2.3"), 9u);
  EXPECT_EQ(identity("10.1.2.4"), 1u);
  EXPECT_EQ(identity("9.255.255.255"), 0u);
  EXPECT_EQ(identity("11.0.0.0"), 0u);
  EXPECT_EQ(identity("11.0.0.1"), 2u);
  EXPECT_EQ(identity("11.0.0.6"), 2u);
  EXPECT_EQ(identity("11.0.0.7"), 0u);
  EXPECT_EQ(identity("192.168.3.255"), 3u);
  EXPECT_EQ(identity("192.168.4.0"), 0u);
  EXPECT_EQ(identity("2001:db8::ffff"), 4u);
  EXPECT_EQ(identity("2001:db8::1:0"), 0u);
  EXPECT_EQ(identity("2001:db8:0:1::"), 5u);
  EXPECT_EQ(identity("ffff::"), 5u);
  EXPECT_EQ(map.LookupCell(Ip("10.1.2.3")), 1u);
}

// Up to 64 cells have a small root.
TEST(AddressMap, CellsOfAnyNumberHaveTheirEnds) {
  std::mt19937_64 random(6);
  for (const std::size_t count : {1, 2, 63, 64, 65, 500}) {
    for (const bool is_v4 : {true, false}) {
      std::vector<IpAddress> ends(2 * count);
      for (IpAddress& end : ends) {
        const int shift = static_cast<int>(random() % 31);
        end = is_v4 ? IpAddress::V4(static_cast<std::uint32_t>(random()) >> shift)
                    : IpAddress::V6(random() >> shift, shift % 2 == 0 ? random() >> shift : 0);
      }
      std::sort(ends.begin(), ends.end());
      ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
      std::vector<CidrCell> cells;
      for (std::size_t i = 0; i + 1 < ends.size(); i += 2) {
        cells.push_back({ends[i], ends[i + 1], static_cast<std::uint32_t>(i + 1)});
      }
      AddressMap map;
      map.SetCells(cells);
      const auto expected = [&](const IpAddress& address) {
        for (const CidrCell& cell : cells) {
          if (cell.first <= address && address <= cell.last) return cell.identity;
        }
        return 0u;
      };
      for (const IpAddress& end : ends) {
        for (const std::uint64_t step : {~std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{1}}) {
          const IpAddress at =
              is_v4 ? IpAddress::V4(end.v4() + static_cast<std::uint32_t>(step)) : IpAddress::V6(end.hi, end.lo + step);
          ASSERT_EQ(map.LookupCell(at), expected(at)) << count << ' ' << at.ToString();
        }
      }
    }
  }
}

TEST(AddressMap, BurstAnswersAsOneByOne) {
  std::mt19937_64 random(5);
  AddressMap map;
  for (std::uint32_t i = 0; i < 3000; ++i) map.Set(RandomAddress(random), {i + 100, i});
  map.SetCells({{Ip("10.0.0.0"), Ip("10.0.127.255"), 1}, {Ip("fd00::"), Ip("fd00::ffff:ffff"), 2}});
  for (int round = 0; round < 200; ++round) {
    std::vector<IpAddress> addresses(random() % 129);
    for (IpAddress& address : addresses) address = RandomAddress(random);
    std::vector<const IpAddress*> pointers;
    for (const IpAddress& address : addresses) pointers.push_back(&address);
    std::vector<AddressEntry> found(addresses.size());
    map.LookupBurst(pointers, found.data());
    for (std::size_t i = 0; i < addresses.size(); ++i) ASSERT_EQ(found[i], map.Lookup(addresses[i]));
  }
}

TEST(AddressMap, HostsCostTensOfBytes) {
  std::vector<std::pair<IpAddress, AddressEntry>> hosts;
  for (std::uint32_t i = 0; i < 100'000; ++i) hosts.emplace_back(IpAddress::V4(i * 2654435761u), AddressEntry{i, 0});
  AddressMap map;
  map.SetAll(hosts);
  EXPECT_LT(map.MemoryBytes(), 100'000u * 48);
}

}  // namespace
}  // namespace sluice
