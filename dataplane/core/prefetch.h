// A line that is about to be written and that another core has read: the compiler's prefetch fetches it as one to read,
// and the write then waits for that core to give it up.
#ifndef SLUICE_DATAPLANE_CORE_PREFETCH_H_
#define SLUICE_DATAPLANE_CORE_PREFETCH_H_

namespace sluice {

inline void PrefetchToWrite(const void* line) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));  // where there is none, it does nothing
#else
  __builtin_prefetch(line, 1, 3);
#endif
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PREFETCH_H_
