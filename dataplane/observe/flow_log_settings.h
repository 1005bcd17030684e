// The operator's settings for the flow log. Plain values, for the configuration reader.
#ifndef SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SETTINGS_H_
#define SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SETTINGS_H_

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "sluice/address.h"

namespace sluice {

enum class FlowLogOnly : std::uint8_t { kAll, kEnded, kDenied };

// One condition on a line, by a name of FlowLogFilter::Conditions.
struct FlowLogCondition {
  std::string name;
  std::string value;
  bool negated = false;
};

// One place that lines go to, and the lines that it gets.
struct FlowLogSinkSettings {
  std::string to;  // "file:PATH", "stdout", "unix:PATH", "ipfix:udp:ADDRESS:PORT", "ipfix:tcp:ADDRESS:PORT"
  FlowLogOnly only = FlowLogOnly::kAll;
  std::vector<FlowLogCondition> filter;       // FlowLogFilter accepts each of these
  std::uint32_t lines_per_second = 0;         // 0: all
  std::uint32_t policy_lines_per_second = 0;  // ... for each policy
  std::uint32_t most_mb = 10;                 // size of a file before the next one begins
  std::uint32_t kept = 5;                     // older files that are kept
  bool gzip = true;                           // compresses the older files
  std::vector<std::string> fields;            // of a line, in this order; empty: all
  // Records with equal values in these fields are added up over aggregate_seconds; empty: each record is a line.
  std::vector<std::string> aggregate_by;
  std::uint32_t aggregate_seconds = 60;
  std::string until;                // the time (RFC 3339, UTC) from which on the place gets nothing; empty: never
  std::uint64_t until_unix_ns = 0;  // the same time; 0: never

  bool is_ipfix() const { return to.starts_with("ipfix:"); }
};

struct FlowLogSettings {
  std::vector<FlowLogSinkSettings> sinks;
  std::uint32_t deny_interval_s = 10;  // denials are added up over this time
  std::uint32_t deny_keys = 65536;     // denied (source, destination, port, rules) that a worker tells apart meanwhile
  std::uint32_t live_interval_s = 0;   // how often a live flow has a record; 0: never
  std::uint32_t history = 65536;       // ended flows and denials that stay in memory; 0: none

  // Whether anything uses ended flows and denials.
  bool wanted() const { return history != 0 || !sinks.empty(); }
};

// The address of an IPFIX collector.
struct IpfixPlace {
  bool is_udp = false;
  IpAddress address;
  std::uint16_t port = 0;
};

// Parses "ipfix:udp:192.0.2.1:4739" or "ipfix:tcp:[2001:db8::1]:4739".
inline std::optional<IpfixPlace> ParseIpfixPlace(std::string_view to) {
  IpfixPlace place;
  place.is_udp = to.starts_with("ipfix:udp:");
  if (!place.is_udp && !to.starts_with("ipfix:tcp:")) return std::nullopt;
  to.remove_prefix(10);
  const std::size_t colon = to.rfind(':');
  if (colon == to.npos) return std::nullopt;
  std::string_view host = to.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::Parse(host);
  const std::string_view number = to.substr(colon + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), place.port);
  if (!address || error != std::errc() || end != number.data() + number.size() || place.port == 0) return std::nullopt;
  place.address = *address;
  return place;
}

// Returns nothing, or why `to` is no place for lines.
inline std::optional<std::string> CheckLogPlace(std::string_view to) {
  constexpr std::size_t kSocketBytes = 107;  // sockaddr_un
  constexpr std::string_view kForms = "wants file:PATH, stdout, unix:PATH, or ipfix:udp:ADDRESS:PORT (or tcp)";
  if (to.empty()) return "is missing; " + std::string(kForms);
  const bool is_file = to.starts_with("file:") && to.size() > 5;
  const bool is_socket = to.starts_with("unix:") && to.size() > 5;
  if (is_socket && to.size() - 5 > kSocketBytes) return "names a path that is too long for a socket: 107 bytes at most";
  if (is_file || is_socket || to == "stdout" || ParseIpfixPlace(to)) return std::nullopt;
  return std::string(kForms) + ", not '" + std::string(to) + "'";
}

// The fields by which records can be added up. A line has these too, and counts.
#define SLUICE_FLOW_LOG_WHAT                                                                                      \
  "src", "src.address", "src.port", "src.namespace", "src.pod", "src.node", "src.workload", "dst", "dst.address", \
      "dst.port", "dst.namespace", "dst.pod", "dst.node", "dst.workload", "proto", "verdict", "reason", "state",  \
      "egress", "egress.verdict", "egress.tier", "egress.policy", "egress.rule", "egress.rule_name",              \
      "egress.isolated_by", "ingress", "ingress.verdict", "ingress.tier", "ingress.policy", "ingress.rule",       \
      "ingress.rule_name", "ingress.isolated_by", "generation", "cause"
inline constexpr std::string_view kFlowLogSumFields[] = {SLUICE_FLOW_LOG_WHAT};
inline constexpr std::string_view kFlowLogFields[] = {
    "time",          "type",        SLUICE_FLOW_LOG_WHAT,  "packets",           "bytes", "reply_packets", "reply_bytes",
    "packets_delta", "bytes_delta", "reply_packets_delta", "reply_bytes_delta", "first", "last"};
#undef SLUICE_FLOW_LOG_WHAT

// Returns nothing, or what is wrong with a list of fields.
inline std::optional<std::string> CheckLogFields(std::span<const std::string> names,
                                                 std::span<const std::string_view> known) {
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string text = "there is no such field as '" + name + "'; there are ";
    for (const std::string_view field : known) text += (field == known.front() ? "" : ", ") + std::string(field);
    return text;
  }
  return std::nullopt;
}

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_OBSERVE_FLOW_LOG_SETTINGS_H_
