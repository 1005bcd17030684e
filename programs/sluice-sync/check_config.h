// Finds what would stop a start, without starting. Runs on the main thread, before there are others.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_CHECK_CONFIG_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_CHECK_CONFIG_H_

#include "sluice-sync/settings.h"
#include "sluice/diagnostic.h"

namespace sluice {

// Returns what is wrong with the settings, and manifests that cannot be read. Each start calls it.
Diagnostics CheckSettings(const SyncSettings& settings);

// Returns what this machine lacks for the settings: TLS files, a kubeconfig, an address. A start meets these one at a
// time, and some may appear while it tries again; --check-config reports all of them. Asks no API server.
Diagnostics CheckMachine(const SyncSettings& settings);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_CHECK_CONFIG_H_
