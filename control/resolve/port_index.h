// Named ports of pods: what a name stands for, each pod for itself (NP-51, NP-52).
#ifndef SLUICE_CONTROL_RESOLVE_PORT_INDEX_H_
#define SLUICE_CONTROL_RESOLVE_PORT_INDEX_H_

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "resolve/pod_set.h"
#include "resolve/pod_table.h"

namespace sluice {

// Pods for which a name stands for the same numbers. Numbers are sorted and unique.
struct PortResolution {
  std::vector<std::uint16_t> numbers;
  PodSet pods;
};

// Holds views into the pod table's cluster.
class PortIndex {
 public:
  explicit PortIndex(const PodTable& pods);

  // Splits `pods` by what they mean by `name` of `protocol`, sorted by numbers; pods without it are left out. No part
  // is empty. O(distinct resolutions of the name) bitmap operations, or O(pods), whichever is less.
  std::vector<PortResolution> Split(const PodSet& pods, std::uint8_t protocol, std::string_view name) const;

  // The numbers of one pod, or null.
  const std::vector<std::uint16_t>* Numbers(std::uint32_t pod, std::uint8_t protocol, std::string_view name) const;

 private:
  struct Name {
    PodSet holders;
    std::vector<PortResolution> resolutions;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> by_pod;  // pod, place in resolutions; ascending
  };

  const Name* Find(std::uint8_t protocol, std::string_view name) const;
  static std::uint32_t ResolutionOf(const Name& name, std::uint32_t pod);

  std::map<std::pair<std::string_view, std::uint8_t>, Name> names_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_PORT_INDEX_H_
