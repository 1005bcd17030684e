#include "push/held_policies.h"

#include <string_view>

#include "sluice/printable.h"

namespace sluice {
namespace {

constexpr std::size_t kReasonBytes = 1024;

}  // namespace

bool HeldPolicies::Hold(const Diagnostic& refusal) {
  constexpr std::string_view kPolicy = "policy ";
  if (!refusal.object.starts_with(kPolicy)) return false;
  const std::string field = refusal.field.empty() ? "" : refusal.field + ": ";
  return reasons_.try_emplace(refusal.object.substr(kPolicy.size()), Printable(field + refusal.message, kReasonBytes))
      .second;
}

bool HeldPolicies::Release(const PolicyUpdate& update) {
  const std::size_t before = reasons_.size();
  for (const std::string& policy : update.removed_policies) reasons_.erase(policy);
  for (const SectionsUpdate& sections : update.sections) reasons_.erase(sections.policy);
  return reasons_.size() != before;
}

template <typename Sections>
void HeldPolicies::Strip(Sections* sections) const {
  if (reasons_.empty()) return;
  for (Section& section : *sections) {
    if (section.tier != Tier::kNetworkPolicy) continue;
    const auto reason = reasons_.find(section.policy);
    if (reason == reasons_.end()) continue;
    section.rules.clear();
    section.held = reason->second;
  }
}

void HeldPolicies::Strip(ResolvedPolicy* policy) {
  std::erase_if(reasons_, [&](const auto& held) { return policy->sections.Find(held.first).empty(); });
  Strip(&policy->sections);
}

void HeldPolicies::Strip(PolicyUpdate* update) const {
  for (SectionsUpdate& sections : update->sections) Strip(&sections.sections);
}

}  // namespace sluice
