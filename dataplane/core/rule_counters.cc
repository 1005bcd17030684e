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

void RuleCounters::Add(RuleId rule, std::uint64_t packets, std::uint64_t bytes, std::uint64_t hit_ns) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  if (rule == kNoRule) return;
  const std::size_t chunk = ChunkOf(rule);
  Cell& cell = chunks_[chunk].load(kRelaxed)[OffsetOf(rule, chunk)];
  cell.packets.store(cell.packets.load(kRelaxed) + packets, kRelaxed);
  cell.bytes.store(cell.bytes.load(kRelaxed) + bytes, kRelaxed);
  cell.last_hit_ns.store(std::max(hit_ns, cell.last_hit_ns.load(kRelaxed)), kRelaxed);
}

void RuleCounters::Clear() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  for (std::size_t i = 0; i < kChunks; ++i) {
    Cell* cells = chunks_[i].load(std::memory_order_acquire);
    for (std::size_t j = 0; cells != nullptr && j < std::size_t{kFirstChunk} << i; ++j) {
      cells[j].packets.store(0, kRelaxed);
      cells[j].bytes.store(0, kRelaxed);
      cells[j].last_hit_ns.store(0, kRelaxed);
    }
  }
}

RuleCount RuleCounters::Get(RuleId rule) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const std::size_t chunk = ChunkOf(rule);
  const Cell* cells = chunk < kChunks ? chunks_[chunk].load(std::memory_order_acquire) : nullptr;
  if (cells == nullptr) return {};
  const Cell& cell = cells[OffsetOf(rule, chunk)];
  return {cell.packets.load(kRelaxed), cell.bytes.load(kRelaxed), cell.last_hit_ns.load(kRelaxed)};
}

}  // namespace sluice
