// DPDK's environment: cores, memory, log. Once in a process, from the control thread.
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
  std::vector<std::uint32_t> cores;  // as CoresOf gives them: the control thread's, then one a worker
  bool no_huge = false;
  std::uint32_t memory_mb = 256;           // for packet buffers
  std::vector<std::string> pci_addresses;  // devices to probe; all others are left alone
};

// The cores to use: control first, then one a worker (with one core, that core again). `wanted` may be empty; the error
// names the core that the process may not use.
std::variant<std::vector<std::uint32_t>, std::string> CoresOf(const std::vector<std::uint32_t>& wanted);

// MB in free hugepages of any size.
std::uint64_t FreeHugepageMb();

// Starts DPDK: worker i runs on EAL's core i + 1. Nothing on success, else the reason. Where hugepages are too few it
// runs without, and `say` is told so in one line. Several processes may run side by side; nothing is left on disk, so
// the process's end cleans up (rte_eal_cleanup unmaps memory that EAL's interrupt thread still reads).
std::optional<std::string> StartEal(const EalSettings& settings, const std::function<void(std::string_view)>& say);

// The last lines that DPDK logged since the last call, joined by "; ". Any thread.
std::string TakeDpdkMessages();

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_EAL_H_
