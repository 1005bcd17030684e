// The wire of hooks: the pair of devices that `sluice-node` makes.
// Hooks at kernel interfaces hand over frames by these devices.
#ifndef SLUICE_DATAPLANE_EDGE_HOOKS_WIRE_H_
#define SLUICE_DATAPLANE_EDGE_HOOKS_WIRE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "edge/settings.h"

namespace sluice {

// Names the ports of a wire of hooks, according to what this network namespace has now: AF_XDP if a frame
// fits into its buffers, else packet sockets. Any thread. The error says what is missing and what makes it.
std::optional<std::string> FillHooksWires(EdgeSettings& edge);

// The kind of port for frames of an MTU: "af_xdp" or "af_packet".
std::string_view HooksPortKind(std::uint32_t mtu);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_HOOKS_WIRE_H_
