#include "core/rule_counters.h"

#include <algorithm>

namespace sluice {

RuleCounters::~RuleCounters() {
  for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

void RuleCounters::Reserve(RuleId limit) {
  if (limit <= limit_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(growing_);
  for (std::size_t i = 0; i <= ChunkOf(limit - 1); ++i) {
    if (chunks_[i].load(std::memory_order_relaxed) != nullptr) continue;
    chunks_[i].store(new Cell[std::size_t{kFirstChunk} << i](), std::memory_order_release);
  }
  limit_.store(std::max(limit, limit_.load(std::memory_order_relaxed)), std::memory_order_release);
}

// The stores release, so that a reader that sees any of them also sees the cell's epoch.
void RuleCounters::Add(RuleId rule, std::uint64_t packets, std::uint64_t bytes, std::uint64_t hit_ns) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  constexpr auto kRelease = std::memory_order_release;
  if (rule == kNoRule) return;
  const std::size_t chunk = ChunkOf(rule);
  Cell& cell = chunks_[chunk].load(kRelaxed)[OffsetOf(rule, chunk)];
  if (cell.epoch.load(kRelaxed) != epoch_.load(kRelaxed)) {
    cell.packets.store(0, kRelease);
    cell.bytes.store(0, kRelease);
    cell.last_hit_ns.store(0, kRelease);
    cell.epoch.store(epoch_.load(kRelaxed), kRelease);
  }
  cell.packets.store(cell.packets.load(kRelaxed) + packets, kRelease);
  cell.bytes.store(cell.bytes.load(kRelaxed) + bytes, kRelease);
  cell.last_hit_ns.store(std::max(hit_ns, cell.last_hit_ns.load(kRelaxed)), kRelease);
}

RuleCount RuleCounters::Get(std::uint64_t epoch, RuleId rule) const {
  constexpr auto kAcquire = std::memory_order_acquire;
  const std::size_t chunk = ChunkOf(rule);
  const Cell* cells = chunk < kChunks ? chunks_[chunk].load(kAcquire) : nullptr;
  if (cells == nullptr) return {};
  const Cell& cell = cells[OffsetOf(rule, chunk)];
  if (cell.epoch.load(kAcquire) != epoch) return {};
  const RuleCount count{cell.packets.load(kAcquire), cell.bytes.load(kAcquire), cell.last_hit_ns.load(kAcquire)};
  return epoch_.load(kAcquire) == epoch ? count : RuleCount{};
}

}  // namespace sluice
