// Makes ascending ids without duplicates from ids in any order.
#ifndef SLUICE_DATAPLANE_TABLE_ID_SORTER_H_
#define SLUICE_DATAPLANE_TABLE_ID_SORTER_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <vector>

namespace sluice {

// Reused for many lists. Long lists go through a bitmap: for a subject of
// a thousand policies, a thousand bits are set, and nothing is sorted.
class IdSorter {
 public:
  void Clear() { ids_.clear(); }
  void Add(std::uint32_t id) { ids_.push_back(id); }
  const std::vector<std::uint32_t>& Sort() {
    if (std::is_sorted(ids_.begin(), ids_.end(), std::less_equal<>())) return ids_;
    const std::uint32_t largest = *std::max_element(ids_.begin(), ids_.end());
    if (ids_.size() < 32 || largest / 64 > ids_.size() * 8) {
      std::sort(ids_.begin(), ids_.end());
      ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
      return ids_;
    }
    words_.assign(largest / 64 + 1, 0);
    for (const std::uint32_t id : ids_) words_[id / 64] |= std::uint64_t{1} << (id % 64);
    ids_.clear();
    for (std::uint32_t word = 0; word < words_.size(); ++word) {
      for (std::uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
        ids_.push_back(word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
      }
    }
    return ids_;
  }

 private:
  std::vector<std::uint32_t> ids_;
  std::vector<std::uint64_t> words_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_ID_SORTER_H_
