// Memory for flow tables that a worker can write to without a page fault.
#ifndef SLUICE_DATAPLANE_EDGE_FAULT_FREE_MEMORY_H_
#define SLUICE_DATAPLANE_EDGE_FAULT_FREE_MEMORY_H_

#include "core/flow_memory.h"

namespace sluice {

// From the heap, in hugepages if the kernel has them. Touches each page. Gives nothing if the machine
// cannot spare the memory: touching more than there is would end the process instead of failing.
FlowMemory FaultFreeMemory();

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_FAULT_FREE_MEMORY_H_
