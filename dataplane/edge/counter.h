// A counter that one thread advances and any may read, without a locked instruction.
#ifndef SLUICE_DATAPLANE_EDGE_COUNTER_H_
#define SLUICE_DATAPLANE_EDGE_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace sluice {

class Counter {
 public:
  // The owner only: load and store, not fetch_add, because nobody else writes.
  void Add(std::uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_COUNTER_H_
