// What each policy decided since start, for counters that must never fall. Rules' counters begin anew with an epoch,
// and there are more policies than a time series database wants series.
//
// One thread at a time may use it.
#ifndef SLUICE_DATAPLANE_OBSERVE_POLICY_TOTALS_H_
#define SLUICE_DATAPLANE_OBSERVE_POLICY_TOTALS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/observation.h"
#include "table/table.h"

namespace sluice {

struct PolicyTotal {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

class PolicyTotals {
 public:
  // (policy, tier, direction, action). The empty policy stands for all policies that are folded.
  using Key = std::tuple<std::string, Tier, Direction, Action>;
  using IsInForce = std::function<bool(const std::string& policy)>;

  // `most`: how many policies have totals of their own, in the order in which they were first hit.
  explicit PolicyTotals(std::size_t most) : most_(most) {}

  // Adds what the workers counted. Policies that are no longer in force give up their totals and their places.
  void Update(const Table& table, const std::vector<Observation>& workers, const IsInForce& is_in_force);

  const std::map<Key, PolicyTotal>& totals() const { return totals_; }
  // The number of policies in force that were hit and have no totals of their own.
  std::size_t folded() const { return folded_.size(); }

 private:
  std::map<Key, PolicyTotal> Counted(const Table& table, const std::vector<Observation>& workers) const;

  const std::size_t most_;
  std::uint64_t epoch_ = 0;
  std::map<Key, PolicyTotal> counted_;  // at the last update, in epoch_
  std::map<Key, PolicyTotal> totals_;
  std::set<std::string> shown_;
  std::set<std::string> folded_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_POLICY_TOTALS_H_
