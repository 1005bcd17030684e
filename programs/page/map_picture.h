// The map as the page shows it: a node for each namespace, or for each workload of those that are open, and the edges
// between them, added up over dataplanes.
//
// It is made for each request, out of up to 50,000 pairs of workloads of each dataplane: so nodes are numbers, and a
// pair costs no text. One thread.
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
  static constexpr std::size_t kShown =
      300;  // edges: of open namespaces first, with denials, then those that carry most

  // Namespaces that are shown by workload, and those that are left out.
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
  std::unordered_map<std::string, std::uint32_t> namespaces_;  // of those that are not open
  std::map<MapEnd, std::uint32_t> workloads_;                  // ... of those that are
  std::unordered_map<std::uint64_t, MapEdge> edges_;           // by the upper half's node to the lower half's
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_MAP_PICTURE_H_
