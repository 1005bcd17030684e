#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <variant>

#include "certificate/tls_material.h"
#include "common/arguments.h"
#include "sluice-sync/settings.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

int Refuse(const std::string& message) {
  std::fprintf(stderr, "sluice-sync: %s\n", Printable(message).c_str());
  return kExitBadInput;
}

// A flag that was given wins over the file.
void Overlay(const SyncSettings& flags, SyncSettings& settings) {
  const auto text = [](const std::string& flag, std::string& setting) {
    if (!flag.empty()) setting = flag;
  };
  const auto list = [](const std::vector<std::string>& flag, std::vector<std::string>& setting) {
    if (!flag.empty()) setting = flag;
  };
  text(flags.kubeconfig, settings.kubeconfig);
  text(flags.context, settings.context);
  list(flags.manifests, settings.manifests);
  settings.skip_broken_manifests |= flags.skip_broken_manifests;
  list(flags.targets, settings.targets);
  text(flags.security.certificate, settings.security.certificate);
  text(flags.security.key, settings.security.key);
  text(flags.security.ca, settings.security.ca);
  settings.security.insecure |= flags.security.insecure;
  text(flags.node, settings.node);
  text(flags.http, settings.http);
  text(flags.log_level, settings.log_level);
}

std::optional<int> Check(const SyncSettings& settings) {
  if (!settings.manifests.empty() && !settings.kubeconfig.empty()) {
    return Refuse("kubeconfig and manifests exclude each other: policy comes from an API server or from files");
  }
  for (const std::string& path : settings.manifests) {
    if (access(path.c_str(), R_OK) != 0) {
      return Refuse("manifests '" + path + "' cannot be read: " + std::strerror(errno));
    }
  }
  if (const auto error = CheckTargets(settings.targets, settings.security)) return Refuse(*error);
  for (const char* level : {"debug", "info", "warning", "error"}) {
    if (settings.log_level == level) return std::nullopt;
  }
  return Refuse("log-level '" + settings.log_level + "': wants debug, info, warning or error");
}

// Not at every start: what is half-written now may be whole when it is tried again.
std::optional<int> CheckTlsFiles(const TargetSecurity& security) {
  if (security.certificate.empty()) return std::nullopt;
  const auto read = ReadSoundTls({security.certificate, security.key, security.ca});
  if (const auto* error = std::get_if<std::string>(&read)) return Refuse(*error);
  return std::nullopt;
}

}  // namespace

std::optional<int> ReadCommandLine(int argc, char** argv, SyncSettings& settings) {
  SyncSettings flags;
  flags.log_level.clear();
  std::string config;
  bool check_config = false;
  CLI::App app("Follows a Kubernetes cluster, or a folder of manifests, and keeps dataplanes in step with it.");
  app.name("sluice-sync");
  AnswerInPlainLines(app);
  app.add_option("--config", config, "YAML file whose keys are the names of these flags")->type_name("FILE");
  app.add_option("--kubeconfig", flags.kubeconfig,
                 "how to reach the API server [$KUBECONFIG, the Pod's service account, ~/.kube/config]")
      ->type_name("FILE");
  app.add_option("--context", flags.context, "context of the kubeconfig [its current-context]")->type_name("NAME");
  app.add_option("--manifests", flags.manifests,
                 "file or folder of manifests, watched for changes, in place of an API server. Repeatable")
      ->type_name("PATH")
      ->expected(1)
      ->take_all();
  app.add_flag("--skip-broken-manifests", flags.skip_broken_manifests,
               "at a start, push without those manifests that cannot be read, instead of waiting until they can be");
  app.add_option("--target", flags.targets,
                 "a dataplane: unix:PATH or HOST:PORT [" + std::string(kDefaultTarget) + "]. Repeatable")
      ->type_name("ADDR")
      ->expected(1)
      ->take_all();
  app.add_option("--tls-certificate", flags.security.certificate, "our certificate (PEM), for targets at HOST:PORT")
      ->type_name("FILE");
  app.add_option("--tls-key", flags.security.key, "its key (PEM)")->type_name("FILE");
  app.add_option("--tls-ca", flags.security.ca, "who signs the dataplanes' certificates (PEM)")->type_name("FILE");
  app.add_flag("--insecure", flags.security.insecure, "push to HOST:PORT without TLS");
  app.add_option("--node", flags.node, "push only what the pods of this node need")->type_name("NAME");
  app.add_option("--http", flags.http, "serve /healthz, /readyz and /metrics there: HOST:PORT or PORT")
      ->type_name("ADDR");
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error [info]")->type_name("LEVEL");
  app.add_flag("--check-config", check_config, "say whether configuration and flags are fine, and end");
  app.set_version_flag("--version", "sluice-sync " SLUICE_VERSION);
  app.footer(
      "SIGTERM: end; what is in force in the dataplanes stays.\n"
      "Exit codes: 0 fine; 1 it could not run; 2 bad input.\n"
      "Example: sluice-sync --kubeconfig ~/.kube/config --target unix:/run/sluice/sluiced.sock --http :9464\n"
      "         sluice-sync --manifests /etc/sluice/manifests");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitBadInput;
  }
  Diagnostics diagnostics;
  if (!config.empty() && !ReadSettingsFile(config, settings, diagnostics)) {
    for (const Diagnostic& diagnostic : diagnostics) std::fprintf(stderr, "%s\n", diagnostic.ToString().c_str());
    return kExitBadInput;
  }
  Overlay(flags, settings);
  if (settings.targets.empty()) settings.targets.emplace_back(kDefaultTarget);
  if (const auto code = Check(settings)) return code;
  if (!check_config) return std::nullopt;
  if (const auto code = CheckTlsFiles(settings.security)) return code;
  std::printf("%s: fine\n", config.empty() ? "flags" : Printable(config).c_str());
  return kExitFine;
}

}  // namespace sluice
