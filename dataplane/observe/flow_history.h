// The latest ended flows and denials, in memory: `sluicectl flows --since` and `--follow` read them.
//
// The writer never waits for a reader. A reader keeps its own position. Records that are overwritten before the reader
// reaches them are counted as missed. There is one writer; any thread may read.
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
    std::vector<FlowLogRecord> records;  // oldest first
    std::uint64_t missed = 0;            // records that were overwritten before these were read
    std::uint64_t next = 0;              // the position to continue from
  };

  // `capacity`: the number of records, at least one. The history begins now.
  explicit FlowHistory(std::size_t capacity);

  // The writer calls these two.
  void Add(FlowLogRecord record);
  // Counts ended flows that are not among the records because they came too fast.
  void AddLost(std::uint64_t flows) { lost_.fetch_add(flows, std::memory_order_relaxed); }

  // The position behind the newest record.
  std::uint64_t End() const;
  // The position of the oldest record that is not older than this time.
  std::uint64_t PositionSince(std::uint64_t unix_ns) const;
  // Returns up to `most` records from `position` on, and before `end`.
  Slice Read(std::uint64_t position, std::uint64_t end, std::size_t most) const;
  // Nothing was overwritten that is newer than this time.
  std::uint64_t BeginUnixNs() const;
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  std::size_t capacity() const { return capacity_; }

 private:
  const FlowLogRecord& At(std::uint64_t position) const { return records_[position % capacity_]; }

  const std::size_t capacity_;
  const std::uint64_t start_unix_ns_;
  std::atomic<std::uint64_t> lost_ = 0;
  mutable std::mutex mutex_;            // protects all members below
  std::vector<FlowLogRecord> records_;  // grows up to the capacity; the index is the position, modulo the capacity
  std::uint64_t end_ = 0;               // records ever added
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_HISTORY_H_
