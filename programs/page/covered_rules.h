// Finds rules that decide nothing, because another rule of the same policy says everything that they say.
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
  // It covers only with the present pods: a new pod may be a peer of the covered rule alone.
  bool of_pods_now = false;

  friend bool operator==(const CoveringRule&, const CoveringRule&) = default;
};

// Returns each covered rule with a rule that covers it. In cluster policies' tiers the covering rule is an earlier one.
// NetworkPolicy's rules have no order, so it is any other (if two say the same, the later one is covered). A rule that
// covers it with any pods is preferred to one with other selectors, which covers it only with the present pods. A rule
// without peers now is never covered in the second way. Pure; any thread.
std::map<RulePlace, CoveringRule> CoveredRules(const ResolvedPolicy& policy);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_COVERED_RULES_H_
