// Checks cluster policies: what they name that nothing answers to, what they open beyond their author's words, and what
// the policies of a tier do to one another (tiers.h).
#ifndef SLUICE_CONTROL_LINT_CLUSTER_POLICIES_H_
#define SLUICE_CONTROL_LINT_CLUSTER_POLICIES_H_

#include "lint/ground.h"
#include "lint/network_policies.h"

namespace sluice {

// `dns`: null if it is not known.
void LintClusterPolicies(const Isolated& isolated, const LintDns* dns, LintGround* ground);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_CLUSTER_POLICIES_H_
