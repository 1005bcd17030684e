// What the operator says to sluice-sync, by flags and by the configuration file. Plain values.
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
  std::vector<std::string> manifests;  // files and folders, in place of an API server
  std::vector<std::string> staged;     // files and folders of what is to be tried
  bool skip_broken_manifests = false;  // at a start, what cannot be read of them
  std::vector<std::string> targets;    // none: kDefaultTarget
  TargetSecurity security;
  std::string node;    // only what its pods need; empty: all
  std::string socket;  // where the CNI plugin asks; empty: nowhere
  std::string http;    // "HOST:PORT" or "PORT"; empty: none
  std::string log_level = "info";
  Origins origins;  // of the above, by the file's keys
};

// Fills `settings` from the command line, over the configuration file that it may name. A value: the process ends with
// it (help, version, bad input, which was told).
std::optional<int> ReadCommandLine(int argc, char** argv, SyncSettings& settings);

// Fills `settings` from YAML, whose keys are the flags' names, in snake_case and with the three of TLS below `tls`.
// True iff there was no error; each names line and key.
bool ReadSettingsFile(const std::string& path, SyncSettings& settings, Diagnostics& diagnostics);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_SETTINGS_H_
