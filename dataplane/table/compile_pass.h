// One compilation, whole or of an update, and what it keeps of the policy in force. Private to the table.
#ifndef SLUICE_DATAPLANE_TABLE_COMPILE_PASS_H_
#define SLUICE_DATAPLANE_TABLE_COMPILE_PASS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "table/cidr_cells.h"
#include "table/compile.h"
#include "table/id_sorter.h"
#include "table/interner.h"
#include "table/set_holders.h"

namespace sluice {

struct GroupState {
  static constexpr std::uint32_t kNoBit = 0xffffffff;
  // No bit until a rule names the group as a peer. [1]: for rules of bundles; [0]: for other rules.
  std::uint32_t bits[2] = {kNoBit, kNoBit};
  std::uint32_t peer = 0;  // the number by which rules name the group; set once it has a bit
  // The sections whose subject the group is, by direction: sections of NetworkPolicies and
  // others that isolate, and all other sections, which are in a bundle if there are any.
  std::vector<SectionId> sections[2];
  std::vector<SectionId> bundled[2];
  std::uint32_t bundles[2] = {kNoBundle, kNoBundle};  // the bundles' numbers

  static constexpr std::uint32_t kNoBundle = 0xffffffff;
};

// What endpoints with the same member set share.
struct MemberState {
  IdSetId egress = kEmptyIdSet;
  IdSetId ingress = kEmptyIdSet;
  std::uint32_t tiers = 0;           // as in Identity
  IdSetId peer_class = kEmptyIdSet;  // of the groups that select these endpoints
  bool known = false;
  bool listed = false;  // in InForce::sets_of_groups
};

// The policy in force, in the compiler's numbers.
struct InForce {
  std::vector<GroupState> groups;    // by GroupId
  std::vector<MemberState> members;  // by IdSetId of ResolvedPolicy::member_sets; known if a holder has an address
  SetHolders holders;                // of these member sets
  // The member sets that hold a group, as far as they were asked for. Dropped if they would be too many.
  std::vector<std::vector<IdSetId>> sets_of_groups;
  std::size_t listed_memberships = 0;
  std::vector<std::uint32_t> bit_uses;            // how many rules in force name the bit
  std::vector<std::uint32_t> port_set_uses[2];    // ... name the port set; [1]: rules of bundles, [0]: others
  std::uint32_t any_port_bundled = 0;             // rules of bundles that name no port
  std::map<std::uint32_t, DomainPatterns> names;  // for the bits of rules by name
  std::unordered_map<IpAddress, EndpointId> owners;
  std::unordered_map<IpAddress, NodeId> node_addresses;  // or kSeveralNodes
  std::vector<Prefix> pod_cidrs;                         // of all nodes, sorted
  CidrPartition cells;
  std::vector<IdentityId> cell_identities;  // by IdSetId of cells.sets
  std::uint64_t rules = 0;
  std::uint64_t sections = 0;
  std::uint64_t moved = 0;  // how often an address got another identity in this numbering

  std::uint64_t MemoryBytes() const;
};

inline bool IsBundled(const Section& section) { return section.tier != Tier::kNetworkPolicy && !section.isolates; }

// The passes of a compilation. Each step reads what earlier steps left.
class CompilePass {
 public:
  // `in_force`: empty for Whole; for Update, that of the policy before the change.
  CompilePass(Interner& interner, InForce& in_force, const Table* current, const CompileLimits& limits,
              const ResolvedPolicy& policy, Table& table)
      : interner_(interner), in_force_(in_force), current_(current), limits_(limits), policy_(policy), table_(table) {}

  // After a refusal, `in_force` is half filled and of no use.
  std::optional<Diagnostic> Whole();
  // Requires that the change fits.
  void Update(const PolicyChange& change);

 private:
  struct InternedSection {
    SectionId id = 0;
    std::uint32_t rules = 0;
    std::uint32_t any_port = 0;  // rules that name no port, without the default deny
    std::vector<std::uint32_t> bits;
    std::vector<std::uint32_t> port_sets;
    std::vector<std::pair<std::uint32_t, DomainPatterns>> names;  // by bit
  };

  InternedSection Intern(const Section& section);
  template <typename Visit>
  static void ForEachPart(const Section& section, Visit visit);
  std::vector<SectionId>& ListOf(const Section& section);
  void NoteSubjects(const Section& section);
  void AddSection(const Section& section);
  void RemoveSection(const Section& section);
  void AddPart(const Section& section);
  void RemovePart(const Section& section);
  void MakeBundles();
  void ClearBundles(GroupId group);
  void PutBundle(std::uint32_t number, std::shared_ptr<const Bundle> bundle);
  const std::shared_ptr<const Bundle>& BundleBefore(std::uint32_t number) const;
  void FindChangedBundles();
  bool HoldsChangedBundle(IdentityId id);
  void NoteRebundled();
  std::uint32_t BitOf(GroupId group, bool bundled);
  IdSetId JoinClasses(IdSetId peer_class, IdSetId cell_bits, bool bundled);
  std::uint32_t JoinTiers(std::uint32_t tiers, IdSetId cell_bits);
  void BuildPorts();
  void BuildNames();
  void AddNode(const Node& node);
  void ClaimAddress(const IpAddress& address, NodeId node);
  void FollowNodes(const PolicyChange& change);
  void CollectPodCidrs();
  void PartitionAll();
  void IdentifyCells();
  void SetCells();
  const MemberState& Members(IdSetId members);
  bool ListsSets() const;
  void FollowHolders(const PolicyChange& change);
  std::vector<IdSetId> SetsOf(const std::vector<GroupId>& groups) const;
  void ForgetDirtyMembers();
  std::vector<IpAddress> TouchedAddresses(const PolicyChange& change);
  std::optional<AddressEntry> HostEntry(const IpAddress& address);
  bool Concerns(IdentityId before, IdentityId after);
  bool ClassesDiffer(IdSetId before, IdSetId after);
  void Compare(const IpAddress& address, const AddressEntry& before, const AddressEntry& after);
  void NoteChanges(const std::vector<std::pair<IpAddress, AddressEntry>>& hosts);
  void CountStats();
  void Publish();

  Interner& interner_;
  InForce& in_force_;
  const Table* current_;
  const CompileLimits& limits_;
  const ResolvedPolicy& policy_;
  Table& table_;

  std::vector<GroupId> dirty_groups_;  // subjects of sections that changed, and groups that got a bit
  std::vector<CidrInput> new_blocks_;  // of groups that got a bit
  IdSetId first_new_cell_set_ = 0;     // cell sets from this one on have a bit of new_blocks_
  std::vector<IdSetId> dirty_sets_;    // member sets that hold a dirty group
  std::vector<std::pair<GroupId, Direction>> dirty_bundles_;
  std::vector<GroupId> rebundled_groups_;       // their members keep the sections that they had, with another bundle
  Bundles bundles_;                             // the table's, until FindChangedBundles
  std::vector<std::uint32_t> changed_bundles_;  // bundles that differ from the table before
  std::vector<std::uint8_t> holds_changed_bundle_;  // by identity, as far as it was asked for
  bool ports_changed_[2] = {false, false};          // indexed like InForce::port_set_uses
  bool names_changed_ = false;
  IdSorter sorter_;
  std::unordered_map<std::uint64_t, IdSetId> joined_[2];  // by (members' class, cell's bits): JoinClasses
  std::unordered_map<std::uint64_t, bool> differ_;        // by (peer class before, peer class after)
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_COMPILE_PASS_H_
