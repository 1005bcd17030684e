#include "core/flow_state.h"

#include <algorithm>

#include "core/sctp_state.h"
#include "core/tcp_state.h"

namespace sluice {
namespace {

using enum FlowState;

constexpr std::string_view kNames[] = {
#define SLUICE_X(id, name) name,
    SLUICE_FLOW_STATES(SLUICE_X)
#undef SLUICE_X
        "NEW",
};

StateTable MakeStateTable() {
  StateTable table;
  for (std::size_t state = 0; state < kFlowStates; ++state) {
    for (auto& side : table[state]) side.fill(static_cast<FlowState>(state));
  }
  const auto put = [&table](FlowState state, std::span<const FlowState> original, std::span<const FlowState> reply) {
    auto& sides = table[static_cast<std::size_t>(state)];
    std::ranges::copy(original, sides[0].begin());
    std::ranges::copy(reply, sides[1].begin());
  };
  for (auto& side : table[static_cast<std::size_t>(kFree)]) side.fill(kReopen);
  // Longer rows first: kCut has one row of each protocol. They agree where they overlap (a test checks this).
  for (const SctpRow& row : SctpTable()) put(row.state, row.original, row.reply);
  for (const TcpRow& row : TcpTable()) put(row.state, row.original, row.reply);
  const auto data = [&table](FlowState state, FlowState original, FlowState reply) {
    auto& sides = table[static_cast<std::size_t>(state)];
    sides[0][kDataEvent] = original;
    sides[1][kDataEvent] = reply;
  };
  data(kUdpUnreplied, kUdpUnreplied, kUdpReplied);
  data(kIcmpUnreplied, kIcmpUnreplied, kIcmpReplied);
  data(kGenericUnreplied, kGenericUnreplied, kGenericReplied);
  return table;
}

}  // namespace

const StateTable kNextState = MakeStateTable();

std::string_view Name(FlowState state) { return kNames[static_cast<std::size_t>(state)]; }

FlowEvent SctpEventOf(std::uint8_t chunk_type) {
  switch (chunk_type) {
    case 1:
      return kSctpInitEvent;
    case 2:
      return kSctpInitAckEvent;
    case 6:
      return kSctpAbortEvent;
    case 7:
      return kSctpShutdownEvent;
    case 8:
      return kSctpShutdownAckEvent;
    case 10:
      return kSctpCookieEchoEvent;
    case 11:
      return kSctpCookieAckEvent;
    case 14:
      return kSctpShutdownCompleteEvent;
    default:
      return kSctpOtherEvent;
  }
}

bool IsAssured(FlowState state) {
  switch (state) {
    case kTcpEstablished:
    case kTcpFinOriginal:
    case kTcpFinReply:
    case kTcpHalfOriginal:
    case kTcpHalfReply:
    case kTcpLastAck:
    case kTcpTimeWait:
    case kSctpEstablished:
    case kSctpShutdownSent:
    case kSctpShutdownReceived:
    case kSctpShutdownAckSent:
    case kUdpReplied:
    case kIcmpReplied:
    case kGenericReplied:
      return true;
    default:
      return false;
  }
}

FlowState FirstState(std::uint8_t protocol, Side side, FlowEvent event) {
  switch (protocol) {
    case kProtoTcp:
      return TcpFirstStates(side)[event];
    case kProtoSctp:
      return SctpFirstStates(side)[event];
    case kProtoUdp:
      return kUdpUnreplied;
    case kProtoIcmp:
    case kProtoIcmpv6:
      return kIcmpUnreplied;
    default:
      return kGenericUnreplied;
  }
}

TimeoutTable::TimeoutTable(const Timeouts& timeouts) {
  const auto set = [this](std::initializer_list<FlowState> states, std::uint32_t seconds) {
    constexpr std::uint64_t kMax = std::uint64_t{1} << 31;
    const auto ms = static_cast<std::uint32_t>(std::min(std::uint64_t{seconds} * 1000, kMax));
    for (const FlowState state : states) by_state_[static_cast<std::size_t>(state)] = ms;
  };
  set({kTcpSynSent, kTcpSynSentBoth}, timeouts.tcp_syn_sent);
  set({kTcpSynReceived}, timeouts.tcp_syn_recv);
  set({kTcpEstablished}, timeouts.tcp_established);
  set({kTcpFinOriginal, kTcpFinReply}, timeouts.tcp_fin_wait);
  set({kTcpHalfOriginal, kTcpHalfReply}, timeouts.tcp_close_wait);
  set({kTcpLastAck}, timeouts.tcp_last_ack);
  set({kTcpTimeWait}, timeouts.tcp_time_wait);
  set({kTcpCloseOriginal, kTcpCloseReply}, timeouts.tcp_close);
  set({kTcpUnacknowledged, kTcpUnclaimed}, timeouts.tcp_unacknowledged);
  set({kSctpInitSent, kSctpInitAnswered}, timeouts.sctp_cookie_wait);
  set({kSctpCookieEchoed}, timeouts.sctp_cookie_echoed);
  set({kSctpEstablished}, timeouts.sctp_established);
  set({kSctpShutdownSent}, timeouts.sctp_shutdown_sent);
  set({kSctpShutdownReceived}, timeouts.sctp_shutdown_recd);
  set({kSctpShutdownAckSent}, timeouts.sctp_shutdown_ack_sent);
  set({kSctpClosed}, timeouts.sctp_closed);
  set({kSctpHeartbeatSent, kSctpUnclaimed}, timeouts.sctp_heartbeat_sent);
  set({kUdpUnreplied}, timeouts.udp);
  set({kUdpReplied}, timeouts.udp_stream);
  set({kIcmpUnreplied, kIcmpReplied}, timeouts.icmp);
  set({kGenericUnreplied, kGenericReplied}, timeouts.generic);
  shortest_ = ~std::uint32_t{0};
  for (std::size_t state = 0; state < kFlowStates; ++state) {
    const auto id = static_cast<FlowState>(state);
    if (id != kFree && id != kReopen && id != kCut) shortest_ = std::min(shortest_, by_state_[state]);
  }
}

std::uint32_t TimeoutTable::OfCut(std::uint8_t protocol) const {
  const auto of = [this](FlowState state) { return by_state_[static_cast<std::size_t>(state)]; };
  switch (protocol) {
    case kProtoTcp:
      return of(kTcpUnacknowledged);
    case kProtoSctp:
      return of(kSctpEstablished);
    case kProtoUdp:
      return of(kUdpReplied);
    case kProtoIcmp:
    case kProtoIcmpv6:
      return of(kIcmpReplied);
    default:
      return of(kGenericReplied);
  }
}

}  // namespace sluice
