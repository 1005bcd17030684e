#include "sluiced/check_config.h"

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "api/listen.h"
#include "api/server.h"
#include "certificate/tls_material.h"
#include "common/own_host.h"
#include "dns/resolvers.h"
#include "edge/device.h"
#include "edge/eal.h"
#include "edge/kernel_interface.h"
#include "http/http_server.h"
#include "page/page_site.h"
#include "sluice/host_port.h"

namespace sluice {
namespace {

std::string Item(const std::string& list, std::size_t index) { return list + '[' + std::to_string(index) + ']'; }

// Calls `visit(key, device or error)` for each port of each wire. Hooks' ports are known once sluice-node runs.
template <typename Visit>
void ForEachDevice(const Config& config, Visit visit) {
  for (std::size_t wire = 0; wire < config.edge.wires.size(); ++wire) {
    if (config.edge.wires[wire].is_hooks) continue;
    for (std::size_t port = 0; port < 2; ++port) {
      visit(Item(Item("wires", wire), port), ParseDevice(config.edge.wires[wire].ports[port], 0));
    }
  }
}

// Returns nothing if the file can be read, or why not.
std::optional<std::string> CheckReadable(const std::string& path) {
  if (access(path.c_str(), R_OK) == 0) return std::nullopt;
  return '\'' + path + "' cannot be read: " + std::strerror(errno);
}

std::optional<std::string> CheckPci(const std::string& address) {
  const std::string folder = "/sys/bus/pci/devices/" + address;
  if (access(folder.c_str(), F_OK) != 0) return "there is no such PCI device; `lspci -D` lists those there are";
  if (access((folder + "/driver").c_str(), F_OK) != 0) return "no driver has it";
  return std::nullopt;
}

std::optional<std::string> CheckDevice(const Device& device) {
  if (device.is_pci) {
    const auto error = CheckPci(device.name);
    return error ? std::optional(*error + "; " + device.remedy) : std::nullopt;
  }
  if (!device.interface.empty() && !QueryInterface(device.interface)) {
    return "no such interface in this network namespace; `ip link` lists those there are";
  }
  if (!device.reads.empty()) {
    if (auto error = CheckReadable(device.reads)) return error;
  }
  if (!device.makes.empty()) {
    const std::size_t slash = device.makes.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : device.makes.substr(0, slash + 1);
    if (access(folder.c_str(), W_OK) != 0) return "folder '" + folder + "' cannot be written: " + std::strerror(errno);
  }
  return std::nullopt;
}

void CheckDevices(const Config& config, Diagnostics& problems) {
  std::map<std::string, std::string> users;  // by lock: the key of its port
  ForEachDevice(config, [&](const std::string& key, const std::variant<Device, std::string>& parsed) {
    const auto* device = std::get_if<Device>(&parsed);
    if (device == nullptr) return;
    const auto refuse = [&](const std::string& what) {
      problems.push_back(config.origins.Problem(key, "device '" + device->text + "': " + what));
    };
    if (const auto error = CheckDevice(*device)) refuse(*error);
    if (device->lock.empty()) return;
    const auto [user, first] = users.try_emplace(device->lock, key);
    if (!first) refuse("is " + user->second + " already; a device has one place");
  });
}

void CheckAddresses(const Config& config, Diagnostics& problems) {
  for (std::size_t i = 0; i < config.api.listen.size(); ++i) {
    const std::string& address = config.api.listen[i];
    if (CheckAddress(address)) continue;  // CheckSettings reports it
    const auto error =
        IsUnixAddress(address) ? CheckFolderOf(UnixPathOf(address)) : CheckOwnHost(ParseHostPort(address)->host);
    if (error) problems.push_back(config.origins.Problem(Item("listen", i), '\'' + address + "': " + *error));
  }
  if (const auto address = ParseHostPort(config.http)) {
    if (const auto error = CheckOwnHost(address->host)) {
      problems.push_back(config.origins.Problem("http", '\'' + config.http + "': " + *error));
    }
  }
}

// Returns the configuration key of the file with which an error of ReadSoundTls begins.
std::string TlsKeyOf(const std::string& error) {
  constexpr std::pair<const char*, const char*> kKeys[] = {
      {"key ", "tls.key"}, {"CA ", "tls.client_ca"}, {"viewer CA ", "tls.viewer_ca"}};
  for (const auto& [word, key] : kKeys) {
    if (error.starts_with(word)) return key;
  }
  return "tls.certificate";
}

void CheckTlsFiles(const Config& config, Diagnostics& problems) {
  const ApiSettings& api = config.api;
  if (api.tls_certificate.empty() || api.tls_key.empty() || api.tls_client_ca.empty()) return;
  const auto read = ReadSoundTls({api.tls_certificate, api.tls_key, api.tls_client_ca, api.tls_viewer_ca});
  if (const auto* error = std::get_if<std::string>(&read)) {
    problems.push_back(config.origins.Problem(TlsKeyOf(*error), *error));
  }
}

}  // namespace

Diagnostics CheckSettings(const Config& config) {
  Diagnostics problems;
  if (config.edge.wires.empty()) {
    problems.push_back(config.origins.Problem(
        "no wire: give --wire DEV1,DEV2 or --wire hooks, or the key wires in the configuration file (see --help)"));
  }
  ForEachDevice(config, [&](const std::string& key, const std::variant<Device, std::string>& parsed) {
    if (const auto* error = std::get_if<std::string>(&parsed)) problems.push_back(config.origins.Problem(key, *error));
  });
  for (std::size_t i = 0; i < config.manifests.size(); ++i) {
    if (auto error = CheckReadable(config.manifests[i])) {
      problems.push_back(config.origins.Problem(Item("manifests", i), *std::move(error)));
    }
  }
  for (std::size_t i = 0; i < config.staged.size(); ++i) {
    if (auto error = CheckReadable(config.staged[i])) {
      problems.push_back(config.origins.Problem(Item("staged", i), *std::move(error)));
    }
  }
  if (!config.staged.empty() && config.manifests.empty()) {
    problems.push_back(config.origins.Problem(
        "staged", "wants manifests: policy that is pushed is staged by its sender (sluice-sync --staged)"));
  }
  for (const ApiProblem& problem : CheckApiSettings(config.api)) {
    problems.push_back(config.origins.Problem(problem.key, problem.what));
  }
  for (std::size_t i = 0; i < config.dns_resolvers.size(); ++i) {
    const auto resolver = Resolver::Parse(config.dns_resolvers[i]);
    if (const auto* error = std::get_if<std::string>(&resolver)) {
      problems.push_back(config.origins.Problem(Item("dns.resolvers", i), *error));
    }
  }
  if (!config.http.empty()) {
    if (auto error = CheckHttpAddress(config.http))
      problems.push_back(config.origins.Problem("http", *std::move(error)));
  }
  if (!config.http_page_token.empty() && config.http.empty()) {
    problems.push_back(
        config.origins.Problem("http_page_token", "goes with the key http, which says where the page is"));
  }
  return problems;
}

Diagnostics CheckMachine(const Config& config) {
  Diagnostics problems;
  CheckDevices(config, problems);
  const auto cores = CoresOf(config.edge.cores);
  if (const auto* error = std::get_if<std::string>(&cores)) {
    problems.push_back(config.origins.Problem("cores", *error));
  }
  CheckAddresses(config, problems);
  CheckTlsFiles(config, problems);
  if (!config.http_page_token.empty()) {
    const auto token = ReadToken(config.http_page_token);
    if (const auto* error = std::get_if<TokenError>(&token)) {
      problems.push_back(config.origins.Problem("http_page_token", error->text));
    }
  }
  if (!config.state.empty()) {
    for (const auto& [key, folder] : {std::pair("state", config.state), std::pair("run", config.run)}) {
      if (auto error = CheckFolder(folder)) problems.push_back(config.origins.Problem(key, *std::move(error)));
    }
  }
  return problems;
}

}  // namespace sluice
