// The flows of one worker and one address family: entries in a dense slab, found by way of FlowIndex.
//
// One thread writes and looks up, without locks. Any thread may list the flows meanwhile (ForEach): every store that a
// reader may see is an atomic release store and a reader loads with acquire, so that a reader which saw a later field
// sees the key that came with it. The writer loads its own fields plainly.
//
// An entry takes 64 bytes (IPv4) or 96 (IPv6), its slots in the index 7.4 at the least.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_TABLE_H_
#define SLUICE_DATAPLANE_CORE_FLOW_TABLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <variant>

#include "core/flow_index.h"
#include "core/flow_key.h"
#include "core/flow_memory.h"
#include "core/flow_state.h"
#include "sluice/diagnostic.h"
#include "table/table.h"

namespace sluice {

inline constexpr std::uint32_t kNoFlow = FlowIndex::kNoFlow;

template <typename T>
void Publish(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_release);
}
template <typename T>
T Observe(const T& field) {
  return std::atomic_ref<T>(const_cast<T&>(field)).load(std::memory_order_acquire);
}

// The key's words; above the last one's 48 bits: state, then flags. A free entry's last word is zero.
template <typename Key>
struct alignas(Key::kWords == 2 ? 64 : 32) FlowEntry {
  static constexpr std::uint8_t kLive = 1;
  static constexpr std::uint8_t kOriginatorIsGreater = 2;
  static constexpr std::uint8_t kReplied = 4;    // the other end took part: not evicted by a flood
  static constexpr std::uint8_t kEvictable = 8;  // in the list of those that may be
  static constexpr std::uint8_t kResetDue = 16;  // cut while idle: its ends have not been told

  std::array<std::uint64_t, Key::kWords> words;
  std::uint32_t generation;  // of the table that judged it last
  std::uint32_t last_seen_ms;
  RuleId egress_rule;
  RuleId ingress_rule;
  std::uint64_t bytes;
  // Low 48 bits: packets. Above: bits 32..47 of the bytes already folded into the rules' counters.
  std::uint64_t packets_and_folded;
  std::uint32_t folded_packets;   // modulo 2^32
  std::uint32_t folded_bytes_lo;  // bits 0..31
  // In order of creation, among evictable flows; `newer` also links free entries.
  std::uint32_t older;
  std::uint32_t newer;

  std::uint64_t last_word() const { return words[Key::kWords - 1]; }
  bool live() const { return last_word() != 0; }
  FlowState state() const { return static_cast<FlowState>(last_word() >> 48 & 0xff); }
  std::uint8_t flags() const { return static_cast<std::uint8_t>(last_word() >> 56); }
  bool Has(std::uint8_t flag) const { return (flags() & flag) != 0; }
  // Branch-free, as the answer is nearly always yes and the words are in one line.
  bool Is(const Key& key) const {
    std::uint64_t differs = (words[Key::kWords - 1] ^ key.words[Key::kWords - 1]) & kKeyBits;
    for (std::size_t i = 0; i + 1 < Key::kWords; ++i) differs |= words[i] ^ key.words[i];
    return differs == 0;
  }
  Key key() const {
    Key key{words};
    key.words[Key::kWords - 1] &= kKeyBits;
    return key;
  }
  FlowEnd source() const { return Has(kOriginatorIsGreater) ? Key::Greater(words) : Key::Lesser(words); }
  FlowEnd destination() const { return Has(kOriginatorIsGreater) ? Key::Lesser(words) : Key::Greater(words); }
  std::uint8_t protocol() const { return Key::Protocol(words); }

  void SetState(FlowState state, std::uint8_t flags) {
    const std::uint64_t upper = std::uint64_t{flags} << 8 | static_cast<std::uint64_t>(state);
    Publish(words[Key::kWords - 1], (last_word() & kKeyBits) | upper << 48);
  }
  void CountPacket(std::uint32_t length, std::uint32_t now_ms) {
    Publish(last_seen_ms, now_ms);
    Publish(bytes, bytes + length);
    Publish(packets_and_folded, packets_and_folded + 1);
  }
  std::uint64_t packets() const { return packets_and_folded & kKeyBits; }
  // Since the last Fold. Exact as long as fewer than 2^32 packets and 2^48 bytes came between.
  std::uint32_t UnfoldedPackets() const { return static_cast<std::uint32_t>(packets()) - folded_packets; }
  std::uint64_t UnfoldedBytes() const {
    return (bytes - ((packets_and_folded >> 48) << 32 | folded_bytes_lo)) & kKeyBits;
  }
  void Fold() {
    folded_packets = static_cast<std::uint32_t>(packets());
    folded_bytes_lo = static_cast<std::uint32_t>(bytes);
    Publish(packets_and_folded, packets() | (bytes >> 32) << 48);
  }
};

