// The names of rules and pods in messages.
#ifndef SLUICE_DATAPLANE_API_RULE_NAMES_H_
#define SLUICE_DATAPLANE_API_RULE_NAMES_H_

#include <string>
#include <utility>
#include <vector>

#include "sluice/printable.h"
#include "sluice/resolved_policy.h"
#include "sluice/v1/observe.pb.h"
#include "table/table.h"

namespace sluice {

inline v1::Tier EncodeTier(Tier tier) { return static_cast<v1::Tier>(static_cast<int>(tier) + 1); }

// A sender's names may have any length. At most this much of a name is shown. An API server's names have at most 253
// bytes, its namespaces 63.
inline constexpr std::size_t kShownNameBytes = 1024;
inline std::string ShownName(std::string name) {
  return name.size() <= kShownNameBytes ? std::move(name) : Printable(name, kShownNameBytes);
}

inline void SetRule(const TableRule& rule, v1::RuleName* name) {
  name->set_policy(ShownName(rule.policy));
  name->set_tier(EncodeTier(rule.tier));
  name->set_index(rule.index);
  name->set_action(static_cast<v1::Action>(static_cast<int>(rule.action) + 1));
  if (!rule.name.empty()) name->set_name(ShownName(rule.name.text()));
}

// An id that the table does not know belongs to a newer table: the name stays empty rather than wrong.
inline void SetRule(const Table& table, RuleId id, v1::RuleName* name) {
  if (id != kNoRule && id < table.rule_limit()) SetRule(table.rule(id), name);
}

// Requires that `name` is the name of a default deny.
inline void SetIsolatedBy(const std::vector<std::string>& policies, v1::RuleName* name) {
  for (const std::string& policy : policies) name->add_isolated_by(ShownName(policy));
}

inline std::string PodName(const Endpoint& endpoint) {
  return ShownName(endpoint.namespace_name + '/' + endpoint.name);
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_RULE_NAMES_H_
