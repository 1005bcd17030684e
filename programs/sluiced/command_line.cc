#include "sluiced/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <variant>
#include <vector>

#include "api/server.h"
#include "certificate/tls_material.h"
#include "common/arguments.h"
#include "edge/device.h"
#include "http/http_server.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

struct Flags {
  std::string config;
  std::vector<std::string> wires;
  std::vector<std::string> manifests;
  std::vector<std::string> listen;
  std::string state;
  std::string run;
  std::string cores;
  std::string http;
  bool insecure = false;
  bool no_huge = false;
  bool check_config = false;
};

int Refuse(const std::string& message) {
  std::fprintf(stderr, "sluiced: %s\n", Printable(message).c_str());
  return kExitBadInput;
}

// A flag given once or more replaces the file's whole list.
std::optional<int> Overlay(const Flags& flags, Config& config) {
  if (!flags.wires.empty()) config.edge.wires.clear();
  for (const std::string& text : flags.wires) {
    auto wire = ParseWire(text);
    if (const auto* error = std::get_if<std::string>(&wire)) return Refuse(*error);
    config.edge.wires.push_back(std::get<WireSettings>(std::move(wire)));
  }
  if (!flags.manifests.empty()) config.manifests = flags.manifests;
  if (!flags.listen.empty()) config.api.listen = flags.listen;
  if (!flags.state.empty()) config.state = flags.state;
  if (!flags.run.empty()) config.run = flags.run;
  if (!flags.http.empty()) config.http = flags.http;
  config.api.insecure |= flags.insecure;
  if (!flags.cores.empty()) {
    auto cores = ParseCores(flags.cores);
    if (!cores) return Refuse("--cores '" + flags.cores + "': wants CPU numbers, none twice, such as 0,2-4");
    config.edge.cores = std::move(*cores);
  }
  config.edge.no_huge |= flags.no_huge;
  return std::nullopt;
}

// What can be known to be wrong without touching a device.
std::optional<int> Check(const Config& config) {
  for (const WireSettings& wire : config.edge.wires) {
    for (const PortSettings& port : wire.ports) {
      const auto device = ParseDevice(port, 0);
      if (const auto* error = std::get_if<std::string>(&device)) return Refuse(*error);
    }
  }
  for (const std::string& path : config.manifests) {
    if (access(path.c_str(), R_OK) != 0) {
      return Refuse("manifests '" + path + "' cannot be read: " + std::strerror(errno));
    }
  }
  if (const auto error = CheckApiSettings(config.api)) return Refuse(*error);
  if (!config.http.empty()) {
    if (const auto error = CheckHttpAddress(config.http)) return Refuse(*error);
  }
  return std::nullopt;
}

// Not at every start: what is half-written now may be whole when it is tried again.
std::optional<int> CheckTlsFiles(const ApiSettings& api) {
  if (api.tls_certificate.empty()) return std::nullopt;
  const auto read = ReadSoundTls({api.tls_certificate, api.tls_key, api.tls_client_ca});
  if (const auto* error = std::get_if<std::string>(&read)) return Refuse(*error);
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
                 "tap:NAME, memif:SOCKET[:ID], vhost:SOCKET, pcap:IN[:OUT], null, ring. Repeatable")
      ->type_name("DEV1,DEV2")
      ->expected(1)
      ->take_all();
  app.add_option("--manifests", flags.manifests, "file or folder of manifests, watched for changes. Repeatable")
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
                 "serve /metrics, /healthz and /readyz there: HOST:PORT or PORT (docs/metrics.md)")
      ->type_name("ADDR");
  app.add_flag("--insecure", flags.insecure, "listen at HOST:PORT without TLS");
  app.add_option("--cores", flags.cores, "CPUs: the first for the control thread, each further one a worker")
      ->type_name("LIST");
  app.add_flag("--no-huge", flags.no_huge, "run on ordinary memory");
  app.add_flag("--check-config", flags.check_config, "say whether configuration and flags are fine, and end");
  app.set_version_flag("--version", "sluiced " SLUICE_VERSION);
  app.footer(
      "Prints `ready` when packets flow. SIGUSR1: a summary of counters on standard error. SIGHUP: read the manifests\n"
      "again. SIGTERM: drain and exit 0; a second one exits at once.\n"
      "Exit codes: 0 fine; 1 it could not run; 2 bad input.\n"
      "Example: sluiced --wire af_packet:eth1,af_packet:eth2 --manifests /etc/sluice/manifests\n"
      "         sluiced --wire af_packet:eth1,af_packet:eth2 --state /var/lib/sluice    (policy comes by gRPC)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitBadInput;
  }

  Diagnostics diagnostics;
  if (!flags.config.empty() && !ReadConfigFile(flags.config, config, diagnostics)) {
    for (const Diagnostic& diagnostic : diagnostics) std::fprintf(stderr, "%s\n", diagnostic.ToString().c_str());
    return kExitBadInput;
  }
  if (const auto code = Overlay(flags, config)) return code;
  if (const auto code = Check(config)) return code;
  if (flags.check_config) {
    if (const auto code = CheckTlsFiles(config.api)) return code;
    std::printf("%s: fine\n", flags.config.empty() ? "flags" : Printable(flags.config).c_str());
    return kExitFine;
  }
  if (config.edge.wires.empty()) {
    return Refuse("no wire: give --wire DEV1,DEV2, or the key wires in the configuration file (see --help)");
  }
  return std::nullopt;
}

}  // namespace sluice
