// The command line of sluice-node.
#ifndef SLUICE_PROGRAMS_SLUICE_NODE_SETTINGS_H_
#define SLUICE_PROGRAMS_SLUICE_NODE_SETTINGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadInput = 2;

enum class Command : std::uint8_t { kRun, kStatus, kCheck, kRemove };

struct NodeSettings {
  Command command = Command::kRun;
  std::vector<std::string> uplinks;  // empty: found automatically
  bool every_veth = false;           // --pods all
  std::string bpffs = "/sys/fs/bpf";
  std::string sandboxes = "/var/run/netns";
  bool as_json = false;
};

// Returns the exit code if there is nothing to run.
std::optional<int> ReadCommandLine(int argc, char** argv, NodeSettings& settings);

// Each returns the exit code.
int Run(const NodeSettings& settings);
int ShowStatus(const NodeSettings& settings);
int Check(const NodeSettings& settings);
int Remove(const NodeSettings& settings);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_NODE_SETTINGS_H_
