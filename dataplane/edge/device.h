// Devices by name: what DPDK must be asked for, and what must be watched and locked around it. Needs no EAL.
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
  std::string name;                  // DPDK's name of the device; for PCI the address
  std::string arguments;             // DPDK's device arguments, after the name
  std::string interface;             // a kernel interface that must be there, and may go and come back; else empty
  std::string lock;                  // what two processes must not both use; empty: nothing
  std::string reads;                 // a file that must be there; empty: none
  std::string makes;                 // a file or a socket that is made, in a folder that must be there; empty: none
  std::string remedy;                // what to try where DPDK refuses the device
  bool needs_peer = false;           // does not start while the other end is away; to be opened again after it went
  bool is_pci = false;               // probed by EAL at start, by address
  bool multi_queue = false;          // its queues, and its hash, are a NIC's
  std::uint32_t driver_buffers = 0;  // that its driver keeps, beside the descriptors asked for
  bool may_sleep = false;  // fed by the kernel or another process, not by a NIC: a worker may sleep between bursts
};

// `index` makes the DPDK name unique in the process. The error names the device and what would be right.
std::variant<Device, std::string> ParseDevice(const PortSettings& port, std::uint32_t index);

inline constexpr std::string_view kHooksWire = "hooks";  // what a wire of hooks is called in place of its devices

// The receive frame that an af_packet socket needs for frames of an interface with this MTU; a multiple of the page
// size where it is larger than a page.
std::uint32_t PacketSocketFrame(std::uint32_t mtu);

// "DEV1,DEV2" or "hooks" of --wire; the error says what is wrong.
std::variant<WireSettings, std::string> ParseWire(std::string_view text);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_DEVICE_H_
