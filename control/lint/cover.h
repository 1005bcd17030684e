// Whether one rule of a policy says all that another one says, whatever pods there are.
#ifndef SLUICE_CONTROL_LINT_COVER_H_
#define SLUICE_CONTROL_LINT_COVER_H_

#include "model/objects.h"

namespace sluice {

// True only where each packet that `rule` admits is admitted by `other`, too. Where that cannot be told from the
// objects alone, false.
bool IsCoveredBy(const NetworkPolicyRule& rule, const NetworkPolicyRule& other);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_COVER_H_
