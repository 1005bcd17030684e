#include "table/port_map.h"

#include <algorithm>

namespace sluice {
namespace {

// A place where a set's ports begin or end, in one word. The words sort by port.
struct Edge {
  std::uint64_t word;

  Edge(std::uint32_t port, std::uint32_t set, bool opens)
      : word(std::uint64_t{port} << 33 | std::uint64_t{set} << 1 | std::uint64_t{opens}) {}
  std::uint32_t port() const { return static_cast<std::uint32_t>(word >> 33); }  // 0..65536
  std::uint32_t set() const { return static_cast<std::uint32_t>(word >> 1); }
  bool opens() const { return (word & 1) != 0; }
};

constexpr std::array<std::uint8_t, kPortRows> kProtocols = {kProtoTcp, kProtoUdp, kProtoSctp};

// Calls fill(first, end, ids of the sets that hold these ports,
// ascending) for each run of ports, from the first port that a set names.
template <typename Fill>
void Sweep(PortSets sets, std::uint8_t protocol, Fill fill) {
  std::vector<Edge> edges;
  for (const auto& [id, ranges] : sets) {
    for (const PortRange& range : ranges) {
      if (range.protocol != protocol) continue;
      edges.emplace_back(range.first, id, true);
      edges.emplace_back(range.last + 1u, id, false);
    }
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.word < b.word; });
  std::vector<std::uint32_t> open;  // the ranges of a set are merged, so no set is in it twice
  for (std::size_t i = 0; i < edges.size();) {
    const std::uint32_t port = edges[i].port();
    for (; i < edges.size() && edges[i].port() == port; ++i) {
      const auto place = std::lower_bound(open.begin(), open.end(), edges[i].set());
      if (edges[i].opens()) {
        open.insert(place, edges[i].set());
      } else {
        open.erase(place);
      }
    }
    fill(port, i < edges.size() ? edges[i].port() : 65536, open);
  }
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
  for (std::size_t row = 0; row < kPortRows; ++row) {
    std::uint32_t* const directory = &made->directory[row * 256];
    // Fills a page, or the rest of one.
    const auto fill = [&](std::uint32_t first, std::uint32_t end, TierPortClass held) {
      std::uint32_t& entry = directory[first / 256];
      if (end - first == 256) {
        entry = held;
        return;
      }
      if ((entry & kPage) == 0) {
        made->pages.emplace_back().fill(entry);
        entry = kPage | static_cast<std::uint32_t>(made->pages.size() - 1);
      }
      const auto page = made->pages[entry & ~kPage].begin();
      std::fill(page + first % 256, page + (end - 1) % 256 + 1, held);
    };
    Sweep(sets, kProtocols[row], [&](std::uint32_t first, std::uint32_t end, const std::vector<std::uint32_t>& open) {
      const TierPortClass held = open.size() == 1 ? kOnePortSet | open.front() : pool.Intern(open);
      while (first < end) {
        const std::uint32_t stop = std::min(end, (first / 256 + 1) * 256);
        fill(first, stop, held);
        first = stop;
      }
    });
  }
  made->pages.shrink_to_fit();
  map.pages_ = std::move(made);
  return map;
}

}  // namespace sluice
