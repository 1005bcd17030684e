// Most frames are plain: untagged, IPv4 without options or IPv6 without extension headers, no fragment, TCP or
// UDP, without errors. Such a frame is read straight into what its flow's lookup needs. Parse reads all other
// frames, and also plain ones that open a flow or change its state. For a plain frame, both give the same result.
//
// Every packet pays for this code. So it uses as few loads as can hold the fields, and checks by
// branches, which hardly ever fail. It compares lengths after subtracting the shortest length: if a
// length is less than that, the difference is huge, so a single comparison checks it against both bounds.
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

// What the low six TCP flags mean to a flow's state, or kBadTcpFlags.
inline constexpr FlowEvent kBadTcpFlags = 0xff;
inline constexpr std::array<FlowEvent, 64> kPlainTcpEvent = [] {
  std::array<FlowEvent, 64> events{};
  for (std::uint8_t flags = 0; flags < 64; ++flags) {
    events[flags] = ValidTcpFlags(flags) ? kTcpEventOfFlags[flags & 31] : kBadTcpFlags;
  }
  return events;
}();

// The transport of a plain frame: the fields read from it, and whether ParseTransport would accept it.
struct PlainTransport {
  static constexpr std::uint32_t kTcpLength = 20, kUdpLength = 8;
  FlowEvent event;
  bool fine;

  static constexpr std::uint32_t Shortest(bool tcp) { return tcp ? kTcpLength : kUdpLength; }

  // Requires 14 readable bytes at `l4` for TCP, else 8. `room`: the bytes that IP announces beyond the shortest header.
  PlainTransport(const std::uint8_t* l4, std::uint32_t room, bool tcp) {
    std::uint32_t length;
    if (tcp) {
      const std::uint32_t field = Load16(l4 + 12);  // data offset and flags
      length = field >> 12 << 2;
      event = kPlainTcpEvent[field & 63];
    } else {
      length = Load16(l4 + 4);
      event = kDataEvent;
    }
    fine = length - Shortest(tcp) <= room && event != kBadTcpFlags;
  }
};

struct PlainIpv4 {
  static constexpr std::uint32_t kL4Offset = kEthernetLength + 20;
  const std::uint8_t* ip;
  bool tcp;
  FlowEvent event;

  // Requires kL4Offset + 20 readable bytes. Returns false if the frame is not plain; then the content of `out` is void.
  static bool Read(const Frame& frame, PlainIpv4& out) {
    // From the EtherType on: EtherType, version, header length, TOS, total length, identification.
    constexpr std::uint64_t kTypeMask = 0xffff'ff00'0000'0000, kIpv4 = 0x0800'4500'0000'0000;
    // Then: fragment, TTL, protocol, checksum.
    constexpr std::uint64_t kProtocolMask = 0x3fff'00ff'0000'0000;
    constexpr std::uint64_t kTcp = std::uint64_t{kProtoTcp} << 32, kUdp = std::uint64_t{kProtoUdp} << 32;
    constexpr std::uint8_t kFirstMulticast = 0xe0;
    const std::uint8_t* bytes = frame.data + kEthernetLength - 2;
    if ((LoadNative64(bytes) & BigMask(kTypeMask)) != BigMask(kIpv4)) return false;
    const std::uint64_t protocol = LoadNative64(bytes + 8) & BigMask(kProtocolMask);
    out.tcp = protocol == BigMask(kTcp);
    if (!out.tcp && protocol != BigMask(kUdp)) return false;
    const std::uint32_t shortest = 20 + PlainTransport::Shortest(out.tcp);
    const std::uint32_t room = Load16(bytes + 4) - shortest;
    if (room > frame.frame_length - kEthernetLength - shortest) return false;
    const PlainTransport transport(bytes + 22, room, out.tcp);
    out.ip = bytes + 2;
    out.event = transport.event;
    return transport.fine && bytes[14] < kFirstMulticast && !frame.bad_ip_checksum;
  }
  std::uint32_t source() const { return Load32(ip + 12); }
  std::uint32_t destination() const { return Load32(ip + 16); }
  std::uint32_t l4_length() const { return Load16(ip + 2) - 20u; }
  const std::uint8_t* l4() const { return ip + 20; }
  std::uint8_t protocol() const { return tcp ? kProtoTcp : kProtoUdp; }
};

struct PlainIpv6 {
  static constexpr std::uint32_t kL4Offset = kEthernetLength + 40;
  const std::uint8_t* ip;
  bool tcp;
  FlowEvent event;

  // Requires kL4Offset readable bytes. Returns false if the frame is not plain; then the content of `out` is void.
  static bool Read(const Frame& frame, PlainIpv6& out) {
    // From the EtherType on: EtherType, version, traffic class, flow label; payload length, next header, hop limit.
    constexpr std::uint64_t kTypeMask = 0xffff'f000'0000'0000, kIpv6 = 0x86dd'6000'0000'0000;
    constexpr std::uint8_t kMulticast = 0xff;
    const std::uint8_t* bytes = frame.data + kEthernetLength - 2;
    if ((LoadNative64(bytes) & BigMask(kTypeMask)) != BigMask(kIpv6)) return false;
    out.tcp = bytes[8] == kProtoTcp;
    if (!out.tcp && bytes[8] != kProtoUdp) return false;
    const std::uint32_t shortest = PlainTransport::Shortest(out.tcp);
    const std::uint32_t room = Load16(bytes + 6) - shortest;
    if (frame.length < kL4Offset + shortest || room > frame.frame_length - kL4Offset - shortest) return false;
    const PlainTransport transport(bytes + 42, room, out.tcp);
    out.ip = bytes + 2;
    out.event = transport.event;
    return transport.fine && bytes[10] != kMulticast;
  }
  const std::uint8_t* source() const { return ip + 8; }
  const std::uint8_t* destination() const { return ip + 24; }
  std::uint32_t l4_length() const { return Load16(ip + 4); }
  const std::uint8_t* l4() const { return ip + 40; }
  std::uint8_t protocol() const { return tcp ? kProtoTcp : kProtoUdp; }
};

// No plain frame of either family is shorter.
inline constexpr std::uint32_t kShortestPlain = PlainIpv4::kL4Offset + 20;
static_assert(kShortestPlain >= PlainIpv6::kL4Offset);

// Make the same keys as Key::Make does from a ParsedPacket. Return whether the source is the greater end.
inline bool MakeKey(const PlainIpv4& packet, Ipv4FlowKey& key) {
#if defined(__SSE4_2__)
  // Protocol, addresses and ports lie within sixteen bytes. They are put into two words, compared, and
  // exchanged if needed, all at once. The protocol is in both words, until it is taken out of the greater.
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packet.ip + 8));
  const __m128i words = _mm_shuffle_epi8(bytes, _mm_setr_epi8(13, 12, 7, 6, 5, 4, 1, -1, 15, 14, 11, 10, 9, 8, 1, -1));
  const __m128i exchanged = _mm_shuffle_epi32(words, _MM_SHUFFLE(1, 0, 3, 2));
  const __m128i compared = _mm_cmpgt_epi64(words, exchanged);
  const __m128i greater = _mm_unpacklo_epi64(compared, compared);
  const __m128i protocol_in_lesser = _mm_set_epi64x(static_cast<std::int64_t>(kKeyBits), -1);
  const __m128i ordered = _mm_and_si128(_mm_blendv_epi8(words, exchanged, greater), protocol_in_lesser);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(key.words.data()), ordered);
  return (_mm_cvtsi128_si32(greater) & 1) != 0;
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
