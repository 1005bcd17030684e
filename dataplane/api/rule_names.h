// Rules and pods as messages name them.
#ifndef SLUICE_DATAPLANE_API_RULE_NAMES_H_
#define SLUICE_DATAPLANE_API_RULE_NAMES_H_

#include <string>

#include "sluice/resolved_policy.h"
#include "sluice/v1/observe.pb.h"
#include "table/table.h"

namespace sluice {

inline v1::Tier EncodeTier(Tier tier) { return static_cast<v1::Tier>(static_cast<int>(tier) + 1); }

// An id that the table does not know is of a newer one: it stays empty rather than wrong.
inline void SetRule(const Table& table, RuleId id, v1::RuleName* name) {
  if (id == kNoRule || id >= table.rule_limit()) return;
  const TableRule& rule = table.rule(id);
  name->set_policy(rule.policy);
  name->set_tier(EncodeTier(rule.tier));
  name->set_index(rule.index);
}

inline std::string PodName(const Endpoint& endpoint) { return endpoint.namespace_name + '/' + endpoint.name; }

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_RULE_NAMES_H_
