// The flows of one worker and one address family: entries in a dense slab, which FlowIndex finds, and a record beside
// each entry.
//
// One thread writes and looks up, without locks. Meanwhile, any thread may list the flows (ForEach).
//
// A flow takes 80 bytes (IPv4) or 104 (IPv6), and at least 7.4 bytes more in the index.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_TABLE_H_
#define SLUICE_DATAPLANE_CORE_FLOW_TABLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>

#include "core/flow_entry.h"
#include "core/flow_index.h"
#include "core/flow_key.h"
#include "core/flow_memory.h"
#include "sluice/diagnostic.h"

namespace sluice {

inline constexpr std::uint32_t kNoFlow = FlowIndex::kNoFlow;

// A flow as another thread sees it.
struct FlowView {
  FlowEnd source;  // the originator
  FlowEnd destination;
  std::uint8_t protocol = 0;
  FlowState state = FlowState::kFree;
  bool replied = false;
  bool guessed = false;  // picked up in the middle, so it is a guess which end opened it
  std::uint64_t generation = 0;
  std::uint32_t last_seen_ms = 0;  // on the clock of the worker's flows
  RuleId egress_rule = kNoRule;
  RuleId ingress_rule = kNoRule;
  std::uint64_t began_ms = 0;  // on the same clock, in 64 bits
  FlowTraffic traffic;         // in both directions
  FlowTraffic reply;           // the part of it that the destination sent
};

template <typename Key>
class FlowTable {
 public:
  using Entry = FlowEntry<Key>;
  using Record = FlowRecord<Key>;

  // Makes room for `capacity` flows (at least one), or says why there is none.
  static std::variant<std::unique_ptr<FlowTable>, Diagnostic> Create(std::uint32_t capacity, std::uint64_t seed,
                                                                     const FlowMemory& memory);
  ~FlowTable();
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  std::uint32_t capacity() const { return capacity_; }
  std::uint64_t MemoryBytes() const { return Layout(capacity_).total; }

  // For the writer. A lookup of many keys takes each step for all of them, so that cache misses
  // overlap: Prefetch the bucket; its MatchesInPrimary (or PrefetchSecondary, SecondaryCandidate)
  // and PrefetchEntry; then compare the entry's key, and call Find if it differs.
  const FlowHasher& hasher() const { return hasher_; }
  const FlowIndex& index() const { return index_; }
  FlowIndex::Place PlaceOf(const Key& key) const { return index_.PlaceOf(hasher_(key)); }
  void Prefetch(const FlowIndex::Place& place) const { index_.Prefetch(place); }
  void PrefetchEntry(std::uint32_t flow) const { PrefetchEntry(entries_, flow); }
  // `entries`: what entries() returned.
  static void PrefetchEntry(const Entry* entries, std::uint32_t flow) { __builtin_prefetch(&entries[flow], 1, 3); }
  void PrefetchRecord(std::uint32_t flow) const { __builtin_prefetch(&records_[flow], 1, 3); }
  std::uint32_t Find(const Key& key, const FlowIndex::Place& place) const {
    return index_.Find(place, [&](std::uint32_t flow) { return entries_[flow].Is(key); });
  }
  Entry* entries() { return entries_; }
  const Entry* entries() const { return entries_; }
  Entry& entry(std::uint32_t flow) { return entries_[flow]; }
  const Entry& entry(std::uint32_t flow) const { return entries_[flow]; }
  const FlowRules& rules(std::uint32_t flow) const { return const_cast<FlowTable*>(this)->rules(flow); }
  FlowRules& rules(std::uint32_t flow) {
    if constexpr (kRulesInEntry<Key>)
      return entries_[flow].rules;
    else
      return records_[flow].rules;
  }
  const Record& record(std::uint32_t flow) const { return records_[flow]; }
  // On the clock of the worker's flows, in 64 bits.
  std::uint64_t BeganMs(std::uint32_t flow) const {
    return BeganMs(records_[flow].from_lesser.packets_and_moment, records_[flow].from_greater.packets_and_moment);
  }
  // What the flow counted since the last Fold.
  FlowWays Unfolded(std::uint32_t flow) const {
    return FlowCount::Since(entries_[flow].count, records_[flow].folded());
  }
  void Fold(std::uint32_t flow);

