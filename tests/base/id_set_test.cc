#include "sluice/id_set.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

namespace sluice {
namespace {

using Ids = std::vector<std::uint32_t>;

TEST(IdSetPool, EqualSetsShareOneId) {
  IdSetPool pool;
  const IdSetId first = pool.Intern(Ids{1, 5, 900});
  EXPECT_EQ(pool.Intern(Ids{1, 5, 900}), first);
  EXPECT_NE(pool.Intern(Ids{1, 5, 901}), first);
  EXPECT_NE(pool.Intern(Ids{1, 5}), first);
  EXPECT_EQ(pool.SetCount(), 4u);  // and the empty set
}

TEST(IdSetPool, PoolsAreEqualThatHoldTheSameSetsUnderTheSameIds) {
  Ids dense;
  for (std::uint32_t id = 0; id < 200; ++id) dense.push_back(id);
  IdSetPool one, other;
  for (IdSetPool* pool : {&one, &other}) {
    pool->Intern(Ids{1, 900});
    pool->Intern(dense);
  }
  EXPECT_TRUE(one == other);
  one.Intern(Ids{7});
  EXPECT_FALSE(one == other);
  other.Intern(Ids{8});
  EXPECT_FALSE(one == other);
}

TEST(IdSetPool, EmptySetIsZeroAndHoldsNothing) {
  IdSetPool pool;
  EXPECT_EQ(pool.Intern({}), kEmptyIdSet);
  EXPECT_FALSE(pool.Contains(kEmptyIdSet, 0));
  EXPECT_TRUE(pool.ToVector(kEmptyIdSet).empty());
}

TEST(IdSetPool, DenseSetsAreBitmapsAndSparseOnesArrays) {
  IdSetPool pool;
  Ids dense;
  for (std::uint32_t id = 1000; id < 2000; id += 3) dense.push_back(id);
  EXPECT_TRUE(pool.IsBitmap(pool.Intern(dense)));
  EXPECT_FALSE(pool.IsBitmap(pool.Intern(Ids{0, 100'000, 0xffffffff})));
}

TEST(IdSetPool, RandomSetsHoldExactlyTheirMembers) {
  std::mt19937 random(7);
  IdSetPool pool;
  std::vector<std::pair<IdSetId, std::set<std::uint32_t>>> made;
  for (int round = 0; round < 400; ++round) {
    const std::uint32_t range = round % 2 == 0 ? 300 : 1'000'000;
    std::set<std::uint32_t> members;
    for (std::uint32_t i = random() % 200; i > 0; --i) members.insert(random() % range);
    made.emplace_back(pool.Intern(Ids(members.begin(), members.end())), members);
  }
  for (const auto& [id, members] : made) {
    EXPECT_EQ(pool.ToVector(id), Ids(members.begin(), members.end()));
    EXPECT_EQ(pool.Size(id), members.size());
    for (int probe = 0; probe < 200; ++probe) {
      const std::uint32_t candidate = random() % 1'000'100;
      EXPECT_EQ(pool.Contains(id, candidate), members.contains(candidate));
    }
    for (const std::uint32_t member : members) EXPECT_TRUE(pool.Contains(id, member));
  }
}

TEST(IdSetPool, ThousandOfTenThousandCostsABitEach) {
  std::mt19937 random(3);
  IdSetPool pool;
  for (int i = 0; i < 1000; ++i) {
    std::set<std::uint32_t> members;
    while (members.size() < 1000) members.insert(random() % 10'000);
    pool.Intern(Ids(members.begin(), members.end()));
  }
  EXPECT_EQ(pool.MembershipCount(), 1'000'000u);
  EXPECT_LT(pool.MemoryBytes(), 1000u * (10'000 / 8 + 200) + (1u << 20));
}

// The reader only learns of a set through the release store of its id: the thread sanitizer watches this one.
TEST(IdSetPool, ReadersSeeSetsWhileTheWriterGoesOn) {
  IdSetPool pool;
  std::atomic<IdSetId> published{kEmptyIdSet};
  constexpr IdSetId kSets = 20'000;
  std::thread reader([&] {
    for (IdSetId seen = 0; seen < kSets;) {
      seen = published.load(std::memory_order_acquire);
      if (seen == kEmptyIdSet) continue;
      EXPECT_TRUE(pool.Contains(seen, seen) && pool.Contains(seen, seen + 7));
    }
  });
  for (IdSetId next = 1; next <= kSets; ++next) {
    ASSERT_EQ(pool.Intern(Ids{next, next + 7}), next);
    published.store(next, std::memory_order_release);
  }
  reader.join();
}

TEST(StableVector, ElementsStayWhereTheyAre) {
  StableVector<int> vector;
  vector.push_back(0);
  const int* first = &vector[0];
  for (int i = 1; i < 100'000; ++i) EXPECT_EQ(vector.push_back(i), static_cast<std::uint32_t>(i));
  EXPECT_EQ(first, &vector[0]);
  for (std::uint32_t i = 0; i < 100'000; ++i) ASSERT_EQ(vector[i], static_cast<int>(i));
}

TEST(StableVector, WhatIsTakenBackTakesNoMemory) {
  StableVector<std::string> vector;
  for (int i = 0; i < 70; ++i) vector.push_back(std::to_string(i));
  const std::uint64_t bytes = vector.MemoryBytes();
  const std::string* first = &vector[0];
  for (const std::uint32_t added : {0, 1, 57, 58, 59, 10'000}) {  // chunks end at 64 and 192
    for (std::uint32_t i = 0; i < added; ++i) vector.push_back("more");
    vector.Truncate(70);
    ASSERT_EQ(vector.size(), 70u);
    ASSERT_EQ(vector.MemoryBytes(), bytes);
  }
  vector.Truncate(64);
  vector.Truncate(65);  // there are fewer
  ASSERT_EQ(vector.size(), 64u);
  EXPECT_EQ(vector.push_back("next"), 64u);
  EXPECT_EQ(first, &vector[0]);
  EXPECT_EQ(vector[63], "63");
  EXPECT_EQ(vector[64], "next");
}

}  // namespace
}  // namespace sluice
