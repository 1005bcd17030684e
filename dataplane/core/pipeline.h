// The pipeline of one worker: a packet's whole walk, one stage at a time over a burst (burst.h has the stages).
//
// One Pipeline belongs to one thread. Per packet there is no lock, allocation, system call, log line, exception or
// virtual call. Every packet ends in exactly one counter. Time comes from the caller (the worker's clock, or a
// capture's stamps).
#ifndef SLUICE_DATAPLANE_CORE_PIPELINE_H_
#define SLUICE_DATAPLANE_CORE_PIPELINE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <variant>

#include "core/burst.h"
#include "core/counters.h"
#include "core/flow_keeper.h"
#include "core/flow_memory.h"
#include "core/mailbox.h"
#include "core/observation.h"
#include "core/outcome.h"
#include "core/pipeline_config.h"
#include "core/stage_dns.h"
#include "core/stage_emit.h"
#include "core/stage_judge.h"
#include "core/stage_read.h"
#include "sluice/diagnostic.h"
#include "table/table.h"

namespace sluice {

class Pipeline {
 public:
  // Returns the pipeline, or why there is no memory for its flows. Allocates everything (Reserve says what else).
  static std::variant<std::unique_ptr<Pipeline>, Diagnostic> Create(const PipelineConfig& config,
                                                                    const FlowMemory& memory = FlowMemory::Heap());
  ~Pipeline();

  // For the worker's thread. `table` must stay valid during the call; its generation may only ascend from call to
  // call, also from epoch to epoch. `now_ns` may start anywhere. If it goes back, the pipeline's time stands still.

  // Processes the frames, and appends what becomes of them to `out`.
  void Process(const Table& table, std::uint64_t now_ns, std::span<const Frame> frames, PipelineOutput& out);
  // The same for up to kMaxBurst frames. If all of them are to be forwarded in this order,
  // it returns true and does not append them to `out`. Other frames may still be in it.
  bool ProcessBurst(const Table& table, std::uint64_t now_ns, std::span<const Frame> frames, PipelineOutput& out);

  // Work that is due from time to time, beside packets: expires flows, judges idle flows again
  // after a swap, brings the rules' counters up to date, ends fragments that wait in vain. Looks
  // at up to `entries` flows. Returns whether it has now looked at all flows and begins again.
  bool Housekeep(const Table& table, std::uint64_t now_ns, std::uint32_t entries, PipelineOutput& out);
  // How many flows Housekeep looks at in one whole pass.
  std::uint32_t flow_limit() const { return keeper_.flow_limit(); }
  // Call it in between, while IsBehind. After a swap, it looks at up to
  // `entries` flows, and judges again up to kMaxBurst flows of each family.
  void CatchUp(const Table& table, std::uint64_t now_ns, std::uint32_t entries);
  // Whether there may be flows that neither packets nor JudgeIdle has met since the table changed.
  bool IsBehind() const { return keeper_.IsBehind(); }

  // Call it once a round: does what the control thread asked for through the mailbox.
  void ReadMail(const Table& table, std::uint64_t now_ns) {
    if (mailbox_.HasMail()) [[unlikely]]
      Deliver(table, now_ns);
  }

  // Call it once a round: resolvers' answers that need not wait any longer (stage_dns.h) go to `out`.
  bool HoldsAnswers() const { return dns_.IsHolding(); }
  void ReleaseAnswers(const Table& table, std::uint64_t now_ns, PipelineOutput& out);

  // Call it once, at the end. Fragments that wait for their first one are dropped, frames
  // that wait for the names' thread are forwarded, and every packet is counted to its rules.
  void Finish(PipelineOutput& out);

  // Puts a frame that was lost outside of the pipeline into the drop ring, which must watch for the reason.
  void RecordLost(const Frame& frame, DropReason reason);

  // `listener` is told of each flow that ends; null: nobody is told. Set it before the worker starts.
  void Listen(FlowListener* listener) { keeper_.Listen(listener); }
  // Counts what policy denies in `denies`. For the rest, as Listen.
  void CountDenies(DenyTable* denies) { emit_.CountDenies(denies); }
  // Gives packets to the client that captures through `ring`. For the rest, as Listen.
  void Capture(CaptureRing* ring) { emit_.Capture(ring); }

  // Any thread.
  DnsTap* dns_tap() const { return dns_.tap(); }  // null if nobody listens to DNS
  const PipelineCounters& counters() const { return counters_; }
  Mailbox& mailbox() { return mailbox_; }
  DropRing& drop_ring() const { return emit_.drop_ring(); }  // the dropped packets, while somebody watches
  // Makes room for the counters of the table's rules. Call it before the table is published, so that no worker has to.
  void Reserve(const Table& table) {
    keeper_.account().Reserve(table);
    keeper_.ReserveStaged(table);
  }
  // What staged policies would change; null: nothing was staged so far. For one reader at a time.
  StagedJudge* staged_judge() const { return keeper_.staged_judge(); }
  // Flows, rules and counters as readers see them. Valid as long as the pipeline lives.
  Observation Observe() const {
    Observation observation(keeper_, counters_, emit_.drop_ring());
    observation.captures_lost = emit_.captures_lost();
    return observation;
  }
  std::uint64_t MemoryBytes() const { return keeper_.MemoryBytes(); }

 private:
  explicit Pipeline(const PipelineConfig& config);

  bool Tells(const PipelineOutput& out) const { return out.outcomes != nullptr || emit_.CapturesForwarded(); }
  bool RunStages(PipelineOutput& out);
  void RunGatheredBursts(PipelineOutput& out);
  void Deliver(const Table& table, std::uint64_t now_ns);

  const ParseConfig parse_;
  PipelineCounters counters_;
  FlowKeeper keeper_;
  ReadStage read_;
  JudgeStage judge_;
  EmitStage emit_;
  Mailbox mailbox_;
  Burst burst_;
  DnsStage dns_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PIPELINE_H_
