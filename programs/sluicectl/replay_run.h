// A capture through the pipeline that filters, the capture's time stamps being its clock.
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

// Owns the packets on their way. A capture doesn't say where a frame came in: all come in by port 0.
class ReplayRun {
 public:
  // `writer`, where given, gets what goes out in its order: forwarded frames and those that the pipeline makes. It
  // outlives the run. `names`, where given, learns from DNS, in place of what the configuration has learnt.
  static std::variant<std::unique_ptr<ReplayRun>, Diagnostic> Create(const PipelineConfig& config,
                                                                     std::shared_ptr<const Table> table,
                                                                     CaptureWriter* writer,
                                                                     std::unique_ptr<ReplayNames> names = nullptr);
  const ReplayNames* names() const { return names_.get(); }  // null: nothing is learnt

  // Takes the next packet on.
  void Take(const CapturedFrame& frame);
  // No packet comes any more: fragments that still wait meet their fate.
  void End();
  // What became of the next packet in the capture's order, once that is known; else nothing, until a fragment before it
  // or itself was released.
  std::optional<Outcome> NextOutcome();

 private:
  ReplayRun(std::unique_ptr<Pipeline> pipeline, std::shared_ptr<const Table> table, CaptureWriter* writer,
            std::unique_ptr<ReplayNames> names);
  void Collect();

  std::unique_ptr<ReplayNames> names_;  // the pipeline reads what it learnt
  std::unique_ptr<Pipeline> pipeline_;
  std::shared_ptr<const Table> table_;
  CaptureWriter* writer_;
  std::uint64_t now_ns_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t given_ = 0;
  std::unordered_map<std::uint64_t, std::vector<std::uint8_t>> bytes_;  // of packets on their way, by number from 0
  std::deque<std::optional<Outcome>> fates_;                            // of packets given_, given_ + 1, ...
  PipelineOutput output_;
  std::vector<Outcome> outcomes_;
};

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_REPLAY_RUN_H_
