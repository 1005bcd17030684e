// `sluicectl staged`: what staged policies would change for traffic that a running sluiced saw, and the manifests that
// put them into force.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "manifest/staged_folder.h"
#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/convert_policy.h"
#include "sluicectl/decision.h"
#include "sluicectl/input.h"
#include "sluicectl/live.h"
#include "sluicectl/policy_manifest.h"
#include "sluicectl/traffic_end.h"
#include "sluicectl/yaml.h"

namespace sluice {
namespace {

struct StagedOptions {
  LiveOptions live;
  std::string namespace_name;
  std::vector<std::string> promoted;  // paths
};

struct Answer {
  v1::StagedSummary summary;
  std::vector<v1::StagedDifference> would_deny;
  std::vector<v1::StagedDifference> would_allow;
  std::vector<v1::StagedPod> silent;
};

int Ask(const StagedOptions& options, Answer* answer) {
  const auto stub = ConnectTo(options.live);
  if (stub == nullptr) return kExitBadInput;
  v1::ListStagedRequest request;
  request.set_namespace_(options.namespace_name);
  Call call(options.live);
  const auto reader = call.Open([&](Call* opened) { return stub->ListStaged(opened, request); });
  v1::ListStagedResponse message;
  while (call.Read(*reader, &message)) {
    if (message.has_summary()) answer->summary = message.summary();
    if (message.has_silent()) answer->silent.push_back(message.silent());
    if (!message.has_difference()) continue;
    const bool would_allow = message.difference().would_allow();
    (would_allow ? answer->would_allow : answer->would_deny).push_back(message.difference());
  }
  const grpc::Status status = call.Finish(*reader);
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return Fail("this sluiced is too old for staged policies: upgrade it");
  }
  return Finish(options.live, status);
}

// Names the workload that runs the pod, if it is known: a rollout gives its pods other names.
std::string NameOf(const v1::StagedPod& pod) {
  return pod.namespace_() + '/' + (pod.workload().empty() ? pod.name() : pod.workload());
}

std::string NameOf(const v1::StagedPod& pod, const std::string& address) {
  return pod.name().empty() ? AddressText(address) : NameOf(pod);
}

std::string PortText(const v1::StagedDifference& difference) {
  const auto protocol = static_cast<std::uint8_t>(difference.protocol());
  const std::string name = ProtocolName(protocol);
  return difference.destination_port() == 0 ? name : name + '/' + std::to_string(difference.destination_port());
}

std::string RulesText(const v1::RuleName& egress, const v1::RuleName& ingress) {
  std::string text;
  const auto add = [&text](const v1::RuleName& rule, Direction direction) {
    if (rule.policy().empty()) return;
    if (!text.empty()) text += "; ";
    text += RuleText(ToAnswer(rule), direction);
  };
  add(egress, Direction::kEgress);
  add(ingress, Direction::kIngress);
  return text.empty() ? "no policy" : text;
}

// Differences of the same pair of workloads, port and rules.
struct Row {
  std::uint64_t first_unix_ns = 0;
  std::uint64_t last_unix_ns = 0;
  std::uint64_t connections = 0;
  std::uint64_t packets = 0;
};

std::string TimeText(std::uint64_t unix_ns) { return TimeJson(unix_ns).get<std::string>().substr(0, 19) + 'Z'; }

void WriteTable(Output& output, const char* header, const std::vector<v1::StagedDifference>& differences) {
  using Key = std::tuple<std::string, std::string, std::string, std::string, std::string>;
  if (differences.empty()) return;
  std::map<Key, Row> rows;
  for (const v1::StagedDifference& difference : differences) {
    Row& row = rows[{NameOf(difference.source_pod(), difference.source()),
                     NameOf(difference.destination_pod(), difference.destination()), PortText(difference),
                     RulesText(difference.in_force_egress(), difference.in_force_ingress()),
                     RulesText(difference.staged_egress(), difference.staged_ingress())}];
    if (row.connections + row.packets == 0) row.first_unix_ns = difference.first_unix_ns();
    row.first_unix_ns = std::min(row.first_unix_ns, difference.first_unix_ns());
    row.last_unix_ns = std::max(row.last_unix_ns, difference.last_unix_ns());
    row.connections += difference.connections();
    row.packets += difference.packets();
  }
  output << "\n" << header << "\n";
  TextTable table(output, {"FROM", "TO", "PORT", "IN FORCE", "STAGED", "FIRST", "LAST", "CONNECTIONS", "PACKETS"});
  for (const auto& [key, row] : rows) {
    const auto& [from, to, port, in_force, staged] = key;
    table.AddRow({from, to, port, in_force, staged, TimeText(row.first_unix_ns), TimeText(row.last_unix_ns),
                  std::to_string(row.connections), std::to_string(row.packets)});
  }
  table.Flush();
}

void WriteSilent(Output& output, const Answer& answer) {
  constexpr std::size_t kMostShown = 20;
  if (answer.silent.empty()) {
    output << "\nevery pod took part in a connection in this time\n";
    return;
  }
  output << "\n"
         << static_cast<std::int64_t>(answer.silent.size()) << " of "
         << static_cast<std::int64_t>(answer.summary.pods())
         << " pods took part in no connection in this time, so that nothing is known of what they need:\n";
  std::map<std::string, std::size_t> pods;
  for (const v1::StagedPod& pod : answer.silent) ++pods[NameOf(pod)];
  std::size_t shown = 0;
  for (const auto& [name, count] : pods) {
    if (shown++ == kMostShown) {
      output << "  ... and " << static_cast<std::int64_t>(pods.size() - kMostShown) << " more (-o json)\n";
      break;
    }
    output << "  " << Printable(name) << " (" << static_cast<std::int64_t>(count) << (count == 1 ? " pod)" : " pods)")
           << "\n";
  }
}

void WriteText(Output& output, const Answer& answer) {
  const v1::StagedSummary& summary = answer.summary;
  output << "staged since " << TimeText(summary.since_unix_ns()) << " (" << AgoText(summary.since_unix_ns()) << "):";
  for (const v1::StagedPolicy& policy : summary.policies()) {
    output << (policy.deletes() ? " delete " : " set ") << Printable(policy.policy());
    if (&policy != &*summary.policies().rbegin()) output << ",";
  }
  output << "\n"
         << static_cast<std::int64_t>(summary.judged()) << " connections and denied packets were judged by both\n";
  WriteTable(output, "WOULD BE DENIED", answer.would_deny);
  WriteTable(output, "WOULD BE ALLOWED", answer.would_allow);
  if (answer.would_deny.empty()) output << "\nnothing that was seen would be denied\n";
  if (summary.not_kept() != 0) {
    output << "\n"
           << static_cast<std::int64_t>(summary.not_kept())
           << " more would be treated differently: more pairs differed than are kept\n";
  }
  WriteSilent(output, answer);
}

Json ToJson(const v1::StagedPod& pod) {
  Json json = {{"namespace", pod.namespace_()}, {"pod", pod.name()}};
  if (!pod.workload().empty()) json["workload"] = pod.workload();
  return json;
}

Json EndJson(const v1::StagedPod& pod, const std::string& address) {
  Json json = {{"address", AddressText(address)}};
  if (!pod.name().empty()) json.update(ToJson(pod));
  return json;
}

Json RulesJson(const v1::RuleName& egress, const v1::RuleName& ingress) {
  Json json = Json::object();
  if (!egress.policy().empty()) json["egress"] = ToJson(ToAnswer(egress));
  if (!ingress.policy().empty()) json["ingress"] = ToJson(ToAnswer(ingress));
  return json;
}

Json ToJson(const std::vector<v1::StagedDifference>& differences) {
  Json list = Json::array();
  for (const v1::StagedDifference& difference : differences) {
    Json json = {{"src", EndJson(difference.source_pod(), difference.source())},
                 {"dst", EndJson(difference.destination_pod(), difference.destination())},
                 {"proto", ProtocolJson(static_cast<std::uint8_t>(difference.protocol()))},
                 {"dport", difference.destination_port()},
                 {"in_force", RulesJson(difference.in_force_egress(), difference.in_force_ingress())},
                 {"staged", RulesJson(difference.staged_egress(), difference.staged_ingress())},
                 {"first", TimeJson(difference.first_unix_ns())},
                 {"last", TimeJson(difference.last_unix_ns())},
                 {"connections", difference.connections()},
                 {"packets", difference.packets()}};
    list.push_back(std::move(json));
  }
  return list;
}

Json ToJson(const Answer& answer) {
  const v1::StagedSummary& summary = answer.summary;
  Json policies = Json::array();
  for (const v1::StagedPolicy& policy : summary.policies()) {
    policies.push_back({{"policy", policy.policy()}, {"action", policy.deletes() ? "delete" : "set"}});
  }
  Json silent = Json::array();
  for (const v1::StagedPod& pod : answer.silent) silent.push_back(ToJson(pod));
  return {{"since", TimeJson(summary.since_unix_ns())},
          {"policies", std::move(policies)},
          {"judged", summary.judged()},
          {"not_kept", summary.not_kept()},
          {"would_deny", ToJson(answer.would_deny)},
          {"would_allow", ToJson(answer.would_allow)},
          {"pods", summary.pods()},
          {"silent", std::move(silent)}};
}

int RunStaged(const StagedOptions& options) {
  Answer answer;
  if (const int code = Ask(options, &answer); code != kExitFine) return code;
  const v1::StagedSummary& summary = answer.summary;
  if (summary.has_refused()) {
    const v1::Problem& refused = summary.refused();
    return Fail("what is staged is not judged by: " + refused.object() + ": " +
                (refused.field().empty() ? "" : refused.field() + ": ") + refused.reason());
  }
  if (summary.policies().empty()) {
    return Fail("nothing is staged: see --staged of sluiced and sluice-sync, and docs/staging.md");
  }
  if (summary.since_unix_ns() == 0) return Fail("what is staged is not judged by yet; ask again in a second");
  Output output;
  if (options.live.format == "json") {
    output << JsonText(ToJson(answer), 2) << "\n";
  } else {
    WriteText(output, answer);
  }
  if (!output.Flush()) return kExitBadInput;
  return answer.would_deny.empty() && summary.not_kept() == 0 ? kExitFine : kExitDiffers;
}

int RunPromote(const StagedOptions& options) {
  Manifests folder = ReadManifests(options.promoted);
  const StagedSet staged = StagedIn(folder, &folder.diagnostics);
  Report(folder.diagnostics);
  if (HasErrors(folder.diagnostics)) return kExitBadInput;
  if (staged.empty()) return Fail("there is nothing staged to promote");
  Output output;
  bool first = true;
  const auto write_sets = [&](const auto& changes) {
    for (const auto& change : changes) {
      if (change.action != StagedAction::kSet) continue;
      if (!std::exchange(first, false)) output << "---\n";
      WriteYaml(output, ToManifest(change.policy));
    }
  };
  write_sets(staged.cluster_policies);
  write_sets(staged.policies);
  constexpr const char* kDelete = "# to be deleted: kubectl delete ";
  for (const StagedClusterPolicy& change : staged.cluster_policies) {
    if (change.action == StagedAction::kDelete) output << kDelete << "clusternetworkpolicy " << change.name << "\n";
  }
  for (const StagedNetworkPolicy& change : staged.policies) {
    if (change.action != StagedAction::kDelete) continue;
    output << kDelete << "networkpolicy -n " << change.namespace_name << " " << change.name << "\n";
  }
  return output.Flush() ? kExitFine : kExitBadInput;
}

void AddPromote(CLI::App& command, const std::shared_ptr<StagedOptions>& options, int* exit_code) {
  CLI::App* promote = command.add_subcommand("promote", "Write the manifests that put what is staged into force.");
  promote->add_option("PATH", options->promoted, "files or folders of staged policies, as of --staged")->required();
  promote->footer(
      "Labels and annotations are left out. What would be deleted is named in a comment.\n"
      "Examples:\n"
      "  sluicectl staged promote new-policies | kubectl apply -f -\n"
      "  kubectl get stagednetworkpolicies,stagedclusternetworkpolicies -A -o yaml > staged.yaml\n"
      "  sluicectl staged promote staged.yaml");
  promote->callback([options, exit_code] { *exit_code = RunPromote(*options); });
}

}  // namespace

void AddStaged(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("staged", "Show what staged policies would change of the traffic that was seen.");
  auto options = std::make_shared<StagedOptions>();
  command->require_subcommand(0, 1);
  AddTargetOptions(*command, options->live);
  command->add_option("-n,--namespace", options->namespace_name, "of pods of this namespace alone, at either end")
      ->type_name("NAMESPACE");
  command->add_option("-o,--output", options->live.format, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  command->footer(
      "Exit codes: 0 nothing that was seen would be denied; 1 something would; 2 nothing is staged, it does not fit,\n"
      "or nobody answers.\n"
      "Examples:\n"
      "  sluicectl staged\n"
      "  sluicectl staged -n shop -o json | jq .would_deny\n"
      "  sluicectl staged promote new-policies | kubectl apply -f -");
  AddPromote(*command, options, exit_code);
  command->callback([options, command, exit_code] {
    if (command->get_subcommands().empty()) *exit_code = RunStaged(*options);
  });
}

}  // namespace sluice
