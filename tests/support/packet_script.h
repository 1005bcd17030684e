// Packets as text, for scenarios: one line a packet, layers from the outermost in, what must become of it at the end.
//
//   # a comment
//   0.000  ipv4 10.0.0.1 > 10.0.0.2 / tcp 40000 > 80 SYN seq=1            -> forward new
//   0.001  vlan 5 / ipv6 fd00::1 > fd00::2 hop=9 / udp 1 > 53 / payload 9 -> drop policy_denied
//   0.002  ipv4 10.0.0.1 > 10.0.0.2 / udp 1 > 53 / payload 900 | split 256 id=7 order=1,0,2,3
//          -> forward none, forward new, forward established
//
// A line that starts with blanks continues the one before. Ethernet may be left out. The layers are those of
// PacketBuilder, with its setters as key=value:
//   eth MAC > MAC            type=
//   vlan ID                  tpid= type=
//   arp SENDER > TARGET
//   ipv4 | ipv6 SRC > DST    version= hop= proto= total= options=HEX words= id= df fragment=ID:OFFSET[+] checksum=
//   hop-by-hop | destination-options   options=HEX router-alert=VALUE length= proto=
//   routing TYPE             length= proto=
//   fragment ID:OFFSET[+]    proto=               (+: more fragments)
//   ah;  extension PROTOCOL  length= proto=
//   tcp SPORT > DPORT FLAGS  seq= ack= options=HEX words= window=     (FLAGS: SYN,ACK or none)
//   udp SPORT > DPORT        length= checksum=
//   sctp SPORT > DPORT       tag=
//   init;  chunk TYPE        hex= length=
//   icmp | icmpv6 TYPE CODE  rest=
//   payload SIZE;  hex BYTES;  address ADDRESS    (its bytes)
// After `|`: `cut LENGTH` of the frame; `split SIZE id= order=` into fragments. Expectations are for each frame of the
// line in turn, the last one for all that are left: `forward STATE`, `drop REASON` or `reject REASON`.
#ifndef SLUICE_TESTS_SUPPORT_PACKET_SCRIPT_H_
#define SLUICE_TESTS_SUPPORT_PACKET_SCRIPT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/packet_builder.h"

namespace sluice {

struct ScriptedPacket {
  std::uint64_t time_us = 0;
  ByteVector bytes;
  std::string expected;  // "forward new"
  int line = 0;
};

// Throws std::runtime_error that names the line.
std::vector<ScriptedPacket> ParsePacketScript(std::string_view text);

// The capture that tcpdump would have made of them (pcap 2.4, microseconds, Ethernet, little-endian).
std::string WritePcap(const std::vector<ScriptedPacket>& packets);

}  // namespace sluice

#endif  // SLUICE_TESTS_SUPPORT_PACKET_SCRIPT_H_
