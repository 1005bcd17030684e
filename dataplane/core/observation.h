// What any thread may see of one worker: its counters at one moment, and its flows and rules for as long as it lives.
//
// Every reader (summary, control API, metrics) uses this, so that all say the same. Observing stops no worker: counters
// are read one by one, each as it was a moment ago.
#ifndef SLUICE_DATAPLANE_CORE_OBSERVATION_H_
#define SLUICE_DATAPLANE_CORE_OBSERVATION_H_

#include <array>
#include <cstdint>

#include "core/counters.h"
#include "core/drop_ring.h"
#include "core/flow_keeper.h"
#include "sluice/drop_reason.h"

namespace sluice {

// A worker's flows and rules. Valid as long as the worker; any thread.
class FlowReader {
 public:
  explicit FlowReader(const FlowKeeper& keeper) : keeper_(&keeper) {}

  // Calls visit(const FlowView&) for each flow; those that come or go meanwhile are seen or not.
  template <typename Visit>
  void ForEachFlow(Visit visit) const {
    keeper_->ForEachFlow(visit);
  }
  // How long ago a flow's last packet came, as of the worker's last burst.
  std::uint64_t IdleMs(const FlowView& flow) const { return keeper_->now_ms() - flow.last_seen_ms; }
  std::uint64_t AgeMs(const FlowView& flow) const { return keeper_->whole_now_ms() - flow.began_ms; }
  // Zero where `epoch` is neither the current one nor the one before.
  RuleCount CountOf(std::uint64_t epoch, RuleId rule) const { return keeper_->account().CountOf(epoch, rule); }

 private:
  const FlowKeeper* keeper_;
};

struct Observation {
  Observation(const FlowKeeper& keeper, const PipelineCounters& counters, DropRing& ring);

  // Packets that came for this worker to filter, each in exactly one of these: received = forwarded + dropped() +
  // rejected + held. What the filter forwarded and the device did not take is dropped, not forwarded.
  std::uint64_t received = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t rejected = 0;
  std::uint64_t held = 0;  // fate not known yet: fragments that wait, and what is under way at this moment
  // By DropReason, rejected ones included. kNoMemory is of answers to rejected packets, not of packets that came.
  std::array<std::uint64_t, kDropReasonCount> dropped_by{};
  std::uint64_t dropped() const;  // in all, without those that were rejected
  std::uint64_t packets() const { return forwarded + rejected + dropped(); }
  // Those whose fate is known, and what is held.
  void SetReceived(std::uint64_t packets);

  // Bytes of whole frames, by the same three verdicts. What is forwarded counts for the worker that transmits it, what
  // the edge loses for the worker that loses it: only sums over all workers agree with the packets.
  std::uint64_t forwarded_bytes = 0;  // of the edge; zero where there is none
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
  std::uint64_t answers_lost = 0;  // of those that were made: no device took them, or there was no buffer

  // Of the edge; zero where there is none.
  std::uint64_t handed_over = 0;  // frames given to the worker that owns their flow
  double busy = 0;                // rounds that found work, of all: 0 to 1
  std::uint64_t rounds = 0;       // times that it looked for frames
  std::uint64_t busy_rounds = 0;  // ... and found some

  std::uint64_t captures_lost = 0;  // packets that a capture wanted and its ring had no room for

  FlowReader reader;
  DropRing* drop_ring;        // never null; for one reader at a time
  StagedJudge* staged_judge;  // null: nothing was staged so far; likewise

  // A frame that the edge lost: after the filter had forwarded it, or before it came to it.
  void AddLostForwarded(DropReason reason, std::uint64_t frames);
  void AddLost(DropReason reason, std::uint64_t frames);
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_OBSERVATION_H_
