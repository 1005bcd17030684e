// The last flows that ended and denials, in memory: what `sluicectl flows --since` and `--follow` read.
//
// Its writer never waits for a reader. A reader keeps its own position; what was overwritten before it came there is
// counted to it. Any thread; one writer.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_HISTORY_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_HISTORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "observe/flow_log_record.h"

namespace sluice {

class FlowHistory {
 public:
  struct Slice {
    std::vector<FlowLogRecord> records;  // the oldest first
    std::uint64_t missed = 0;            // were overwritten before these were read
    std::uint64_t next = 0;              // where to read on
  };

  // Of so many records (at least one), from now on.
  explicit FlowHistory(std::size_t capacity);

  // The writer.
  void Add(FlowLogRecord record);
  // Flows that ended and are not among the records: they came too fast.
  void AddLost(std::uint64_t flows) { lost_.fetch_add(flows, std::memory_order_relaxed); }

  // The position behind the newest record.
  std::uint64_t End() const;
  // Of the oldest record that is of this time or later.
  std::uint64_t PositionSince(std::uint64_t unix_ns) const;
  // Up to `most` records from `position` on, and before `end`.
  Slice Read(std::uint64_t position, std::uint64_t end, std::size_t most) const;
  // From when on nothing was overwritten.
  std::uint64_t BeginUnixNs() const;
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  std::size_t capacity() const { return capacity_; }

 private:
  const FlowLogRecord& At(std::uint64_t position) const { return records_[position % capacity_]; }

  const std::size_t capacity_;
  const std::uint64_t start_unix_ns_;
  std::atomic<std::uint64_t> lost_ = 0;
  mutable std::mutex mutex_;            // over all that follows
  std::vector<FlowLogRecord> records_;  // grows up to the capacity; the position, modulo the capacity, is the index
  std::uint64_t end_ = 0;               // records ever added
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_HISTORY_H_
