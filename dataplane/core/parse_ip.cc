#include "core/first_packet.h"
#include "core/parse.h"
#include "core/parse_layers.h"
#include "core/wire.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint32_t kIpv4Length = 20;
constexpr std::uint32_t kIpv6Length = 40;
constexpr std::uint32_t kMaxDatagram = 65535;

// RFC 791 3.1. A source route names further destinations besides the one that policy
// is asked about. It is refused, as RFC 7126 advises, like IPv6's routing type 0.
DropReason CheckIpv4Options(const std::uint8_t* options, std::uint32_t length) {
  constexpr std::uint8_t kEnd = 0, kNoOperation = 1, kLooseSourceRoute = 131, kStrictSourceRoute = 137;
  for (std::uint32_t i = 0; i < length;) {
    const std::uint8_t type = options[i];
    if (type == kEnd) break;
    if (type == kNoOperation) {
      ++i;
      continue;
    }
    if (i + 1 >= length || options[i + 1] < 2 || i + options[i + 1] > length) return DropReason::kBadIpOptions;
    if (type == kLooseSourceRoute || type == kStrictSourceRoute) return DropReason::kBadIpOptions;
    i += options[i + 1];
  }
  return DropReason::kNone;
}

// Hop-by-hop and destination options (RFC 8200 4.2). The bounds on padding and number are those
// of RFC 8504 5.3, which Linux enforces too: so options cannot cost more than packets do.
DropReason CheckIpv6Options(const std::uint8_t* options, std::uint32_t length, bool hop_by_hop, Ipv6Facts& facts) {
  constexpr std::uint8_t kPad1 = 0, kPadN = 1, kRouterAlert = 5, kJumboPayload = 194;
  constexpr std::uint32_t kMaxPadding = 7;
  constexpr int kMaxOptions = 8;
  std::uint32_t padding = 0;
  int count = 0;
  for (std::uint32_t i = 0; i < length;) {
    const std::uint8_t type = options[i];
    if (type == kPad1) {
      ++i;
      if (++padding > kMaxPadding) return DropReason::kBadIpOptions;
      continue;
    }
    if (i + 1 >= length) return DropReason::kBadIpOptions;
    const std::uint32_t size = std::uint32_t{2} + options[i + 1];
    if (i + size > length) return DropReason::kBadIpOptions;
    if (type == kPadN) {
      padding += size;
      if (padding > kMaxPadding) return DropReason::kBadIpOptions;
    } else {
      padding = 0;
      if (++count > kMaxOptions) return DropReason::kBadIpOptions;
      if (hop_by_hop && type == kJumboPayload) return DropReason::kBadIpLength;
      if (hop_by_hop && type == kRouterAlert && size == 4) facts.mld_router_alert = Load16(options + i + 2) == 0;
    }
    i += size;
  }
  return DropReason::kNone;
}

DropReason FillFragment(std::uint32_t offset, bool more, std::uint32_t id, std::uint32_t length,
                        std::uint32_t header_length, ParsedPacket& out) {
  // A fragment with offset 8 could only serve to rewrite the flags of its TCP header (RFC 3128).
  if (offset == 8 && out.protocol == kProtoTcp) return DropReason::kFragmentTooShort;
  if (length == 0 || (more && length % 8 != 0)) return DropReason::kFragmentBadLength;
  if (header_length + offset + length > kMaxDatagram) return DropReason::kFragmentBadLength;
  out.fragment_id = id;
  out.fragment_offset = static_cast<std::uint16_t>(offset);
  out.fragment_length = static_cast<std::uint16_t>(length);
  out.flags |= ParsedPacket::kFragment;
  if (offset == 0) out.flags |= ParsedPacket::kFirstFragment;
  if (more) out.flags |= ParsedPacket::kMoreFragments;
  return DropReason::kNone;
}

bool IsLaterFragment(const ParsedPacket& packet) {
  return packet.Is(ParsedPacket::kFragment) && !packet.Is(ParsedPacket::kFirstFragment);
}

