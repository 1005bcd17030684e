#include "resolve/port_index.h"

#include <algorithm>
#include <tuple>

namespace sluice {

PortIndex::PortIndex(const PodTable& pods) {
  // Distinct resolutions of a name are few in real clusters, but a tenant may make as many as it has pods.
  std::map<std::tuple<std::string_view, std::uint8_t, std::vector<std::uint16_t>>, std::uint32_t> known;
  std::vector<const ContainerPort*> ports;
  for (std::uint32_t number = 0; number < pods.size(); ++number) {
    ports.clear();
    for (const ContainerPort& port : pods.pod(number).ports) ports.push_back(&port);
    const auto less = [](const ContainerPort* a, const ContainerPort* b) {
      return std::tie(a->name, a->protocol, a->port) < std::tie(b->name, b->protocol, b->port);
    };
    std::sort(ports.begin(), ports.end(), less);
    for (std::size_t i = 0; i < ports.size();) {
      const ContainerPort& first = *ports[i];
      std::vector<std::uint16_t> numbers;
      for (; i < ports.size() && ports[i]->name == first.name && ports[i]->protocol == first.protocol; ++i) {
        if (numbers.empty() || numbers.back() != ports[i]->port) numbers.push_back(ports[i]->port);
      }
      Name& name = names_[{first.name, first.protocol}];
      const auto fresh = static_cast<std::uint32_t>(name.resolutions.size());
      const auto [place, added] = known.try_emplace({first.name, first.protocol, numbers}, fresh);
      if (added) name.resolutions.push_back({std::move(numbers), {}});
      name.resolutions[place->second].pods.add(number);
      name.holders.add(number);
      name.by_pod.emplace_back(number, place->second);
    }
  }
}

const PortIndex::Name* PortIndex::Find(std::uint8_t protocol, std::string_view name) const {
  const auto found = names_.find({name, protocol});
  return found == names_.end() ? nullptr : &found->second;
}

std::uint32_t PortIndex::ResolutionOf(const Name& name, std::uint32_t pod) {
  return std::lower_bound(name.by_pod.begin(), name.by_pod.end(), std::pair{pod, 0u})->second;
}

std::vector<PortResolution> PortIndex::Split(const PodSet& pods, std::uint8_t protocol, std::string_view text) const {
  const Name* name = Find(protocol, text);
  if (name == nullptr) return {};
  std::vector<PortResolution> parts;
  const PodSet holders = pods & name->holders;
  if (name->resolutions.size() <= holders.cardinality()) {
    for (const PortResolution& resolution : name->resolutions) {
      PodSet part = resolution.pods & holders;
      if (!part.isEmpty()) parts.push_back({resolution.numbers, std::move(part)});
    }
  } else {
    std::map<std::uint32_t, PodSet> by_resolution;
    for (const std::uint32_t pod : ToVector(holders)) by_resolution[ResolutionOf(*name, pod)].add(pod);
    for (auto& [place, part] : by_resolution) parts.push_back({name->resolutions[place].numbers, std::move(part)});
  }
  std::sort(parts.begin(), parts.end(),
            [](const PortResolution& a, const PortResolution& b) { return a.numbers < b.numbers; });
  return parts;
}

const std::vector<std::uint16_t>* PortIndex::Numbers(std::uint32_t pod, std::uint8_t protocol,
                                                     std::string_view text) const {
  const Name* name = Find(protocol, text);
  if (name == nullptr || !name->holders.contains(pod)) return nullptr;
  return &name->resolutions[ResolutionOf(*name, pod)].numbers;
}

}  // namespace sluice
