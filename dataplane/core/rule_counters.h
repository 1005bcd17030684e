// Packets, bytes and last hit of each rule, as one worker counted them.
//
// The worker's thread adds; any thread reads and sums over workers. Grows by chunks that never move.
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

  // Makes room for rules below `limit`. Any thread: best called off the packet path, before the table is published.
  void Reserve(RuleId limit);

  // The worker. Requires a rule below what was reserved. kNoRule counts nothing.
  void Add(RuleId rule, std::uint64_t packets, std::uint64_t bytes, std::uint64_t hit_ns);
  void Clear();

  // Any thread. Zero for rules that there is no room for.
  RuleCount Get(RuleId rule) const;

 private:
  struct Cell {
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
  std::mutex growing_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_RULE_COUNTERS_H_
