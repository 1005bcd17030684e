// What flows and denials add up to, sample by sample.
#include "page/flow_map.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

constexpr std::uint64_t kSecond = FlowMap::kSecond;
constexpr std::uint64_t kStart = 1'796'009'000 * kSecond;
const MapEnd kWeb{"shop", "web"};
const MapEnd kDatabase{"shop", "database"};

class FlowMapTest : public testing::Test {
 protected:
  void Sample(std::uint64_t at_s, const std::vector<FlowMap::Flow>& flows) {
    map_.BeginSample(kStart + at_s * kSecond);
    for (const FlowMap::Flow& flow : flows) map_.Add(kWeb, kDatabase, flow);
    map_.EndSample();
  }
  MapEdge Edge(std::uint64_t at_s) {
    const auto edges = map_.Read(kStart + at_s * kSecond);
    const auto edge = edges.find({kWeb, kDatabase});
    return edge == edges.end() ? MapEdge{} : edge->second;
  }

  FlowMap map_;
};

TEST_F(FlowMapTest, TheFirstSampleHasConnectionsAndNoRate) {
  Sample(0, {{1, 1000, 64000}, {2, 5, 300}});
  EXPECT_EQ(Edge(0).connections, 2u);
  EXPECT_EQ(Edge(0).packets_per_second, 0);
}

TEST_F(FlowMapTest, ARateIsWhatFlowsGrewByAndWhatNewOnesHad) {
  Sample(0, {{7, 1000, 64000}, {2, 5, 300}});
  Sample(10, {{2, 15, 900}, {7, 1100, 70000}, {9, 40, 4000}});
  EXPECT_EQ(Edge(10).connections, 3u);
  EXPECT_DOUBLE_EQ(Edge(10).packets_per_second, 15);
  EXPECT_DOUBLE_EQ(Edge(10).bytes_per_second, 1060);
}

TEST_F(FlowMapTest, AFlowThatEndsTakesNothingFromTheRate) {
  Sample(0, {{1, 1'000'000, 64}, {2, 5, 300}});
  Sample(10, {{2, 25, 900}});
  EXPECT_DOUBLE_EQ(Edge(10).packets_per_second, 2);
  Sample(20, {});
  EXPECT_EQ(Edge(20).connections, 0u);
}

TEST_F(FlowMapTest, AFlowThatBeginsAgainCountsAsNew) {
  Sample(0, {{1, 1000, 64000}});
  Sample(10, {{1, 10, 640}});
  EXPECT_DOUBLE_EQ(Edge(10).packets_per_second, 1);
}

TEST_F(FlowMapTest, DenialsStayForFiveMinutes) {
  map_.AddDenied(kWeb, kDatabase, 3, kStart);
  map_.AddDenied(kWeb, kDatabase, 4, kStart + 100 * kSecond);
  EXPECT_EQ(Edge(200).denied, 7u);
  EXPECT_EQ(Edge(320).denied, 4u);
  EXPECT_EQ(Edge(500).denied, 0u);
  EXPECT_TRUE(map_.Read(kStart + 500 * kSecond).empty());
}

TEST_F(FlowMapTest, ADenialOfLongAgoOrOfTheFutureBreaksNothing) {
  map_.AddDenied(kWeb, kDatabase, 4, kStart);
  map_.AddDenied(kWeb, kDatabase, 9, kStart - 3600 * kSecond);
  EXPECT_EQ(Edge(1).denied, 4u);
  map_.AddDenied(kWeb, kDatabase, 9, kStart + 3600 * kSecond);
  EXPECT_EQ(Edge(2).denied, 9u);
}

TEST_F(FlowMapTest, PairsBeyondTheBoundAreCountedTogether) {
  map_.BeginSample(kStart);
  for (std::size_t i = 0; i < FlowMap::kMaxPairs + 5; ++i) map_.Add({"a", std::to_string(i)}, kDatabase, {i, 1, 1});
  map_.EndSample();
  EXPECT_EQ(map_.not_told(), 5u);
  EXPECT_EQ(map_.Read(kStart).size(), FlowMap::kMaxPairs);
}

}  // namespace
}  // namespace sluice
