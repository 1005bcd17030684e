// The steps of a compilation that are about bundles.
#include <algorithm>
#include <memory>
#include <utility>

#include "table/bundle.h"
#include "table/compile_pass.h"

namespace sluice {
namespace {

const std::shared_ptr<const Bundle>& NoBundle() {
  static const auto none = std::make_shared<const Bundle>();
  return none;
}

}  // namespace

std::vector<SectionId>& CompilePass::ListOf(const Section& section) {
  GroupState& group = in_force_.groups[section.subjects];
  return (IsBundled(section) ? group.bundled : group.sections)[static_cast<int>(section.direction)];
}

void CompilePass::NoteSubjects(const Section& section) {
  if (IsBundled(section)) {
    dirty_bundles_.emplace_back(section.subjects, section.direction);
  } else {
    dirty_groups_.push_back(section.subjects);
  }
}

// If a group has a bundle before and after the change, its members' sections stay the same: only the bundle differs.
void CompilePass::MakeBundles() {
  std::sort(dirty_bundles_.begin(), dirty_bundles_.end());
  dirty_bundles_.erase(std::unique(dirty_bundles_.begin(), dirty_bundles_.end()), dirty_bundles_.end());
  for (const auto& [group, direction] : dirty_bundles_) {
    GroupState& state = in_force_.groups[group];
    std::uint32_t& number = state.bundles[static_cast<int>(direction)];
    std::vector<SectionId> sections = state.bundled[static_cast<int>(direction)];
    std::sort(sections.begin(), sections.end());
    if (sections.empty() || number == GroupState::kNoBundle) dirty_groups_.push_back(group);
    if (sections.empty()) {
      if (number != GroupState::kNoBundle) PutBundle(number, NoBundle());
      number = GroupState::kNoBundle;
      continue;
    }
    if (number == GroupState::kNoBundle) {
      number = interner_.BundleOf(policy_.groups[group].key, direction);
    } else {
      rebundled_groups_.push_back(group);
    }
    const auto& before = BundleBefore(number);
    PutBundle(number,
              before->sections == sections ? before : MakeBundle(interner_.policy(), std::move(sections), *before));
  }
  FindChangedBundles();
}

void CompilePass::ClearBundles(GroupId group) {
  for (const std::uint32_t number : in_force_.groups[group].bundles) {
    if (number != GroupState::kNoBundle) PutBundle(number, NoBundle());
  }
}

void CompilePass::PutBundle(std::uint32_t number, std::shared_ptr<const Bundle> bundle) {
  if (number >= bundles_.size()) bundles_.resize(number + 1, NoBundle());
  bundles_[number] = std::move(bundle);
}

// The bundle that had this number in the table before.
const std::shared_ptr<const Bundle>& CompilePass::BundleBefore(std::uint32_t number) const {
  const bool known = current_ != nullptr && number < current_->bundles_->size();
  return known ? (*current_->bundles_)[number] : NoBundle();
}

void CompilePass::FindChangedBundles() {
  for (std::uint32_t number = 0; number < interner_.BundleCount(); ++number) {
    const auto& before = BundleBefore(number);
    const auto& now = number < bundles_.size() ? bundles_[number] : NoBundle();
    if (before != now && before->sections != now->sections) changed_bundles_.push_back(number);
  }
  const bool same = current_ != nullptr && changed_bundles_.empty();
  table_.bundles_ = same ? current_->bundles_ : std::make_shared<const Bundles>(std::move(bundles_));
  table_.answers_ = same ? current_->answers_ : NextNumber();
}

bool CompilePass::HoldsChangedBundle(IdentityId id) {
  enum : std::uint8_t { kUnknown, kNo, kYes };
  if (id >= holds_changed_bundle_.size()) holds_changed_bundle_.resize(interner_.policy().identities.size(), kUnknown);
  std::uint8_t& known = holds_changed_bundle_[id];
  if (known != kUnknown) return known == kYes;
  const InternedPolicy& interned = interner_.policy();
  const Identity& identity = interned.identities[id];
  known = kNo;
  for (const IdSetId set : interned.tier_views[identity.tiers].bundles) {
    for (const std::uint32_t number : changed_bundles_) {
      if (interned.bundle_sets.Contains(set, number)) known = kYes;
    }
  }
  return known == kYes;
}

// Notes addresses whose bundle changed. Their identities stay the same, so nothing else would show the change.
void CompilePass::NoteRebundled() {
  if (rebundled_groups_.empty()) return;
  std::sort(rebundled_groups_.begin(), rebundled_groups_.end());
  rebundled_groups_.erase(std::unique(rebundled_groups_.begin(), rebundled_groups_.end()), rebundled_groups_.end());
  std::size_t most = 0;  // the largest number of sets for one of the groups
  std::size_t all = 0;
  for (const GroupId group : rebundled_groups_) {
    if (group >= in_force_.sets_of_groups.size()) continue;
    most = std::max(most, in_force_.sets_of_groups[group].size());
    all += in_force_.sets_of_groups[group].size();
  }
  // If nearly every pod is concerned, all are noted: judging the others' flows once more costs less than
  // finding out. If many are, this looks through all hosts, which lie side by side, as endpoints do not.
  constexpr std::size_t kShare = 8;
  const std::size_t few = in_force_.members.size() / kShare;
  if (ListsSets() && most >= in_force_.members.size() - few && most > kShare) return table_.changes_.AddAll();
  if (ListsSets() && all <= few) {
    for (const IdSetId set : SetsOf(rebundled_groups_)) {
      in_force_.holders.ForEach(set, [&](EndpointId id) {
        for (const IpAddress& address : policy_.endpoints[id].addresses) table_.changes_.Add(address);
      });
    }
    return;
  }
  table_.addresses_.ForEachHost([&](const IpAddress& address, const AddressEntry& entry) {
    if (HoldsChangedBundle(entry.identity)) table_.changes_.Add(address);
  });
}

}  // namespace sluice
