#include "resolve/label_index.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

// A place in `all`: a freed place if there is one, else a new one.
template <typename T>
std::uint32_t Place(std::vector<T>* all, std::vector<std::uint32_t>* free) {
  if (free->empty()) {
    all->emplace_back();
    return static_cast<std::uint32_t>(all->size() - 1);
  }
  const std::uint32_t place = free->back();
  free->pop_back();
  return place;
}

}  // namespace

LabelKey LabelIndex::UseKey(const std::string& name) {
  const auto [entry, added] = key_ids_.try_emplace(name);
  if (added) {
    entry->second = Place(&keys_, &free_keys_);
    keys_[entry->second].name = name;
  }
  ++keys_[entry->second].uses;
  return entry->second;
}

void LabelIndex::DropKey(LabelKey key) {
  if (--keys_[key].uses > 0) return;
  key_ids_.erase(keys_[key].name);
  keys_[key] = {};
  free_keys_.push_back(key);
}

LabelId LabelIndex::Use(const std::string& name, const std::string& value) {
  const LabelKey key = UseKey(name);
  const auto [entry, added] = keys_[key].labels.try_emplace(value);
  if (added) {
    entry->second = Place(&labels_, &free_labels_);
    labels_[entry->second].key = key;
    labels_[entry->second].value = value;
  } else {
    DropKey(key);  // the label holds its own use of the key
  }
  ++labels_[entry->second].uses;
  return entry->second;
}

void LabelIndex::Drop(LabelId label) {
  if (--labels_[label].uses > 0) return;
  const LabelKey key = labels_[label].key;
  keys_[key].labels.erase(labels_[label].value);
  labels_[label] = {};
  free_labels_.push_back(label);
  DropKey(key);
}

LabelIds LabelIndex::Add(std::uint32_t number, const Labels& labels) {
  LabelIds ids;
  ids.reserve(labels.size());
  for (const auto& [name, value] : labels) {
    const LabelId id = Use(name, value);
    labels_[id].holders.add(number);
    keys_[labels_[id].key].holders.add(number);
    ids.push_back(id);
  }
  return ids;
}

void LabelIndex::Remove(std::uint32_t number, const LabelIds& labels) {
  for (const LabelId id : labels) {
    labels_[id].holders.remove(number);
    keys_[labels_[id].key].holders.remove(number);
    Drop(id);
  }
}

IndexedSelector LabelIndex::Index(const LabelSelector& selector) {
  IndexedSelector indexed;
  indexed.requirements.reserve(selector.requirements.size());
  for (const LabelRequirement& requirement : selector.requirements) {
    IndexedSelector::Requirement& one = indexed.requirements.emplace_back();
    one.op = requirement.op;
    one.key = UseKey(requirement.key);
    one.values.reserve(requirement.values.size());
    for (const std::string& value : requirement.values) one.values.push_back(Use(requirement.key, value));
  }
  return indexed;
}

void LabelIndex::Release(const IndexedSelector& selector) {
  for (const IndexedSelector::Requirement& requirement : selector.requirements) {
    for (const LabelId label : requirement.values) Drop(label);
    DropKey(requirement.key);
  }
}

// The holders are never copied: `set` is mostly a namespace's few pods, but a fifth of all pods may have the label.
void LabelIndex::KeepHolders(const LabelIds& labels, PodSet* set) const {
  if (labels.size() == 1) {
    *set &= labels_[labels.front()].holders;
    return;
  }
  PodSet kept;
  for (const LabelId label : labels) kept |= *set & labels_[label].holders;
  *set = std::move(kept);
}

void LabelIndex::Restrict(const IndexedSelector& selector, PodSet* set) const {
  for (const IndexedSelector::Requirement& requirement : selector.requirements) {
    if (set->isEmpty()) return;
    switch (requirement.op) {
      case LabelRequirement::Operator::kIn:
        KeepHolders(requirement.values, set);
        break;
      case LabelRequirement::Operator::kNotIn:  // a missing key matches too (NP-34)
        for (const LabelId label : requirement.values) *set -= labels_[label].holders;
        break;
      case LabelRequirement::Operator::kExists:
        *set &= keys_[requirement.key].holders;
        break;
      case LabelRequirement::Operator::kDoesNotExist:
        *set -= keys_[requirement.key].holders;
        break;
    }
  }
}

bool LabelIndex::Selects(const IndexedSelector& selector, const LabelIds& labels) const {
  return std::all_of(selector.requirements.begin(), selector.requirements.end(), [&](const auto& requirement) {
    const auto label =
        std::find_if(labels.begin(), labels.end(), [&](LabelId id) { return labels_[id].key == requirement.key; });
    const bool has_key = label != labels.end();
    const auto has_value = [&] {
      return std::find(requirement.values.begin(), requirement.values.end(), *label) != requirement.values.end();
    };
    switch (requirement.op) {
      case LabelRequirement::Operator::kIn:
        return has_key && has_value();
      case LabelRequirement::Operator::kNotIn:
        return !has_key || !has_value();
      case LabelRequirement::Operator::kExists:
        return has_key;
      case LabelRequirement::Operator::kDoesNotExist:
        return !has_key;
    }
    return false;
  });
}

bool LabelIndex::Equal(const LabelIds& ids, const Labels& labels) const {
  return std::equal(ids.begin(), ids.end(), labels.begin(), labels.end(), [&](LabelId id, const auto& label) {
    return keys_[labels_[id].key].name == label.first && labels_[id].value == label.second;
  });
}

std::string LabelIndex::Text(const LabelIds& labels) const {
  std::string text;
  for (const LabelId id : labels) {
    if (!text.empty()) text += ',';
    text += keys_[labels_[id].key].name;
    text += '=';
    text += labels_[id].value;
  }
  return text;
}

}  // namespace sluice
