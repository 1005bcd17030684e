#include "push/held_policies.h"

#include <string_view>

namespace sluice {

bool HeldPolicies::Hold(const Diagnostic& refusal) {
  constexpr std::string_view kPolicy = "policy ";
  return refusal.object.starts_with(kPolicy) && names_.insert(refusal.object.substr(kPolicy.size())).second;
}

bool HeldPolicies::Release(const PolicyUpdate& update) {
  const std::size_t before = names_.size();
  for (const std::string& policy : update.removed_policies) names_.erase(policy);
  for (const SectionsUpdate& sections : update.sections) names_.erase(sections.policy);
  return names_.size() != before;
}

template <typename Sections>
void HeldPolicies::Strip(Sections* sections) const {
  if (names_.empty()) return;
  for (Section& section : *sections) {
    if (section.tier == Tier::kNetworkPolicy && names_.contains(section.policy)) section.rules.clear();
  }
}

void HeldPolicies::Strip(ResolvedPolicy* policy) {
  std::erase_if(names_, [&](const std::string& name) { return policy->sections.Find(name).empty(); });
  Strip(&policy->sections);
}

void HeldPolicies::Strip(PolicyUpdate* update) const {
  for (SectionsUpdate& sections : update->sections) Strip(&sections.sections);
}

}  // namespace sluice
