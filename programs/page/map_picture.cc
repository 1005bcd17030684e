#include "page/map_picture.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace sluice {

MapPicture::MapPicture(const std::vector<std::string>& open, const std::vector<std::string>& hidden)
    : open_(open.begin(), open.end()), hidden_(hidden.begin(), hidden.end()) {}

std::uint32_t MapPicture::NewNode(MapEnd end) {
  nodes_.push_back(std::move(end));
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

std::uint32_t MapPicture::NodeOf(const MapEnd& end) {
  const auto known = namespaces_.find(end.namespace_name);
  if (known != namespaces_.end()) return known->second;
  if (hidden_.contains(end.namespace_name)) return namespaces_[end.namespace_name] = kHidden;
  if (!open_.contains(end.namespace_name)) {
    return namespaces_[end.namespace_name] = NewNode({end.namespace_name, ""});
  }
  const auto [workload, is_new] = workloads_.try_emplace(end, 0);
  if (is_new) workload->second = NewNode(end);
  return workload->second;
}

// Edges are ordered by source, so most have the source of the edge before.
void MapPicture::Add(const FlowMap::Edges& edges) {
  const MapEnd* source = nullptr;
  std::uint32_t from = kHidden;
  for (const auto& [ends, edge] : edges) {
    if (source == nullptr || *source != ends.first) {
      source = &ends.first;
      from = NodeOf(*source);
    }
    const std::uint32_t to = from == kHidden ? kHidden : NodeOf(ends.second);
    if (to != kHidden) edges_[std::uint64_t{from} << 32 | to].Add(edge);
  }
}

PageJson MapPicture::Shown() const {
  using Edge = std::pair<const std::uint64_t, MapEdge>;
  const auto from_of = [&](const Edge& edge) -> const MapEnd& { return nodes_[edge.first >> 32]; };
  const auto to_of = [&](const Edge& edge) -> const MapEnd& { return nodes_[static_cast<std::uint32_t>(edge.first)]; };
  // Edges of open namespaces first: the viewer asked for them, and one workload's share is small beside all the others.
  const auto is_open = [&](const MapEnd& end) { return open_.contains(end.namespace_name); };
  const auto weight_of = [&](const Edge& one) {
    const MapEdge& edge = one.second;
    return std::tuple(is_open(from_of(one)) || is_open(to_of(one)), edge.would_deny != 0, edge.denied != 0,
                      edge.bytes_per_second, edge.connections, edge.denied);
  };
  std::vector<const Edge*> sorted;
  for (const Edge& edge : edges_) sorted.push_back(&edge);
  const auto shown_end = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(sorted.size(), kShown));
  std::partial_sort(sorted.begin(), shown_end, sorted.end(), [&](const Edge* a, const Edge* b) {
    const auto weight_a = weight_of(*a), weight_b = weight_of(*b);
    if (weight_a != weight_b) return weight_a > weight_b;
    return std::tie(from_of(*a), to_of(*a)) < std::tie(from_of(*b), to_of(*b));
  });
  // Indexes, not names, say which nodes an edge joins: a name may have any form.
  std::unordered_map<std::uint32_t, std::size_t> places;
  PageJson nodes = PageJson::array();
  const auto place_of = [&](std::uint64_t number) {
    const auto [place, is_new] = places.try_emplace(static_cast<std::uint32_t>(number), places.size());
    const MapEnd& end = nodes_[static_cast<std::uint32_t>(number)];
    if (is_new) nodes.push_back({{"namespace", end.namespace_name}, {"workload", end.workload}});
    return place->second;
  };
  PageJson shown = PageJson::array();
  for (auto one = sorted.begin(); one != shown_end; ++one) {
    const MapEdge& edge = (*one)->second;
    const std::size_t from = place_of((*one)->first >> 32);
    const std::size_t to = place_of((*one)->first);
    shown.push_back({{"from", from},
                     {"to", to},
                     {"connections", edge.connections},
                     {"packets_per_second", edge.packets_per_second},
                     {"bytes_per_second", edge.bytes_per_second},
                     {"denied", edge.denied},
                     {"would_deny", edge.would_deny},
                     {"would_allow", edge.would_allow}});
  }
  const std::size_t left_out = sorted.size() - shown.size();
  return {{"nodes", std::move(nodes)}, {"edges", std::move(shown)}, {"edges_left_out", left_out}};
}

}  // namespace sluice
