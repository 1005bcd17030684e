#include "core/capture_ring.h"

#include <algorithm>
#include <utility>

#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint32_t kEthernetBytes = 14;
constexpr std::uint32_t kArpBytes = 28;  // of IPv4 over Ethernet

template <typename T, typename Is>
bool AnyOrNone(const std::vector<T>& wanted, Is is) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), is);
}

// How many bytes belong to headers, from the transport header on.
std::uint32_t TransportBytes(const Frame& frame, const ParsedPacket& packet, std::uint32_t offset) {
  constexpr std::uint32_t kTcpBytes = 20, kUdpBytes = 8, kSctpBytes = 12, kIcmpBytes = 8;
  switch (packet.protocol) {
    case kProtoTcp:
      return frame.length > offset + 12 ? std::max<std::uint32_t>(kTcpBytes, (frame.data[offset + 12] >> 4) * 4u)
                                        : kTcpBytes;
    case kProtoUdp:
      return kUdpBytes;
    case kProtoSctp:
      return kSctpBytes;
    case kProtoIcmp:
    case kProtoIcmpv6:
      return kIcmpBytes;
    default:
      return 0;
  }
}

}  // namespace

bool CaptureWish::Wants(const ParsedPacket& packet) const {
  const auto is_protocol = [&](std::uint8_t protocol) { return protocol == packet.protocol; };
  const auto is_port = [&](std::uint16_t port) {
    return port == packet.source_port || port == packet.destination_port;
  };
  const auto holds = [&](const Prefix& prefix) {
    return prefix.base.family == packet.family &&
           (prefix.Contains(packet.source()) || prefix.Contains(packet.destination()));
  };
  return AnyOrNone(protocols, is_protocol) && AnyOrNone(ports, is_port) && AnyOrNone(addresses, holds);
}

std::uint32_t HeaderBytes(const Frame& frame, const ParsedPacket& packet) {
  if (packet.l4_offset == 0) {
    // Not IP, or cut short or malformed before its transport: only what was read.
    const bool is_arp = packet.Is(ParsedPacket::kPass) && packet.l3_offset >= kEthernetBytes &&
                        frame.length >= packet.l3_offset && frame.data[packet.l3_offset - 2] == 0x08 &&
                        frame.data[packet.l3_offset - 1] == 0x06;
    const bool is_ip = packet.source() != IpAddress() || packet.destination() != IpAddress();
    const std::uint32_t ip_bytes = !is_ip ? 0 : packet.family == Family::kIpv4 ? 20 : 40;
    return std::min(frame.length,
                    std::max<std::uint32_t>(kEthernetBytes, packet.l3_offset) + (is_arp ? kArpBytes : ip_bytes));
  }
  const bool has_transport = !packet.Is(ParsedPacket::kFragment) || packet.Is(ParsedPacket::kFirstFragment);
  const std::uint32_t transport = has_transport ? TransportBytes(frame, packet, packet.l4_offset) : 0;
  return std::min<std::uint32_t>(frame.length, packet.l4_offset + transport);
}

bool CaptureRing::Ask(CaptureWish wish) {
  if (!IsTurned()) return false;
  packets_.Reserve();
  const std::uint32_t next = asked_.load(std::memory_order_relaxed) + 1;
  wishes_[next & 1] = std::move(wish);  // the worker reads the other one
  asked_.store(next, std::memory_order_release);
  return true;
}

void CaptureRing::Put(const DropRecord& record, bool reply, std::span<const std::uint8_t> bytes) {
  packets_.Put({reply, record}, bytes);
}

}  // namespace sluice
