#include "sluicectl/heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace sluice {

void PrepareHeap() {
  constexpr int kReserve = 1 << 30;  // address space; memory is taken as it is used
  constexpr std::uintptr_t kHugePage = std::uintptr_t{2} << 20;
  mallopt(M_MXFAST, 0);  // otherwise each free of a large block consolidates the fast bins, one by one
  mallopt(M_TRIM_THRESHOLD, kReserve);
  mallopt(M_MMAP_THRESHOLD, kReserve / 32);
  mallopt(M_TOP_PAD, kReserve);
  const auto before = reinterpret_cast<std::uintptr_t>(sbrk(0));
  void* volatile block = std::malloc(kHugePage);  // makes the heap grow by the reserve
  std::free(block);
  const std::uintptr_t begin = (before + kHugePage - 1) & ~(kHugePage - 1);
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(sbrk(0)) & ~(kHugePage - 1);
  if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace sluice
