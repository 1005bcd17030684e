// The operator's settings for sluice-sync, from flags and the configuration file. Plain values.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_SETTINGS_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_SETTINGS_H_

#include <optional>
#include <string>
#include <vector>

#include "common/origins.h"
#include "push/target.h"
#include "sluice/diagnostic.h"

namespace sluice {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadInput = 2;

struct SyncSettings {
  std::string kubeconfig;  // empty: see FindAccess (kube/kubeconfig.h)
  std::string context;
  std::vector<std::string> manifests;  // files and folders, instead of an API server
  std::vector<std::string> staged;     // files and folders of staged policies
  bool skip_broken_manifests = false;  // at a start, skips what cannot be read of them
  std::vector<std::string> targets;    // empty: kDefaultTarget
  TargetSecurity security;
  std::string node;    // take only what this node's pods need; empty: all
  std::string socket;  // for the CNI plugin's requests; empty: none
  std::string http;    // "HOST:PORT" or "PORT"; empty: none
  std::string log_level = "info";
  Origins origins;  // origins of the values above, by the file's keys
};

// Fills `settings` from the command line, over the configuration file that it may name. Returns a value if the process
// must end with it (help, version, or bad input that was reported).
std::optional<int> ReadCommandLine(int argc, char** argv, SyncSettings& settings);

// Fills `settings` from YAML. Its keys are the flags' names in snake_case, with the three of TLS below `tls`. True iff
// there was no error; each error names line and key.
bool ReadSettingsFile(const std::string& path, SyncSettings& settings, Diagnostics& diagnostics);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_SETTINGS_H_
