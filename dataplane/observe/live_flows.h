// Live flows, for the flow log: which of them are due for a record, and what earlier records told of them.
//
// Used by the flow log's thread.
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

// What records told of a flow: both directions together, and the share that came in reply.
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
  // Live flows that have records; any further flow has only a record of its end.
  static constexpr std::size_t kMost = 262'144;

  explicit LiveFlows(std::size_t most = kMost) : most_(most) {}

  // Looks at all flows. A flow that had packets since its last record is due.
  void Gather(const std::vector<Observation>& workers);
  // Returns up to `most` of the flows that are due. The next call may overwrite them.
  std::span<const LiveFlow> TakeDue(std::size_t most);
  // Returns what earlier records told of the flow. From now on, its present counts are told.
  ToldTraffic Tell(const FlowView& flow);
  // Returns what records told of an ended flow, and forgets it.
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
  std::size_t next_ = 0;  // in due_
  std::uint64_t round_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_LIVE_FLOWS_H_
