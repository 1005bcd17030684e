// A port: one opened device, what workers may do with it, and what happens to it while it runs.
//
// The control thread opens, watches and closes it. Workers read PortView. If a device vanished, the control
// thread first takes it from the workers (usable), and closes it once each worker was quiescent since then.
#ifndef SLUICE_DATAPLANE_EDGE_PORT_H_
#define SLUICE_DATAPLANE_EDGE_PORT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "edge/device.h"
#include "edge/device_lock.h"
#include "edge/frame_ring.h"
#include "edge/memif_guard.h"
#include "edge/readers.h"
#include "edge/settings.h"

struct rte_mempool;
struct rte_device;

namespace sluice {

// What workers see of a port. If it has fewer queues than there are workers, only its home
// worker receives from it and transmits on it. The other workers put their frames into the ring.
struct PortView {
  std::atomic<bool> usable{false};                  // false: don't touch the device
  std::atomic<bool> link_up{false};                 // false: frames that would leave by it are dropped as port_down
  std::uint16_t id = 0;                             // DPDK's; valid while usable
  std::uint32_t rx_queues = 1;                      // 1, or one for each worker
  std::uint32_t tx_queues = 1;                      // 1, or one for each worker
  std::uint32_t home = 0;                           // the worker that uses the only queue
  int socket = -1;                                  // of the only queue; readable while it has frames; -1: unknown
  std::uint32_t peer = 0;                           // the index of the wire's other port: what enters here leaves there
  std::vector<std::unique_ptr<FrameRing>> to_home;  // by worker; empty if each worker transmits for itself
};

struct PortCounters {
  std::uint64_t missed = 0;     // frames for which the device had no room
  std::uint64_t errors = 0;     // frames that were received broken, or not transmitted
  std::uint64_t no_buffer = 0;  // no packet buffer was left
};

class Port {
 public:
  // `index` is 2 x wire + side. `buffers` feeds its receive queues.
  // `readers` are the workers. The error names the device and a remedy.
  static std::variant<std::unique_ptr<Port>, std::string> Open(const PortSettings& settings, const EdgeSettings& edge,
                                                               std::uint32_t index, std::uint32_t workers,
                                                               rte_mempool* buffers, Readers& readers);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  const PortView& view() const { return view_; }
  const Device& device() const { return device_; }

  // Looks after the device; call it a few times a second. Opens a device again
  // that is back. Returns what changed, as a line for the log, or nothing.
  std::optional<std::string> Watch();

  // Zeros while the device is away.
  PortCounters counters() const;

 private:
  Port(Device device, std::optional<DeviceLock> lock, const PortSettings& settings, const EdgeSettings& edge,
       rte_mempool* buffers, Readers& readers);

  std::optional<std::string> Probe();                           // lets DPDK take the device: view_.id is known
  std::optional<std::string> Configure(std::uint32_t workers);  // queues, hash, offloads; then starts it
  int NewSocket() const;  // the only packet socket opened since Probe began, or -1
  void SpreadByRedirection(std::uint32_t redirections, std::uint32_t workers) const;
  bool IsGone() const;
  std::optional<std::string> Reopen();
  void Admit();     // lets workers use it
  void Withdraw();  // workers may not use it, but may still be in it
  void Close();
  bool LinkIsUp() const;
  std::string Problem(const std::string& what) const;

  const Device device_;
  const std::optional<DeviceLock> lock_;
  const PortSettings settings_;
  const EdgeSettings edge_;
  rte_mempool* const buffers_;
  Readers& readers_;
  rte_device* dpdk_device_ = nullptr;
  bool probed_ = false;  // set by Probe, so that Close removes it
  bool open_ = false;
  std::uint32_t interface_index_ = 0;
  std::vector<int> former_sockets_;
  std::chrono::steady_clock::time_point next_attempt_;  // when to try to open it again
  std::optional<Readers::Token> leaving_;               // it was taken from the workers, which may still use it
  PortView view_;
  std::optional<MemifGuard> guard_;  // set for a memif
};

// The size that a packet buffer must have for the device's frames, headroom not included.
std::uint32_t BufferBytes(const Device& device, const PortSettings& settings);

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_PORT_H_
