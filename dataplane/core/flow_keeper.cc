#include "core/flow_keeper.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice {
namespace {

constexpr std::uint32_t kJudgeAhead = 16;  // flows whose entries are fetched while others are looked at
constexpr std::uint32_t kSweepAhead = 8;   // flows whose entries are prefetched; their rules' counters: half as many

}  // namespace

FlowKeeper::FlowKeeper(const PipelineConfig& config, PipelineCounters& counters)
    : timeouts_(config.timeouts),
      fail_closed_(config.fail_closed),
      drop_unknown_endpoint_(config.drop_unknown_endpoint),
      dns_port_(config.dns.port),
      learnt_names_(config.learnt_names),
      counters_(counters),
      seed_(config.hash_seed) {}

std::optional<Diagnostic> FlowKeeper::Allocate(const PipelineConfig& config, const FlowMemory& memory) {
  auto ipv4 = FlowTable<Ipv4FlowKey>::Create(config.flow_capacity_ipv4, config.hash_seed, memory);
  if (auto* error = std::get_if<Diagnostic>(&ipv4)) return std::move(*error);
  auto ipv6 = FlowTable<Ipv6FlowKey>::Create(config.flow_capacity_ipv6, config.hash_seed, memory);
  if (auto* error = std::get_if<Diagnostic>(&ipv6)) return std::move(*error);
  ipv4_.flows = std::move(std::get<0>(ipv4));
  ipv6_.flows = std::move(std::get<0>(ipv6));
  return std::nullopt;
}

void FlowKeeper::BeginRound(const Table& table, std::uint64_t now_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  now_ms_.store(now_ns_ / 1'000'000, std::memory_order_relaxed);
  // The same generation with other numbers (Compiler::Renew) leaves every flow as it is.
  if (table_ == nullptr || !account_.Knows(table)) {
    // Flows that this change folds were judged by a table that may be gone.
    staged_ = nullptr;
    ChangeTable(table);
  }
  table_ = &table;
  staged_ = table.staged() == nullptr ? nullptr : staged_judge();
}

void FlowKeeper::ChangeTable(const Table& table) {
  if (account_.BeginsAnew(table)) {
    FoldFamily<Ipv4FlowKey>(true);
    FoldFamily<Ipv6FlowKey>(true);
    ipv4_.first_names.Clear();
    ipv6_.first_names.Clear();
  }
  account_.Begin(table);
  judged_now_ = static_cast<std::uint32_t>(table.generation());
  judged_before_ = account_.IsOfThisEpoch(judged_now_ - 1) ? judged_now_ - 1 : judged_now_;
  LookAtAll();
  closed_ = !table.has_policy() && fail_closed_;
}

void FlowKeeper::LookAtAll() {
  ipv4_.behind = ipv4_.judge_limit = ipv4_.flows->used_limit();
  ipv6_.behind = ipv6_.judge_limit = ipv6_.flows->used_limit();
}

template <typename Key>
void FlowKeeper::FoldFamily(bool judge_again) {
  FlowTable<Key>& flows = this->flows<Key>();
  for (std::uint32_t flow = 0; flow < flows.used_limit(); ++flow) {
    FlowEntry<Key>& entry = flows.entry(flow);
    if (!entry.live()) continue;
    Fold<Key>(flow);
    if (!judge_again) continue;
    Publish(flows.rules(flow).egress, kNoRule);
    Publish(flows.rules(flow).ingress, kNoRule);
    Publish(entry.generation, kJudgeAgain);
  }
}

void FlowKeeper::FoldAll() {
  FoldFamily<Ipv4FlowKey>(false);
  FoldFamily<Ipv6FlowKey>(false);
}

