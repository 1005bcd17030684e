// What a policy says that nothing answers to: it selects no pod, a named port that no pod has, peers that nobody is.
// Valid, and often not what was meant. Of resolved policy alone, so that a running dataplane can tell it; what
// manifests say beyond that is control/lint's to find.
#ifndef SLUICE_UNANSWERED_H_
#define SLUICE_UNANSWERED_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sluice/resolved_policy.h"

namespace sluice {

// How many endpoints each group selects.
class GroupSizes {
 public:
  GroupSizes() = default;
  // Costs a look at each endpoint and at each of their distinct member sets.
  explicit GroupSizes(const ResolvedPolicy& policy);
  std::uint64_t Of(GroupId group) const { return group < sizes_.size() ? sizes_[group] : 0; }

 private:
  std::vector<std::uint64_t> sizes_;
};

struct Unanswered {
  std::string field;  // "ingress[0]"; empty: the policy as a whole
  std::string text;   // "selects no pod"

  friend bool operator==(const Unanswered&, const Unanswered&) = default;
};

// Of one policy. `sections`: all of it; `sizes`: of `policy`, which holds the groups that they name.
std::vector<Unanswered> FindUnanswered(std::span<const Section> sections, const ResolvedPolicy& policy,
                                       const GroupSizes& sizes);

}  // namespace sluice

#endif  // SLUICE_UNANSWERED_H_
