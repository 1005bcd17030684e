// The pipeline of one worker: a packet's whole walk, stage at a time over a burst.
//
//   parse -> fragments -> flow lookup -> (miss: classify) -> state update -> verdict
//
// One Pipeline belongs to one thread. Per packet there is no lock, allocation, system call, log line, exception or
// virtual call. Every packet ends in exactly one counter. Time comes from the caller (the worker's clock, or a
// capture's stamps).
#ifndef SLUICE_DATAPLANE_CORE_PIPELINE_H_
#define SLUICE_DATAPLANE_CORE_PIPELINE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/packet.h"
#include "core/parse.h"
#include "table/classify.h"
#include "table/table.h"

namespace sluice {

// What a tool wants to know of one packet. Filled only where asked for.
enum class PacketState : std::uint8_t { kNone, kNew, kEstablished, kReply, kRelated };

struct Outcome {
  void* handle = nullptr;
  Verdict verdict = Verdict::kForward;
  DropReason reason = DropReason::kNone;
  PacketState state = PacketState::kNone;
  bool decided = false;  // a policy was asked; egress and ingress say what it said
  Exemption exemption = Exemption::kNone;
  Decision egress;
  Decision ingress;
};

// A frame that the pipeline made itself: a TCP reset or an ICMP error.
struct MadeFrame {
  std::uint16_t port = 0;  // the port it must leave by
  std::uint16_t length = 0;
  std::uint8_t bytes[190];
};

// What a call left to be done with buffers. The owner clears it between calls. Held fragments appear in none of the
// lists until a later call releases them.
struct PipelineOutput {
  std::vector<Frame> forward;                // transmit on port ^ 1, in this order
  std::vector<Frame> drop;                   // free
  std::vector<MadeFrame> made;               // copy and transmit
  std::vector<Outcome>* outcomes = nullptr;  // where set: one for each packet, when its fate is known

  void Clear();
};

enum class ActionOnDeny : std::uint8_t { kDrop, kReject };

// Names and defaults follow Linux's nf_conntrack sysctls where they exist. Seconds.
struct Timeouts {
  std::uint32_t tcp_syn_sent = 120;
  std::uint32_t tcp_syn_recv = 60;
  std::uint32_t tcp_established = 432000;
  std::uint32_t tcp_fin_wait = 120;
  std::uint32_t tcp_close_wait = 60;
  std::uint32_t tcp_last_ack = 30;
  std::uint32_t tcp_time_wait = 120;
  std::uint32_t tcp_close = 10;
  std::uint32_t tcp_unacknowledged = 300;  // picked up without a SYN, no reply yet
  std::uint32_t udp = 30;
  std::uint32_t udp_stream = 120;
  std::uint32_t sctp_closed = 10;
  std::uint32_t sctp_cookie_wait = 3;
  std::uint32_t sctp_cookie_echoed = 3;
  std::uint32_t sctp_established = 210;
  std::uint32_t sctp_shutdown_sent = 3;
  std::uint32_t sctp_shutdown_recd = 3;
  std::uint32_t sctp_shutdown_ack_sent = 3;
  std::uint32_t icmp = 30;
  std::uint32_t generic = 600;
};

struct PipelineConfig {
  ParseConfig parse;
  Timeouts timeouts;
  ActionOnDeny action_on_deny = ActionOnDeny::kDrop;
  std::uint32_t rejects_per_second = 1000;  // a worker; what is above is dropped silently
  bool tcp_strict = false;                  // TCP without a flow and without SYN: dropped as tcp_no_syn
  bool fail_closed = true;                  // before any policy: drop what could concern a pod (all IP)
  bool drop_unknown_endpoint = true;
  std::uint32_t flow_capacity_ipv4 = 1u << 20;  // flows a worker
  std::uint32_t flow_capacity_ipv6 = 1u << 18;
  std::uint32_t fragment_trains = 4096;    // datagrams under way at once
  std::uint32_t fragments_held = 1024;     // frames that wait for their first fragment, in all
  std::uint32_t fragments_held_each = 16;  // ... of one datagram
  std::uint32_t fragment_timeout_ms = 1000;
  std::uint64_t hash_seed = 0;  // 0: random
};

struct RuleCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t last_hit_ns = 0;  // 0: never
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PIPELINE_H_
