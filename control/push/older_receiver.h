// What an older dataplane cannot understand, and what it gets instead. Within one thread.
#ifndef SLUICE_CONTROL_PUSH_OLDER_RECEIVER_H_
#define SLUICE_CONTROL_PUSH_OLDER_RECEIVER_H_

#include <cstdint>

#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"

namespace sluice {

// Rules by domain name came with api_minor 9. They only accept, so a dataplane that does not know them gets the policy
// without them and denies more. With them it would refuse the policy, and a cluster policy cannot be held back.
inline constexpr std::uint32_t kNamesSinceApiMinor = 9;

// Whether there were any such rules.
bool RemoveRulesByName(ResolvedPolicy* policy);
bool RemoveRulesByName(PolicyUpdate* update);

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_OLDER_RECEIVER_H_
