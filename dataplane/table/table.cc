#include "table/table.h"

#include <algorithm>
#include <tuple>

namespace sluice {
namespace {

// Precedence inside a tier: the default deny of isolation after every rule, then priority, then the policy's name and
// the place in its list (CNP-02; for NetworkPolicy, where order has no meaning, it says which rule is named).
bool Precedes(const TableRule& a, const TableRule& b) {
  const bool a_default = a.index < 0;
  const bool b_default = b.index < 0;
  if (a_default != b_default) return b_default;
  if (a.priority != b.priority) return a.priority < b.priority;
  if (const int order = a.policy.compare(b.policy); order != 0) return order < 0;
  return a.index < b.index;
}

}  // namespace

Decision Table::Decide(IdSetId sections, IdSetId peer_class, PortClassId port_class) const {
  std::array<RuleId, 3> best = {kNoRule, kNoRule, kNoRule};  // by tier
  const InternedPolicy& interned = *interned_;
  interned.section_sets.ForEach(sections, [&](SectionId section) {
    for (const RuleId id : interned.section_rules[section]) {
      const TableRule& rule = interned.rules[id];
      if (rule.port_set != TableRule::kAnyPortSet && !interned.port_classes.Contains(port_class, rule.port_set))
        continue;
      if (rule.peer_bit != TableRule::kAnyPeerBit && !interned.peer_classes.Contains(peer_class, rule.peer_bit))
        continue;
      RuleId& winner = best[static_cast<std::size_t>(rule.tier)];
      if (winner == kNoRule || Precedes(rule, interned.rules[winner])) winner = id;
      break;  // a section is in list order: its first match is its best
    }
  });
  // CNP-01, CNP-03, CNP-04: Pass leaves Admin for NetworkPolicy, and Baseline for the default, which allows.
  for (const RuleId id : best) {
    if (id == kNoRule) continue;
    const TableRule& rule = interned.rules[id];
    if (rule.action == Action::kPass && rule.tier == Tier::kAdmin) continue;
    return {id, rule.action != Action::kDeny};
  }
  return {};
}

std::string Table::Dump() const {
  const InternedPolicy& interned = *interned_;
  const auto ids = [](const IdSetPool& pool, IdSetId set) {
    std::string text = "{";
    pool.ForEach(set, [&](std::uint32_t id) { text += (text.size() > 1 ? "," : "") + std::to_string(id); });
    return text + '}';
  };
  std::string out = "table generation=" + std::to_string(generation_) + (has_policy_ ? "" : " (no policy yet)") + '\n';
  std::vector<std::pair<IpAddress, AddressEntry>> hosts;
  addresses_.ForEachHost(
      [&](const IpAddress& address, const AddressEntry& entry) { hosts.emplace_back(address, entry); });
  std::sort(hosts.begin(), hosts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::uint8_t> identity_used(identity_limit_);
  for (const auto& [address, entry] : hosts) {
    out += "host " + address.ToString() + " identity=" + std::to_string(entry.identity);
    if (entry.node != kNoNode) out += " node=" + node_names_[entry.node];
    out += '\n';
    identity_used[entry.identity] = 1;
  }
  for (const CidrCell& cell : addresses_.cells()) {
    out += "cell " + cell.first.ToString() + '-' + cell.last.ToString() + " identity=" + std::to_string(cell.identity) +
           '\n';
    identity_used[cell.identity] = 1;
  }
  std::vector<std::uint8_t> section_used(section_limit_);
  for (IdentityId id = 0; id < identity_limit_; ++id) {
    if (!identity_used[id]) continue;
    const Identity& identity = interned.identities[id];
    out += "identity " + std::to_string(id) + (identity.flags & Identity::kManaged ? " managed" : "") +
           (identity.flags & Identity::kInPodCidr ? " in-pod-cidr" : "") +
           " egress=" + ids(interned.section_sets, identity.egress) +
           " ingress=" + ids(interned.section_sets, identity.ingress) +
           " peer-class=" + ids(interned.peer_classes, identity.peer_class) + '\n';
    for (const IdSetId sections : {identity.egress, identity.ingress}) {
      interned.section_sets.ForEach(sections, [&](SectionId section) { section_used[section] = 1; });
    }
  }
  for (SectionId section = 0; section < section_limit_; ++section) {
    if (!section_used[section]) continue;
    out += "section " + std::to_string(section) + '\n';
    for (const RuleId id : interned.section_rules[section]) {
      const TableRule& rule = interned.rules[id];
      out += "  rule " + std::to_string(id) + ' ' + rule.policy + ' ' + std::string(Name(rule.direction)) + '[' +
             std::to_string(rule.index) + "] " + std::string(Name(rule.action)) +
             " tier=" + std::string(Name(rule.tier)) +
             " peers=" + (rule.peer_bit == TableRule::kAnyPeerBit ? "any" : std::to_string(rule.peer_bit)) +
             " ports=" + (rule.port_set == TableRule::kAnyPortSet ? "any" : std::to_string(rule.port_set)) + '\n';
    }
  }
  return out;
}

}  // namespace sluice
