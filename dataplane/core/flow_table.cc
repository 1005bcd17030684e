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
  std::memset(bytes, 0, sizeof(Entry));  // entry 0 is a candidate before there is any flow
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

  // The key's last word makes the entry live, so it is written last.
  for (std::size_t i = 0; i + 1 < Key::kWords; ++i) Publish(entry.words[i], key.words[i]);
  Publish(entry.generation, judged.generation);
  Publish(entry.last_seen_ms, judged.now_ms);
  Publish(rules(flow).egress, judged.rules.egress);
  Publish(rules(flow).ingress, judged.rules.ingress);
  BeginRecord(record, judged.began_ms);
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
  const FlowWays unfolded = Unfolded(flow);
  const auto add = [](FlowTotal& total, const FlowTraffic& traffic) {
    const std::uint64_t moment = FlowTotal::Moment(total.packets_and_moment) << FlowTotal::kPacketBits;
    Publish(total.packets_and_moment, FlowTotal::Packets(total.packets_and_moment + traffic.packets) | moment);
    Publish(total.bytes, total.bytes + traffic.bytes);
  };
  add(records_[flow].from_lesser, unfolded.from_lesser);
  add(records_[flow].from_greater, unfolded.from_greater);
}

// Milliseconds since a moment that the table chooses: 38 bits are enough for eight years.
template <typename Key>
void FlowTable<Key>::BeginRecord(Record& record, std::uint64_t began_ms) {
  constexpr std::uint64_t kEarlierMs = std::uint64_t{1} << 32;  // how much older a flow may be that is added later
  if (used_limit_.load(std::memory_order_relaxed) == 0) first_moment_ms_ = began_ms - std::min(began_ms, kEarlierMs);
  const std::uint64_t first = first_moment_ms_.load(std::memory_order_relaxed);
  const std::uint64_t moment = began_ms - std::min(first, began_ms);
  Publish(record.from_lesser.packets_and_moment, moment >> FlowTotal::kMomentBits << FlowTotal::kPacketBits);
  Publish(record.from_lesser.bytes, std::uint64_t{0});
  Publish(record.from_greater.packets_and_moment, moment << FlowTotal::kPacketBits);
  Publish(record.from_greater.bytes, std::uint64_t{0});
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
  // Which list it is in matters only at the ends of the lists, and the flow itself is found there.
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
  constexpr int kAttempts = 16;  // an entry that changes its flow this often while it is read has a new flow: not seen
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
    // The count is read last: it includes whatever a fold had stored in the totals.
    const Record& record = records_[flow];
    const std::uint64_t lesser = Observe(record.from_lesser.packets_and_moment);
    const std::uint64_t greater = Observe(record.from_greater.packets_and_moment);
    const FlowWays folded{{FlowTotal::Packets(lesser), Observe(record.from_lesser.bytes)},
                          {FlowTotal::Packets(greater), Observe(record.from_greater.bytes)}};
    const FlowWays unfolded = FlowCount::Since(Observe(entry.count), folded);
    // Another flow with the same key, in the same entry, counts from zero, or from another moment.
    const auto is_another = [](std::uint64_t before, std::uint64_t now) {
      return FlowTotal::Packets(now) < FlowTotal::Packets(before) ||
             FlowTotal::Moment(now) != FlowTotal::Moment(before);
    };
    if (is_another(lesser, Observe(record.from_lesser.packets_and_moment)) ||
        is_another(greater, Observe(record.from_greater.packets_and_moment))) {
      continue;
    }
    Key again;
    for (std::size_t i = 0; i < Key::kWords; ++i) again.words[i] = Observe(entry.words[i]);
    const bool live = again.words[Key::kWords - 1] != 0;
    again.words[Key::kWords - 1] &= kKeyBits;
    if (!live || !copy.Is(again)) continue;
    view.began_ms = BeganMs(lesser, greater);
    SetEnds(copy, folded + unfolded, view);
    return true;
  }
  return false;
}

template <typename Key>
void FlowTable<Key>::ViewOwn(std::uint32_t flow, FlowView& view) const {
  const Entry& entry = entries_[flow];
  const Record& record = records_[flow];
  view.generation = entry.generation;
  view.last_seen_ms = entry.last_seen_ms;
  view.egress_rule = rules(flow).egress;
  view.ingress_rule = rules(flow).ingress;
  view.began_ms = BeganMs(record.from_lesser.packets_and_moment, record.from_greater.packets_and_moment);
  const FlowWays folded = record.folded();
  SetEnds(entry, folded + FlowCount::Since(entry.count, folded), view);
}

template <typename Key>
void FlowTable<Key>::SetEnds(const Entry& entry, const FlowWays& traffic, FlowView& view) {
  view.source = entry.source();
  view.destination = entry.destination();
  view.protocol = entry.protocol();
  view.state = entry.state();
  view.replied = entry.Has(Entry::kReplied);
  view.guessed = entry.Has(Entry::kGuessed);
  view.traffic = traffic.sum();
  view.reply = entry.Has(Entry::kOriginatorIsGreater) ? traffic.from_lesser : traffic.from_greater;
}

template class FlowTable<Ipv4FlowKey>;
template class FlowTable<Ipv6FlowKey>;

}  // namespace sluice
