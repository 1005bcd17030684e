#include "resolve/label_index.h"

#include <vector>

namespace sluice {

void LabelIndex::AddSelector(const LabelSelector& selector) {
  for (const LabelRequirement& requirement : selector.requirements) {
    Key& key = keys_[requirement.key];
    for (const std::string& value : requirement.values) key.values.try_emplace(value);
  }
}

void LabelIndex::AddLabels(std::uint32_t number, const Labels& labels) {
  if (keys_.empty()) return;
  for (const auto& [name, value] : labels) {
    const auto key = keys_.find(name);
    if (key == keys_.end()) continue;
    key->second.holders.add(number);
    const auto holders = key->second.values.find(value);
    if (holders != key->second.values.end()) holders->second.add(number);
  }
}

PodSet LabelIndex::HoldersOfAny(const LabelRequirement& requirement) const {
  const Key& key = keys_.at(requirement.key);
  if (requirement.values.size() == 1) return key.values.at(requirement.values.front());
  std::vector<const PodSet*> holders;
  for (const std::string& value : requirement.values) holders.push_back(&key.values.at(value));
  return PodSet::fastunion(holders.size(), holders.data());
}

void LabelIndex::Restrict(const LabelSelector& selector, PodSet* set) const {
  for (const LabelRequirement& requirement : selector.requirements) {
    if (set->isEmpty()) return;
    switch (requirement.op) {
      case LabelRequirement::Operator::kIn:
        *set &= HoldersOfAny(requirement);
        break;
      case LabelRequirement::Operator::kNotIn:  // a missing key matches too (NP-34)
        *set -= HoldersOfAny(requirement);
        break;
      case LabelRequirement::Operator::kExists:
        *set &= keys_.at(requirement.key).holders;
        break;
      case LabelRequirement::Operator::kDoesNotExist:
        *set -= keys_.at(requirement.key).holders;
        break;
    }
  }
}

}  // namespace sluice
