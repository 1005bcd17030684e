// What one epoch has interned, and how to find it again by content. The writer's side of InternedPolicy.
//
// One thread, the Compiler's. Equal content gives the same id for as long as the epoch lasts.
#ifndef SLUICE_DATAPLANE_TABLE_INTERNER_H_
#define SLUICE_DATAPLANE_TABLE_INTERNER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "table/table.h"

namespace sluice {

class Interner {
 public:
  Interner();

  const std::shared_ptr<InternedPolicy>& shared() const { return shared_; }
  InternedPolicy& policy() { return *shared_; }
  const InternedPolicy& policy() const { return *shared_; }

  // The bit by which peer classes name the group of that key. `generation`: when it is first asked for.
  std::uint32_t PeerBit(const std::string& group_key, std::uint64_t generation);
  // The group is gone: one of the same key that comes later gets a bit of its own.
  void ForgetPeerBit(const std::string& group_key) { peer_bits_.erase(group_key); }
  std::uint64_t BitBorn(std::uint32_t bit) const { return bit_born_[bit]; }
  std::uint32_t BitCount() const { return static_cast<std::uint32_t>(bit_born_.size()); }

  // Ranges in any order; they are sorted and merged first.
  std::uint32_t PortSet(std::vector<PortRange> ranges);
  std::uint32_t PortSetCount() const { return static_cast<std::uint32_t>(port_sets_.size()); }
  const std::vector<PortRange>& Ranges(std::uint32_t port_set) const { return *port_sets_[port_set]; }

  // The rule and what it matches: a rule that is edited is a new one, and counts anew.
  RuleId Rule(const TableRule& rule, std::uint32_t peer_bit, std::uint32_t port_set);
  SectionId Section(const std::vector<RuleMatch>& rules, RuleId default_deny);
  IdentityId IdentityOf(const Identity& identity);
  NodeId NodeOf(const std::string& name);
  // By NodeId; a copy is made only where nodes were added since the last call.
  std::shared_ptr<const std::vector<std::string>> NodeNames();

  std::uint64_t MemoryBytes() const;
  // Members of all sets: what an epoch has piled up, against what is in force.
  std::uint64_t Memberships() const;

 private:
  struct IdentityHash {
    std::size_t operator()(const Identity& identity) const;
  };

  std::shared_ptr<InternedPolicy> shared_;
  std::unordered_map<std::string, std::uint32_t> peer_bits_;
  std::vector<std::uint64_t> bit_born_;
  std::map<std::vector<PortRange>, std::uint32_t> port_set_ids_;
  std::vector<const std::vector<PortRange>*> port_sets_;  // keys of port_set_ids_
  std::unordered_map<std::string, RuleId> rule_ids_;
  std::unordered_map<std::string, SectionId> section_ids_;
  std::unordered_map<Identity, IdentityId, IdentityHash> identity_ids_;
  std::unordered_map<std::string, NodeId> node_ids_;
  std::vector<std::string> node_names_;
  std::shared_ptr<const std::vector<std::string>> shared_node_names_;
  RuleMatch* free_matches_ = nullptr;
  std::size_t free_match_count_ = 0;
  std::uint64_t heap_bytes_ = 0;  // match blocks and long policy names
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_INTERNER_H_
