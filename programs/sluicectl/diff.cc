// `sluicectl diff`: how a folder of manifests differs from the policy that a running sluiced has in force, and which
// live connections it would cut.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "codec/codec.h"
#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "sluice/drop_reason.h"
#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/input.h"
#include "sluicectl/judge.h"
#include "sluicectl/live.h"
#include "sluicectl/live_names.h"
#include "sluicectl/live_policy.h"
#include "sluicectl/overlay.h"
#include "sluicectl/policy_diff.h"
#include "table/classify.h"

namespace sluice {
namespace {

struct DiffOptions {
  LiveOptions live;
  std::vector<std::string> manifests;  // the complete policy
  std::vector<std::string> add;        // or additions to the policy in force
  std::string node;
  bool no_flows = false;
  std::uint64_t max_flows = 20;
};

struct CutFlow {
  v1::Flow flow;
  TrafficEnd source;
  TrafficEnd destination;
  SideAnswer egress;  // by the table made from the manifests
  SideAnswer ingress;

  // Returns what would deny it.
  std::string DeniedBy() const {
    const std::string rules = sluice::DeniedBy(egress, ingress);
    return rules.empty() ? "no endpoint has an address (unknown_endpoint)" : rules;
  }
};

struct FlowsDiff {
  std::uint64_t live = 0;
  std::uint64_t over = 0;  // connections that ended or were cut; not among the live ones
  std::uint64_t cut = 0;
  std::vector<CutFlow> shown;  // some of the connections that are cut
};

// Manifests with policies alone say nothing of pods: then they bind the live pods. What selectors ask of namespaces
// that nothing describes is unknown.
void CompleteByLivePods(const ResolvedPolicy& live, Cluster* cluster) {
  if (!cluster->pods.empty()) return;
  TakeLivePods(live, cluster);
  std::fprintf(stderr, "note: the manifests hold no Pod: taking the %zu live endpoints and their nodes\n",
               cluster->pods.size());
  std::set<std::string> unknown;
  for (const Pod& pod : cluster->pods) unknown.insert(pod.namespace_name);
  for (const Namespace& space : cluster->namespaces) unknown.erase(space.name);
  const auto asks_labels = [](const LabelSelector& selector) {
    return std::any_of(selector.requirements.begin(), selector.requirements.end(),
                       [](const LabelRequirement& term) { return term.key != "kubernetes.io/metadata.name"; });
  };
  const auto warn = [&] {
    std::fprintf(stderr,
                 "warning: policies select namespaces by label, and %zu namespaces of live endpoints are not "
                 "in the manifests ('%s' for one): of those only the name is known\n",
                 unknown.size(), Printable(*unknown.begin()).c_str());
  };
  if (unknown.empty()) return;
  for (const ClusterPolicy& policy : cluster->cluster_policies) {
    bool asks = asks_labels(policy.subject.namespaces);
    for (const auto* rules : {&policy.ingress, &policy.egress}) {
      for (const ClusterPolicyRule& rule : *rules) {
        for (const ClusterPolicyPeer& peer : rule.peers) asks |= peer.pods && asks_labels(peer.pods->namespaces);
      }
    }
    if (asks) return warn();
  }
  for (const NetworkPolicy& policy : cluster->policies) {
    for (const auto* rules : {&policy.ingress, &policy.egress}) {
      for (const NetworkPolicyRule& rule : *rules) {
        for (const NetworkPolicyPeer& peer : rule.peers) {
          if (peer.namespace_selector && asks_labels(*peer.namespace_selector)) return warn();
        }
      }
    }
  }
}

// Its ends have closed or reset it, or a change of policy cut it: its entry only waits for its time-out.
bool IsOver(const v1::Flow& flow) {
  constexpr std::string_view kOver[] = {"TIME_WAIT", "CLOSE", "CLOSED", "CUT"};
  return std::find(std::begin(kOver), std::end(kOver), flow.state()) != std::end(kOver);
}

// Judges the live flows by the table made from the manifests, as sluiced would after the change.
int CompareFlows(const DiffOptions& options, v1::ObserveService::Stub& stub, const ResolvedPolicy& in_force,
                 const Table& table, FlowsDiff* diff) {
  LiveNames names;
  if (const int code = names.Fetch(options.live, stub, in_force); code != kExitFine) return code;
  Classifier classifier;
  std::vector<v1::Flow> flows;
  const auto judge = [&] {
    std::array<ClassifyQuery, Classifier::kMaxBurst> queries;
    std::array<Classification, Classifier::kMaxBurst> answers;
    for (std::size_t i = 0; i < flows.size(); ++i) {
      queries[i] = {*DecodeAddress(flows[i].source()), *DecodeAddress(flows[i].destination()),
                    static_cast<std::uint8_t>(flows[i].protocol()),
                    static_cast<std::uint16_t>(flows[i].destination_port()), names.BeganBy(flows[i].egress())};
    }
    classifier.Classify(table, std::span(queries).first(flows.size()), answers.data(), true, names.now());
    for (std::size_t i = 0; i < flows.size(); ++i) {
      if (answers[i].allow && !answers[i].unknown_endpoint) continue;
      if (++diff->cut > options.max_flows) continue;
      const v1::Flow& flow = flows[i];
      diff->shown.push_back(
          {flow,
           {AddressText(flow.source()), flow.source_port(), flow.source_pod(), flow.source_node()},
           {AddressText(flow.destination()), flow.destination_port(), flow.destination_pod(), flow.destination_node()},
           ToAnswer(table, answers[i].egress, answers[i].egress_sections),
           ToAnswer(table, answers[i].ingress, answers[i].ingress_sections)});
    }
    flows.clear();
  };
  Call call(options.live);
  v1::ListFlowsRequest request;
  request.set_batched(true);
  const auto reader = call.Open([&](Call* opened) { return stub.ListFlows(opened, request); });
  v1::Flow message;
  while (call.Read(*reader, &message)) {
    ForEachFlow(message, [&](const v1::Flow& flow) {
      if (!DecodeAddress(flow.source()) || !DecodeAddress(flow.destination())) return;
      ++(IsOver(flow) ? diff->over : diff->live);
      if (IsOver(flow)) return;
      flows.push_back(flow);
      if (flows.size() == Classifier::kMaxBurst) judge();
    });
  }
  judge();
  return Finish(options.live, call.Finish(*reader));
}

std::string_view KindName(ObjectChange::Kind kind) {
  constexpr std::string_view kNames[] = {"added", "removed", "changed"};
  return kNames[static_cast<int>(kind)];
}

Json ToJson(const std::vector<ObjectChange>& changes) {
  Json json = Json::array();
  for (const ObjectChange& change : changes) {
    json.push_back(
        {{"name", change.name}, {"change", KindName(change.kind)}, {"left", change.left}, {"came", change.came}});
  }
  return json;
}

Json ToJson(const FlowsDiff& flows) {
  Json json = {{"live", flows.live}, {"over", flows.over}, {"cut", flows.cut}, {"shown", Json::array()}};
  for (const CutFlow& cut : flows.shown) {
    Json row = {{"proto", ProtocolJson(static_cast<std::uint8_t>(cut.flow.protocol()))},
                {"src", ToJson(cut.source)},
                {"dst", ToJson(cut.destination)},
                {"egress", ToJson(cut.egress)},
                {"ingress", ToJson(cut.ingress)}};
    if (DeniedBy(cut.egress, cut.ingress).empty()) row["reason"] = Name(DropReason::kUnknownEndpoint);
    json["shown"].push_back(std::move(row));
  }
  return json;
}

void WriteChanges(Output& output, const char* noun, const std::vector<ObjectChange>& changes, bool all) {
  constexpr std::size_t kShown = 50;
  std::size_t shown = 0;
  for (const ObjectChange& change : changes) {
    if (shown++ == kShown && !all) {
      output << "... and " << static_cast<std::int64_t>(changes.size() - kShown) << " more (-o wide shows all)\n";
      break;
    }
    constexpr std::string_view kMarks[] = {"+", "-", "~"};
    output << kMarks[static_cast<int>(change.kind)] << " " << noun << " " << Printable(change.name, kPrintableBytes)
           << "\n";
    for (const std::string& line : change.left) output << "    - " << Printable(line, kPrintableBytes) << "\n";
    for (const std::string& line : change.came) output << "    + " << Printable(line, kPrintableBytes) << "\n";
  }
}

std::string CountText(const char* nouns, const std::vector<ObjectChange>& changes) {
  std::string text;
  for (const auto kind : {ObjectChange::Kind::kAdded, ObjectChange::Kind::kRemoved, ObjectChange::Kind::kChanged}) {
    const std::size_t count = Count(changes, kind);
    if (count == 0) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + ' ' + std::string(KindName(kind));
  }
  return text.empty() ? "" : std::string(nouns) + ": " + text + "; ";
}

void WriteText(Output& output, const PolicyDiff& diff, const FlowsDiff& flows, const DiffOptions& options) {
  const bool all = options.live.format == "wide";
  WriteChanges(output, "policy", diff.policies, all);
  WriteChanges(output, "endpoint", diff.endpoints, all);
  WriteChanges(output, "node", diff.nodes, all);
  if (!flows.shown.empty()) {
    output << "live flows that would be cut" << (flows.cut > flows.shown.size() ? " (some of them)" : "") << ":\n";
    TextTable table(output, {"  PROTO", "FROM", "TO", "DENIED BY"});
    for (const CutFlow& cut : flows.shown) {
      table.AddRow({"  " + ProtocolName(static_cast<std::uint8_t>(cut.flow.protocol())), ToText(cut.source),
                    ToText(cut.destination), cut.DeniedBy()});
    }
  }
  output << CountText("policies", diff.policies) << CountText("endpoints", diff.endpoints)
         << CountText("nodes", diff.nodes) << (diff.empty() ? "no difference; " : "");
  if (options.no_flows) {
    output << "live flows not looked at\n";
  } else {
    output << static_cast<std::int64_t>(flows.cut) << " of " << static_cast<std::int64_t>(flows.live)
           << " live flows would be cut\n";
    if (flows.over != 0) {
      output << "not among them: " << static_cast<std::int64_t>(flows.over) << " flows that are over, and time out\n";
    }
  }
}

// Returns the policy that would be in force: the manifests alone, or on top of `live`.
std::variant<ResolvedPolicy, Diagnostic> WantedPolicy(const DiffOptions& options, const ResolvedPolicy& live,
                                                      Cluster cluster) {
  const bool adds = !options.add.empty();
  if (adds && !(cluster.pods.empty() && cluster.nodes.empty())) {
    Diagnostic warning;
    warning.message = "Pods and Nodes are not looked at: with --add, those in force are taken";
    ReportWarnings({warning}, "");
    cluster.pods.clear();
  }
  CompleteByLivePods(live, &cluster);
  ClusterResolver resolver;
  resolver.Load(cluster);
  Report(resolver.Conflicts());
  ResolvedPolicy wanted = resolver.MakeView(options.node)->Full();
  if (!adds) return wanted;
  PolicyUpdate update = OverlayOf(live, wanted);
  ResolvedPolicy whole = CopyOf(live);
  if (auto wrong = Check(whole, update)) return *std::move(wrong);
  Apply(std::move(update), whole);
  return whole;
}

int RunDiff(const DiffOptions& options) {
  if (options.manifests.empty() == options.add.empty()) {
    return Fail("wants either --manifests, which are taken as a whole, or --add, for what comes on top");
  }
  const auto stub = ConnectTo(options.live);
  if (stub == nullptr) return kExitBadInput;
  LoadedManifests manifests = LoadManifests(options.add.empty() ? options.manifests : options.add);
  if (!manifests.good) {
    return Fail(options.add.empty() ? "nothing was compared: what was refused would pass for removed"
                                    : "nothing was compared: some manifests were refused, see above");
  }
  ResolvedPolicy live;
  if (const int code = FetchPolicy(options.live, *stub, &live); code != kExitFine) return code;
  auto result = WantedPolicy(options, live, std::move(manifests.cluster));
  if (const auto* wrong = std::get_if<Diagnostic>(&result)) return Fail(wrong->ToString());
  const ResolvedPolicy wanted = std::get<ResolvedPolicy>(std::move(result));
  const std::shared_ptr<const Table> table = CompileHere(wanted);
  if (table == nullptr) return kExitBadInput;
  FlowsDiff flows;
  if (!options.no_flows) {
    if (const int code = CompareFlows(options, *stub, live, *table, &flows); code != kExitFine) return code;
  }
  const PolicyDiff diff = Compare(live, wanted);
  Output output;
  if (options.live.format == "json" || options.live.format == "yaml") {
    Json json = {
        {"policies", ToJson(diff.policies)}, {"endpoints", ToJson(diff.endpoints)}, {"nodes", ToJson(diff.nodes)}};
    if (!options.no_flows) json["flows"] = ToJson(flows);
    WriteObject(output, options.live.format, json);
  } else {
    WriteText(output, diff, flows, options);
  }
  if (!output.Flush()) return kExitBadInput;
  return diff.empty() && flows.cut == 0 ? kExitFine : kExitDiffers;
}

}  // namespace

void AddDiff(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("diff", "Tell what manifests would change against the policy that is in force.");
  auto options = std::make_shared<DiffOptions>();
  command
      ->add_option("--manifests", options->manifests,
                   "files or folders of Kubernetes manifests, YAML or JSON, taken as a whole")
      ->type_name("PATH");
  command
      ->add_option("--add", options->add,
                   "or manifests that come on top of what is in force, as kubectl apply would have it")
      ->type_name("PATH");
  command->add_option("--node", options->node, "as sluice-sync --node: only what the pods of this node need")
      ->type_name("NAME");
  command->add_flag("--no-flows", options->no_flows, "leave the live flows alone");
  command->add_option("--max-flows", options->max_flows, "show so many of the flows that would be cut")
      ->capture_default_str();
  AddTargetOptions(*command, options->live);
  AddFormatOption(*command, options->live);
  command->footer(
      "The manifests are taken as a whole: a policy that they lack counts as removed. Where they hold no Pod, the "
      "live\n"
      "endpoints are taken for the pods. With --add, all other policies stay, and the live endpoints are the pods.\n"
      "Exit codes: 0 no difference; 1 differences; 2 bad input, or nobody answers.\n"
      "Examples:\n"
      "  sluicectl diff --manifests examples\n"
      "  sluicectl diff --add new-policy.yaml\n"
      "  sluicectl diff --manifests policies/ -o json --max-flows 1000");
  command->callback([options, exit_code] { *exit_code = RunDiff(*options); });
}

}  // namespace sluice
