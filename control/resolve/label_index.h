// Labels of numbered things (pods, namespaces) as bitmaps: one for each key=value and each key that a selector names.
#ifndef SLUICE_CONTROL_RESOLVE_LABEL_INDEX_H_
#define SLUICE_CONTROL_RESOLVE_LABEL_INDEX_H_

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "model/objects.h"
#include "resolve/pod_set.h"

namespace sluice {

// Holds views of the selectors that it is given, which must outlive it. First all selectors, then all labels, then
// questions.
class LabelIndex {
 public:
  // Announces a selector that Restrict will be asked about.
  void AddSelector(const LabelSelector& selector);

  // Numbers ascend from call to call.
  void AddLabels(std::uint32_t number, const Labels& labels);

  // Leaves of `set` what `selector` selects. O(requirements), each the size of `set` or of the label's bitmap,
  // whichever is shorter.
  void Restrict(const LabelSelector& selector, PodSet* set) const;

 private:
  struct Key {
    PodSet holders;
    std::unordered_map<std::string_view, PodSet> values;  // only those that a selector names
  };

  PodSet HoldersOfAny(const LabelRequirement& requirement) const;

  std::unordered_map<std::string_view, Key> keys_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_LABEL_INDEX_H_
