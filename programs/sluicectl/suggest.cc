// `sluicectl suggest`: makes NetworkPolicies for a namespace from the connections that were seen.
#include "suggest/suggest.h"

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "codec/codec.h"
#include "sluice/printable.h"
#include "sluice/time_text.h"
#include "sluicectl/commands.h"
#include "sluicectl/flow_file.h"
#include "sluicectl/input.h"
#include "sluicectl/judge.h"
#include "sluicectl/live.h"
#include "sluicectl/live_policy.h"
#include "sluicectl/logged_flows.h"
#include "sluicectl/output.h"
#include "sluicectl/since.h"

namespace sluice {
namespace {

struct SuggestSettings {
  LiveOptions live;
  SuggestOptions suggest;
  std::vector<std::string> manifests;
  std::string flows;
  std::vector<std::string> inputs;  // flow logs
  std::string since;
  std::uint64_t since_ns = 0;
  double seconds = 0;  // how long to look at a running sluiced
};

// Connections by what a rule can tell apart. A 5-tuple that is seen again counts once, as long as it is remembered:
// memory for that is bounded, however long the look.
class Seen {
 public:
  void Add(const reference::Flow& flow) {
    if (tuples_.size() == kMostTuples) tuples_.clear();
    if (!tuples_.emplace(flow.source, flow.source_port, flow.destination, flow.destination_port, flow.protocol)
             .second) {
      return;
    }
    SeenConnection& seen = alike_[{flow.source, flow.destination, flow.protocol, flow.destination_port}];
    if (seen.source == IpAddress()) {
      seen = {flow.source, flow.destination, flow.protocol, flow.destination_port, 0};
    }
    ++seen.count;
  }
  std::vector<SeenConnection> Take() const {
    std::vector<SeenConnection> all;
    for (const auto& [key, seen] : alike_) all.push_back(seen);
    return all;
  }

 private:
  static constexpr std::size_t kMostTuples = 1'000'000;

