#include "core/parse_layers.h"
#include "core/wire.h"

namespace sluice {
namespace {

constexpr std::uint64_t kLinkLocalMask = std::uint64_t{0xffc0} << 48;
constexpr std::uint64_t kLinkLocalPrefix = std::uint64_t{0xfe80} << 48;

bool IsMulticast(const std::uint8_t* address) { return address[0] == 0xff; }
bool IsUnspecified(std::uint64_t hi, std::uint64_t lo) { return (hi | lo) == 0; }
bool SourceIsLinkLocal(const ParsedPacket& packet) { return (packet.source_hi & kLinkLocalMask) == kLinkLocalPrefix; }
bool SourceIsUnspecified(const ParsedPacket& packet) { return IsUnspecified(packet.source_hi, packet.source_lo); }

// ff02::1:ff00:0/104 (RFC 4291 2.7.1).
bool DestinationIsSolicitedNode(const ParsedPacket& packet) {
  return packet.destination_hi == std::uint64_t{0xff02} << 48 && packet.destination_lo >> 24 == 0x1ff;
}

struct OptionsFound {
  bool valid = true;
  bool source_link_layer = false;
};

// RFC 4861 4.6: each option has a length, in units of 8 bytes, which is not zero.
OptionsFound WalkDiscoveryOptions(const std::uint8_t* options, std::uint32_t length) {
  constexpr std::uint8_t kSourceLinkLayerAddress = 1;
  OptionsFound found;
  for (std::uint32_t i = 0; i < length;) {
    if (i + 2 > length || options[i + 1] == 0 || i + options[i + 1] * 8u > length) return {.valid = false};
    if (options[i] == kSourceLinkLayerAddress) found.source_link_layer = true;
    i += options[i + 1] * 8u;
  }
  return found;
}

// The part of a message before the options, by type.
constexpr std::uint8_t kRouterSolicitation = 133, kRouterAdvertisement = 134, kNeighbourSolicitation = 135,
                       kNeighbourAdvertisement = 136, kRedirect = 137;
std::uint32_t DiscoveryLength(std::uint8_t type) {
  constexpr std::uint8_t kLengths[] = {8, 16, 24, 24, 40};
  return kLengths[type - kRouterSolicitation];
}

// What each type requires of addresses and options (RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1).
bool FitsDiscoveryType(const std::uint8_t* message, const OptionsFound& options, const ParsedPacket& packet) {
  const bool unspecified = SourceIsUnspecified(packet);
  switch (packet.icmp_type) {
    case kRouterSolicitation:
      return !unspecified || !options.source_link_layer;
    case kRouterAdvertisement:
      return SourceIsLinkLocal(packet);
    case kNeighbourSolicitation:
      if (IsMulticast(message + 8)) return false;
      return !unspecified || (DestinationIsSolicitedNode(packet) && !options.source_link_layer);
    case kNeighbourAdvertisement: {
      const bool solicited = (message[4] & 0x40) != 0;
      return !IsMulticast(message + 8) && !(solicited && packet.destination_hi >> 56 == 0xff);
    }
    case kRedirect: {  // the target is the destination itself, or a router's link-local address
      const std::uint64_t target_hi = Load64(message + 8);
      const bool same = target_hi == Load64(message + 24) && Load64(message + 16) == Load64(message + 32);
      const bool router = (target_hi & kLinkLocalMask) == kLinkLocalPrefix;
      return SourceIsLinkLocal(packet) && !IsMulticast(message + 24) && (same || router);
    }
    default:
      return false;
  }
}

}  // namespace

DropReason ParseNeighbourDiscovery(const Bytes& bytes, const Ipv6Facts& facts, ParsedPacket& out) {
  const std::uint32_t fixed = DiscoveryLength(out.icmp_type);
  if (facts.fragment_header || facts.hop_limit != 255 || out.icmp_code != 0) return DropReason::kNdInvalid;
  if (const DropReason reason = RequireTransport(bytes, fixed, out, DropReason::kNdInvalid);
      reason != DropReason::kNone) {
    return reason;
  }
  if (const DropReason reason = RequireTransport(bytes, out.l4_length, out, DropReason::kNdInvalid);
      reason != DropReason::kNone) {
    return reason;
  }
  const std::uint8_t* message = bytes.data + out.l4_offset;
  const OptionsFound options = WalkDiscoveryOptions(message + fixed, out.l4_length - fixed);
  if (!options.valid || !FitsDiscoveryType(message, options, out)) return DropReason::kNdInvalid;
  out.flags |= ParsedPacket::kAlwaysPass;
  return DropReason::kNone;
}

DropReason ParseMld(const Bytes& bytes, const Ipv6Facts& facts, ParsedPacket& out) {
  constexpr std::uint8_t kQuery = 130, kReportV2 = 143;
  constexpr std::uint32_t kV1Length = 24, kV2QueryLength = 28, kV2ReportLength = 8;
  if (out.Is(ParsedPacket::kFragment) || facts.hop_limit != 1 || !facts.mld_router_alert) return DropReason::kNdInvalid;
  const std::uint32_t fixed = out.icmp_type == kReportV2 ? kV2ReportLength : kV1Length;
  if (const DropReason reason = RequireTransport(bytes, fixed, out, DropReason::kNdInvalid);
      reason != DropReason::kNone) {
    return reason;
  }
  if (out.icmp_type == kQuery) {
    // RFC 3810 8.1: 24 bytes, or a version 2 query with all its sources.
    if (!SourceIsLinkLocal(out)) return DropReason::kNdInvalid;
    if (out.l4_length == kV1Length) {
      out.flags |= ParsedPacket::kAlwaysPass;
      return DropReason::kNone;
    }
    if (const DropReason reason = RequireTransport(bytes, kV2QueryLength, out, DropReason::kNdInvalid);
        reason != DropReason::kNone) {
      return reason;
    }
    const std::uint32_t sources = Load16(bytes.data + out.l4_offset + 26);
    if (kV2QueryLength + sources * 16 > out.l4_length) return DropReason::kNdInvalid;
  } else if (!SourceIsLinkLocal(out) && !SourceIsUnspecified(out)) {
    return DropReason::kNdInvalid;  // RFC 3590 4, RFC 3810 5.2.13
  }
  out.flags |= ParsedPacket::kAlwaysPass;
  return DropReason::kNone;
}

}  // namespace sluice
