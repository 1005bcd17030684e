// The compiled, immutable policy of one generation, and how a packet is looked up in it.
//
// A verdict asks, for each direction, "is there a rule whose subject, peer and port sets all hold this packet?". The
// table reduces each of the three to one small number:
//
//   subject address -> sections: the interned set of policy sections that bind it (the policy id)
//   peer address    -> peer class: the interned set of peer groups that hold it
//   protocol, port  -> port class: the interned set of port sets that hold it
//
// The verdict is a pure function of that triple. It is worked out when first seen (Table::Decide) and remembered by
// each worker (Classifier), so a miss is two address lookups and two probes of that memory, whatever the policies'
// shape, and the table holds memberships, never products. docs/architecture.md has the arithmetic.
//
// Ids are interned by content and never reused: those of rules within an epoch, which flows and counters remember, all
// others within a numbering, of which an epoch has several (see Compiler). So what a worker remembers outlives a swap.
// Threads: a Table is immutable; any thread may read it for as long as it holds a reference or is inside an RCU
// read section. The interned parts are shared with later generations and only grow (IdSetPool, StableVector, RuleList).
#ifndef SLUICE_DATAPLANE_TABLE_TABLE_H_
#define SLUICE_DATAPLANE_TABLE_TABLE_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "sluice/address.h"
#include "sluice/domain_name.h"
#include "sluice/id_set.h"
#include "sluice/policy_terms.h"
#include "sluice/resolved_policy.h"
#include "sluice/rule_name.h"
#include "sluice/stable_vector.h"
#include "table/address_changes.h"
#include "table/address_map.h"
#include "table/name_rules.h"
#include "table/port_map.h"
#include "table/rule_list.h"

namespace sluice {

// A rule, or the default deny of a section that isolates. Unique within an epoch; counters are indexed by it. Below
// 2^31.
using RuleId = std::uint32_t;
inline constexpr RuleId kNoRule = 0;  // no policy speaks of this side: allowed

using SectionId = std::uint32_t;
using IdentityId = std::uint32_t;

// What rules see of a packet's protocol and port. Rules of bundles (table/bundle.h) have classes of their own, so that
// their ports do not divide those of NetworkPolicies. All zeros: only rules that name no port hold it.
struct PortClass {
  IdSetId sections = kEmptyIdSet;
  TierPortClass bundles = kNoTierPort;

  friend auto operator<=>(const PortClass&, const PortClass&) = default;
};

// An identity, as bundles have it: which of them bind it, and what their rules see of it as a peer.
struct TierView {
  std::array<IdSetId, 2> bundles = {kEmptyIdSet, kEmptyIdSet};  // by direction: sets of their numbers
  IdSetId peer_class = kEmptyIdSet;

  IdSetId in(Direction direction) const { return bundles[static_cast<std::size_t>(direction)]; }

  friend auto operator<=>(const TierView&, const TierView&) = default;
};

// An equivalence class of addresses that no rule tells apart.
struct Identity {
  IdSetId egress = kEmptyIdSet;   // sections that bind it as a source
  IdSetId ingress = kEmptyIdSet;  // sections that bind it as a destination
  IdSetId peer_class = kEmptyIdSet;
  std::uint32_t flags : 2 = 0;
  std::uint32_t tiers : 30 = 0;  // index into InternedPolicy::tier_views

  IdSetId sections(Direction direction) const { return direction == Direction::kEgress ? egress : ingress; }

  static constexpr std::uint32_t kManaged = 1;    // an endpoint has it
  static constexpr std::uint32_t kInPodCidr = 2;  // in a node's pod CIDR, whether an endpoint has it or not

  friend bool operator==(const Identity&, const Identity&) = default;
};

// What people are told of a rule.
struct TableRule {
  std::string policy;
  Tier tier = Tier::kNetworkPolicy;
  Direction direction = Direction::kIngress;
  Action action = Action::kAllow;
  std::uint32_t priority = 0;
  std::int32_t index = -1;  // -1: the default deny of isolation
  RuleName name = {};
  DomainPatterns domain_names = {};
};

// The outcome for one direction.
struct Decision {
  RuleId rule = kNoRule;
  bool allow = true;
};

// What the tiers above and below NetworkPolicy say. kNoRule: nothing, or Pass.
struct TierDecisions {
  Decision admin;
  Decision baseline;
};

struct TableStats {
  // In force in this generation.
  std::uint64_t addresses = 0;  // hosts: pods, nodes, /32 and /128 blocks
  std::uint64_t cidr_cells = 0;
  std::uint64_t groups = 0;
  std::uint64_t sections = 0;
  std::uint64_t rules = 0;
  // Interned in this numbering, this generation's and earlier ones'.
  std::uint64_t identities = 0;
  std::uint64_t section_sets = 0;
  std::uint64_t peer_classes = 0;
  std::uint64_t port_classes = 0;
  std::uint64_t memberships = 0;  // of the three kinds of sets
  std::uint64_t bytes = 0;        // all of the table, what it shares with earlier generations included
};

// What deciding reads of a rule. 16 bytes, next to its section's others.
struct RuleMatch {
  std::uint32_t peer_bit = 0;  // id in peer classes, or of NameRules; kAnyPeerBit: every address
  std::uint32_t port_set = 0;  // id in port classes; kAnyPortSet: every protocol and port
  RuleId rule = kNoRule;
  Tier tier = Tier::kNetworkPolicy;
  Action action = Action::kAllow;

