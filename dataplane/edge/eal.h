// DPDK's environment: cores, memory, log. Started once in a process, by the control thread.
#ifndef SLUICE_DATAPLANE_EDGE_EAL_H_
#define SLUICE_DATAPLANE_EDGE_EAL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice {

struct EalSettings {
  std::vector<std::uint32_t> cores;  // from CoresOf: the control thread's core, then one for each worker
  bool no_huge = false;
  std::uint32_t memory_mb = 256;           // for packet buffers
  std::vector<std::string> pci_addresses;  // devices to probe; all others are left alone
};

// The cores to use: the control thread's first, then one for each worker (if there is only one core,
// that core again). `wanted` may be empty. The error names the core that the process may not use.
std::variant<std::vector<std::uint32_t>, std::string> CoresOf(const std::vector<std::uint32_t>& wanted);

// The MB of free hugepages, of all sizes.
std::uint64_t FreeHugepageMb();

// Starts DPDK: worker i runs on EAL's core i + 1. Returns nothing on success, else the reason. If there are too few
// hugepages, it runs without them, and tells `say` so in one line. Several processes may run side by side. Nothing is
// left on disk, so the process's end cleans up (rte_eal_cleanup unmaps memory that EAL's interrupt thread still reads).
std::optional<std::string> StartEal(const EalSettings& settings, const std::function<void(std::string_view)>& say);

// The last lines that DPDK logged since the last call, joined by "; ". Any thread.
std::string TakeDpdkMessages();

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_EAL_H_
