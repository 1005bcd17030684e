// A ring of frames (mbufs) from one worker to another: one puts, one takes (rte_ring). Needs no EAL.
//
// One ring for each pair of workers, rather than one that many fill: no compare-and-swap, and each ring's order is its
// producer's order.
#ifndef SLUICE_DATAPLANE_EDGE_FRAME_RING_H_
#define SLUICE_DATAPLANE_EDGE_FRAME_RING_H_

#include <cstdint>
#include <memory>

struct rte_ring;

namespace sluice {

class FrameRing {
 public:
  // Holds `capacity` frames.
  explicit FrameRing(std::uint32_t capacity);
  ~FrameRing();
  FrameRing(const FrameRing&) = delete;
  FrameRing& operator=(const FrameRing&) = delete;

  // The producer: takes the first frames that there is room for and returns how many.
  std::uint32_t Put(void* const* frames, std::uint32_t count);
  // The consumer.
  std::uint32_t Take(void** frames, std::uint32_t count);
  // Any thread; what it says may be past at once.
  bool empty() const;

 private:
  struct Free {
    void operator()(rte_ring* ring) const;
  };
  std::unique_ptr<rte_ring, Free> ring_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_FRAME_RING_H_
