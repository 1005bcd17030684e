// The state of a flow, one enumeration for all protocols, and how each packet changes it.
//
// All protocols share one table: next = NextState(state, side, event). It is made of the tables of tcp_state.h and
// sctp_state.h, which are written out cell by cell, and of a few rows for the other protocols.
//
// Pure functions and constants; safe from any thread.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_STATE_H_
#define SLUICE_DATAPLANE_CORE_FLOW_STATE_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "core/packet.h"
#include "sluice/protocol.h"

namespace sluice {

// X(enumerator, name). The names are those of Linux's conntrack, if Linux has the state.
#define SLUICE_FLOW_STATES(X)                                                                             \
  X(kFree, "NONE")                                                                                        \
  X(kTcpSynSent, "SYN_SENT")                                                                              \
  X(kTcpSynSentBoth, "SYN_SENT2") /* simultaneous open */                                                 \
  X(kTcpSynReceived, "SYN_RECV")                                                                          \
  X(kTcpEstablished, "ESTABLISHED")                                                                       \
  X(kTcpFinOriginal, "FIN_WAIT") /* the originator's FIN was seen */                                      \
  X(kTcpFinReply, "FIN_WAIT")                                                                             \
  X(kTcpHalfOriginal, "CLOSE_WAIT") /* ... and acknowledged: the originator's half is closed */           \
  X(kTcpHalfReply, "CLOSE_WAIT")                                                                          \
  X(kTcpLastAck, "LAST_ACK") /* both FINs were seen */                                                    \
  X(kTcpTimeWait, "TIME_WAIT")                                                                            \
  X(kTcpCloseOriginal, "CLOSE") /* the originator reset it */                                             \
  X(kTcpCloseReply, "CLOSE")                                                                              \
  X(kTcpUnacknowledged, "UNACKNOWLEDGED") /* picked up without a SYN, only its originator heard so far */ \
  X(kTcpUnclaimed, "UNACKNOWLEDGED")      /* ... only the other end heard so far */                       \
  X(kSctpInitSent, "COOKIE_WAIT")                                                                         \
  X(kSctpInitAnswered, "COOKIE_WAIT")                                                                     \
  X(kSctpCookieEchoed, "COOKIE_ECHOED")                                                                   \
  X(kSctpEstablished, "ESTABLISHED")                                                                      \
  X(kSctpShutdownSent, "SHUTDOWN_SENT")     /* by the originator */                                       \
  X(kSctpShutdownReceived, "SHUTDOWN_RECD") /* from the other end */                                      \
  X(kSctpShutdownAckSent, "SHUTDOWN_ACK_SENT")                                                            \
  X(kSctpClosed, "CLOSED")                                                                                \
  X(kSctpHeartbeatSent, "HEARTBEAT_SENT") /* a further path, or picked up without an INIT */              \
  X(kSctpUnclaimed, "HEARTBEAT_SENT")     /* ... only the other end heard so far */                       \
  X(kUdpUnreplied, "UNREPLIED")                                                                           \
  X(kUdpReplied, "REPLIED") /* both ends have spoken */                                                   \
  X(kIcmpUnreplied, "UNREPLIED")                                                                          \
  X(kIcmpReplied, "REPLIED")                                                                              \
  X(kGenericUnreplied, "UNREPLIED")                                                                       \
  X(kGenericReplied, "REPLIED")                                                                           \
  X(kCut, "CUT") /* denied by a newer table: dropped both ways until it is opened anew, or silent */

enum class FlowState : std::uint8_t {
#define SLUICE_X(id, name) id,
  SLUICE_FLOW_STATES(SLUICE_X)
#undef SLUICE_X
      kReopen,  // no state: the packet opens a new connection in this one's place
};
inline constexpr std::size_t kFlowStates = static_cast<std::size_t>(FlowState::kReopen) + 1;

std::string_view Name(FlowState state);

// Which end sent a packet: the originator, which opened the flow, or the other end.
enum class Side : std::uint8_t { kOriginal = 0, kReply = 1 };

// What a packet means to its flow's state. Protocols use the same numbers for different events.
using FlowEvent = std::uint8_t;
inline constexpr std::size_t kFlowEvents = 16;

inline constexpr FlowEvent kDataEvent = 0;  // for protocols without a state of their own

// TCP, by flags: RST before FIN before SYN.
enum TcpEvent : FlowEvent { kTcpAckEvent, kTcpSynEvent, kTcpSynAckEvent, kTcpFinEvent, kTcpRstEvent, kTcpEvents };

// SCTP, by the type of the first chunk (RFC 9260 3.2).
enum SctpEvent : FlowEvent {
  kSctpOtherEvent,  // DATA, SACK, HEARTBEAT, ...
  kSctpInitEvent,
  kSctpInitAckEvent,
  kSctpCookieEchoEvent,
  kSctpCookieAckEvent,
  kSctpAbortEvent,
  kSctpShutdownEvent,
  kSctpShutdownAckEvent,
  kSctpShutdownCompleteEvent,
  kSctpEvents
};

FlowEvent SctpEventOf(std::uint8_t chunk_type);

// By FIN, SYN, RST, PSH and ACK, the low five bits. Zero, which other protocols have, gives kDataEvent.
inline constexpr std::array<FlowEvent, 32> kTcpEventOfFlags = [] {
  std::array<FlowEvent, 32> events{};
  for (std::size_t flags = 0; flags < 32; ++flags) {
    events[flags] = (flags & 4) != 0    ? kTcpRstEvent
                    : (flags & 1) != 0  ? kTcpFinEvent
                    : (flags & 2) == 0  ? kTcpAckEvent
                    : (flags & 16) != 0 ? kTcpSynAckEvent
                                        : kTcpSynEvent;
  }
  return events;
}();
static_assert(kTcpEventOfFlags[0] == kDataEvent);

inline FlowEvent EventOf(const ParsedPacket& packet) {
  if (packet.protocol == kProtoSctp) [[unlikely]]
    return SctpEventOf(packet.sctp_chunk);
  return kTcpEventOfFlags[packet.tcp_flags & 31];
}

using StateTable = std::array<std::array<std::array<FlowState, kFlowEvents>, 2>, kFlowStates>;
extern const StateTable kNextState;

inline FlowState NextState(FlowState state, Side side, FlowEvent event) {
  return kNextState[static_cast<std::size_t>(state)][static_cast<std::size_t>(side)][event];
}

// Whether a connection in this state may not be evicted, once both ends have taken part in it.
bool IsAssured(FlowState state);

// The state of a flow whose first seen packet this is. `side` is the other end only if the flow is picked up midway.
FlowState FirstState(std::uint8_t protocol, Side side, FlowEvent event);

// True for TCP and SCTP, where a connection's opening can be told from its other packets.
constexpr bool HasConnections(std::uint8_t protocol) { return protocol == kProtoTcp || protocol == kProtoSctp; }

// Which side sent the packet, if a connection is picked up in the middle: after a restart, say, either end may speak
// first. A guess: the end with an ephemeral port opened it, if the other port is not ephemeral; else the sender did.
constexpr Side GuessSide(std::uint16_t source_port, std::uint16_t destination_port) {
  // Where Linux's ip_local_port_range begins; RFC 6335's dynamic ports lie above.
  constexpr std::uint16_t kFirstEphemeral = 32768;
  return source_port < kFirstEphemeral && destination_port >= kFirstEphemeral ? Side::kReply : Side::kOriginal;
}

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
  std::uint32_t tcp_unacknowledged = 300;  // picked up without a SYN, one end heard; also of a connection that was cut
  std::uint32_t udp = 30;
  std::uint32_t udp_stream = 120;  // both ends have spoken
  std::uint32_t sctp_closed = 10;
  std::uint32_t sctp_cookie_wait = 3;
  std::uint32_t sctp_cookie_echoed = 3;
  std::uint32_t sctp_established = 210;
  std::uint32_t sctp_shutdown_sent = 3;
  std::uint32_t sctp_shutdown_recd = 3;
  std::uint32_t sctp_shutdown_ack_sent = 3;
  std::uint32_t sctp_heartbeat_sent = 30;
  std::uint32_t icmp = 30;
  std::uint32_t generic = 600;
};

// Milliseconds, at most 24 days: half of the range of the flows' clock.
class TimeoutTable {
 public:
  explicit TimeoutTable(const Timeouts& timeouts);
  // A flow in this state is over after this long without a packet. A cut flow is known as long as an idle flow of its
  // protocol.
  std::uint32_t Of(FlowState state, std::uint8_t protocol) const {
    return state == FlowState::kCut ? OfCut(protocol) : by_state_[static_cast<std::size_t>(state)];
  }
  // The shortest of all time-outs.
  std::uint32_t shortest() const { return shortest_; }

 private:
  std::uint32_t OfCut(std::uint8_t protocol) const;

  std::array<std::uint32_t, kFlowStates> by_state_{};
  std::uint32_t shortest_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_STATE_H_
