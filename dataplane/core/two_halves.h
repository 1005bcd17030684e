// What a worker gathers for one reader: it writes into one half while the reader empties the other, and never waits.
#ifndef SLUICE_DATAPLANE_CORE_TWO_HALVES_H_
#define SLUICE_DATAPLANE_CORE_TWO_HALVES_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sluice {

// Entries in the order in which they came, and an index with twice as many slots. `Entry` has a `key`.
template <typename Entry>
class KeyedList {
 public:
  explicit KeyedList(std::uint32_t most) : entries_(most), slots_(std::bit_ceil(std::size_t{2} * most + 2)) {}

  // The entry with that key; a new one if there is none. Null: there is no room.
  template <typename Key>
  Entry* Find(std::uint64_t hash, const Key& key) {
    const std::size_t mask = slots_.size() - 1;  // never more than half of the slots are taken
    std::size_t slot = hash & mask;
    while (slots_[slot] != 0) {
      Entry& entry = entries_[slots_[slot] - 1];
      if (entry.key == key) return &entry;
      slot = (slot + 1) & mask;
    }
    if (count_ == entries_.size()) return nullptr;
    Entry& entry = entries_[count_++];
    slots_[slot] = count_;
    entry = Entry();
    entry.key = key;
    return &entry;
  }
  // Calls visit(const Entry&) for each entry, then removes all.
  template <typename Visit>
  void Take(Visit visit) {
    for (std::uint32_t i = 0; i < count_; ++i) visit(static_cast<const Entry&>(entries_[i]));
    if (count_ != 0) std::fill(slots_.begin(), slots_.end(), 0);
    count_ = 0;
  }

 private:
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> slots_;  // 0, or 1 + an entry's number
  std::uint32_t count_ = 0;
};

template <typename Half>
class TwoHalves {
 public:
  template <typename... Arguments>
  explicit TwoHalves(const Arguments&... arguments) : halves_{Half(arguments...), Half(arguments...)} {}

  // For the worker: the half to write into.
  Half& half() {
    Turn();
    return halves_[turned_.load(std::memory_order_relaxed) & 1];
  }
  // For the worker, from time to time, so that what it wrote does not wait until it writes again.
  void Turn() {
    const std::uint32_t asked = asked_.load(std::memory_order_acquire);  // the reader's half is empty
    if (asked != turned_.load(std::memory_order_relaxed)) turned_.store(asked, std::memory_order_release);
  }

  // For the reader. Asks the worker to go on in the other half; once IsTurned, Take
  // gives this half's content. Requires that the half of the last Ask was taken.
  void Ask() { asked_.store(asked_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  bool IsTurned() const { return turned_.load(std::memory_order_acquire) == asked_.load(std::memory_order_relaxed); }
  // Requires IsTurned after Ask.
  template <typename Visit>
  void Take(Visit visit) {
    halves_[(asked_.load(std::memory_order_relaxed) - 1) & 1].Take(std::move(visit));
  }
  // Takes all that is left. Requires that the worker has ended.
  template <typename Visit>
  void TakeAll(Visit visit) {
    for (Half& half : halves_) half.Take(visit);
  }

 private:
  std::array<Half, 2> halves_;
  alignas(64) std::atomic<std::uint32_t> asked_ = 0;   // halves that the reader asked for; the lowest bit names one
  alignas(64) std::atomic<std::uint32_t> turned_ = 0;  // ... and that the worker turned to
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_TWO_HALVES_H_
