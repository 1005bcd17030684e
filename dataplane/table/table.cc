#include "table/table.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "table/bundle.h"

namespace sluice {
namespace {

Decision OutcomeOf(const RuleMatch& match) { return {match.rule, match.action != Action::kDeny}; }

}  // namespace

bool Precedes(const TableRule& a, const TableRule& b) {
  if (a.priority != b.priority) return a.priority < b.priority;
  if (const int order = a.policy.compare(b.policy); order != 0) return order < 0;
  return a.index < b.index;
}

std::span<const SectionId> Table::SectionsIn(std::uint32_t bundle) const { return (*bundles_)[bundle]->sections; }

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

Decision Table::Decide(const Identity& subject, Direction direction, const Identity& peer,
                       std::span<const std::uint32_t> name_bits, const PortClass& ports) const {
  return Combine(DecideByBundles(TiersOf(subject).in(direction), {TiersOf(peer).peer_class, name_bits}, ports.bundles),
                 DecideBySections(subject.sections(direction), {peer.peer_class, name_bits}, ports.sections));
}

TierDecisions Table::DecideByBundles(IdSetId bundles, const PeerView& peer, TierPortClass port_class) const {
  BestMatches best;
  interned_->bundle_sets.ForEach(
      bundles, [&](std::uint32_t bundle) { (*bundles_)[bundle]->Match(*interned_, peer, port_class, best); });
  // CNP-03, CNP-04: Pass leads from Admin to NetworkPolicy, and from Baseline to the default, which allows.
  TierDecisions decisions;
  const RuleMatch* admin = best.by_tier[static_cast<std::size_t>(Tier::kAdmin)];
  if (admin != nullptr && admin->action != Action::kPass) decisions.admin = OutcomeOf(*admin);
  const RuleMatch* baseline = best.by_tier[static_cast<std::size_t>(Tier::kBaseline)];
  if (baseline != nullptr) decisions.baseline = OutcomeOf(*baseline);
  return decisions;
}

Decision Table::DecideBySections(IdSetId sections, const PeerView& peer, IdSetId port_class) const {
  const InternedPolicy& interned = *interned_;
  const RuleMatch* best = nullptr;
  bool isolated = false;
  interned.section_sets.ForEach(sections, [&](SectionId id) {
    const TableSection& section = interned.sections[id];
    isolated |= section.default_deny != kNoRule;
    for (std::uint32_t i = 0; i < section.count; ++i) {
      const RuleMatch& match = section.rules[i];
      if (match.port_set != RuleMatch::kAnyPortSet && !interned.port_classes.Contains(port_class, match.port_set))
        continue;
      if (!peer.IsHeldBy(interned, match)) continue;
      if (best == nullptr || Precedes(rule(match.rule), rule(best->rule))) best = &match;
      break;  // a section is in list order: its first match is its best
    }
  });
  if (best != nullptr) return OutcomeOf(*best);
  return isolated ? Decision{DefaultDeny(sections), false} : Decision{};
}

// The default deny of the first isolating policy by name.
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
  std::set<std::uint32_t> bundles_used;
  for (IdentityId id = 0; id < identity_limit_; ++id) {
    if (!identity_used[id]) continue;
    const Identity& identity = interned.identities[id];
    out += "identity " + std::to_string(id) + (identity.flags & Identity::kManaged ? " managed" : "") +
           (identity.flags & Identity::kInPodCidr ? " in-pod-cidr" : "") +
           " egress=" + ids(interned.section_sets, identity.egress) +
           " ingress=" + ids(interned.section_sets, identity.ingress) +
           " peer-class=" + ids(interned.peer_classes, identity.peer_class);
    for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
      const IdSetId bundles = TiersOf(identity).in(direction);
      if (bundles != kEmptyIdSet) {
        out += ' ' + std::string(Name(direction)) + "-bundles=" + ids(interned.bundle_sets, bundles);
      }
      interned.bundle_sets.ForEach(bundles, [&](std::uint32_t bundle) { bundles_used.insert(bundle); });
      ForEachSection(identity, direction, [&](SectionId section) { section_used[section] = 1; });
    }
    if (const IdSetId peer = TiersOf(identity).peer_class; peer != kEmptyIdSet) {
      out += " peer-class-for-bundles=" + ids(interned.peer_classes, peer);
    }
    out += '\n';
  }
  for (const std::uint32_t bundle : bundles_used) {
    out += "bundle " + std::to_string(bundle) + " of";
    for (const SectionId each : SectionsIn(bundle)) out += ' ' + std::to_string(each);
    out += '\n';
  }
  for (SectionId section = 0; section < section_limit_; ++section) {
    if (!section_used[section]) continue;
    const TableSection& entry = interned.sections[section];
    out += "section " + std::to_string(section);
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
