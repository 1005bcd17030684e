// Policies that a target refused, and what is sent in their place so that everything else can proceed: their sections
// without rules, which isolate the pods that they select, and with the reason. So nothing is allowed that the policy
// would deny, and all numbers stay as they are. If a staged policy is refused, it is not sent at all: it stages
// nothing. Within one thread.
#ifndef SLUICE_CONTROL_PUSH_HELD_POLICIES_H_
#define SLUICE_CONTROL_PUSH_HELD_POLICIES_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "sluice/diagnostic.h"
#include "sluice/policy_update.h"
#include "sluice/resolved_policy.h"

namespace sluice {

class HeldPolicies {
 public:
  // False: the refusal does not name a policy, or names one that is already held.
  bool Hold(const Diagnostic& refusal);
  // Gives all held policies another try.
  void Clear() { reasons_.clear(); }
  // Gives held policies that `update` brings anew another try. False: there are none.
  bool Release(const PolicyUpdate& update);

  // Forgets held policies that a full state does not have.
  void ForgetAllBut(const ResolvedPolicy& policy);
  // Only policies of the NetworkPolicy tier, whose rules allow. Without its rules, one of another tier might deny less.
  void Strip(ResolvedPolicy* policy) const;
  void Strip(PolicyUpdate* update) const;

  std::size_t size() const { return reasons_.size(); }
  // The reason of the refusal, by policy: "shop/web" or "shop/web (staged)".
  const std::map<std::string, std::string>& reasons() const { return reasons_; }

 private:
  template <typename Sections>
  void Strip(Sections* sections) const;

  std::map<std::string, std::string> reasons_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_HELD_POLICIES_H_
