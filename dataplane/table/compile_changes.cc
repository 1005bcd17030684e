// The steps of a compilation that note which addresses it changed.
#include <cstdint>
#include <utility>
#include <vector>

#include "table/compile_pass.h"

namespace sluice {

// Whether a rule that was there before can judge an address differently after it went from one identity to
// the other. Rules that came or went changed the sections of their own subjects, and are noticed there.
bool CompilePass::Concerns(IdentityId before_id, IdentityId after_id) {
  const InternedPolicy& interned = interner_.policy();
  const Identity& before = interned.identities[before_id];
  const Identity& after = interned.identities[after_id];
  if (HoldsChangedBundle(after_id)) return true;
  if (before_id == after_id) return false;
  const TierView& tiers_before = interned.tier_views[before.tiers];
  const TierView& tiers_after = interned.tier_views[after.tiers];
  return before.egress != after.egress || before.ingress != after.ingress || before.flags != after.flags ||
         tiers_before.bundles != tiers_after.bundles || ClassesDiffer(before.peer_class, after.peer_class) ||
         ClassesDiffer(tiers_before.peer_class, tiers_after.peer_class);
}

// Whether the classes differ by a bit that an older rule asks for.
bool CompilePass::ClassesDiffer(IdSetId before, IdSetId after) {
  if (before == after) return false;
  const InternedPolicy& interned = interner_.policy();
  const auto [known, added] = differ_.try_emplace(std::uint64_t{before} << 32 | after, false);
  if (!added) return known->second;
  const auto differs = [&](IdSetId from, IdSetId in) {
    bool found = false;
    interned.peer_classes.ForEach(from, [&](std::uint32_t bit) {
      const bool old_rule_asks = in_force_.bit_uses[bit] > 0 && interner_.BitBorn(bit) < table_.generation_;
      found = found || (old_rule_asks && !interned.peer_classes.Contains(in, bit));
    });
    return found;
  };
  return known->second = differs(before, after) || differs(after, before);
}

void CompilePass::Compare(const IpAddress& address, const AddressEntry& before, const AddressEntry& after) {
  if (before.identity != after.identity) ++in_force_.moved;
  if (before.node != after.node || Concerns(before.identity, after.identity)) {
    table_.changes_.Add(address);
  }
}

void CompilePass::NoteChanges(const std::vector<std::pair<IpAddress, AddressEntry>>& hosts) {
  if (current_ == nullptr || current_->pod_cidrs_ != in_force_.pod_cidrs) {
    table_.changes_.BeginWithAll(table_.generation_);
    return;
  }
  table_.changes_.Begin(table_.generation_, current_->changes_);
  in_force_.bit_uses.resize(interner_.BitCount());
  for (const auto& [address, entry] : hosts) Compare(address, current_->Lookup(address), entry);
  current_->addresses_.ForEachHost([&](const IpAddress& address, const AddressEntry& entry) {
    Compare(address, entry, table_.addresses_.Lookup(address));
  });
}

}  // namespace sluice
