// Frames that the filter makes itself: TCP resets and ICMP "administratively prohibited".
//
// The filter has no address of its own: an answer comes from the other end's addresses (as Linux's REJECT does on a
// bridge) and keeps the VLAN tags of the frame it answers. Pure functions; `packet` is what Parse found in `frame`.
// They return false, and leave `out` alone, if no answer may be sent: to or from a multicast, broadcast or unspecified
// address, to a fragment that is not the first, to a reset, or to an ICMP error (RFC 1122 3.2.2, RFC 4443 2.4).
#ifndef SLUICE_DATAPLANE_CORE_MAKE_FRAME_H_
#define SLUICE_DATAPLANE_CORE_MAKE_FRAME_H_

#include <cstdint>

#include "core/packet.h"

namespace sluice {

struct MadeFrame;

enum class AnswerSide : std::uint8_t {
  kSender,    // back out of the port that the frame came in by, as if from its receiver
  kReceiver,  // the way that the frame would have gone, as if from its sender
};

// Tells one end of a TCP connection that it is over. Toward the sender: RFC 9293 3.10.7.1. Toward the receiver, the
// reset has the sequence number that it expects next, if `frame` came in order: RFC 5961 3.2 requires that of a reset.
bool MakeTcpReset(const Frame& frame, const ParsedPacket& packet, AnswerSide side, MadeFrame& out);

// ICMP 3/13 (RFC 1812 5.2.7.1) or ICMPv6 1/1 (RFC 4443 3.1) to the sender, quoting as much of the frame as fits.
bool MakeAdminProhibited(const Frame& frame, const ParsedPacket& packet, MadeFrame& out);

// The answer to a rejected packet: a reset to the sender for TCP, else MakeAdminProhibited.
bool MakeReject(const Frame& frame, const ParsedPacket& packet, MadeFrame& out);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_MAKE_FRAME_H_
