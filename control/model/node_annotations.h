// Annotations of Node objects in which network plugins write the node's own addresses (NP-72).
#ifndef SLUICE_CONTROL_MODEL_NODE_ANNOTATIONS_H_
#define SLUICE_CONTROL_MODEL_NODE_ANNOTATIONS_H_

#include <array>
#include <string_view>

namespace sluice {

// Each holds one address. Calico's two also have the prefix length of the network after it. flannel uses the name
// `public-ipv6`; some documents say `public-ip-v6`.
inline constexpr std::array<std::string_view, 10> kNodeAddressAnnotations = {
    "flannel.alpha.coreos.com/public-ip",   "flannel.alpha.coreos.com/public-ip-v6",
    "flannel.alpha.coreos.com/public-ipv6", "network.cilium.io/ipv4-cilium-host",
    "network.cilium.io/ipv6-cilium-host",   "projectcalico.org/IPv4Address",
    "projectcalico.org/IPv4IPIPTunnelAddr", "projectcalico.org/IPv4VXLANTunnelAddr",
    "projectcalico.org/IPv6Address",        "projectcalico.org/IPv6VXLANTunnelAddr",
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_MODEL_NODE_ANNOTATIONS_H_