  static constexpr std::uint32_t kAnyPeerBit = 0xffffffff;
  static constexpr std::uint32_t kAnyPortSet = 0xffffffff;

  friend bool operator==(const RuleMatch&, const RuleMatch&) = default;
};

struct TableSection {
  const RuleMatch* rules = nullptr;  // in list order; in InternedPolicy::matches
  std::uint32_t count = 0;
  RuleId default_deny = kNoRule;  // where the section isolates
};

struct Bundle;
// By their numbers.
using Bundles = std::vector<std::shared_ptr<const Bundle>>;

// What the rules by domain name of an epoch that is over asked for: flows that began by one of them, and that no table
// has judged since, keep it (FQ-02).
struct FormerNames {
  std::uint64_t first_generation = 0;                  // of the epoch
  std::unordered_map<RuleId, DomainPatterns> by_rule;  // none is empty
};

// What generations of one numbering share: interned, append-only. The rules are shared by all of their epoch.
struct InternedPolicy {
  std::uint64_t epoch = 0;            // unique in the process
  std::uint64_t numbering = 0;        // likewise
  StableVector<Identity> identities;  // [0]: an address that no policy concerns
  IdSetPool section_sets;             // sets of SectionId
  IdSetPool peer_classes;             // sets of peer bits
  IdSetPool port_classes;             // sets of port set ids, of the rules of sections
  IdSetPool tier_port_classes;        // the same of the rules of bundles, where there are several
  IdSetPool bundle_sets;              // sets of numbers of bundles
  StableVector<TierView> tier_views;  // [0]: no cluster policy concerns it
  StableVector<TableSection> sections;
  std::vector<std::unique_ptr<RuleMatch[]>> matches;             // writer only; reached through sections
  std::shared_ptr<const RuleList<TableRule>> rules;              // [0] is kNoRule
  std::vector<std::shared_ptr<const FormerNames>> former_names;  // of the last epochs, the latest first
};

// Precedence inside a tier: priority, then the policy's name and the place in its list (CNP-02; for NetworkPolicy,
// where order has no meaning, it says which rule is named).
bool Precedes(const TableRule& a, const TableRule& b);

// The peer of a packet, as rules see it.
struct PeerView {
  IdSetId peer_class = kEmptyIdSet;
  std::span<const std::uint32_t> name_bits = {};  // ascending: of the rules by name that it satisfies now

  bool IsHeldBy(const InternedPolicy& interned, const RuleMatch& match) const {
    return match.peer_bit == RuleMatch::kAnyPeerBit || interned.peer_classes.Contains(peer_class, match.peer_bit) ||
           (!name_bits.empty() && std::binary_search(name_bits.begin(), name_bits.end(), match.peer_bit));
  }
};

// Of the rules that match, the best of each tier.
struct BestMatches {
  std::array<const RuleMatch*, 3> by_tier = {};

  void Offer(const InternedPolicy& interned, const RuleMatch& match) {
    const RuleMatch*& winner = by_tier[static_cast<std::size_t>(match.tier)];
    if (winner == nullptr || Precedes((*interned.rules)[match.rule], (*interned.rules)[winner->rule])) winner = &match;
  }
};

class Table {
 public:
  std::uint64_t generation() const { return generation_; }
  // Ids of rules mean the same in all tables of an epoch, all other ids in those of a numbering.
  std::uint64_t epoch() const { return interned_->epoch; }
  std::uint64_t numbering() const { return interned_->numbering; }
  // What Decide answered holds in all tables of the same number: those of a numbering whose bundles are the same.
  std::uint64_t answers() const { return answers_; }
  // False for the table in force before any policy was received.
  bool has_policy() const { return has_policy_; }

  // Identity and node of an address; never fails. For bursts, see Classifier.
  AddressEntry Lookup(const IpAddress& address) const { return addresses_.Lookup(address); }
  const Identity& identity(IdentityId id) const { return interned_->identities[id]; }
  // All zeros for protocols without ports (NP-61).
  PortClass PortClassOf(std::uint8_t protocol, std::uint16_t port) const {
    return {ports_.Lookup(protocol, port), tier_ports_.Lookup(protocol, port)};
  }

