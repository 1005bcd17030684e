// A bundle: the sections of the tiers above and below NetworkPolicy that have one group as their subject, in one
// direction. Identities hold the bundle's number, not its sections. So a hundred policies over all pods are one member
// of each pod's set, and a change of one of them gives no pod another identity: the next table has another bundle of
// that number.
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
  // The rules of all of them, by port set, then by tier, then by precedence: of a tier the first whose peers match is
  // its best. Those that name no port come last.
  std::vector<RuleMatch> rules;
  // Where the rules of a port set begin: open addressing, one more than their place, 0 is free.
  std::vector<std::uint32_t> starts;
  std::uint32_t any_port = 0;  // where those begin that name no port

  // Offers rules that match: of each tier the best one, and maybe others.
  void Match(const InternedPolicy& interned, const PeerView& peer, TierPortClass port_class, BestMatches& best) const;

  std::uint64_t MemoryBytes() const {
    return sizeof(*this) + sections.capacity() * sizeof(SectionId) + rules.capacity() * sizeof(RuleMatch) +
           starts.capacity() * sizeof(starts[0]);
  }
};

// The bundle of these sections (ascending), at the price of how it differs from `base`, and of a copy.
std::shared_ptr<const Bundle> MakeBundle(const InternedPolicy& interned, std::vector<SectionId> sections,
                                         const Bundle& base);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_BUNDLE_H_
