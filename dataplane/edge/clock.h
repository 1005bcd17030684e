// Time for workers: nanoseconds since 1970, from the time-stamp counter, so that reading the clock is no system call.
#ifndef SLUICE_DATAPLANE_EDGE_CLOCK_H_
#define SLUICE_DATAPLANE_EDGE_CLOCK_H_

#include <cstdint>

namespace sluice {

// Set from the wall clock once. Later steps of the wall clock do not reach
// it, so it never goes back. Any thread may read its own copy. Requires EAL.
class TscClock {
 public:
  TscClock();
  std::uint64_t NowNs() const;

 private:
  std::uint64_t start_ns_;
  std::uint64_t start_ticks_;
  std::uint64_t ns_per_tick_;  // 32.32 fixed point
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_CLOCK_H_
