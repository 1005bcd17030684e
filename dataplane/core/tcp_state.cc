#include "core/tcp_state.h"

namespace sluice {
namespace {

using enum FlowState;

constexpr FlowState SS = kTcpSynSent, S2 = kTcpSynSentBoth, SR = kTcpSynReceived, ES = kTcpEstablished,
                    FO = kTcpFinOriginal, FR = kTcpFinReply, HO = kTcpHalfOriginal, HR = kTcpHalfReply,
                    LA = kTcpLastAck, TW = kTcpTimeWait, CO = kTcpCloseOriginal, CR = kTcpCloseReply,
                    UN = kTcpUnacknowledged, UC = kTcpUnclaimed, CU = kCut, NEW = kReopen;

// Sequence numbers are not tracked, so nothing here trusts one packet alone to end a flow:
// - A RST leads to CLOSE, which lives for seconds. Where the end that is said to have sent it goes on speaking, it was
//   forged (or lost its race), and the flow is picked up again as one whose other end must be heard first.
// - A FIN is believed for its own side only; a repeated one changes nothing.
// - A SYN on a live connection is answered by its receiver (RFC 9293 3.10.7.4) and changes nothing here; on one that is
//   over it opens a new connection, judged anew, in its own direction.
// clang-format off
constexpr TcpRow kRows[] = {
    //     originator's: ACK SYN S+A FIN RST   the other's: ACK SYN S+A FIN RST
    {SS, /* SYN_SENT  */ {SS, SS,  SS, SS, CO},           {SS, S2,  SR, SS, CR}},
    {S2, /* SYN_SENT2 */ {S2, S2,  SR, S2, CO},           {S2, S2,  SR, S2, CR}},
    {SR, /* SYN_RECV  */ {ES, SR,  SR, FO, CO},           {SR, SR,  SR, FR, CR}},
    {ES, /* ESTABL.   */ {ES, ES,  ES, FO, CO},           {ES, ES,  ES, FR, CR}},
    {FO, /* FIN_WAIT  */ {FO, FO,  FO, FO, CO},           {HO, FO,  FO, LA, CR}},
    {FR, /* FIN_WAIT  */ {HR, FR,  FR, LA, CO},           {FR, FR,  FR, FR, CR}},
    {HO, /* CLOSE_WAIT*/ {HO, HO,  HO, HO, CO},           {HO, HO,  HO, LA, CR}},
    {HR, /* CLOSE_WAIT*/ {HR, HR,  HR, LA, CO},           {HR, HR,  HR, HR, CR}},
    {LA, /* LAST_ACK  */ {TW, LA,  LA, LA, CO},           {TW, LA,  LA, LA, CR}},
    {TW, /* TIME_WAIT */ {TW, NEW, TW, TW, CO},           {TW, NEW, TW, TW, CR}},
    {CO, /* CLOSE     */ {UN, NEW, CO, CO, CO},           {CO, NEW, CO, CO, CO}},
    {CR, /* CLOSE     */ {CR, NEW, CR, CR, CR},           {UC, NEW, CR, CR, CR}},
    {UN, /* UNACKN.   */ {UN, NEW, UN, FO, CO},           {ES, NEW, UN, FR, CR}},
    {UC, /* UNACKN.   */ {ES, NEW, UC, FO, CO},           {UC, NEW, UC, FR, CR}},
    {CU, /* CUT       */ {CU, NEW, CU, CU, CU},           {CU, NEW, CU, CU, CU}},
};
constexpr std::array<FlowState, kTcpEvents>
    kFirst =             {UN, SS,  UN, FO, CO}, kFirstOfReply =
                                                          {UC, SS,  UC, FR, CR};
// clang-format on

}  // namespace

std::span<const TcpRow> TcpTable() { return kRows; }
const std::array<FlowState, kTcpEvents>& TcpFirstStates(Side side) {
  return side == Side::kOriginal ? kFirst : kFirstOfReply;
}

}  // namespace sluice
