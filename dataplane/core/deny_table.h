// Which packets one worker denied, counted exactly. There is a record for each (source, destination, port, rules) while
// there is room, then one for each rule, then one for all the rest. Every denied packet is in exactly one record.
//
// The worker adds and never waits: there are two halves, and it writes into one while the reader empties the other.
// Memory is allocated once. The table exists only if somebody wants to know; without it, a drop costs one more branch.
#ifndef SLUICE_DATAPLANE_CORE_DENY_TABLE_H_
#define SLUICE_DATAPLANE_CORE_DENY_TABLE_H_

#include <cstdint>

#include "core/drop_ring.h"
#include "core/two_halves.h"
#include "sluice/address.h"
#include "sluice/drop_reason.h"
#include "table/table.h"

namespace sluice {

class DenyTable {
 public:
  struct Key {
    IpAddress source;  // zero, like the next three fields, if the record is of a whole rule
    IpAddress destination;
    std::uint16_t destination_port = 0;
    std::uint8_t protocol = 0;
    DropReason reason = DropReason::kNone;
    Verdict verdict = Verdict::kDrop;
    RuleId egress_rule = kNoRule;  // as in DropRecord
    RuleId ingress_rule = kNoRule;
    std::uint64_t epoch = 0;  // the epoch that the rules belong to

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    enum class Scope : std::uint8_t { kPair, kRule, kRest };  // for kRest, only the counts are known

    Key key;
    Scope scope = Scope::kPair;
    std::uint16_t source_port = 0;  // of the first packet
    std::uint64_t generation = 0;   // of the last packet
    DeniedSections sections = {};   // ... and of its ends; in a kPair record, all packets have the same ends
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  // of frames
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
  };
  static constexpr std::uint32_t kMostPairs = 65536;
  static constexpr std::uint32_t kMostRules = 4096;

  // `seed` keeps senders from choosing keys that collide.
  explicit DenyTable(std::uint64_t seed, std::uint32_t most_pairs = kMostPairs, std::uint32_t most_rules = kMostRules);

  // The reasons that policy gives. The other reasons are for broken or lost packets.
  static constexpr bool Holds(DropReason reason) {
    return reason == DropReason::kPolicyDenied || reason == DropReason::kFlowCut ||
           reason == DropReason::kUnknownEndpoint || reason == DropReason::kNoPolicy;
  }

  // For the worker's thread. Requires a reason that the table holds.
  void Add(const DropRecord& record) { halves_.half().Add(seed_, record); }
  // As TwoHalves.
  void Turn() { halves_.Turn(); }
  void Ask() { halves_.Ask(); }
  bool IsTurned() const { return halves_.IsTurned(); }
  // Calls visit(const Entry&) for each record.
  template <typename Visit>
  void Take(Visit visit) {
    halves_.Take(visit);
  }
  template <typename Visit>
  void TakeAll(Visit visit) {
    halves_.TakeAll(visit);
  }

 private:
  struct Half {
    Half(std::uint32_t most_pairs, std::uint32_t most_rules) : pairs(most_pairs), rules(most_rules) {}
    void Add(std::uint64_t seed, const DropRecord& record);
    template <typename Visit>
    void Take(Visit visit) {
      pairs.Take(visit);
      rules.Take(visit);
      if (rest.packets != 0) visit(static_cast<const Entry&>(rest));
      rest = Entry();
    }

    KeyedList<Entry> pairs;
    KeyedList<Entry> rules;
    Entry rest;
  };

  const std::uint64_t seed_;
  TwoHalves<Half> halves_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_DENY_TABLE_H_
