// Named ports of pods: what a name stands for, each pod for itself (NP-51, NP-52).
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

// What the name of the protocol stands for among a pod's ports; empty for nothing.
PortNumbers NumbersOf(const std::vector<ContainerPort>& ports, std::uint8_t protocol, const std::string& name);

class PortIndex {
 public:
  void Add(std::uint32_t pod, const std::vector<ContainerPort>& ports);
  void Remove(std::uint32_t pod, const std::vector<ContainerPort>& ports);

  // Pods by what they mean by a name.
  using Resolutions = std::map<PortNumbers, PodSet>;
  // Null where no pod has the name.
  const Resolutions* Find(std::uint8_t protocol, const std::string& name) const;

 private:
  std::map<std::pair<std::string, std::uint8_t>, Resolutions> names_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_PORT_INDEX_H_
