// The map, as the page is told of it: grouped, added up over dataplanes, and no more than it can show.
#include "page/map_picture.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

FlowMap::Edges SomeEdges() {
  FlowMap::Edges edges;
  edges[{{"shop", "web"}, {"shop", "database"}}] = {2, 10, 1000, 0};
  edges[{{"shop", "job"}, {"shop", "database"}}] = {1, 5, 500, 3};
  edges[{{"shop", "web"}, {"dns", "dns"}}] = {1, 1, 100, 0};
  edges[{{}, {"shop", "web"}}] = {0, 0, 0, 7};
  return edges;
}

PageJson MapOf(const std::vector<FlowMap::Edges>& dataplanes, const std::vector<std::string>& open,
               const std::vector<std::string>& hidden) {
  MapPicture picture(open, hidden);
  for (const FlowMap::Edges& edges : dataplanes) picture.Add(edges);
  return picture.Shown();
}

TEST(MapPicture, NamespacesAreOneNodeUntilTheyAreOpened) {
  const PageJson closed = MapOf({SomeEdges()}, {}, {});
  EXPECT_EQ(closed["nodes"].size(), 3u);
  ASSERT_EQ(closed["edges"].size(), 3u);
  std::uint64_t connections = 0;
  for (const PageJson& edge : closed["edges"]) {
    const bool is_own = edge["from"] == edge["to"];
    if (is_own) connections = edge["connections"];
  }
  EXPECT_EQ(connections, 3u);

  const PageJson opened = MapOf({SomeEdges()}, {"shop"}, {});
  EXPECT_EQ(opened["nodes"].size(), 5u);
  EXPECT_EQ(opened["edges"].size(), 4u);
}

TEST(MapPicture, HiddenNamespacesTakeTheirEdgesAlong) {
  const PageJson map = MapOf({SomeEdges()}, {}, {"dns"});
  EXPECT_EQ(map["nodes"].size(), 2u);
  EXPECT_EQ(map["edges"].size(), 2u);
}

TEST(MapPicture, OfManyEdgesThoseWithDenialsAreShownFirst) {
  FlowMap::Edges edges;
  for (int i = 0; i < 1000; ++i) {
    edges[{{"a" + std::to_string(i), ""}, {"b", ""}}] = {1, 1, 1000, i == 500 ? 1u : 0u};
  }
  const PageJson map = MapOf({edges}, {}, {});
  EXPECT_EQ(map["edges"].size(), MapPicture::kShown);
  EXPECT_EQ(map["edges_left_out"], 1000 - MapPicture::kShown);
  EXPECT_EQ(map["edges"][0]["denied"], 1);
}

TEST(MapPicture, WhatIsOpenIsShownHoweverLittleItCarries) {
  FlowMap::Edges edges;
  for (int i = 0; i < 1000; ++i) edges[{{"a" + std::to_string(i), ""}, {"b", ""}}] = {1, 1, 1000, 1};
  edges[{{"quiet", "web"}, {"b", ""}}] = {1, 1, 1, 0};
  const PageJson map = MapOf({edges}, {"quiet"}, {});
  EXPECT_EQ(map["edges"].size(), MapPicture::kShown);
  EXPECT_EQ(map["nodes"][map["edges"][0]["from"].get<std::size_t>()]["workload"], "web");
}

TEST(MapPicture, WhatDataplanesSeeOfAPairIsAddedUp) {
  const PageJson map = MapOf({SomeEdges(), SomeEdges()}, {"shop"}, {"dns"});
  ASSERT_EQ(map["edges"].size(), 3u);
  std::uint64_t connections = 0, denied = 0;
  for (const PageJson& edge : map["edges"]) {
    connections += edge["connections"].get<std::uint64_t>();
    denied += edge["denied"].get<std::uint64_t>();
  }
  EXPECT_EQ(connections, 6u);
  EXPECT_EQ(denied, 20u);
}

TEST(MapPicture, EdgesOfTheSameWeightComeByName) {
  FlowMap::Edges edges;
  for (const char* name : {"c", "a", "b"}) edges[{{"x", ""}, {name, ""}}] = {1, 1, 1000, 0};
  const PageJson map = MapOf({edges}, {}, {});
  std::string names;
  for (const PageJson& edge : map["edges"]) names += map["nodes"][edge["to"].get<std::size_t>()]["namespace"];
  EXPECT_EQ(names, "abc");
}

}  // namespace
}  // namespace sluice
