// The differences between two resolved policies, object by object, in words.
//
// Numbers do not matter here: groups are compared by their keys, endpoints and policies by their names.
#ifndef SLUICE_PROGRAMS_SLUICECTL_POLICY_DIFF_H_
#define SLUICE_PROGRAMS_SLUICECTL_POLICY_DIFF_H_

#include <cstddef>
#include <string>
#include <vector>

#include "sluice/resolved_policy.h"

namespace sluice {

struct ObjectChange {
  enum class Kind : std::uint8_t { kAdded, kRemoved, kChanged };

  Kind kind = Kind::kChanged;
  std::string name;               // "namespace/name", or a name
  std::vector<std::string> left;  // what was true before and is not any more, one line each
  std::vector<std::string> came;  // what is true now and was not before
};

// In the order of their names.
struct PolicyDiff {
  std::vector<ObjectChange> policies;
  std::vector<ObjectChange> endpoints;
  std::vector<ObjectChange> nodes;

  bool empty() const { return policies.empty() && endpoints.empty() && nodes.empty(); }
};

PolicyDiff Compare(const ResolvedPolicy& before, const ResolvedPolicy& after);

std::size_t Count(const std::vector<ObjectChange>& changes, ObjectChange::Kind kind);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_POLICY_DIFF_H_
