// Makes any policy fit the messages that carry it. Within one thread.
#ifndef SLUICE_CONTROL_PUSH_FIT_H_
#define SLUICE_CONTROL_PUSH_FIT_H_

#include <cstddef>
#include <optional>

#include "push/held_policies.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"

namespace sluice {

struct Fitting {
  Diagnostics held;                   // policies that are held back because of their size
  bool emptied = false;               // groups that no section names any more were emptied
  std::optional<Diagnostic> refused;  // an object still fits no message: the policy cannot be sent
};

// Holds back (held_policies.h) each policy, staged or not, that is too large for a message of `most_bytes` or names a
// group that is. Empties such groups, whose numbers stay. An endpoint that is too large loses its labels and named
// ports, which are only shown.
Fitting Fit(ResolvedPolicy* policy, HeldPolicies* held, std::size_t most_bytes);

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_FIT_H_
