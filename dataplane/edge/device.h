// Devices by name: what to ask DPDK for, and what to watch and lock around it. Needs no EAL.
#ifndef SLUICE_DATAPLANE_EDGE_DEVICE_H_
#define SLUICE_DATAPLANE_EDGE_DEVICE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "edge/settings.h"

namespace sluice {

struct Device {
  std::string text;                  // as the operator wrote it
  std::string name;                  // DPDK's name of the device; for PCI, the address
  std::string arguments;             // DPDK's device arguments, after the name
  std::string interface;             // a kernel interface that must exist, and may go and come back; else empty
  std::string lock;                  // what two processes must not use at the same time; empty: nothing
  std::string reads;                 // a file that must exist; empty: none
  std::string makes;                 // a file or socket that will be made in a folder that must exist; empty: none
  std::string remedy;                // what to try if DPDK refuses the device
  bool needs_peer = false;           // does not start while the other end is away; must be opened again after it went
  bool is_pci = false;               // probed by EAL at start, by address
  bool multi_queue = false;          // has queues and a hash as a NIC has
  std::uint32_t driver_buffers = 0;  // buffers that its driver keeps, beside the descriptors asked for
  bool may_sleep = false;  // the kernel or another process feeds it, not a NIC: a worker may sleep between bursts
};

// `index` makes the DPDK name unique in the process. The error names the device and says what would be right.
std::variant<Device, std::string> ParseDevice(const PortSettings& port, std::uint32_t index);

inline constexpr std::string_view kHooksWire = "hooks";  // the name of a wire of hooks, in place of its devices

// The size of receive frame that an af_packet socket needs for frames of an
// interface with this MTU. A multiple of the page size if it is larger than a page.
std::uint32_t PacketSocketFrame(std::uint32_t mtu);

// Reads "DEV1,DEV2" or "hooks" of --wire. The error says what is wrong.
std::variant<WireSettings, std::string> ParseWire(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_DEVICE_H_
