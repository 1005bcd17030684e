#include "sluicectl/labels.h"

#include <algorithm>

namespace sluice {

Labels ParseLabels(std::string_view text) {
  Labels labels;
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find(','));
    text.remove_prefix(std::min(label.size() + 1, text.size()));
    const std::size_t equals = std::min(label.find('='), label.size());
    labels.emplace_back(label.substr(0, equals), label.substr(std::min(equals + 1, label.size())));
  }
  return labels;
}

}  // namespace sluice
