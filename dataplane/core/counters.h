// Counters of one worker: only the worker writes them, and any thread reads them.
#ifndef SLUICE_DATAPLANE_CORE_COUNTERS_H_
#define SLUICE_DATAPLANE_CORE_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "sluice/drop_reason.h"

namespace sluice {

// Relaxed: a reader sees each counter as it was a moment ago, with no order between counters.
class Counter {
 public:
  void Add(std::uint64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

struct alignas(64) PipelineCounters {
  // Each packet is in exactly one of these once its fate is known (a fragment may be held first) ...
  std::array<Counter, 3> verdicts;  // by Verdict
  // ... and each that was not forwarded in exactly one of these as well.
  std::array<Counter, kDropReasonCount> drops;  // by DropReason
  // Bytes of whole frames. Bytes of forwarded frames are counted where frames are transmitted.
  Counter dropped_bytes;
  Counter rejected_bytes;

  Counter flows_created;
  Counter flows_expired;  // their time-out passed, or a new connection took their place
  Counter flows_evicted;  // unreplied ones that gave way because the table was full
  Counter flows_cut;      // denied by a newer table
  Counter flows_judged_again;
  Counter flows_unmanaged;  // ended because no policy concerns their ends any more
  Counter stateless;        // packets allowed without a flow because the table was full
  Counter related;          // ICMP errors that belong to a flow
  Counter encapsulated;     // tunnels between nodes, whether they passed or not
  Counter answers;          // resets and ICMP errors made for rejected packets
  Counter answers_limited;  // ... and not made because of rejects_per_second
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_COUNTERS_H_
