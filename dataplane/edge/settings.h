// The operator's settings for devices, cores and memory. Plain values without
// DPDK, so the configuration reader and the offline tools need no EAL.
#ifndef SLUICE_DATAPLANE_EDGE_SETTINGS_H_
#define SLUICE_DATAPLANE_EDGE_SETTINGS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice {

// Which end of a shared-memory socket this process is. The server makes the socket.
enum class SocketRole : std::uint8_t { kByKind, kClient, kServer };

struct PortSettings {
  // A PCI address; af_packet:IFACE, af_xdp:IFACE, tap:NAME, memif:SOCKET[:ID], vhost:SOCKET, pcap:IN[:OUT], null, ring;
  // or any DPDK device string ("net_bonding0,mode=1,...").
  std::string device;
  SocketRole role = SocketRole::kByKind;  // memif: client; vhost: server
  std::uint32_t mtu = 0;                  // bytes of IP in a frame; 0: the device's own
};

// Frames that enter one port are filtered and leave by the other.
struct WireSettings {
  std::array<PortSettings, 2> ports;
  bool is_hooks = false;  // frames come from hooks at kernel interfaces: FillHooksWires chooses the ports
};

enum class Idle : std::uint8_t {
  kAuto,   // sleep if every port is a kernel interface or worker and control share a core, else poll
  kPoll,   // a worker never leaves its core
  kSleep,  // a worker that found nothing for a while sleeps until a socket has a frame, else for a nap
};

struct EdgeSettings {
  std::vector<WireSettings> wires;
  std::vector<std::uint32_t> cores;  // the first is the control thread's, each other one a worker's; empty: the first
                                     // two that the process may use
  bool no_huge = false;
  std::uint32_t memory_mb = 0;  // 0: as much as the buffers need
  std::uint32_t rx_descriptors = 1024;
  std::uint32_t tx_descriptors = 1024;
  std::uint32_t handover_frames = 4096;  // a ring's size; a power of two
  Idle idle = Idle::kAuto;
  std::string bpffs = "/sys/fs/bpf";  // where hooks are pinned
  bool carry = true;                  // hooks let packets of established flows pass without the workers
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_SETTINGS_H_
