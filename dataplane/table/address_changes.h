// Which addresses a generation changed, and when each was last changed: what a live flow asks before it is judged anew.
//
// Kept by hash, so that some addresses share a fate: the answer may be "changed" of one that was not, never the
// reverse. Belongs to a Table; written while it is compiled, immutable after.
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

class AddressChanges {
 public:
  // Whether a verdict about this address may differ from what the table of `generation`, of this epoch, said. Of the
  // last change more is known than of those before it: a bit for each of many marks, which stay in a worker's
  // first-level cache, beside the generation of each of fewer stripes.
  bool Since(std::uint32_t generation, const IpAddress& address) const {
    const std::size_t hash = std::hash<IpAddress>{}(address);
    if (generation + 1 == generation_) return (marks_[hash % kMarks / 64] >> (hash % 64) & 1) != 0;
    return stripes_[hash % kStripes] > generation;
  }
  // How many marks the last change set.
  std::size_t marked() const {
    return std::accumulate(marks_.begin(), marks_.end(), std::size_t{0},
                           [](std::size_t sum, std::uint64_t word) { return sum + std::popcount(word); });
  }
  static constexpr std::size_t kMarks = 65536;

  // A generation that has changed nothing yet since `before`, the one before it.
  void Begin(std::uint32_t generation, const AddressChanges& before) {
    generation_ = generation;
    stripes_ = before.stripes_;
  }
  // A generation that may have changed everything.
  void BeginWithAll(std::uint32_t generation) {
    generation_ = generation;
    stripes_.fill(generation);
    marks_.fill(~std::uint64_t{0});
  }
  void Add(const IpAddress& address) {
    const std::size_t hash = std::hash<IpAddress>{}(address);
    marks_[hash % kMarks / 64] |= std::uint64_t{1} << (hash % 64);
    stripes_[hash % kStripes] = generation_;
  }

 private:
  static constexpr std::size_t kStripes = 16384;

  std::uint32_t generation_ = 0;
  std::array<std::uint64_t, kMarks / 64> marks_{};  // changed by this generation
  std::array<std::uint32_t, kStripes> stripes_{};   // the generation that changed it last
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_ADDRESS_CHANGES_H_
