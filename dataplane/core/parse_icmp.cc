#include "core/parse_layers.h"
#include "core/wire.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint8_t kIcmpLength = 8;

// What a type requires. `query`: bytes 4 and 5 are an identifier that the reply repeats.
struct IcmpType {
  std::uint8_t min_length = kIcmpLength;
  std::uint16_t flags = 0;
  bool query = false;
};

// RFC 792, 950, 8335. An error quotes at least an IP header.
constexpr IcmpType TypeOfIcmpv4(std::uint8_t type) {
  constexpr std::uint8_t kErrorLength = kIcmpLength + 20;
  switch (type) {
    case 3:   // destination unreachable
    case 4:   // source quench
    case 5:   // redirect
    case 11:  // time exceeded
    case 12:  // parameter problem
      return {kErrorLength, ParsedPacket::kIcmpError, false};
    case 8:   // echo
    case 15:  // information request
    case 42:  // extended echo request
      return {kIcmpLength, 0, true};
    case 0:   // echo reply
    case 16:  // information reply
    case 43:  // extended echo reply
      return {kIcmpLength, ParsedPacket::kReplyType, true};
    case 13:  // timestamp
      return {20, 0, true};
    case 14:  // timestamp reply
      return {20, ParsedPacket::kReplyType, true};
    case 17:  // address mask request
      return {12, 0, true};
    case 18:  // address mask reply
      return {12, ParsedPacket::kReplyType, true};
    default:
      return {};
  }
}

// RFC 4443, 4620, 6275, 8335.
constexpr IcmpType TypeOfIcmpv6(std::uint8_t type) {
  constexpr std::uint8_t kErrorLength = kIcmpLength + 40;
  constexpr std::uint8_t kNodeInformationLength = 16;
  switch (type) {
    case 1:  // destination unreachable
    case 2:  // packet too big
    case 3:  // time exceeded
    case 4:  // parameter problem
      return {kErrorLength, ParsedPacket::kIcmpError, false};
    case 128:  // echo request
    case 144:  // home agent address discovery request
    case 160:  // extended echo request
      return {kIcmpLength, 0, true};
    case 129:  // echo reply
    case 145:  // home agent address discovery reply
    case 161:  // extended echo reply
      return {kIcmpLength, ParsedPacket::kReplyType, true};
    case 139:  // node information query
      return {kNodeInformationLength, 0, false};
    case 140:  // node information response
      return {kNodeInformationLength, ParsedPacket::kReplyType, false};
    default:
      return {};
  }
}

constexpr std::uint8_t kCertificationPathSolicitation = 148;  // RFC 3971 6.4

bool IsMld(std::uint8_t type) { return (type >= 130 && type <= 132) || type == 143; }
bool IsNeighbourDiscovery(std::uint8_t type) { return type >= 133 && type <= 137; }

}  // namespace

std::uint8_t FillIcmp(const std::uint8_t* header, ParsedPacket& out) {
  const IcmpType type = out.family == Family::kIpv4 ? TypeOfIcmpv4(header[0]) : TypeOfIcmpv6(header[0]);
  out.icmp_type = header[0];
  out.icmp_code = header[1];
  out.flags |= type.flags;
  if (type.query) out.source_port = out.destination_port = Load16(header + 4);
  return type.min_length;
}

DropReason ParseIcmp(const Bytes& bytes, const Ipv6Facts& facts, ParsedPacket& out) {
  if (const DropReason reason = RequireTransport(bytes, kIcmpLength, out, DropReason::kIcmpMalformed);
      reason != DropReason::kNone) {
    return reason;
  }
  const std::uint8_t min_length = FillIcmp(bytes.data + out.l4_offset, out);
  if (out.family == Family::kIpv6) {
    if (IsNeighbourDiscovery(out.icmp_type)) return ParseNeighbourDiscovery(bytes, facts, out);
    if (IsMld(out.icmp_type)) return ParseMld(bytes, facts, out);
    // Policy judges it, but like neighbour discovery it must not be fragmented (RFC 6980 5).
    if (out.icmp_type == kCertificationPathSolicitation && facts.fragment_header) return DropReason::kNdInvalid;
  }
  // Errors are kept small enough for every link (RFC 1812 4.3.2.3, RFC 4443 2.4), so nobody needs to fragment
  // them. And nothing would tell that a later fragment belongs to the packet that the first fragment quotes.
  if (out.Is(ParsedPacket::kIcmpError) && out.Is(ParsedPacket::kFragment)) return DropReason::kIcmpMalformed;
  return RequireTransport(bytes, min_length, out, DropReason::kIcmpMalformed);
}

}  // namespace sluice
