#include "observe/policy_totals.h"

#include <utility>

namespace sluice {

// Counts all rules of the epoch, including rules of policies that are gone: within an epoch no count falls.
std::map<PolicyTotals::Key, PolicyTotal> PolicyTotals::Counted(const Table& table,
                                                               const std::vector<Observation>& workers) const {
  std::map<Key, PolicyTotal> counted;
  auto last = counted.end();  // rules of one policy are mostly adjacent
  for (RuleId id = 1; id < table.rule_limit(); ++id) {
    PolicyTotal hits;
    for (const Observation& worker : workers) {
      const RuleCount count = worker.reader.CountOf(table.epoch(), id);
      hits.packets += count.packets;
      hits.bytes += count.bytes;
    }
    if (hits.packets == 0) continue;
    const TableRule& rule = table.rule(id);
    if (last == counted.end() || std::get<0>(last->first) != rule.policy || std::get<1>(last->first) != rule.tier ||
        std::get<2>(last->first) != rule.direction || std::get<3>(last->first) != rule.action) {
      last = counted.try_emplace(Key{rule.policy, rule.tier, rule.direction, rule.action}).first;
    }
    last->second.packets += hits.packets;
    last->second.bytes += hits.bytes;
  }
  return counted;
}

void PolicyTotals::Update(const Table& table, const std::vector<Observation>& workers, const IsInForce& is_in_force) {
  std::map<Key, PolicyTotal> counted = Counted(table, workers);
  if (std::exchange(epoch_, table.epoch()) != table.epoch()) counted_.clear();

  std::erase_if(shown_, [&](const std::string& policy) { return !is_in_force(policy); });
  std::erase_if(folded_, [&](const std::string& policy) { return !is_in_force(policy); });
  std::erase_if(totals_, [&](const auto& total) {
    const std::string& policy = std::get<0>(total.first);
    return !policy.empty() && !shown_.contains(policy);
  });

  for (const auto& [key, now] : counted) {
    const auto& [policy, tier, direction, action] = key;
    const auto before = counted_.find(key);
    PolicyTotal since = now;
    if (before != counted_.end()) {
      since.packets -= before->second.packets;
      since.bytes -= before->second.bytes;
    }
    if (since.packets == 0) continue;
    bool shown = shown_.contains(policy);
    if (!shown && is_in_force(policy)) {
      // Once folded, a policy stays folded: the folded totals already hold the beginning of its own series.
      shown = shown_.size() < most_ && !folded_.contains(policy);
      (shown ? shown_ : folded_).insert(policy);
    }
    PolicyTotal& total = totals_[shown ? key : Key{"", tier, direction, action}];
    total.packets += since.packets;
    total.bytes += since.bytes;
  }
  counted_ = std::move(counted);
}

}  // namespace sluice
