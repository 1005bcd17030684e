// The key of a flow. Both directions have the same key.
//
// The two ends (address, port) are put in ascending order, so a packet and its answer give the same key. Which end sent
// the packet is stored outside of the key. A key of an ICMP query has the identifier in place of ports, the type, and
// which end asked: if A may ask B, that does not mean that B may ask A.
//
// The last word of a key leaves its upper 16 bits free for the flow's state and flags (flow_table.h), so that an entry
// takes no more cache lines than it must.
#ifndef SLUICE_DATAPLANE_CORE_FLOW_KEY_H_
#define SLUICE_DATAPLANE_CORE_FLOW_KEY_H_

#include <array>
#include <cstdint>

#include "core/packet.h"
#include "sluice/address.h"
#include "sluice/protocol.h"

namespace sluice {

// Pairs of ICMP query and reply: RFC 792, 950, 4443, 4620, 6275, 8335. Other types open no flow.
enum class IcmpQuery : std::uint8_t {
  kNone,
  kEcho,
  kTimestamp,
  kInformation,
  kAddressMask,
  kExtendedEcho,
  kNodeInformation,
  kHomeAgent,
  kMobilePrefix
};

constexpr IcmpQuery IcmpQueryOf(std::uint8_t protocol, std::uint8_t type) {
  if (protocol == kProtoIcmp) {
    if (type == 8 || type == 0) return IcmpQuery::kEcho;
    if (type == 13 || type == 14) return IcmpQuery::kTimestamp;
    if (type == 15 || type == 16) return IcmpQuery::kInformation;
    if (type == 17 || type == 18) return IcmpQuery::kAddressMask;
    if (type == 42 || type == 43) return IcmpQuery::kExtendedEcho;
  } else if (protocol == kProtoIcmpv6) {
    if (type == 128 || type == 129) return IcmpQuery::kEcho;
    if (type == 139 || type == 140) return IcmpQuery::kNodeInformation;
    if (type == 144 || type == 145) return IcmpQuery::kHomeAgent;
    if (type == 146 || type == 147) return IcmpQuery::kMobilePrefix;
    if (type == 160 || type == 161) return IcmpQuery::kExtendedEcho;
  }
  return IcmpQuery::kNone;
}

// One end of a flow, in host order.
struct FlowEnd {
  IpAddress address;
  std::uint16_t port = 0;

  friend bool operator==(const FlowEnd&, const FlowEnd&) = default;
};

// The key's byte that separates ICMP flows. Upper bits: the query. Lowest bit: whether the greater end asks.
inline std::uint8_t IcmpKind(const ParsedPacket& packet, bool source_is_greater) {
  const auto query = static_cast<std::uint8_t>(IcmpQueryOf(packet.protocol, packet.icmp_type));
  return static_cast<std::uint8_t>(query << 1 | (source_is_greater != packet.Is(ParsedPacket::kReplyType) ? 1 : 0));
}

inline bool IsIcmp(std::uint8_t protocol) { return protocol == kProtoIcmp || protocol == kProtoIcmpv6; }

__extension__ using Wide = unsigned __int128;

// Low 48 bits of the last word of either key.
inline constexpr std::uint64_t kKeyBits = (std::uint64_t{1} << 48) - 1;

struct Ipv4FlowKey {
  static constexpr Family kFamily = Family::kIpv4;
  static constexpr std::size_t kWords = 2;
  // [0]: lesser end (address << 16 | port), protocol << 48, ICMP kind << 56. [1]: greater end.
  std::array<std::uint64_t, kWords> words;

  // Takes ends as (address << 16 | port). Returns whether the source is the greater end.
  static bool Order(std::uint64_t source, std::uint64_t destination, std::uint64_t protocol, Ipv4FlowKey& key) {
    const bool greater = source > destination;
    key.words[0] = (greater ? destination : source) | protocol;
    key.words[1] = greater ? source : destination;
    return greater;
  }
  static bool Make(const ParsedPacket& packet, Ipv4FlowKey& key) {
    const bool greater =
        Order(packet.source_lo << 16 | packet.source_port, packet.destination_lo << 16 | packet.destination_port,
              std::uint64_t{packet.protocol} << 48, key);
    if (IsIcmp(packet.protocol)) [[unlikely]]
      key.words[0] |= std::uint64_t{IcmpKind(packet, greater)} << 56;
    return greater;
  }
  static FlowEnd Lesser(const std::array<std::uint64_t, kWords>& words) { return End(words[0]); }
  static FlowEnd Greater(const std::array<std::uint64_t, kWords>& words) { return End(words[1]); }
  static std::uint8_t Protocol(const std::array<std::uint64_t, kWords>& words) {
    return static_cast<std::uint8_t>(words[0] >> 48);
  }

