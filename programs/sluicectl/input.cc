#include "sluicectl/input.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "config/config.h"
#include "lint/lint.h"
#include "manifest/manifest_reader.h"
#include "resolve/resolve.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

// Returns the addresses that a text may stand for, or what is wrong with it.
std::variant<std::vector<IpAddress>, std::string> ParseEnd(std::string_view text, const PodDirectory& pods) {
  const std::string quoted = '\'' + std::string(text) + '\'';
  if (text.find('/') != text.npos) {
    const Pod* pod = pods.Find(text);
    if (pod == nullptr) return "no pod " + quoted + " in the manifests";
    if (pod->finished()) return "pod " + quoted + " is finished and has no address any more";
    if (pod->addresses.empty()) return "pod " + quoted + " has no address (status.podIPs)";
    return pod->addresses;
  }
  const auto address = IpAddress::Parse(text);
  if (!address) return quoted + " is neither an address nor namespace/pod";
  if (address->IsV4Mapped()) return quoted + " never appears on a wire; write the IPv4 address that it maps";
  return std::vector{*address};
}

}  // namespace

void Report(const Diagnostic& diagnostic) { std::fprintf(stderr, "%s\n", diagnostic.ToString().c_str()); }
void Report(const Diagnostics& diagnostics) {
  for (const Diagnostic& diagnostic : diagnostics) Report(diagnostic);
}

void ReportWarnings(Diagnostics warnings, const std::string& more) {
  constexpr std::size_t kMostShown = 20;
  for (std::size_t i = 0; i < std::min(warnings.size(), kMostShown); ++i) {
    warnings[i].severity = Severity::kWarning;
    Report(warnings[i]);
  }
  if (warnings.size() <= kMostShown) return;
  Diagnostic rest;
  rest.severity = Severity::kWarning;
  rest.message = std::to_string(warnings.size() - kMostShown) + " more such warnings; " + more;
  Report(rest);
}

LoadedManifests LoadManifestsAndWarn(const std::vector<std::string>& paths) {
  ReadSettings settings;
  settings.keep_lines = true;
  Manifests manifests = ReadManifests(paths, settings);
  Report(manifests.diagnostics);
  const LintResult lint = Lint(manifests, LintScope::kUnanswered);
  Diagnostics warnings;
  if (!lint.has_pods) {
    warnings.emplace_back();
    warnings.back().message =
        "no Pod among the manifests: no policy selects anybody; add the pods, as by kubectl get pods,namespaces -A -o "
        "yaml";
  }
  for (const LintFinding& finding : lint.findings) {
    warnings.push_back(
        {Severity::kWarning, finding.file, finding.line, finding.object, finding.field, finding.message});
  }
  ReportWarnings(std::move(warnings), "sluicectl lint shows all");
  return {std::move(manifests.cluster), !HasErrors(manifests.diagnostics)};
}

LoadedManifests LoadManifests(const std::vector<std::string>& paths) {
  Manifests manifests = ReadManifests(paths);
  Report(manifests.diagnostics);
  return {std::move(manifests.cluster), !HasErrors(manifests.diagnostics)};
}

bool LoadConfig(const std::string& path, Config* config) {
  if (path.empty()) return true;
  Diagnostics diagnostics;
  const bool good = ReadConfigFile(path, *config, diagnostics);
  Report(diagnostics);
  return good;
}

CompiledPolicy CompilePolicy(const Cluster& cluster, CompileLimits limits) {
  CompiledPolicy policy;
  Diagnostics warnings;
  policy.resolved = Resolve(cluster, &warnings);
  Report(warnings);
  policy.compiler = std::make_unique<Compiler>(limits);
  auto result = policy.compiler->Compile(policy.resolved);
  if (const auto* refusal = std::get_if<Diagnostic>(&result)) {
    Report(*refusal);
  } else {
    policy.table = std::move(std::get<0>(result));
  }
  return policy;
}

const Pod* PodDirectory::Find(std::string_view path) const {
  if (pods_.empty()) {
    pods_.reserve(cluster_.pods.size());
    for (const Pod& pod : cluster_.pods) pods_.emplace(pod.namespace_name + '/' + pod.name, &pod);
  }
  const auto found = pods_.find(std::string(path));
  return found == pods_.end() ? nullptr : found->second;
}

std::variant<Ends, EndError> ParseEnds(std::string_view source, std::string_view destination,
                                       const PodDirectory& pods) {
  const auto from = ParseEnd(source, pods);
  if (const auto* error = std::get_if<std::string>(&from)) return EndError{true, *error};
  const auto to = ParseEnd(destination, pods);
  if (const auto* error = std::get_if<std::string>(&to)) return EndError{false, *error};
  for (const IpAddress& first : std::get<0>(from)) {
    for (const IpAddress& second : std::get<0>(to)) {
      if (first.family == second.family) return Ends{first, second};
    }
  }
  return EndError{false, '\'' + std::string(source) + "' and '" + std::string(destination) +
                             "' have no address of the same family, IPv4 or IPv6"};
}

std::variant<bool, std::string> IsForeign(const IpAddress& source, std::string_view pod, const PodDirectory& pods) {
  if (pod.find('/') == pod.npos) return '\'' + std::string(pod) + "' is no namespace/pod";
  const auto addresses = ParseEnd(pod, pods);
  if (const auto* error = std::get_if<std::string>(&addresses)) return *error;
  const auto& own = std::get<0>(addresses);
  return std::find(own.begin(), own.end(), source) == own.end();
}

std::optional<std::uint8_t> ParseProtocol(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  constexpr std::pair<std::string_view, std::uint8_t> kNames[] = {
      {"tcp", kProtoTcp}, {"udp", kProtoUdp}, {"sctp", kProtoSctp}, {"icmp", kProtoIcmp}, {"icmpv6", kProtoIcmpv6}};
  for (const auto& [name, protocol] : kNames) {
    if (lower == name) return protocol;
  }
  std::uint8_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

}  // namespace sluice
