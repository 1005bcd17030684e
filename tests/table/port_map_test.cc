#include "table/port_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PortMap, NoSetsMeanClassZeroEverywhere) {
  IdSetPool pool;
  const PortMap map = PortMap::Build({}, pool);
  EXPECT_EQ(map.Lookup(kProtoTcp, 80), kEmptyIdSet);
  EXPECT_EQ(map.Lookup(kProtoIcmp, 0), kEmptyIdSet);
}

TEST(PortMap, ProtocolWithoutPortsIsInNoClass) {
  IdSetPool pool;
  const std::vector<PortRange> all = {{kProtoTcp, 0, 65535}};
  const std::vector<std::pair<std::uint32_t, std::span<const PortRange>>> sets = {{4, all}};
  const PortMap map = PortMap::Build(sets, pool);
  EXPECT_TRUE(pool.Contains(map.Lookup(kProtoTcp, 0), 4));
  EXPECT_TRUE(pool.Contains(map.Lookup(kProtoTcp, 65535), 4));
  EXPECT_EQ(map.Lookup(kProtoUdp, 80), kEmptyIdSet);
  EXPECT_EQ(map.Lookup(kProtoIcmp, 80), kEmptyIdSet);
  EXPECT_EQ(map.Lookup(50, 80), kEmptyIdSet);
}

// Of either map, as a list of port sets.
std::vector<std::uint32_t> SetsIn(const IdSetPool& pool, TierPortClass held) {
  if (held == kNoTierPort) return {};
  if (!IsOfSeveral(held)) return {held & ~kOnePortSet};
  return pool.ToVector(held);
}

TEST(PortMap, RandomOverlappingRangesMatchPortByPort) {
  std::mt19937 random(2);
  for (const std::size_t set_count : {1, 3, 40}) {
    std::vector<std::vector<PortRange>> ranges(set_count);
    std::vector<std::pair<std::uint32_t, std::span<const PortRange>>> sets;
    for (std::uint32_t id = 0; id < ranges.size(); ++id) {
      std::uint32_t next = random() % 2000;
      while (next < 65000) {
        const std::uint32_t last = next + random() % 900;
        ranges[id].push_back({id % 2 ? kProtoTcp : kProtoSctp, static_cast<std::uint16_t>(next),
                              static_cast<std::uint16_t>(std::min(last, 65535u))});
        next = last + 2 + random() % 9000;
      }
      sets.emplace_back(id, ranges[id]);
    }
    IdSetPool pool;
    const PortMap map = PortMap::Build(sets, pool);
    IdSetPool tier_pool;
    const TierPortMap tier_map = TierPortMap::Build(sets, tier_pool);
    for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp, kProtoSctp}) {
      for (std::uint32_t port = 0; port <= 65535; port += 1 + random() % 7) {
        std::vector<std::uint32_t> expected;
        for (std::uint32_t id = 0; id < ranges.size(); ++id) {
          for (const PortRange& range : ranges[id]) {
            if (range.protocol == protocol && range.first <= port && port <= range.last) expected.push_back(id);
          }
        }
        const auto number = static_cast<std::uint16_t>(port);
        ASSERT_EQ(pool.ToVector(map.Lookup(protocol, number)), expected);
        ASSERT_EQ(SetsIn(tier_pool, tier_map.Lookup(protocol, number)), expected) << port;
      }
    }
  }
}

TEST(TierPortMap, PortsThatAreAlikeTakeNoPages) {
  const std::vector<PortRange> all = {{kProtoTcp, 0, 65535}};
  const std::vector<PortRange> one = {{kProtoTcp, 65535, 65535}, {kProtoUdp, 256, 511}};
  std::vector<std::pair<std::uint32_t, std::span<const PortRange>>> sets = {{0, all}};
  IdSetPool pool;
  EXPECT_EQ(TierPortMap::Build({}, pool).MemoryBytes(), 0u);
  const TierPortMap alike = TierPortMap::Build(sets, pool);
  sets.emplace_back(7, one);
  const TierPortMap map = TierPortMap::Build(sets, pool);
  EXPECT_EQ(map.MemoryBytes(), alike.MemoryBytes() + 256 * sizeof(TierPortClass));
  EXPECT_THAT(SetsIn(pool, map.Lookup(kProtoTcp, 65535)), ElementsAre(0, 7));
  EXPECT_THAT(SetsIn(pool, map.Lookup(kProtoTcp, 65534)), ElementsAre(0));
  EXPECT_THAT(SetsIn(pool, map.Lookup(kProtoUdp, 256)), ElementsAre(7));
  EXPECT_THAT(SetsIn(pool, map.Lookup(kProtoUdp, 512)), IsEmpty());
  EXPECT_EQ(map.Lookup(kProtoIcmp, 256), kNoTierPort);
}

}  // namespace
}  // namespace sluice
