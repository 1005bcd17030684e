// The command line of `sluiced`, which overrides its configuration file.
#ifndef SLUICE_PROGRAMS_SLUICED_COMMAND_LINE_H_
#define SLUICE_PROGRAMS_SLUICED_COMMAND_LINE_H_

#include <optional>

#include "config/config.h"

namespace sluice {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadInput = 2;

// Reads both; flags override the file. Returns an exit code if the program must end at once: help, --check-config, or
// bad input, which it has reported on standard error.
std::optional<int> ReadCommandLine(int argc, char** argv, Config& config);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICED_COMMAND_LINE_H_
