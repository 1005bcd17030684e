#include "core/flow_memory.h"

#include <sys/mman.h>

#include <cstdlib>

namespace sluice {

FlowMemory FlowMemory::Heap() {
  return {.allocate = [](std::size_t bytes) -> void* {
            constexpr std::size_t kHugePage = std::size_t{2} << 20;
            const std::size_t unit = bytes < kHugePage ? 64 : kHugePage;
            const std::size_t rounded = (bytes + unit - 1) / unit * unit;
            void* memory = std::aligned_alloc(unit, rounded);
            if (memory != nullptr && unit == kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);
            return memory;
          },
          .release = [](void* memory, std::size_t) { std::free(memory); }};
}

}  // namespace sluice