  // Works the triple out.
  Decision Decide(const Identity& subject, Direction direction, const Identity& peer,
                  std::span<const std::uint32_t> name_bits, const PortClass& ports) const;
  // Its two parts, each a function of fewer things than the whole. `sections`: of an Identity. O(their rules).
  Decision DecideBySections(IdSetId sections, const PeerView& peer, IdSetId port_class) const;
  // `bundles`: of a TierView. O(rules that the port class holds).
  TierDecisions DecideByBundles(IdSetId bundles, const PeerView& peer, TierPortClass port_class) const;
  // CNP-01, CNP-03, CNP-04.
  static Decision Combine(const TierDecisions& tiers, const Decision& by_sections) {
    if (tiers.admin.rule != kNoRule) return tiers.admin;
    return by_sections.rule != kNoRule ? by_sections : tiers.baseline;
  }
  const TierView& TiersOf(const Identity& identity) const { return interned_->tier_views[identity.tiers]; }
  // Rules of bundles that name no port: every packet's port class holds them.
  std::uint32_t any_port_bundled() const { return any_port_bundled_; }

  // The rules by domain name. What was learnt of names is asked beside the table (learnt_names.h): for the tables
  // themselves, no address has a name.
  const NameRules& name_rules() const { return *name_rules_; }
  // Tables with the same ones share them.
  const std::shared_ptr<const NameRules>& shared_name_rules() const { return name_rules_; }

  const TableRule& rule(RuleId id) const { return (*interned_->rules)[id]; }
  // What the rule asked for that `generation`, of an earlier epoch, had by that id. Null: it was none by name, or its
  // epoch is too long over.
  const DomainPatterns* FormerNamesOf(RuleId id, std::uint64_t generation) const;
  // What denies where `sections` isolate and no rule admits: kNoRule where none isolates. Of several policies that
  // isolate, the first by name.
  RuleId DefaultDeny(IdSetId sections) const;
  // Calls visit(RuleId) for the default deny of each section that isolates, in no order.
  template <typename Visit>
  void ForEachDefaultDeny(IdSetId sections, Visit visit) const {
    interned_->section_sets.ForEach(sections, [&](SectionId id) {
      if (const RuleId deny = interned_->sections[id].default_deny; deny != kNoRule) visit(deny);
    });
  }
  // Calls visit(SectionId) for each section that binds the identity, those of bundles too, in no order.
  template <typename Visit>
  void ForEachSection(const Identity& subject, Direction direction, Visit visit) const {
    interned_->section_sets.ForEach(subject.sections(direction), visit);
    interned_->bundle_sets.ForEach(TiersOf(subject).in(direction), [&](std::uint32_t bundle) {
      for (const SectionId each : SectionsIn(bundle)) visit(each);
    });
  }
  // The default denies of all sections that isolate, by policy name. They deny together: none of them alone.
  std::vector<RuleId> DefaultDenies(IdSetId sections) const;
  // Ids that this generation may name are below these.
  RuleId rule_limit() const { return rule_limit_; }
  IdentityId identity_limit() const { return identity_limit_; }

  // A flow neither of whose two ends changed since it was judged needs no second judgement.
  const AddressChanges& changes() const { return changes_; }

  // The table that staged policies would make of this one; null: nothing is staged. Its numbers are its own.
  const Table* staged() const { return staged_.get(); }
  // Names what is staged: another one where that is something else, the same after a restart where it is the same.
  std::uint64_t staging() const { return staging_; }

  std::uint64_t BundleBytes() const;
  const TableStats& stats() const { return stats_; }
  // Identities, sections and rules in force, as text: a line each, in the order of their ids.
  std::string Dump() const;

  const AddressMap& addresses() const { return addresses_; }
  const PortMap& ports() const { return ports_; }
  const InternedPolicy& interned() const { return *interned_; }
  const std::vector<std::string>& node_names() const { return *node_names_; }

 private:
  friend class Compiler;
  friend class CompilePass;

  std::span<const SectionId> SectionsIn(std::uint32_t bundle) const;

  std::uint64_t generation_ = 0;
  std::uint64_t answers_ = 0;
  bool has_policy_ = false;
  // Ids of this generation are below these.
  RuleId rule_limit_ = 1;
  SectionId section_limit_ = 0;
  IdentityId identity_limit_ = 1;
  std::shared_ptr<const InternedPolicy> interned_;
  std::shared_ptr<const Bundles> bundles_;
  std::shared_ptr<const NameRules> name_rules_;
  AddressMap addresses_;
  PortMap ports_;
  TierPortMap tier_ports_;
  std::uint32_t any_port_bundled_ = 0;
  AddressChanges changes_;
  std::shared_ptr<const Table> staged_;
  std::uint64_t staging_ = 0;
  std::shared_ptr<const std::vector<std::string>> node_names_;
  std::vector<Prefix> pod_cidrs_;  // sorted
  TableStats stats_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_TABLE_H_
