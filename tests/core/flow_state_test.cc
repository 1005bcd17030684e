#include "core/flow_state.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/sctp_state.h"
#include "core/tcp_state.h"

namespace sluice {
namespace {

using enum FlowState;

constexpr Side kOriginator = Side::kOriginal;
constexpr Side kOther = Side::kReply;

struct Cell {
  FlowState from;
  Side side;
  FlowEvent event;
  FlowState to;
};

constexpr FlowState kTcpStates[] = {
    kTcpSynSent,       kTcpSynSentBoth,  kTcpSynReceived,    kTcpEstablished, kTcpFinOriginal,
    kTcpFinReply,      kTcpHalfOriginal, kTcpHalfReply,      kTcpLastAck,     kTcpTimeWait,
    kTcpCloseOriginal, kTcpCloseReply,   kTcpUnacknowledged, kTcpUnclaimed,   kCut};

// Every cell that changes the state, told from RFC 9293's side of the story; all others must leave it as it is.
const std::vector<Cell>& TcpChanges() {
  static const std::vector<Cell> cells = [] {
    std::vector<Cell> all = {
        // Opening, also from both ends at once.
        {kTcpSynSent, kOther, kTcpSynAckEvent, kTcpSynReceived},
        {kTcpSynSent, kOther, kTcpSynEvent, kTcpSynSentBoth},
        {kTcpSynSentBoth, kOriginator, kTcpSynAckEvent, kTcpSynReceived},
        {kTcpSynSentBoth, kOther, kTcpSynAckEvent, kTcpSynReceived},
        {kTcpSynReceived, kOriginator, kTcpAckEvent, kTcpEstablished},
        {kTcpUnacknowledged, kOther, kTcpAckEvent, kTcpEstablished},
        {kTcpUnclaimed, kOriginator, kTcpAckEvent, kTcpEstablished},
        // The originator closes first.
        {kTcpSynReceived, kOriginator, kTcpFinEvent, kTcpFinOriginal},
        {kTcpEstablished, kOriginator, kTcpFinEvent, kTcpFinOriginal},
        {kTcpUnacknowledged, kOriginator, kTcpFinEvent, kTcpFinOriginal},
        {kTcpUnclaimed, kOriginator, kTcpFinEvent, kTcpFinOriginal},
        {kTcpFinOriginal, kOther, kTcpAckEvent, kTcpHalfOriginal},
        {kTcpFinOriginal, kOther, kTcpFinEvent, kTcpLastAck},
        {kTcpHalfOriginal, kOther, kTcpFinEvent, kTcpLastAck},
        // The other end closes first.
        {kTcpSynReceived, kOther, kTcpFinEvent, kTcpFinReply},
        {kTcpEstablished, kOther, kTcpFinEvent, kTcpFinReply},
        {kTcpUnacknowledged, kOther, kTcpFinEvent, kTcpFinReply},
        {kTcpUnclaimed, kOther, kTcpFinEvent, kTcpFinReply},
        {kTcpFinReply, kOriginator, kTcpAckEvent, kTcpHalfReply},
        {kTcpFinReply, kOriginator, kTcpFinEvent, kTcpLastAck},
        {kTcpHalfReply, kOriginator, kTcpFinEvent, kTcpLastAck},
        // Both have closed.
        {kTcpLastAck, kOriginator, kTcpAckEvent, kTcpTimeWait},
        {kTcpLastAck, kOther, kTcpAckEvent, kTcpTimeWait},
        // A reset that its sender belies.
        {kTcpCloseOriginal, kOriginator, kTcpAckEvent, kTcpUnacknowledged},
        {kTcpCloseReply, kOther, kTcpAckEvent, kTcpUnclaimed},
    };
    for (const FlowState state : kTcpStates) {
      const bool over = state == kTcpCloseOriginal || state == kTcpCloseReply || state == kCut;
      if (!over) {
        all.push_back({state, kOriginator, kTcpRstEvent, kTcpCloseOriginal});
        all.push_back({state, kOther, kTcpRstEvent, kTcpCloseReply});
      }
      if (over || state == kTcpTimeWait || state == kTcpUnacknowledged || state == kTcpUnclaimed) {
        all.push_back({state, kOriginator, kTcpSynEvent, kReopen});
        all.push_back({state, kOther, kTcpSynEvent, kReopen});
      }
    }
    return all;
  }();
  return cells;
}

TEST(TcpState, EveryCell) {
  ASSERT_EQ(TcpTable().size(), std::size(kTcpStates));
  std::size_t checked = 0;
  for (const FlowState state : kTcpStates) {
    for (const Side side : {kOriginator, kOther}) {
      for (FlowEvent event = 0; event < kTcpEvents; ++event) {
        FlowState expected = state;
        for (const Cell& cell : TcpChanges()) {
          if (cell.from == state && cell.side == side && cell.event == event) expected = cell.to;
        }
        EXPECT_EQ(Name(NextState(state, side, event)), Name(expected))
            << Name(state) << " side " << static_cast<int>(side) << " event " << static_cast<int>(event);
        EXPECT_EQ(NextState(state, side, event), expected);
        ++checked;
      }
    }
  }
  EXPECT_EQ(checked, 15u * 2 * 5);
}

TEST(TcpState, EventsByFlags) {
  const std::map<int, FlowEvent> expected = {
      {0x10, kTcpAckEvent}, {0x18, kTcpAckEvent}, {0x02, kTcpSynEvent}, {0x12, kTcpSynAckEvent}, {0x11, kTcpFinEvent},
      {0x19, kTcpFinEvent}, {0x04, kTcpRstEvent}, {0x14, kTcpRstEvent}, {0xc2, kTcpSynEvent},    {0x00, kDataEvent}};
  for (const auto& [flags, event] : expected) {
    ParsedPacket packet;
    packet.protocol = kProtoTcp;
    packet.tcp_flags = static_cast<std::uint8_t>(flags);
    EXPECT_EQ(EventOf(packet), event) << flags;
  }
}

TEST(TcpState, FirstPacketDecidesTheState) {
  EXPECT_EQ(FirstState(kProtoTcp, kOriginator, kTcpSynEvent), kTcpSynSent);
  EXPECT_EQ(FirstState(kProtoTcp, kOriginator, kTcpAckEvent), kTcpUnacknowledged);
  EXPECT_EQ(FirstState(kProtoTcp, kOriginator, kTcpSynAckEvent), kTcpUnacknowledged);
  EXPECT_EQ(FirstState(kProtoTcp, kOriginator, kTcpFinEvent), kTcpFinOriginal);
  EXPECT_EQ(FirstState(kProtoTcp, kOriginator, kTcpRstEvent), kTcpCloseOriginal);
  EXPECT_EQ(FirstState(kProtoTcp, kOther, kTcpAckEvent), kTcpUnclaimed);
  EXPECT_EQ(FirstState(kProtoTcp, kOther, kTcpSynAckEvent), kTcpUnclaimed);
  EXPECT_EQ(FirstState(kProtoTcp, kOther, kTcpFinEvent), kTcpFinReply);
  EXPECT_EQ(FirstState(kProtoTcp, kOther, kTcpRstEvent), kTcpCloseReply);
}

TEST(FlowState, OriginatorOfWhatIsPickedUpIsGuessedFromThePorts) {
  EXPECT_EQ(GuessSide(40000, 443), kOriginator);
  EXPECT_EQ(GuessSide(443, 40000), kOther);
  EXPECT_EQ(GuessSide(32768, 32767), kOriginator);
  EXPECT_EQ(GuessSide(32767, 32768), kOther);
  EXPECT_EQ(GuessSide(80, 80), kOriginator) << "the ports do not tell: the end that speaks";
  EXPECT_EQ(GuessSide(50000, 50001), kOriginator);
}

FlowState Walk(FlowState state, const std::vector<std::pair<Side, FlowEvent>>& packets) {
  for (const auto& [side, event] : packets) state = NextState(state, side, event);
  return state;
}

TEST(SctpState, AssociationFromInitToShutdown) {
  FlowState state = FirstState(kProtoSctp, kOriginator, kSctpInitEvent);
  EXPECT_EQ(Name(state), "COOKIE_WAIT");
  state = Walk(state, {{kOther, kSctpInitAckEvent}, {kOriginator, kSctpCookieEchoEvent}});
  EXPECT_EQ(state, kSctpCookieEchoed);
  state = Walk(state, {{kOther, kSctpCookieAckEvent}});
  EXPECT_EQ(state, kSctpEstablished);
  state = Walk(state, {{kOriginator, kSctpOtherEvent}, {kOther, kSctpOtherEvent}, {kOriginator, kSctpInitEvent}});
  EXPECT_EQ(state, kSctpEstablished);
  EXPECT_EQ(Walk(state, {{kOther, kSctpShutdownEvent}}), kSctpShutdownReceived);
  state = Walk(state, {{kOriginator, kSctpShutdownEvent}});
  EXPECT_EQ(state, kSctpShutdownSent);
  state = Walk(state, {{kOther, kSctpShutdownAckEvent}});
  EXPECT_EQ(state, kSctpShutdownAckSent);
  state = Walk(state, {{kOriginator, kSctpShutdownCompleteEvent}});
  EXPECT_EQ(state, kSctpClosed);
  EXPECT_EQ(Walk(state, {{kOther, kSctpInitEvent}}), kReopen);
}

TEST(SctpState, AbortClosesWhereverTheAssociationIs) {
  for (const SctpRow& row : SctpTable()) {
    const FlowState expected = row.state == kCut ? kCut : kSctpClosed;
    EXPECT_EQ(NextState(row.state, kOriginator, kSctpAbortEvent), expected) << Name(row.state);
    EXPECT_EQ(NextState(row.state, kOther, kSctpAbortEvent), expected) << Name(row.state);
  }
}

TEST(SctpState, OneEndAloneEstablishesNothing) {
  for (FlowEvent event = 0; event < kSctpEvents; ++event) {
    for (const FlowState state : {kSctpInitSent, kSctpInitAnswered, kSctpCookieEchoed, kSctpHeartbeatSent}) {
      EXPECT_NE(NextState(state, kOriginator, event), kSctpEstablished);
    }
  }
  EXPECT_EQ(NextState(kSctpHeartbeatSent, kOther, kSctpOtherEvent), kSctpEstablished);
  for (FlowEvent event = 0; event < kSctpEvents; ++event) {
    EXPECT_NE(NextState(kSctpUnclaimed, kOther, event), kSctpEstablished);
    EXPECT_NE(FirstState(kProtoSctp, kOther, event), kSctpEstablished);
  }
  EXPECT_EQ(NextState(kSctpUnclaimed, kOriginator, kSctpOtherEvent), kSctpEstablished);
}

TEST(FlowState, TablesOfTcpAndSctpAgreeOnCutFlows) {
  const TcpRow* tcp = nullptr;
  for (const TcpRow& row : TcpTable()) tcp = row.state == kCut ? &row : tcp;
  const SctpRow* sctp = nullptr;
  for (const SctpRow& row : SctpTable()) sctp = row.state == kCut ? &row : sctp;
  ASSERT_NE(tcp, nullptr);
  ASSERT_NE(sctp, nullptr);
  for (std::size_t event = 0; event < kTcpEvents; ++event) {
    EXPECT_EQ(tcp->original[event], sctp->original[event]);
    EXPECT_EQ(tcp->reply[event], sctp->reply[event]);
  }
  static_assert(kTcpSynEvent == static_cast<int>(kSctpInitEvent));
}

TEST(FlowState, UdpIsReplied_OnceBothEndsHaveSpoken) {
  FlowState state = FirstState(kProtoUdp, kOriginator, kDataEvent);
  state = Walk(state, {{kOriginator, kDataEvent}});
  EXPECT_EQ(state, kUdpUnreplied);
  state = Walk(state, {{kOther, kDataEvent}});
  EXPECT_EQ(state, kUdpReplied);
  EXPECT_EQ(Walk(state, {{kOther, kDataEvent}, {kOriginator, kDataEvent}}), kUdpReplied);
}

TEST(FlowState, EveryStateHasATimeout) {
  const TimeoutTable table{Timeouts{}};
  for (std::size_t state = 1; state < static_cast<std::size_t>(kReopen); ++state) {
    EXPECT_GT(table.Of(static_cast<FlowState>(state), kProtoTcp), 0u) << Name(static_cast<FlowState>(state));
  }
  EXPECT_EQ(table.Of(kTcpEstablished, kProtoTcp), 432000u * 1000);
  EXPECT_EQ(table.Of(kUdpUnreplied, kProtoUdp), 30u * 1000);
  EXPECT_EQ(table.Of(kUdpReplied, kProtoUdp), 120u * 1000);
  EXPECT_EQ(table.shortest(), 3u * 1000);
  Timeouts century;
  century.generic = 0xffffffff;
  EXPECT_EQ(TimeoutTable{century}.Of(kGenericReplied, 47), std::uint32_t{1} << 31);
}

TEST(FlowState, CutFlowIsKnownAsLongAsItsProtocolsIdleFlows) {
  const TimeoutTable table{Timeouts{}};
  EXPECT_EQ(table.Of(kCut, kProtoTcp), 300u * 1000);
  EXPECT_EQ(table.Of(kCut, kProtoSctp), 210u * 1000);
  EXPECT_EQ(table.Of(kCut, kProtoUdp), 120u * 1000);
  EXPECT_EQ(table.Of(kCut, kProtoIcmp), 30u * 1000);
  EXPECT_EQ(table.Of(kCut, kProtoIcmpv6), 30u * 1000);
  EXPECT_EQ(table.Of(kCut, 47), 600u * 1000);
}

}  // namespace
}  // namespace sluice
