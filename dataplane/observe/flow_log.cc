#include "observe/flow_log.h"

#include <algorithm>
#include <utility>

#include "core/flow_state.h"

namespace sluice {
namespace {

constexpr std::chrono::milliseconds kInterval(100);
constexpr std::chrono::milliseconds kHurriedInterval(2);  // while a caller waits for what workers still have
constexpr std::size_t kMostOwners = 65536;                // owners that are remembered, so that records share them
constexpr std::uint32_t kBatch = 4096;
// How many ends become records at a time. More would not stay in this core's own cache, and what leaves that cache
// takes the room of the workers' packets in the shared one.
constexpr std::uint32_t kEndsAtOnce = 256;
constexpr std::size_t kEpochsKept = 4;
constexpr std::chrono::seconds kMostTimeAtTheEnd(2);
constexpr std::uint64_t kNsPerMs = 1'000'000;

std::uint64_t UnixNs() {
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

std::string_view Name(FlowEndCause cause) {
  constexpr std::string_view kNames[] = {"expired", "replaced", "evicted", "cut", "unmanaged", "asked", "stopped"};
  return kNames[static_cast<int>(cause)];
}

}  // namespace

FlowLog::FlowLog(const FlowLogSettings& settings, const FlowLogNames& names, Say say)
    : names_(names),
      say_(std::move(say)),
      deny_interval_(settings.deny_interval_s),
      deny_keys_(settings.deny_keys),
      live_interval_(settings.live_interval_s),
      history_(settings.history == 0 ? nullptr : std::make_unique<FlowHistory>(settings.history)) {
  for (const FlowLogSinkSettings& sink : settings.sinks) sinks_.push_back(std::make_unique<FlowLogSink>(sink));
}

FlowLog::~FlowLog() { End(); }

WorkerTap& FlowLog::AddTap(std::uint64_t seed) {
  TapState& state = taps_.emplace_back();
  state.tap = std::make_unique<WorkerTap>(seed, sinks_.empty(), deny_keys_);
  return *state.tap;
}

void FlowLog::Start(Workers workers) {
  denies_due_ = Clock::now() + deny_interval_;
  live_due_ = Clock::now() + live_interval_;
  workers_ = std::move(workers);
  thread_ = std::thread([this] { Run(); });
}

void FlowLog::End() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake_.notify_one();
  refresh_done_.notify_all();
  thread_.join();
}

void FlowLog::Stop(const std::vector<Observation>& workers) {
  End();
  while (TakeEnds()) continue;
  TakeDenies(true, 0);
  const auto deadline = Clock::now() + kMostTimeAtTheEnd;
  std::uint64_t too_many = 0;
  std::vector<FlowEndRecord> live;
  const auto write = [&] {
    LookAtTable();
    WriteEnds(live);
    live.clear();
  };
  for (const Observation& worker : workers) {
    worker.reader.ForEachFlow([&](const FlowView& flow) {
      // A cut flow had its record when it was cut.
      if (flow.state == FlowState::kCut) return;
      if (live.empty() && Clock::now() > deadline) {
        ++too_many;
        return;
      }
      live.push_back({flow, FlowEndCause::kStopped, static_cast<std::uint32_t>(worker.reader.IdleMs(flow)),
                      worker.reader.AgeMs(flow)});
      if (live.size() == kBatch) write();
    });
  }
  write();
  CountRingLosses();
  LoseEnds(too_many);
  TendSinks();
  for (const auto& sink : sinks_) sink->Finish(say_);
}

std::vector<FlowLog::SinkCounts> FlowLog::Counts() const {
  std::vector<SinkCounts> counts;
  for (const auto& sink : sinks_) {
    SinkCounts& count = counts.emplace_back();
    count.sink = sink->settings().to;
    count.lines = sink->lines();
    for (std::size_t i = 0; i < count.lost.size(); ++i) count.lost[i] = sink->lost(i);
  }
  return counts;
}

void FlowLog::Refresh(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  const std::uint64_t asked = ++refresh_asked_;
  wake_.notify_one();
  refresh_done_.wait_for(lock, patience, [&] { return stops_ || refreshed_ >= asked; });
}

// If no sink wants everything, a round takes one batch of each worker: the history is not worth the core on which
// policy is compiled.
void FlowLog::Run() {
  std::unique_lock lock(mutex_);
  while (!stops_) {
    const std::uint64_t asked = refresh_asked_;
    const bool hurries = refreshed_ < asked;
    lock.unlock();
    LookAtTable();  // even if nothing is to be written: the next denials may belong to a numbering that is over by then
    const bool more = TakeEnds();
    TakeDenies(false, asked);
    const bool more_live = TellLiveFlows();
    CountRingLosses();
    TendSinks();
    const bool is_refreshed = hurries && !more && IsRefreshed(asked);
    lock.lock();
    if (is_refreshed) {
      refreshed_ = asked;
      refresh_done_.notify_all();
    }
    if (stops_ || ((more || more_live) && !sinks_.empty())) continue;
    if (refreshed_ < refresh_asked_) {
      wake_.wait_for(lock, kHurriedInterval);
    } else {
      wake_.wait_for(lock, kInterval, [&] { return stops_ || refreshed_ < refresh_asked_; });
    }
  }
}

bool FlowLog::IsRefreshed(std::uint64_t asked) const {
  return std::all_of(taps_.begin(), taps_.end(), [&](const TapState& tap) { return tap.taken_for >= asked; });
}

// What is taken from the workers after this call names no newer rules.
void FlowLog::LookAtTable() {
  auto table = names_.table();
  isolating_.See(table);
  if (!tables_.empty() && tables_.front().table->epoch() == table->epoch()) {
    tables_.front().table = std::move(table);
    return;
  }
  const std::uint64_t generation = tables_.empty() ? 0 : table->generation();
  tables_.insert(tables_.begin(), {std::move(table), generation, {}});
  if (tables_.size() > kEpochsKept) tables_.pop_back();
}

FlowLog::KnownTable* FlowLog::TableOfEpoch(std::uint64_t epoch) {
  for (KnownTable& known : tables_) {
    if (known.table->epoch() == epoch) return &known;
  }
  return nullptr;
}

// Null for a generation that came and went between two looks, across the end of an epoch. No name is better than the
// name of another rule.
FlowLog::KnownTable* FlowLog::TableOfGeneration(std::uint64_t generation) {
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const bool is_known = i == 0 || generation <= tables_[i].table->generation();
    if (generation >= tables_[i].first_generation) return is_known ? &tables_[i] : nullptr;
  }
  return nullptr;
}

