#include "table/port_map.h"

#include <algorithm>

namespace sluice {
namespace {

struct Edge {
  std::uint32_t port;  // 0..65536
  std::uint32_t set;
  bool opens;
};

}  // namespace

PortMap PortMap::Build(std::span<const std::pair<std::uint32_t, const std::vector<PortRange>*>> sets, IdSetPool& pool) {
  PortMap map;
  if (sets.empty()) return map;
  auto classes = std::make_shared<std::array<IdSetId, 3 * 65536>>();
  for (std::size_t row = 0; row < kProtocols.size(); ++row) {
    std::vector<Edge> edges;
    for (const auto& [id, ranges] : sets) {
      for (const PortRange& range : *ranges) {
        if (range.protocol != kProtocols[row]) continue;
        edges.push_back({range.first, id, true});
        edges.push_back({range.last + 1u, id, false});
      }
    }
    std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.port < b.port; });
    std::vector<std::uint32_t> open;  // sorted set ids; ranges of one set are merged, so none opens twice
    for (std::size_t i = 0; i < edges.size();) {
      const std::uint32_t port = edges[i].port;
      for (; i < edges.size() && edges[i].port == port; ++i) {
        const auto place = std::lower_bound(open.begin(), open.end(), edges[i].set);
        if (edges[i].opens) {
          open.insert(place, edges[i].set);
        } else {
          open.erase(place);
        }
      }
      const std::uint32_t end = i < edges.size() ? edges[i].port : 65536;
      std::fill(classes->begin() + row * 65536 + port, classes->begin() + row * 65536 + end, pool.Intern(open));
    }
  }
  map.classes_ = std::move(classes);
  return map;
}

}  // namespace sluice
