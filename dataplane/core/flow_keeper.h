// Keeps one worker's flows: the work on flows that no packet triggers, and the table and time that packets meet.
//
// It holds the flow tables, the table in force and the clock. It ends flows, judges them again after a swap, sweeps for
// flows that are over, and folds what flows counted. Stages find and open flows through it.
//
// After a swap, a flow is judged again by its next packet, or by the keeper, which looks at all flows in slices.
// AddressChanges says which flows a table leaves alone, so most flows are only marked as known to this generation.
//
// Runs on the worker's thread, unless a function says otherwise. Allocates only when it is made.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_KEEPER_H_
#define SLUICE_DATAPLANE_CORE_FLOW_KEEPER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/counters.h"
#include "core/first_names.h"
#include "core/flow_events.h"
#include "core/flow_memory.h"
#include "core/flow_table.h"
#include "core/pipeline_config.h"
#include "core/stage_account.h"
#include "core/staged_judge.h"
#include "sluice/diagnostic.h"
#include "sluice/protocol.h"
#include "table/classify.h"
#include "table/table.h"

namespace sluice {

class FlowKeeper {
 public:
  static constexpr std::uint32_t kJudgeAgain = RuleAccount::kJudgeAgain;

  FlowKeeper(const PipelineConfig& config, PipelineCounters& counters);
  // Makes the flow tables, or says why there is no memory for them. Called once, before anything else.
  std::optional<Diagnostic> Allocate(const PipelineConfig& config, const FlowMemory& memory);

  // From here on, this table is in force and this is the time. `table` must stay valid until the next call. Generations
  // may only ascend, also from epoch to epoch. If `now_ns` goes back, the keeper's time stands still.
  void BeginRound(const Table& table, std::uint64_t now_ns);
  const Table& table() const { return *table_; }
  std::uint64_t now_ns() const { return now_ns_; }
  std::uint32_t now_ms() const { return static_cast<std::uint32_t>(whole_now_ms()); }
  std::uint64_t whole_now_ms() const { return now_ms_.load(std::memory_order_relaxed); }
  // The lower half of the table's generation. A flow that the table judged keeps it.
  std::uint32_t judged_now() const { return judged_now_; }
  // Whether there is no policy yet, so that packets that could concern a pod must be dropped.
  bool closed() const { return closed_; }

  template <typename Key>
  FlowTable<Key>& flows() {
    return *family<Key>().flows;
  }
  template <typename Key>
  const FlowTable<Key>& flows() const {
    return const_cast<FlowKeeper*>(this)->flows<Key>();
  }
  RuleAccount& account() { return account_; }
  const RuleAccount& account() const { return account_; }
  std::uint32_t shortest_timeout_ms() const { return timeouts_.shortest(); }

