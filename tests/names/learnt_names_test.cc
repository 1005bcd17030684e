#include "table/learnt_names.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace sluice {
namespace {

// Readers that are quiescent between any two of their looks, as many as there are counters.
class CountedGrace final : public GracePeriod {
 public:
  explicit CountedGrace(std::size_t readers) : seen_(readers) {}

  // A reader holds nothing from before.
  void Quiescent(std::size_t reader) { seen_[reader].store(now_.load()); }
  std::uint64_t Begin() override { return ++now_; }
  bool IsOver(std::uint64_t token) override {
    for (const auto& seen : seen_) {
      if (seen.load() < token) return false;
    }
    return true;
  }

 private:
  std::atomic<std::uint64_t> now_ = 0;
  std::vector<std::atomic<std::uint64_t>> seen_;
};

TEST(LearntNames, AnAddressHasWhatWasPutLast) {
  LearntNames names;
  const IpAddress address = IpAddress::V4(0xc0000201);
  EXPECT_EQ(names.Find(address), nullptr);
  names.Put(address, {{"a.example.com", 1}});
  names.Put(address, {{"a.example.com", 2}, {"b.example.com", 3}});
  ASSERT_NE(names.Find(address), nullptr);
  EXPECT_EQ(names.Find(address)->size(), 2u);
  EXPECT_EQ(names.Find(IpAddress::V6(0, 0xc0000201)), nullptr);
  EXPECT_EQ(names.size(), 1u);
  names.Put(address, {});
  EXPECT_EQ(names.Find(address), nullptr);
  EXPECT_EQ(names.size(), 0u);
}

TEST(LearntNames, ManyAddressesShareABucketAndEachKeepsItsOwn) {
  LearntNames names;
  constexpr std::uint32_t kCount = 200'000;
  for (std::uint32_t i = 0; i < kCount; ++i) names.Put(IpAddress::V4(i), {{"a.example.com", i}});
  for (std::uint32_t i = 0; i < kCount; i += 2) names.Put(IpAddress::V4(i), {});
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const auto* found = names.Find(IpAddress::V4(i));
    ASSERT_EQ(found != nullptr, i % 2 == 1) << i;
    if (found == nullptr) continue;
    ASSERT_EQ(found->at(0).until_ns, i);
  }
}

TEST(LearntNames, WhatAReaderMayHoldIsNotFreed) {
  CountedGrace grace(1);
  LearntNames names(&grace);
  const IpAddress address = IpAddress::V4(1);
  names.Put(address, {{"a.example.com", 1}});
  const auto* held = names.Find(address);
  names.Put(address, {{"a.example.com", 2}});
  names.Reclaim();
  EXPECT_EQ(names.retired_count(), 1u);
  EXPECT_EQ(held->at(0).until_ns, 1u);
  grace.Quiescent(0);
  names.Reclaim();
  EXPECT_EQ(names.retired_count(), 0u);
}

TEST(LearntNames, ReadersSeeWholeEntriesWhileTheWriterChangesThem) {
  constexpr std::size_t kReaders = 2;
  constexpr std::uint32_t kAddresses = 64;
  CountedGrace grace(kReaders);
  LearntNames names(&grace);
  std::atomic<bool> done = false;
  std::atomic<std::size_t> wrong = 0;
  std::vector<std::thread> readers;
  for (std::size_t reader = 0; reader < kReaders; ++reader) {
    readers.emplace_back([&, reader] {
      while (!done.load()) {
        for (std::uint32_t i = 0; i < kAddresses; ++i) {
          const auto* found = names.Find(IpAddress::V4(i));
          if (found == nullptr) continue;
          const std::string expected = "n" + std::to_string(i) + ".example.com";
          for (const LearntName& each : *found) wrong += each.name != expected || each.until_ns % kAddresses != i;
        }
        grace.Quiescent(reader);
      }
    });
  }
  for (std::uint64_t round = 0; round < 300; ++round) {
    for (std::uint32_t i = 0; i < kAddresses; ++i) {
      std::vector<LearntName> entry;
      if ((round + i) % 5 != 0) entry.push_back({"n" + std::to_string(i) + ".example.com", round * kAddresses + i});
      names.Put(IpAddress::V4(i), std::move(entry));
    }
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace sluice
