// Times that people give for "since when".
#ifndef SLUICE_PROGRAMS_SLUICECTL_SINCE_H_
#define SLUICE_PROGRAMS_SLUICECTL_SINCE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

inline constexpr std::string_view kSinceForms = "90s, 5m, 2h, 7d, or a time such as 2026-11-30T03:25:27Z";

// Parses "90s", "5m", "2h", "7d" ago, or a time as in lines of a flow log. Returns ns since 1970.
std::optional<std::uint64_t> ParseSince(const std::string& text);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_SINCE_H_
