// What most frames are: untagged, IPv4 without options or IPv6 without extension headers, no fragment, TCP or UDP,
// nothing wrong. Such a frame is read straight into what its flow's lookup needs; every other, and a plain one that
// opens a flow or changes its state, is taken by Parse. Where a frame is plain, both say the same of it.
//
// It is what every packet costs, so written in as few loads as hold the fields. Checks are branches, since they hardly
// ever fail; only between TCP and UDP, which mixed traffic would make a coin toss, both are worked out and one chosen.
//
// Pure functions over bytes; safe from any thread. Private to the core.
#ifndef SLUICE_DATAPLANE_CORE_PLAIN_H_
#define SLUICE_DATAPLANE_CORE_PLAIN_H_

#include <array>
#include <cstdint>

#include "core/flow_key.h"
#include "core/flow_state.h"
#include "core/packet.h"
#include "core/parse_layers.h"
#include "core/wire.h"
#include "sluice/protocol.h"

#if defined(__SSE4_2__)
#include <immintrin.h>
#endif

namespace sluice {

inline constexpr std::uint32_t kEthernetLength = 14;

// By the low six TCP flags: what they mean to a flow's state, or kBadTcpFlags.
inline constexpr FlowEvent kBadTcpFlags = 0xff;
inline constexpr std::array<FlowEvent, 64> kPlainTcpEvent = [] {
  std::array<FlowEvent, 64> events{};
  for (std::uint8_t flags = 0; flags < 64; ++flags) {
    events[flags] = ValidTcpFlags(flags) ? kTcpEventOfFlags[flags & 31] : kBadTcpFlags;
  }
  return events;
}();

// The transport of a plain frame: what is read from it, and whether it is one that ParseTransport accepts.
struct PlainTransport {
  FlowEvent event;
  bool fine;

  // Requires 14 readable bytes at `l4` where it is TCP, else 8. `announced`: the length that IP gives the transport.
  PlainTransport(const std::uint8_t* l4, std::uint32_t announced, bool tcp) {
    constexpr std::uint32_t kAck = 16, kTcpLength = 20, kUdpLength = 8;
    static_assert(kPlainTcpEvent[kAck] == kDataEvent);
    const std::uint32_t if_tcp = tcp ? ~std::uint32_t{0} : 0;
    // TCP: data offset and flags, at 12; UDP: length, at 4.
    const std::uint32_t field = Load16(l4 + 4 + (if_tcp & 8));
    const std::uint32_t length = tcp ? field >> 12 << 2 : field;
    event = kPlainTcpEvent[(tcp ? field : kAck) & 63];
    fine = length >= kUdpLength + (if_tcp & (kTcpLength - kUdpLength)) && length <= announced && event != kBadTcpFlags;
  }
};

struct PlainIpv4 {
  static constexpr std::uint32_t kL4Offset = kEthernetLength + 20;
  const std::uint8_t* ip;
  std::uint32_t l4_length;
  bool tcp;
  FlowEvent event;

  // Requires kL4Offset + 20 readable bytes. False, and nothing that counts in `out`, where the frame is not plain.
  static bool Read(const Frame& frame, PlainIpv4& out) {
    // From the EtherType on: it, version, header length, TOS, total length, identification.
    constexpr std::uint64_t kTypeMask = 0xffff'ff00'0000'0000, kIpv4 = 0x0800'4500'0000'0000;
    // Then: fragment, TTL, protocol, checksum.
    constexpr std::uint64_t kProtocolMask = 0x3fff'00ff'0000'0000;
    constexpr std::uint64_t kTcp = std::uint64_t{kProtoTcp} << 32, kUdp = std::uint64_t{kProtoUdp} << 32;
    constexpr std::uint8_t kFirstMulticast = 0xe0;
    const std::uint8_t* bytes = frame.data + kEthernetLength - 2;
    if ((LoadNative64(bytes) & BigMask(kTypeMask)) != BigMask(kIpv4)) return false;
    const std::uint64_t protocol = LoadNative64(bytes + 8) & BigMask(kProtocolMask);
    out.tcp = protocol == BigMask(kTcp);
    if (!(out.tcp | (protocol == BigMask(kUdp)))) return false;
    const std::uint32_t total = Load16(bytes + 4);
    out.l4_length = total - 20;
    const PlainTransport transport(bytes + 22, out.l4_length, out.tcp);
    out.event = transport.event;
    out.ip = bytes + 2;
    // A total length below 20 makes l4_length huge, and this sum as small as it was.
    return transport.fine && total >= 20 && total + kEthernetLength <= frame.frame_length &&
           bytes[14] < kFirstMulticast && !frame.bad_ip_checksum;
  }
  std::uint32_t source() const { return Load32(ip + 12); }
  std::uint32_t destination() const { return Load32(ip + 16); }
  const std::uint8_t* l4() const { return ip + 20; }
  std::uint8_t protocol() const { return tcp ? kProtoTcp : kProtoUdp; }
};

struct PlainIpv6 {
  static constexpr std::uint32_t kL4Offset = kEthernetLength + 40;
  const std::uint8_t* ip;
  std::uint32_t l4_length;
  bool tcp;
  FlowEvent event;

