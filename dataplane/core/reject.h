// Answers to packets that policy denies, if the configuration says reject, up to the rate that it allows.
//
// Each worker has one.
#ifndef SLUICE_DATAPLANE_CORE_REJECT_H_
#define SLUICE_DATAPLANE_CORE_REJECT_H_

#include <cstdint>
#include <vector>

#include "core/counters.h"
#include "core/made_frame.h"
#include "core/packet.h"
#include "core/pipeline_config.h"

namespace sluice {

class Rejecter {
 public:
  Rejecter(const PipelineConfig& config, PipelineCounters& counters)
      : enabled_(config.action_on_deny == ActionOnDeny::kReject),
        rejects_per_second_(config.rejects_per_second),
        counters_(counters) {}

  bool enabled() const { return enabled_; }
  // Appends the answer to `made`; with `both`, also a TCP reset to the receiver.
  // Returns false if no answer may be sent (make_frame.h) or too many were sent.
  bool AppendAnswer(const Frame& frame, const ParsedPacket& packet, bool both, std::uint64_t now_ns,
                    std::vector<MadeFrame>& made);

 private:
  bool TakeToken(std::uint64_t now_ns);

  const bool enabled_;
  const std::uint32_t rejects_per_second_;
  PipelineCounters& counters_;
  std::uint64_t credit_ns_ = 1'000'000'000;
  std::uint64_t credit_time_ns_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_REJECT_H_
