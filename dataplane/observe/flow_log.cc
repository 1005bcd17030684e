#include "observe/flow_log.h"

#include <algorithm>
#include <utility>

#include "core/flow_state.h"
#include "sluice/printable.h"
#include "sluice/time_text.h"

namespace sluice {
namespace {

constexpr std::chrono::milliseconds kInterval(100);
constexpr std::chrono::milliseconds kHurriedInterval(2);  // while somebody waits for what workers still have
constexpr std::size_t kMostOwners = 65536;                // remembered, so that records share them
constexpr std::uint32_t kBatch = 4096;
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

// One thread, but for the counters.
struct FlowLog::Sink {
  Sink(FlowLogSinkSettings of, std::unique_ptr<LogSink> to) : settings(std::move(of)), out(std::move(to)) {}

  bool Wants(const FlowLogRecord& record) const {
    if (settings.only != FlowLogOnly::kAll && (settings.only == FlowLogOnly::kDenied) != record.is_deny) return false;
    if (settings.namespaces.empty()) return true;
    const auto is_named = [&](const std::optional<FlowLogRecord::End>& end) {
      return end && end->owner != nullptr &&
             std::find(settings.namespaces.begin(), settings.namespaces.end(), end->owner->namespace_name) !=
                 settings.namespaces.end();
    };
    // Of a whole rule nobody knows whose packets they were: they may be of these namespaces.
    return (record.is_deny && !record.source) || is_named(record.source) || is_named(record.destination);
  }

  bool HasCredit(Clock::time_point now) {
    if (settings.lines_per_second == 0) return true;
    const double rate = settings.lines_per_second;
    credit = std::min(rate, credit + rate * std::chrono::duration<double>(now - credit_time).count());
    credit_time = now;
    if (credit < 1) return false;
    credit -= 1;
    return true;
  }

  void Lose(LogLoss cause, std::uint64_t count) {
    lost[static_cast<std::size_t>(cause)].Add(count);
    untold[static_cast<std::size_t>(cause)] += count;
  }

  bool WriteLine(std::string_view line) {
    if (!out->Write(line)) return false;
    lines.Add(1);
    return true;
  }

  // In the stream itself, once it takes lines again.
  void TellLosses() {
    for (std::size_t i = 0; i < untold.size(); ++i) {
      if (untold[i] == 0) continue;
      if (!WriteLine("{\"time\":\"" + Rfc3339(UnixNs()) + "\",\"type\":\"lost\",\"not_logged\":" +
                     std::to_string(untold[i]) + ",\"cause\":\"" + std::string(kLogLossNames[i]) + "\"}\n")) {
        return;
      }
      untold[i] = 0;
    }
  }

  const FlowLogSinkSettings settings;
  const std::unique_ptr<LogSink> out;
  double credit = 0;
  Clock::time_point credit_time;
  std::array<std::uint64_t, kLogLossNames.size()> untold{};
  std::string said;  // the problem that the log has heard of
  Counter lines;
  std::array<Counter, kLogLossNames.size()> lost;
};

FlowLog::FlowLog(const FlowLogSettings& settings, const FlowLogNames& names, Say say)
    : names_(names),
      say_(std::move(say)),
      deny_interval_(settings.deny_interval_s),
      history_(settings.history == 0 ? nullptr : std::make_unique<FlowHistory>(settings.history)) {
  for (const FlowLogSinkSettings& sink : settings.sinks) {
    auto out = LogSink::Of(sink.to, {std::uint64_t{sink.most_mb} << 20, sink.kept, sink.gzip});
    sinks_.push_back(std::make_unique<Sink>(sink, std::move(out)));
  }
}

FlowLog::~FlowLog() { End(); }

WorkerTap& FlowLog::AddTap(std::uint64_t seed) {
  TapState& state = taps_.emplace_back();
  state.tap = std::make_unique<WorkerTap>(seed, sinks_.empty());
  return *state.tap;
}

void FlowLog::Start() {
  denies_due_ = Clock::now() + deny_interval_;
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
      // The end of one that was cut was told when it was cut.
      if (flow.state == FlowState::kCut) return;
      if (live.empty() && Clock::now() > deadline) {
        ++too_many;
        return;
      }
      live.push_back({flow, FlowEndCause::kStopped, static_cast<std::uint32_t>(worker.reader.IdleMs(flow))});
      if (live.size() == kBatch) write();
    });
  }
  write();
  CountRingLosses();
  LoseEnds(too_many);
  TendSinks();
  for (const auto& sink : sinks_) sink->out->Finish();
}

std::vector<FlowLog::SinkCounts> FlowLog::Counts() const {
  std::vector<SinkCounts> counts;
  for (const auto& sink : sinks_) {
    SinkCounts& count = counts.emplace_back();
    count.sink = sink->settings.to;
    count.lines = sink->lines.value();
    for (std::size_t i = 0; i < count.lost.size(); ++i) count.lost[i] = sink->lost[i].value();
  }
  return counts;
}

void FlowLog::Refresh(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  const std::uint64_t asked = ++refresh_asked_;
  wake_.notify_one();
  refresh_done_.wait_for(lock, patience, [&] { return stops_ || refreshed_ >= asked; });
}

