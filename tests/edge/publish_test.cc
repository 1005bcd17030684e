// Publishing tables and passing frames between threads, without EAL, so that the thread sanitizer sees all of it.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "core/counters.h"
#include "edge/frame_ring.h"
#include "edge/frame_wait.h"
#include "edge/readers.h"
#include "edge/table_slot.h"
#include "table/compile.h"

namespace sluice {
namespace {

std::shared_ptr<const Table> NextTable(Compiler& compiler) {
  return std::get<std::shared_ptr<const Table>>(compiler.Compile(ResolvedPolicy{}));
}

TEST(TableSlot, ReadersSeeOnlyWholeTablesInAscendingOrderWhileTablesAreSwapped) {
  constexpr std::uint32_t kReaders = 3;
  Compiler compiler;
  Readers readers(kReaders);
  TableSlot slot(readers, compiler.EmptyTable());
  std::atomic<bool> stop{false};
  std::atomic<int> went_back{0};
  std::atomic<std::uint32_t> ready{0};

  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kReaders; ++i) {
    threads.emplace_back([&, i] {
      readers.Join(i);
      ready.fetch_add(1);
      std::uint64_t last = 0;
      while (!stop) {
        const Table* table = slot.Get();
        if (table->generation() < last) ++went_back;
        last = table->generation();
        table->Lookup(IpAddress::V4(0x0a000001));
        readers.Quiescent(i);
      }
      readers.Leave(i);
    });
  }
  while (ready < kReaders) std::this_thread::yield();
  std::vector<std::weak_ptr<const Table>> published;
  for (int i = 0; i < 200; ++i) {
    auto table = NextTable(compiler);
    published.push_back(table);
    slot.Publish(std::move(table));
    slot.Reclaim();
  }
  while (slot.retired_count() > 0) {
    slot.Reclaim();
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(went_back, 0);
  EXPECT_EQ(slot.current()->generation(), 200u);
  for (std::size_t i = 0; i + 1 < published.size(); ++i) EXPECT_TRUE(published[i].expired()) << i;
}

TEST(TableSlot, OldTableLivesWhileAReaderHasNotBeenQuiescent) {
  Compiler compiler;
  Readers readers(1);
  TableSlot slot(readers, NextTable(compiler));
  readers.Join(0);
  const std::weak_ptr<const Table> old = slot.current();
  slot.Publish(NextTable(compiler));
  slot.Reclaim();
  EXPECT_FALSE(old.expired());
  readers.Quiescent(0);
  slot.Reclaim();
  EXPECT_TRUE(old.expired());
  readers.Leave(0);
}

TEST(TableSlot, WorkerThatLeftHoldsNothingUp) {
  Compiler compiler;
  Readers readers(2);
  TableSlot slot(readers, NextTable(compiler));
  readers.Join(0);
  readers.Leave(0);
  slot.Publish(NextTable(compiler));
  slot.Reclaim();
  EXPECT_EQ(slot.retired_count(), 0u);
}

TEST(FrameRing, FramesArriveWholeAndInOrder) {
  constexpr std::uint32_t kFrames = 60000;
  FrameRing ring(256);
  // What a frame holds is written by the producer before it is put, and read by the consumer after it is taken.
  std::vector<std::uint32_t> contents(kFrames);
  std::thread producer([&] {
    std::uint32_t next = 0;
    while (next < kFrames) {
      void* burst[32];
      std::uint32_t count = 0;
      for (; count < 32 && next + count < kFrames; ++count) {
        contents[next + count] = next + count + 1;
        burst[count] = &contents[next + count];
      }
      const std::uint32_t put = ring.Put(burst, count);
      next += put;
      if (put == 0) std::this_thread::yield();
    }
  });
  std::uint32_t taken = 0;
  while (taken < kFrames) {
    void* burst[64];
    const std::uint32_t count = ring.Take(burst, 64);
    for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(*static_cast<std::uint32_t*>(burst[i]), ++taken);
    if (count == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_TRUE(ring.empty());
}

TEST(FrameRing, FullRingTakesTheFirstAndLeavesTheRest) {
  FrameRing ring(3);
  int frames[8];
  void* burst[8];
  for (int i = 0; i < 8; ++i) burst[i] = &frames[i];
  const std::uint32_t taken = ring.Put(burst, 8);
  EXPECT_GE(taken, 3u);
  EXPECT_LT(taken, 8u);
  void* out[8];
  ASSERT_EQ(ring.Take(out, 8), taken);
  for (std::uint32_t i = 0; i < taken; ++i) EXPECT_EQ(out[i], &frames[i]);
}

TEST(Counter, AnotherThreadReadsWhileTheOwnerCounts) {
  Counter counter;
  std::atomic<bool> stop{false};
  std::thread owner([&] {
    while (!stop) counter.Add(1);
  });
  std::uint64_t last = 0;
  for (int i = 0; i < 1000 || last == 0; ++i) {
    const std::uint64_t now = counter.value();
    EXPECT_GE(now, last);
    last = now;
    if (last == 0) std::this_thread::yield();
  }
  stop = true;
  owner.join();
}

constexpr std::chrono::hours kForever(1);  // a test that waits so long has failed

TEST(Readers, OneThatPausesIsNotWaitedFor) {
  Readers readers(1);
  readers.Join(0);
  const Readers::Token before = readers.Retire();
  EXPECT_FALSE(readers.Passed(before));
  readers.Pause(0);
  EXPECT_TRUE(readers.Passed(before));
  EXPECT_TRUE(readers.Passed(readers.Retire()));
  readers.Resume(0);
  const Readers::Token after = readers.Retire();
  EXPECT_FALSE(readers.Passed(after));
  readers.Quiescent(0);
  EXPECT_TRUE(readers.Passed(after));
  readers.Leave(0);
}

TEST(FrameWait, AWakeEndsTheWaitOrTheNextOne) {
  FrameWait wait;
  wait.Wake();
  EXPECT_TRUE(wait.Wait(kForever));
  std::thread other([&] { wait.Wake(); });
  wait.Clear();
  EXPECT_TRUE(wait.Wait(kForever));
  other.join();
}

TEST(FrameWait, ASocketThatCanBeReadEndsTheWait) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends.data()), 0);
  FrameWait wait;
  wait.Add(ends[0]);
  std::thread other([&] { EXPECT_EQ(write(ends[1], "x", 1), 1); });
  EXPECT_TRUE(wait.Wait(kForever));
  other.join();
  EXPECT_TRUE(wait.Wait(kForever)) << "as long as it is not read";
  wait.Clear();
  EXPECT_TRUE(wait.Wait(std::chrono::milliseconds(1)));
  close(ends[0]);
  close(ends[1]);
}

TEST(FrameWait, ASocketAtFaultIsSaid) {
  FrameWait wait;
  wait.Add(1 << 20);  // no such descriptor
  EXPECT_FALSE(wait.Wait(kForever));
}

TEST(PacketSockets, AreThoseOfTheRightKind) {
  const int plain = socket(AF_UNIX, SOCK_DGRAM, 0);
  const int packet = socket(AF_PACKET, SOCK_RAW, 0);
  if (packet < 0) {
    close(plain);
    GTEST_SKIP() << "needs CAP_NET_RAW";
  }
  const std::vector<int> found = PacketSockets();
  EXPECT_EQ(std::count(found.begin(), found.end(), packet), 1);
  EXPECT_EQ(std::count(found.begin(), found.end(), plain), 0);
  close(plain);
  close(packet);
}

}  // namespace
}  // namespace sluice
