// What any thread may see of one worker: its counters at one moment, and its flows and rules while the worker lives.
//
// Every reader (summary, control API, metrics) uses this, so all show the same values.
// Observing stops no worker: counters are read one by one, each as it was a moment ago.
#ifndef SLUICE_DATAPLANE_CORE_OBSERVATION_H_
#define SLUICE_DATAPLANE_CORE_OBSERVATION_H_

#include <array>
#include <cstdint>

#include "core/counters.h"
#include "core/drop_ring.h"
#include "core/flow_keeper.h"
#include "sluice/drop_reason.h"

namespace sluice {

// A worker's flows and rules. Valid as long as the worker lives; for any thread.
class FlowReader {
 public:
  explicit FlowReader(const FlowKeeper& keeper) : keeper_(&keeper) {}

  // Calls visit(const FlowView&) for each flow. Flows that come or go meanwhile may or may not be seen.
  template <typename Visit>
  void ForEachFlow(Visit visit) const {
    keeper_->ForEachFlow(visit);
  }
  // How long ago a flow's last packet came, as of the worker's last burst.
  std::uint64_t IdleMs(const FlowView& flow) const { return keeper_->now_ms() - flow.last_seen_ms; }
  std::uint64_t AgeMs(const FlowView& flow) const { return keeper_->whole_now_ms() - flow.began_ms; }
  // Zero if `epoch` is neither the current epoch nor the one before.
  RuleCount CountOf(std::uint64_t epoch, RuleId rule) const { return keeper_->account().CountOf(epoch, rule); }

 private:
  const FlowKeeper* keeper_;
};

struct Observation {
  Observation(const FlowKeeper& keeper, const PipelineCounters& counters, DropRing& ring);

  // Packets that came for this worker to filter, each in exactly one of these: received = forwarded + dropped() +
  // rejected + held. A packet that the filter forwarded but the device did not take counts as dropped, not forwarded.
  std::uint64_t received = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t rejected = 0;
  std::uint64_t held = 0;  // fate not known yet: fragments that wait, and packets that are being processed
  // By DropReason, including rejected packets. kNoMemory counts answers to rejected packets, not packets that came.
  std::array<std::uint64_t, kDropReasonCount> dropped_by{};
  std::uint64_t dropped() const;  // all dropped packets, without rejected ones
  std::uint64_t packets() const { return forwarded + rejected + dropped(); }
  // Sets `received` and `held`: packets whose fate is not known count as held.
  void SetReceived(std::uint64_t packets);

  // Bytes of whole frames, by the same three verdicts. Forwarded bytes count for the worker that transmits them, and
  // bytes that the edge loses for the worker that loses them. So only sums over all workers agree with the packets.
  std::uint64_t forwarded_bytes = 0;  // counted by the edge; zero if there is none
  std::uint64_t dropped_bytes = 0;
  std::uint64_t rejected_bytes = 0;

  std::uint64_t flows = 0;
  std::uint64_t flow_capacity = 0;
  std::uint64_t flows_created = 0;
  std::uint64_t flows_expired = 0;
  std::uint64_t flows_evicted = 0;
  std::uint64_t flows_cut = 0;
  std::uint64_t flows_judged_again = 0;
  std::uint64_t flows_unmanaged = 0;
  std::uint64_t stateless = 0;
  std::uint64_t related = 0;
  std::uint64_t encapsulated = 0;
  std::uint64_t answers = 0;
  std::uint64_t answers_limited = 0;
  std::uint64_t answers_lost = 0;  // answers that were made, but no device took them or there was no buffer

  // Counted by the edge; zero if there is none.
  std::uint64_t handed_over = 0;  // frames given to the worker that owns their flow
  double busy = 0;                // share of rounds that found work: 0 to 1
  std::uint64_t rounds = 0;       // times that the worker looked for frames
  std::uint64_t busy_rounds = 0;  // ... and found some

  std::uint64_t captures_lost = 0;  // packets that a capture wanted but that found its ring full

  FlowReader reader;
  DropRing* drop_ring;        // never null; for one reader at a time
  StagedJudge* staged_judge;  // null: nothing was staged so far; for one reader at a time

  // A frame that the edge lost, after the filter forwarded it (AddLostForwarded) or before the filter got it (AddLost).
  void AddLostForwarded(DropReason reason, std::uint64_t frames);
  void AddLost(DropReason reason, std::uint64_t frames);
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_OBSERVATION_H_
