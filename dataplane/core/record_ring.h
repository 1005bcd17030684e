// A bounded ring of records with bytes, from one worker to one reader.
// A record that finds no room is only counted: the worker never waits.
#ifndef SLUICE_DATAPLANE_CORE_RECORD_RING_H_
#define SLUICE_DATAPLANE_CORE_RECORD_RING_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "core/counters.h"
#include "core/prefetch.h"

namespace sluice {

// `Header`: the part of a record before its bytes. It is never destroyed.
template <typename Header>
class RecordRing {
 public:
  static_assert(std::is_trivially_destructible_v<Header>);

  // `capacity`: bytes, including those of headers; a power of two. Reserve allocates the memory.
  explicit RecordRing(std::size_t capacity) : capacity_(capacity) {}

  // For the reader, before the worker puts anything: the first call allocates the memory.
  void Reserve() {
    if (bytes_ == nullptr) bytes_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
  }

  // For the worker's thread.

  // Requires memory. Returns false if there was no room.
  bool Put(const Header& header, std::span<const std::uint8_t> bytes) {
    constexpr std::uint64_t kAligned = alignof(Record);
    const std::uint64_t size = (sizeof(Record) + bytes.size() + kAligned - 1) & ~(kAligned - 1);
    std::uint64_t put = put_.load(std::memory_order_relaxed);
    const std::uint64_t rest = capacity_ - (put & (capacity_ - 1));
    const std::uint64_t needed = size <= rest ? size : rest + size;
    if (put + needed - taken_seen_ > capacity_) {
      taken_seen_ = taken_.load(std::memory_order_acquire);
      if (put + needed - taken_seen_ > capacity_) {
        overflowed_.Add(1);
        return false;
      }
    }
    if (size > rest) {
      *reinterpret_cast<Size*>(&bytes_[put & (capacity_ - 1)]) = {static_cast<std::uint32_t>(rest), kSkip};
      put += rest;
    }
    std::byte* place = &bytes_[put & (capacity_ - 1)];
    new (place) Record{{static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(bytes.size())}, header};
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(place + sizeof(Record)));
    put_.store(put + size, std::memory_order_release);
    FetchRoom(put + size);
    return true;
  }
  // Whether there is room for a record with this many bytes; if not, a lost record is
  // counted. While there is no room, this does not read the reader's position each time: the
  // reader writes it for each record that it takes, so reading it takes as long as a drop.
  bool HasRoom(std::size_t bytes) {
    constexpr std::uint32_t kLooksAt = 64;
    const std::uint64_t needed = put_.load(std::memory_order_relaxed) + sizeof(Record) + bytes;
    if (needed - taken_seen_ <= capacity_) return true;
    if (turned_away_++ % kLooksAt == 0) {
      taken_seen_ = taken_.load(std::memory_order_acquire);
      if (needed - taken_seen_ <= capacity_) {
        turned_away_ = 0;
        return true;
      }
    }
    overflowed_.Add(1);
    return false;
  }
  // Names the last record that was put.
  std::uint64_t mark() const { return put_.load(std::memory_order_relaxed); }
  // Whether the reader is done with that record. If so, the caller also sees what the reader did because of the record.
  bool IsTaken(std::uint64_t mark) const { return taken_.load(std::memory_order_acquire) >= mark; }

  // For the reader's thread.

  // Calls visit(const Header&, std::span<const std::uint8_t> bytes) for
  // up to `most` records, oldest first. Returns how many there were.
  template <typename Visit>
  std::size_t Take(std::size_t most, Visit visit) {
    if (bytes_ == nullptr) return 0;
    const std::uint64_t end = put_.load(std::memory_order_acquire);
    std::uint64_t at = taken_.load(std::memory_order_relaxed);
    std::size_t count = 0;
    while (at != end && count < most) {
      const std::byte* place = &bytes_[at & (capacity_ - 1)];
      const Size size = *reinterpret_cast<const Size*>(place);
      if (size.bytes != kSkip) {
        const Record& record = *reinterpret_cast<const Record*>(place);
        visit(record.header, std::span(reinterpret_cast<const std::uint8_t*>(place + sizeof(Record)), size.bytes));
        ++count;
      }
      at += size.all;
      taken_.store(at, std::memory_order_release);
    }
    return count;
  }

  // Any thread: records that found no room, since start.
  std::uint64_t overflowed() const { return overflowed_.value(); }

 private:
  static constexpr std::uint32_t kSkip = std::numeric_limits<std::uint32_t>::max();  // no record up to the memory's end
  struct Size {
    std::uint32_t all;  // of this record in all, a multiple of alignof(Record)
    std::uint32_t bytes;
  };
  struct Record {
    Size size;
    Header header;
  };
  static_assert(sizeof(Size) == alignof(Record));

  // Prefetches the lines that the next record will most likely be written to; the reader has read them.
  void FetchRoom(std::uint64_t at) const {
    constexpr std::uint64_t kLine = 64, kLines = (sizeof(Record) + kLine - 1) / kLine + 1;
    for (std::uint64_t i = 0; i < kLines; ++i) PrefetchToWrite(&bytes_[(at + i * kLine) & (capacity_ - 1)]);
  }

  const std::size_t capacity_;
  std::unique_ptr<std::byte[]> bytes_;
  Counter overflowed_;
  std::uint64_t taken_seen_ = 0;                      // `taken_` as the worker last saw it
  std::uint32_t turned_away_ = 0;                     // lost records since there last was room
  alignas(64) std::atomic<std::uint64_t> put_ = 0;    // bytes ever put; written by the worker
  alignas(64) std::atomic<std::uint64_t> taken_ = 0;  // bytes ever taken; written by the reader
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_RECORD_RING_H_
