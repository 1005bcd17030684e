// How old an answer may be, and for whom a new one is waited.
#include "page/remembered.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace sluice {
namespace {

using namespace std::chrono_literals;

// Goes on only when it is told to.
struct ToldClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<ToldClock>;
  static constexpr bool is_steady = true;

  static time_point now() { return time_point(duration(now_ns)); }
  static void GoOn(duration time) { now_ns += time.count(); }

  static inline std::atomic<rep> now_ns = 3'600'000'000'000;
};

class RememberedTest : public testing::Test {
 protected:
  int Get(std::chrono::milliseconds takes) {
    return *value_.Get(1s, [this, takes] {
      ToldClock::GoOn(takes);
      return ++made_;
    });
  }

  std::atomic<int> made_ = 0;
  Remembered<int, ToldClock> value_;
};

TEST_F(RememberedTest, IsMadeAnewOnceItIsOlderThanItsAge) {
  EXPECT_EQ(Get(0ms), 1);
  ToldClock::GoOn(1s);
  EXPECT_EQ(Get(0ms), 1);
  ToldClock::GoOn(1ms);
  EXPECT_EQ(Get(0ms), 2);
}

TEST_F(RememberedTest, WhatTakesLongIsMadeSeldom) {
  EXPECT_EQ(Get(300ms), 1);
  ToldClock::GoOn(3s);
  EXPECT_EQ(Get(300ms), 1);
}

TEST_F(RememberedTest, WhileANewOneIsMadeForLongTheOldOneIsGiven) {
  EXPECT_EQ(Get(300ms), 1);
  ToldClock::GoOn(3001ms);
  std::latch go_on(1);
  const auto slow = [&] {
    go_on.wait();
    return ++made_;
  };
  EXPECT_EQ(*value_.Get(1s, slow), 1);
  EXPECT_EQ(*value_.Get(1s, slow), 1) << "it is made once";
  go_on.count_down();
  while (Get(0ms) == 1) std::this_thread::yield();
  EXPECT_EQ(made_, 2);
}

TEST_F(RememberedTest, ForOneThatIsMuchTooOldANewOneIsWaited) {
  EXPECT_EQ(Get(300ms), 1);
  ToldClock::GoOn(6001ms);
  EXPECT_EQ(Get(300ms), 2);
}

}  // namespace
}  // namespace sluice