// Where no sink wants all there is, a round takes one batch of each worker: the history is not worth the core on which
// policy is compiled.
void FlowLog::Run() {
  std::unique_lock lock(mutex_);
  while (!stops_) {
    const std::uint64_t asked = refresh_asked_;
    const bool hurries = refreshed_ < asked;
    lock.unlock();
    const bool more = TakeEnds();
    TakeDenies(false, asked);
    CountRingLosses();
    TendSinks();
    const bool is_refreshed = hurries && !more && IsRefreshed(asked);
    lock.lock();
    if (is_refreshed) {
      refreshed_ = asked;
      refresh_done_.notify_all();
    }
    if (stops_ || (more && !sinks_.empty())) continue;
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

// What is taken from the workers afterwards names no newer rules.
void FlowLog::LookAtTable() {
  auto table = names_.table();
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

// Null for generations that came and went between two looks, across the end of an epoch: no name is better than another
// rule's.
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

std::shared_ptr<const FlowLogOwner> FlowLog::Share(const IpAddress& address, FlowLogOwner owner) {
  if (owner.pod.empty() && owner.namespace_name.empty()) return nullptr;
  if (owners_.size() >= kMostOwners) owners_.clear();
  auto& shared = owners_[address];
  if (shared == nullptr || *shared != owner) shared = std::make_shared<FlowLogOwner>(std::move(owner));
  return shared;
}

// True where a ring had more than was taken.
bool FlowLog::TakeEnds() {
  bool more = false;
  std::vector<FlowEndRecord> ends;
  for (const TapState& state : taps_) {
    ends.clear();
    more = state.tap->ends.Take(kBatch, [&](const FlowEndRecord& end) { ends.push_back(end); }) == kBatch || more;
    if (ends.empty()) continue;
    LookAtTable();  // taken after the records, it is no older than any table that they name
    WriteEnds(ends);
  }
  return more;
}

void FlowLog::WriteEnds(std::span<const FlowEndRecord> ends) {
  std::vector<IpAddress> addresses;
  for (const FlowEndRecord& end : ends) {
    addresses.push_back(end.flow.source.address);
    addresses.push_back(end.flow.destination.address);
  }
  std::vector<FlowLogOwner> owners = names_.OwnersOf(addresses);
  const std::uint64_t now_ns = UnixNs();
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const FlowView& flow = ends[i].flow;
    KnownTable* table = TableOfGeneration(flow.generation);
    FlowLogRecord record;
    record.unix_ns = now_ns;
    record.source = {flow.source.address, flow.source.port, Share(flow.source.address, std::move(owners[2 * i]))};
    record.destination = {flow.destination.address, flow.destination.port,
                          Share(flow.destination.address, std::move(owners[2 * i + 1]))};
    record.protocol = flow.protocol;
    record.verdict = sluice::Name(Verdict::kForward);
    record.state = sluice::Name(flow.state);
    record.cause = Name(ends[i].cause);
    record.egress = RuleOf(table, flow.egress_rule);
    record.ingress = RuleOf(table, flow.ingress_rule);
    record.generation = flow.generation;
    record.packets = flow.packets;
    record.bytes = flow.bytes;
    record.last_unix_ns = now_ns - std::min(now_ns, ends[i].idle_ms * kNsPerMs);
    Write(std::move(record));
  }
}

// `refresh`: the newest call that wants to see them now.
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
    record.generation = entry.generation;
    record.packets = entry.packets;
    record.bytes = entry.bytes;
    record.first_unix_ns = entry.first_ns;
    record.last_unix_ns = entry.last_ns;
    Write(std::move(record));
  }
}

void FlowLog::Write(FlowLogRecord record) {
  std::string line;
  const auto now = Clock::now();
  for (const auto& sink : sinks_) {
    if (!sink->Wants(record)) continue;
    if (!sink->HasCredit(now)) {
      sink->Lose(LogLoss::kRate, 1);
      continue;
    }
    if (line.empty()) line = ToJsonLine(record);
    if (!sink->WriteLine(line)) sink->Lose(LogLoss::kSink, 1);
  }
  if (history_ != nullptr) history_->Add(std::move(record));
}

// Of the flows that a full ring lost nobody knows who wanted them.
void FlowLog::CountRingLosses() {
  for (TapState& state : taps_) {
    const std::uint64_t lost = state.tap->ends.lost();
    LoseEnds(lost - std::exchange(state.lost_seen, lost));
  }
}

void FlowLog::LoseEnds(std::uint64_t count) {
  if (history_ != nullptr) history_->AddLost(count);
  for (const auto& sink : sinks_) {
    if (sink->settings.only != FlowLogOnly::kDenied) sink->Lose(LogLoss::kRing, count);
  }
}

// A problem is said once, and its end too.
void FlowLog::TendSinks() {
  for (const auto& sink : sinks_) {
    sink->TellLosses();
    sink->out->Tend();
    sink->Lose(LogLoss::kSink, sink->out->TakeLostLater());
    const std::string& problem = sink->out->problem();
    if (problem.empty() == sink->said.empty()) continue;
    say_("flow log " + Printable(sink->settings.to) +
         (problem.empty() ? ": takes lines again"
                          : ": lines are lost until it takes them again: " + Printable(problem)));
    sink->said = problem;
  }
}

}  // namespace sluice
