#include "edge/clock.h"

#include <rte_cycles.h>

#include <chrono>

namespace sluice {

TscClock::TscClock()
    : start_ns_(static_cast<std::uint64_t>(
          std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count())),
      start_ticks_(rte_rdtsc()),
      ns_per_tick_((std::uint64_t{1'000'000'000} << 32) / rte_get_tsc_hz()) {}

std::uint64_t TscClock::NowNs() const {
  const std::uint64_t ticks = rte_rdtsc() - start_ticks_;
  // The product of the upper half alone fits into 64 bits for centuries.
  return start_ns_ + (ticks >> 32) * ns_per_tick_ + (((ticks & 0xffffffff) * ns_per_tick_) >> 32);
}

}  // namespace sluice