// Counts in parts that a flow's count can tell apart (FlowCount), and folds each part.
template <typename Key>
void FlowKeeper::CountCarried(std::uint32_t flow, FlowTraffic traffic, FlowWay way, std::uint32_t idle_ms) {
  constexpr FlowTraffic kPart{FlowCount::kPacketsLimit / 2, FlowCount::kBytesLimit / 2};
  FlowEntry<Key>& entry = flows<Key>().entry(flow);
  const std::uint32_t seen_ms = now_ms() - idle_ms;
  if (static_cast<std::int32_t>(seen_ms - entry.last_seen_ms) > 0) Publish(entry.last_seen_ms, seen_ms);
  Fold<Key>(flow);
  while ((traffic.packets | traffic.bytes) != 0) {
    const FlowTraffic part{std::min(traffic.packets, kPart.packets), std::min(traffic.bytes, kPart.bytes)};
    Publish(entry.count, entry.count + FlowCount::Of(part, way));
    Fold<Key>(flow);
    traffic = traffic - part;
  }
}

template <typename Key>
bool FlowKeeper::MeetTable(std::uint32_t flow) {
  const FlowEntry<Key>& entry = flows<Key>().entry(flow);
  if (entry.state() == FlowState::kCut || IsExpired(entry)) return false;
  return !IsToBeJudged<Key>(flow) || Judge<Key>(flow, Classify(QueryOf<Key>(flow)));
}

// The trace of a cut flow is no longer a flow: its end was told, and counted, when it was cut.
template <typename Key>
void FlowKeeper::End(std::uint32_t flow, FlowEndCause cause) {
  Fold<Key>(flow);
  if (flows<Key>().entry(flow).state() != FlowState::kCut) {
    if (cause == FlowEndCause::kExpired || cause == FlowEndCause::kReplaced) counters_.flows_expired.Add(1);
    if (listener_ != nullptr) [[unlikely]]
      Tell<Key>(flow, cause);
  }
  if (!family<Key>().first_names.empty()) [[unlikely]]
    family<Key>().first_names.Erase(flow);
  flows<Key>().Erase(flow);
}

// Requires that the flow is folded.
template <typename Key>
void FlowKeeper::Tell(std::uint32_t flow, FlowEndCause cause) {
  if constexpr (Key::kFamily == Family::kIpv4) {
    const FlowTable<Key>& flows = this->flows<Key>();
    const std::uint64_t generation = JudgedBy(flows.entry(flow).generation);
    const FlowRules rules = generation < account_.first_generation() ? FlowRules() : flows.rules(flow);
    if (listener_->Ipv4FlowEnded(
            {flows.entry(flow), flows.record(flow), generation, rules, flows.BeganMs(flow), cause, whole_now_ms()})) {
      return;
    }
  }
  if (!listener_->WantsNext()) return;
  flows<Key>().ViewOwn(flow, told_);
  Complete(told_);
  listener_->FlowEnded(told_, cause, whole_now_ms());
}

void FlowKeeper::Complete(FlowView& view) const {
  // Runs after the flow was read: a reader that saw the flow's generation also sees the account's.
  view.generation = JudgedBy(static_cast<std::uint32_t>(view.generation));
  if (view.generation < account_.first_generation()) view.egress_rule = view.ingress_rule = kNoRule;
}

void FlowKeeper::ReserveStaged(const Table& table) {
  if (table.staged() == nullptr || staged_judge() != nullptr) return;
  owned_judge_ =
      std::make_unique<StagedJudge>(seed_, ipv4_.flows->capacity(), ipv6_.flows->capacity(), drop_unknown_endpoint_);
  staged_judge_.store(owned_judge_.get(), std::memory_order_release);
}

template <typename Key>
void FlowKeeper::TellStagedPackets(std::uint32_t flow) {
  const FlowTable<Key>& flows = this->flows<Key>();
  const std::uint64_t packets = flows.Unfolded(flow).sum().packets;
  if (packets == 0) return;
  if (staged_->IsFull()) FlushStaged();
  const FlowRules rules = flows.rules(flow);
  staged_->NotePackets(QueryOf<Key>(flow), rules.egress, rules.ingress, packets);
}