  template <typename Key>
  bool IsExpired(const FlowEntry<Key>& entry) const {
    return now_ms() - entry.last_seen_ms > timeouts_.Of(entry.state(), entry.protocol());
  }
  // Whether this generation says the same about a flow as the generation that judged it.
  template <typename Key>
  bool IsStillJudged(const FlowEntry<Key>& entry) const {
    if (entry.generation == judged_before_) [[likely]]
      return !IsInLastChange(table_->changes(), entry);
    if (!account_.IsOfThisEpoch(entry.generation)) return false;
    const std::uint64_t judged = account_.Whole(entry.generation);
    return !table_->changes().Since(judged, Key::Lesser(entry.words).address) &&
           !table_->changes().Since(judged, Key::Greater(entry.words).address);
  }
  // Whether the packet must be dropped because policy should know one of its ends but does not.
  bool IsUnknownEndpoint(const Classification& answer) const {
    return answer.unknown_endpoint && drop_unknown_endpoint_;
  }
  bool IsDenied(const Classification& answer) const { return !answer.allow || IsUnknownEndpoint(answer); }
  void Classify(std::span<const ClassifyQuery> queries, Classification* answers) {
    classifier_.Classify(*table_, queries, answers, true, names_now());
  }
  Classification Classify(const ClassifyQuery& query) {
    Classification answer;
    Classify({&query, 1}, &answer);
    return answer;
  }
  NamesNow names_now() const { return {learnt_names_, now_ns_}; }
  // What the flow's first packet asked, with the names by which the flow was admitted.
  template <typename Key>
  ClassifyQuery QueryOf(std::uint32_t flow) const {
    const FlowEntry<Key>& entry = flows<Key>().entry(flow);
    const FlowEnd destination = entry.destination();
    return {entry.source().address, destination.address, entry.protocol(), destination.port, NamesOf<Key>(flow)};
  }
  // The names of the rule by name that admits the flow, or that admitted it before the current rule. Null: none.
  template <typename Key>
  const DomainPatterns* NamesOf(std::uint32_t flow) const {
    if (learnt_names_ == nullptr || flows<Key>().entry(flow).generation == kJudgeAgain) return nullptr;
    const DomainPatterns* names = NamesOf(SourceOf<Key>(flow));
    if (names != nullptr || family<Key>().first_names.empty()) return names;
    return NamesOf(family<Key>().first_names.Find(flow));
  }

  // Counts a packet of the flow.
  template <typename Key>
  void Count(std::uint32_t flow, std::uint32_t length, FlowWay way) {
    if (flows<Key>().entry(flow).CountPacket(length, now_ms(), way)) [[unlikely]]
      Fold<Key>(flow);
  }
  // Counts packets that passed one way without the worker. The last of them came `idle_ms` ago.
  template <typename Key>
  void CountCarried(std::uint32_t flow, FlowTraffic traffic, FlowWay way, std::uint32_t idle_ms);
  // Whether DnsStage must look at packets of a flow with this key: one of its ends has the resolvers' port.
  template <typename Key>
  bool Watches(const Key& key) const {
    const std::uint8_t protocol = Key::Protocol(key.words);
    return dns_port_ != 0 && (protocol == kProtoUdp || protocol == kProtoTcp) &&
           (Key::Lesser(key.words).port == dns_port_ || Key::Greater(key.words).port == dns_port_);
  }
  // Whether the flow's packets may pass without the worker: policy lets them pass, and they leave its state as it is.
  template <typename Key>
  bool MayBeCarried(const FlowEntry<Key>& entry) const {
    const FlowState state = entry.state();
    return !is_carrying_held_ && !entry.IsWatched() &&
           (state == FlowState::kTcpEstablished || state == FlowState::kUdpReplied ||
            state == FlowState::kSctpEstablished) &&
           entry.Has(FlowEntry<Key>::kReplied) && !IsExpired(entry) && entry.generation == judged_now_;
  }
  // Judges the flow if the table in force has not judged it. False: the flow no longer goes on.
  template <typename Key>
  bool MeetTable(std::uint32_t flow);
  // While somebody wants to see each packet, no packet may pass without the worker.
  void HoldCarrying(bool is_held) { is_carrying_held_ = is_held; }
  template <typename Key>
  std::uint32_t TimeoutMs(const FlowEntry<Key>& entry) const {
    return timeouts_.Of(entry.state(), entry.protocol());
  }
  template <typename Key>
  void Fold(std::uint32_t flow) {
    if (staged_ != nullptr && staged_->Differs(Key::kFamily, flow)) [[unlikely]]
      TellStagedPackets<Key>(flow);
    account_.Fold(flows<Key>(), flow, now_ns_, now_ms());
  }
  template <typename Key>
  void End(std::uint32_t flow, FlowEndCause cause);
  // Judges a flow that was not cut by `answer`, which is about its original direction. False: the flow is
  // over. It was cut, or ended as no policy concerns it any more. A cut flow stays as a trace: without it,
  // packets of its other end could open the flow again in the reverse direction, wherever policy allows that.
  template <typename Key>
  bool Judge(std::uint32_t flow, const Classification& answer);

