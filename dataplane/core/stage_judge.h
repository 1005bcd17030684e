// Judge: misses -> flows that are opened or judged again, and the fates of packets that policy denies.
//
// In: `misses` with their queries. Out: `fates`, flows, and answers to rejected packets. All misses
// of a burst are classified at once. Then each miss is handled in the order of the burst, since
// earlier packets of the same flow may have changed what was found when the miss was put off.
//
// A packet that policy does not admit never erases what is known of its
// flow, above all that the flow was cut (docs/operating.md, "Connections").
//
// Each worker has one. Allocates only when it is made.
#ifndef SLUICE_DATAPLANE_CORE_STAGE_JUDGE_H_
#define SLUICE_DATAPLANE_CORE_STAGE_JUDGE_H_

#include <array>
#include <cstdint>
#include <vector>

#include "core/burst.h"
#include "core/counters.h"
#include "core/flow_keeper.h"
#include "core/pipeline_config.h"
#include "core/reject.h"

namespace sluice {

class JudgeStage {
 public:
  JudgeStage(const PipelineConfig& config, FlowKeeper& keeper, PipelineCounters& counters)
      : tcp_strict_(config.tcp_strict),
        refuses_encapsulated_(config.encapsulation == Encapsulation::kRefuse),
        keeper_(keeper),
        counters_(counters),
        rejecter_(config, counters) {}

  // Appends the answers to rejected packets to `made`.
  void JudgeMisses(Burst& burst, std::vector<MadeFrame>& made);
  // Whether the packet belongs to a flow, whichever end sent it, and the table in force lets this flow pass.
  bool BelongsToLiveFlow(const ParsedPacket& packet);

 private:
  template <typename Key>
  void PrefetchOpenings(const Burst& burst, const Lane<Key>& lane);
  void JudgeIcmpError(std::uint32_t index, const Classification& answer);
  bool QuotesLiveFlow(std::uint32_t index);
  template <typename Key>
  bool IsLive(const ParsedPacket& quoted);
  template <typename Key>
  void JudgeMiss(const Miss& miss, Classification& answer);
  template <typename Key>
  bool MeetFlow(const Miss& miss, std::uint32_t flow, Classification& answer);
  template <typename Key>
  bool MeetCutFlow(const Miss& miss, std::uint32_t flow, const Classification& answer);
  template <typename Key>
  void MeetNoFlow(const Miss& miss, Side side, Classification& answer, std::uint32_t replaced = kNoFlow);
  template <typename Key>
  void Open(std::uint32_t slot, Side side, const Classification& answer);
  template <typename Key>
  std::uint32_t InsertFlow(std::uint32_t slot, Side side, const Classification& answer);
  void PassStateless(std::uint32_t index, const Classification& answer);
  bool Admits(std::uint32_t index, const Classification& answer);
  bool AdmitsBetweenNodes(std::uint32_t index, const Classification& answer);
  void Deny(std::uint32_t index, DropReason reason, const Classification& answer, bool reset_both = false);
  void NoteDecision(std::uint32_t index, const Classification& answer);
  std::uint32_t LengthAt(std::uint32_t index) const { return burst_->frames[index].frame_length; }

  const bool tcp_strict_;
  const bool refuses_encapsulated_;
  FlowKeeper& keeper_;
  PipelineCounters& counters_;
  Rejecter rejecter_;
  std::array<Classification, kMaxBurst> answers_;  // to the misses
  // Valid during a call.
  Burst* burst_ = nullptr;
  std::vector<MadeFrame>* made_ = nullptr;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGE_JUDGE_H_
