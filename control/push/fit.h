// Makes a policy fit the messages that carry it, whatever it holds. Within one thread.
#ifndef SLUICE_CONTROL_PUSH_FIT_H_
#define SLUICE_CONTROL_PUSH_FIT_H_

#include <cstddef>
#include <optional>

#include "push/held_policies.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"

namespace sluice {

struct Fitting {
  Diagnostics held;                   // policies that were held back for their size
  bool emptied = false;               // groups that no section names any more lost what they held
  std::optional<Diagnostic> refused;  // what no message can carry all the same: the policy cannot be sent
};

// Holds back (held_policies.h) each policy that is too large for a message of `most_bytes`, or names a group that is,
// and empties such groups; their numbers stay. Of an endpoint that is too large, what is for people goes.
Fitting Fit(ResolvedPolicy* policy, HeldPolicies* held, std::size_t most_bytes);

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_FIT_H_
