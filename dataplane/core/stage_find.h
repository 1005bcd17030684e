// Find flows: keys -> flows, and the packets of flows that are judged are done.
//
// In: `Lane`s. Out: for each packet of a flow that the table in force judged, the flow's state and count; every other
// one becomes a miss, with what is to be asked of policy. A packet that its flow answers for is forwarded.
#ifndef SLUICE_DATAPLANE_CORE_STAGE_FIND_H_
#define SLUICE_DATAPLANE_CORE_STAGE_FIND_H_

#include <cstdint>

#include "core/burst.h"
#include "core/flow_keeper.h"

namespace sluice {

void FindFlows(FlowKeeper& keeper, Burst& burst);

// A packet of a flow that this generation allows: brings the flow's state and count up to date. False, and nothing
// changed, where the packet opens a new connection in the flow's place.
template <typename Key>
bool AdvanceFlow(FlowKeeper& keeper, Burst& burst, std::uint32_t slot, std::uint32_t flow);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_STAGE_FIND_H_