// Call it before the rule `next` takes the flow over from another rule.
template <typename Key>
void FlowKeeper::RememberNames(std::uint32_t flow, RuleId next) {
  if (learnt_names_ == nullptr || flows<Key>().entry(flow).generation == kJudgeAgain) return;
  FirstNames& first_names = family<Key>().first_names;
  const FirstNames::Source source = SourceOf<Key>(flow);
  const bool is_by_name = NamesOf(source) != nullptr;
  if (!is_by_name && first_names.empty()) return;
  if (!table_->rule(next).domain_names.empty()) {
    first_names.Erase(flow);
  } else if (is_by_name) {
    first_names.Put(flow, source);
  }
}

template <typename Key>
bool FlowKeeper::Judge(std::uint32_t flow, const Classification& answer) {
  using Entry = FlowEntry<Key>;
  FlowTable<Key>& flows = this->flows<Key>();
  Entry& entry = flows.entry(flow);
  const bool denied = IsDenied(answer);
  if (!denied && !answer.concerned) {
    counters_.flows_unmanaged.Add(1);
    End<Key>(flow, FlowEndCause::kUnmanaged);
    return false;
  }
  Fold<Key>(flow);
  counters_.flows_judged_again.Add(1);
  TellStaged(QueryOf<Key>(flow), answer, {Key::kFamily, flow});
  if (!denied) {
    RememberNames<Key>(flow, answer.egress.rule);
    Publish(flows.rules(flow).egress, answer.egress.rule);
    Publish(flows.rules(flow).ingress, answer.ingress.rule);
    Publish(entry.generation, judged_now_);
    return true;
  }
  counters_.flows_cut.Add(1);
  if (listener_ != nullptr) [[unlikely]]
    Tell<Key>(flow, FlowEndCause::kCut);
  if (!family<Key>().first_names.empty()) family<Key>().first_names.Erase(flow);
  Publish(flows.rules(flow).egress, kNoRule);
  Publish(flows.rules(flow).ingress, kNoRule);
  Publish(entry.generation, kJudgeAgain);
  Publish(entry.last_seen_ms, now_ms());
  entry.SetState(FlowState::kCut, static_cast<std::uint8_t>(entry.flags() | Entry::kResetDue));
  // A flow that a flood could not evict before the cut cannot be evicted now. If the flow was never answered, its
  // answer may be under way: its trace goes last among evictable flows, so that a flood evicts its own flows first.
  if (entry.Has(Entry::kEvictable)) flows.MakeEvictable(flow, FlowTable<Key>::Eviction::kLastResort);
  return false;
}

bool FlowKeeper::Sweep(std::uint32_t entries) {
  entries = SweepFamily<Ipv4FlowKey>(entries);
  if (ipv4_.sweep_next < ipv4_.flows->used_limit()) return false;
  SweepFamily<Ipv6FlowKey>(entries);
  if (ipv6_.sweep_next < ipv6_.flows->used_limit()) return false;
  ipv4_.sweep_next = ipv6_.sweep_next = 0;
  return true;
}

// Goes on where the last call stopped, up to the last flow. Returns how many of `entries` are left.
template <typename Key>
std::uint32_t FlowKeeper::SweepFamily(std::uint32_t entries) {
  FlowTable<Key>& flows = this->flows<Key>();
  std::uint32_t& next = family<Key>().sweep_next;
  const std::uint32_t limit = flows.used_limit();
  for (; entries != 0 && next < limit; --entries) {
    const std::uint32_t flow = next++;
    flows.PrefetchEntry(flow + kSweepAhead);
    account_.PrefetchFold(flows, std::min(flow + kSweepAhead / 2, limit - 1));
    const FlowEntry<Key>& entry = flows.entry(flow);
    if (!entry.live()) continue;
    if (IsExpired(entry)) {
      End<Key>(flow, FlowEndCause::kExpired);
    } else {
      Fold<Key>(flow);
    }
  }
  return entries;
}

void FlowKeeper::JudgeIdle(std::uint32_t entries) {
  entries = JudgeIdleFamily<Ipv4FlowKey>(entries);
  JudgeIdleFamily<Ipv6FlowKey>(entries);
}

