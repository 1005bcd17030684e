#include "core/parse_layers.h"
#include "core/wire.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint8_t kNoSctpChunk = 255;

void FillPorts(const std::uint8_t* l4, ParsedPacket& out) {
  out.source_port = Load16(l4);
  out.destination_port = Load16(l4 + 2);
  out.flags |= ParsedPacket::kHasPorts;
}

// RFC 9293 3.1. Options are not checked: they concern the ends only.
DropReason ParseTcp(const Bytes& bytes, ParsedPacket& out) {
  constexpr std::uint32_t kTcpLength = 20;
  if (const DropReason reason = RequireTransport(bytes, kTcpLength, out, DropReason::kBadL4Length);
      reason != DropReason::kNone) {
    return reason;
  }
  const std::uint8_t* tcp = bytes.data + out.l4_offset;
  const std::uint32_t header_length = (tcp[12] >> 4) * 4u;
  if (header_length < kTcpLength) return DropReason::kBadL4Length;
  if (header_length > out.l4_length) {
    return out.Is(ParsedPacket::kFragment) ? DropReason::kFragmentTooShort : DropReason::kBadL4Length;
  }
  if (!ValidTcpFlags(tcp[13])) return DropReason::kTcpBadFlags;
  out.tcp_flags = tcp[13];
  FillPorts(tcp, out);
  return DropReason::kNone;
}

// RFC 768. A length of zero means a jumbogram (RFC 2675), which is refused because of its IP header.
DropReason ParseUdp(const Bytes& bytes, ParsedPacket& out) {
  constexpr std::uint32_t kUdpLength = 8;
  if (const DropReason reason = RequireTransport(bytes, kUdpLength, out, DropReason::kBadL4Length);
      reason != DropReason::kNone) {
    return reason;
  }
  const std::uint8_t* udp = bytes.data + out.l4_offset;
  const std::uint16_t length = Load16(udp + 4);
  if (length < kUdpLength) return DropReason::kBadL4Length;
  if (length > out.l4_length && !out.Is(ParsedPacket::kFragment)) return DropReason::kBadL4Length;
  FillPorts(udp, out);
  return DropReason::kNone;
}

// RFC 9260 3: at least one chunk, and each is whole. INIT, INIT ACK and SHUTDOWN COMPLETE must be alone, and INIT has
// a tag of zero. Chunks in a fragment, or in further segments of the buffer, are checked as far as they can be read.
DropReason ParseSctp(const Bytes& bytes, ParsedPacket& out) {
  constexpr std::uint32_t kCommonLength = 12, kChunkLength = 4;
  constexpr std::uint8_t kInit = 1, kInitAck = 2, kShutdownComplete = 14;
  out.sctp_chunk = kNoSctpChunk;
  if (const DropReason reason = RequireTransport(bytes, kCommonLength, out, DropReason::kBadL4Length);
      reason != DropReason::kNone) {
    return reason;
  }
  if (const DropReason reason = RequireTransport(bytes, kCommonLength + kChunkLength, out, DropReason::kSctpBadChunk);
      reason != DropReason::kNone) {
    return reason;
  }
  const std::uint8_t* sctp = bytes.data + out.l4_offset;
  FillPorts(sctp, out);
  if (out.source_port == 0 || out.destination_port == 0) return DropReason::kSctpBadChunk;
  out.sctp_chunk = sctp[kCommonLength];
  if (out.sctp_chunk == kInit && Load32(sctp + 4) != 0) return DropReason::kSctpBadChunk;
  const bool whole = !out.Is(ParsedPacket::kFragment);
  const std::uint32_t readable = bytes.readable - out.l4_offset;
  std::uint32_t offset = kCommonLength;
  for (bool alone = false; offset < out.l4_length;) {
    if (alone || (whole && offset + kChunkLength > out.l4_length)) return DropReason::kSctpBadChunk;
    if (offset + kChunkLength > readable) break;
    const std::uint8_t type = sctp[offset];
    const std::uint32_t length = Load16(sctp + offset + 2);
    if (length < kChunkLength || (whole && offset + length > out.l4_length)) return DropReason::kSctpBadChunk;
    alone = type == kInit || type == kInitAck || type == kShutdownComplete;
    if (alone && offset != kCommonLength) return DropReason::kSctpBadChunk;
    offset += (length + 3) & ~3u;
  }
  return DropReason::kNone;
}

}  // namespace

DropReason ParseTransport(const Bytes& bytes, const Ipv6Facts& facts, ParsedPacket& out) {
  switch (out.protocol) {
    case kProtoTcp:
      return ParseTcp(bytes, out);
    case kProtoUdp:
      return ParseUdp(bytes, out);
    case kProtoSctp:
      return ParseSctp(bytes, out);
    case kProtoIcmp:
      return out.family == Family::kIpv4 ? ParseIcmp(bytes, facts, out) : DropReason::kNone;
    case kProtoIcmpv6:
      return out.family == Family::kIpv6 ? ParseIcmp(bytes, facts, out) : DropReason::kNone;
    default:
      return DropReason::kNone;
  }
}

}  // namespace sluice
