// The log of a daemon: lines on standard error, for people and for collectors of logs.
#ifndef SLUICE_PROGRAMS_COMMON_LOG_H_
#define SLUICE_PROGRAMS_COMMON_LOG_H_

#include <spdlog/common.h>

namespace sluice {

// From here on spdlog writes each message as one line, "2024-05-01T12:00:00.123 info TEXT". The text is escaped
// (sluice/printable.h). To be called once, before other threads log.
void SetUpLog(spdlog::level::level_enum level);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_COMMON_LOG_H_
