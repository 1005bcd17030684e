// Policies that a target refused, and what is sent in their place so that all else can proceed: their sections without
// rules, which isolate the pods they select, and with the reason. So nothing is ever allowed that the policy would
// deny, and all numbers stay as they are. What was refused of the staged ones is not sent at all: it stages nothing.
// Within one thread.
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
  // False: the refusal is not of a policy, or of one that is held already.
  bool Hold(const Diagnostic& refusal);
  // All get another try.
  void Clear() { reasons_.clear(); }
  // Those that `update` brings anew get another try. False: there are none.
  bool Release(const PolicyUpdate& update);

  // Those that a full state does not have are forgotten.
  void ForgetAllBut(const ResolvedPolicy& policy);
  // Only of the NetworkPolicy tier, whose rules allow: without its rules, a policy of another tier might deny less.
  void Strip(ResolvedPolicy* policy) const;
  void Strip(PolicyUpdate* update) const;

  std::size_t size() const { return reasons_.size(); }
  // By policy, "shop/web" or "shop/web (staged)": what it was refused for.
  const std::map<std::string, std::string>& reasons() const { return reasons_; }

 private:
  template <typename Sections>
  void Strip(Sections* sections) const;

  std::map<std::string, std::string> reasons_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_PUSH_HELD_POLICIES_H_