  // Expires flows and brings the rules' counters up to date. Looks at up to `entries` flows. Returns whether it has now
  // looked at all flows and begins again.
  bool Sweep(std::uint32_t entries);
  // Looks at up to `entries` flows, and judges again up to Classifier::kMaxBurst of each family, after a swap.
  void JudgeIdle(std::uint32_t entries);
  // From here on, JudgeIdle looks at all flows, as after a swap.
  void LookAtAll();
  // Whether there may be flows that neither packets nor JudgeIdle has met since the table changed.
  bool IsBehind() const { return ipv4_.behind + ipv6_.behind != 0; }
  // How many flows Sweep looks at in one whole pass.
  std::uint32_t flow_limit() const { return ipv4_.flows->used_limit() + ipv6_.flows->used_limit(); }
  // Adds every packet so far to its rules.
  void FoldAll();

  // Any thread but the worker's. Makes the StagedJudge if the table has a staged table and there is no StagedJudge yet.
  // Call it before the table is published.
  void ReserveStaged(const Table& table);
  // Any thread; null: nothing was staged yet.
  StagedJudge* staged_judge() const { return staged_judge_.load(std::memory_order_acquire); }
  // A packet opened a flow or was denied. Passes policy's answer on, so that the staged table judges the packet too.
  void TellStaged(const ClassifyQuery& query, const Classification& answer, StagedJudge::FlowName flow = {}) {
    if (staged_ == nullptr) [[likely]]
      return;
    if (staged_->IsFull()) FlushStaged();
    staged_->NoteJudged(query, answer, flow);
  }
  // Call it at the end of each round in which TellStaged may have been called.
  void FlushStaged() {
    if (staged_ != nullptr) [[unlikely]]
      staged_->Flush(*table_, now_ns_, names_now());
  }
  void TurnStaged() {
    if (StagedJudge* judge = staged_judge()) judge->Turn();
  }

  // `listener` is told of each flow that ends; null: nobody is told. It must live as long as it listens.
  void Listen(FlowListener* listener) { listener_ = listener; }

  // Any thread.
  std::uint32_t flow_count() const { return ipv4_.flows->size() + ipv6_.flows->size(); }
  std::uint32_t flow_capacity() const { return ipv4_.flows->capacity() + ipv6_.flows->capacity(); }
  std::uint64_t MemoryBytes() const { return ipv4_.flows->MemoryBytes() + ipv6_.flows->MemoryBytes(); }
  // Any thread. Calls visit(const FlowView&) for each flow, without stopping the worker. Rules of an older epoch are
  // given as kNoRule.
  template <typename Visit>
  void ForEachFlow(Visit visit) const {
    const auto show = [&](FlowView& flow) {
      Complete(flow);
      visit(static_cast<const FlowView&>(flow));
    };
    ipv4_.flows->ForEach(show);
    ipv6_.flows->ForEach(show);
  }

 private:
  // One address family's flows, and how far they have been looked at.
  template <typename Key>
  struct Flows {
    std::unique_ptr<FlowTable<Key>> flows;
    std::uint32_t sweep_next = 0;
    // After a new table, JudgeIdle looks at the entries below judge_limit, beginning at
    // judge_next. The entries above were first used since then, by flows that this table judged.
    std::uint32_t judge_next = 0;
    std::uint32_t judge_limit = 0;
    std::uint32_t behind = 0;  // how many entries are left to look at
    FirstNames first_names;
  };
  template <typename Key>
  Flows<Key>& family() {
    if constexpr (Key::kFamily == Family::kIpv4)
      return ipv4_;
    else
      return ipv6_;
  }
  template <typename Key>
  const Flows<Key>& family() const {
    return const_cast<FlowKeeper*>(this)->family<Key>();
  }

