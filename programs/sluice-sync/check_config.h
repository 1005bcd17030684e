// What would stop a start, found without one. The main thread, before there are others.
#ifndef SLUICE_PROGRAMS_SLUICE_SYNC_CHECK_CONFIG_H_
#define SLUICE_PROGRAMS_SLUICE_SYNC_CHECK_CONFIG_H_

#include "sluice-sync/settings.h"
#include "sluice/diagnostic.h"

namespace sluice {

// What is wrong with the settings, and manifests that cannot be read. Each start asks.
Diagnostics CheckSettings(const SyncSettings& settings);

// What this machine lacks for them: TLS files, a kubeconfig, an address. A start meets these one at a time, and some
// may come while it is tried again; --check-config tells of all. Asks no API server.
Diagnostics CheckMachine(const SyncSettings& settings);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICE_SYNC_CHECK_CONFIG_H_
