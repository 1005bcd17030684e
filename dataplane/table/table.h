// The compiled, immutable policy of one generation, and how a packet is looked up in it.
//
// A verdict asks, for each direction, "is there a rule whose subject, peer and port sets all hold this packet?". The
// table reduces each of the three to one small number:
//
//   subject address -> sections: the interned set of policy sections that bind it (the policy id)
//   peer address    -> peer class: the interned set of peer groups that hold it
//   protocol, port  -> port class: the interned set of port sets that hold it
//
// The verdict is a pure function of that triple. Table::Decide works it out when it is first seen, and each
// worker's Classifier remembers it. So a miss is two address lookups and two probes of that memory, whatever the
// policies look like, and the table holds memberships, never products. docs/architecture.md has the arithmetic.
//
// Ids are interned by content and never reused: ids of rules within an epoch, since flows and counters remember them;
// all other ids within a numbering, of which an epoch has several (see Compiler). So what a worker remembers outlives
// a swap. Threads: a Table is immutable. Any thread may read it while it holds a reference or is inside an RCU read
// section. The interned parts are shared with later generations and only grow (IdSetPool, StableVector, RuleList).
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

// A rule, or the default deny of an isolating section. Unique
// within an epoch; counters are indexed by it. Below 2^31.
using RuleId = std::uint32_t;
inline constexpr RuleId kNoRule = 0;  // no policy says anything about this side: allowed

using SectionId = std::uint32_t;
using IdentityId = std::uint32_t;

// What rules see of a packet's protocol and port. Rules of bundles (table/bundle.h) have classes of their own, so
// that their ports do not divide the classes of NetworkPolicies. All zeros: only rules that name no port match.
struct PortClass {
  IdSetId sections = kEmptyIdSet;
  TierPortClass bundles = kNoTierPort;

  friend auto operator<=>(const PortClass&, const PortClass&) = default;
};

// An identity as bundles see it: the bundles that bind it, and what their rules see of it as a peer.
struct TierView {
  std::array<IdSetId, 2> bundles = {kEmptyIdSet, kEmptyIdSet};  // by direction: sets of bundles' numbers
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

// What users are told about a rule.
struct TableRule {
  std::string policy;
  Tier tier = Tier::kNetworkPolicy;
  Direction direction = Direction::kIngress;
  Action action = Action::kAllow;
  std::uint32_t priority = 0;
  std::int32_t index = -1;  // -1: the default deny of an isolating section
  RuleName name = {};
  DomainPatterns domain_names = {};
};

// The outcome for one direction.
struct Decision {
  RuleId rule = kNoRule;
  bool allow = true;
};

// What the tiers above and below NetworkPolicy say. kNoRule: they say nothing, or Pass.
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
  // Interned in this numbering, by this generation and by earlier ones.
  std::uint64_t identities = 0;
  std::uint64_t section_sets = 0;
  std::uint64_t peer_classes = 0;
  std::uint64_t port_classes = 0;
  std::uint64_t memberships = 0;  // of the three kinds of sets
  std::uint64_t bytes = 0;        // of the whole table, including what it shares with earlier generations
};

// What a decision reads of a rule. 16 bytes, next to the other rules of its section.
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
  RuleId default_deny = kNoRule;  // set if the section isolates
};

struct Bundle;
// By the bundles' numbers.
using Bundles = std::vector<std::shared_ptr<const Bundle>>;

// The names that the rules by domain name of an ended epoch asked for. Flows that
// began by such a rule, and that no table has judged since, keep these names (FQ-02).
struct FormerNames {
  std::uint64_t first_generation = 0;                  // of the epoch
  std::unordered_map<RuleId, DomainPatterns> by_rule;  // none is empty
};

// What generations of one numbering share: interned, append-only. All generations of an epoch share the rules.
struct InternedPolicy {
  std::uint64_t epoch = 0;            // unique in the process
  std::uint64_t numbering = 0;        // unique in the process
  StableVector<Identity> identities;  // [0]: addresses that no policy concerns
  IdSetPool section_sets;             // sets of SectionId
  IdSetPool peer_classes;             // sets of peer bits
  IdSetPool port_classes;             // sets of port set ids, for the rules of sections
  IdSetPool tier_port_classes;        // the same for the rules of bundles, if there are several ids
  IdSetPool bundle_sets;              // sets of bundles' numbers
  StableVector<TierView> tier_views;  // [0]: no cluster policy concerns it
  StableVector<TableSection> sections;
  std::vector<std::unique_ptr<RuleMatch[]>> matches;             // writer only; reached through sections
  std::shared_ptr<const RuleList<TableRule>> rules;              // [0] is kNoRule
  std::vector<std::shared_ptr<const FormerNames>> former_names;  // of the last epochs, latest first
};

