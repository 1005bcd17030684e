// Finds what a policy asks for and nothing answers to: subjects that are no pods, a named port that no pod has, peers
// that nobody is. This is valid, and often not what was meant. Uses only resolved policy, so that a running dataplane
// can report it. control/lint finds what manifests say beyond that.
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

// Looks at one policy. `sections`: all of its sections; `policy`: holds their groups; `sizes`: those of `policy`.
std::vector<Unanswered> FindUnanswered(std::span<const Section> sections, const ResolvedPolicy& policy,
                                       const GroupSizes& sizes);

}  // namespace sluice

#endif  // SLUICE_UNANSWERED_H_
