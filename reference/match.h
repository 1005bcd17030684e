// Selectors and CIDRs, matched one requirement and one bit at a time. Pure functions.
#ifndef SLUICE_REFERENCE_MATCH_H_
#define SLUICE_REFERENCE_MATCH_H_

#include "model/objects.h"
#include "sluice/address.h"

namespace sluice::reference {

// NP-34: requirements are ANDed; NotIn and DoesNotExist also match a missing key.
bool SelectorMatches(const LabelSelector& selector, const Labels& labels);

// NP-40, NP-41: inside the cidr and in none of its excepts; never across families.
bool BlockMatches(const IpBlock& block, const IpAddress& address);

}  // namespace sluice::reference

#endif  // SLUICE_REFERENCE_MATCH_H_
