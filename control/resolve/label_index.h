// Labels of numbered things (pods, namespaces), each key=value stored once, with a bitmap of its holders.
#ifndef SLUICE_CONTROL_RESOLVE_LABEL_INDEX_H_
#define SLUICE_CONTROL_RESOLVE_LABEL_INDEX_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "resolve/pod_set.h"

namespace sluice {

using LabelId = std::uint32_t;          // a key with a value
using LabelKey = std::uint32_t;         // a key
using LabelIds = std::vector<LabelId>;  // of one thing, in the order of its Labels

// A selector in the index's numbers. It keeps them in use until it is released.
struct IndexedSelector {
  struct Requirement {
    LabelRequirement::Operator op = LabelRequirement::Operator::kIn;
    LabelKey key = 0;
    LabelIds values;
  };
  std::vector<Requirement> requirements;  // ANDed; none selects everything
};

class LabelIndex {
 public:
  // Enters a thing under its labels. Requires that it is not entered.
  LabelIds Add(std::uint32_t number, const Labels& labels);
  // Removes the thing again; `labels` is what Add returned.
  void Remove(std::uint32_t number, const LabelIds& labels);

  IndexedSelector Index(const LabelSelector& selector);
  void Release(const IndexedSelector& selector);

  // Keeps in `set` only what `selector` selects. O(requirements); each costs the size of `set` or of the label's
  // bitmap, whichever is smaller.
  void Restrict(const IndexedSelector& selector, PodSet* set) const;
  // The same for one thing.
  bool Selects(const IndexedSelector& selector, const LabelIds& labels) const;

  LabelKey KeyOf(LabelId label) const { return labels_[label].key; }
  bool Equal(const LabelIds& ids, const Labels& labels) const;
  // "app=web,tier=front".
  std::string Text(const LabelIds& labels) const;

 private:
  struct Label {
    LabelKey key = 0;
    std::string value;
    PodSet holders;
    std::uint32_t uses = 0;  // by holders and by selectors
  };
  struct Key {
    std::string name;
    PodSet holders;
    std::unordered_map<std::string, LabelId> labels;  // by value
    std::uint32_t uses = 0;                           // by labels and by selectors
  };

  LabelKey UseKey(const std::string& name);
  LabelId Use(const std::string& name, const std::string& value);
  void DropKey(LabelKey key);
  void Drop(LabelId label);
  // Keeps in `set` only the members that have any of the labels.
  void KeepHolders(const LabelIds& labels, PodSet* set) const;

  std::vector<Label> labels_;
  std::vector<LabelId> free_labels_;
  std::vector<Key> keys_;
  std::vector<LabelKey> free_keys_;
  std::unordered_map<std::string, LabelKey> key_ids_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_LABEL_INDEX_H_
