// TCP's states: every cell of state x side x event.
#ifndef SLUICE_DATAPLANE_CORE_TCP_STATE_H_
#define SLUICE_DATAPLANE_CORE_TCP_STATE_H_

#include <array>
#include <span>

#include "core/flow_state.h"

namespace sluice {

struct TcpRow {
  FlowState state;
  // By TcpEvent: ACK (and data), SYN, SYN+ACK, FIN, RST.
  std::array<FlowState, kTcpEvents> original;
  std::array<FlowState, kTcpEvents> reply;
};

std::span<const TcpRow> TcpTable();

// By TcpEvent: the state that a packet from `side` begins if it has no flow. A SYN always comes from the originator.
const std::array<FlowState, kTcpEvents>& TcpFirstStates(Side side);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_TCP_STATE_H_
