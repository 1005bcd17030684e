// The end of a flow, as an event that others may listen to. Where nobody does, it costs one branch at a flow's end.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_EVENTS_H_
#define SLUICE_DATAPLANE_CORE_FLOW_EVENTS_H_

#include <cstdint>

#include "core/flow_table.h"

namespace sluice {

enum class FlowEndCause : std::uint8_t {
  kExpired,    // silent for its time-out
  kReplaced,   // a new connection took its place
  kEvicted,    // gave way to another, as the table was full
  kCut,        // denied by a newer table; its trace stays in the flow table
  kUnmanaged,  // no policy concerns its ends any more
  kAsked,      // the control thread ended it
  kStopped,    // the worker stops
};

// `flow` is as it was at its end, what it counted included. `now_ms` is on the clock of the worker's flows, whole.
// Called by the worker: must not block, allocate or throw.
class FlowListener {
 public:
  // Whether it wants to hear of the end that comes next. False: it has counted it, and is not told.
  virtual bool WantsNext() { return true; }
  virtual void FlowEnded(const FlowView& flow, FlowEndCause cause, std::uint64_t now_ms) = 0;

 protected:
  ~FlowListener() = default;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_EVENTS_H_
