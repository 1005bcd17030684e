// Finds the id of a content that the caller stores: only a hash and an id for each
// content, side by side. So interning many small things takes no memory block for each.
//
// For one thread.
#ifndef SLUICE_DATAPLANE_TABLE_ID_INDEX_H_
#define SLUICE_DATAPLANE_TABLE_ID_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sluice {

// Hashes words, one after the other.
inline std::uint64_t AddToHash(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0xff51afd7ed558ccdu;
  return hash ^ (hash >> 32);
}

class IdIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  bool empty() const { return size_ == 0; }
  std::uint64_t MemoryBytes() const { return slots_.capacity() * sizeof(Slot); }

  // The id with that hash for which is(id) holds. kNone: there is none.
  template <typename Is>
  std::uint32_t Find(std::uint64_t hash, Is is) const {
    if (slots_.empty()) return kNone;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = static_cast<std::uint32_t>(hash) & mask; slots_[at].id != kNone; at = (at + 1) & mask) {
      if (slots_[at].hash == static_cast<std::uint32_t>(hash) && is(slots_[at].id)) return slots_[at].id;
    }
    return kNone;
  }
  // Requires that the content is not in the index.
  void Add(std::uint64_t hash, std::uint32_t id) {
    if ((size_ + 1) * 2 > slots_.size()) Grow();
    Put({static_cast<std::uint32_t>(hash), id});
    ++size_;
  }
  template <typename Visit>  // visit(id), in no order
  void ForEach(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.id != kNone) visit(slot.id);
    }
  }
  // Forgets the ids from `first` on.
  void EraseFrom(std::uint32_t first) {
    std::vector<Slot> before(slots_.size());
    before.swap(slots_);
    size_ = 0;
    for (const Slot& slot : before) {
      if (slot.id >= first) continue;  // free slots, too
      Put(slot);
      ++size_;
    }
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;  // its lower half
    std::uint32_t id = kNone;
  };

  void Put(const Slot& slot) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = slot.hash & mask;
    while (slots_[at].id != kNone) at = (at + 1) & mask;
    slots_[at] = slot;
  }
  void Grow() {
    std::vector<Slot> before(slots_.empty() ? 64 : 2 * slots_.size());
    before.swap(slots_);
    for (const Slot& slot : before) {
      if (slot.id != kNone) Put(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half of them used
  std::size_t size_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_ID_INDEX_H_
