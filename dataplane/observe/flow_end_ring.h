// The flows of one worker that ended, for the flow log: a bounded ring from the worker to one reader.
//
// A flow that ends while the ring is full is only counted: the worker never waits. What it writes is memory that its
// caches have not seen for long: two lines a flow, fetched ahead.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/counters.h"
#include "core/flow_events.h"
#include "core/prefetch.h"

namespace sluice {

struct FlowEndRecord {
  FlowView flow;
  FlowEndCause cause = FlowEndCause::kExpired;
  std::uint32_t idle_ms = 0;  // from its last packet to its end
  std::uint64_t age_ms = 0;   // from its beginning
};

class FlowEndRing final : public FlowListener {
 public:
  static constexpr std::uint32_t kCapacity = 65536;

  // `capacity`: a power of two.
  explicit FlowEndRing(std::uint32_t capacity = kCapacity)
      : capacity_(capacity), ends_(std::make_unique<Packed[]>(capacity)) {}

  // The worker.
  bool WantsNext() override {
    const std::uint32_t put = put_.load(std::memory_order_relaxed);
    if (put - taken_seen_ != capacity_) return true;
    taken_seen_ = taken_.load(std::memory_order_acquire);
    if (put - taken_seen_ != capacity_) return true;
    lost_.Add(1);
    return false;
  }
  void FlowEnded(const FlowView& flow, FlowEndCause cause, std::uint64_t now_ms) override {
    if (!WantsNext()) return;
    const std::uint32_t put = put_.load(std::memory_order_relaxed);
    ends_[put & (capacity_ - 1)].Set(flow, cause, now_ms);
    put_.store(put + 1, std::memory_order_release);
    const char* const next = reinterpret_cast<const char*>(&ends_[(put + kAhead) & (capacity_ - 1)]);
    PrefetchToWrite(next);
    PrefetchToWrite(next + 64);
  }

  // The reader. Calls visit(const FlowEndRecord&) for up to `most`, the oldest first. Returns how many there were.
  template <typename Visit>
  std::uint32_t Take(std::uint32_t most, Visit visit) {
    const std::uint32_t begin = taken_.load(std::memory_order_relaxed);
    std::uint32_t end = put_.load(std::memory_order_acquire);
    if (end - begin > most) end = begin + most;
    for (std::uint32_t i = begin; i != end; ++i) visit(ends_[i & (capacity_ - 1)].record());
    taken_.store(end, std::memory_order_release);
    return end - begin;
  }

  // Any thread: flows that ended while the ring was full, since start.
  std::uint64_t lost() const { return lost_.value(); }

 private:
  static constexpr std::uint32_t kAhead = 4;

  // Of a FlowEndRecord, what two lines hold.
  struct alignas(128) Packed {
    void Set(const FlowView& flow, FlowEndCause cause_of_end, std::uint64_t now_ms) {
      source_hi = flow.source.address.hi;
      source_lo = flow.source.address.lo;
      destination_hi = flow.destination.address.hi;
      destination_lo = flow.destination.address.lo;
      source_port = flow.source.port;
      destination_port = flow.destination.port;
      family = flow.source.address.family;
      protocol = flow.protocol;
      state = flow.state;
      cause = cause_of_end;
      replied = flow.replied;
      guessed = flow.guessed;
      egress_rule = flow.egress_rule;
      ingress_rule = flow.ingress_rule;
      last_seen_ms = flow.last_seen_ms;
      idle_ms = static_cast<std::uint32_t>(now_ms) - flow.last_seen_ms;
      generation = flow.generation;
      began_ms = flow.began_ms;
      age_ms = now_ms - flow.began_ms;
      traffic = flow.traffic;
      reply = flow.reply;
    }
    FlowEndRecord record() const {
      FlowEndRecord record;
      record.flow = {.source = {{family, source_hi, source_lo}, source_port},
                     .destination = {{family, destination_hi, destination_lo}, destination_port},
                     .protocol = protocol,
                     .state = state,
                     .replied = replied,
                     .guessed = guessed,
                     .generation = generation,
                     .last_seen_ms = last_seen_ms,
                     .egress_rule = egress_rule,
                     .ingress_rule = ingress_rule,
                     .began_ms = began_ms,
                     .traffic = traffic,
                     .reply = reply};
      record.cause = cause;
      record.idle_ms = idle_ms;
      record.age_ms = age_ms;
      return record;
    }

    std::uint64_t source_hi, source_lo, destination_hi, destination_lo;
    std::uint16_t source_port, destination_port;
    Family family;
    std::uint8_t protocol;
    FlowState state;
    FlowEndCause cause;
    bool replied, guessed;
    RuleId egress_rule, ingress_rule;
    std::uint32_t last_seen_ms, idle_ms;
    std::uint64_t generation, began_ms, age_ms;
    FlowTraffic traffic, reply;
  };
  static_assert(sizeof(Packed) == 128);

  const std::uint32_t capacity_;
  const std::unique_ptr<Packed[]> ends_;
  alignas(64) std::atomic<std::uint32_t> put_ = 0;  // ends ever put; the worker's
  std::uint32_t taken_seen_ = 0;                    // `taken_` as the worker last saw it
  Counter lost_;
  alignas(64) std::atomic<std::uint32_t> taken_ = 0;  // ends ever taken; the reader's
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_END_RING_H_
