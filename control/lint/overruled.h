// Rules of NetworkPolicies that decide nothing, since one of the Admin tier matches all that they do and is asked first
// (CNP-01).
#ifndef SLUICE_CONTROL_LINT_OVERRULED_H_
#define SLUICE_CONTROL_LINT_OVERRULED_H_

#include "lint/ground.h"

namespace sluice {

// By the pods that are there: of unlike selectors, only these tell whether one selects all that another one does.
// Without pods it finds nothing.
void LintOverruled(LintGround* ground);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_OVERRULED_H_
