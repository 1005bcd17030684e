#include "edge/hooks_wire.h"

#include <algorithm>
#include <array>

#include "edge/device.h"
#include "edge/kernel_interface.h"

namespace sluice {
namespace {

constexpr std::array<const char*, 2> kPorts = {"sluice-p0", "sluice-p1"};

// A page without the bytes that DPDK and the kernel need in it (BufferBytes).
constexpr std::uint32_t kMostByXdp = 3408;

}  // namespace

std::string_view HooksPortKind(std::uint32_t mtu) { return mtu <= kMostByXdp ? "af_xdp" : "af_packet"; }

std::optional<std::string> FillHooksWires(EdgeSettings& edge) {
  const auto is_hooks = [](const WireSettings& wire) { return wire.is_hooks; };
  if (std::count_if(edge.wires.begin(), edge.wires.end(), is_hooks) > 1) {
    return "wire '" + std::string(kHooksWire) + "': given twice; one carries all hooks of a node";
  }
  for (WireSettings& wire : edge.wires) {
    if (!wire.is_hooks) continue;
    std::uint32_t mtu = 0;
    for (const char* name : kPorts) {
      const auto state = QueryInterface(name);
      if (!state) {
        return "wire '" + std::string(kHooksWire) + "': no interface " + name +
               " in this network namespace; `sluice-node run` makes it";
      }
      mtu = std::max(mtu, state->mtu);
    }
    for (std::size_t i = 0; i < kPorts.size(); ++i) {
      wire.ports[i].device = std::string(HooksPortKind(mtu)) + ":" + kPorts[i];
    }
  }
  return std::nullopt;
}

}  // namespace sluice
