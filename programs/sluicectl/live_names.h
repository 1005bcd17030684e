// Names that a running sluiced learnt, fetched so that another policy can judge its live connections here.
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
  // Asks only if the policy in force has rules by name. Returns kExitFine, or another exit code and an error message.
  int Fetch(const LiveOptions& live, v1::ObserveService::Stub& stub, const ResolvedPolicy& in_force);

  // The results of this and the next function refer to this object.
  NamesNow now() const { return {&learnt_, kNow}; }
  // The names of the rule by name that admits the flow; null: no such rule does.
  const DomainPatterns* BeganBy(const v1::RuleName& egress_rule) const;

 private:
  static constexpr std::uint64_t kNow = 1;  // on a clock of its own: what has expired ended before, the rest never ends

  std::map<std::pair<std::string, std::int32_t>, DomainPatterns> rules_;  // by policy and index
  LearntNames learnt_{nullptr, 1024};
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LIVE_NAMES_H_
