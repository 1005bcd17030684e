// What the kernel knows about a network interface. Any thread; each call is one or two system calls.
#ifndef SLUICE_DATAPLANE_EDGE_KERNEL_INTERFACE_H_
#define SLUICE_DATAPLANE_EDGE_KERNEL_INTERFACE_H_

#include <cstdint>
#include <optional>
#include <string>

namespace sluice {

struct InterfaceState {
  std::uint32_t index = 0;  // a new one each time an interface of this name is made
  std::uint32_t mtu = 0;    // bytes
  bool running = false;     // up, with carrier
};

// Nothing if there is no such interface in this network namespace.
std::optional<InterfaceState> QueryInterface(const std::string& name);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_KERNEL_INTERFACE_H_
