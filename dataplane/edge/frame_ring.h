// A ring of frames (mbufs) from one worker to another, with one producer and one consumer (rte_ring). Needs no EAL.
//
// There is one ring for each pair of workers, not one ring that many fill. So
// there is no compare-and-swap, and each ring has the order of its producer.
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

  // For the producer: puts the first frames that fit, and returns how many.
  std::uint32_t Put(void* const* frames, std::uint32_t count);
  // For the consumer.
  std::uint32_t Take(void** frames, std::uint32_t count);
  // Any thread; the answer may be outdated at once.
  bool empty() const;

 private:
  struct Free {
    void operator()(rte_ring* ring) const;
  };
  std::unique_ptr<rte_ring, Free> ring_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_FRAME_RING_H_
