#include "table/table.h"

#include <algorithm>
#include <tuple>

#include "table/bundle.h"

namespace sluice {
bool Precedes(const TableRule& a, const TableRule& b) {
  if (a.priority != b.priority) return a.priority < b.priority;
  if (const int order = a.policy.compare(b.policy); order != 0) return order < 0;
  return a.index < b.index;
}

std::span<const SectionId> Table::SectionsIn(const TableSection& place) const {
  return (*bundles_)[place.bundle()]->sections;
}

const DomainPatterns* Table::FormerNamesOf(RuleId id, std::uint64_t generation) const {
  for (const auto& epoch : interned_->former_names) {
    if (generation < epoch->first_generation) continue;
    const auto found = epoch->by_rule.find(id);
    return found == epoch->by_rule.end() ? nullptr : &found->second;
  }
  return nullptr;
}

std::uint64_t Table::BundleBytes() const {
  std::uint64_t bytes = bundles_ == nullptr ? 0 : bundles_->capacity() * sizeof((*bundles_)[0]);
  if (bundles_ != nullptr) {
    for (const auto& bundle : *bundles_) bytes += bundle->MemoryBytes();
  }
  return bytes;
}

Decision Table::Decide(IdSetId sections, const PeerView& peer, PortClassId port_class) const {
  const InternedPolicy& interned = *interned_;
  BestMatches best;
  bool isolated = false;
  interned.section_sets.ForEach(sections, [&](SectionId id) {
    const TableSection& section = interned.sections[id];
    if (section.is_place()) return (*bundles_)[section.bundle()]->Match(interned, peer, port_class, best);
    isolated |= section.default_deny != kNoRule;
    for (std::uint32_t i = 0; i < section.count; ++i) {
      const RuleMatch& match = section.rules[i];
      if (match.port_set != RuleMatch::kAnyPortSet && !interned.port_classes.Contains(port_class, match.port_set))
        continue;
      if (!peer.IsHeldBy(interned, match)) continue;
      best.Offer(interned, match);
      break;  // a section is in list order: its first match is its best
    }
  });
  const auto outcome = [](const RuleMatch& match) { return Decision{match.rule, match.action != Action::kDeny}; };
  const auto [admin, network_policy, baseline] = best.by_tier;
  // CNP-01, CNP-03, CNP-04: Pass leaves Admin for NetworkPolicy, and Baseline for the default, which allows.
  if (admin != nullptr && admin->action != Action::kPass) return outcome(*admin);
  if (network_policy != nullptr) return outcome(*network_policy);
  if (isolated) return {DefaultDeny(sections), false};
  return baseline != nullptr ? outcome(*baseline) : Decision{};
}

// The first isolating policy by name.
RuleId Table::DefaultDeny(IdSetId sections) const {
  RuleId first = kNoRule;
  interned_->section_sets.ForEach(sections, [&](SectionId id) {
    const RuleId deny = interned_->sections[id].default_deny;
    if (deny != kNoRule && (first == kNoRule || Precedes(rule(deny), rule(first)))) first = deny;
  });
  return first;
}

std::vector<RuleId> Table::DefaultDenies(IdSetId sections) const {
  std::vector<RuleId> denies;
  ForEachDefaultDeny(sections, [&](RuleId deny) { denies.push_back(deny); });
  std::sort(denies.begin(), denies.end(), [&](RuleId a, RuleId b) { return Precedes(rule(a), rule(b)); });
  return denies;
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
    if (entry.node == kSeveralNodes) {
      out += " node=(several)";
    } else if (entry.node != kNoNode) {
      out += " node=" + node_names()[entry.node];
    }
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
      ForEachSection(sections, [&](SectionId section) { section_used[section] = 1; });
    }
  }
  for (SectionId section = 0; section < section_limit_; ++section) {
    if (!section_used[section]) continue;
    const TableSection& entry = interned.sections[section];
    out += "section " + std::to_string(section);
    if (entry.is_place()) {
      out += " is a bundle of";
      for (const SectionId each : SectionsIn(entry)) out += ' ' + std::to_string(each);
      out += '\n';
      continue;
    }
    if (entry.default_deny != kNoRule) out += " isolates as rule " + std::to_string(entry.default_deny);
    out += '\n';
    for (std::uint32_t i = 0; i < entry.count; ++i) {
      const RuleMatch& match = entry.rules[i];
      const TableRule& named = rule(match.rule);
      out += "  rule " + std::to_string(match.rule) + ' ' + named.policy + ' ' + std::string(Name(named.direction)) +
             '[' + std::to_string(named.index) + "] " + std::string(Name(named.action)) +
             (named.name.empty() ? "" : " \"" + named.name.text() + '"') + " tier=" + std::string(Name(named.tier)) +
             " peers=" + (match.peer_bit == RuleMatch::kAnyPeerBit ? "any" : std::to_string(match.peer_bit)) +
             (named.domain_names.empty() ? "" : " names=" + named.domain_names.ToString()) +
             " ports=" + (match.port_set == RuleMatch::kAnyPortSet ? "any" : std::to_string(match.port_set)) + '\n';
    }
  }
  return out;
}

}  // namespace sluice