std::shared_ptr<const TableRule> FlowLog::RuleOf(KnownTable* known, RuleId rule) {
  if (known == nullptr || rule == kNoRule || rule >= known->table->rule_limit()) return nullptr;
  auto& shared = known->rules[rule];
  if (shared == nullptr) shared = std::make_shared<TableRule>(known->table->rule(rule));
  return shared;
}

void FlowLog::NameIsolating(const DenyTable::Entry& entry, FlowLogRecord& record) {
  const auto is_default = [](const std::shared_ptr<const TableRule>& rule) {
    return rule != nullptr && rule->index < 0;
  };
  const DeniedSections& sections = entry.sections;
  if (is_default(record.egress)) record.egress_isolated_by = isolating_.Of(sections.numbering, sections.egress);
  if (is_default(record.ingress)) record.ingress_isolated_by = isolating_.Of(sections.numbering, sections.ingress);
}

std::shared_ptr<const FlowLogOwner> FlowLog::Share(const IpAddress& address, FlowLogOwner owner) {
  if (owner.pod.empty() && owner.namespace_name.empty()) return nullptr;
  if (owners_.size() >= kMostOwners) owners_.clear();
  auto& shared = owners_[address];
  if (shared == nullptr || *shared != owner) shared = std::make_shared<FlowLogOwner>(std::move(owner));
  return shared;
}

