// Checks whether the filter can learn the names that rules by domain name ask for.
#ifndef SLUICE_CONTROL_LINT_RULES_BY_NAME_H_
#define SLUICE_CONTROL_LINT_RULES_BY_NAME_H_

#include "lint/ground.h"
#include "lint/lint.h"

namespace sluice {

// Requires that the ground was turned to the policy. `dns`: null if it is not known.
void LintRulesByName(const ClusterPolicy& policy, const LintDns* dns, LintGround* ground);

// Whether some peer of the rule is every pod, or every address of a family.
bool IsOfEveryone(const ClusterPolicyRule& rule);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_RULES_BY_NAME_H_
