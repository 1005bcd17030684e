// Find flows: keys -> flows. Packets of judged flows are done.
//
// In: `Lane`s. Out: if the table in force judged a packet's flow, the flow's new state and count,
// and the packet is forwarded. Every other packet becomes a miss, with its query for policy.
#ifndef SLUICE_DATAPLANE_CORE_STAGE_FIND_H_
#define SLUICE_DATAPLANE_CORE_STAGE_FIND_H_

#include <cstdint>

#include "core/burst.h"
#include "core/flow_keeper.h"

namespace sluice {

void FindFlows(FlowKeeper& keeper, Burst& burst);

// For a packet of a flow that this generation allows: brings the flow's state and count up to date.
// Returns false, and changes nothing, if the packet opens a new connection in the flow's place.
template <typename Key>
bool AdvanceFlow(FlowKeeper& keeper, Burst& burst, std::uint32_t slot, std::uint32_t flow);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGE_FIND_H_
