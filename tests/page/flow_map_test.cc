// What flows and denials add up to, sample by sample.
#include "page/flow_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
namespace {

constexpr std::uint64_t kSecond = FlowMap::kSecond;
constexpr std::uint64_t kStart = 1'796'009'000 * kSecond;
const MapEnd kWeb{"shop", "web"};
const MapEnd kDatabase{"shop", "database"};

class FlowMapTest : public testing::Test {
 protected:
  void Sample(std::uint64_t at_s, std::vector<FlowMap::Flow> flows) {
    for (FlowMap::Flow& flow : flows) flow.destination = 1;
    map_.Sample(kStart + at_s * kSecond, {kWeb, kDatabase}, std::move(flows));
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
  std::vector<MapEnd> ends = {kDatabase};
  std::vector<FlowMap::Flow> flows;
  for (std::uint32_t i = 1; i <= FlowMap::kMaxPairs + 5; ++i) {
    ends.push_back({"a", std::to_string(i)});
    flows.push_back({i, 1, 1, i, 0});
  }
  map_.Sample(kStart, ends, flows);
  EXPECT_EQ(map_.not_told(), 5u);
  EXPECT_EQ(map_.Read(kStart).size(), FlowMap::kMaxPairs);
}

TEST_F(FlowMapTest, EachDirectionIsAPairAndOrderDoesNotMatter) {
  map_.Sample(kStart, {kWeb, kDatabase, {}}, {{9, 1, 64, 0, 1}, {3, 1, 64, 1, 0}, {5, 1, 64, 2, 1}, {4, 1, 64, 0, 1}});
  const auto edges = map_.Read(kStart);
  EXPECT_EQ(edges.size(), 3u);
  EXPECT_EQ(edges.at({kWeb, kDatabase}).connections, 2u);
  EXPECT_EQ(edges.at({kDatabase, kWeb}).connections, 1u);
  EXPECT_EQ(edges.at({MapEnd(), kDatabase}).connections, 1u);
}

}  // namespace
}  // namespace sluice
