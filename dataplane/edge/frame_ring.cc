#include "edge/frame_ring.h"

#include <rte_common.h>
#include <rte_ring.h>

#include <bit>
#include <cstdlib>
#include <new>

namespace sluice {

FrameRing::FrameRing(std::uint32_t capacity) {
  const std::uint32_t slots = std::bit_ceil(capacity + 1);
  const std::size_t bytes =
      RTE_ALIGN_CEIL(static_cast<std::size_t>(rte_ring_get_memsize(slots)), std::size_t{RTE_CACHE_LINE_SIZE});
  ring_.reset(static_cast<rte_ring*>(std::aligned_alloc(RTE_CACHE_LINE_SIZE, bytes)));
  if (!ring_) throw std::bad_alloc();
  rte_ring_init(ring_.get(), "frames", slots, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

FrameRing::~FrameRing() = default;

void FrameRing::Free::operator()(rte_ring* ring) const { std::free(ring); }

std::uint32_t FrameRing::Put(void* const* frames, std::uint32_t count) {
  return rte_ring_sp_enqueue_burst(ring_.get(), frames, count, nullptr);
}

std::uint32_t FrameRing::Take(void** frames, std::uint32_t count) {
  return rte_ring_sc_dequeue_burst(ring_.get(), frames, count, nullptr);
}

bool FrameRing::empty() const { return rte_ring_empty(ring_.get()) != 0; }

}  // namespace sluice
