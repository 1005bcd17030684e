// How often each rule in force was hit: a sum over workers, by the name that people know the rule by.
#ifndef SLUICE_DATAPLANE_API_RULE_HITS_H_
#define SLUICE_DATAPLANE_API_RULE_HITS_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/rule_counters.h"
#include "observe/dataplane_view.h"
#include "table/table.h"

namespace sluice {

class RuleHits {
 public:
  // Counts only rules that the identities of `table` can still meet, not the rules of a policy's older generations.
  RuleHits(const Table& table, const std::vector<Observation>& workers);

  // Returns zero for rules that no identity can meet. `index` -1: the default deny.
  RuleCount Of(const std::string& policy, Direction direction, std::int32_t index) const;

 private:
  using Name = std::tuple<std::string, Direction, std::int32_t>;
  std::map<Name, RuleCount> counts_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_API_RULE_HITS_H_
