#include "push/held_policies.h"

#include <string_view>
#include <utility>

#include "sluice/printable.h"

namespace sluice {
namespace {

constexpr std::size_t kReasonBytes = 1024;
constexpr std::string_view kStaged = " (staged)";  // no policy's name ends like this

std::string StagedKey(const std::string& policy) { return policy + std::string(kStaged); }

}  // namespace

bool HeldPolicies::Hold(const Diagnostic& refusal) {
  constexpr std::string_view kPolicy = "policy ";
  constexpr std::string_view kStagedPolicy = "staged policy ";
  const std::string& object = refusal.object;
  std::string key;
  if (object.starts_with(kPolicy)) key = object.substr(kPolicy.size());
  if (object.starts_with(kStagedPolicy)) key = StagedKey(object.substr(kStagedPolicy.size()));
  if (key.empty()) return false;
  const std::string field = refusal.field.empty() ? "" : refusal.field + ": ";
  return reasons_.try_emplace(std::move(key), Printable(field + refusal.message, kReasonBytes)).second;
}

bool HeldPolicies::Release(const PolicyUpdate& update) {
  const std::size_t before = reasons_.size();
  for (const std::string& policy : update.removed_policies) reasons_.erase(policy);
  for (const SectionsUpdate& sections : update.sections) reasons_.erase(sections.policy);
  for (const std::string& policy : update.removed_staged) reasons_.erase(StagedKey(policy));
  for (const SectionsUpdate& sections : update.staged) reasons_.erase(StagedKey(sections.policy));
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

void HeldPolicies::ForgetAllBut(const ResolvedPolicy& policy) {
  std::erase_if(reasons_, [&](const auto& held) {
    const std::string& key = held.first;
    if (!key.ends_with(kStaged)) return policy.sections.Find(key).empty();
    return !policy.staged.contains(key.substr(0, key.size() - kStaged.size()));
  });
}

void HeldPolicies::Strip(ResolvedPolicy* policy) const {
  Strip(&policy->sections);
  std::erase_if(policy->staged, [&](const auto& staged) { return reasons_.contains(StagedKey(staged.first)); });
}

void HeldPolicies::Strip(PolicyUpdate* update) const {
  for (SectionsUpdate& sections : update->sections) Strip(&sections.sections);
  std::erase_if(update->staged, [&](const SectionsUpdate& staged) {
    const bool is_held = reasons_.contains(StagedKey(staged.policy));
    if (is_held) update->removed_staged.push_back(staged.policy);
    return is_held;
  });
}

}  // namespace sluice
