// `sluicectl convert`: AdminNetworkPolicies and the BaselineAdminNetworkPolicy as ClusterNetworkPolicies.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "sluicectl/commands.h"
#include "sluicectl/convert_policy.h"
#include "sluicectl/input.h"
#include "sluicectl/judge.h"
#include "sluicectl/output.h"
#include "sluicectl/verify_classes.h"
#include "sluicectl/yaml.h"

namespace sluice {
namespace {

struct ConvertOptions {
  std::vector<std::string> manifests;
  std::string format = "yaml";
  std::uint64_t budget = 1'000'000;
};

// Names and places of rules may differ. The verdict, its tier and the rule's own name may not.
bool SameSide(const SideAnswer& a, const SideAnswer& b) {
  return a.allow == b.allow && a.decided == b.decided && a.tier == b.tier && a.rule_name == b.rule_name;
}

// Compares the meaning of the original objects (by the reference) with the compiled converted ones, on every class of
// traffic or a sample. Returns how many were compared. If they differ, prints a line and returns nothing.
std::optional<std::uint64_t> ComparedClasses(const Cluster& before, const Cluster& after, std::uint64_t budget) {
  const CompiledPolicy compiled = CompilePolicy(after);
  if (compiled.table == nullptr) return std::nullopt;
  const TrafficClasses classes(before, *compiled.table);
  CompiledJudge now(compiled.table, false);
  ReferenceJudge then(before, false);
  const bool all = classes.size() <= budget;
  const std::uint64_t wanted = std::min(classes.size(), budget);
  std::mt19937_64 random(classes.size());  // the same input gives the same sample
  std::uniform_int_distribution<std::uint64_t> any_class(0, std::max<std::uint64_t>(classes.size(), 1) - 1);
  std::array<reference::Flow, Judge::kMaxBurst> flows;
  std::array<FlowAnswer, Judge::kMaxBurst> answers, expected;
  for (std::uint64_t compared = 0; compared < wanted;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(flows.size(), wanted - compared));
    for (std::size_t i = 0; i < count; ++i) flows[i] = classes.At(all ? compared + i : any_class(random));
    now.Answer(std::span(flows).first(count), answers.data());
    then.Answer(std::span(flows).first(count), expected.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (SameSide(answers[i].egress, expected[i].egress) && SameSide(answers[i].ingress, expected[i].ingress))
        continue;
      std::fprintf(
          stderr,
          "error: the converted policies would mean something else, so they are not printed: from %s to %s, %s "
          "port %u\n  before: %s\n  after:  %s\n",
          flows[i].source.ToString().c_str(), flows[i].destination.ToString().c_str(),
          ProtocolName(flows[i].protocol).c_str(), flows[i].destination_port, ToText(expected[i]).c_str(),
          ToText(answers[i]).c_str());
      return std::nullopt;
    }
    compared += count;
  }
  return wanted;
}

void WriteManifests(Output& output, const std::string& format, const std::vector<ClusterPolicy>& policies) {
  if (format == "json") {
    nlohmann::ordered_json list = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", nlohmann::ordered_json::array()}};
    for (const ClusterPolicy& policy : policies) list["items"].push_back(ToManifest(policy));
    output << JsonText(list, 2) << "\n";
    return;
  }
  for (const ClusterPolicy& policy : policies) {
    output << "---\n";
    WriteYaml(output, ToManifest(policy));
  }
}

int RunConvert(const ConvertOptions& options) {
  LoadedManifests manifests = LoadManifests(options.manifests);
  if (!manifests.good) {
    std::fprintf(stderr, "error: some manifests were refused, see above; nothing is converted\n");
    return kExitBadInput;
  }
  Conversion conversion = Convert(manifests.cluster);
  if (!conversion.refused.empty()) {
    Report(conversion.refused);
    return kExitBadInput;
  }
  if (conversion.made.empty()) {
    std::fprintf(stderr, "error: no AdminNetworkPolicy and no BaselineAdminNetworkPolicy in the manifests\n");
    return kExitBadInput;
  }
  const std::size_t own = manifests.cluster.pods.size();
  const std::size_t made_up = AddMadeUpPods(&manifests.cluster);
  conversion.cluster.namespaces = manifests.cluster.namespaces;
  conversion.cluster.nodes = manifests.cluster.nodes;
  conversion.cluster.pods = manifests.cluster.pods;
  const auto compared = ComparedClasses(manifests.cluster, conversion.cluster, options.budget);
  if (!compared) return kExitDiffers;
  Output output;
  WriteManifests(output, options.format, conversion.made);
  if (!output.Flush()) return kExitBadInput;
  std::fprintf(
      stderr,
      "%zu ClusterNetworkPolicies mean the same on %llu classes of traffic, between the manifests' %zu pods and "
      "%zu made up from the selectors; labels and annotations are not carried over\n",
      conversion.made.size(), static_cast<unsigned long long>(*compared), own, made_up);
  return kExitFine;
}

}  // namespace

void AddConvert(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand(
      "convert", "Write AdminNetworkPolicies and the BaselineAdminNetworkPolicy as ClusterNetworkPolicies.");
  auto options = std::make_shared<ConvertOptions>();
  command->add_option("--manifests", options->manifests, "files or folders of Kubernetes manifests, YAML or JSON")
      ->required()
      ->type_name("PATH");
  command
      ->add_option("--budget", options->budget,
                   "compare at most this many classes of traffic: a uniform sample where there are more")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str();
  command->add_option("-o,--output", options->format, "yaml or json")
      ->check(CLI::IsMember({"yaml", "json"}))
      ->capture_default_str();
  command->footer(
      "Nothing is printed unless the policies mean the same before and after: what they say of all traffic is "
      "compared.\n"
      "Exit codes: 0 converted; 1 they would mean something else, and a packet is shown; 2 bad input.\n"
      "Example:\n"
      "  kubectl get adminnetworkpolicies,baselineadminnetworkpolicies -o yaml > old.yaml\n"
      "  sluicectl convert --manifests old.yaml > new.yaml && kubectl apply -f new.yaml");
  command->callback([options, exit_code] { *exit_code = RunConvert(*options); });
}

}  // namespace sluice
