// Flows that live, for the flow log: which of them are to be told, and what of them was told before.
//
// Of the flow log's thread.
#ifndef SLUICE_DATAPLANE_OBSERVE_LIVE_FLOWS_H_
#define SLUICE_DATAPLANE_OBSERVE_LIVE_FLOWS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/flow_table.h"
#include "core/observation.h"

namespace sluice {

// What was told of a flow, in both directions, and of that what came in reply.
struct ToldTraffic {
  FlowTraffic all;
  FlowTraffic reply;
};

struct LiveFlow {
  FlowView flow;
  std::uint32_t idle_ms = 0;
  std::uint64_t age_ms = 0;
};

class LiveFlows {
 public:
  // Told at a time; of the others, the end is told alone.
  static constexpr std::size_t kMost = 262'144;

  explicit LiveFlows(std::size_t most = kMost) : most_(most) {}

  // Looks at all flows. Those that had packets since they were told are due.
  void Gather(const std::vector<Observation>& workers);
  // Up to `most` of those that are due. The next call may overwrite them.
  std::span<const LiveFlow> TakeDue(std::size_t most);
  // What was told of a flow before; what it is now counts as told.
  ToldTraffic Tell(const FlowView& flow);
  // What was told of a flow that ended.
  ToldTraffic Forget(const FlowView& flow);

 private:
  struct Id {
    FlowEnd source;
    FlowEnd destination;
    std::uint8_t protocol = 0;

    friend bool operator==(const Id& a, const Id& b) {
      return a.source.address == b.source.address && a.source.port == b.source.port &&
             a.destination.address == b.destination.address && a.destination.port == b.destination.port &&
             a.protocol == b.protocol;
    }
  };
  struct HashId {
    std::size_t operator()(const Id& id) const noexcept;
  };
  struct Told {
    ToldTraffic traffic;
    std::uint64_t round = 0;  // when it was last seen
  };
  static Id IdOf(const FlowView& flow) { return {flow.source, flow.destination, flow.protocol}; }

  const std::size_t most_;
  std::unordered_map<Id, Told, HashId> told_;
  std::vector<LiveFlow> due_;
  std::size_t next_ = 0;  // of due_
  std::uint64_t round_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_LIVE_FLOWS_H_
