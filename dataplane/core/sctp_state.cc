#include "core/sctp_state.h"

namespace sluice {
namespace {

using enum FlowState;

constexpr FlowState IS = kSctpInitSent, IA = kSctpInitAnswered, CE = kSctpCookieEchoed, ES = kSctpEstablished,
                    SS = kSctpShutdownSent, SR = kSctpShutdownReceived, SA = kSctpShutdownAckSent, CL = kSctpClosed,
                    HB = kSctpHeartbeatSent, UC = kSctpUnclaimed, CU = kCut, NEW = kReopen;

// Verification tags are not tracked. An INIT on a live association is a restart: its receiver answers without giving
// up the old association (RFC 9260 5.2.2). On one that is over, an INIT opens a new association, which is judged anew.
// clang-format off
constexpr SctpRow kRows[] = {
    // originator's: other INIT IACK ECHO CACK ABRT SHUT SACK SCOM
    //  the other's: other INIT IACK ECHO CACK ABRT SHUT SACK SCOM
    {IS, /* COOKIE_WAIT */       {IS, IS,  IS, CE, IS, CL, IS, IS, IS},
                                 {IS, IS,  IA, IS, IS, CL, IS, IS, IS}},
    {IA, /* COOKIE_WAIT */       {IA, IA,  IA, CE, IA, CL, IA, IA, IA},
                                 {IA, IA,  IA, IA, IA, CL, IA, IA, IA}},
    {CE, /* COOKIE_ECHOED */     {CE, CE,  CE, CE, CE, CL, CE, CE, CE},
                                 {CE, CE,  CE, CE, ES, CL, CE, CE, CE}},
    {ES, /* ESTABLISHED */       {ES, ES,  ES, ES, ES, CL, SS, SA, ES},
                                 {ES, ES,  ES, ES, ES, CL, SR, SA, ES}},
    {SS, /* SHUTDOWN_SENT */     {SS, SS,  SS, SS, SS, CL, SS, SA, SS},
                                 {SS, SS,  SS, SS, SS, CL, SS, SA, SS}},
    {SR, /* SHUTDOWN_RECD */     {SR, SR,  SR, SR, SR, CL, SR, SA, SR},
                                 {SR, SR,  SR, SR, SR, CL, SR, SA, SR}},
    {SA, /* SHUTDOWN_ACK_SENT */ {SA, SA,  SA, SA, SA, CL, SA, SA, CL},
                                 {SA, SA,  SA, SA, SA, CL, SA, SA, CL}},
    {CL, /* CLOSED */            {CL, NEW, CL, CL, CL, CL, CL, CL, CL},
                                 {CL, NEW, CL, CL, CL, CL, CL, CL, CL}},
    {HB, /* HEARTBEAT_SENT */    {HB, NEW, HB, CE, HB, CL, SS, SA, CL},
                                 {ES, NEW, HB, HB, ES, CL, SR, SA, CL}},
    {UC, /* HEARTBEAT_SENT */    {ES, NEW, UC, CE, UC, CL, SS, SA, CL},
                                 {UC, NEW, UC, UC, UC, CL, SR, SA, CL}},
    {CU, /* CUT */               {CU, NEW, CU, CU, CU, CU, CU, CU, CU},
                                 {CU, NEW, CU, CU, CU, CU, CU, CU, CU}},
};
constexpr std::array<FlowState, kSctpEvents>
    kFirst =                     {HB, IS,  HB, CE, HB, CL, SS, SA, CL},
    kFirstOfReply =              {UC, IS,  UC, UC, UC, CL, SR, SA, CL};
// clang-format on

}  // namespace

std::span<const SctpRow> SctpTable() { return kRows; }
const std::array<FlowState, kSctpEvents>& SctpFirstStates(Side side) {
  return side == Side::kOriginal ? kFirst : kFirstOfReply;
}

}  // namespace sluice