// A flow as another thread sees it.
struct FlowView {
  FlowEnd source;  // the originator
  FlowEnd destination;
  std::uint8_t protocol = 0;
  FlowState state = FlowState::kFree;
  bool replied = false;
  std::uint32_t generation = 0;
  std::uint32_t last_seen_ms = 0;  // on the clock of the worker's flows
  RuleId egress_rule = kNoRule;
  RuleId ingress_rule = kNoRule;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

template <typename Key>
class FlowTable {
 public:
  using Entry = FlowEntry<Key>;
  static_assert(sizeof(Entry) == (Key::kWords == 2 ? 64 : 96));

  // Room for `capacity` flows (at least one), or why there is none.
  static std::variant<std::unique_ptr<FlowTable>, Diagnostic> Create(std::uint32_t capacity, std::uint64_t seed,
                                                                     const FlowMemory& memory);
  ~FlowTable();
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  std::uint32_t capacity() const { return capacity_; }
  std::uint64_t MemoryBytes() const { return entry_bytes() + index_bytes(); }

  // Writer. A lookup of many goes in three steps over all, so that their cache misses overlap: Prefetch the bucket,
  // Candidate (which fetches the entry), then compare the entry's key, and Find where that says no.
  std::uint64_t Hash(const Key& key) const { return hasher_(key); }
  void Prefetch(std::uint64_t hash) const { index_.Prefetch(hash); }
  std::uint32_t Candidate(std::uint64_t hash, bool& complete) const { return index_.Candidate(hash, complete); }
  void PrefetchEntry(std::uint32_t flow) const {
    const auto* line = reinterpret_cast<const char*>(&entries_[flow]);
    __builtin_prefetch(line, 1, 3);
    if constexpr (sizeof(Entry) > 64) __builtin_prefetch(line + 64, 1, 3);
  }
  std::uint32_t Find(const Key& key, std::uint64_t hash) const {
    return index_.Find(hash, [&](std::uint32_t flow) { return entries_[flow].Is(key); });
  }
  Entry& entry(std::uint32_t flow) { return entries_[flow]; }
  const Entry& entry(std::uint32_t flow) const { return entries_[flow]; }

  // The number of a new entry with this key, its counters zero, or kNoFlow where the table is full. Requires that the
  // key is not in the table. `judged` fills in the record.
  struct Judged {
    FlowState state = FlowState::kFree;
    bool originator_is_greater = false;
    std::uint32_t generation = 0;
    std::uint32_t now_ms = 0;
    RuleId egress_rule = kNoRule;
    RuleId ingress_rule = kNoRule;
  };
  std::uint32_t Insert(const Key& key, std::uint64_t hash, const Judged& judged);
  void Erase(std::uint32_t flow);

  // The list of flows that may give way to new ones, in the order in which they came onto it. A new flow is on it.
  void MakeEvictable(std::uint32_t flow);
  void Keep(std::uint32_t flow);
  std::uint32_t OldestEvictable() const { return oldest_; }

  // Entries with a higher number were never used.
  std::uint32_t used_limit() const { return used_limit_.load(std::memory_order_acquire); }
  // Any thread.
  std::uint32_t size() const { return size_.load(std::memory_order_relaxed); }

  // Any thread. Calls visit(FlowView) for each flow; those that come or go meanwhile are seen or not.
  template <typename Visit>
  void ForEach(Visit visit) const {
    FlowView view;
    for (std::uint32_t flow = 0; flow < used_limit(); ++flow) {
      if (View(flow, view)) visit(view);
    }
  }

 private:
  FlowTable(std::uint32_t capacity, std::uint64_t seed, const FlowMemory& memory, Entry* entries,
            FlowIndex::Bucket* buckets);
  bool View(std::uint32_t flow, FlowView& view) const;
  std::size_t entry_bytes() const { return std::size_t{capacity_} * sizeof(Entry); }
  std::size_t index_bytes() const { return std::size_t{FlowIndex::BucketCount(capacity_)} * sizeof(FlowIndex::Bucket); }

  FlowHasher hasher_;
  FlowIndex index_;
  Entry* entries_;
  FlowIndex::Bucket* buckets_;
  std::uint32_t capacity_;
  std::uint32_t free_ = kNoFlow;
  std::uint32_t oldest_ = kNoFlow;
  std::uint32_t newest_ = kNoFlow;
  std::atomic<std::uint32_t> used_limit_ = 0;
  std::atomic<std::uint32_t> size_ = 0;
  FlowMemory memory_;
};

extern template class FlowTable<Ipv4FlowKey>;
extern template class FlowTable<Ipv6FlowKey>;

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_TABLE_H_
