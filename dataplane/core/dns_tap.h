// What crosses between one worker and the thread that listens to DNS (dns/): copies of packets of trusted resolvers one
// way, which resolvers are trusted and how far the copies are read the other way.
//
// The worker never waits: a copy that finds no room is counted, and nothing is learnt from it.
#ifndef SLUICE_DATAPLANE_CORE_DNS_TAP_H_
#define SLUICE_DATAPLANE_CORE_DNS_TAP_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/counters.h"
#include "core/flow_key.h"
#include "core/record_ring.h"

namespace sluice {

struct DnsTapConfig {
  std::uint16_t port = 0;      // of resolvers; 0: nobody listens
  std::uint32_t hold_ms = 50;  // an answer waits at most so long until what it says is in force
  std::uint32_t held = 64;     // answers that wait at once; 0: none waits
};

// A packet of a flow that policy allows, without the headers. Its bytes are a message (UDP), or a part of the stream.
struct DnsPacket {
  FlowEnd source;
  FlowEnd destination;
  std::uint64_t time_ns = 0;   // the worker's clock
  std::uint32_t sequence = 0;  // of TCP
  std::uint8_t protocol = 0;
  std::uint8_t tcp_flags = 0;
  bool is_from_resolver = false;
};

// Written by the worker.
struct DnsTapCounters {
  Counter untrusted;     // answers (UDP) of resolvers that are not trusted
  Counter held;          // packets that waited
  Counter ran_out;       // ... and went on when hold_ms had passed
  Counter no_room;       // ... when others needed their place; and answers of which no copy could be made
  Counter fragmented;    // packets of trusted resolvers in fragments, which are not read
  Counter lost_queries;  // of which no copy could be made: their answers will not count
  std::atomic<std::uint32_t> waiting = 0;  // at this moment
};

class DnsTap {
 public:
  static constexpr std::size_t kCapacity = std::size_t{1} << 20;  // bytes of copies

  explicit DnsTap(const DnsTapConfig& config) : config_(config), packets_(kCapacity) { packets_.Reserve(); }
  const DnsTapConfig& config() const { return config_; }

  // The worker.

  // From time to time, and before Trusts: takes up which resolvers are trusted.
  void Turn() {
    const std::uint32_t asked = asked_.load(std::memory_order_acquire);
    if (asked != turned_.load(std::memory_order_relaxed)) turned_.store(asked, std::memory_order_release);
  }
  bool Trusts(const IpAddress& address) const {
    const auto& trusted = trusted_[turned_.load(std::memory_order_relaxed) & 1];
    return std::binary_search(trusted.begin(), trusted.end(), address);
  }
  RecordRing<DnsPacket>& packets() { return packets_; }
  DnsTapCounters& counters() { return counters_; }

  // One control thread at a time.

  bool IsTurned() const { return turned_.load(std::memory_order_acquire) == asked_.load(std::memory_order_relaxed); }
  // False: the worker has not taken up what was said before, and this is not said.
  bool Trust(std::vector<IpAddress> sorted) {
    if (!IsTurned()) return false;
    const std::uint32_t asked = asked_.load(std::memory_order_relaxed);
    trusted_[(asked + 1) & 1] = std::move(sorted);  // the worker looks at the other one
    asked_.store(asked + 1, std::memory_order_release);
    return true;
  }

  // Any thread.
  const DnsTapCounters& counters() const { return counters_; }

 private:
  const DnsTapConfig config_;
  std::array<std::vector<IpAddress>, 2> trusted_;  // of an even and an odd number of `asked_`
  std::atomic<std::uint32_t> asked_ = 0;
  std::atomic<std::uint32_t> turned_ = 0;
  RecordRing<DnsPacket> packets_;
  DnsTapCounters counters_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_DNS_TAP_H_
