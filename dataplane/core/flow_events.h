// The end of a flow, as an event to listen to. If nobody listens, it costs one branch at a flow's end.
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

// The end of an IPv4 flow, as its table has it. Everything that the flow counted is folded into its record.
struct Ipv4FlowEnd {
  const FlowEntry<Ipv4FlowKey>& entry;
  const FlowRecord<Ipv4FlowKey>& record;
  std::uint64_t generation;  // this and the next fields are as in FlowView
  FlowRules rules;
  std::uint64_t began_ms;
  FlowEndCause cause;
  std::uint64_t now_ms;
};

// `flow` is as it was at its end, including its counts. `now_ms` is on the clock of the worker's flows, in 64 bits.
// The worker calls these functions: they must not block, allocate or throw.
class FlowListener {
 public:
  // Whether the listener wants to hear of the next end. False: the listener counted that end, and is not told of it.
  virtual bool WantsNext() { return true; }
  virtual void FlowEnded(const FlowView& flow, FlowEndCause cause, std::uint64_t now_ms) = 0;
  // Does the work of both in half the time. False: the listener noted nothing; the caller must call the other two.
  virtual bool Ipv4FlowEnded(const Ipv4FlowEnd&) { return false; }

 protected:
  ~FlowListener() = default;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_EVENTS_H_
