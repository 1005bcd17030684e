#include "api/drop_feed.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/limits.h"
#include "api/rule_names.h"
#include "core/first_packet.h"

namespace sluice {
namespace {

constexpr std::size_t kEpochsKept = 3;     // a record is some milliseconds old, an epoch minutes at least
constexpr std::size_t kNamedAtOnce = 256;  // addresses looked up while the policy's writer waits

bool Names(const v1::RuleName& rule, const std::string& policy) {
  const auto& all = rule.isolated_by();
  return rule.policy() == policy || std::find(all.begin(), all.end(), policy) != all.end();
}

bool Denied(const v1::DropEvent& event, const std::string& policy) {
  return Names(event.egress(), policy) || Names(event.ingress(), policy);
}

}  // namespace

std::variant<DropFilter, std::string> DropFilter::Of(const v1::WatchDropsRequest& request) {
  DropFilter filter;
  auto ends = EndFilter::Of(request);
  if (auto* error = std::get_if<std::string>(&ends)) return std::move(*error);
  filter.ends = std::get<EndFilter>(std::move(ends));
  for (const std::string& reason : request.reasons()) {
    if (reason == kSpoofedSource || reason == kSpoofedTunnel) {
      return "reasons: " + reason +
             " is of what a node's hooks drop, which the dataplane never sees; ListDrops counts it";
    }
    const auto* known = std::find(std::begin(kDropReasonNames) + 1, std::end(kDropReasonNames), reason);
    if (known == std::end(kDropReasonNames)) return "reasons: there is no drop reason '" + ShownName(reason) + "'";
    filter.reasons |= std::uint64_t{1} << (known - std::begin(kDropReasonNames));
  }
  if (filter.reasons == 0) filter.reasons = ~std::uint64_t{0};
  filter.policy = request.policy();
  const std::uint32_t wanted = request.drops_per_second();
  filter.drops_per_second = wanted == 0 ? kMaxDropsPerSecond : std::min(wanted, kMaxDropsPerSecond);
  return filter;
}

DropFeed::Watcher::Watcher(DropFeed& feed, DropFilter filter) : feed_(feed), filter_(std::move(filter)) {
  const std::lock_guard lock(feed.mutex_);
  if (feed.watchers_.size() == kMaxDropWatchers) return;
  accepted_ = true;
  credit_ = filter_.drops_per_second;
  credit_time_ = std::chrono::steady_clock::now();
  if (feed.watchers_.empty()) {
    feed.TakeRecords();  // left from an earlier watcher
    feed.tables_ = {feed.store_.table()};
    feed.isolating_.See(feed.tables_.front());
    feed.devices_.clear();
    for (const PortState& port : feed.plane_.Ports()) feed.devices_.push_back(port.device);
  } else {
    feed.EmptyRings();  // earlier drops are not for this watcher
  }
  feed.watchers_.push_back(this);
  feed.ToldWhatToWatch();
}

DropFeed::Watcher::~Watcher() {
  if (!accepted_) return;
  const std::lock_guard lock(feed_.mutex_);
  std::erase(feed_.watchers_, this);
  feed_.ToldWhatToWatch();
}

// The credit grows by drops_per_second, up to one second's worth.
bool DropFeed::Watcher::HasCredit(std::chrono::steady_clock::time_point now) {
  const double rate = filter_.drops_per_second;
  credit_ = std::min(rate, credit_ + rate * std::chrono::duration<double>(now - credit_time_).count());
  credit_time_ = now;
  return credit_ >= 1 && waiting_.size() < kMaxDropsWaiting;
}

bool DropFeed::Watcher::Take(v1::WatchDropsResponse* message) {
  const std::lock_guard lock(feed_.mutex_);
  feed_.EmptyRings();
  for (v1::DropEvent& event : waiting_) *message->add_drops() = std::move(event);
  waiting_.clear();
  message->set_not_shown(std::exchange(not_shown_, 0));
  message->set_not_recorded(std::exchange(not_recorded_, 0));
  return message->drops_size() != 0 || message->not_shown() != 0 || message->not_recorded() != 0;
}

void DropFeed::Withhold(Watcher& watcher) {
  ++watcher.not_shown_;
  not_shown_.fetch_add(1, std::memory_order_relaxed);
}

void DropFeed::ToldWhatToWatch() {
  std::uint64_t reasons = 0;
  for (const Watcher* watcher : watchers_) reasons |= watcher->filter_.reasons;
  for (const Observation& worker : plane_.Workers()) worker.drop_ring->Watch(reasons);
}

// Oldest first over all workers. Drops that found no room in a ring are counted to every watcher.
std::vector<DropFeed::Record> DropFeed::TakeRecords() {
  std::vector<Record> records;
  const std::vector<Observation> workers = plane_.Workers();
  overflowed_.resize(workers.size());
  for (std::uint32_t i = 0; i < workers.size(); ++i) {
    DropRing& ring = *workers[i].drop_ring;
    ring.Take([&](const DropRecord& drop) { records.push_back({drop, i}); });
    const std::uint64_t overflowed = ring.overflowed();
    for (Watcher* watcher : watchers_) watcher->not_recorded_ += overflowed - overflowed_[i];
    overflowed_[i] = overflowed;
  }
  std::stable_sort(records.begin(), records.end(),
                   [](const Record& a, const Record& b) { return a.drop.time_ns < b.drop.time_ns; });
  return records;
}

const Table* DropFeed::TableOf(std::uint64_t epoch) const {
  for (const auto& table : tables_) {
    if (table->epoch() == epoch) return table.get();
  }
  return nullptr;
}

void DropFeed::EmptyRings() {
  const std::vector<Record> records = TakeRecords();
  if (records.empty()) return;
  // Taken after the records, it is no older than any table that they name.
  auto table = store_.table();
  isolating_.See(table);
  if (tables_.empty() || tables_.front()->epoch() != table->epoch()) {
    tables_.insert(tables_.begin(), std::move(table));
    if (tables_.size() > kEpochsKept) tables_.pop_back();
  } else {
    tables_.front() = std::move(table);
  }
  std::vector<Owner> owners;  // for each record, the owners of its source and of its destination
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const DropRecord& drop = records[i].drop;
    v1::DropEvent event;
    for (Watcher* watcher : watchers_) {
      const DropFilter& filter = watcher->filter_;
      if ((filter.reasons & DropRing::BitOf(drop.reason)) == 0 ||
          !filter.ends.Matches(drop.source, drop.destination, drop.source_port, drop.destination_port, drop.protocol)) {
        continue;
      }
      // Names cost more than the rest: they are worked out only if a watcher shows them or filters by them.
      const bool has_credit = watcher->HasCredit(now);
      if (!has_credit && !filter.ends.WantsPods() && filter.policy.empty()) {
        Withhold(*watcher);
        continue;
      }
      if (event.reason().empty()) {
        if (owners.empty()) FindOwners(records, &owners);
        event = Describe(records[i]);
        event.set_source_pod(owners[2 * i].pod);
        event.set_source_node(owners[2 * i].node);
        event.set_destination_pod(owners[2 * i + 1].pod);
        event.set_destination_node(owners[2 * i + 1].node);
      }
      if (!filter.ends.MatchesPods(event.source_pod(), event.destination_pod())) continue;
      if (!filter.policy.empty() && !Denied(event, filter.policy)) continue;
      if (!has_credit) {
        Withhold(*watcher);
        continue;
      }
      watcher->credit_ -= 1;
      watcher->waiting_.push_back(event);
    }
  }
}

