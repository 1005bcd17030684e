// IP protocol numbers (IANA "Protocol Numbers") that policy or the parser names.
#ifndef SLUICE_PROTOCOL_H_
#define SLUICE_PROTOCOL_H_

#include <cstdint>
#include <string_view>

namespace sluice {

inline constexpr std::uint8_t kProtoHopByHop = 0;
inline constexpr std::uint8_t kProtoIcmp = 1;
inline constexpr std::uint8_t kProtoIpv4 = 4;  // IP in IP
inline constexpr std::uint8_t kProtoTcp = 6;
inline constexpr std::uint8_t kProtoUdp = 17;
inline constexpr std::uint8_t kProtoIpv6 = 41;  // IPv6 in IP
inline constexpr std::uint8_t kProtoRouting = 43;
inline constexpr std::uint8_t kProtoFragment = 44;
inline constexpr std::uint8_t kProtoGre = 47;
inline constexpr std::uint8_t kProtoEsp = 50;
inline constexpr std::uint8_t kProtoAh = 51;
inline constexpr std::uint8_t kProtoIcmpv6 = 58;
inline constexpr std::uint8_t kProtoNoNext = 59;
inline constexpr std::uint8_t kProtoDestinationOptions = 60;
inline constexpr std::uint8_t kProtoSctp = 132;
inline constexpr std::uint8_t kProtoMobility = 135;
inline constexpr std::uint8_t kProtoHip = 139;
inline constexpr std::uint8_t kProtoShim6 = 140;

// True for the protocols whose ports a rule can name (NP-60): TCP, UDP, SCTP.
constexpr bool HasPorts(std::uint8_t protocol) {
  return protocol == kProtoTcp || protocol == kProtoUdp || protocol == kProtoSctp;
}

// "TCP", "UDP", "SCTP": as the Kubernetes API spells the protocols that have ports. Empty for others.
constexpr std::string_view ApiNameOf(std::uint8_t protocol) {
  return protocol == kProtoTcp ? "TCP" : protocol == kProtoUdp ? "UDP" : protocol == kProtoSctp ? "SCTP" : "";
}

// "tcp", "udp", "sctp", "icmp", "icmpv6": as the tools and logs spell them. Empty for others.
constexpr std::string_view ToolNameOf(std::uint8_t protocol) {
  switch (protocol) {
    case kProtoTcp:
      return "tcp";
    case kProtoUdp:
      return "udp";
    case kProtoSctp:
      return "sctp";
    case kProtoIcmp:
      return "icmp";
    case kProtoIcmpv6:
      return "icmpv6";
    default:
      return "";
  }
}

}  // namespace sluice

#endif  // SLUICE_PROTOCOL_H_
