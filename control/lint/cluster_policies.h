// Of cluster policies: what each says that nobody answers to, what it opens beyond its author's words, and what the
// policies of a tier do to one another (tiers.h).
#ifndef SLUICE_CONTROL_LINT_CLUSTER_POLICIES_H_
#define SLUICE_CONTROL_LINT_CLUSTER_POLICIES_H_

#include "lint/ground.h"
#include "lint/network_policies.h"

namespace sluice {

// `dns`: null where it is not known.
void LintClusterPolicies(const Isolated& isolated, const LintDns* dns, LintGround* ground);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_CLUSTER_POLICIES_H_
