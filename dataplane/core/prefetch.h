// Prefetches a line that this core will write and that another core has read. The compiler's
// prefetch would fetch it for reading, and the write would then wait for that core to give it up.
#ifndef SLUICE_DATAPLANE_CORE_PREFETCH_H_
#define SLUICE_DATAPLANE_CORE_PREFETCH_H_

namespace sluice {

inline void PrefetchToWrite(const void* line) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));  // does nothing on processors without it
#else
  __builtin_prefetch(line, 1, 3);
#endif
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PREFETCH_H_
