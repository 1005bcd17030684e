#include "sluiced/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/server.h"
#include "common/arguments.h"
#include "edge/device.h"
#include "sluice/printable.h"
#include "sluiced/check_config.h"

namespace sluice {
namespace {

struct Flags {
  std::string config;
  std::vector<std::string> wires;
  std::vector<std::string> manifests;
  std::vector<std::string> staged;
  std::vector<std::string> listen;
  std::string state;
  std::string run;
  std::string cores;
  std::string http;
  std::string log_level;
  bool insecure = false;
  bool no_huge = false;
  bool no_carry = false;
  bool check_config = false;
};

int Refuse(const std::string& message) {
  std::fprintf(stderr, "sluiced: %s\n", Printable(message).c_str());
  return kExitBadInput;
}

// If a flag is given, once or more, it replaces the file's whole list.
std::optional<int> Overlay(const Flags& flags, Config& config) {
  Origins& origins = config.origins;
  const auto list = [&](const std::vector<std::string>& flag, const char* key, std::vector<std::string>& setting) {
    if (flag.empty()) return;
    setting = flag;
    origins.SetFlag(key, std::string("--") + key);
  };
  const auto text = [&](const std::string& flag, const char* key, std::string& setting) {
    if (flag.empty()) return;
    setting = flag;
    origins.SetFlag(key, std::string("--") + key);
  };
  if (!flags.wires.empty()) {
    config.edge.wires.clear();
    origins.SetFlag("wires", "--wire");
  }
  for (const std::string& wire_text : flags.wires) {
    auto wire = ParseWire(wire_text);
    if (const auto* error = std::get_if<std::string>(&wire)) return Refuse(*error);
    config.edge.wires.push_back(std::get<WireSettings>(std::move(wire)));
  }
  list(flags.manifests, "manifests", config.manifests);
  list(flags.staged, "staged", config.staged);
  list(flags.listen, "listen", config.api.listen);
  text(flags.state, "state", config.state);
  text(flags.run, "run", config.run);
  text(flags.http, "http", config.http);
  config.api.insecure |= flags.insecure;
  if (!flags.cores.empty()) {
    auto cores = ParseCores(flags.cores);
    if (!cores) return Refuse("--cores '" + flags.cores + "': wants CPU numbers, none twice, such as 0,2-4");
    config.edge.cores = std::move(*cores);
    origins.SetFlag("cores", "--cores");
  }
  config.edge.no_huge |= flags.no_huge;
  config.edge.carry &= !flags.no_carry;
  if (!flags.log_level.empty()) {
    constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error"};
    const auto* level = std::find(std::begin(kLevels), std::end(kLevels), flags.log_level);
    if (level == std::end(kLevels)) {
      return Refuse("--log-level '" + flags.log_level + "': wants debug, info, warning or error");
    }
    config.log_level = static_cast<LogLevel>(level - std::begin(kLevels));
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> ReadCommandLine(int argc, char** argv, Config& config) {
  Flags flags;
  CLI::App app("Filters packets between the two ports of each wire, as Kubernetes NetworkPolicy says.");
  app.name("sluiced");
  AnswerInPlainLines(app);
  app.add_option("--config", flags.config, "configuration file (docs/configuration.md lists its keys)")
      ->type_name("FILE");
  app.add_option("--wire", flags.wires,
                 "two devices; what enters one leaves by the other. DEV: a PCI address, af_packet:IFACE, af_xdp:IFACE, "
                 "tap:NAME, memif:SOCKET[:ID], vhost:SOCKET, pcap:IN[:OUT], null, ring. Or the hooks of sluice-node. "
                 "Repeatable")
      ->type_name("DEV1,DEV2|hooks")
      ->expected(1)
      ->take_all();
  app.add_option("--manifests", flags.manifests, "file or folder of manifests, watched for changes. Repeatable")
      ->type_name("PATH")
      ->expected(1)
      ->take_all();
  app.add_option("--staged", flags.staged,
                 "file or folder of policies that are to be tried: traffic is judged by them, too, and they enforce "
                 "nothing (sluicectl staged shows what they would change). Repeatable")
      ->type_name("PATH")
      ->expected(1)
      ->take_all();
  app.add_option(
         "--listen", flags.listen,
         "where the control API listens: unix:PATH or HOST:PORT [" + std::string(kDefaultListen) + "]. Repeatable")
      ->type_name("ADDR")
      ->expected(1)
      ->take_all();
  app.add_option("--state", flags.state, "folder where policy is kept and found again at the next start")
      ->type_name("DIR");
  app.add_option("--run", flags.run, "folder in memory that says whether that state may be trusted [/run/sluice]")
      ->type_name("DIR");
  app.add_option("--http", flags.http,
                 "serve /metrics, /healthz and /readyz there, and the page to this host: HOST:PORT or PORT "
                 "(docs/seeing.md)")
      ->type_name("ADDR");
  app.add_flag("--insecure", flags.insecure, "listen at HOST:PORT without TLS");
  app.add_option("--cores", flags.cores, "CPUs: the first for the control thread, each further one a worker")
      ->type_name("LIST");
  app.add_flag("--no-huge", flags.no_huge, "run on ordinary memory");
  app.add_flag("--no-carry", flags.no_carry, "with --wire hooks: every packet to a worker, none passes in the kernel");
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error [info]")->type_name("LEVEL");
  app.add_flag("--check-config", flags.check_config,
               "say what would stop a start with this configuration and these flags, each with its line, and end");
  app.set_version_flag("--version", "sluiced " SLUICE_VERSION);
  app.footer(
      "Prints `ready` when packets flow. SIGUSR1: a summary of counters on standard error. SIGHUP: read the manifests\n"
      "again. SIGTERM: drain and exit 0; a second one exits at once.\n"
      "Exit codes: 0 fine; 1 it could not run; 2 bad input.\n"
      "Example: sluiced --wire af_packet:eth1,af_packet:eth2 --manifests /etc/sluice/manifests\n"
      "         sluiced --wire af_packet:eth1,af_packet:eth2 --manifests /etc/sluice/manifests --staged new-policies\n"
      "         sluiced --wire af_packet:eth1,af_packet:eth2 --state /var/lib/sluice    (policy comes by gRPC)\n"
      "         sluiced --wire hooks --state /var/lib/sluice    (between a node's pods; beside: sluice-node run)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitBadInput;
  }

  Diagnostics problems;
  if (!flags.config.empty() && !ReadConfigFile(flags.config, config, problems)) {
    PrintProblems("sluiced", problems);
    return kExitBadInput;
  }
  if (const auto code = Overlay(flags, config)) return code;
  problems = CheckSettings(config);
  if (flags.check_config) {
    Diagnostics lacking = CheckMachine(config);
    problems.insert(problems.end(), std::make_move_iterator(lacking.begin()), std::make_move_iterator(lacking.end()));
  }
  if (!problems.empty()) {
    PrintProblems("sluiced", problems);
    return kExitBadInput;
  }
  if (flags.check_config) {
    std::printf("%s: fine\n", flags.config.empty() ? "flags" : Printable(flags.config).c_str());
    return kExitFine;
  }
  return std::nullopt;
}

}  // namespace sluice
