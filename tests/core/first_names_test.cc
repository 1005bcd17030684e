#include "core/first_names.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <unordered_map>

namespace sluice {
namespace {

TEST(FirstNames, WhatIsKnownFirstStays) {
  FirstNames names;
  EXPECT_TRUE(names.empty());
  EXPECT_EQ(names.Find(0).rule, kNoRule);
  names.Put(0, {7, 1});
  names.Put(0, {8, 2});
  EXPECT_EQ(names.Find(0).rule, 7u);
  EXPECT_EQ(names.Find(0).generation, 1u);
  names.Erase(1);
  EXPECT_EQ(names.size(), 1u);
  names.Erase(0);
  EXPECT_TRUE(names.empty());
  EXPECT_EQ(names.Find(0).rule, kNoRule);
}

TEST(FirstNames, WhereThereIsNoRoomNothingIsKnown) {
  FirstNames names;
  constexpr std::uint32_t kMost = FirstNames::kMost;
  for (std::uint32_t flow = 0; flow <= kMost; ++flow) names.Put(flow, {flow + 1, 1});
  EXPECT_EQ(names.size(), kMost);
  EXPECT_EQ(names.Find(kMost - 1).rule, kMost);
  EXPECT_EQ(names.Find(kMost).rule, kNoRule);
  names.Erase(5);
  names.Put(kMost, {9, 1});
  EXPECT_EQ(names.Find(kMost).rule, 9u);
  names.Clear();
  EXPECT_TRUE(names.empty());
  EXPECT_EQ(names.Find(7).rule, kNoRule);
}

// Held against a map, nearly full, so that flows stand far from their own places.
TEST(FirstNames, ManyComeAndGo) {
  FirstNames names;
  std::unordered_map<std::uint32_t, RuleId> model;
  std::mt19937 random(1);
  for (std::uint32_t step = 1; step <= 60'000; ++step) {
    const std::uint32_t flow = random() % 12'000;
    if (random() % 4 == 0) {
      names.Erase(flow);
      model.erase(flow);
    } else if (model.contains(flow) || model.size() < FirstNames::kMost) {
      names.Put(flow, {step, 1});
      model.try_emplace(flow, step);
    }
    ASSERT_EQ(names.size(), model.size());
  }
  for (std::uint32_t flow = 0; flow < 12'000; ++flow) {
    ASSERT_EQ(names.Find(flow).rule, model.contains(flow) ? model[flow] : kNoRule) << flow;
  }
}

}  // namespace
}  // namespace sluice