// Walks from the IPv4 header to out.l4_offset. Checks the total length against the header only.
DropReason WalkIpv4(const Bytes& bytes, ParsedPacket& out) {
  if (bytes.readable < out.l3_offset + kIpv4Length) return DropReason::kTruncated;
  const std::uint8_t* ip = bytes.data + out.l3_offset;
  if (ip[0] >> 4 != 4) return DropReason::kBadIpVersion;
  const std::uint32_t header_length = (ip[0] & 15u) * 4;
  const std::uint32_t total_length = Load16(ip + 2);
  if (header_length < kIpv4Length || total_length < header_length) return DropReason::kBadIpLength;
  if (bytes.readable < out.l3_offset + header_length) return DropReason::kTruncated;
  if (const DropReason reason = CheckIpv4Options(ip + kIpv4Length, header_length - kIpv4Length);
      reason != DropReason::kNone) {
    return reason;
  }
  out.family = Family::kIpv4;
  out.protocol = ip[9];
  out.source_lo = Load32(ip + 12);
  out.destination_lo = Load32(ip + 16);
  out.l4_offset = static_cast<std::uint16_t>(out.l3_offset + header_length);
  out.l4_length = static_cast<std::uint16_t>(total_length - header_length);
  const std::uint32_t fragment = Load16(ip + 6);
  const std::uint32_t offset = (fragment & 0x1fff) * 8;
  const bool more = (fragment & 0x2000) != 0;
  if (offset == 0 && !more) return DropReason::kNone;
  return FillFragment(offset, more, Load16(ip + 4), out.l4_length, header_length, out);
}

// True for the headers that carry a next header and their length (RFC 8200 4, RFC 7045).
bool IsExtensionHeader(std::uint8_t protocol) {
  switch (protocol) {
    case kProtoHopByHop:
    case kProtoRouting:
    case kProtoFragment:
    case kProtoAh:
    case kProtoDestinationOptions:
    case kProtoMobility:
    case kProtoHip:
    case kProtoShim6:
      return true;
    default:
      return false;
  }
}

// Walks from the IPv6 header over its extension headers to
// out.l4_offset. Does not check the payload length against the frame.
DropReason WalkIpv6(const Bytes& bytes, std::uint8_t max_extension_headers, Ipv6Facts& facts, ParsedPacket& out) {
  if (bytes.readable < out.l3_offset + kIpv6Length) return DropReason::kTruncated;
  const std::uint8_t* ip = bytes.data + out.l3_offset;
  if (ip[0] >> 4 != 6) return DropReason::kBadIpVersion;
  out.family = Family::kIpv6;
  out.source_hi = Load64(ip + 8);
  out.source_lo = Load64(ip + 16);
  out.destination_hi = Load64(ip + 24);
  out.destination_lo = Load64(ip + 32);
  facts.hop_limit = ip[7];
  const std::uint32_t first = out.l3_offset + kIpv6Length;
  const std::uint32_t end = first + Load16(ip + 4);
  std::uint32_t offset = first;
  std::uint8_t next = ip[6];
  bool fragment_seen = false;
  // A payload length of zero means a jumbogram (RFC 2675), which no Ethernet carries, unless nothing follows.
  if (end == first && next != kProtoNoNext) return DropReason::kBadIpLength;

  for (int headers = 0; IsExtensionHeader(next); ++headers) {
    if (headers == max_extension_headers) return DropReason::kIpv6ExtensionDepth;
    // The whole chain must be in the first fragment (RFC 7112).
    const DropReason past_end =
        out.Is(ParsedPacket::kFragment) ? DropReason::kFragmentTooShort : DropReason::kBadIpLength;
    if (offset + 8 > end) return past_end;
    if (offset + 8 > bytes.readable) return DropReason::kTruncated;
    const std::uint8_t* header = bytes.data + offset;
    std::uint32_t size = (header[1] + 1u) * 8;
    if (next == kProtoAh) size = (header[1] + 2u) * 4;
    if (next == kProtoFragment) size = 8;
    if (offset + size > end) return past_end;
    if (next == kProtoHopByHop && offset != first) return DropReason::kIpv6ExtensionOrder;
    if (next == kProtoRouting && header[2] == 0) return DropReason::kIpv6RoutingType0;
    if (next == kProtoHopByHop || next == kProtoDestinationOptions) {
      if (offset + size > bytes.readable) return DropReason::kTruncated;
      const DropReason reason = CheckIpv6Options(header + 2, size - 2, next == kProtoHopByHop, facts);
      if (reason != DropReason::kNone) return reason;
    }
    const bool is_fragment = next == kProtoFragment;
    next = header[0];
    offset += size;
    if (!is_fragment) continue;
    if (fragment_seen) return DropReason::kIpv6ExtensionOrder;
    fragment_seen = facts.fragment_header = true;
    const std::uint32_t field = Load16(header + 2);
    const std::uint32_t fragment_offset = field & 0xfff8;
    const bool more = (field & 1) != 0;
    if (fragment_offset == 0 && !more) continue;  // atomic: RFC 6946
    out.protocol = next;
    const DropReason reason = FillFragment(fragment_offset, more, Load32(header + 4), end - offset, 0, out);
    if (reason != DropReason::kNone) return reason;
    if (fragment_offset != 0) break;
  }
  out.protocol = next;
  out.l4_offset = static_cast<std::uint16_t>(offset);
  out.l4_length = static_cast<std::uint16_t>(end - offset);
  return DropReason::kNone;
}

}  // namespace

