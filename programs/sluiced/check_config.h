// Finds what would stop a start, without starting. Runs on the control thread, before there are others.
#ifndef SLUICE_PROGRAMS_SLUICED_CHECK_CONFIG_H_
#define SLUICE_PROGRAMS_SLUICED_CHECK_CONFIG_H_

#include "config/config.h"
#include "sluice/diagnostic.h"

namespace sluice {

// Returns what is wrong with the settings, and manifests that cannot be read. Each start calls it.
Diagnostics CheckSettings(const Config& config);

// Returns what this machine lacks for the settings: devices, CPUs, TLS files, addresses, folders. A start meets these
// one at a time, and some may appear while it tries again; --check-config reports all of them.
Diagnostics CheckMachine(const Config& config);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_CHECK_CONFIG_H_
