#include "edge/fault_free_memory.h"

#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

namespace sluice {
namespace {

// The kernel's own estimate of the memory that is available without swapping.
std::uint64_t AvailableBytes() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::uint64_t kb = 0;
  while (file >> name >> kb) {
    if (name == "MemAvailable:") return kb * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::numeric_limits<std::uint64_t>::max();  // unknown: let the heap decide
}

}  // namespace

FlowMemory FaultFreeMemory() {
  const FlowMemory heap = FlowMemory::Heap();
  return {.allocate = [heap](std::size_t bytes) -> void* {
            if (bytes > AvailableBytes()) return nullptr;
            void* memory = heap.allocate(bytes);
            constexpr std::size_t kPage = 4096;
            auto* page = static_cast<volatile char*>(memory);
            for (std::size_t offset = 0; memory != nullptr && offset < bytes; offset += kPage) page[offset] = 0;
            return memory;
          },
          .release = heap.release};
}

}  // namespace sluice
