// A wire whose two ends the test holds: what it sends into one port, and what came out of either. net_ring devices, so
// no kernel and no file is in between.
#ifndef SLUICE_TESTS_EDGE_RING_WIRE_H_
#define SLUICE_TESTS_EDGE_RING_WIRE_H_

#include <cstdint>
#include <vector>

#include "edge/settings.h"
#include "support/packet_builder.h"

struct rte_mempool;
struct rte_ring;

namespace sluice {

// Starts DPDK on ordinary memory with so many workers; once in a process. Fails the test where it does not start.
void StartEalForTest(std::uint32_t workers);

class RingWire {
 public:
  // Requires EAL.
  RingWire();
  ~RingWire();
  RingWire(const RingWire&) = delete;
  RingWire& operator=(const RingWire&) = delete;

  const WireSettings& settings() const { return settings_; }

  // False where the ring into `side` (0 or 1) is full.
  bool Send(int side, const ByteVector& frame);
  // In two segments, the first of `first_segment` bytes.
  bool SendInTwoSegments(int side, const ByteVector& frame, std::uint16_t first_segment);
  // What came out of `side` since the last call.
  std::vector<ByteVector> Receive(int side);
  // Waits until `count` frames came out of `side`, or two seconds passed.
  std::vector<ByteVector> ReceiveSome(int side, std::size_t count);
  // Frames on their way in that no worker took yet.
  std::size_t Waiting() const;
  // Whether every buffer is back.
  bool AllBuffersAreBack() const;

 private:
  WireSettings settings_;
  rte_mempool* buffers_;
  rte_ring* into_[2];
  rte_ring* out_of_[2];
};

}  // namespace sluice

#endif  // SLUICE_TESTS_EDGE_RING_WIRE_H_
