#include "table/port_map.h"

#include <algorithm>

namespace sluice {
namespace {

struct Edge {
  std::uint32_t port;  // 0..65536
  std::uint32_t set;
  bool opens;
};

constexpr std::array<std::uint8_t, kPortRows> kProtocols = {kProtoTcp, kProtoUdp, kProtoSctp};

// Calls fill(first, end, ids of the sets that hold these ports, ascending) for each run of ports from the first one
// that a set names. False: none does.
template <typename Fill>
bool Sweep(PortSets sets, std::uint8_t protocol, Fill fill) {
  std::vector<Edge> edges;
  for (const auto& [id, ranges] : sets) {
    for (const PortRange& range : *ranges) {
      if (range.protocol != protocol) continue;
      edges.push_back({range.first, id, true});
      edges.push_back({range.last + 1u, id, false});
    }
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.port < b.port; });
  std::vector<std::uint32_t> open;  // ranges of one set are merged, so none opens twice
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
    fill(port, i < edges.size() ? edges[i].port : 65536, open);
  }
  return !edges.empty();
}

}  // namespace

PortMap PortMap::Build(PortSets sets, IdSetPool& pool) {
  PortMap map;
  if (sets.empty()) return map;
  auto classes = std::make_shared<std::array<IdSetId, kPortRows * 65536>>();
  for (std::size_t row = 0; row < kPortRows; ++row) {
    Sweep(sets, kProtocols[row], [&](std::uint32_t first, std::uint32_t end, const std::vector<std::uint32_t>& open) {
      std::fill(classes->begin() + row * 65536 + first, classes->begin() + row * 65536 + end, pool.Intern(open));
    });
  }
  map.classes_ = std::move(classes);
  return map;
}

TierPortMap TierPortMap::Build(PortSets sets, IdSetPool& pool) {
  TierPortMap map;
  if (sets.empty()) return map;
  auto made = std::make_shared<Pages>();
  std::vector<TierPortClass> classes;
  for (std::size_t row = 0; row < kPortRows; ++row) {
    classes.assign(65536, kNoTierPort);
    const auto fill = [&](std::uint32_t first, std::uint32_t end, const std::vector<std::uint32_t>& open) {
      const TierPortClass held = open.size() == 1 ? kOnePortSet | open.front() : pool.Intern(open);
      std::fill(classes.begin() + first, classes.begin() + end, held);
    };
    if (!Sweep(sets, kProtocols[row], fill)) continue;
    for (std::size_t page = 0; page < 256; ++page) {
      const auto begin = classes.begin() + static_cast<std::ptrdiff_t>(page * 256);
      std::uint32_t& entry = made->directory[row * 256 + page];
      entry = *begin;
      if (std::all_of(begin, begin + 256, [&](TierPortClass each) { return each == *begin; })) continue;
      entry = kPage | static_cast<std::uint32_t>(made->pages.size());
      std::copy(begin, begin + 256, made->pages.emplace_back().begin());
    }
  }
  made->pages.shrink_to_fit();
  map.pages_ = std::move(made);
  return map;
}

}  // namespace sluice
