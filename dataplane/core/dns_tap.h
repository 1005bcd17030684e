// What one worker and the thread that listens to DNS (dns/) exchange. The worker gives copies of packets of trusted
// resolvers. The thread says which resolvers are trusted, and how far it has read the copies.
//
// The worker never waits: a copy that finds no room is counted, and nothing is learnt from that packet.
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
  std::uint16_t port = 0;      // the resolvers' port; 0: nobody listens
  std::uint32_t hold_ms = 50;  // the longest that an answer waits until its addresses are in force
  std::uint32_t held = 64;     // how many answers may wait at once; 0: none waits
};

// A packet of a flow that policy allows, without the headers. Its bytes are a UDP message, or a part of a TCP stream.
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
  Counter untrusted;     // answers (UDP) from resolvers that are not trusted
  Counter held;          // packets that waited
  Counter ran_out;       // ... and went on because hold_ms had passed
  Counter no_room;       // ... because others needed their place; also answers that could not be copied
  Counter fragmented;    // fragmented packets of trusted resolvers, which are not read
  Counter lost_queries;  // queries that could not be copied: their answers will not count
  std::atomic<std::uint32_t> waiting = 0;  // at this moment
};

class DnsTap {
 public:
  static constexpr std::size_t kCapacity = std::size_t{1} << 20;  // bytes of copies

  explicit DnsTap(const DnsTapConfig& config) : config_(config), packets_(kCapacity) { packets_.Reserve(); }
  const DnsTapConfig& config() const { return config_; }

  // For the worker's thread.

  // Call it from time to time, and before Trusts: it takes up which resolvers are trusted.
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

  // For one control thread at a time.

  bool IsTurned() const { return turned_.load(std::memory_order_acquire) == asked_.load(std::memory_order_relaxed); }
  // Returns false, and changes nothing, if the worker has not yet taken up the list before.
  bool Trust(std::vector<IpAddress> sorted) {
    if (!IsTurned()) return false;
    const std::uint32_t asked = asked_.load(std::memory_order_relaxed);
    trusted_[(asked + 1) & 1] = std::move(sorted);  // the worker reads the other list
    asked_.store(asked + 1, std::memory_order_release);
    return true;
  }

  // Any thread.
  const DnsTapCounters& counters() const { return counters_; }

 private:
  const DnsTapConfig config_;
  std::array<std::vector<IpAddress>, 2> trusted_;  // for even and odd numbers of `asked_`
  std::atomic<std::uint32_t> asked_ = 0;
  std::atomic<std::uint32_t> turned_ = 0;
  RecordRing<DnsPacket> packets_;
  DnsTapCounters counters_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_DNS_TAP_H_
