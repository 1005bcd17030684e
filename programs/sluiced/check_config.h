// What would stop a start, found without one. The control thread, before there are others.
#ifndef SLUICE_PROGRAMS_SLUICED_CHECK_CONFIG_H_
#define SLUICE_PROGRAMS_SLUICED_CHECK_CONFIG_H_

#include "config/config.h"
#include "sluice/diagnostic.h"

namespace sluice {

// What is wrong with the settings, and manifests that cannot be read. Each start asks.
Diagnostics CheckSettings(const Config& config);

// What this machine lacks for them: devices, CPUs, TLS files, addresses, folders. A start meets these one at a time,
// and some may come while it is tried again; --check-config tells of all.
Diagnostics CheckMachine(const Config& config);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_CHECK_CONFIG_H_