  // Requires kL4Offset readable bytes. False, and nothing that counts in `out`, where the frame is not plain.
  static bool Read(const Frame& frame, PlainIpv6& out) {
    // From the EtherType on: it, version, traffic class and flow label; then payload length, next header, hop limit.
    constexpr std::uint64_t kTypeMask = 0xffff'f000'0000'0000, kIpv6 = 0x86dd'6000'0000'0000;
    constexpr std::uint8_t kMulticast = 0xff;
    const std::uint8_t* bytes = frame.data + kEthernetLength - 2;
    if ((LoadNative64(bytes) & BigMask(kTypeMask)) != BigMask(kIpv6)) return false;
    out.tcp = bytes[8] == kProtoTcp;
    if (!(out.tcp | (bytes[8] == kProtoUdp)) || frame.length < kL4Offset + (out.tcp ? 20 : 8)) return false;
    out.l4_length = Load16(bytes + 6);
    const PlainTransport transport(bytes + 42, out.l4_length, out.tcp);
    out.event = transport.event;
    out.ip = bytes + 2;
    return transport.fine && out.l4_length + kL4Offset <= frame.frame_length && bytes[10] != kMulticast;
  }
  const std::uint8_t* source() const { return ip + 8; }
  const std::uint8_t* destination() const { return ip + 24; }
  const std::uint8_t* l4() const { return ip + 40; }
  std::uint8_t protocol() const { return tcp ? kProtoTcp : kProtoUdp; }
};

// No plain frame is shorter, of whichever family.
inline constexpr std::uint32_t kShortestPlain = PlainIpv4::kL4Offset + 20;
static_assert(kShortestPlain >= PlainIpv6::kL4Offset);

// Keys as Key::Make builds them from a ParsedPacket. Return whether the source is the greater end.
inline bool MakeKey(const PlainIpv4& packet, Ipv4FlowKey& key) {
#if defined(__SSE4_2__)
  // Addresses and ports are twelve bytes in a row: put as two words, compared, and exchanged where need be, at once.
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packet.ip + 12));
  const __m128i words = _mm_shuffle_epi8(bytes, _mm_setr_epi8(9, 8, 3, 2, 1, 0, -1, -1, 11, 10, 7, 6, 5, 4, -1, -1));
  const __m128i exchanged = _mm_shuffle_epi32(words, _MM_SHUFFLE(1, 0, 3, 2));
  const __m128i compared = _mm_cmpgt_epi64(words, exchanged);
  const __m128i greater = _mm_unpacklo_epi64(compared, compared);
  const __m128i protocol = _mm_cvtsi64_si128(static_cast<std::int64_t>(std::uint64_t{packet.protocol()} << 48));
  const __m128i ordered = _mm_or_si128(_mm_blendv_epi8(words, exchanged, greater), protocol);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(key.words.data()), ordered);
  return _mm_cvtsi128_si32(greater) != 0;
#else
  const std::uint64_t source = std::uint64_t{packet.source()} << 16 | Load16(packet.l4());
  const std::uint64_t destination = std::uint64_t{packet.destination()} << 16 | Load16(packet.l4() + 2);
  return Ipv4FlowKey::Order(source, destination, std::uint64_t{packet.protocol()} << 48, key);
#endif
}
inline bool MakeKey(const PlainIpv6& packet, Ipv6FlowKey& key) {
  return Ipv6FlowKey::Order({Load64(packet.source()), Load64(packet.source() + 8), Load16(packet.l4())},
                            {Load64(packet.destination()), Load64(packet.destination() + 8), Load16(packet.l4() + 2)},
                            std::uint64_t{packet.protocol()} << 32, key);
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_PLAIN_H_
