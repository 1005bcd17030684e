// The steps of Parse, one for each layer. Private to parse*.cc.
//
// Each step reads from `bytes` at the offset that the step before left in `out`.
// It fills in what it found and returns why the packet must be dropped, or kNone.
#ifndef SLUICE_DATAPLANE_CORE_PARSE_LAYERS_H_
#define SLUICE_DATAPLANE_CORE_PARSE_LAYERS_H_

#include <cstdint>

#include "core/packet.h"

namespace sluice {

// A frame or a quoted packet: the first `readable` bytes may be read; by its lengths, the packet has `total` bytes.
struct Bytes {
  const std::uint8_t* data = nullptr;
  std::uint32_t readable = 0;
  std::uint32_t total = 0;
};

// What neighbour discovery and MLD need to know about the IPv6 header and its extensions.
struct Ipv6Facts {
  std::uint8_t hop_limit = 0;
  bool mld_router_alert = false;  // RFC 2711, value 0
  bool fragment_header = false;   // of a fragment, or of a whole datagram (RFC 6946)
};

// Flags that TCP stacks send, as Linux's nf_conntrack accepts them: one of SYN, SYN+URG, SYN+ACK, RST, RST+ACK,
// FIN+ACK, FIN+ACK+URG, ACK, ACK+URG. PSH, ECE and CWR may come with any.
constexpr bool ValidTcpFlags(std::uint8_t flags) {
  constexpr std::uint64_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16, kUrg = 32;
  constexpr std::uint64_t kOne = 1;
  constexpr std::uint64_t kValid = kOne << kSyn | kOne << (kSyn | kUrg) | kOne << (kSyn | kAck) | kOne << kRst |
                                   kOne << (kRst | kAck) | kOne << (kFin | kAck) | kOne << (kFin | kAck | kUrg) |
                                   kOne << kAck | kOne << (kAck | kUrg);
  return (kValid >> (flags & (kFin | kSyn | kRst | kAck | kUrg)) & 1) != 0;
}

// These two begin at out.l3_offset.
DropReason ParseIpv4(const Bytes& bytes, bool bad_checksum, ParsedPacket& out);
DropReason ParseIpv6(const Bytes& bytes, std::uint8_t max_extension_headers, ParsedPacket& out);

// Transports. Require that out.protocol, l4_offset and l4_length are set, and that out is whole or a first fragment.
DropReason ParseTransport(const Bytes& bytes, const Ipv6Facts& facts, ParsedPacket& out);
DropReason ParseIcmp(const Bytes& bytes, const Ipv6Facts& facts, ParsedPacket& out);
// RFC 4861 and RFC 6980; RFC 2710, 3590 and 3810. Sets kAlwaysPass.
DropReason ParseNeighbourDiscovery(const Bytes& bytes, const Ipv6Facts& facts, ParsedPacket& out);
DropReason ParseMld(const Bytes& bytes, const Ipv6Facts& facts, ParsedPacket& out);

// Fills in type, code, flags and identifiers. Requires 8 readable bytes
// at out.l4_offset. Returns the least length that the type requires.
std::uint8_t FillIcmp(const std::uint8_t* header, ParsedPacket& out);

// kNone if `length` bytes of transport header are announced and readable.
inline DropReason RequireTransport(const Bytes& bytes, std::uint32_t length, const ParsedPacket& out,
                                   DropReason too_short) {
  if (out.l4_length < length) return out.Is(ParsedPacket::kFragment) ? DropReason::kFragmentTooShort : too_short;
  if (bytes.readable < out.l4_offset + length) return DropReason::kTruncated;
  return DropReason::kNone;
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PARSE_LAYERS_H_
