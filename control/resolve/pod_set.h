// A set of small numbers, compressed: numbers of pods or of namespaces (see ClusterState).
#ifndef SLUICE_CONTROL_RESOLVE_POD_SET_H_
#define SLUICE_CONTROL_RESOLVE_POD_SET_H_

#include <cstdint>
#include <roaring/roaring.hh>
#include <vector>

namespace sluice {

using PodSet = Roaring;

inline std::vector<std::uint32_t> ToVector(const PodSet& set) {
  std::vector<std::uint32_t> numbers(set.cardinality());
  set.toUint32Array(numbers.data());
  return numbers;
}

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_POD_SET_H_
