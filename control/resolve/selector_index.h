// Finds the selectors that select a thing, by the thing's labels. Each selector is listed under a label (or a key) that
// it requires, so that a thing is compared only with selectors that name one of its labels.
#ifndef SLUICE_CONTROL_RESOLVE_SELECTOR_INDEX_H_
#define SLUICE_CONTROL_RESOLVE_SELECTOR_INDEX_H_

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "resolve/label_index.h"

namespace sluice {

// T has a member `selector`, an IndexedSelector that does not change while T is listed.
template <typename T>
class SelectorIndex {
 public:
  void Add(T* item) {
    const Anchors at = AnchorsOf(*item);
    if (at.lists == nullptr) rest_.push_back(item);
    for (const std::uint32_t anchor : at.anchors) (this->*at.lists)[anchor].push_back(item);
  }
  void Remove(T* item) {
    const Anchors at = AnchorsOf(*item);
    if (at.lists == nullptr) Erase(item, &rest_);
    for (const std::uint32_t anchor : at.anchors) {
      Lists& lists = this->*at.lists;
      std::vector<T*>& list = lists.at(anchor);
      Erase(item, &list);
      if (list.empty()) lists.erase(anchor);
    }
  }
  bool empty() const { return by_label_.empty() && by_key_.empty() && rest_.empty(); }

  // Calls `visit(T*)` once for each item that selects a thing of these labels. `visit` adds and removes nothing.
  template <typename Visit>
  void ForEachSelecting(const LabelIndex& index, const LabelIds& labels, Visit visit) const {
    const auto visit_list = [&](const std::vector<T*>& list) {
      for (T* item : list) {
        if (index.Selects(item->selector, labels)) visit(item);
      }
    };
    const auto visit_listed = [&](const Lists& lists, std::uint32_t anchor) {
      if (lists.empty()) return;
      if (const auto list = lists.find(anchor); list != lists.end()) visit_list(list->second);
    };
    visit_list(rest_);
    for (const LabelId label : labels) {
      visit_listed(by_label_, label);
      visit_listed(by_key_, index.KeyOf(label));
    }
  }

 private:
  using Lists = std::unordered_map<std::uint32_t, std::vector<T*>>;
  struct Anchors {
    Lists SelectorIndex::*lists = nullptr;  // null: in rest_
    std::vector<std::uint32_t> anchors;
  };

  static void Erase(T* item, std::vector<T*>* list) {
    std::swap(*std::find(list->begin(), list->end(), item), list->back());
    list->pop_back();
  }

  // A thing has one value for each key. So it finds an item that is listed under several values of a key only once.
  static Anchors AnchorsOf(const T& item) {
    Anchors found;
    for (const IndexedSelector::Requirement& requirement : item.selector.requirements) {
      if (requirement.op == LabelRequirement::Operator::kIn) return {&SelectorIndex::by_label_, requirement.values};
      if (requirement.op == LabelRequirement::Operator::kExists) found = {&SelectorIndex::by_key_, {requirement.key}};
    }
    return found;
  }

  Lists by_label_;
  Lists by_key_;
  std::vector<T*> rest_;  // selectors that do not require any label
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_SELECTOR_INDEX_H_
