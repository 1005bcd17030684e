// Tells whether one peer of a rule covers another one: whether the other says nothing more. Only what the peers
// themselves say counts. For code that has policy as objects, and for code that has resolved policy. Pure; any thread.
#ifndef SLUICE_COVER_H_
#define SLUICE_COVER_H_

#include <algorithm>
#include <string>
#include <vector>

#include "sluice/address.h"
#include "sluice/domain_name.h"

namespace sluice {

inline bool Overlap(const Prefix& a, const Prefix& b) {
  return a.base.family == b.base.family && (a.length <= b.length ? a.Contains(b) : b.Contains(a));
}

// `Block` has a `cidr` less its `excepts`. A hole of `other` matters only in `block.cidr`, where `block` has no hole.
template <typename Block>
bool IsBlockCovered(const Block& block, const Block& other) {
  if (block.cidr.base.family != other.cidr.base.family || !other.cidr.Contains(block.cidr)) return false;
  return std::all_of(other.excepts.begin(), other.excepts.end(), [&](const Prefix& hole) {
    return !Overlap(hole, block.cidr) || std::any_of(block.excepts.begin(), block.excepts.end(),
                                                     [&](const Prefix& own) { return own.Contains(hole); });
  });
}

// Both lists hold patterns as rules write them.
inline bool AreNamesCovered(const std::vector<std::string>& names, const std::vector<std::string>& others) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(others.begin(), others.end(),
                       [&](const std::string& wide) { return DomainPatternCovers(wide, name); });
  });
}

}  // namespace sluice

#endif  // SLUICE_COVER_H_
