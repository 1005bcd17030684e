// A bundle: the sections of the tiers above and below NetworkPolicy that have one group as
// their subject, in one direction. Identities hold the bundle's number, not its sections.
// So a hundred policies over all pods are one member of each pod's set. A change of one
// policy gives no pod another identity: the next table has another bundle with that number.
#ifndef SLUICE_DATAPLANE_TABLE_BUNDLE_H_
#define SLUICE_DATAPLANE_TABLE_BUNDLE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "table/table.h"

namespace sluice {

// Immutable once made.
struct Bundle {
  std::vector<SectionId> sections;  // ascending; none of them isolates
  // The rules of all these sections, by port set, then by tier, then by precedence: the first
  // rule of a tier whose peers match is the tier's best. Rules that name no port come last.
  std::vector<RuleMatch> rules;
  // Where the rules of a port set begin. Open addressing; a slot holds one more than the place, and 0 if it is free.
  std::vector<std::uint32_t> starts;
  std::uint32_t any_port = 0;  // where the rules that name no port begin

  // Offers rules that match to `best`: the best rule of each tier, and maybe others.
  void Match(const InternedPolicy& interned, const PeerView& peer, TierPortClass port_class, BestMatches& best) const;

  std::uint64_t MemoryBytes() const {
    return sizeof(*this) + sections.capacity() * sizeof(SectionId) + rules.capacity() * sizeof(RuleMatch) +
           starts.capacity() * sizeof(starts[0]);
  }
};

// The bundle of these sections (ascending). Costs a copy of `base`, and as much as the bundle differs from it.
std::shared_ptr<const Bundle> MakeBundle(const InternedPolicy& interned, std::vector<SectionId> sections,
                                         const Bundle& base);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_BUNDLE_H_
