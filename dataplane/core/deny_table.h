// Who was denied what by one worker, counted exactly: a record for each (source, destination, port, rules), as long as
// there is room, then one for each rule, then one for all the rest. Every denied packet is in exactly one of them.
//
// The worker adds, and never waits: it has two halves, and writes into one while the reader empties the other. Memory
// is taken once. There is a table only where somebody wants to know; without one, a drop costs a branch more.
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
    IpAddress source;  // zero, as the next three, where the record is of a whole rule
    IpAddress destination;
    std::uint16_t destination_port = 0;
    std::uint8_t protocol = 0;
    DropReason reason = DropReason::kNone;
    Verdict verdict = Verdict::kDrop;
    RuleId egress_rule = kNoRule;  // as DropRecord's
    RuleId ingress_rule = kNoRule;
    std::uint64_t epoch = 0;  // which the rules belong to

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    enum class Scope : std::uint8_t { kPair, kRule, kRest };  // of kRest no more is known than the counts

    Key key;
    Scope scope = Scope::kPair;
    std::uint16_t source_port = 0;  // of the first packet
    std::uint64_t generation = 0;   // of the last one
    DeniedSections sections = {};   // ... and of that one's ends: of kPair, those of all
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  // of frames
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
  };
  static constexpr std::uint32_t kMostPairs = 65536;
  static constexpr std::uint32_t kMostRules = 4096;

  // `seed` keeps senders from choosing keys that meet.
  explicit DenyTable(std::uint64_t seed, std::uint32_t most_pairs = kMostPairs, std::uint32_t most_rules = kMostRules);

  // What policy says: the rest of the reasons are of broken or lost packets.
  static constexpr bool Holds(DropReason reason) {
    return reason == DropReason::kPolicyDenied || reason == DropReason::kFlowCut ||
           reason == DropReason::kUnknownEndpoint || reason == DropReason::kNoPolicy;
  }

  // The worker. Requires a reason that the table holds.
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
