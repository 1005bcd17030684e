#include "sluice/port_ranges.h"

#include <algorithm>

#include "sluice/protocol.h"

namespace sluice {

void SortAndMerge(std::vector<PortRange>& ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::size_t kept = 0;
  for (const PortRange& range : ranges) {
    if (kept > 0 && ranges[kept - 1].protocol == range.protocol && range.first <= ranges[kept - 1].last + 1) {
      ranges[kept - 1].last = std::max(ranges[kept - 1].last, range.last);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
}

std::string ToText(const PortRange& range) {
  std::string text(ToolNameOf(range.protocol));
  if (text.empty()) text = std::to_string(range.protocol);
  if (range.first == 0 && range.last == 65535) return text;
  text += '/' + std::to_string(range.first);
  if (range.last != range.first) text += '-' + std::to_string(range.last);
  return text;
}

}  // namespace sluice
