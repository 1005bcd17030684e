#include "api/rule_hits.h"

#include <algorithm>
#include <set>
#include <utility>

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
  std::vector<bool> section_seen;
  std::set<std::pair<IdSetId, IdSetId>> bound_seen[2];  // sections and bundles of an identity, by direction
  for (IdentityId id = 0; id < used.size(); ++id) {
    if (!used[id]) continue;
    const Identity& identity = table.identity(id);
    for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
      const std::pair bound(identity.sections(direction), table.TiersOf(identity).in(direction));
      if (!bound_seen[static_cast<std::size_t>(direction)].insert(bound).second) continue;
      table.ForEachSection(identity, direction, [&](SectionId section) {
        if (section >= section_seen.size()) section_seen.resize(section + 1);
        if (section_seen[section]) return;
        section_seen[section] = true;
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
