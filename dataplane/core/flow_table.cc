#include "core/flow_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string>

namespace sluice {

template <typename Key>
FlowTable<Key>::Layout::Layout(std::uint32_t capacity) {
  const auto aligned = [](std::size_t bytes) { return (bytes + 63) / 64 * 64; };
  records = aligned(std::size_t{capacity} * sizeof(Entry));
  buckets = records + aligned(std::size_t{capacity} * sizeof(Record));
  total = buckets + std::size_t{FlowIndex::BucketCount(capacity)} * sizeof(FlowIndex::Bucket);
}

template <typename Key>
std::variant<std::unique_ptr<FlowTable<Key>>, Diagnostic> FlowTable<Key>::Create(std::uint32_t capacity,
                                                                                 std::uint64_t seed,
                                                                                 const FlowMemory& memory) {
  capacity = std::max(capacity, std::uint32_t{1});
  const Layout layout(capacity);
  auto* bytes = static_cast<std::byte*>(memory.allocate(layout.total));
  if (bytes == nullptr) {
    const std::string family = Key::kFamily == Family::kIpv4 ? "ipv4" : "ipv6";
    Diagnostic error;
    error.object = "flow table";
    error.field = "flow_capacity_" + family;
    error.message = "no memory for " + std::to_string(capacity) + " flows (" + std::to_string(layout.total >> 20) +
                    " MiB a worker): lower it, or give the process more memory or hugepages";
    return error;
  }
  std::memset(bytes, 0, sizeof(Entry));  // a candidate before any flow was
  std::memset(bytes + layout.buckets, 0, layout.total - layout.buckets);
  return std::unique_ptr<FlowTable>(new FlowTable(capacity, seed, memory, bytes));
}

template <typename Key>
FlowTable<Key>::FlowTable(std::uint32_t capacity, std::uint64_t seed, const FlowMemory& memory, std::byte* bytes)
    : hasher_(seed),
      index_(
          {reinterpret_cast<FlowIndex::Bucket*>(bytes + Layout(capacity).buckets), FlowIndex::BucketCount(capacity)}),
      entries_(reinterpret_cast<Entry*>(bytes)),
      records_(reinterpret_cast<Record*>(bytes + Layout(capacity).records)),
      capacity_(capacity),
      memory_(memory) {}

template <typename Key>
FlowTable<Key>::~FlowTable() {
  memory_.release(entries_, Layout(capacity_).total);
}

template <typename Key>
std::uint32_t FlowTable<Key>::Insert(const Key& key, const FlowIndex::Place& place, const Judged& judged) {
  const std::uint32_t limit = used_limit_.load(std::memory_order_relaxed);
  const bool reuse = free_ != kNoFlow;
  const std::uint32_t flow = reuse ? free_ : limit;
  if (flow == capacity_ || !index_.Insert(place, flow)) return kNoFlow;
  Entry& entry = entries_[flow];
  Record& record = records_[flow];
  if (reuse) free_ = record.newer;

  // The key's last word, which makes the entry live, comes last.
  for (std::size_t i = 0; i + 1 < Key::kWords; ++i) Publish(entry.words[i], key.words[i]);
  Publish(entry.generation, judged.generation);
  Publish(entry.last_seen_ms, judged.now_ms);
  Publish(rules(flow).egress, judged.rules.egress);
  Publish(rules(flow).ingress, judged.rules.ingress);
  Publish(record.folded.packets, std::uint64_t{0});
  Publish(record.folded.bytes, std::uint64_t{0});
  Publish(entry.count, std::uint64_t{0});
  const std::uint64_t upper = Entry::UpperBits(judged.state, judged.flags, judged.is_watched);
  Publish(entry.words[Key::kWords - 1], key.words[Key::kWords - 1] | upper);
  if (!reuse) used_limit_.store(limit + 1, std::memory_order_release);
  MakeEvictable(flow);
  size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return flow;
}

template <typename Key>
void FlowTable<Key>::Erase(std::uint32_t flow) {
  Entry& entry = entries_[flow];
  index_.Erase(PlaceOf(entry.key()), flow);
  Keep(flow);
  Publish(entry.words[Key::kWords - 1], std::uint64_t{0});
  records_[flow].newer = free_;
  free_ = flow;
  size_.store(size_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

template <typename Key>
void FlowTable<Key>::Fold(std::uint32_t flow) {
  const FlowTraffic unfolded = Unfolded(flow);
  FlowTraffic& folded = records_[flow].folded;
  Publish(folded.packets, folded.packets + unfolded.packets);
  Publish(folded.bytes, folded.bytes + unfolded.bytes);
}

template <typename Key>
void FlowTable<Key>::MakeEvictable(std::uint32_t flow, Eviction when) {
  Keep(flow);
  List& list = when == Eviction::kAtNeed ? at_need_ : last_resort_;
  records_[flow].older = list.newest;
  records_[flow].newer = kNoFlow;
  (list.newest == kNoFlow ? list.oldest : records_[list.newest].newer) = flow;
  list.newest = flow;
  entries_[flow].Set(Entry::kEvictable);
}

template <typename Key>
void FlowTable<Key>::Keep(std::uint32_t flow) {
  Entry& entry = entries_[flow];
  if (!entry.Has(Entry::kEvictable)) return;
  const Record& record = records_[flow];
  // Only at its ends does it matter which list it is in; they are told by the flow itself.
  if (record.older == kNoFlow)
    (at_need_.oldest == flow ? at_need_ : last_resort_).oldest = record.newer;
  else
    records_[record.older].newer = record.newer;
  if (record.newer == kNoFlow)
    (at_need_.newest == flow ? at_need_ : last_resort_).newest = record.older;
  else
    records_[record.newer].older = record.older;
  entry.Clear(Entry::kEvictable);
}

template <typename Key>
std::size_t FlowTable<Key>::NextEvictions(std::uint32_t count, std::span<std::uint32_t> flows) const {
  const std::uint32_t room = capacity_ - size();
  std::size_t found = 0;
  for (std::uint32_t flow = at_need_.oldest; flow != kNoFlow && found < flows.size() && found + room < count;) {
    PrefetchEntry(flow);
    flows[found++] = flow;
    flow = records_[flow].newer;
  }
  return found;
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
    const FlowRules& rules = this->rules(flow);
    view.egress_rule = Observe(rules.egress);
    view.ingress_rule = Observe(rules.ingress);
    // The count comes last: whatever a fold had stored of the totals, the count includes it.
    const FlowTraffic folded{Observe(records_[flow].folded.packets), Observe(records_[flow].folded.bytes)};
    const FlowTraffic unfolded = FlowCount::Since(Observe(entry.count), folded);
    view.packets = folded.packets + unfolded.packets;
    view.bytes = folded.bytes + unfolded.bytes;
    // Another flow of the same key, in the same place, counts from zero.
    if (Observe(records_[flow].folded.packets) < folded.packets) continue;
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
    view.guessed = copy.Has(Entry::kGuessed);
    return true;
  }
  return false;
}

template class FlowTable<Ipv4FlowKey>;
template class FlowTable<Ipv6FlowKey>;

}  // namespace sluice
