#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>

#include "cni/attachment.h"
#include "common/arguments.h"
#include "sluice-sync/check_config.h"
#include "sluice-sync/settings.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

// Returns "--tls-certificate" for "tls.certificate".
std::string FlagOf(std::string key) {
  std::replace_if(
      key.begin(), key.end(), [](char c) { return c == '.' || c == '_'; }, '-');
  return "--" + key;
}

// A flag that was given overrides the file.
void Overlay(const SyncSettings& flags, SyncSettings& settings) {
  const auto overlay = [&](const std::string& key, const auto& flag, auto& setting) {
    if (flag.empty()) return;
    setting = flag;
    settings.origins.SetFlag(key, FlagOf(key));
  };
  overlay("kubeconfig", flags.kubeconfig, settings.kubeconfig);
  overlay("context", flags.context, settings.context);
  overlay("manifests", flags.manifests, settings.manifests);
  overlay("staged", flags.staged, settings.staged);
  settings.skip_broken_manifests |= flags.skip_broken_manifests;
  overlay("target", flags.targets, settings.targets);
  overlay("tls.certificate", flags.security.certificate, settings.security.certificate);
  overlay("tls.key", flags.security.key, settings.security.key);
  overlay("tls.ca", flags.security.ca, settings.security.ca);
  settings.security.insecure |= flags.security.insecure;
  overlay("node", flags.node, settings.node);
  overlay("socket", flags.socket, settings.socket);
  overlay("http", flags.http, settings.http);
  overlay("log_level", flags.log_level, settings.log_level);
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
  app.add_option("--config", config,
                 "YAML file: these flags with _ in place of -, those of TLS as tls: {certificate, key, ca}")
      ->type_name("FILE");
  app.add_option("--kubeconfig", flags.kubeconfig,
                 "how to reach the API server [$KUBECONFIG, the Pod's service account, ~/.kube/config]")
      ->type_name("FILE");
  app.add_option("--context", flags.context, "context of the kubeconfig [its current-context]")->type_name("NAME");
  app.add_option("--manifests", flags.manifests,
                 "file or folder of manifests, watched for changes, in place of an API server. Repeatable")
      ->type_name("PATH")
      ->expected(1)
      ->take_all();
  app.add_option("--staged", flags.staged,
                 "file or folder of policies that are to be tried, watched for changes: dataplanes judge traffic by "
                 "them, too, and they enforce nothing. Beside either source. Repeatable")
      ->type_name("PATH")
      ->expected(1)
      ->take_all();
  app.add_flag("--skip-broken-manifests", flags.skip_broken_manifests,
               "at a start, push without those manifests that cannot be read, instead of waiting until they can be");
  app.add_option("--target", flags.targets,
                 "a dataplane: unix:PATH, /PATH or HOST:PORT [" + std::string(kDefaultTarget) + "]. Repeatable")
      ->type_name("ADDR")
      ->expected(1)
      ->take_all();
  app.add_option("--tls-certificate", flags.security.certificate, "our certificate (PEM), for targets at HOST:PORT")
      ->type_name("FILE");
  app.add_option("--tls-key", flags.security.key, "its key (PEM)")->type_name("FILE");
  app.add_option("--tls-ca", flags.security.ca, "authority that signs the dataplanes' certificates (PEM)")
      ->type_name("FILE");
  app.add_flag("--insecure", flags.security.insecure, "push to HOST:PORT without TLS");
  app.add_option("--node", flags.node, "push only what the pods of this node need")->type_name("NAME");
  app.add_option("--socket", flags.socket,
                 "hear of this node's pods from the CNI plugin there, before the API server does; wants --node")
      ->type_name("PATH");
  app.add_option("--http", flags.http, "serve /healthz, /readyz and /metrics there: HOST:PORT or PORT")
      ->type_name("ADDR");
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error [info]")->type_name("LEVEL");
  app.add_flag("--check-config", check_config,
               "say what would stop a start with this configuration and these flags, each with its line, and end");
  app.set_version_flag("--version", "sluice-sync " SLUICE_VERSION);
  app.footer(
      "SIGTERM: end; what is in force in the dataplanes stays.\n"
      "Exit codes: 0 fine; 1 it could not run; 2 bad input.\n"
      "Example: sluice-sync --kubeconfig ~/.kube/config --target unix:/run/sluice/sluiced.sock --http :9464\n"
      "         sluice-sync --manifests /etc/sluice/manifests\n"
      "         sluice-sync --staged new-policies    (beside what is in force; sluicectl staged shows what they "
      "change)\n"
      "         sluice-sync --node node1 --socket " +
      std::string(kDefaultPluginSocket));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitBadInput;
  }
  Diagnostics problems;
  if (!config.empty() && !ReadSettingsFile(config, settings, problems)) {
    PrintProblems("sluice-sync", problems);
    return kExitBadInput;
  }
  Overlay(flags, settings);
  std::transform(settings.targets.begin(), settings.targets.end(), settings.targets.begin(), FullTarget);
  if (settings.targets.empty()) settings.targets.emplace_back(kDefaultTarget);
  problems = CheckSettings(settings);
  if (check_config) {
    Diagnostics lacking = CheckMachine(settings);
    problems.insert(problems.end(), std::make_move_iterator(lacking.begin()), std::make_move_iterator(lacking.end()));
  }
  if (!problems.empty()) {
    PrintProblems("sluice-sync", problems);
    return kExitBadInput;
  }
  if (!check_config) return std::nullopt;
  std::printf("%s: fine\n", config.empty() ? "flags" : Printable(config).c_str());
  return kExitFine;
}

}  // namespace sluice