// True: a ring had more than was taken.
bool FlowLog::TakeEnds() {
  bool more = false;
  std::vector<FlowEndRecord> ends;
  for (const TapState& state : taps_) {
    for (std::uint32_t taken = 0; taken < kBatch; taken += kEndsAtOnce) {
      ends.clear();
      state.tap->ends.Take(kEndsAtOnce, [&](const FlowEndRecord& end) { ends.push_back(end); });
      if (ends.empty()) break;
      LookAtTable();  // looks after the records were taken, so the table is no older than any table that they name
      WriteEnds(ends);
    }
    more = ends.size() == kEndsAtOnce || more;
  }
  return more;
}

std::vector<FlowLogRecord> FlowLog::RecordsOf(std::span<const FlowView* const> flows, std::uint64_t now_ns) {
  std::vector<IpAddress> addresses;
  for (const FlowView* flow : flows) {
    addresses.push_back(flow->source.address);
    addresses.push_back(flow->destination.address);
  }
  std::vector<FlowLogOwner> owners = names_.OwnersOf(addresses);
  std::vector<FlowLogRecord> records;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const FlowView& flow = *flows[i];
    KnownTable* table = TableOfGeneration(flow.generation);
    FlowLogRecord& record = records.emplace_back();
    record.unix_ns = now_ns;
    record.source = {flow.source.address, flow.source.port, Share(flow.source.address, std::move(owners[2 * i]))};
    record.destination = {flow.destination.address, flow.destination.port,
                          Share(flow.destination.address, std::move(owners[2 * i + 1]))};
    record.protocol = flow.protocol;
    record.verdict = sluice::Name(Verdict::kForward);
    record.state = sluice::Name(flow.state);
    record.egress = RuleOf(table, flow.egress_rule);
    record.ingress = RuleOf(table, flow.ingress_rule);
    record.generation = flow.generation;
    record.traffic = flow.traffic;
    record.reply = flow.reply;
  }
  return records;
}

void FlowLog::WriteEnds(std::span<const FlowEndRecord> ends) {
  std::vector<const FlowView*> flows;
  for (const FlowEndRecord& end : ends) flows.push_back(&end.flow);
  const std::uint64_t now_ns = UnixNs();
  std::vector<FlowLogRecord> records = RecordsOf(flows, now_ns);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const ToldTraffic told = live_.Forget(ends[i].flow);
    records[i].cause = Name(ends[i].cause);
    records[i].first_unix_ns = now_ns - std::min(now_ns, ends[i].age_ms * kNsPerMs);
    records[i].last_unix_ns = now_ns - std::min(now_ns, ends[i].idle_ms * kNsPerMs);
    records[i].told = told.all;
    records[i].reply_told = told.reply;
    Write(std::move(records[i]));
  }
}

// True: more flows are due than got a record.
bool FlowLog::TellLiveFlows() {
  if (live_interval_.count() == 0 || sinks_.empty() || workers_ == nullptr) return false;
  if (const auto now = Clock::now(); now >= live_due_) {
    live_due_ = now + live_interval_;
    live_.Gather(workers_());
  }
  const std::span<const LiveFlow> due = live_.TakeDue(kBatch);
  if (due.empty()) return false;
  LookAtTable();
  std::vector<const FlowView*> flows;
  for (const LiveFlow& live : due) flows.push_back(&live.flow);
  const std::uint64_t now_ns = UnixNs();
  std::vector<FlowLogRecord> records = RecordsOf(flows, now_ns);
  for (std::size_t i = 0; i < due.size(); ++i) {
    const ToldTraffic told = live_.Tell(due[i].flow);
    records[i].is_live = true;
    records[i].first_unix_ns = now_ns - std::min(now_ns, due[i].age_ms * kNsPerMs);
    records[i].last_unix_ns = now_ns - std::min(now_ns, due[i].idle_ms * kNsPerMs);
    records[i].told = told.all;
    records[i].reply_told = told.reply;
    WriteToSinks(records[i]);
  }
  return due.size() == kBatch;
}

