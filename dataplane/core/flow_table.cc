#include "core/flow_table.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace sluice {

template <typename Key>
std::variant<std::unique_ptr<FlowTable<Key>>, Diagnostic> FlowTable<Key>::Create(std::uint32_t capacity,
                                                                                 std::uint64_t seed,
                                                                                 const FlowMemory& memory) {
  capacity = std::max(capacity, std::uint32_t{1});
  const std::size_t entry_bytes = std::size_t{capacity} * sizeof(Entry);
  const std::size_t index_bytes = std::size_t{FlowIndex::BucketCount(capacity)} * sizeof(FlowIndex::Bucket);
  void* entries = memory.allocate(entry_bytes);
  void* buckets = entries == nullptr ? nullptr : memory.allocate(index_bytes);
  if (buckets == nullptr) {
    if (entries != nullptr) memory.release(entries, entry_bytes);
    const std::string family = Key::kFamily == Family::kIpv4 ? "ipv4" : "ipv6";
    Diagnostic error;
    error.object = "flow table";
    error.field = "flow_capacity_" + family;
    error.message = "no memory for " + std::to_string(capacity) + " flows (" +
                    std::to_string((entry_bytes + index_bytes) >> 20) +
                    " MiB a worker): lower it, or give the process more memory or hugepages";
    return error;
  }
  std::memset(buckets, 0, index_bytes);
  return std::unique_ptr<FlowTable>(
      new FlowTable(capacity, seed, memory, static_cast<Entry*>(entries), static_cast<FlowIndex::Bucket*>(buckets)));
}

template <typename Key>
FlowTable<Key>::FlowTable(std::uint32_t capacity, std::uint64_t seed, const FlowMemory& memory, Entry* entries,
                          FlowIndex::Bucket* buckets)
    : hasher_(seed),
      index_({buckets, FlowIndex::BucketCount(capacity)}),
      entries_(entries),
      buckets_(buckets),
      capacity_(capacity),
      memory_(memory) {}

template <typename Key>
FlowTable<Key>::~FlowTable() {
  memory_.release(buckets_, index_bytes());
  memory_.release(entries_, entry_bytes());
}

template <typename Key>
std::uint32_t FlowTable<Key>::Insert(const Key& key, std::uint64_t hash, const Judged& judged) {
  const std::uint32_t limit = used_limit_.load(std::memory_order_relaxed);
  const bool reuse = free_ != kNoFlow;
  const std::uint32_t flow = reuse ? free_ : limit;
  if (flow == capacity_ || !index_.Insert(hash, flow)) return kNoFlow;
  Entry& entry = entries_[flow];
  if (reuse) free_ = entry.newer;

  // The key's last word, which makes the entry live, comes last.
  for (std::size_t i = 0; i + 1 < Key::kWords; ++i) Publish(entry.words[i], key.words[i]);
  Publish(entry.generation, judged.generation);
  Publish(entry.last_seen_ms, judged.now_ms);
  Publish(entry.egress_rule, judged.egress_rule);
  Publish(entry.ingress_rule, judged.ingress_rule);
  Publish(entry.bytes, std::uint64_t{0});
  Publish(entry.packets_and_folded, std::uint64_t{0});
  entry.folded_packets = 0;
  entry.folded_bytes_lo = 0;
  const auto flags =
      static_cast<std::uint8_t>(Entry::kLive | (judged.originator_is_greater ? Entry::kOriginatorIsGreater : 0));
  const std::uint64_t upper = std::uint64_t{flags} << 8 | static_cast<std::uint64_t>(judged.state);
  Publish(entry.words[Key::kWords - 1], key.words[Key::kWords - 1] | upper << 48);
  if (!reuse) used_limit_.store(limit + 1, std::memory_order_release);
  MakeEvictable(flow);
  size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return flow;
}

template <typename Key>
void FlowTable<Key>::Erase(std::uint32_t flow) {
  Entry& entry = entries_[flow];
  index_.Erase(Hash(entry.key()), flow);
  Keep(flow);
  Publish(entry.words[Key::kWords - 1], std::uint64_t{0});
  entry.newer = free_;
  free_ = flow;
  size_.store(size_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

template <typename Key>
void FlowTable<Key>::MakeEvictable(std::uint32_t flow) {
  Entry& entry = entries_[flow];
  if (entry.Has(Entry::kEvictable)) return;
  entry.older = newest_;
  entry.newer = kNoFlow;
  (newest_ == kNoFlow ? oldest_ : entries_[newest_].newer) = flow;
  newest_ = flow;
  entry.SetState(entry.state(), entry.flags() | Entry::kEvictable);
}

template <typename Key>
void FlowTable<Key>::Keep(std::uint32_t flow) {
  Entry& entry = entries_[flow];
  if (!entry.Has(Entry::kEvictable)) return;
  (entry.older == kNoFlow ? oldest_ : entries_[entry.older].newer) = entry.newer;
  (entry.newer == kNoFlow ? newest_ : entries_[entry.newer].older) = entry.older;
  entry.SetState(entry.state(), static_cast<std::uint8_t>(entry.flags() & ~Entry::kEvictable));
}

template <typename Key>
bool FlowTable<Key>::View(std::uint32_t flow, FlowView& view) const {
  constexpr int kAttempts = 16;  // a slot that changes its flow that often while it is read is a newcomer's: not seen
  const Entry& entry = entries_[flow];
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Entry copy;
    copy.words[Key::kWords - 1] = Observe(entry.words[Key::kWords - 1]);
    if (!copy.live()) return false;
    for (std::size_t i = 0; i + 1 < Key::kWords; ++i) copy.words[i] = Observe(entry.words[i]);
    view.generation = Observe(entry.generation);
    view.last_seen_ms = Observe(entry.last_seen_ms);
    view.egress_rule = Observe(entry.egress_rule);
    view.ingress_rule = Observe(entry.ingress_rule);
    view.bytes = Observe(entry.bytes);
    view.packets = Observe(entry.packets_and_folded) & kKeyBits;
    Key again;
    for (std::size_t i = 0; i < Key::kWords; ++i) again.words[i] = Observe(entry.words[i]);
    const bool live = again.words[Key::kWords - 1] != 0;
    again.words[Key::kWords - 1] &= kKeyBits;
    if (!live || !copy.Is(again)) continue;
    view.source = copy.source();
    view.destination = copy.destination();
    view.protocol = copy.protocol();
    view.state = copy.state();
    view.replied = copy.Has(Entry::kReplied);
    return true;
  }
  return false;
}

template class FlowTable<Ipv4FlowKey>;
template class FlowTable<Ipv6FlowKey>;

}  // namespace sluice
