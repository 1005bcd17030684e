#include "table/rule_list.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace sluice {
namespace {

TEST(RuleList, RulesStayWhereTheyAre) {
  RuleList<std::uint32_t> list;
  EXPECT_EQ(list.push_back(0), 0u);
  const std::uint32_t* first = &list[0];
  for (std::uint32_t i = 1; i < 100'000; ++i) ASSERT_EQ(list.push_back(i), i);
  EXPECT_EQ(first, &list[0]);
  for (std::uint32_t i = 0; i < list.size(); ++i) ASSERT_EQ(list[i], i);
  EXPECT_LE(list.MemoryBytes(), 100'000 * sizeof(std::uint32_t) * 5 / 4 + sizeof(list));
}

TEST(RuleList, WhatIsTakenBackTakesNoMemory) {
  RuleList<std::string> list;
  for (int i = 0; i < 100; ++i) list.push_back("a rule with a name that is long");
  const std::uint64_t bytes = list.MemoryBytes();
  for (int i = 0; i < 1000; ++i) list.push_back("one that is refused");
  list.Truncate(100);
  EXPECT_EQ(list.size(), 100u);
  EXPECT_EQ(list.MemoryBytes(), bytes);
  list.Truncate(1);
  EXPECT_EQ(list.push_back(""), 1u);
  EXPECT_EQ(list[0], "a rule with a name that is long");
  list.push_back("");
  EXPECT_EQ(list[2], "");
}

}  // namespace
}  // namespace sluice
