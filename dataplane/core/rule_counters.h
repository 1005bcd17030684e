// Packets, bytes and last hit of each rule, as one worker counted them.
//
// The worker's thread adds; any thread reads and sums over workers. Grows by chunks that never move. A new epoch
// of rule ids costs nothing: a cell with counts of an older epoch is cleared when something is added to it.
#ifndef SLUICE_DATAPLANE_CORE_RULE_COUNTERS_H_
#define SLUICE_DATAPLANE_CORE_RULE_COUNTERS_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>

#include "table/table.h"

namespace sluice {

struct RuleCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t last_hit_ns = 0;  // 0: never
};

class RuleCounters {
 public:
  RuleCounters() = default;
  ~RuleCounters();
  RuleCounters(const RuleCounters&) = delete;
  RuleCounters& operator=(const RuleCounters&) = delete;

  // Makes room for rules below `limit`. Any thread; best called off the packet path, before the table is published.
  void Reserve(RuleId limit);

  // Any thread; 0 before the first Begin.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  // For the worker. From here on, rules are those of this epoch, without hits. Requires an epoch that is new here.
  void Begin(std::uint64_t epoch) { epoch_.store(epoch, std::memory_order_release); }
  // Requires a rule below the reserved limit. kNoRule counts nothing.
  void Add(RuleId rule, std::uint64_t packets, std::uint64_t bytes, std::uint64_t hit_ns);
  // Call it ahead of Add.
  void Prefetch(RuleId rule) const {
    const std::size_t chunk = ChunkOf(rule);
    if (const Cell* cells = chunks_[chunk].load(std::memory_order_relaxed)) {
      __builtin_prefetch(&cells[OffsetOf(rule, chunk)], 1, 3);
    }
  }

  // Any thread. Zero for rules without room, and for any epoch but the current one.
  RuleCount Get(std::uint64_t epoch, RuleId rule) const;

 private:
  struct alignas(32) Cell {
    std::atomic<std::uint64_t> epoch;
    std::atomic<std::uint64_t> packets;
    std::atomic<std::uint64_t> bytes;
    std::atomic<std::uint64_t> last_hit_ns;
  };
  static constexpr std::uint32_t kFirstChunk = 1024;
  static constexpr std::size_t kChunks = 23;  // chunk i holds 1024 << i cells
  static std::size_t ChunkOf(RuleId rule) {
    return static_cast<std::size_t>(std::bit_width((std::uint64_t{rule} + kFirstChunk) / kFirstChunk) - 1);
  }
  static std::uint64_t OffsetOf(RuleId rule, std::size_t chunk) {
    return std::uint64_t{rule} + kFirstChunk - (std::uint64_t{kFirstChunk} << chunk);
  }

  std::array<std::atomic<Cell*>, kChunks> chunks_{};
  std::atomic<RuleId> limit_ = 0;
  std::atomic<std::uint64_t> epoch_ = 0;
  std::mutex growing_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_RULE_COUNTERS_H_