// `refresh`: the newest call of Refresh that waits for them.
void FlowLog::TakeDenies(bool is_last, std::uint64_t refresh) {
  const auto now = Clock::now();
  const bool is_due = now >= denies_due_;
  if (is_due) denies_due_ = now + deny_interval_;
  for (TapState& state : taps_) {
    if (state.asked || !(is_due || state.taken_for < refresh)) continue;
    state.asked = true;
    state.asked_for = refresh;
    state.tap->denies.Ask();
  }
  const std::uint64_t now_ns = UnixNs();
  std::vector<DenyTable::Entry> entries;
  const auto write = [&] {
    if (entries.empty()) return;
    LookAtTable();
    WriteDenies(entries, now_ns);
    entries.clear();
  };
  const auto visit = [&](const DenyTable::Entry& entry) {
    entries.push_back(entry);
    if (entries.size() == kBatch) write();
  };
  for (TapState& state : taps_) {
    DenyTable& denies = state.tap->denies;
    if (is_last) {
      denies.TakeAll(visit);
    } else if (state.asked && denies.IsTurned()) {
      state.asked = false;
      state.taken_for = state.asked_for;
      denies.Take(visit);
    }
    write();
  }
}

void FlowLog::WriteDenies(std::span<const DenyTable::Entry> entries, std::uint64_t now_ns) {
  std::vector<IpAddress> addresses;
  for (const DenyTable::Entry& entry : entries) {
    addresses.push_back(entry.key.source);
    addresses.push_back(entry.key.destination);
  }
  std::vector<FlowLogOwner> owners = names_.OwnersOf(addresses);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const DenyTable::Entry& entry = entries[i];
    KnownTable* table = TableOfEpoch(entry.key.epoch);
    FlowLogRecord record;
    record.unix_ns = now_ns;
    record.is_deny = true;
    if (entry.scope == DenyTable::Entry::Scope::kPair) {
      record.source = {entry.key.source, entry.source_port, Share(entry.key.source, std::move(owners[2 * i]))};
      record.destination = {entry.key.destination, entry.key.destination_port,
                            Share(entry.key.destination, std::move(owners[2 * i + 1]))};
      record.protocol = entry.key.protocol;
    }
    if (entry.scope != DenyTable::Entry::Scope::kRest) {
      record.verdict = sluice::Name(entry.key.verdict);
      record.reason = sluice::Name(entry.key.reason);
      record.egress = RuleOf(table, entry.key.egress_rule);
      record.ingress = RuleOf(table, entry.key.ingress_rule);
    }
    if (entry.scope == DenyTable::Entry::Scope::kPair) NameIsolating(entry, record);
    record.generation = entry.generation;
    record.traffic = {entry.packets, entry.bytes};
    record.first_unix_ns = entry.first_ns;
    record.last_unix_ns = entry.last_ns;
    Write(std::move(record));
  }
}

void FlowLog::Write(FlowLogRecord record) {
  WriteToSinks(record);
  if (history_ != nullptr) history_->Add(std::move(record));
}

void FlowLog::WriteToSinks(const FlowLogRecord& record) {
  FlowLogLine line(record);
  const auto now = Clock::now();
  for (const auto& sink : sinks_) sink->Take(line, now);
}

// Any sink may have wanted the flows that a full ring lost.
void FlowLog::CountRingLosses() {
  for (TapState& state : taps_) {
    const std::uint64_t lost = state.tap->ends.lost();
    LoseEnds(lost - std::exchange(state.lost_seen, lost));
  }
}

void FlowLog::LoseEnds(std::uint64_t count) {
  if (history_ != nullptr) history_->AddLost(count);
  for (const auto& sink : sinks_) {
    if (sink->WantsEnds()) sink->Lose(LogLoss::kRing, count);
  }
}

void FlowLog::TendSinks() {
  const auto now = Clock::now();
  for (const auto& sink : sinks_) sink->Tend(now, say_);
}

}  // namespace sluice
