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

struct CoveringRule {
  std::int32_t index = 0;
  // Only the pods that there are now say so: a pod that comes may be a peer of the covered rule alone.
  bool of_pods_now = false;

  friend bool operator==(const CoveringRule&, const CoveringRule&) = default;
};

// Each with a rule that covers it: in the tiers of cluster policies an earlier one, in NetworkPolicy's, whose rules
// have no order, any other (of two that say the same, the later one is covered). One that covers it whatever pods there
// are is preferred to one that does so of the pods that there are now, whose selectors differ. A rule that has no peer
// now is covered by none of the latter. Pure; any thread.
std::map<RulePlace, CoveringRule> CoveredRules(const ResolvedPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_COVERED_RULES_H_