DropReason ParseIpv4(const Bytes& bytes, bool bad_checksum, ParsedPacket& out) {
  if (const DropReason reason = WalkIpv4(bytes, out); reason != DropReason::kNone) return reason;
  if (out.l4_offset + std::uint32_t{out.l4_length} > bytes.total) return DropReason::kBadIpLength;
  if (bad_checksum) return DropReason::kBadIpChecksum;
  if (!MaySend(out.family, out.source_hi, out.source_lo)) return DropReason::kBadIpAddress;
  if (IsLaterFragment(out)) return DropReason::kNone;
  return ParseTransport(bytes, {}, out);
}

DropReason ParseIpv6(const Bytes& bytes, std::uint8_t max_extension_headers, ParsedPacket& out) {
  Ipv6Facts facts;
  if (const DropReason reason = WalkIpv6(bytes, max_extension_headers, facts, out); reason != DropReason::kNone) {
    return reason;
  }
  if (out.l4_offset + std::uint32_t{out.l4_length} > bytes.total) return DropReason::kBadIpLength;
  if (!MaySend(out.family, out.source_hi, out.source_lo)) return DropReason::kBadIpAddress;
  if (IsLaterFragment(out)) return DropReason::kNone;
  return ParseTransport(bytes, facts, out);
}

void ParseQuoted(std::span<const std::uint8_t> quoted, Family family, ParsedPacket& out) {
  out = ParsedPacket{};
  const auto size = static_cast<std::uint32_t>(quoted.size());
  const Bytes bytes{quoted.data(), size, size};
  Ipv6Facts facts;
  out.reason = family == Family::kIpv4 ? WalkIpv4(bytes, out)
                                       : WalkIpv6(bytes, ParseConfig{}.max_ipv6_extension_headers, facts, out);
  if (out.reason != DropReason::kNone || IsLaterFragment(out)) return;
  const bool icmp = out.protocol == (family == Family::kIpv4 ? kProtoIcmp : kProtoIcmpv6);
  if (!icmp && !HasPorts(out.protocol)) return;
  out.reason = RequireTransport(bytes, 8, out, DropReason::kBadL4Length);
  if (out.reason != DropReason::kNone) return;
  const std::uint8_t* l4 = bytes.data + out.l4_offset;
  if (icmp) {
    FillIcmp(l4, out);
    return;
  }
  out.source_port = Load16(l4);
  out.destination_port = Load16(l4 + 2);
  out.flags |= ParsedPacket::kHasPorts;
}

}  // namespace sluice
