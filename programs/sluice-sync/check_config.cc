#include "sluice-sync/check_config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "certificate/tls_material.h"
#include "common/own_host.h"
#include "http/http_server.h"
#include "kube/kubeconfig.h"
#include "sluice-sync/plugin_server.h"
#include "sluice/host_port.h"

namespace sluice {
namespace {

std::string Item(const std::string& list, std::size_t index) { return list + '[' + std::to_string(index) + ']'; }

// Returns the configuration key of the file with which an error of ReadSoundTls begins.
std::string TlsKeyOf(const std::string& error) {
  if (error.starts_with("key ")) return "tls.key";
  return error.starts_with("CA ") ? "tls.ca" : "tls.certificate";
}

void CheckTlsFiles(const SyncSettings& settings, Diagnostics& problems) {
  const TargetSecurity& security = settings.security;
  if (security.certificate.empty() || security.key.empty() || security.ca.empty()) return;
  const auto read = ReadSoundTls({security.certificate, security.key, security.ca});
  if (const auto* error = std::get_if<std::string>(&read)) {
    problems.push_back(settings.origins.Problem(TlsKeyOf(*error), *error));
  }
}

}  // namespace

Diagnostics CheckSettings(const SyncSettings& settings) {
  Diagnostics problems;
  const auto refuse = [&](const std::string& key, std::string what) {
    problems.push_back(settings.origins.Problem(key, std::move(what)));
  };
  if (!settings.manifests.empty() && !settings.kubeconfig.empty()) {
    refuse("manifests", "kubeconfig and manifests exclude each other: policy comes from an API server or from files");
  }
  const auto check_readable = [&](const std::string& key, const std::vector<std::string>& paths) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (access(paths[i].c_str(), R_OK) == 0) continue;
      refuse(Item(key, i), '\'' + paths[i] + "' cannot be read: " + std::strerror(errno));
    }
  };
  check_readable("manifests", settings.manifests);
  check_readable("staged", settings.staged);
  for (const TargetProblem& problem : CheckTargets(settings.targets, settings.security)) {
    refuse(problem.index ? Item("target", *problem.index) : "tls.certificate", problem.what);
  }
  if (!settings.socket.empty()) {
    if (auto error = CheckSocketPath(settings.socket); !error.empty()) refuse("socket", std::move(error));
    if (settings.node.empty()) refuse("socket", "wants node, the name of the node whose pods the plugin tells of");
  }
  if (!settings.http.empty()) {
    if (auto error = CheckHttpAddress(settings.http)) refuse("http", *std::move(error));
  }
  constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};
  if (std::find(kLevels.begin(), kLevels.end(), settings.log_level) == kLevels.end()) {
    refuse("log_level", '\'' + settings.log_level + "': wants debug, info, warning or error");
  }
  return problems;
}

Diagnostics CheckMachine(const SyncSettings& settings) {
  Diagnostics problems;
  const std::string& kubeconfig = settings.kubeconfig;
  if (!kubeconfig.empty() && access(kubeconfig.c_str(), R_OK) != 0) {
    problems.push_back(
        settings.origins.Problem("kubeconfig", '\'' + kubeconfig + "' cannot be read: " + std::strerror(errno)));
  } else if (settings.manifests.empty()) {
    Diagnostics told;
    if (!FindAccess({settings.kubeconfig, settings.context}, told)) {
      std::copy_if(told.begin(), told.end(), std::back_inserter(problems),
                   [](const Diagnostic& one) { return one.severity == Severity::kError; });
    }
  }
  if (const auto address = ParseHostPort(settings.http)) {
    if (auto error = CheckOwnHost(address->host)) {
      problems.push_back(settings.origins.Problem("http", '\'' + settings.http + "': " + *error));
    }
  }
  CheckTlsFiles(settings, problems);
  return problems;
}

}  // namespace sluice
