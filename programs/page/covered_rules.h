// Which rules of a policy decide nothing, as another rule of the same policy says all that they say.
#ifndef SLUICE_PROGRAMS_PAGE_COVERED_RULES_H_
#define SLUICE_PROGRAMS_PAGE_COVERED_RULES_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "sluice/resolved_policy.h"

namespace sluice {

struct RulePlace {
  std::string policy;
  Direction direction = Direction::kIngress;
  std::int32_t index = 0;

  auto operator<=>(const RulePlace&) const = default;
};

// Each with the index of a rule that covers it: in the tiers of cluster policies an earlier one, in NetworkPolicy's,
// whose rules have no order, any other (of two that say the same, the later one is covered). What cannot be told from
// the peers themselves, such as that one label selector selects no more than another, is not found. Pure; any thread.
std::map<RulePlace, std::int32_t> CoveredRules(const ResolvedPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_COVERED_RULES_H_
