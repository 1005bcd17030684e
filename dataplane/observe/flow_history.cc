#include "observe/flow_history.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sluice {

FlowHistory::FlowHistory(std::size_t capacity)
    : capacity_(capacity),
      start_unix_ns_(static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                                std::chrono::nanoseconds(1))) {}

void FlowHistory::Add(FlowLogRecord record) {
  const std::lock_guard lock(mutex_);
  if (records_.size() < capacity_) {
    records_.push_back(std::move(record));
  } else {
    records_[end_ % capacity_] = std::move(record);
  }
  ++end_;
}

std::uint64_t FlowHistory::End() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

std::uint64_t FlowHistory::PositionSince(std::uint64_t unix_ns) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t position = end_ - records_.size();
  while (position != end_ && At(position).unix_ns < unix_ns) ++position;
  return position;
}

FlowHistory::Slice FlowHistory::Read(std::uint64_t position, std::uint64_t end, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  Slice slice;
  end = std::min(end, end_);
  const std::uint64_t begin = std::min(std::max(position, end_ - records_.size()), end);
  slice.missed = begin - std::min(position, begin);
  slice.next = std::min<std::uint64_t>(begin + most, end);
  for (std::uint64_t i = begin; i != slice.next; ++i) slice.records.push_back(At(i));
  return slice;
}

std::uint64_t FlowHistory::BeginUnixNs() const {
  const std::lock_guard lock(mutex_);
  return end_ == records_.size() ? start_unix_ns_ : At(end_ - records_.size()).unix_ns;
}

}  // namespace sluice
