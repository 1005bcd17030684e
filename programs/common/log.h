// The log of a daemon: lines on standard error, for people and for collectors of logs.
#ifndef SLUICE_PROGRAMS_COMMON_LOG_H_
#define SLUICE_PROGRAMS_COMMON_LOG_H_

#include <spdlog/common.h>

#include <string_view>

#include "sluice/diagnostic.h"

namespace sluice {

// From here on spdlog writes each message as one line, "2024-05-01T12:00:00.123 info TEXT". The text is escaped
// (sluice/printable.h). Call it once, before other threads log.
void SetUpLog(spdlog::level::level_enum level);

// Logs one line: an error, a warning, or a note, which is shown at the level `debug`.
void Log(const Diagnostic& diagnostic);
void Log(const Diagnostics& diagnostics);

// Logs an event: a note is a line of the level `info`.
void LogNews(Severity severity, std::string_view text);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_LOG_H_
