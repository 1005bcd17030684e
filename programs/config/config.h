// The configuration file of `sluiced`, which `sluicectl replay` reads too: YAML, every key optional.
//
// One list of keys (keys.cc) drives the reader, its errors and docs/configuration.md, so they cannot disagree.
// Plain values; no DPDK; any thread.
#ifndef SLUICE_PROGRAMS_CONFIG_CONFIG_H_
#define SLUICE_PROGRAMS_CONFIG_CONFIG_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/settings.h"
#include "common/origins.h"
#include "core/pipeline.h"
#include "edge/settings.h"
#include "observe/flow_log_settings.h"
#include "sluice/diagnostic.h"
#include "table/compile.h"

namespace sluice {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

struct Config {
  EdgeSettings edge;
  std::vector<std::string> manifests;  // files and folders
  std::vector<std::string> staged;     // files and folders of staged policies
  bool skip_broken_manifests = false;  // applies at a start, when their last good content is unknown
  ApiSettings api;                     // without `listen`: kDefaultListen
  std::string state;                   // folder; empty: policy is not kept
  std::string run = "/run/sluice";     // folder in memory: says whether `state` can be trusted
  PipelineConfig pipeline;
  CompileLimits limits;
  std::vector<std::string> dns_resolvers;  // whose answers count; empty: no DNS is read
  std::uint32_t dns_port = 53;
  std::string http;                    // HOST:PORT; empty: nothing is served
  std::string http_page_token;         // file; empty: only this host may see the page
  std::uint32_t http_policies = 2000;  // policies with series of their own
  FlowLogSettings flow_log;
  LogLevel log_level = LogLevel::kInfo;
  Origins origins;  // origins of the values above, by the keys' names in the file

  // `pipeline`, with the settings for workers about DNS.
  PipelineConfig PipelineWithDns() const {
    PipelineConfig with_dns = pipeline;
    if (!dns_resolvers.empty()) with_dns.dns.port = static_cast<std::uint16_t>(dns_port);
    return with_dns;
  }
  // Whether the dataplane stands at a node's hooks.
  bool has_hooks() const {
    return std::any_of(edge.wires.begin(), edge.wires.end(), [](const WireSettings& wire) { return wire.is_hooks; });
  }
};

// Fills `config`, whose values are the defaults at first, from YAML text. Appends an error with its line for each
// unknown key, key given twice, wrong type and value out of range. Returns true iff there was none. On false, do not
// use `config`.
bool ReadConfig(std::string_view text, const std::string& file_name, Config& config, Diagnostics& diagnostics);

// Calls ReadConfig with a file's content. If the file cannot be read, an error says why.
bool ReadConfigFile(const std::string& path, Config& config, Diagnostics& diagnostics);

// Parses "0,2-4": CPU numbers, ascending or not, none twice. Returns nothing if the text is no such list.
std::optional<std::vector<std::uint32_t>> ParseCores(std::string_view text);

// Returns a Markdown table of all keys: name, type, default, unit, meaning. docs/configuration.md holds it.
std::string ConfigReference();

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_CONFIG_CONFIG_H_
