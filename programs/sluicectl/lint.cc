// `sluicectl lint`: finds policy that is valid but probably not what was meant, before it is applied.
#include "lint/lint.h"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/input.h"
#include "sluicectl/output.h"
#include "sluicectl/replay_names.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

struct LintOptions {
  std::vector<std::string> manifests;
  std::vector<std::string> without;
  std::string config;
  std::string output = "table";
  bool list_rules = false;
};

void PrintText(const LintFinding& finding, Output& output) {
  std::string line = finding.file + ':' + std::to_string(finding.line) + ": " + finding.object + ' ' + finding.field +
                     ": " + finding.message + " [" + std::string(finding.rule->name) + ']';
  output << Printable(line, 4 * kPrintableBytes) << "\n";
}

Json ToJson(const LintFinding& finding) {
  return {{"rule", finding.rule->name}, {"file", finding.file},   {"line", finding.line},
          {"object", finding.object},   {"field", finding.field}, {"message", finding.message}};
}

// SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change.
Json ToSarif(const std::vector<LintFinding>& findings) {
  Json rules = Json::array();
  for (const LintRule& rule : LintRules()) {
    rules.push_back({{"id", rule.name}, {"shortDescription", {{"text", rule.text}}}});
  }
  Json results = Json::array();
  for (const LintFinding& finding : findings) {
    Json location = {{"artifactLocation", {{"uri", finding.file}}}};
    if (finding.line != 0) location["region"] = {{"startLine", finding.line}};
    results.push_back({{"ruleId", finding.rule->name},
                       {"level", "warning"},
                       {"message", {{"text", finding.object + ' ' + finding.field + ": " + finding.message}}},
                       {"locations", Json::array({{{"physicalLocation", location}}})}});
  }
  const Json driver = {{"name", "sluicectl lint"}, {"version", SLUICE_VERSION}, {"rules", rules}};
  return {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
          {"version", "2.1.0"},
          {"runs", Json::array({{{"tool", {{"driver", driver}}}, {"results", results}}})}};
}

int ListRules() {
  Output output;
  TextTable table(output, {"RULE", "FINDS"});
  for (const LintRule& rule : LintRules()) table.AddRow({std::string(rule.name), std::string(rule.text)});
  table.Flush();
  return output.Flush() ? kExitFine : kExitBadInput;
}

bool AreRules(const std::vector<std::string>& names) {
  std::set<std::string_view> known;
  for (const LintRule& rule : LintRules()) known.insert(rule.name);
  for (const std::string& name : names) {
    if (known.contains(name)) continue;
    std::fprintf(stderr, "error: --without '%s': lint has no such rule; --rules lists them\n", Printable(name).c_str());
    return false;
  }
  return true;
}

// False: it is wrong, which was reported.
bool ReadDns(const Config& config, LintDns* dns) {
  const auto resolvers = ParseResolvers(config.dns_resolvers);
  if (!resolvers) return false;
  for (std::size_t i = 0; i < resolvers->size(); ++i) {
    const Resolver& resolver = (*resolvers)[i];
    LintResolver named{config.dns_resolvers[i], resolver.address, resolver.namespace_name, {}};
    for (const std::string& label : resolver.labels) {
      const std::size_t equal = label.find('=');
      named.labels.emplace_back(label.substr(0, equal), label.substr(equal + 1));
    }
    dns->resolvers.push_back(std::move(named));
  }
  dns->port = static_cast<std::uint16_t>(config.dns_port);
  dns->at_pods = config.has_hooks();
  return true;
}

int RunLint(const LintOptions& options) {
  if (options.list_rules) return ListRules();
  if (options.manifests.empty()) {
    std::fputs("error: --manifests is required\nRun with --help for more information.\n", stderr);
    return kExitBadInput;
  }
  if (!AreRules(options.without)) return kExitBadInput;
  Config config;
  LintDns dns;
  if (!LoadConfig(options.config, &config) || !ReadDns(config, &dns)) return kExitBadInput;
  ReadSettings settings;
  settings.keep_lines = true;
  const Manifests manifests = ReadManifests(options.manifests, settings);
  Report(manifests.diagnostics);
  const bool good = !HasErrors(manifests.diagnostics);
  LintResult result = Lint(manifests, LintScope::kAll, options.config.empty() ? nullptr : &dns);
  const std::set<std::string_view> without(options.without.begin(), options.without.end());
  std::erase_if(result.findings, [&](const LintFinding& finding) { return without.contains(finding.rule->name); });
  if (good && !result.has_pods) {
    Report({Severity::kNote,
            {},
            0,
            {},
            {},
            "no Pod among the manifests: selectors and ports were not held against pods; add the pods, as by kubectl "
            "get pods,namespaces -A -o yaml"});
  }
  Output output;
  if (options.output == "sarif") {
    output << JsonText(ToSarif(result.findings), 2) << "\n";
  } else {
    for (const LintFinding& finding : result.findings) {
      if (options.output == "json") {
        output << JsonText(ToJson(finding)) << "\n";
      } else {
        PrintText(finding, output);
      }
    }
  }
  if (options.output == "table" && result.findings.empty() && good) output << "nothing found\n";
  if (!output.Flush() || !good) return kExitBadInput;
  return result.findings.empty() ? kExitFine : kExitDiffers;
}

}  // namespace

void AddLint(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("lint", "Find policy that is valid and still not what was meant.");
  auto options = std::make_shared<LintOptions>();
  command
      ->add_option(
          "--manifests", options->manifests,
          "files or folders of Kubernetes manifests, YAML or JSON; with Pods and Namespaces, if they are to be "
          "looked at")
      ->type_name("PATH");
  command
      ->add_option("--config", options->config, "sluiced's configuration: which resolvers it trusts, for rules by name")
      ->type_name("FILE");
  command->add_option("--without", options->without, "leave these rules out")->type_name("RULE")->delimiter(',');
  command->add_flag("--rules", options->list_rules, "list the rules");
  command->add_option("-o,--output", options->output, "table, json (a line each) or sarif")
      ->check(CLI::IsMember({"table", "json", "sarif"}))
      ->type_name("FORM")
      ->capture_default_str();
  command->footer(
      "Exit codes: 0 nothing found; 1 findings; 2 bad input.\n"
      "Examples:\n"
      "  sluicectl lint --manifests examples\n"
      "  sluicectl lint --manifests policies --config /etc/sluice/sluiced.yaml\n"
      "  kubectl get networkpolicies,pods,namespaces -A -o yaml > now.yaml && sluicectl lint --manifests now.yaml\n"
      "  sluicectl lint --manifests policies -o sarif > lint.sarif");
  command->callback([options, exit_code] { *exit_code = RunLint(*options); });
}

}  // namespace sluice
