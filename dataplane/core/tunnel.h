// Packets that carry other packets: tunnels that network plugins build between nodes. What is inside is not read.
#ifndef SLUICE_DATAPLANE_CORE_TUNNEL_H_
#define SLUICE_DATAPLANE_CORE_TUNNEL_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/packet.h"
#include "sluice/protocol.h"

namespace sluice {

// VXLAN (RFC 7348, and as Linux had it before), Geneve (RFC 8926), IPsec through NAT (RFC 3948), WireGuard as Calico
// and Cilium have it.
inline constexpr std::array<std::uint16_t, 7> kTunnelPorts = {4500, 4789, 6081, 8472, 51820, 51821, 51871};

// By protocol, or by UDP's destination port. Of fragments too, which have the ports of their first one.
inline bool IsTunnel(const ParsedPacket& packet) {
  switch (packet.protocol) {
    case kProtoIpv4:
    case kProtoIpv6:
    case kProtoGre:
    case kProtoEsp:
      return true;
    case kProtoUdp:
      return std::find(kTunnelPorts.begin(), kTunnelPorts.end(), packet.destination_port) != kTunnelPorts.end();
    default:
      return false;
  }
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_TUNNEL_H_
