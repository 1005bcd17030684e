#include "core/parse.h"

#include <algorithm>

#include "core/parse_layers.h"
#include "core/plain.h"
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

template <typename Plain>
void FillTransport(const Plain& plain, ParsedPacket& out) {
  out.l3_offset = kEthernetLength;
  out.l4_offset = Plain::kL4Offset;
  out.l4_length = static_cast<std::uint16_t>(plain.l4_length());
  out.source_port = Load16(plain.l4());
  out.destination_port = Load16(plain.l4() + 2);
  out.flags = ParsedPacket::kHasPorts;
  out.protocol = plain.protocol();
  if (plain.tcp) out.tcp_flags = plain.l4()[13];
}

inline void ParseOne(const Frame& frame, const ParseConfig& config, ParsedPacket& out) {
  if (frame.length >= kShortestPlain) [[likely]] {
    if (PlainIpv4 plain; PlainIpv4::Read(frame, plain)) {
      out = ParsedPacket{};
      out.source_lo = plain.source();
      out.destination_lo = plain.destination();
      FillTransport(plain, out);
      return;
    }
    if (PlainIpv6 plain; PlainIpv6::Read(frame, plain)) {
      out = ParsedPacket{};
      out.family = Family::kIpv6;
      out.source_hi = Load64(plain.source());
      out.source_lo = Load64(plain.source() + 8);
      out.destination_hi = Load64(plain.destination());
      out.destination_lo = Load64(plain.destination() + 8);
      FillTransport(plain, out);
      return;
    }
  }
  ParseAny(frame, config, out);
}

}  // namespace

void Parse(const Frame& frame, const ParseConfig& config, ParsedPacket& out) { ParseOne(frame, config, out); }

void ParseBurst(std::span<const Frame> frames, const ParseConfig& config, ParsedPacket* out) {
  for (std::size_t i = 0; i < frames.size(); ++i) ParseOne(frames[i], config, out[i]);
}

}  // namespace sluice
