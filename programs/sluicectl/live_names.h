// What a running sluiced learnt of names, fetched to judge its live connections by another policy here.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LIVE_NAMES_H_
#define SLUICE_PROGRAMS_SLUICECTL_LIVE_NAMES_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "sluice/domain_name.h"
#include "sluice/resolved_policy.h"
#include "sluicectl/live.h"
#include "table/classify.h"
#include "table/learnt_names.h"

namespace sluice {

class LiveNames {
 public:
  // Asks only where the policy in force has rules by name. kExitFine, or another exit code and why on standard error.
  int Fetch(const LiveOptions& live, v1::ObserveService::Stub& stub, const ResolvedPolicy& in_force);

  // Refers to this, as the next.
  NamesNow now() const { return {&learnt_, kNow}; }
  // What the rule by name asks for that admits the flow; null: none does.
  const DomainPatterns* BeganBy(const v1::RuleName& egress_rule) const;

 private:
  static constexpr std::uint64_t kNow = 1;  // on a clock of its own: what ran out did so before, all else never does

  std::map<std::pair<std::string, std::int32_t>, DomainPatterns> rules_;  // by policy and index
  LearntNames learnt_{nullptr, 1024};
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LIVE_NAMES_H_