  // The rule that admits the flow's originator.
  template <typename Key>
  FirstNames::Source SourceOf(std::uint32_t flow) const {
    return {flows<Key>().rules(flow).egress, account_.Whole(flows<Key>().entry(flow).generation)};
  }
  // The names that the rule asks for; null: none. A rule's id has a meaning only in its
  // own epoch: in another epoch, it may be the id of a rule that asks for other names.
  const DomainPatterns* NamesOf(const FirstNames::Source& source) const {
    if (source.rule == kNoRule) return nullptr;
    if (source.generation < account_.first_generation()) return table_->FormerNamesOf(source.rule, source.generation);
    const DomainPatterns& names = table_->rule(source.rule).domain_names;
    return names.empty() ? nullptr : &names;
  }
  template <typename Key>
  void RememberNames(std::uint32_t flow, RuleId next);

  // Flows that are to be judged again.
  struct Batch {
    std::array<std::uint32_t, Classifier::kMaxBurst> flows;
    std::size_t count = 0;
  };
  // Whether the last change concerns an end of the flow. No branch between the two ends, as the answer is mostly no.
  template <typename Key>
  static bool IsInLastChange(const AddressChanges& changes, const FlowEntry<Key>& entry) {
    const bool lesser = changes.InLast(Key::Lesser(entry.words).address);
    const bool greater = changes.InLast(Key::Greater(entry.words).address);
    return (static_cast<unsigned>(lesser) | static_cast<unsigned>(greater)) != 0;
  }

  template <typename Key>
  void TellStagedPackets(std::uint32_t flow);
  void ChangeTable(const Table& table);
  template <typename Key>
  std::uint32_t SweepFamily(std::uint32_t entries);
  template <typename Key>
  std::uint32_t JudgeIdleFamily(std::uint32_t entries);
  template <typename Key>
  std::uint32_t LookAtFlows(std::uint32_t first, std::uint32_t end, Batch& batch);
  template <typename Key>
  bool IsToBeJudged(std::uint32_t flow);
  template <typename Key>
  void JudgeBatch(std::span<const std::uint32_t> batch);
  template <typename Key>
  void FoldFamily(bool judge_again);
  template <typename Key>
  void Tell(std::uint32_t flow, FlowEndCause cause);
  // The whole generation, of which a flow stores the lower half.
  std::uint64_t JudgedBy(std::uint32_t judged) const {
    return judged == kJudgeAgain ? kJudgeAgain : WholeGeneration(account_.generation(), judged);
  }
  // The parts of a view that the flow table does not know.
  void Complete(FlowView& view) const;

  const TimeoutTable timeouts_;
  const bool fail_closed_;
  const bool drop_unknown_endpoint_;
  const std::uint16_t dns_port_;  // 0: none
  const LearntNames* const learnt_names_;
  PipelineCounters& counters_;
  Flows<Ipv4FlowKey> ipv4_;
  Flows<Ipv6FlowKey> ipv6_;
  Classifier classifier_;
  RuleAccount account_;
  FlowListener* listener_ = nullptr;
  FlowView told_;                             // what it is told; reused, since making an empty one costs more
  std::unique_ptr<StagedJudge> owned_judge_;  // made once
  std::atomic<StagedJudge*> staged_judge_ = nullptr;
  StagedJudge* staged_ = nullptr;  // null if the table in force has no staged table
  const std::uint64_t seed_;

  const Table* table_ = nullptr;
  std::uint64_t now_ns_ = 0;
  std::atomic<std::uint64_t> now_ms_ = 0;
  std::uint32_t judged_now_ = 0;
  std::uint32_t judged_before_ = 0;  // of the generation before, if it is of this epoch; else judged_now_
  bool closed_ = false;
  bool is_carrying_held_ = false;
  std::array<ClassifyQuery, Classifier::kMaxBurst> queries_;  // of flows that are judged again in a batch
  std::array<Classification, Classifier::kMaxBurst> answers_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_KEEPER_H_
