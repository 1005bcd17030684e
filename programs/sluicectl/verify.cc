// `sluicectl verify`: compares the compiled table with the reference, on all possible traffic.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sluicectl/commands.h"
#include "sluicectl/input.h"
#include "sluicectl/judge.h"
#include "sluicectl/known_names.h"
#include "sluicectl/output.h"
#include "sluicectl/verify_classes.h"

namespace sluice {
namespace {

struct VerifyOptions {
  std::vector<std::string> manifests;
  std::uint64_t budget = 10'000'000;
  bool no_exemptions = false;
};

std::string ToText(const reference::Flow& flow) {
  return flow.source.ToString() + " -> " + flow.destination.ToString() + ' ' + ProtocolName(flow.protocol) + " port " +
         std::to_string(flow.destination_port);
}

// True iff both give the same answers for all of `flows`; else prints the first packet on which they differ.
bool Agree(std::span<const reference::Flow> flows, Judge& compiled, Judge& reference) {
  std::array<FlowAnswer, Judge::kMaxBurst> answers;
  std::array<FlowAnswer, Judge::kMaxBurst> expected;
  compiled.Answer(flows, answers.data());
  reference.Answer(flows, expected.data());
  for (std::size_t i = 0; i < flows.size(); ++i) {
    if (answers[i] == expected[i]) continue;
    Output output;
    output << "differ on " << ToText(flows[i]) << "\n  compiled:  " << ToText(answers[i])
           << "\n  reference: " << ToText(expected[i]) << "\n";
    return false;
  }
  return true;
}

// What destinations may be called: no name that a rule asks for, a name for each pattern alone, and all of these. What
// one name adds is one rule or several that match, whichever address has it, so more names than that add no case.
std::vector<std::vector<std::string>> NamesToTry(const Table& table) {
  std::vector<std::string> all;
  for (std::string name : table.name_rules().Patterns()) {
    if (name.starts_with('*')) name.replace(0, 1, "any");
    all.push_back(std::move(name));
  }
  std::vector<std::vector<std::string>> tries(1);
  for (const std::string& name : all) tries.push_back({name});
  if (all.size() > 1) tries.push_back(std::move(all));
  return tries;
}

int RunVerify(const VerifyOptions& options) {
  const LoadedManifests manifests = LoadManifestsAndWarn(options.manifests);
  CompiledPolicy policy = CompilePolicy(manifests.cluster);
  if (policy.table == nullptr) return kExitBadInput;
  const TrafficClasses classes(manifests.cluster, *policy.table);
  const std::vector<std::vector<std::string>> tries = NamesToTry(*policy.table);
  const std::uint64_t size = classes.size() * tries.size();

  const bool all = size <= options.budget;
  const std::uint64_t wanted = std::min(size, options.budget);
  const std::uint64_t wanted_each = std::max<std::uint64_t>(wanted / tries.size(), 1);
  std::mt19937_64 random(classes.size());  // the same input gives the same sample
  std::uniform_int_distribution<std::uint64_t> any_class(0, classes.size() - 1);
  std::array<reference::Flow, Judge::kMaxBurst> flows;
  for (const std::vector<std::string>& called : tries) {
    KnownNames names;
    for (const std::string& name : called) {
      for (const IpAddress& address : classes.Addresses()) names.Add(address, name);
    }
    CompiledJudge compiled(policy.table, !options.no_exemptions, {}, names.now());
    ReferenceJudge reference(manifests.cluster, !options.no_exemptions, {}, names.by_address());
    for (std::uint64_t compared = 0; compared < wanted_each;) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(flows.size(), wanted_each - compared));
      for (std::size_t i = 0; i < count; ++i) flows[i] = classes.At(all ? compared + i : any_class(random));
      if (!Agree(std::span(flows).first(count), compiled, reference)) return kExitDiffers;
      compared += count;
    }
  }

  Output output;
  output << "compiled and reference agree on ";
  if (all) {
    output << "all " << static_cast<std::int64_t>(size) << " classes of traffic";
  } else {
    output << "a uniform sample of " << static_cast<std::int64_t>(wanted_each * tries.size()) << " out of "
           << static_cast<std::int64_t>(size) << " classes of traffic (--budget raises it)";
  }
  output << ": " << static_cast<std::int64_t>(classes.address_count()) << " classes of addresses, "
         << static_cast<std::int64_t>(classes.service_count()) << " of protocols and ports";
  if (tries.size() > 1) output << ", " << static_cast<std::int64_t>(tries.size()) << " of names";
  output << "\n";
  if (!output.Flush() || !manifests.good) return kExitBadInput;
  return kExitFine;
}

}  // namespace

void AddVerify(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("verify", "Compare the compiled table with the reference on every class of traffic.");
  auto options = std::make_shared<VerifyOptions>();
  command->add_option("--manifests", options->manifests, "files or folders of Kubernetes manifests, YAML or JSON")
      ->required()
      ->type_name("PATH");
  command
      ->add_option("--budget", options->budget,
                   "compare at most this many classes: a uniform sample where there are more")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--no-exemptions", options->no_exemptions,
                    "judge a pod's traffic with itself and its own node like any other");
  command->footer(
      "Exit codes: 0 they agree; 1 they differ, and the packet is shown; 2 bad input.\n"
      "Example: sluicectl verify --manifests examples --budget 1000000");
  command->callback([options, exit_code] { *exit_code = RunVerify(*options); });
}

}  // namespace sluice