// Precedence inside a tier: priority, then the policy's name and the place in its list
// (CNP-02). For NetworkPolicy, order has no meaning; there it says which rule is named.
bool Precedes(const TableRule& a, const TableRule& b);

// A packet's peer, as rules see it.
struct PeerView {
  IdSetId peer_class = kEmptyIdSet;
  std::span<const std::uint32_t> name_bits = {};  // ascending: of the rules by name that it satisfies now

  bool IsHeldBy(const InternedPolicy& interned, const RuleMatch& match) const {
    return match.peer_bit == RuleMatch::kAnyPeerBit || interned.peer_classes.Contains(peer_class, match.peer_bit) ||
           (!name_bits.empty() && std::binary_search(name_bits.begin(), name_bits.end(), match.peer_bit));
  }
};

// The best of the matching rules of each tier.
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
  // Rule ids mean the same in all tables of an epoch; all other ids mean the same in all tables of a numbering.
  std::uint64_t epoch() const { return interned_->epoch; }
  std::uint64_t numbering() const { return interned_->numbering; }
  // An answer of Decide holds in all tables with the same number: tables of one numbering with the same bundles.
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

  // Works the decision for the triple out.
  Decision Decide(const Identity& subject, Direction direction, const Identity& peer,
                  std::span<const std::uint32_t> name_bits, const PortClass& ports) const;
  // The two parts of Decide; each depends on less than the whole. `sections`: from an Identity. O(their rules).
  Decision DecideBySections(IdSetId sections, const PeerView& peer, IdSetId port_class) const;
  // `bundles`: from a TierView. O(rules that the port class holds).
  TierDecisions DecideByBundles(IdSetId bundles, const PeerView& peer, TierPortClass port_class) const;
  // CNP-01, CNP-03, CNP-04.
  static Decision Combine(const TierDecisions& tiers, const Decision& by_sections) {
    if (tiers.admin.rule != kNoRule) return tiers.admin;
    return by_sections.rule != kNoRule ? by_sections : tiers.baseline;
  }
  const TierView& TiersOf(const Identity& identity) const { return interned_->tier_views[identity.tiers]; }
  // How many rules of bundles name no port: every packet's port class holds these rules.
  std::uint32_t any_port_bundled() const { return any_port_bundled_; }

  // The rules by domain name. What was learnt about names is beside the
  // table (learnt_names.h): in the tables themselves, no address has a name.
  const NameRules& name_rules() const { return *name_rules_; }
  // Tables with the same rules by name share this.
  const std::shared_ptr<const NameRules>& shared_name_rules() const { return name_rules_; }

  const TableRule& rule(RuleId id) const { return (*interned_->rules)[id]; }
  // The names of the rule that had this id in `generation`, of an earlier
  // epoch. Null: the rule was not by name, or its epoch ended too long ago.
  const DomainPatterns* FormerNamesOf(RuleId id, std::uint64_t generation) const;
  // The rule that denies if `sections` isolate and no rule admits; kNoRule if
  // none of them isolates. If several policies isolate, it is the first by name.
  RuleId DefaultDeny(IdSetId sections) const;
  // Calls visit(RuleId) for the default deny of each isolating section, in no order.
  template <typename Visit>
  void ForEachDefaultDeny(IdSetId sections, Visit visit) const {
    interned_->section_sets.ForEach(sections, [&](SectionId id) {
      if (const RuleId deny = interned_->sections[id].default_deny; deny != kNoRule) visit(deny);
    });
  }
  // Calls visit(SectionId) for each section that binds the identity, including those of bundles, in no order.
  template <typename Visit>
  void ForEachSection(const Identity& subject, Direction direction, Visit visit) const {
    interned_->section_sets.ForEach(subject.sections(direction), visit);
    interned_->bundle_sets.ForEach(TiersOf(subject).in(direction), [&](std::uint32_t bundle) {
      for (const SectionId each : SectionsIn(bundle)) visit(each);
    });
  }
  // The default denies of all isolating sections, by policy name. They deny together; none of them denies alone.
  std::vector<RuleId> DefaultDenies(IdSetId sections) const;
  // The ids that this generation may name are below these limits.
  RuleId rule_limit() const { return rule_limit_; }
  IdentityId identity_limit() const { return identity_limit_; }

  // If neither end of a flow changed since the flow was judged, it needs no second judgement.
  const AddressChanges& changes() const { return changes_; }

  // The table that staged policies would make of this one. Null: nothing is staged. It has numbers of its own.
  const Table* staged() const { return staged_.get(); }
  // Names what is staged: another number if something else is staged, the same for the same, even after a restart.
  std::uint64_t staging() const { return staging_; }

  std::uint64_t BundleBytes() const;
  const TableStats& stats() const { return stats_; }
  // Identities, sections and rules in force, as text: one line each, in the order of their ids.
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
  // The ids of this generation are below these limits.
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
