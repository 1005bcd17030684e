// Where flow tables get their memory. They get it once, when they are made.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_MEMORY_H_
#define SLUICE_DATAPLANE_CORE_FLOW_MEMORY_H_

#include <cstddef>
#include <functional>

namespace sluice {

struct FlowMemory {
  // Returns `bytes` of memory aligned to at least 64 bytes, with any content, or nullptr if
  // there is none. A caller that wants no page fault on the packet path must write to it first.
  std::function<void*(std::size_t bytes)> allocate;
  std::function<void(void* memory, std::size_t bytes)> release;

  // Memory from the process's heap, with a request for transparent hugepages.
  static FlowMemory Heap();
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_MEMORY_H_
