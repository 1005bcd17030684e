// Emit: frames and their fates -> frames that leave, frames that are freed, and exactly one counter for each packet.
//
// In: `frames`, `fates`, `verdicts`, `held`. Out: the lists of PipelineOutput, the counters
// of verdicts and drop reasons, and a record of each drop that somebody watches or counts.
//
// Each worker has one. Any thread may read the counters and the ring's other end.
#ifndef SLUICE_DATAPLANE_CORE_STAGE_EMIT_H_
#define SLUICE_DATAPLANE_CORE_STAGE_EMIT_H_

#include <cstdint>
#include <memory>

#include "core/burst.h"
#include "core/capture_ring.h"
#include "core/counters.h"
#include "core/deny_table.h"
#include "core/drop_ring.h"
#include "core/flow_keeper.h"
#include "core/outcome.h"
#include "core/stage_read.h"

namespace sluice {

class EmitStage {
 public:
  EmitStage(const FlowKeeper& keeper, ReadStage& reader, PipelineCounters& counters)
      : keeper_(keeper), reader_(reader), counters_(counters) {}

  // Returns true if the whole burst is to be forwarded, in its order. Then no frame of it is in `out`.
  bool EmitFates(Burst& burst, PipelineOutput& out);
  // Puts a packet that was lost outside of the pipeline into the drop ring, which must watch for the reason.
  void RecordLost(const Frame& frame, const ParsedPacket& packet, DropReason reason);

  DropRing& drop_ring() const { return *drop_ring_; }
  // Counts what policy denies in `denies`; null: nowhere. Call it before the worker starts. The table outlives it.
  void CountDenies(DenyTable* denies) { denies_ = denies; }
  DenyTable* denies() const { return denies_; }
  // Gives packets to a client that captures; null: no client. Call it before the worker starts. The ring outlives it.
  void Capture(CaptureRing* ring) { capture_ = ring; }
  std::uint64_t captures_lost() const { return capture_ == nullptr ? 0 : capture_->overflowed(); }
  void TurnCapture() {
    if (capture_ != nullptr) capture_->Turn();
  }
  // Whether outcomes of what is forwarded are wanted.
  bool CapturesForwarded() const {
    return capture_ != nullptr && capture_->wish() != nullptr && capture_->wish()->forwarded;
  }

 private:
  DropRecord MakeRecord(const Frame& frame, const ParsedPacket& packet, DropReason reason) const;
  DropRecord MakeDenyRecord(Burst& burst, std::uint32_t index) const;
  void RecordDrop(Burst& burst, std::uint32_t index);
  void CapturePacket(Burst& burst, std::uint32_t index, const CaptureWish& wish);

  const FlowKeeper& keeper_;
  ReadStage& reader_;
  PipelineCounters& counters_;
  DenyTable* denies_ = nullptr;
  CaptureRing* capture_ = nullptr;
  const std::unique_ptr<DropRing> drop_ring_ = std::make_unique<DropRing>();
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGE_EMIT_H_
