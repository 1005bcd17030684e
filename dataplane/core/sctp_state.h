// SCTP's states (RFC 9260 4): every cell of state x side x event.
#ifndef SLUICE_DATAPLANE_CORE_SCTP_STATE_H_
#define SLUICE_DATAPLANE_CORE_SCTP_STATE_H_

#include <array>
#include <span>

#include "core/flow_state.h"

namespace sluice {

struct SctpRow {
  FlowState state;
  // By SctpEvent: other, INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, ABORT, SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE.
  std::array<FlowState, kSctpEvents> original;
  std::array<FlowState, kSctpEvents> reply;
};

std::span<const SctpRow> SctpTable();

// By SctpEvent: the state that a packet from `side` begins if it has no flow. An INIT always comes from the originator.
const std::array<FlowState, kSctpEvents>& SctpFirstStates(Side side);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_SCTP_STATE_H_
