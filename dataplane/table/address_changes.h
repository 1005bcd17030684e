// Which addresses a generation changed, and when each address last changed. A live flow asks before it is judged anew.
//
// Addresses are noted by hash, so some share a note: the answer may be "changed" for an address that did not
// change, never the reverse. Belongs to a Table: written while the table is compiled, immutable afterwards.
#ifndef SLUICE_DATAPLANE_TABLE_ADDRESS_CHANGES_H_
#define SLUICE_DATAPLANE_TABLE_ADDRESS_CHANGES_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>

#include "sluice/address.h"

namespace sluice {

// The generation whose lower half is `lower`, if it is `current` or one of the 2^32 - 1 before it. Flows and
// stripes store only the lower half. Zero there means no generation: only the empty table has a lower half of zero.
constexpr std::uint64_t WholeGeneration(std::uint64_t current, std::uint32_t lower) {
  return current - static_cast<std::uint32_t>(static_cast<std::uint32_t>(current) - lower);
}

class AddressChanges {
 public:
  // Whether a verdict about this address may differ from the verdict of the table of `generation`, of
  // this epoch. More is known about the last change than about earlier ones: one bit for each of many
  // marks, which stay in a worker's first-level cache, besides the generation of each of fewer stripes.
  bool Since(std::uint64_t generation, const IpAddress& address) const {
    if (generation + 1 == generation_) return InLast(address);
    const std::size_t hash = std::hash<IpAddress>{}(address);
    return WholeGeneration(generation_, stripes_[hash % kStripes]) > generation;
  }
  // The same, if `generation` is the one before this table's.
  bool InLast(const IpAddress& address) const {
    const std::size_t hash = std::hash<IpAddress>{}(address);
    return (marks_[hash % kMarks / 64] >> (hash % 64) & 1) != 0;
  }
  // How many marks the last change set.
  std::size_t marked() const {
    return std::accumulate(marks_.begin(), marks_.end(), std::size_t{0},
                           [](std::size_t sum, std::uint64_t word) { return sum + std::popcount(word); });
  }
  static constexpr std::size_t kMarks = 65536;

  // The lower half of the generation of each stripe's last change
  // (WholeGeneration), for code that looks after flows outside of the workers.
  static constexpr std::size_t kStripes = 16384;
  const std::array<std::uint32_t, kStripes>& stripes() const { return stripes_; }
  static std::size_t StripeOf(const IpAddress& address) { return std::hash<IpAddress>{}(address) % kStripes; }

  // Begins a generation that has not changed anything yet since `before`, the generation before it.
  void Begin(std::uint64_t generation, const AddressChanges& before) {
    generation_ = generation;
    stripes_ = before.stripes_;
  }
  // Begins a generation that may have changed everything.
  void BeginWithAll(std::uint64_t generation) {
    generation_ = generation;
    stripes_.fill(static_cast<std::uint32_t>(generation));
    marks_.fill(~std::uint64_t{0});
  }
  void AddAll() { BeginWithAll(generation_); }
  // Notes the changes of another table's last generation as changes of this generation, too.
  void Join(const AddressChanges& other) {
    static_assert(kMarks % kStripes == 0);
    for (std::size_t word = 0; word < marks_.size(); ++word) {
      marks_[word] |= other.marks_[word];
      for (std::uint64_t left = other.marks_[word]; left != 0; left &= left - 1) {
        const std::size_t mark = word * 64 + static_cast<std::size_t>(std::countr_zero(left));
        stripes_[mark % kStripes] = static_cast<std::uint32_t>(generation_);
      }
    }
  }
  void Add(const IpAddress& address) {
    const std::size_t hash = std::hash<IpAddress>{}(address);
    marks_[hash % kMarks / 64] |= std::uint64_t{1} << (hash % 64);
    stripes_[hash % kStripes] = static_cast<std::uint32_t>(generation_);
  }

 private:
  std::uint64_t generation_ = 0;
  std::array<std::uint64_t, kMarks / 64> marks_{};  // changed by this generation
  // The lower half of the generation that changed the stripe last. If nothing changed a stripe for
  // 2^32 generations, it looks as if it changed just now: its flows are judged once more than needed.
  std::array<std::uint32_t, kStripes> stripes_{};
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_ADDRESS_CHANGES_H_
