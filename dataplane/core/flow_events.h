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

// The end of a flow of IPv4, as its table has it: everything that it counted is folded into its record.
struct Ipv4FlowEnd {
  const FlowEntry<Ipv4FlowKey>& entry;
  const FlowRecord<Ipv4FlowKey>& record;
  std::uint64_t generation;  // this, and what follows, as a FlowView has it
  FlowRules rules;
  std::uint64_t began_ms;
  FlowEndCause cause;
  std::uint64_t now_ms;
};

// `flow` is as it was at its end, what it counted included. `now_ms` is on the clock of the worker's flows, whole.
// Called by the worker: must not block, allocate or throw.
class FlowListener {
 public:
  // Whether it wants to hear of the end that comes next. False: it has counted it, and is not told.
  virtual bool WantsNext() { return true; }
  virtual void FlowEnded(const FlowView& flow, FlowEndCause cause, std::uint64_t now_ms) = 0;
  // Both at once, in half the time. False: it was told nothing so far, and the others are to be called.
  virtual bool Ipv4FlowEnded(const Ipv4FlowEnd&) { return false; }

 protected:
  ~FlowListener() = default;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_EVENTS_H_
