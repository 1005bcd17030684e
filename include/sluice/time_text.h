// Moments as text. Pure; any thread.
#ifndef SLUICE_TIME_TEXT_H_
#define SLUICE_TIME_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>

namespace sluice {

// "2026-11-30T03:25:27.123Z" (RFC 3339).
std::string Rfc3339(std::uint64_t unix_ns);
// Returns nothing if the text is no such time, is not in UTC ("Z"), or is before 1970.
std::optional<std::uint64_t> ParseRfc3339(const std::string& text);

}  // namespace sluice

#endif  // SLUICE_TIME_TEXT_H_
