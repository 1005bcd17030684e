// Named ports of pods: the numbers that a name stands for, for each pod by itself (NP-51, NP-52).
#ifndef SLUICE_CONTROL_RESOLVE_PORT_INDEX_H_
#define SLUICE_CONTROL_RESOLVE_PORT_INDEX_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/objects.h"
#include "resolve/pod_set.h"

namespace sluice {

using PortNumbers = std::vector<std::uint16_t>;  // sorted, unique

// The numbers that the name with the protocol stands for among a pod's ports; empty: it stands for none.
PortNumbers NumbersOf(const std::vector<ContainerPort>& ports, std::uint8_t protocol, const std::string& name);

class PortIndex {
 public:
  void Add(std::uint32_t pod, const std::vector<ContainerPort>& ports);
  void Remove(std::uint32_t pod, const std::vector<ContainerPort>& ports);

  // The pods, by the numbers that a name stands for on them.
  using Resolutions = std::map<PortNumbers, PodSet>;
  // Null if no pod has the name.
  const Resolutions* Find(std::uint8_t protocol, const std::string& name) const;

 private:
  std::map<std::pair<std::string, std::uint8_t>, Resolutions> names_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_PORT_INDEX_H_
