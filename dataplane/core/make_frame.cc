#include "core/make_frame.h"

#include <algorithm>
#include <cstring>

#include "core/made_frame.h"
#include "core/tcp_flags.h"
#include "core/wire.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint32_t kMacLength = 6;
constexpr std::uint32_t kIpv4Length = 20;
constexpr std::uint32_t kIpv6Length = 40;
constexpr std::uint32_t kTcpLength = 20;
constexpr std::uint32_t kIcmpLength = 8;
constexpr std::uint32_t kMinFrame = 60;  // IEEE 802.3, without the check sequence; not every driver pads
constexpr std::uint8_t kHopLimit = 64;

// RFC 1071. Adds 16-bit words in host order; carries are added at the end.
std::uint32_t Sum(const std::uint8_t* bytes, std::uint32_t length) {
  std::uint32_t sum = 0;
  for (; length >= 2; bytes += 2, length -= 2) sum += Load16(bytes);
  return length == 0 ? sum : sum + (std::uint32_t{*bytes} << 8);
}

std::uint16_t Fold(std::uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

bool IsAnswerable(const Frame& frame, const ParsedPacket& packet) {
  constexpr std::uint8_t kGroupAddress = 1;
  if (packet.Is(ParsedPacket::kFragment) && !packet.Is(ParsedPacket::kFirstFragment)) return false;
  if (((frame.data[0] | frame.data[kMacLength]) & kGroupAddress) != 0) return false;
  if ((packet.source_hi | packet.source_lo) == 0) return false;
  if (packet.family == Family::kIpv6) return packet.destination_hi >> 56 != 0xff;
  return packet.destination_lo >> 28 != 0xe && packet.destination_lo != 0xffffffff;
}

// Writes the Ethernet and IP headers of a packet to one end of the answered
// packet. `payload_length` bytes will follow. Returns where these bytes belong.
std::uint8_t* WriteHeaders(const Frame& frame, const ParsedPacket& packet, AnswerSide side, std::uint8_t traffic_class,
                           std::uint8_t protocol, std::uint32_t payload_length, MadeFrame& out) {
  const bool back = side == AnswerSide::kSender;
  std::memset(out.bytes, 0, kMinFrame);
  std::memcpy(out.bytes, frame.data, packet.l3_offset);
  if (back) std::swap_ranges(out.bytes, out.bytes + kMacLength, out.bytes + kMacLength);
  const IpAddress source = back ? packet.destination() : packet.source();
  const IpAddress destination = back ? packet.source() : packet.destination();
  std::uint8_t* ip = out.bytes + packet.l3_offset;
  std::uint8_t* payload = nullptr;
  if (packet.family == Family::kIpv4) {
    constexpr std::uint16_t kDontFragment = 0x4000;
    payload = ip + kIpv4Length;
    std::memset(ip, 0, kIpv4Length);
    ip[0] = 0x45;
    ip[1] = traffic_class;
    Store16(ip + 2, static_cast<std::uint16_t>(kIpv4Length + payload_length));
    Store16(ip + 6, kDontFragment);
    ip[8] = kHopLimit;
    ip[9] = protocol;
    source.CopyBytes(ip + 12);
    destination.CopyBytes(ip + 16);
    Store16(ip + 10, Fold(Sum(ip, kIpv4Length)));
  } else {
    payload = ip + kIpv6Length;
    Store32(ip, std::uint32_t{6} << 28 | std::uint32_t{traffic_class} << 20);
    Store16(ip + 4, static_cast<std::uint16_t>(payload_length));
    ip[6] = protocol;
    ip[7] = kHopLimit;
    source.CopyBytes(ip + 8);
    destination.CopyBytes(ip + 24);
  }
  out.out_port = back ? frame.port : frame.out_port;
  out.length =
      static_cast<std::uint16_t>(std::max(kMinFrame, static_cast<std::uint32_t>(payload - out.bytes) + payload_length));
  return payload;
}

// The sum of the pseudo-header of RFC 9293 3.1 and RFC 8200 8.1. The order of both ends' addresses does not matter.
std::uint32_t PseudoHeaderSum(const ParsedPacket& packet, std::uint8_t protocol, std::uint32_t length) {
  std::uint32_t sum = protocol + length;
  for (const std::uint64_t part : {packet.source_hi, packet.source_lo, packet.destination_hi, packet.destination_lo}) {
    for (int shift = 0; shift < 64; shift += 16) sum += part >> shift & 0xffff;
  }
  return sum;
}

}  // namespace

