#include "api/rule_hits.h"

#include <algorithm>

namespace sluice {
namespace {

std::vector<bool> IdentitiesInForce(const Table& table) {
  std::vector<bool> used(table.identity_limit());
  table.addresses().ForEachHost([&](const IpAddress&, const AddressEntry& entry) { used[entry.identity] = true; });
  for (const CidrCell& cell : table.addresses().cells()) used[cell.identity] = true;
  return used;
}

}  // namespace

RuleHits::RuleHits(const Table& table, const std::vector<Observation>& workers) {
  const InternedPolicy& interned = table.interned();
  std::vector<bool> seen(table.rule_limit());
  const auto add = [&](RuleId id) {
    if (id == kNoRule || id >= seen.size() || seen[id]) return;
    seen[id] = true;
    const TableRule& rule = table.rule(id);
    RuleCount& sum = counts_[{rule.policy, rule.direction, rule.index}];
    for (const Observation& worker : workers) {
      const RuleCount count = worker.reader.CountOf(table.epoch(), id);
      sum.packets += count.packets;
      sum.bytes += count.bytes;
      sum.last_hit_ns = std::max(sum.last_hit_ns, count.last_hit_ns);
    }
  };
  const std::vector<bool> used = IdentitiesInForce(table);
  std::vector<bool> set_seen(interned.section_sets.SetCount());
  for (IdentityId id = 0; id < used.size(); ++id) {
    if (!used[id]) continue;
    for (const IdSetId set : {table.identity(id).egress, table.identity(id).ingress}) {
      if (set >= set_seen.size() || set_seen[set]) continue;
      set_seen[set] = true;
      table.ForEachSection(set, [&](SectionId section) {
        const TableSection& rules = interned.sections[section];
        add(rules.default_deny);
        for (std::uint32_t i = 0; i < rules.count; ++i) add(rules.rules[i].rule);
      });
    }
  }
}

RuleCount RuleHits::Of(const std::string& policy, Direction direction, std::int32_t index) const {
  const auto found = counts_.find({policy, direction, index});
  return found == counts_.end() ? RuleCount() : found->second;
}

}  // namespace sluice
