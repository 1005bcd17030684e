// What one numbering has interned, and how to find it by content. The writer's side of InternedPolicy.
//
// For one thread, the Compiler's. Equal content gives the same id as long as the numbering lasts.
#ifndef SLUICE_DATAPLANE_TABLE_INTERNER_H_
#define SLUICE_DATAPLANE_TABLE_INTERNER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "table/id_index.h"
#include "table/rule_interner.h"
#include "table/table.h"

namespace sluice {

// A number that is unique in the process: for a numbering, or for answers.
std::uint64_t NextNumber();

class Interner {
 public:
  explicit Interner(std::shared_ptr<RuleInterner> rules);

  RuleInterner& rules() { return *rules_; }
  const RuleInterner& rules() const { return *rules_; }
  const std::shared_ptr<RuleInterner>& shared_rules() const { return rules_; }

  const std::shared_ptr<InternedPolicy>& shared() const { return shared_; }
  InternedPolicy& policy() { return *shared_; }
  const InternedPolicy& policy() const { return *shared_; }

  // The bit by which peer classes name the group with that key, for the rules of bundles or
  // for those of sections. `generation`: the one that asks for the bit; a new bit keeps it.
  std::uint32_t PeerBit(const std::string& group_key, bool bundled, std::uint64_t generation);
  bool IsBundledBit(std::uint32_t bit) const { return bundled_bits_[bit]; }
  // Call it when the group is gone: a later group with the same key then gets a new bit.
  void ForgetPeerBit(const std::string& group_key);
  std::uint64_t BitBorn(std::uint32_t bit) const { return bit_born_[bit]; }
  std::uint32_t BitCount() const { return static_cast<std::uint32_t>(bit_born_.size()); }

  SectionId Section(const std::vector<RuleMatch>& rules, RuleId default_deny);
  // The number of the bundle of the sections that have the group with that key as their subject, in that direction.
  std::uint32_t BundleOf(const std::string& group_key, Direction direction);
  std::uint32_t BundleCount() const { return static_cast<std::uint32_t>(bundle_ids_.size()); }
  // Index into InternedPolicy::tier_views.
  std::uint32_t TierViewOf(const TierView& view);
  IdentityId IdentityOf(const Identity& identity);
  NodeId NodeOf(const std::string& name);
  // By NodeId. Makes a copy only if nodes were added since the last call.
  std::shared_ptr<const std::vector<std::string>> NodeNames();

  // The memory of what tables read, including the rules.
  std::uint64_t TableBytes() const;
  // The memory of what finds it by content.
  std::uint64_t IndexBytes() const;
  // Members of all sets.
  std::uint64_t Memberships() const;

 private:
  struct IdentityHash {
    std::size_t operator()(const Identity& identity) const;
  };

  std::shared_ptr<RuleInterner> rules_;
  std::shared_ptr<InternedPolicy> shared_;
  std::unordered_map<std::string, std::uint32_t> peer_bits_;
  std::vector<std::uint64_t> bit_born_;
  std::vector<bool> bundled_bits_;
  IdIndex section_ids_;
  std::unordered_map<std::string, std::uint32_t> bundle_ids_;  // by group key and direction
  std::map<TierView, std::uint32_t> tier_view_ids_;
  std::unordered_map<Identity, IdentityId, IdentityHash> identity_ids_;
  std::unordered_map<std::string, NodeId> node_ids_;
  std::vector<std::string> node_names_;
  std::shared_ptr<const std::vector<std::string>> shared_node_names_;
  RuleMatch* free_matches_ = nullptr;
  std::size_t free_match_count_ = 0;
  std::uint64_t match_bytes_ = 0;
  std::uint64_t key_bytes_ = 0;  // of peer_bits_, bundle_ids_ and node names
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_INTERNER_H_
