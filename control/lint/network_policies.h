// Checks NetworkPolicies: what each of them names that nothing answers to, says twice, or opens beyond what it seems to
// open. Also checks all of them together: pods that cannot ask for names.
#ifndef SLUICE_CONTROL_LINT_NETWORK_POLICIES_H_
#define SLUICE_CONTROL_LINT_NETWORK_POLICIES_H_

#include "lint/ground.h"
#include "resolve/pod_set.h"

namespace sluice {

// The pods that at least one NetworkPolicy isolates.
struct Isolated {
  PodSet ingress;
  PodSet egress;
};

Isolated LintNetworkPolicies(LintGround* ground);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_NETWORK_POLICIES_H_