  // Returns the number of a new entry with this key, its counters zero, or kNoFlow if the table is full. Requires that
  // the key is not in the table. `judged` fills in the record.
  struct Judged {
    FlowState state = FlowState::kFree;
    std::uint8_t flags = 0;  // kOriginatorIsGreater, kReplyFirst, kGuessed
    std::uint32_t generation = 0;
    std::uint32_t now_ms = 0;
    std::uint64_t began_ms = 0;
    FlowRules rules = {};
    bool is_watched = false;
  };
  std::uint32_t Insert(const Key& key, const FlowIndex::Place& place, const Judged& judged);
  void Erase(std::uint32_t flow);

  // Lets a flow give way to new ones, after the flows for which this was called before. A new flow may give way. Flows
  // of kLastResort give way only when no other flow is left.
  enum class Eviction : std::uint8_t { kAtNeed, kLastResort };
  void MakeEvictable(std::uint32_t flow, Eviction when = Eviction::kAtNeed);
  void Keep(std::uint32_t flow);
  std::uint32_t OldestEvictable() const { return at_need_.oldest != kNoFlow ? at_need_.oldest : last_resort_.oldest; }
  // The flows that would have to give way to `count` new flows, oldest first, as many
  // as `flows` can hold. Fetches their entries. Returns how many flows there are.
  std::size_t NextEvictions(std::uint32_t count, std::span<std::uint32_t> flows) const;

  // Entries with a higher number were never used.
  std::uint32_t used_limit() const { return used_limit_.load(std::memory_order_acquire); }
  // Any thread.
  std::uint32_t size() const { return size_.load(std::memory_order_relaxed); }

  // Any thread. Returns false if the entry is free.
  bool View(std::uint32_t flow, FlowView& view) const;
  // For the writer, and a live flow: nothing changes meanwhile.
  void ViewOwn(std::uint32_t flow, FlowView& view) const;
  // Any thread. Calls visit(FlowView) for each flow. Flows that come or go meanwhile may or may not be seen.
  template <typename Visit>
  void ForEach(Visit visit) const {
    FlowView view;
    for (std::uint32_t flow = 0; flow < used_limit(); ++flow) {
      if (View(flow, view)) visit(view);
    }
  }

 private:
  // Where each part begins in the memory.
  struct Layout {
    explicit Layout(std::uint32_t capacity);
    std::size_t records, buckets, total;
  };
  // A list through the flows' records.
  struct List {
    std::uint32_t oldest = kNoFlow;
    std::uint32_t newest = kNoFlow;
  };
  FlowTable(std::uint32_t capacity, std::uint64_t seed, const FlowMemory& memory, std::byte* bytes);
  void BeginRecord(Record& record, std::uint64_t began_ms);
  static void SetEnds(const Entry& entry, const FlowWays& traffic, FlowView& view);
  // When the flow began, from the moments of its record.
  std::uint64_t BeganMs(std::uint64_t lesser, std::uint64_t greater) const {
    return first_moment_ms_.load(std::memory_order_relaxed) +
           (FlowTotal::Moment(lesser) << FlowTotal::kMomentBits | FlowTotal::Moment(greater));
  }

  FlowHasher hasher_;
  FlowIndex index_;
  Entry* entries_;
  Record* records_;
  std::uint32_t capacity_;
  std::uint32_t free_ = kNoFlow;
  List at_need_;
  List last_resort_;
  std::atomic<std::uint64_t> first_moment_ms_ = 0;  // the moment from which records count when a flow began
  std::atomic<std::uint32_t> used_limit_ = 0;
  std::atomic<std::uint32_t> size_ = 0;
  FlowMemory memory_;
};

extern template class FlowTable<Ipv4FlowKey>;
extern template class FlowTable<Ipv6FlowKey>;

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_TABLE_H_
