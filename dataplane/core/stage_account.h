// Account: counts packets and flows in the counters of the rules that decided them.
//
// A packet of a known flow is counted in the flow's own entry, as part of the lookup: one
// addition. A flow's counts are folded into its rules' counters when the sweep comes by, when the
// flow is judged again and when it ends. A packet without a flow is counted to its rules at once.
//
// Rule ids belong to an epoch. A flow of the epoch before is folded when it is met. Counts
// of a flow from an epoch before that are dropped. So a new table costs nothing here.
//
// Each worker has one. Its thread writes; any thread may call the functions that say so.
#ifndef SLUICE_DATAPLANE_CORE_STAGE_ACCOUNT_H_
#define SLUICE_DATAPLANE_CORE_STAGE_ACCOUNT_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "core/flow_table.h"
#include "core/rule_counters.h"
#include "table/classify.h"
#include "table/table.h"

namespace sluice {

class RuleAccount {
 public:
  // A flow of this generation is judged by its next packet, whatever the table. No table that judges has it.
  static constexpr std::uint32_t kJudgeAgain = 0;

  // Any thread: makes room for the table's rules. Call it before the table is published, so that no worker has to.
  void Reserve(const Table& table);
  // Any thread. Zero if `epoch` is neither the current epoch nor the one before.
  RuleCount CountOf(std::uint64_t epoch, RuleId rule) const;
  // Any thread: the generation in force, in 64 bits, and the first generation of its epoch.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  std::uint64_t first_generation() const { return first_generation_.load(std::memory_order_relaxed); }

  // All functions from here on are for the worker.
  std::uint64_t epoch() const { return Current().epoch(); }
  bool Knows(const Table& table) const { return generation() == table.generation() && epoch() == table.epoch(); }
  // Whether older flows would look as if this table's epoch had judged them. If
  // so, all flows must be folded, and marked to be judged again, before Begin.
  bool BeginsAnew(const Table& table) const {
    return epoch() != table.epoch() && epoch() != 0 && table.generation() <= generation();
  }
  void Begin(const Table& table);

  // `judged`: the lower half of the generation that judged a flow.
  bool IsOfThisEpoch(std::uint32_t judged) const {
    return judged != kJudgeAgain && Whole(judged) >= first_generation();
  }
  std::uint64_t Whole(std::uint32_t judged) const {
    return WholeGeneration(generation_.load(std::memory_order_relaxed), judged);
  }

  // Adds the flow's counts since the last Fold to its rules, including replies.
  template <typename Key>
  void Fold(FlowTable<Key>& flows, std::uint32_t flow, std::uint64_t now_ns, std::uint32_t now_ms) {
    const FlowTraffic traffic = flows.Unfolded(flow).sum();
    if (traffic.packets == 0) return;
    const FlowEntry<Key>& entry = flows.entry(flow);
    const std::uint32_t judged = entry.generation;
    if (judged != kJudgeAgain && Whole(judged) >= first_generation_before_) {
      RuleCounters& counters = Of(judged);
      const std::uint64_t idle_ns = std::uint64_t{now_ms - entry.last_seen_ms} * 1'000'000;
      const std::uint64_t hit_ns = now_ns - std::min(now_ns, idle_ns);
      counters.Add(flows.rules(flow).egress, traffic.packets, traffic.bytes, hit_ns);
      counters.Add(flows.rules(flow).ingress, traffic.packets, traffic.bytes, hit_ns);
    }
    flows.Fold(flow);
  }
  // Call it ahead of Fold: prefetches the counters of the flow's rules.
  template <typename Key>
  void PrefetchFold(const FlowTable<Key>& flows, std::uint32_t flow) const {
    const RuleCounters& counters = Of(flows.entry(flow).generation);
    counters.Prefetch(flows.rules(flow).egress);
    counters.Prefetch(flows.rules(flow).ingress);
  }
  // Counts a packet without a flow.
  void AddPacket(const Classification& answer, std::uint32_t length, std::uint64_t now_ns) {
    Current().Add(answer.egress.rule, 1, length, now_ns);
    Current().Add(answer.ingress.rule, 1, length, now_ns);
  }
  // Counts a denied packet to the rules that denied it; for a default deny, to the rules of all policies that isolate.
  // If more than kMostSections bind the pod, only the first policy by name is counted: finding the others takes time.
  static constexpr std::size_t kMostSections = 256;
  void AddDenied(const Table& table, const Classification& answer, std::uint32_t length, std::uint64_t now_ns) {
    AddDenied(table, answer.egress, answer.egress_sections, length, now_ns);
    AddDenied(table, answer.ingress, answer.ingress_sections, length, now_ns);
  }

 private:
  void AddDenied(const Table& table, const Decision& side, IdSetId sections, std::uint32_t length,
                 std::uint64_t now_ns) {
    if (side.allow) return;
    Current().Add(side.rule, 1, length, now_ns);
    if (table.rule(side.rule).index >= 0 || table.interned().section_sets.Size(sections) > kMostSections) return;
    table.ForEachDefaultDeny(sections, [&](RuleId deny) {
      if (deny != side.rule) Current().Add(deny, 1, length, now_ns);
    });
  }

  RuleCounters& Current() { return counters_[current_.load(std::memory_order_relaxed)]; }
  const RuleCounters& Current() const { return counters_[current_.load(std::memory_order_relaxed)]; }
  // The counters for a flow that this generation judged.
  const RuleCounters& Of(std::uint32_t judged) const {
    return counters_[current_.load(std::memory_order_relaxed) ^ (IsOfThisEpoch(judged) ? 0u : 1u)];
  }
  RuleCounters& Of(std::uint32_t judged) { return const_cast<RuleCounters&>(std::as_const(*this).Of(judged)); }

  // The current epoch's counters, and those of the epoch before, whose flows must still be folded.
  std::array<RuleCounters, 2> counters_;
  std::atomic<std::uint32_t> current_ = 0;
  std::atomic<std::uint64_t> generation_ = 0;
  std::atomic<std::uint64_t> first_generation_ = 0;
  std::uint64_t first_generation_before_ = 0;  // of the epoch before
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGE_ACCOUNT_H_
