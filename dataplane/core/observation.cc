#include "core/observation.h"

#include <algorithm>
#include <numeric>

namespace sluice {

Observation::Observation(const FlowKeeper& keeper, const PipelineCounters& counters, DropRing& ring)
    : forwarded(counters.verdicts[static_cast<std::size_t>(Verdict::kForward)].value()),
      rejected(counters.verdicts[static_cast<std::size_t>(Verdict::kReject)].value()),
      dropped_bytes(counters.dropped_bytes.value()),
      rejected_bytes(counters.rejected_bytes.value()),
      flows(keeper.flow_count()),
      flow_capacity(keeper.flow_capacity()),
      flows_created(counters.flows_created.value()),
      flows_expired(counters.flows_expired.value()),
      flows_evicted(counters.flows_evicted.value()),
      flows_cut(counters.flows_cut.value()),
      flows_judged_again(counters.flows_judged_again.value()),
      flows_unmanaged(counters.flows_unmanaged.value()),
      stateless(counters.stateless.value()),
      related(counters.related.value()),
      encapsulated(counters.encapsulated.value()),
      answers(counters.answers.value()),
      answers_limited(counters.answers_limited.value()),
      reader(keeper),
      drop_ring(&ring),
      staged_judge(keeper.staged_judge()) {
  for (std::size_t i = 0; i < kDropReasonCount; ++i) dropped_by[i] = counters.drops[i].value();
  received = packets();
}

// A rejected packet has a drop reason too; the two counters are read at different moments.
std::uint64_t Observation::dropped() const {
  const std::uint64_t all = std::accumulate(dropped_by.begin(), dropped_by.end(), std::uint64_t{0});
  const std::uint64_t others = rejected + dropped_by[static_cast<std::size_t>(DropReason::kNoMemory)];
  return all - std::min(all, others);
}

void Observation::SetReceived(std::uint64_t count) {
  held = count - std::min(count, packets());
  received = packets() + held;
}

void Observation::AddLostForwarded(DropReason reason, std::uint64_t frames) {
  forwarded -= std::min(forwarded, frames);
  AddLost(reason, frames);
}

void Observation::AddLost(DropReason reason, std::uint64_t frames) {
  dropped_by[static_cast<std::size_t>(reason)] += frames;
}

}  // namespace sluice
