// Turns the packets that a port repeats without end into the traffic that a measurement wants, on the way from the port
// to the worker (a receive callback of ethdev): opens flows, mixes in new ones, keeps to a rate.
//
// A rate is kept as a NIC would: packets fall due by the clock and wait in a queue of kQueue; what finds it full is
// lost.
#ifndef SLUICE_BENCH_SOURCE_H_
#define SLUICE_BENCH_SOURCE_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "traffic.h"

struct rte_mbuf;
struct rte_eth_rxtx_callback;

namespace sluice {

struct Mix {
  std::uint32_t new_in = 0;  // of this many packets, `new_packets` open a flow; 0: all belong to known flows
  std::uint32_t new_packets = 0;
  bool rewrite_known = false;     // known flows are not those of the capture: write each packet's addresses
  double packets_per_second = 0;  // 0: as fast as the worker asks
};

class Source {
 public:
  static constexpr std::uint32_t kQueue = 1024;

  // Known flows are those numbered below `known`; new ones come from the `fresh` numbers after them, again and again.
  // Requires that the port is configured. Until Run, it gives nothing.
  Source(std::uint16_t port, const Traffic& traffic, const FrameShape& shape, std::uint32_t known, std::uint32_t fresh);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // Opens every known flow from both sides, in an order of its own; returns when the worker was given the last packet.
  void Establish();
  // From here on gives this mix.
  void Run(const Mix& mix);
  // Gives nothing any more.
  void Pause();
  // Leaves the port alone, so that it gives the capture as it is. For good.
  void Remove();

  // Packets of a rate that found the queue full: of known flows and of new ones; and, of either, those that came while
  // the kernel had taken the core from the worker, which says nothing of the worker. And those given.
  std::uint64_t lost_interrupted() const { return lost_interrupted_.load(std::memory_order_relaxed); }
  std::uint64_t lost_known() const { return lost_known_.load(std::memory_order_relaxed); }
  std::uint64_t lost_new() const { return lost_new_.load(std::memory_order_relaxed); }
  std::uint64_t given_known() const { return given_known_.load(std::memory_order_relaxed); }
  std::uint64_t given_new() const { return given_new_.load(std::memory_order_relaxed); }
  // The longest that a packet waited in the queue, as clocks, since the last call.
  std::uint64_t TakeLongestWait() { return longest_wait_.exchange(0, std::memory_order_relaxed); }
  // Bins of 1/16 microsecond of what packets waited; the last one holds what is longer.
  const std::vector<std::atomic<std::uint64_t>>& waits() const { return waits_; }

 private:
  enum class Phase : std::uint8_t { kPaused, kEstablish, kRun };

  static std::uint16_t OnReceive(std::uint16_t port, std::uint16_t queue, rte_mbuf* packets[], std::uint16_t count,
                                 std::uint16_t room, void* self);
  std::uint16_t Receive(rte_mbuf** packets, std::uint16_t count);
  std::uint16_t EstablishSome(rte_mbuf** packets, std::uint16_t count);
  std::uint16_t Due(std::uint16_t count);
  bool WasInterrupted();
  void Write(rte_mbuf* packet, const FlowTuple& flow, PacketKind kind, std::uint8_t tcp_flags);

  std::uint16_t port_;
  FrameShape shape_;
  std::vector<FlowTuple> known_;
  std::vector<FlowTuple> fresh_;
  std::vector<std::uint32_t> order_;
  const rte_eth_rxtx_callback* callback_ = nullptr;

  std::atomic<Phase> phase_ = Phase::kPaused;
  std::atomic<std::uint32_t> acknowledged_ = 0;  // rounds that the worker's side went through
  Mix mix_;                                      // written while paused
  std::uint64_t establish_next_ = 0;
  std::uint32_t known_next_ = 0;
  std::uint32_t fresh_next_ = 0;
  std::uint32_t in_mix_ = 0;
  double clocks_a_packet_ = 0;
  double next_due_ = 0;  // clocks
  long interruptions_ = 0;
  std::atomic<std::uint64_t> lost_known_ = 0, lost_new_ = 0, lost_interrupted_ = 0, given_known_ = 0, given_new_ = 0,
                             longest_wait_ = 0;
  std::vector<std::atomic<std::uint64_t>> waits_;
};

}  // namespace sluice

#endif  // SLUICE_BENCH_SOURCE_H_
