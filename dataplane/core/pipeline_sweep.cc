// Flows beside packets: a new table, the sweep, and what flows owe to the rules' counters.
#include <algorithm>

#include "core/pipeline.h"

namespace sluice {

void Pipeline::Reserve(const Table& table) {
  const std::uint32_t current = current_epoch_.load(std::memory_order_acquire);
  const std::uint64_t id = epochs_[current].id.load(std::memory_order_acquire);
  const bool same = id == table.epoch() || id == 0;
  epochs_[same ? current : current ^ 1].counters.Reserve(table.rule_limit());
}

RuleCount Pipeline::CountOf(std::uint64_t epoch, RuleId rule) const {
  for (const Epoch& known : epochs_) {
    if (known.id.load(std::memory_order_acquire) == epoch) return known.counters.Get(rule);
  }
  return {};
}

// Rule ids mean nothing in another epoch. A flow of the epoch before is folded when it is met, by packet or sweep; what
// one counted for an epoch before that is nobody's any more. Only where generations begin anew, which would make flows
// of different epochs look alike, all are folded at once.
void Pipeline::ChangeTable(const Table& table) {
  const auto generation = static_cast<std::uint32_t>(table.generation());
  if (CurrentEpoch().id != table.epoch()) {
    if (CurrentEpoch().id != 0) {
      if (generation <= generation_) FoldAll(true);
      first_generation_before_ = generation <= generation_ ? generation : first_generation_.load();
      current_epoch_.store(current_epoch_ ^ 1, std::memory_order_release);
      CurrentEpoch().id.store(0, std::memory_order_release);
      CurrentEpoch().counters.Clear();
    }
    CurrentEpoch().id.store(table.epoch(), std::memory_order_release);
    first_generation_.store(generation, std::memory_order_relaxed);
  }
  generation_ = generation;
  turns_behind_ = 2;  // the turn under way has passed some flows already
  closed_ = !table.has_policy() && config_.fail_closed;
  CurrentEpoch().counters.Reserve(table.rule_limit());
}

// Adds what the flow counted since the last time to its rules, replies included.
template <typename Key>
void Pipeline::FoldFlow(std::uint32_t flow) {
  FlowTable<Key>& flows = *lane<Key>().flows;
  const FlowTraffic traffic = flows.Unfolded(flow);
  if (traffic.packets == 0) return;
  const FlowEntry<Key>& entry = flows.entry(flow);
  const FlowRules& rules = flows.rules(flow);
  const bool current = entry.generation >= first_generation_.load(std::memory_order_relaxed);
  if (current || entry.generation >= first_generation_before_) {
    RuleCounters& counters = epochs_[current_epoch_ ^ (current ? 0u : 1u)].counters;
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
  entries = Sweep<Ipv4FlowKey>(entries);
  if (ipv4_.sweep_next < ipv4_.flows->used_limit()) return false;
  Sweep<Ipv6FlowKey>(entries);
  if (ipv6_.sweep_next < ipv6_.flows->used_limit()) return false;
  ipv4_.sweep_next = ipv6_.sweep_next = 0;
  if (turns_behind_ != 0) --turns_behind_;
  return true;
}

void Pipeline::Finish(PipelineOutput& out) {
  out_ = &out;
  fragments_.Clear();
  DropReleased();
  FoldAll(false);
}

// Goes on from where the last call stopped, up to `entries` further. Returns what is left of them.
template <typename Key>
std::uint32_t Pipeline::Sweep(std::uint32_t entries) {
  constexpr std::uint32_t kAhead = 8;
  Lane<Key>& lane = this->lane<Key>();
  FlowTable<Key>& flows = *lane.flows;
  std::array<std::uint32_t, Classifier::kMaxBurst> stale;
  std::size_t stale_count = 0;
  const auto judge = [&] {
    JudgeBatch<Key>(std::span(stale).first(stale_count));
    stale_count = 0;
  };
  for (; entries != 0 && lane.sweep_next < flows.used_limit(); --entries) {
    const std::uint32_t flow = lane.sweep_next++;
    flows.PrefetchEntry(flow + kAhead);
    FlowEntry<Key>& entry = flows.entry(flow);
    if (!entry.live()) continue;
    if (IsExpired(entry)) {
      if (entry.state() != FlowState::kCut) counters_.flows_expired.Add(1);
      EndFlow<Key>(flow);
      continue;
    }
    FoldFlow<Key>(flow);
    if (entry.generation == generation_ || entry.state() == FlowState::kCut) continue;
    if (entry.generation != kJudgeAgain && IsStillJudged(entry)) {
      Publish(entry.generation, generation_);
      continue;
    }
    stale[stale_count++] = flow;
    if (stale_count == stale.size()) judge();
  }
  if (stale_count != 0) judge();
  return entries;
}

template <typename Key>
void Pipeline::JudgeBatch(std::span<const std::uint32_t> flows) {
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const FlowEntry<Key>& entry = lane<Key>().flows->entry(flows[i]);
    const FlowEnd destination = entry.destination();
    queries_[i] = {entry.source().address, destination.address, entry.protocol(), destination.port};
  }
  classifier_.Classify(*table_, std::span(queries_).first(flows.size()), answers_.data());
  for (std::size_t i = 0; i < flows.size(); ++i) JudgeFlow<Key>(flows[i], answers_[i]);
}

template void Pipeline::FoldFlow<Ipv4FlowKey>(std::uint32_t);
template void Pipeline::FoldFlow<Ipv6FlowKey>(std::uint32_t);
template void Pipeline::EndFlow<Ipv4FlowKey>(std::uint32_t);
template void Pipeline::EndFlow<Ipv6FlowKey>(std::uint32_t);

}  // namespace sluice
