// A set of pod numbers (see PodTable), compressed.
#ifndef SLUICE_CONTROL_RESOLVE_POD_SET_H_
#define SLUICE_CONTROL_RESOLVE_POD_SET_H_

#include <cstdint>
#include <roaring/roaring.hh>
#include <vector>

namespace sluice {

using PodSet = Roaring;

// Numbers first <= n < end.
struct PodRange {
  std::uint32_t first = 0;
  std::uint32_t end = 0;

  bool empty() const { return first == end; }
};

inline PodSet ToSet(PodRange range) {
  PodSet set;
  if (!range.empty()) set.addRange(range.first, range.end);
  return set;
}

inline std::vector<std::uint32_t> ToVector(const PodSet& set) {
  std::vector<std::uint32_t> numbers(set.cardinality());
  set.toUint32Array(numbers.data());
  return numbers;
}

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_POD_SET_H_
