// Who was denied what by one worker, counted exactly: a record for each (source, destination, port, rules), as long as
// there is room, then one for each rule, then one for all the rest. Every denied packet is in exactly one of them.
//
// The worker adds, and never waits: it has two halves, and writes into one while the reader empties the other. Memory
// is taken once. There is a table only where somebody wants to know; without one, a drop costs a branch more.
#ifndef SLUICE_DATAPLANE_CORE_DENY_TABLE_H_
#define SLUICE_DATAPLANE_CORE_DENY_TABLE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/drop_ring.h"
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
  void Add(const DropRecord& record) {
    Turn();
    halves_[turned_.load(std::memory_order_relaxed) & 1].Add(seed_, record);
  }
  // The worker, from time to time, so that what was added does not wait for the next denied packet.
  void Turn() {
    const std::uint32_t asked = asked_.load(std::memory_order_acquire);  // the reader's half is empty
    if (asked != turned_.load(std::memory_order_relaxed)) turned_.store(asked, std::memory_order_release);
  }

  // The reader. Asks the worker to go on in the other half; once IsTurned, Take gives what this one has.
  // Requires that the last half that was asked for was taken.
  void Ask() { asked_.store(asked_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  bool IsTurned() const { return turned_.load(std::memory_order_acquire) == asked_.load(std::memory_order_relaxed); }
  // Calls visit(const Entry&) for each record. Requires IsTurned after Ask.
  template <typename Visit>
  void Take(Visit visit) {
    halves_[(asked_.load(std::memory_order_relaxed) - 1) & 1].Take(visit);
  }
  // The same of all that is left. Requires that the worker has ended.
  template <typename Visit>
  void TakeAll(Visit visit) {
    for (Half& half : halves_) half.Take(visit);
  }

 private:
  // Entries in the order in which they came, and an index of twice as many slots: 0, or 1 + an entry's number.
  class List {
   public:
    explicit List(std::uint32_t most) : entries_(most), slots_(SlotsFor(most)) {}
    // Null: there is no room.
    Entry* Find(std::uint64_t hash, const Key& key);
    template <typename Visit>
    void Take(Visit visit) {
      for (std::uint32_t i = 0; i < count_; ++i) visit(static_cast<const Entry&>(entries_[i]));
      Clear();
    }

   private:
    static std::size_t SlotsFor(std::uint32_t most);
    void Clear();

    std::vector<Entry> entries_;
    std::vector<std::uint32_t> slots_;
    std::uint32_t count_ = 0;
  };
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

    List pairs;
    List rules;
    Entry rest;
  };

  const std::uint64_t seed_;
  std::array<Half, 2> halves_;
  alignas(64) std::atomic<std::uint32_t> asked_ = 0;   // halves that the reader asked for; the lowest bit names one
  alignas(64) std::atomic<std::uint32_t> turned_ = 0;  // ... and that the worker turned to
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_DENY_TABLE_H_