  std::set<std::tuple<IpAddress, std::uint16_t, IpAddress, std::uint16_t, std::uint8_t>> tuples_;
  std::map<std::tuple<IpAddress, IpAddress, std::uint8_t, std::uint16_t>, SeenConnection> alike_;
};

bool ReadFlows(const std::string& path, const Cluster& cluster, Seen* seen) {
  const PodDirectory pods(cluster);
  FlowFile file(path, pods);
  if (!file.Open()) return false;
  // The lines of a file are separate connections.
  std::uint16_t port = 0;
  for (FlowLine line; file.Next(line);) {
    if (line.flow.source_port == 0) line.flow.source_port = ++port;
    seen->Add(line.flow);
  }
  return file.bad_lines() == 0;
}

// Cut flows were denied; all others were allowed.
int ReadLiveFlows(const LiveOptions& live, v1::ObserveService::Stub& stub, Seen* seen) {
  v1::ListFlowsRequest request;
  request.set_batched(true);
  Call call(live);
  const auto reader = call.Open([&](Call* opened) { return stub.ListFlows(opened, request); });
  v1::Flow message;
  while (call.Read(*reader, &message)) {
    ForEachFlow(message, [&](const v1::Flow& flow) {
      const auto source = DecodeAddress(flow.source());
      const auto destination = DecodeAddress(flow.destination());
      if (!source || !destination || flow.state() == "CUT") return;
      seen->Add({*source, *destination, static_cast<std::uint8_t>(flow.protocol()),
                 static_cast<std::uint16_t>(flow.source_port()), static_cast<std::uint16_t>(flow.destination_port())});
    });
  }
  return Finish(live, call.Finish(*reader));
}

void TellLeftOut(const LoggedFlows& logged) {
  if (logged.of_gone_pods() != 0) {
    std::fprintf(
        stderr,
        "note: %llu connection%s left out: nothing runs the workload of a pod that is gone, or it is not known\n",
        static_cast<unsigned long long>(logged.of_gone_pods()), logged.of_gone_pods() == 1 ? "" : "s");
  }
  if (logged.not_logged() != 0) {
    std::fprintf(stderr, "warning: %llu records were lost before they could be logged: connections may be missing\n",
                 static_cast<unsigned long long>(logged.not_logged()));
  }
}

// Reads the ended flows that a running sluiced remembers.
int ReadHistory(const SuggestSettings& settings, v1::ObserveService::Stub& stub, const Cluster& cluster, Seen* seen) {
  v1::WatchFlowsRequest request;
  request.set_since_unix_ns(settings.since_ns);
  LoggedFlows logged(cluster, [seen](const reference::Flow& flow) { seen->Add(flow); });
  Call call(settings.live);
  const auto reader = call.Open([&](Call* opened) { return stub.WatchFlows(opened, request); });
  v1::WatchFlowsResponse message;
  std::uint64_t lost = 0;
  while (call.Read(*reader, &message)) {
    if (message.begin_unix_ns() > settings.since_ns) {
      std::fprintf(stderr, "note: what sluiced remembers begins at %s; a flow log (--input) may go back further\n",
                   Rfc3339(message.begin_unix_ns()).c_str());
    }
    lost += message.not_shown() + message.not_recorded();
    for (const std::string& line : message.lines()) logged.Add(line);
  }
  if (lost != 0) {
    std::fprintf(stderr, "warning: %llu flows ended too fast to be remembered: connections may be missing\n",
                 static_cast<unsigned long long>(lost));
  }
  TellLeftOut(logged);
  return Finish(settings.live, call.Finish(*reader));
}

bool ReadLogs(const SuggestSettings& settings, const Cluster& cluster, Seen* seen) {
  LoggedFlows logged(cluster, [seen](const reference::Flow& flow) { seen->Add(flow); });
  bool good = true;
  for (const std::string& path : settings.inputs) good = logged.ReadFile(path, settings.since_ns) && good;
  TellLeftOut(logged);
  return good;
}

// Reads the pods once, and connections for the given time.
int Watch(const SuggestSettings& settings, Cluster* cluster, Seen* seen) {
  constexpr std::chrono::seconds kBetweenLooks(2);
  const auto stub = ConnectTo(settings.live);
  if (!stub) return kExitBadInput;
  if (settings.manifests.empty()) {
    ResolvedPolicy policy;
    if (const int code = FetchPolicy(settings.live, *stub, &policy); code != kExitFine) {
      if (!settings.inputs.empty()) {
        std::fputs(
            "note: without --manifests, --input asks the running sluiced which pods there are; give it --target, or "
            "the "
            "pods by --manifests (kubectl get pods,namespaces,nodes -A -o yaml > now.yaml)\n",
            stderr);
      }
      return code;
    }
    TakeLivePods(policy, cluster);
  }
  if (!settings.inputs.empty()) return ReadLogs(settings, *cluster, seen) ? kExitFine : kExitBadInput;
  if (settings.since_ns != 0) {
    if (const int code = ReadHistory(settings, *stub, *cluster, seen); code != kExitFine) return code;
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(settings.seconds);
  while (true) {
    if (const int code = ReadLiveFlows(settings.live, *stub, seen); code != kExitFine) return code;
    if (std::chrono::steady_clock::now() + kBetweenLooks > end) return kExitFine;
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

// Guards against showing policies that would deny the connections that they were made from.
bool AdmitsAll(const Suggestion& suggestion, Cluster cluster) {
  cluster.policies.clear();
  for (const SuggestedPolicy& suggested : suggestion.policies) cluster.policies.push_back(suggested.policy);
  const CompiledPolicy compiled = CompilePolicy(cluster);
  if (compiled.table == nullptr) return false;
  CompiledJudge judge(compiled.table, true);
  for (const SeenConnection& seen : suggestion.allowed) {
    const reference::Flow flow{seen.source, seen.destination, seen.protocol, 0, seen.destination_port};
    std::array<FlowAnswer, Judge::kMaxBurst> answers;
    judge.Answer({&flow, 1}, answers.data());
    if (answers[0].egress.allow && answers[0].ingress.allow) continue;
    std::fprintf(
        stderr,
        "error: the suggestion would deny %s -> %s port %u, which was seen; it is not shown. Please report this\n",
        seen.source.ToString().c_str(), seen.destination.ToString().c_str(), seen.destination_port);
    return false;
  }
  return true;
}

int RunSuggest(SuggestSettings& settings) {
  if (!settings.since.empty()) {
    const auto since = ParseSince(settings.since);
    if (!since) return Fail("--since '" + settings.since + "' wants " + std::string(kSinceForms));
    settings.since_ns = *since;
  }
  if (!settings.flows.empty() && (!settings.inputs.empty() || !settings.since.empty())) {
    return Fail("--flows has no times: it goes without --since and --input");
  }
  Cluster cluster;
  bool good = true;
  if (!settings.manifests.empty()) {
    LoadedManifests manifests = LoadManifests(settings.manifests);
    cluster = std::move(manifests.cluster);
    good = manifests.good;
  } else if (!settings.flows.empty()) {
    return Fail("--flows needs --manifests, which say which pods have the addresses");
  }
  Seen seen;
  if (!settings.flows.empty()) {
    good = ReadFlows(settings.flows, cluster, &seen) && good;
  } else if (!settings.inputs.empty() && !settings.manifests.empty()) {
    good = ReadLogs(settings, cluster, &seen) && good;
  } else if (const int code = Watch(settings, &cluster, &seen); code != kExitFine) {
    return code;
  }
  const Suggestion suggestion = Suggest(cluster, settings.suggest, seen.Take());
  Report(suggestion.notes);
  if (suggestion.policies.empty()) {
    std::fprintf(
        stderr,
        "error: no connection of a pod in namespace %s was seen; look longer (--for, --since), or check the name\n",
        Printable(settings.suggest.namespace_name).c_str());
    return good ? kExitDiffers : kExitBadInput;
  }
  if (!AdmitsAll(suggestion, cluster)) return kExitBadInput;
  Output output;
  output << ToYaml(suggestion);
  return output.Flush() && good ? kExitFine : kExitBadInput;
}

}  // namespace

void AddSuggest(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("suggest", "Write NetworkPolicies for a namespace from connections that were seen.");
  auto settings = std::make_shared<SuggestSettings>();
  AddTargetOptions(*command, settings->live);
  command->add_option("-n,--namespace", settings->suggest.namespace_name, "the namespace to write policies for")
      ->required()
      ->type_name("NAMESPACE");
  command->add_option("--for", settings->seconds, "look at the running sluiced for so long; 0: once")
      ->check(CLI::NonNegativeNumber)
      ->type_name("SECONDS")
      ->capture_default_str();
  command
      ->add_option(
          "--since", settings->since,
          "take what the running sluiced remembers of flows that ended, too, or of flow logs what is not older: so "
          "long ago, or since a time")
      ->type_name("90s|5m|2h|7d|TIME");
  command
      ->add_option(
          "--input", settings->inputs,
          "take connections from a flow log, also a compressed one, instead of the running sluiced, which is then "
          "asked for pods alone, unless --manifests has them. Repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all();
  command->add_flag("--icmp", settings->suggest.icmp,
                    "admit ICMP that was seen, and with it every port of the two ends");
  command
      ->add_option("--manifests", settings->manifests,
                   "take pods, namespaces and nodes from these files or folders instead of the running sluiced")
      ->type_name("PATH");
  command
      ->add_option("--flows", settings->flows,
                   "take connections from JSON lines, as of `check`, instead of the running sluiced")
      ->type_name("FILE");
  command->footer(
      "Exit codes: 0 policies are shown, and admit all that was seen; 1 nothing was seen; 2 bad input.\n"
      "Examples:\n"
      "  sluicectl suggest -n shop --for 600 > shop-policies.yaml\n"
      "  sluicectl suggest -n shop --since 24h > shop-policies.yaml\n"
      "  sluicectl suggest -n shop --since 7d --input /var/log/sluice/flows.jsonl --input "
      "/var/log/sluice/flows.jsonl.1.gz\n"
      "  sluicectl suggest -n shop --manifests now.yaml --flows seen.jsonl");
  command->callback([settings, exit_code] { *exit_code = RunSuggest(*settings); });
}

}  // namespace sluice
