// Finds the selectors that select a thing, by the thing's labels: each selector is listed under a label (or a key) that
// it requires, so that a thing is held against those alone that name one of its labels.
#ifndef SLUICE_CONTROL_RESOLVE_SELECTOR_INDEX_H_
#define SLUICE_CONTROL_RESOLVE_SELECTOR_INDEX_H_

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "resolve/label_index.h"

namespace sluice {

// T has a member `selector`, an IndexedSelector that stays as it is while T is listed.
template <typename T>
class SelectorIndex {
 public:
  void Add(T* item) {
    const Anchors at = AnchorsOf(*item);
    for (const std::uint32_t anchor : at.anchors) (this->*at.lists)[anchor].push_back(item);
  }
  void Remove(T* item) {
    const Anchors at = AnchorsOf(*item);
    Lists& lists = this->*at.lists;
    for (const std::uint32_t anchor : at.anchors) {
      std::vector<T*>& list = lists.at(anchor);
      std::swap(*std::find(list.begin(), list.end(), item), list.back());
      list.pop_back();
      if (list.empty()) lists.erase(anchor);
    }
  }
  bool empty() const { return by_label_.empty() && by_key_.empty() && rest_.empty(); }

  // Calls `visit(T*)` once for each item that selects a thing of these labels. `visit` adds and removes nothing.
  template <typename Visit>
  void ForEachSelecting(const LabelIndex& index, const LabelIds& labels, Visit visit) const {
    const auto visit_list = [&](const Lists& lists, std::uint32_t anchor) {
      if (lists.empty()) return;
      const auto list = lists.find(anchor);
      if (list == lists.end()) return;
      for (T* item : list->second) {
        if (index.Selects(item->selector, labels)) visit(item);
      }
    };
    visit_list(rest_, 0);
    for (const LabelId label : labels) {
      visit_list(by_label_, label);
      visit_list(by_key_, index.KeyOf(label));
    }
  }

 private:
  using Lists = std::unordered_map<std::uint32_t, std::vector<T*>>;
  struct Anchors {
    Lists SelectorIndex::*lists;
    std::vector<std::uint32_t> anchors;
  };

  // A thing has one value a key, so it meets an item that is listed under several values of a key once.
  static Anchors AnchorsOf(const T& item) {
    Anchors found{&SelectorIndex::rest_, {0}};
    for (const IndexedSelector::Requirement& requirement : item.selector.requirements) {
      if (requirement.op == LabelRequirement::Operator::kIn) return {&SelectorIndex::by_label_, requirement.values};
      if (requirement.op == LabelRequirement::Operator::kExists) found = {&SelectorIndex::by_key_, {requirement.key}};
    }
    return found;
  }

  Lists by_label_;
  Lists by_key_;
  Lists rest_;  // at 0: those that need no label to be there
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_SELECTOR_INDEX_H_
