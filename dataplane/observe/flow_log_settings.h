// What the operator says of the flow log. Plain values, for the configuration reader.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SETTINGS_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SETTINGS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

enum class FlowLogOnly : std::uint8_t { kAll, kEnded, kDenied };

// One place that lines go to, and which.
struct FlowLogSinkSettings {
  std::string to;  // "file:PATH", "stdout", "unix:PATH"
  FlowLogOnly only = FlowLogOnly::kAll;
  std::vector<std::string> namespaces;  // of either end; empty: any, and those of nobody
  std::uint32_t lines_per_second = 0;   // 0: all
  std::uint32_t most_mb = 10;           // of a file, before the next one begins
  std::uint32_t kept = 5;               // files of before
  bool gzip = true;                     // of those
};

struct FlowLogSettings {
  std::vector<FlowLogSinkSettings> sinks;
  std::uint32_t deny_interval_s = 10;  // denials are counted up for so long
  std::uint32_t history = 65536;       // flows that ended and denials that stay in memory; 0: none

  // Whether anything wants to know of flows that end and of denials.
  bool wanted() const { return history != 0 || !sinks.empty(); }
};

// Nothing, or why lines cannot be meant to go there.
inline std::optional<std::string> CheckLogPlace(std::string_view to) {
  constexpr std::size_t kSocketBytes = 107;  // sockaddr_un
  constexpr std::string_view kForms = "wants file:PATH, stdout or unix:PATH";
  if (to.empty()) return "is missing; " + std::string(kForms);
  const bool is_file = to.starts_with("file:") && to.size() > 5;
  const bool is_socket = to.starts_with("unix:") && to.size() > 5;
  if (is_socket && to.size() - 5 > kSocketBytes) return "names a path that is too long for a socket: 107 bytes at most";
  if (is_file || is_socket || to == "stdout") return std::nullopt;
  return std::string(kForms) + ", not '" + std::string(to) + "'";
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SETTINGS_H_
