// Where flow tables get their memory: once, when they are made.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_MEMORY_H_
#define SLUICE_DATAPLANE_CORE_FLOW_MEMORY_H_

#include <cstddef>
#include <functional>

namespace sluice {

struct FlowMemory {
  // `bytes` of memory aligned to at least 64 bytes, of any content; nullptr where there is none. Who wants no page
  // fault on the packet path writes to it first.
  std::function<void*(std::size_t bytes)> allocate;
  std::function<void(void* memory, std::size_t bytes)> release;

  // From the process's heap, with a request for transparent hugepages.
  static FlowMemory Heap();
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_MEMORY_H_