void DropFeed::FindOwners(const std::vector<Record>& records, std::vector<Owner>* owners) const {
  std::vector<IpAddress> addresses;
  for (const Record& record : records) {
    addresses.push_back(record.drop.source);
    addresses.push_back(record.drop.destination);
  }
  owners->resize(addresses.size());
  for (std::size_t begin = 0; begin < addresses.size(); begin += kNamedAtOnce) {
    const std::span<const IpAddress> slice(addresses.data() + begin, std::min(kNamedAtOnce, addresses.size() - begin));
    store_.VisitOwners(slice, [&](std::size_t i, const Endpoint& endpoint, std::string_view node) {
      (*owners)[begin + i] = {PodName(endpoint), ShownName(std::string(node))};
    });
  }
}

// Fills in everything but the names of pods and nodes.
v1::DropEvent DropFeed::Describe(const Record& record) {
  const DropRecord& drop = record.drop;
  v1::DropEvent event;
  event.set_unix_ns(drop.time_ns);
  event.set_reason(std::string(Name(drop.reason)));
  event.set_verdict(std::string(Name(drop.verdict)));
  if (drop.source != IpAddress() || drop.destination != IpAddress()) {
    event.set_source(EncodeAddress(drop.source));
    event.set_destination(EncodeAddress(drop.destination));
  }
  event.set_source_port(drop.source_port);
  event.set_destination_port(drop.destination_port);
  event.set_protocol(drop.protocol);
  if (const Table* table = TableOf(drop.epoch)) {
    const auto name = [&](RuleId rule, IdSetId sections, v1::RuleName* to) {
      SetRule(*table, rule, to);
      if (to->index() >= 0) return;
      if (const auto all = isolating_.Of(drop.sections.numbering, sections)) SetIsolatedBy(*all, to);
    };
    if (drop.egress_rule != kNoRule) name(drop.egress_rule, drop.sections.egress, event.mutable_egress());
    if (drop.ingress_rule != kNoRule) name(drop.ingress_rule, drop.sections.ingress, event.mutable_ingress());
  }
  event.set_generation(drop.generation);
  event.set_wire(drop.port / 2);
  std::string hooked_at = plane_.HookedAt(drop.port, drop.tag);
  if (hooked_at.empty() && drop.port < devices_.size()) hooked_at = devices_[drop.port];
  event.set_device(std::move(hooked_at));
  event.set_length(drop.frame_length);
  event.set_worker(record.worker);
  return event;
}

}  // namespace sluice
