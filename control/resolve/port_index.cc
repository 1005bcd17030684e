#include "resolve/port_index.h"

#include <algorithm>

namespace sluice {
namespace {

void SortUnique(PortNumbers* numbers) {
  std::sort(numbers->begin(), numbers->end());
  numbers->erase(std::unique(numbers->begin(), numbers->end()), numbers->end());
}

std::map<std::pair<std::string, std::uint8_t>, PortNumbers> ByName(const std::vector<ContainerPort>& ports) {
  std::map<std::pair<std::string, std::uint8_t>, PortNumbers> names;
  for (const ContainerPort& port : ports) names[{port.name, port.protocol}].push_back(port.port);
  for (auto& [name, numbers] : names) SortUnique(&numbers);
  return names;
}

}  // namespace

PortNumbers NumbersOf(const std::vector<ContainerPort>& ports, std::uint8_t protocol, const std::string& name) {
  PortNumbers numbers;
  for (const ContainerPort& port : ports) {
    if (port.protocol == protocol && port.name == name) numbers.push_back(port.port);
  }
  SortUnique(&numbers);
  return numbers;
}

void PortIndex::Add(std::uint32_t pod, const std::vector<ContainerPort>& ports) {
  for (const auto& [name, numbers] : ByName(ports)) names_[name][numbers].add(pod);
}

void PortIndex::Remove(std::uint32_t pod, const std::vector<ContainerPort>& ports) {
  for (const auto& [name, numbers] : ByName(ports)) {
    const auto resolutions = names_.find(name);
    const auto pods = resolutions->second.find(numbers);
    pods->second.remove(pod);
    if (pods->second.isEmpty()) resolutions->second.erase(pods);
    if (resolutions->second.empty()) names_.erase(resolutions);
  }
}

const PortIndex::Resolutions* PortIndex::Find(std::uint8_t protocol, const std::string& name) const {
  const auto found = names_.find({name, protocol});
  return found == names_.end() ? nullptr : &found->second;
}

}  // namespace sluice
