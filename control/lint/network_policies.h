// Of NetworkPolicies: what each says that nobody answers to, that is said twice, or that opens more than it seems to;
// and of all of them together, pods that cannot ask for names.
#ifndef SLUICE_CONTROL_LINT_NETWORK_POLICIES_H_
#define SLUICE_CONTROL_LINT_NETWORK_POLICIES_H_

#include "lint/ground.h"
#include "resolve/pod_set.h"

namespace sluice {

// The pods that some NetworkPolicy isolates.
struct Isolated {
  PodSet ingress;
  PodSet egress;
};

Isolated LintNetworkPolicies(LintGround* ground);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_NETWORK_POLICIES_H_
