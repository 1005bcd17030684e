#include "push/older_receiver.h"

#include <vector>

namespace sluice {
namespace {

template <typename Sections>
bool RemoveFrom(Sections& sections) {
  bool removed = false;
  for (Section& section : sections) {
    removed |= std::erase_if(section.rules, [](const Rule& rule) { return !rule.domain_names.empty(); }) != 0;
  }
  return removed;
}

}  // namespace

bool RemoveRulesByName(ResolvedPolicy* policy) {
  bool removed = RemoveFrom(policy->sections);
  for (auto& [name, sections] : policy->staged) removed |= RemoveFrom(sections);
  return removed;
}

bool RemoveRulesByName(PolicyUpdate* update) {
  bool removed = false;
  for (SectionsUpdate& sections : update->sections) removed |= RemoveFrom(sections.sections);
  for (SectionsUpdate& sections : update->staged) removed |= RemoveFrom(sections.sections);
  return removed;
}

}  // namespace sluice
