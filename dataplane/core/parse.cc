#include "core/parse.h"

#include <algorithm>

#include "core/parse_layers.h"
#include "core/wire.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kEtherTypeArp = 0x0806;
constexpr std::uint16_t kEtherTypeVlan = 0x8100;         // IEEE 802.1Q
constexpr std::uint16_t kEtherTypeServiceVlan = 0x88a8;  // IEEE 802.1ad
constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
constexpr int kMaxVlanTags = 2;
constexpr std::uint32_t kEthernetLength = 14;

DropReason ParseEthernet(const Bytes& bytes, const ParseConfig& config, bool bad_checksum, ParsedPacket& out) {
  if (bytes.readable < kEthernetLength) return DropReason::kTruncated;
  std::uint32_t type_offset = kEthernetLength - 2;
  std::uint16_t type = Load16(bytes.data + type_offset);
  for (int tags = 0; type == kEtherTypeVlan || type == kEtherTypeServiceVlan; ++tags) {
    if (tags == kMaxVlanTags) return DropReason::kVlanTooDeep;
    type_offset += 4;
    if (bytes.readable < type_offset + 2) return DropReason::kTruncated;
    type = Load16(bytes.data + type_offset);
  }
  out.l3_offset = static_cast<std::uint16_t>(type_offset + 2);
  if (type == kEtherTypeIpv4) return ParseIpv4(bytes, bad_checksum, out);
  if (type == kEtherTypeIpv6) return ParseIpv6(bytes, config.max_ipv6_extension_headers, out);
  if (type == kEtherTypeArp || std::ranges::binary_search(config.pass_ethertypes, type)) {
    out.flags = ParsedPacket::kPass;
    return DropReason::kNone;
  }
  return DropReason::kUnknownEthertype;
}

[[gnu::noinline]] void ParseAny(const Frame& frame, const ParseConfig& config, ParsedPacket& out) {
  out = ParsedPacket{};
  const Bytes bytes{frame.data, std::min(frame.length, frame.frame_length), frame.frame_length};
  out.reason = ParseEthernet(bytes, config, frame.bad_ip_checksum, out);
}

// Whether the TCP or UDP header at `l4` is one that ParseTransport would accept. Requires 20 readable bytes. Both are
// worked out and one is chosen: mixed traffic would make a branch here a coin toss.
inline bool PlainTransport(const std::uint8_t* l4, bool tcp, std::int32_t l4_length) {
  const std::int32_t tcp_header = l4[12] >> 4 << 2;
  const std::int32_t udp_length = Load16(l4 + 4);
  const bool tcp_fine = (tcp_header >= 20) & (tcp_header <= l4_length) & ValidTcpFlags(l4[13]);
  const bool udp_fine = (udp_length >= 8) & (udp_length <= l4_length);
  return tcp ? tcp_fine : udp_fine;
}

// What most frames are: untagged, no options or extension headers, no fragment, TCP or UDP, nothing wrong. Returns
// false, having written nothing, for any other, which ParseAny then takes from the start.
inline bool ParsePlainIpv4(const Frame& frame, ParsedPacket& out) {
  constexpr std::uint32_t kL4 = kEthernetLength + 20;
  if (frame.length < kL4 + 20) return false;
  const std::uint8_t* ip = frame.data + kEthernetLength;
  const std::uint32_t total = Load16(ip + 2);
  const std::uint8_t protocol = ip[9];
  const std::uint64_t source = Load32(ip + 12);
  const auto l4_length = static_cast<std::int32_t>(total) - 20;
  const bool tcp = protocol == kProtoTcp;
  const bool plain = (ip[0] == 0x45) & ((Load16(ip + 6) & 0x3fff) == 0) & (tcp | (protocol == kProtoUdp)) &
                     (total + kEthernetLength <= frame.frame_length) & (source < 0xe0000000) & !frame.bad_ip_checksum;
  if (!plain || !PlainTransport(ip + 20, tcp, l4_length)) return false;
  out = ParsedPacket{.source_lo = source,
                     .destination_lo = Load32(ip + 16),
                     .l3_offset = kEthernetLength,
                     .l4_offset = kL4,
                     .l4_length = static_cast<std::uint16_t>(l4_length),
                     .source_port = Load16(ip + 20),
                     .destination_port = Load16(ip + 22),
                     .flags = ParsedPacket::kHasPorts,
                     .family = Family::kIpv4,
                     .protocol = protocol,
                     .tcp_flags = static_cast<std::uint8_t>(tcp ? ip[33] : 0)};
  return true;
}

inline bool ParsePlainIpv6(const Frame& frame, ParsedPacket& out) {
  constexpr std::uint32_t kL4 = kEthernetLength + 40;
  if (frame.length < kL4 + 20) return false;
  const std::uint8_t* ip = frame.data + kEthernetLength;
  const std::uint32_t payload = Load16(ip + 4);
  const std::uint8_t protocol = ip[6];
  const bool tcp = protocol == kProtoTcp;
  const bool plain =
      (ip[0] >> 4 == 6) & (tcp | (protocol == kProtoUdp)) & (payload + kL4 <= frame.frame_length) & (ip[8] != 0xff);
  if (!plain || !PlainTransport(ip + 40, tcp, static_cast<std::int32_t>(payload))) return false;
  out = ParsedPacket{.source_hi = Load64(ip + 8),
                     .source_lo = Load64(ip + 16),
                     .destination_hi = Load64(ip + 24),
                     .destination_lo = Load64(ip + 32),
                     .l3_offset = kEthernetLength,
                     .l4_offset = kL4,
                     .l4_length = static_cast<std::uint16_t>(payload),
                     .source_port = Load16(ip + 40),
                     .destination_port = Load16(ip + 42),
                     .flags = ParsedPacket::kHasPorts,
                     .family = Family::kIpv6,
                     .protocol = protocol,
                     .tcp_flags = static_cast<std::uint8_t>(tcp ? ip[53] : 0)};
  return true;
}

inline void ParseOne(const Frame& frame, const ParseConfig& config, ParsedPacket& out) {
  if (frame.length >= kEthernetLength) [[likely]] {
    const std::uint16_t type = Load16(frame.data + kEthernetLength - 2);
    if (type == kEtherTypeIpv4 && ParsePlainIpv4(frame, out)) return;
    if (type == kEtherTypeIpv6 && ParsePlainIpv6(frame, out)) return;
  }
  ParseAny(frame, config, out);
}

}  // namespace

void Parse(const Frame& frame, const ParseConfig& config, ParsedPacket& out) { ParseOne(frame, config, out); }

void ParseBurst(std::span<const Frame> frames, const ParseConfig& config, ParsedPacket* out) {
  constexpr std::size_t kAhead = 8;
  for (std::size_t i = 0; i < std::min(kAhead, frames.size()); ++i) __builtin_prefetch(frames[i].data);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i + kAhead < frames.size()) __builtin_prefetch(frames[i + kAhead].data);
    ParseOne(frames[i], config, out[i]);
  }
}

}  // namespace sluice
