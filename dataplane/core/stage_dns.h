// DNS: packets of watched flows -> copies for the thread that listens; answers wait until their addresses are in force.
//
// In: `watched`, fates. Out: `held`, and frames that waited long enough. A flow is watched if one of its ports is
// the resolvers' port. The mark is in the flow's state, so no other packet pays for it. Waiting frames leave in
// their order, and so do the packets of a flow: while anything waits, all packets of trusted resolvers wait, too.
//
// If policy changed while a frame waited, the policy in force when the frame leaves judges it.
//
// Each worker has one. Allocates only when it is made.
#ifndef SLUICE_DATAPLANE_CORE_STAGE_DNS_H_
#define SLUICE_DATAPLANE_CORE_STAGE_DNS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/burst.h"
#include "core/counters.h"
#include "core/dns_tap.h"
#include "core/flow_keeper.h"
#include "core/outcome.h"
#include "core/stage_judge.h"

namespace sluice {

class DnsStage {
 public:
  DnsStage(const PipelineConfig& config, FlowKeeper& keeper, JudgeStage& judge, PipelineCounters& counters);

  // Requires that some packet of the burst is watched. Frames that must make room go to `out`.
  void MeetWatched(Burst& burst, PipelineOutput& out);

  bool IsHolding() const { return count_ != 0; }
  // Frames whose answer is in force, or that waited long enough, go to `out`.
  void Release(PipelineOutput& out);
  // All waiting frames go to `out`.
  void ReleaseAll(PipelineOutput& out);

  // Null if nobody listens.
  DnsTap* tap() const { return tap_.get(); }
  void Turn() {
    if (tap_ != nullptr) tap_->Turn();
  }

 private:
  struct Waiting {
    Frame frame;
    std::uint64_t mark;
    std::uint64_t deadline_ns;
    std::uint64_t generation;
  };

  void Meet(Burst& burst, std::uint32_t index, PipelineOutput& out);
  bool Copy(const Frame& frame, const ParsedPacket& packet, bool is_from_resolver, bool& has_content);
  void Hold(Burst& burst, std::uint32_t index, PipelineOutput& out);
  void ReleaseOldest(PipelineOutput& out);

  FlowKeeper& keeper_;
  JudgeStage& judge_;
  PipelineCounters& counters_;
  const ParseConfig parse_;
  std::unique_ptr<DnsTap> tap_;
  std::vector<Waiting> waiting_;  // a ring
  std::uint32_t oldest_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGE_DNS_H_
