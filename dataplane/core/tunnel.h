// Packets that carry other packets: tunnels that network plugins build between nodes. The inner packet is not read.
#ifndef SLUICE_DATAPLANE_CORE_TUNNEL_H_
#define SLUICE_DATAPLANE_CORE_TUNNEL_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/packet.h"
#include "sluice/protocol.h"

namespace sluice {

// VXLAN (RFC 7348, and Linux's older port), Geneve (RFC 8926), IPsec
// through NAT (RFC 3948), and the WireGuard ports of Calico and Cilium.
inline constexpr std::array<std::uint16_t, 7> kTunnelPorts = {4500, 4789, 6081, 8472, 51820, 51821, 51871};

// By protocol, or by UDP's destination port.
inline bool IsTunnel(std::uint8_t protocol, std::uint16_t destination_port) {
  switch (protocol) {
    case kProtoIpv4:
    case kProtoIpv6:
    case kProtoGre:
    case kProtoEsp:
      return true;
    case kProtoUdp:
      return std::find(kTunnelPorts.begin(), kTunnelPorts.end(), destination_port) != kTunnelPorts.end();
    default:
      return false;
  }
}
// Also for fragments, which have the ports of their first fragment.
inline bool IsTunnel(const ParsedPacket& packet) { return IsTunnel(packet.protocol, packet.destination_port); }

// Tunnels whose content a node takes for another node's without a key. The
// hooks let no pod send these to a node (IsTunnel in node/hook/hooks.bpf.c).
inline bool IsTunnelToNode(std::uint8_t protocol, std::uint16_t destination_port) {
  if (protocol == kProtoUdp) return destination_port == 4789 || destination_port == 6081 || destination_port == 8472;
  return protocol == kProtoIpv4 || protocol == kProtoIpv6 || protocol == kProtoGre;
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_CORE_TUNNEL_H_
