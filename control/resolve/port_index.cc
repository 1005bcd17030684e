#include "resolve/port_index.h"

#include <algorithm>
#include <tuple>

namespace sluice {
namespace {

void SortUnique(PortNumbers* numbers) {
  std::sort(numbers->begin(), numbers->end());
  numbers->erase(std::unique(numbers->begin(), numbers->end()), numbers->end());
}

// Calls `visit(name and protocol, numbers)` for each name.
template <typename Visit>
void ForEachName(const std::vector<ContainerPort>& ports, Visit visit) {
  std::vector<const ContainerPort*> sorted;
  sorted.reserve(ports.size());
  for (const ContainerPort& port : ports) sorted.push_back(&port);
  const auto name = [](const ContainerPort* port) { return std::tie(port->name, port->protocol); };
  std::sort(sorted.begin(), sorted.end(), [&](const auto* a, const auto* b) { return name(a) < name(b); });
  for (auto first = sorted.begin(); first != sorted.end();) {
    const auto last = std::find_if(first, sorted.end(), [&](const auto* port) { return name(port) != name(*first); });
    PortNumbers numbers;
    for (auto port = first; port != last; ++port) numbers.push_back((*port)->port);
    SortUnique(&numbers);
    visit(std::pair((*first)->name, (*first)->protocol), numbers);
    first = last;
  }
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
  ForEachName(ports, [&](const auto& name, const PortNumbers& numbers) { names_[name][numbers].add(pod); });
}

void PortIndex::Remove(std::uint32_t pod, const std::vector<ContainerPort>& ports) {
  ForEachName(ports, [&](const auto& name, const PortNumbers& numbers) {
    const auto resolutions = names_.find(name);
    const auto pods = resolutions->second.find(numbers);
    pods->second.remove(pod);
    if (pods->second.isEmpty()) resolutions->second.erase(pods);
    if (resolutions->second.empty()) names_.erase(resolutions);
  });
}

const PortIndex::Resolutions* PortIndex::Find(std::uint8_t protocol, const std::string& name) const {
  const auto found = names_.find({name, protocol});
  return found == names_.end() ? nullptr : &found->second;
}

}  // namespace sluice