// Goes on where the last call stopped, round and round, until it has a batch to judge:
// judging takes longer than all the looking. Returns how many of `entries` are left.
template <typename Key>
std::uint32_t FlowKeeper::JudgeIdleFamily(std::uint32_t entries) {
  Flows<Key>& own = family<Key>();
  Batch batch;
  while (own.behind != 0 && entries != 0 && batch.count < batch.flows.size()) {
    if (own.judge_next >= own.judge_limit) own.judge_next = 0;
    const std::uint32_t end = own.judge_next + std::min({own.behind, entries, own.judge_limit - own.judge_next});
    const std::uint32_t looked = LookAtFlows<Key>(own.judge_next, end, batch) - own.judge_next;
    own.judge_next += looked;
    own.behind -= looked;
    entries -= looked;
  }
  JudgeBatch<Key>(std::span(batch.flows).first(batch.count));
  return entries;
}

// Looks at flows from `first` on, until the batch is full. Returns where it stopped. Each of many updates a second
// makes it look at every flow, and leaves nearly all as they are: so this loop is most of an update's cost to a worker.
template <typename Key>
std::uint32_t FlowKeeper::LookAtFlows(std::uint32_t first, std::uint32_t end, Batch& batch) {
  FlowTable<Key>& flows = this->flows<Key>();
  const std::uint32_t before = judged_before_, now = judged_now_;
  const AddressChanges& changes = table_->changes();
  std::uint32_t flow = first;
  for (; flow < end && batch.count < batch.flows.size(); ++flow) {
    flows.PrefetchEntry(flow + kJudgeAhead);
    FlowEntry<Key>& entry = flows.entry(flow);
    if (!entry.live()) continue;
    if (entry.generation == before && !IsInLastChange(changes, entry)) [[likely]] {
      Publish(entry.generation, now);
      continue;
    }
    if (!IsToBeJudged<Key>(flow)) continue;
    flows.PrefetchRecord(flow);
    batch.flows[batch.count++] = flow;
  }
  return flow;
}

// This marks the flows that the table leaves alone as known to its generation.
template <typename Key>
bool FlowKeeper::IsToBeJudged(std::uint32_t flow) {
  FlowEntry<Key>& entry = flows<Key>().entry(flow);
  if (entry.generation == judged_now_) return false;
  if (IsStillJudged(entry)) {
    Publish(entry.generation, judged_now_);
    return false;
  }
  // Expired flows are left to the sweep: if they were cut now, they would live on as traces.
  return entry.state() != FlowState::kCut && !IsExpired(entry);
}

template <typename Key>
void FlowKeeper::JudgeBatch(std::span<const std::uint32_t> batch) {
  if (batch.empty()) return;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    queries_[i] = QueryOf<Key>(batch[i]);
    account_.PrefetchFold(flows<Key>(), batch[i]);
  }
  Classify(std::span(queries_).first(batch.size()), answers_.data());
  for (std::size_t i = 0; i < batch.size(); ++i) Judge<Key>(batch[i], answers_[i]);
}

template void FlowKeeper::CountCarried<Ipv4FlowKey>(std::uint32_t, FlowTraffic, FlowWay, std::uint32_t);
template void FlowKeeper::CountCarried<Ipv6FlowKey>(std::uint32_t, FlowTraffic, FlowWay, std::uint32_t);
template bool FlowKeeper::MeetTable<Ipv4FlowKey>(std::uint32_t);
template bool FlowKeeper::MeetTable<Ipv6FlowKey>(std::uint32_t);
template void FlowKeeper::End<Ipv4FlowKey>(std::uint32_t, FlowEndCause);
template void FlowKeeper::End<Ipv6FlowKey>(std::uint32_t, FlowEndCause);
template bool FlowKeeper::Judge<Ipv4FlowKey>(std::uint32_t, const Classification&);
template bool FlowKeeper::Judge<Ipv6FlowKey>(std::uint32_t, const Classification&);

}  // namespace sluice
