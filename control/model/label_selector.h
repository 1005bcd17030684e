// Labels, and selectors of labels.
#ifndef SLUICE_CONTROL_MODEL_LABEL_SELECTOR_H_
#define SLUICE_CONTROL_MODEL_LABEL_SELECTOR_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

// metadata.labels: sorted by key, keys unique.
using Labels = std::vector<std::pair<std::string, std::string>>;

// metav1.LabelSelectorRequirement. matchLabels `k: v` is decoded as `k In (v)`, which means the same (NP-34).
struct LabelRequirement {
  enum class Operator : std::uint8_t { kIn, kNotIn, kExists, kDoesNotExist };

  std::string key;
  Operator op = Operator::kIn;
  std::vector<std::string> values;  // sorted, unique; empty for kExists and kDoesNotExist

  friend auto operator<=>(const LabelRequirement&, const LabelRequirement&) = default;
};

// metav1.LabelSelector: requirements are ANDed; no requirements select everything. Sorted, unique.
struct LabelSelector {
  std::vector<LabelRequirement> requirements;

  friend auto operator<=>(const LabelSelector&, const LabelSelector&) = default;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_LABEL_SELECTOR_H_
