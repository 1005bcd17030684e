// Sends a capture through the pipeline that filters. The capture's time stamps are the pipeline's clock.
#ifndef SLUICE_PROGRAMS_SLUICECTL_REPLAY_RUN_H_
#define SLUICE_PROGRAMS_SLUICECTL_REPLAY_RUN_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/pipeline.h"
#include "sluice/diagnostic.h"
#include "sluicectl/capture.h"
#include "sluicectl/replay_names.h"
#include "table/table.h"

namespace sluice {

// Owns packets while they are in the pipeline. A capture doesn't say where a frame came in: all come in by port 0.
class ReplayRun {
 public:
  // `writer`, if given, gets the frames that leave, in order: forwarded ones and those that the pipeline makes. It
  // outlives the run. `names`, if given, learns from DNS, and replaces the names of the configuration.
  static std::variant<std::unique_ptr<ReplayRun>, Diagnostic> Create(const PipelineConfig& config,
                                                                     std::shared_ptr<const Table> table,
                                                                     CaptureWriter* writer,
                                                                     std::unique_ptr<ReplayNames> names = nullptr);
  const ReplayNames* names() const { return names_.get(); }  // null: nothing is learnt

  // Takes the next packet.
  void Take(const CapturedFrame& frame);
  // No packet comes any more: the fate of fragments that still wait is decided.
  void End();
  // Returns the outcome of the next packet in the capture's order, once it is known. Returns nothing while that packet,
  // or a fragment before it, is still held.
  std::optional<Outcome> NextOutcome();

 private:
  ReplayRun(std::unique_ptr<Pipeline> pipeline, std::shared_ptr<const Table> table, CaptureWriter* writer,
            std::unique_ptr<ReplayNames> names);
  void Collect();

  std::unique_ptr<ReplayNames> names_;  // before the pipeline, which reads what it learnt
  std::unique_ptr<Pipeline> pipeline_;
  std::shared_ptr<const Table> table_;
  CaptureWriter* writer_;
  std::uint64_t now_ns_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t given_ = 0;
  std::unordered_map<std::uint64_t, std::vector<std::uint8_t>> bytes_;  // of packets in the pipeline, by number from 0
  std::deque<std::optional<Outcome>> fates_;                            // of the packets given_, given_ + 1, ...
  PipelineOutput output_;
  std::vector<Outcome> outcomes_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_REPLAY_RUN_H_
