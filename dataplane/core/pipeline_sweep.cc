// Flows beside packets: a new table, the sweep, and what flows owe to the rules' counters.
#include <algorithm>

#include "core/pipeline.h"

namespace sluice {
namespace {

constexpr std::uint32_t kSweepAhead = 8;  // flows whose entries are fetched; their rules' cells, half as many

}  // namespace

void Pipeline::Reserve(const Table& table) {
  const std::uint32_t current = current_epoch_.load(std::memory_order_acquire);
  const std::uint64_t epoch = counters_of_[current].epoch();
  const bool same = epoch == table.epoch() || epoch == 0;
  counters_of_[same ? current : current ^ 1].Reserve(table.rule_limit());
}

RuleCount Pipeline::CountOf(std::uint64_t epoch, RuleId rule) const {
  for (const RuleCounters& counters : counters_of_) {
    if (counters.epoch() == epoch) return counters.Get(epoch, rule);
  }
  return {};
}

// Rule ids mean nothing in another epoch. A flow of the epoch before is folded when it is met, by packet or sweep; what
// one counted for an epoch before that is nobody's any more. Only where generations begin anew, which would make flows
// of different epochs look alike, all are folded at once.
void Pipeline::ChangeTable(const Table& table) {
  const std::uint64_t generation = table.generation(), before = WholeNow();
  if (CurrentCounters().epoch() != table.epoch()) {
    if (CurrentCounters().epoch() != 0) {
      if (generation <= before) FoldAll(true);
      first_generation_before_ = generation <= before ? generation : first_generation_.load();
      current_epoch_.store(current_epoch_ ^ 1, std::memory_order_release);
    }
    CurrentCounters().Begin(table.epoch());
    first_generation_.store(generation, std::memory_order_relaxed);
  }
  generation_.store(generation, std::memory_order_release);
  judged_now_ = static_cast<std::uint32_t>(generation);
  ipv4_.behind = ipv4_.judge_limit = ipv4_.flows->used_limit();
  ipv6_.behind = ipv6_.judge_limit = ipv6_.flows->used_limit();
  closed_ = !table.has_policy() && config_.fail_closed;
  CurrentCounters().Reserve(table.rule_limit());
}

// Adds what the flow counted since the last time to its rules, replies included.
template <typename Key>
void Pipeline::FoldFlow(std::uint32_t flow) {
  FlowTable<Key>& flows = *lane<Key>().flows;
  const FlowTraffic traffic = flows.Unfolded(flow);
  if (traffic.packets == 0) return;
  const FlowEntry<Key>& entry = flows.entry(flow);
  const FlowRules& rules = flows.rules(flow);
  if (entry.generation != kJudgeAgain && WholeGeneration(WholeNow(), entry.generation) >= first_generation_before_) {
    RuleCounters& counters = CountersOf(entry.generation);
    const std::uint64_t hit_ns = now_ns_ - std::min(now_ns_, std::uint64_t{Now() - entry.last_seen_ms} * 1'000'000);
    counters.Add(rules.egress, traffic.packets, traffic.bytes, hit_ns);
    counters.Add(rules.ingress, traffic.packets, traffic.bytes, hit_ns);
  }
  flows.Fold(flow);
}

template <typename Key>
void Pipeline::EndFlow(std::uint32_t flow) {
  FoldFlow<Key>(flow);
  lane<Key>().flows->Erase(flow);
}

// Its time-out passed, or a new connection takes its place. One that was cut is over since then.
template <typename Key>
void Pipeline::ExpireFlow(std::uint32_t flow) {
  if (lane<Key>().flows->entry(flow).state() != FlowState::kCut) counters_.flows_expired.Add(1);
  EndFlow<Key>(flow);
}

template <typename Key>
void Pipeline::FoldLane(bool judge_again) {
  FlowTable<Key>& flows = *lane<Key>().flows;
  for (std::uint32_t flow = 0; flow < flows.used_limit(); ++flow) {
    FlowEntry<Key>& entry = flows.entry(flow);
    if (!entry.live()) continue;
    FoldFlow<Key>(flow);
    if (!judge_again) continue;
    Publish(flows.rules(flow).egress, kNoRule);
    Publish(flows.rules(flow).ingress, kNoRule);
    Publish(entry.generation, kJudgeAgain);
  }
}

void Pipeline::FoldAll(bool judge_again) {
  FoldLane<Ipv4FlowKey>(judge_again);
  FoldLane<Ipv6FlowKey>(judge_again);
}

bool Pipeline::Housekeep(const Table& table, std::uint64_t now_ns, std::uint32_t entries, PipelineOutput& out) {
  Start(table, now_ns, out);
  fragments_.Expire(now_ns_);
  DropReleased();
  JudgeIdle(entries);
  entries = Sweep<Ipv4FlowKey>(entries);
  if (ipv4_.sweep_next < ipv4_.flows->used_limit()) return false;
  Sweep<Ipv6FlowKey>(entries);
  if (ipv6_.sweep_next < ipv6_.flows->used_limit()) return false;
  ipv4_.sweep_next = ipv6_.sweep_next = 0;
  return true;
}

void Pipeline::CatchUp(const Table& table, std::uint64_t now_ns, std::uint32_t entries, PipelineOutput& out) {
  Start(table, now_ns, out);
  JudgeIdle(entries);
}

void Pipeline::JudgeIdle(std::uint32_t entries) {
  entries = JudgeIdle<Ipv4FlowKey>(entries);
  JudgeIdle<Ipv6FlowKey>(entries);
}

// Goes on from where the last call stopped, round and round, until it has a batch to judge: that takes longer than all
// the looking. Returns what is left of the entries.
template <typename Key>
std::uint32_t Pipeline::JudgeIdle(std::uint32_t entries) {
  Lane<Key>& lane = this->lane<Key>();
  Stale<Key> stale;
  for (; lane.behind != 0 && entries != 0 && stale.count < stale.flows.size(); --lane.behind, --entries) {
    if (lane.judge_next >= lane.judge_limit) lane.judge_next = 0;
    const std::uint32_t flow = lane.judge_next++;
    lane.flows->PrefetchEntry(flow + kSweepAhead);
    if (lane.flows->entry(flow).live()) JudgeIfStale<Key>(flow, stale);
  }
  JudgeBatch<Key>(stale);
  return entries;
}

void Pipeline::Finish(PipelineOutput& out) {
  out_ = &out;
  fragments_.Clear();
  DropReleased();
  FoldAll(false);
}

// Goes on from where the last call stopped, to the last flow. Returns what is left of the entries.
template <typename Key>
std::uint32_t Pipeline::Sweep(std::uint32_t entries) {
  Lane<Key>& lane = this->lane<Key>();
  FlowTable<Key>& flows = *lane.flows;
  const std::uint32_t limit = flows.used_limit();
  for (; entries != 0 && lane.sweep_next < limit; --entries) {
    const std::uint32_t flow = lane.sweep_next++;
    flows.PrefetchEntry(flow + kSweepAhead);
    PrefetchFold<Key>(std::min(flow + kSweepAhead / 2, limit - 1));
    FlowEntry<Key>& entry = flows.entry(flow);
    if (!entry.live()) continue;
    if (IsExpired(entry)) {
      ExpireFlow<Key>(flow);
      continue;
    }
    FoldFlow<Key>(flow);
  }
  return entries;
}

template <typename Key>
void Pipeline::JudgeIfStale(std::uint32_t flow, Stale<Key>& stale) {
  FlowEntry<Key>& entry = lane<Key>().flows->entry(flow);
  if (entry.generation == judged_now_ || entry.state() == FlowState::kCut) return;
  if (IsExpired(entry)) return;  // the sweep's: cut now, it would live on as a trace
  if (IsStillJudged(entry)) {
    Publish(entry.generation, judged_now_);
    return;
  }
  lane<Key>().flows->PrefetchRecord(flow);
  stale.flows[stale.count++] = flow;
}

template <typename Key>
void Pipeline::JudgeBatch(Stale<Key>& stale) {
  const std::span<const std::uint32_t> flows = std::span(stale.flows).first(stale.count);
  stale.count = 0;
  if (flows.empty()) return;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const FlowEntry<Key>& entry = lane<Key>().flows->entry(flows[i]);
    const FlowEnd destination = entry.destination();
    queries_[i] = {entry.source().address, destination.address, entry.protocol(), destination.port};
    PrefetchFold<Key>(flows[i]);
  }
  classifier_.Classify(*table_, std::span(queries_).first(flows.size()), answers_.data());
  for (std::size_t i = 0; i < flows.size(); ++i) JudgeFlow<Key>(flows[i], answers_[i]);
}

template void Pipeline::FoldFlow<Ipv4FlowKey>(std::uint32_t);
template void Pipeline::FoldFlow<Ipv6FlowKey>(std::uint32_t);
template void Pipeline::EndFlow<Ipv4FlowKey>(std::uint32_t);
template void Pipeline::EndFlow<Ipv6FlowKey>(std::uint32_t);
template void Pipeline::ExpireFlow<Ipv4FlowKey>(std::uint32_t);
template void Pipeline::ExpireFlow<Ipv6FlowKey>(std::uint32_t);

}  // namespace sluice
