// The map as the page shows it: a node for each namespace, or for each workload of an open namespace, and the edges
// between nodes, added up over dataplanes.
//
// It is made for each request, from up to 50,000 pairs of workloads of each dataplane. So nodes are numbers, and a pair
// costs no text. Used by one thread.
#ifndef SLUICE_PROGRAMS_PAGE_MAP_PICTURE_H_
#define SLUICE_PROGRAMS_PAGE_MAP_PICTURE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "page/flow_map.h"
#include "page/page_json.h"

namespace sluice {

class MapPicture {
 public:
  // Edges: first those of open namespaces, then would-be denials, then denials, then those with most traffic.
  static constexpr std::size_t kShown = 300;

  // `open`: namespaces that are shown by workload. `hidden`: namespaces that are left out.
  MapPicture(const std::vector<std::string>& open, const std::vector<std::string>& hidden);

  void Add(const FlowMap::Edges& edges);
  PageJson Shown() const;

 private:
  static constexpr std::uint32_t kHidden = 0xffffffff;

  std::uint32_t NodeOf(const MapEnd& end);
  std::uint32_t NewNode(MapEnd end);

  const std::set<std::string> open_;
  const std::set<std::string> hidden_;
  std::vector<MapEnd> nodes_;                                  // by number
  std::unordered_map<std::string, std::uint32_t> namespaces_;  // of namespaces that are not open
  std::map<MapEnd, std::uint32_t> workloads_;                  // ... of those that are
  std::unordered_map<std::uint64_t, MapEdge> edges_;           // by source's number << 32 | destination's number
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_MAP_PICTURE_H_
