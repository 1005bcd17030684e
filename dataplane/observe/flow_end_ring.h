// The flows of one worker that ended, for the flow log: a bounded ring from the worker to one reader.
//
// A flow that ends while the ring is full is only counted: the worker never waits.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/counters.h"
#include "core/flow_events.h"

namespace sluice {

struct FlowEndRecord {
  FlowView flow;
  FlowEndCause cause = FlowEndCause::kExpired;
  std::uint32_t idle_ms = 0;  // from its last packet to its end
};

class FlowEndRing final : public FlowListener {
 public:
  static constexpr std::uint32_t kCapacity = 65536;

  // `capacity`: a power of two.
  explicit FlowEndRing(std::uint32_t capacity = kCapacity)
      : capacity_(capacity), records_(std::make_unique<FlowEndRecord[]>(capacity)) {}

  // The worker.
  void FlowEnded(const FlowView& flow, FlowEndCause cause, std::uint32_t now_ms) override {
    const std::uint32_t put = put_.load(std::memory_order_relaxed);
    if (put - taken_seen_ == capacity_) {
      taken_seen_ = taken_.load(std::memory_order_acquire);
      if (put - taken_seen_ == capacity_) return lost_.Add(1);
    }
    records_[put & (capacity_ - 1)] = {flow, cause, now_ms - flow.last_seen_ms};
    put_.store(put + 1, std::memory_order_release);
  }

  // The reader. Calls visit(const FlowEndRecord&) for up to `most`, the oldest first. Returns how many there were.
  template <typename Visit>
  std::uint32_t Take(std::uint32_t most, Visit visit) {
    const std::uint32_t begin = taken_.load(std::memory_order_relaxed);
    std::uint32_t end = put_.load(std::memory_order_acquire);
    if (end - begin > most) end = begin + most;
    for (std::uint32_t i = begin; i != end; ++i) {
      visit(static_cast<const FlowEndRecord&>(records_[i & (capacity_ - 1)]));
    }
    taken_.store(end, std::memory_order_release);
    return end - begin;
  }

  // Any thread: flows that ended while the ring was full, since start.
  std::uint64_t lost() const { return lost_.value(); }

 private:
  const std::uint32_t capacity_;
  const std::unique_ptr<FlowEndRecord[]> records_;
  alignas(64) std::atomic<std::uint32_t> put_ = 0;  // records ever put; the worker's
  std::uint32_t taken_seen_ = 0;                    // `taken_` as the worker last saw it
  Counter lost_;
  alignas(64) std::atomic<std::uint32_t> taken_ = 0;  // records ever taken; the reader's
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_
