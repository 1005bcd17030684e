// What one epoch has interned: rules, and what they match, in words that outlive a numbering (groups by their keys,
// port sets by their ranges). So rules keep their ids, which counters and flows remember, when all else is renumbered.
//
// For one thread, the Compiler's. Equal content gives the same id, unless a sweep came
// when nothing in force had this content: then it gets a new id. No id is given twice.
#ifndef SLUICE_DATAPLANE_TABLE_RULE_INTERNER_H_
#define SLUICE_DATAPLANE_TABLE_RULE_INTERNER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "table/id_index.h"
#include "table/table.h"

namespace sluice {

class RuleInterner {
 public:
  static constexpr std::uint32_t kAnyPeer = 0xffffffff;

  RuleInterner() : RuleInterner(nullptr, 0) {}
  // Takes the place of `before`, which may be null, from this generation on.
  RuleInterner(const RuleInterner* before, std::uint64_t first_generation);

  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t first_generation() const { return first_generation_; }
  // As in InternedPolicy.
  const std::vector<std::shared_ptr<const FormerNames>>& former_names() const { return former_names_; }
  const std::shared_ptr<RuleList<TableRule>>& rules() const { return rules_; }
  // How many rules the epoch has seen; their ids are below this number.
  RuleId RuleCount() const { return rules_->size(); }

  // The number by which rules name the group with that key.
  std::uint32_t Peer(const std::string& group_key);

  // Ranges in any order; they are sorted and merged first.
  std::uint32_t PortSet(const std::vector<PortRange>& ranges);
  std::uint32_t PortSetCount() const { return static_cast<std::uint32_t>(port_sets_.size()); }
  // Requires a port set that was asked for since the last sweep began. Valid until the next PortSet.
  std::span<const PortRange> Ranges(std::uint32_t port_set) const {
    const RangesPlace& place = port_sets_[port_set];
    return std::span(ranges_).subspan(place.first, place.count);
  }

  // The number of the present policy with that name.
  std::uint32_t Policy(const std::string& name);
  // What a rule matches and whose rule it is. `policy`: from Policy, of the rule's own. `peer`: from Peer, or kAnyPeer.
  struct Place {
    std::uint32_t policy = 0;
    std::uint32_t peer = kAnyPeer;
    std::uint32_t port_set = RuleMatch::kAnyPortSet;

    friend bool operator==(const Place&, const Place&) = default;
  };
  // A rule's id depends on the rule and its place. An edited rule is a new one, and
  // counts from zero. So are all rules of a policy that was retired and is made again.
  RuleId Rule(const TableRule& rule, const Place& place);

  // Call it once the policy is not in force: none of its rules is or will be. Requires that nothing asks for them.
  void Retire(const std::string& policy);
  // The same for all policies that have no section in `sections`.
  void RetireAllBut(const SectionList& sections);

  // RollBack undoes what was interned since the mark was taken, if policy was refused.
  struct Mark {
    RuleId rules = 0;
    std::uint32_t policies = 0;
    std::uint32_t peers = 0;
    std::uint32_t port_sets = 0;
  };
  Mark TakeMark() const { return {RuleCount(), next_policy_, next_peer_, PortSetCount()}; }
  void RollBack(const Mark& mark);

  // EndSweep forgets what nobody asked for since BeginSweep.
  void BeginSweep();
  void EndSweep();

  // The memory of what tables read, and of what finds it by content.
  std::uint64_t TableBytes() const { return rules_->MemoryBytes() + name_bytes_; }
  std::uint64_t IndexBytes() const {
    return key_bytes_ + rule_ids_.MemoryBytes() + port_set_ids_.MemoryBytes() + places_.capacity() * sizeof(Place) +
           port_sets_.capacity() * sizeof(port_sets_[0]) + ranges_.capacity() * sizeof(ranges_[0]);
  }

 private:
  // From content to id. During a sweep, what nobody has asked for yet is only in `old`.
  struct Ids {
    IdIndex known;
    IdIndex old;

    template <typename Is>
    std::uint32_t Find(std::uint64_t hash, Is is) {
      std::uint32_t id = known.Find(hash, is);
      if (id != IdIndex::kNone || old.empty()) return id;
      id = old.Find(hash, is);
      if (id != IdIndex::kNone) known.Add(hash, id);
      return id;
    }
    std::uint64_t MemoryBytes() const { return known.MemoryBytes() + old.MemoryBytes(); }
  };
  // The same for names and keys.
  struct NamedIds {
    using Map = std::unordered_map<std::string, std::uint32_t>;
    Map known;
    Map old;

    // Returns the place of the id, and whether it is new; the caller must set a new one.
    std::pair<Map::iterator, bool> Find(const std::string& key) {
      if (!old.empty()) {
        if (auto node = old.extract(key)) return {known.insert(std::move(node)).position, false};
      }
      return known.try_emplace(key);
    }
  };

  const std::uint64_t epoch_;
  const std::uint64_t first_generation_;
  std::vector<std::shared_ptr<const FormerNames>> former_names_;
  std::shared_ptr<RuleList<TableRule>> rules_;
  Ids rule_ids_;
  std::vector<Place> places_;  // by RuleId
  NamedIds policies_;          // by name: the number of the present policy with that name
  std::uint32_t next_policy_ = 0;
  NamedIds peers_;  // by group key
  std::uint32_t next_peer_ = 0;
  Ids port_set_ids_;
  struct RangesPlace {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  std::vector<RangesPlace> port_sets_;  // by id: where in ranges_; none if forgotten
  std::vector<PortRange> ranges_;
  std::vector<PortRange> asked_;  // the port set that is asked for, if it had to be sorted
  std::uint64_t key_bytes_ = 0;   // of policies and peers
  std::uint64_t name_bytes_ = 0;  // of long policy names and of the rules' own names in rules_
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_TABLE_RULE_INTERNER_H_