bool MakeTcpReset(const Frame& frame, const ParsedPacket& packet, AnswerSide side, MadeFrame& out) {
  if (packet.protocol != kProtoTcp || !packet.Is(ParsedPacket::kHasPorts)) return false;
  if ((packet.tcp_flags & kFlagRst) != 0 || !IsAnswerable(frame, packet)) return false;
  const std::uint8_t* segment = frame.data + packet.l4_offset;
  const std::uint32_t sequence = Load32(segment + 4);
  const std::uint32_t acknowledgement = Load32(segment + 8);
  const bool acknowledges = (packet.tcp_flags & kFlagAck) != 0;
  const bool back = side == AnswerSide::kSender;

  std::uint8_t* tcp = WriteHeaders(frame, packet, side, 0, kProtoTcp, kTcpLength, out);
  std::memset(tcp, 0, kTcpLength);
  Store16(tcp, back ? packet.destination_port : packet.source_port);
  Store16(tcp + 2, back ? packet.source_port : packet.destination_port);
  tcp[12] = kTcpLength / 4 << 4;
  if (back && acknowledges) {
    Store32(tcp + 4, acknowledgement);
    tcp[13] = kFlagRst;
  } else if (back) {
    const std::uint32_t header_length = (segment[12] >> 4) * 4u;
    const std::uint32_t segment_length = packet.l4_length - header_length +
                                         ((packet.tcp_flags & kFlagSyn) != 0 ? 1 : 0) +
                                         ((packet.tcp_flags & kFlagFin) != 0 ? 1 : 0);
    Store32(tcp + 8, sequence + segment_length);
    tcp[13] = kFlagRst | kFlagAck;
  } else {
    Store32(tcp + 4, sequence);
    if (acknowledges) Store32(tcp + 8, acknowledgement);
    tcp[13] = acknowledges ? kFlagRst | kFlagAck : kFlagRst;
  }
  Store16(tcp + 16, Fold(PseudoHeaderSum(packet, kProtoTcp, kTcpLength) + Sum(tcp, kTcpLength)));
  return true;
}

bool MakeAdminProhibited(const Frame& frame, const ParsedPacket& packet, MadeFrame& out) {
  constexpr std::uint8_t kInternetworkControl = 0xc0;  // RFC 1812 4.3.2.5
  if (!IsAnswerable(frame, packet)) return false;
  const bool ipv4 = packet.family == Family::kIpv4;
  const bool icmpv6 = !ipv4 && packet.protocol == kProtoIcmpv6;
  constexpr std::uint8_t kFirstInformational = 128, kRedirect = 137;  // RFC 4443 2.1
  if (packet.Is(ParsedPacket::kIcmpError)) return false;
  if (icmpv6 && (packet.icmp_type < kFirstInformational || packet.icmp_type == kRedirect)) return false;

  const std::uint32_t datagram = packet.l4_offset - packet.l3_offset + std::uint32_t{packet.l4_length};
  const std::uint32_t readable = frame.length - packet.l3_offset;
  const std::uint32_t headers = packet.l3_offset + (ipv4 ? kIpv4Length : kIpv6Length) + kIcmpLength;
  const std::uint32_t quote = std::min({datagram, readable, static_cast<std::uint32_t>(sizeof(out.bytes)) - headers});
  const std::uint32_t length = kIcmpLength + quote;
  std::uint8_t* icmp = WriteHeaders(frame, packet, AnswerSide::kSender, ipv4 ? kInternetworkControl : 0,
                                    ipv4 ? kProtoIcmp : kProtoIcmpv6, length, out);
  std::memset(icmp, 0, kIcmpLength);
  icmp[0] = ipv4 ? 3 : 1;   // destination unreachable
  icmp[1] = ipv4 ? 13 : 1;  // administratively prohibited
  std::memcpy(icmp + kIcmpLength, frame.data + packet.l3_offset, quote);
  const std::uint32_t pseudo = ipv4 ? 0 : PseudoHeaderSum(packet, kProtoIcmpv6, length);
  Store16(icmp + 2, Fold(pseudo + Sum(icmp, length)));
  return true;
}

bool MakeReject(const Frame& frame, const ParsedPacket& packet, MadeFrame& out) {
  if (packet.protocol == kProtoTcp) return MakeTcpReset(frame, packet, AnswerSide::kSender, out);
  return MakeAdminProhibited(frame, packet, out);
}

}  // namespace sluice
