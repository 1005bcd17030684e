#include "sluice/section_list.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
namespace {

Section Make(const std::string& policy, Direction direction = Direction::kIngress, GroupId subjects = 0) {
  Section section;
  section.policy = policy;
  section.direction = direction;
  section.subjects = subjects;
  return section;
}

std::vector<std::string> Names(const SectionList& list) {
  std::vector<std::string> names;
  for (const Section& section : list) names.push_back(section.policy);
  return names;
}

TEST(SectionListTest, SortPutsAPolicysSectionsSideBySideEgressFirst) {
  SectionList list{Make("b", Direction::kIngress, 1), Make("a"), Make("b", Direction::kEgress),
                   Make("b", Direction::kIngress, 2)};
  list.Sort();
  EXPECT_EQ(Names(list), (std::vector<std::string>{"a", "b", "b", "b"}));
  const auto of_b = list.Find("b");
  ASSERT_EQ(of_b.size(), 3u);
  EXPECT_EQ(of_b[0].direction, Direction::kEgress);
  EXPECT_EQ(of_b[1].subjects, 1u);
  EXPECT_EQ(of_b[2].subjects, 2u);
}

TEST(SectionListTest, AnEmptyListFindsAndRemovesNothing) {
  SectionList list;
  EXPECT_TRUE(list.Find("a").empty());
  EXPECT_TRUE(list.Remove("a").empty());
  EXPECT_TRUE(list.After("a") == std::as_const(list).end());
  list.Insert({});
  EXPECT_TRUE(list.empty());
}

TEST(SectionListTest, OnePolicyOfManySectionsStaysTogether) {
  SectionList list;
  for (int i = 0; i < 300; ++i) list.push_back(Make("a" + std::to_string(1000 + i)));
  std::vector<Section> wide;
  for (GroupId i = 0; i < 500; ++i) wide.push_back(Make("a1100b", Direction::kIngress, i));
  list.Insert(wide);
  list.Insert({Make("a1100c")});
  list.Insert({Make("a1100a")});
  EXPECT_EQ(list.Find("a1100b").size(), 500u);
  EXPECT_EQ(list.Find("a1100b")[499].subjects, 499u);
  EXPECT_EQ(list.Remove("a1100b").size(), 500u);
  EXPECT_EQ(list.size(), 302u);
}

// Against a map, through all sizes up and down.
TEST(SectionListTest, ManyInsertsAndRemovalsKeepTheOrder) {
  std::mt19937 random(11);
  SectionList list;
  std::map<std::string, std::size_t> expected;
  const auto check = [&](const std::string& name) {
    ASSERT_EQ(list.Find(name).size(), expected.contains(name) ? expected[name] : 0);
    std::vector<std::string> names;
    for (const auto& [policy, count] : expected) names.insert(names.end(), count, policy);
    ASSERT_EQ(Names(list), names);
    ASSERT_EQ(list.size(), names.size());
    const auto next = expected.upper_bound(name);
    const auto after = list.After(name);
    ASSERT_EQ(after == std::as_const(list).end(), next == expected.end());
    if (next != expected.end()) {
      ASSERT_EQ(after->policy, next->first);
    }
  };
  for (int step = 0; step < 6000; ++step) {
    const bool growing = step / 1500 % 2 == 0;
    const std::string name = "p" + std::to_string(random() % 1200);
    const auto removed = list.Remove(name);
    ASSERT_EQ(removed.size(), expected.contains(name) ? expected[name] : 0);
    expected.erase(name);
    if (random() % 8 < (growing ? 7 : 1)) {
      const std::size_t count = 1 + random() % 3;
      list.Insert(std::vector<Section>(count, Make(name)));
      expected[name] = count;
    }
    if (step % 50 == 0) check(name);
  }
  SectionList again;
  for (const Section& section : list) again.push_back(section);
  EXPECT_EQ(again, list);  // whatever the chunks
  again.back().subjects = 7;
  EXPECT_FALSE(again == list);
}

}  // namespace
}  // namespace sluice
