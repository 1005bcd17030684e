// DNS: packets of watched flows -> copies for whoever listens, and answers that wait until what they say is in force.
//
// In: `watched`, fates. Out: `held`, and frames that waited long enough. Watched are flows whose one port is that of
// resolvers; the mark is in the flow's state, so that no other packet pays for it. What waits leaves in the order in
// which it came, and so do the packets of a flow: while anything waits, whatever a trusted resolver sends waits, too.
//
// A frame that waited over a change of policy is judged by what is in force when it leaves.
//
// One a worker. Allocates when it is made only.
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

  // Requires that some packet of the burst is watched. What must make room goes to `out`.
  void MeetWatched(Burst& burst, PipelineOutput& out);

  bool IsHolding() const { return count_ != 0; }
  // Those whose answer is in force, or that waited long enough, go to `out`.
  void Release(PipelineOutput& out);
  // All of them do.
  void ReleaseAll(PipelineOutput& out);

  // Null where nobody listens.
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