 private:
  static FlowEnd End(std::uint64_t word) {
    return {IpAddress::V4(static_cast<std::uint32_t>(word >> 16)), static_cast<std::uint16_t>(word)};
  }
};

struct Ipv6FlowKey {
  static constexpr Family kFamily = Family::kIpv6;
  static constexpr std::size_t kWords = 5;
  // [0..1]: lesser address, [2..3]: greater address, [4]: lesser port, greater port << 16, protocol << 32, kind << 40.
  std::array<std::uint64_t, kWords> words;

  struct End {
    std::uint64_t hi;
    std::uint64_t lo;
    std::uint64_t port;
  };
  // Returns whether the source is the greater end.
  static bool Order(const End& source, const End& destination, std::uint64_t protocol, Ipv6FlowKey& key) {
    const Wide source_address = static_cast<Wide>(source.hi) << 64 | source.lo;
    const Wide destination_address = static_cast<Wide>(destination.hi) << 64 | destination.lo;
    bool greater = source_address > destination_address;
    if (source_address == destination_address) [[unlikely]]
      greater = source.port > destination.port;
    key.words[0] = greater ? destination.hi : source.hi;
    key.words[1] = greater ? destination.lo : source.lo;
    key.words[2] = greater ? source.hi : destination.hi;
    key.words[3] = greater ? source.lo : destination.lo;
    key.words[4] =
        (greater ? destination.port : source.port) | (greater ? source.port : destination.port) << 16 | protocol;
    return greater;
  }
  static bool Make(const ParsedPacket& packet, Ipv6FlowKey& key) {
    const bool greater = Order({packet.source_hi, packet.source_lo, packet.source_port},
                               {packet.destination_hi, packet.destination_lo, packet.destination_port},
                               std::uint64_t{packet.protocol} << 32, key);
    if (IsIcmp(packet.protocol)) [[unlikely]]
      key.words[4] |= std::uint64_t{IcmpKind(packet, greater)} << 40;
    return greater;
  }
  static FlowEnd Lesser(const std::array<std::uint64_t, kWords>& words) {
    return {IpAddress::V6(words[0], words[1]), static_cast<std::uint16_t>(words[4])};
  }
  static FlowEnd Greater(const std::array<std::uint64_t, kWords>& words) {
    return {IpAddress::V6(words[2], words[3]), static_cast<std::uint16_t>(words[4] >> 16)};
  }
  static std::uint8_t Protocol(const std::array<std::uint64_t, kWords>& words) {
    return static_cast<std::uint8_t>(words[4] >> 32);
  }
};

// A keyed hash: 64 x 64 -> 128 bit multiplication, with the halves folded. A sender that doesn't
// know the seed can't make keys collide on purpose. A CRC is linear, so it would allow that.
class FlowHasher {
 public:
  explicit FlowHasher(std::uint64_t seed) {
    for (std::uint64_t& secret : secrets_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t mixed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9u;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
      secret = mixed ^ (mixed >> 31);
    }
  }

  std::uint64_t operator()(const Ipv4FlowKey& key) const {
    return Fold(key.words[0] ^ secrets_[0], key.words[1] ^ secrets_[1]);
  }
  std::uint64_t operator()(const Ipv6FlowKey& key) const {
    const std::uint64_t lesser = Fold(key.words[0] ^ secrets_[0], key.words[1] ^ secrets_[1]);
    const std::uint64_t greater = Fold(key.words[2] ^ secrets_[2], key.words[3] ^ secrets_[3]);
    return Fold(lesser ^ secrets_[4], greater ^ key.words[4] ^ secrets_[5]);
  }

 private:
  static std::uint64_t Fold(std::uint64_t a, std::uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  std::array<std::uint64_t, 6> secrets_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_FLOW_KEY_H_
