#include "core/rule_counters.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sluice {
namespace {

TEST(RuleCounters, AddAndGet) {
  RuleCounters counters;
  counters.Reserve(5000);
  counters.Begin(7);
  for (const RuleId rule : {RuleId{1}, RuleId{1023}, RuleId{1024}, RuleId{4999}}) {
    counters.Add(rule, 2, 100, 50);
    counters.Add(rule, 3, 200, 40);
    const RuleCount count = counters.Get(7, rule);
    EXPECT_EQ(count.packets, 5u);
    EXPECT_EQ(count.bytes, 300u);
    EXPECT_EQ(count.last_hit_ns, 50u);
  }
  EXPECT_EQ(counters.Get(7, 2).packets, 0u);
  EXPECT_EQ(counters.Get(7, 1u << 20).packets, 0u);  // no room was made for it
  counters.Add(kNoRule, 1, 1, 1);
  EXPECT_EQ(counters.Get(7, kNoRule).packets, 0u);
}

TEST(RuleCounters, ANewEpochBeginsWithNothing) {
  RuleCounters counters;
  counters.Reserve(10);
  counters.Begin(1);
  counters.Add(3, 4, 400, 9);
  counters.Add(4, 1, 1, 1);
  counters.Begin(2);
  EXPECT_EQ(counters.Get(1, 3).packets, 0u);
  EXPECT_EQ(counters.Get(2, 3).packets, 0u);
  counters.Add(3, 1, 10, 5);
  EXPECT_EQ(counters.Get(2, 3).packets, 1u);
  EXPECT_EQ(counters.Get(2, 3).bytes, 10u);
  EXPECT_EQ(counters.Get(2, 3).last_hit_ns, 5u);
  EXPECT_EQ(counters.Get(2, 4).last_hit_ns, 0u);
}

// Who reads an epoch sees what was counted in it, or nothing where it is over: never what another counted.
TEST(RuleCounters, ReadersSeeOneEpochOnly) {
  RuleCounters counters;
  counters.Reserve(4);
  counters.Begin(1);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (std::uint64_t epoch = 1; epoch < 200'000; ++epoch) {
      counters.Begin(epoch);
      for (int i = 0; i < 3; ++i) counters.Add(1, epoch, epoch, epoch);
    }
    done = true;
  });
  while (!done) {
    const std::uint64_t epoch = counters.epoch();
    const RuleCount count = counters.Get(epoch, 1);
    EXPECT_EQ(count.packets % epoch, 0u);
    EXPECT_LE(count.packets, 3 * epoch);
    EXPECT_TRUE(count.last_hit_ns == 0 || count.last_hit_ns == epoch) << count.last_hit_ns << " in " << epoch;
  }
  writer.join();
  EXPECT_EQ(counters.Get(199'999, 1).packets, 3u * 199'999);
}

}  // namespace
}  // namespace sluice
