// Sets of small integers, stored once each (interned by content).
//
// Policy is full of sets that many addresses share: the groups that hold a pod, the sections that bind it. Each
// distinct set is stored once and named by an IdSetId; equal ids mean equal sets and unequal ids unequal sets, so a set
// compares in one instruction. A set takes the smaller of two forms, a sorted array or a bitmap, so memory is at most
// min(4 bytes x members, range / 8), which keeps 100,000 sets of 1,000 ids out of 10,000 at 125 MB.
//
// Append-only: an id never changes its meaning and stored bytes never move. One writer calls Intern. Readers on other
// threads may call the const functions with ids that reached them after the Intern that made them (through a release
// store and an acquire load of whatever carries the id), while the writer goes on interning.
#ifndef SLUICE_ID_SET_H_
#define SLUICE_ID_SET_H_

#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sluice/stable_vector.h"

namespace sluice {

using IdSetId = std::uint32_t;
inline constexpr IdSetId kEmptyIdSet = 0;

class IdSetPool {
 public:
  IdSetPool();
  ~IdSetPool();
  IdSetPool(IdSetPool&&) noexcept;
  IdSetPool& operator=(IdSetPool&&) noexcept;

  // Returns the id of the set of these ids, which must ascend strictly. The empty set is kEmptyIdSet. Amortised O(n).
  IdSetId Intern(std::span<const std::uint32_t> sorted);

  // O(1) for a bitmap, O(log n) for an array.
  bool Contains(IdSetId set, std::uint32_t id) const;
  std::uint32_t Size(IdSetId set) const { return sets_[set].count; }
  bool IsBitmap(IdSetId set) const { return sets_[set].words != 0; }

  // Calls `visit(id)` for each member in ascending order.
  template <typename Visit>
  void ForEach(IdSetId set, Visit visit) const;
  // Members in ascending order.
  std::vector<std::uint32_t> ToVector(IdSetId set) const;

  // Equal: the same sets under the same ids.
  friend bool operator==(const IdSetPool& a, const IdSetPool& b);

  // Distinct sets, the empty one included: ids run from 0 to SetCount() - 1.
  std::uint32_t SetCount() const { return sets_.size(); }
  // Sum of Size over all distinct sets.
  std::uint64_t MembershipCount() const { return memberships_; }
  // Bytes held, the index included.
  std::uint64_t MemoryBytes() const;

 private:
  struct Set {
    const std::uint32_t* data = nullptr;  // sorted ids, or bitmap words
    std::uint32_t count = 0;
    std::uint32_t words = 0;       // > 0: `data` is a bitmap of that many 32-bit words
    std::uint32_t first_word = 0;  // bitmap: id / 32 of the first word
  };

  const std::uint32_t* Store(std::span<const std::uint32_t> words);
  bool Equals(const Set& set, std::span<const std::uint32_t> sorted) const;
  void Rehash(std::size_t slots);

  StableVector<Set> sets_;
  std::vector<std::uint64_t> hashes_;  // by set id; writer only
  std::vector<IdSetId> index_;         // open addressing by content hash, 0 = free; writer only
  std::vector<std::unique_ptr<std::uint32_t[]>> blocks_;
  std::uint32_t* free_ = nullptr;
  std::size_t free_words_ = 0;
  std::uint64_t block_bytes_ = 0;
  std::uint64_t memberships_ = 0;
};

template <typename Visit>
void IdSetPool::ForEach(IdSetId set_id, Visit visit) const {
  const Set& set = sets_[set_id];
  if (set.words == 0) {
    for (std::uint32_t i = 0; i < set.count; ++i) visit(set.data[i]);
    return;
  }
  for (std::uint32_t word = 0; word < set.words; ++word) {
    for (std::uint32_t bits = set.data[word]; bits != 0; bits &= bits - 1) {
      visit((set.first_word + word) * 32 + static_cast<std::uint32_t>(std::countr_zero(bits)));
    }
  }
}

}  // namespace sluice

#endif  // SLUICE_ID_SET_H_
