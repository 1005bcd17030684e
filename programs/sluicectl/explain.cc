// `sluicectl explain`: explains one decision step by step, from manifests or from a running sluiced.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "codec/codec.h"
#include "common/arguments.h"
#include "config/config.h"
#include "core/first_packet.h"
#include "sluice/printable.h"
#include "sluice/protocol.h"
#include "sluice/unanswered.h"
#include "sluicectl/commands.h"
#include "sluicectl/explanation.h"
#include "sluicectl/input.h"
#include "sluicectl/judge.h"
#include "sluicectl/known_names.h"
#include "sluicectl/labels.h"
#include "sluicectl/learnt_names_text.h"
#include "sluicectl/live.h"
#include "sluicectl/live_policy.h"
#include "sluicectl/output.h"

namespace sluice {
namespace {

struct ExplainOptions {
  std::vector<std::string> manifests;
  std::string source;
  std::string destination;
  std::string protocol;
  std::optional<std::uint16_t> destination_port;
  std::uint16_t source_port = 0;
  std::string interface;  // of this pod; empty: of the pod that has the source address
  std::string config;
  std::string names;
  bool no_exemptions = false;
  LiveOptions live;
};

Json ToJson(const EndExplanation& end, std::uint32_t port) {
  Json json = ToJson(TrafficEnd{end.address.ToString(), port, end.kind == "pod" ? end.name : "", end.node});
  json["kind"] = end.kind;
  if (end.kind == "pod") json["labels"] = LabelsJson(end.labels);
  return json;
}

Json ToJson(const SideExplanation& side) {
  Json json = ToJson(side.answer);
  if (side.nearest) {
    const PolicyExplanation& policy = side.policies[side.nearest->policy];
    const RuleExplanation& rule = policy.rules[side.nearest->rule];
    json["nearest"] = {{"policy", policy.policy}, {"rule", rule.index}, {"why_not", rule.why_not}};
  }
  json["policies"] = Json::array();
  for (const PolicyExplanation& policy : side.policies) {
    Json rules = Json::array();
    for (const RuleExplanation& rule : policy.rules) {
      rules.push_back({{"rule", rule.index},
                       {"action", Name(rule.action)},
                       {"peers", rule.peers},
                       {"peers_match", rule.peers_match},
                       {"ports", rule.ports},
                       {"ports_match", rule.ports_match}});
      if (!rule.name.empty()) rules.back()["rule_name"] = rule.name;
    }
    json["policies"].push_back({{"policy", policy.policy},
                                {"tier", Name(policy.tier)},
                                {"priority", policy.priority},
                                {"isolates", policy.isolates},
                                {"rules", rules}});
  }
  return json;
}

Json ToJson(const Explanation& explanation, const reference::Flow& flow) {
  return {{"src", ToJson(explanation.source, flow.source_port)},
          {"dst", ToJson(explanation.destination, flow.destination_port)},
          {"proto", ProtocolJson(flow.protocol)},
          {"verdict", VerdictName(explanation.allow)},
          {"reason", explanation.reason},
          {"egress", ToJson(explanation.egress)},
          {"ingress", ToJson(explanation.ingress)},
          {"exempt", Name(explanation.exemption)}};
}

std::string Shown(std::string_view name) { return Printable(name, kPrintableBytes); }

std::string ToText(const EndExplanation& end) {
  std::string text = end.address.ToString() + "  ";
  if (end.kind == "pod") {
    text += "pod " + Shown(end.name);
    if (!end.node.empty()) text += " on node " + Shown(end.node);
    return text + (end.labels.empty() ? ", no labels" : ", labels " + Shown(end.labels));
  }
  if (end.kind == "node" && end.name.empty()) return text + "claimed by several nodes, so no pod's own node's";
  if (end.kind == "node") return text + "node " + Shown(end.name);
  if (end.kind == "external") return text + "outside the cluster";
  return text + "in the pod CIDRs, but no pod and no node has it";
}

std::string RuleSummary(const RuleExplanation& rule, Direction direction) {
  return std::string(Name(rule.action)) + (direction == Direction::kEgress ? " to " : " from ") + Shown(rule.peers) +
         "; " + (rule.ports.empty() ? "no port" : rule.ports);
}

// "shop/backend ingress[0]", or "shop/backend ingress default (isolated by shop/backend, shop/deny)".
std::string DecisionText(Direction direction, const SideAnswer& side) {
  if (!side.is_default()) return RuleText(side, direction);
  return Shown(side.policy) + ' ' + RuleText(direction, side.rule, "") + " (isolated by " + IsolatedByText(side) + ')';
}

// Returns what made the verdict: a reason apart from policy, an exemption, or the rules of the sides that decide.
std::string VerdictText(const Explanation& explanation) {
  std::string text(VerdictName(explanation.allow));
  if (!explanation.reason.empty()) {
    text += ", whatever policy says: " + Shown(explanation.reason);
    const std::string_view meaning = ReasonText(explanation.reason);
    return meaning.empty() ? text : text.append(", ").append(meaning);  // empty: from a newer sluiced
  }
  if (explanation.exemption == Exemption::kSelf) return text + ": a pod may always reach itself";
  if (explanation.exemption == Exemption::kNode) return text + ": traffic between a pod and its own node always passes";
  std::string decisions;
  for (const auto& [direction, side] : {std::pair(Direction::kEgress, &explanation.egress.answer),
                                        std::pair(Direction::kIngress, &explanation.ingress.answer)}) {
    if (!side->decided || side->allow != explanation.allow) continue;
    decisions += (decisions.empty() ? " by " : " and by ") + DecisionText(direction, *side);
  }
  return text + (decisions.empty() ? ": no policy concerns it" : decisions);
}

void WriteNearest(Output& output, Direction direction, const SideExplanation& side) {
  if (!side.nearest) return;
  const PolicyExplanation& policy = side.policies[side.nearest->policy];
  const RuleExplanation& rule = policy.rules[side.nearest->rule];
  output << "nearest  " << Shown(policy.policy) << " " << RuleText(direction, rule.index, rule.name) << ", "
         << RuleSummary(rule, direction) << ": " << rule.why_not << "\n";
}

void WriteRule(Output& output, const RuleExplanation& rule, Direction direction) {
  output << "    " << RuleText(direction, rule.index, rule.name) << " " << RuleSummary(rule, direction) << "\n        ";
  if (rule.peers_match && rule.ports_match) {
    output << "matches" << (rule.decides ? ", and decides" : "") << "\n";
  } else {
    output << "does not match: " << rule.why_not << "\n";
  }
}

void WriteSide(Output& output, Direction direction, const SideExplanation& side, const EndExplanation& subject) {
  output << Name(direction) << " of " << (subject.name.empty() ? subject.address.ToString() : Shown(subject.name))
         << "\n";
  if (!side.managed) {
    output << "  not a managed pod: this side passes\n\n";
    return;
  }
  for (const PolicyExplanation& policy : side.policies) {
    output << "  " << Shown(policy.policy) << (policy.isolates ? " isolates it" : " speaks of it");
    if (policy.tier != Tier::kNetworkPolicy) {
      output << " in the " << Name(policy.tier) << " tier, priority " << std::int64_t{policy.priority};
    }
    output << "\n";
    for (const RuleExplanation& rule : policy.rules) WriteRule(output, rule, direction);
    if (policy.rules.empty()) output << "    no rule that could match here\n";
  }
  if (side.policies.empty()) output << "  no policy selects it in this direction\n";
  output << "  => " << VerdictName(side.answer.allow);
  if (side.answer.decided && side.answer.rule >= 0) {
    output << " by " << RuleText(side.answer, direction);
  } else if (side.answer.decided) {
    output << ": isolated by " << IsolatedByText(side.answer) << ", and no rule matches";
  }
  output << "\n\n";
}

void WriteText(Output& output, const Explanation& explanation, const reference::Flow& flow,
               const std::string& interface) {
  output << "verdict  " << VerdictText(explanation) << "\n";
  if (explanation.reason.empty()) {
    WriteNearest(output, Direction::kEgress, explanation.egress);
    WriteNearest(output, Direction::kIngress, explanation.ingress);
  }
  output << "from     " << ToText(explanation.source) << "\nto       " << ToText(explanation.destination)
         << "\ntraffic  " << ProtocolName(flow.protocol);
  if (HasPorts(flow.protocol)) output << " to port " << std::int64_t{flow.destination_port};
  if (!interface.empty()) output << ", by the interface of " << Shown(interface);
  output << "\n\n";
  switch (explanation.exemption) {
    case Exemption::kSelf:
      output << "exempt: a pod may always reach itself, so no policy is asked\n\n";
      break;
    case Exemption::kNode:
      output << "exempt: traffic between a pod and its own node always passes, so no policy is asked\n\n";
      break;
    case Exemption::kNone:
      WriteSide(output, Direction::kEgress, explanation.egress, explanation.source);
      WriteSide(output, Direction::kIngress, explanation.ingress, explanation.destination);
  }
}

int BadOption(std::string field, std::string message) {
  Diagnostic error;
  error.field = std::move(field);
  error.message = std::move(message);
  Report(error);
  return kExitBadInput;
}

// What is explained, from manifests or from sluiced.
struct Subject {
  ResolvedPolicy policy;
  std::shared_ptr<const Table> table;
  Ends ends;
  FilterSettings settings = {};
  bool is_foreign = false;                 // the packet comes by the interface of a pod that has another address
  std::optional<std::string> reason = {};  // what a running sluiced does apart from policy
  std::shared_ptr<KnownNames> names = std::make_shared<KnownNames>();
  std::vector<v1::LearntName> learnt = {};  // for the destination, by a running sluiced
};

int Write(const ExplainOptions& options, const Subject& subject, std::uint8_t protocol) {
  const reference::Flow flow{subject.ends.source, subject.ends.destination, protocol, options.source_port,
                             options.destination_port.value_or(0)};
  Explanation explanation = Explain(subject.policy, *subject.table, flow, !options.no_exemptions, subject.settings,
                                    subject.is_foreign, *subject.names);
  if (subject.reason) {
    explanation.reason = *subject.reason;
    explanation.allow =
        explanation.egress.answer.allow && explanation.ingress.answer.allow && explanation.reason.empty();
  }
  Output output;
  if (options.live.format == "table") {
    WriteText(output, explanation, flow, options.interface);
    for (const v1::LearntName& name : subject.learnt) output << sluice::ToText(name) << "\n";
  } else {
    Json json = ToJson(explanation, flow);
    for (const v1::LearntName& name : subject.learnt) json["dst_names"].push_back(sluice::ToJson(name));
    if (!options.interface.empty()) json["interface"] = options.interface;
    WriteObject(output, options.live.format, json);
  }
  return output.Flush() ? kExitFine : kExitBadInput;
}

int ExplainManifests(const ExplainOptions& options, std::uint8_t protocol) {
  Config config;
  if (!LoadConfig(options.config, &config)) return kExitBadInput;
  const auto names = std::make_shared<KnownNames>();
  if (!names->Load(options.names)) return kExitBadInput;
  const LoadedManifests manifests = LoadManifestsAndWarn(options.manifests);
  const PodDirectory pods(manifests.cluster);
  const auto ends = ParseEnds(options.source, options.destination, pods);
  if (const auto* error = std::get_if<EndError>(&ends)) {
    return BadOption(error->is_source ? "--src" : "--dst", error->message);
  }
  std::variant<bool, std::string> foreign = false;
  if (!options.interface.empty()) foreign = IsForeign(std::get<Ends>(ends).source, options.interface, pods);
  if (const auto* error = std::get_if<std::string>(&foreign)) return BadOption("--interface", *error);
  CompiledPolicy policy = CompilePolicy(manifests.cluster, config.limits);
  if (policy.table == nullptr) return kExitBadInput;
  FilterSettings settings = SettingsOf(config);
  settings.has_hooks = settings.has_hooks || !options.interface.empty();
  const int code = Write(options,
                         {.policy = std::move(policy.resolved),
                          .table = std::move(policy.table),
                          .ends = std::get<Ends>(ends),
                          .settings = settings,
                          .is_foreign = std::get<bool>(foreign),
                          .names = names},
                         protocol);
  return manifests.good ? code : kExitBadInput;
}

// Warns about the policies that may concern the two ends: those of their namespaces, and cluster policies.
void WarnOfUnanswered(const Subject& subject) {
  std::set<std::string> spaces;
  for (const Endpoint& endpoint : subject.policy.endpoints) {
    for (const IpAddress& end : {subject.ends.source, subject.ends.destination}) {
      if (std::find(endpoint.addresses.begin(), endpoint.addresses.end(), end) != endpoint.addresses.end()) {
        spaces.insert(endpoint.namespace_name);
      }
    }
  }
  Diagnostics warnings;
  const GroupSizes sizes(subject.policy);
  const SectionList& all = subject.policy.sections;
  for (auto section = all.begin(); section != all.end();) {
    const std::span<const Section> sections = all.Find(section->policy);
    const bool is_clusters = section->tier != Tier::kNetworkPolicy;
    if (is_clusters || spaces.contains(section->policy.substr(0, section->policy.find('/')))) {
      for (const Unanswered& one : FindUnanswered(sections, subject.policy, sizes)) {
        warnings.push_back({Severity::kWarning, "", 0, "policy " + section->policy, one.field, one.text});
      }
    }
    for (std::size_t i = 0; i < sections.size(); ++i) ++section;
  }
  ReportWarnings(std::move(warnings), "sluicectl get policies shows all");
}

// The table in force decides; the policy behind it tells why. If the two are from different moments, both are fetched
// again.
int ExplainLive(const ExplainOptions& options, std::uint8_t protocol) {
  constexpr int kAttempts = 5;
  const auto stub = ConnectTo(options.live);
  if (stub == nullptr) return kExitBadInput;
  if (!options.interface.empty()) {
    constexpr std::uint32_t kKnowsInterfaces = 8;
    v1::Status status;
    Call call(options.live);
    const int code = Finish(options.live, call.Once([&](Call* asked) { return stub->GetStatus(asked, {}, &status); }));
    if (code != kExitFine) return code;
    if (status.api_minor() < kKnowsInterfaces) {
      return BadOption("--interface", "the running sluiced is older than this option; explain --manifests knows it");
    }
  }
  v1::ExplainRequest request;
  const auto set_end = [](const std::string& text, std::string* address, std::string* pod) {
    const auto parsed = IpAddress::Parse(text);
    *(parsed ? address : pod) = parsed ? EncodeAddress(*parsed) : text;
  };
  set_end(options.source, request.mutable_source(), request.mutable_source_pod());
  set_end(options.destination, request.mutable_destination(), request.mutable_destination_pod());
  request.set_interface_pod(options.interface);
  request.set_protocol(protocol);
  request.set_destination_port(options.destination_port.value_or(0));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    v1::Explanation before;
    v1::Explanation after;
    Subject subject;
    Call first(options.live);
    if (const int code =
            Finish(options.live, first.Once([&](Call* call) { return stub->Explain(call, request, &before); }));
        code != kExitFine)
      return code;
    if (const int code = FetchPolicy(options.live, *stub, &subject.policy); code != kExitFine) return code;
    subject.table = CompileHere(subject.policy);
    if (subject.table == nullptr) return kExitBadInput;
    Call second(options.live);
    if (const int code =
            Finish(options.live, second.Once([&](Call* call) { return stub->Explain(call, request, &after); }));
        code != kExitFine)
      return code;
    if (before.SerializeAsString() != after.SerializeAsString()) continue;
    subject.ends = {*IpAddress::Parse(before.source()), *IpAddress::Parse(before.destination())};
    if (before.has_reason()) subject.reason = before.reason();
    for (const v1::LearntName& name : before.destination_names()) {
      if (!name.lapsed()) subject.names->Add(subject.ends.destination, name.name());
      subject.learnt.push_back(name);
    }
    WarnOfUnanswered(subject);
    return Write(options, subject, protocol);
  }
  return BadOption("--target", "the policy changes faster than it can be told; ask again");
}

int RunExplain(const ExplainOptions& options) {
  const auto protocol = ParseProtocol(options.protocol);
  if (!protocol) return BadOption("--proto", "must be " + std::string(kProtocolForms));
  if (HasPorts(*protocol) && !options.destination_port) {
    Diagnostic warning;
    warning.field = "--dport";
    warning.message = "missing: judged as to port 0, which no rule names";
    ReportWarnings({warning}, "");
  }
  if (options.manifests.empty() && !options.config.empty()) {
    return BadOption("--config", "goes with --manifests; a running sluiced has its own");
  }
  if (options.manifests.empty() && !options.names.empty()) {
    return BadOption("--names", "goes with --manifests; a running sluiced knows what it learnt");
  }
  return options.manifests.empty() ? ExplainLive(options, *protocol) : ExplainManifests(options, *protocol);
}

}  // namespace

void AddExplain(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("explain", "Tell one decision step by step.");
  auto options = std::make_shared<ExplainOptions>();
  command->add_option("--src", options->source, "an address or namespace/pod")->required()->type_name("END");
  command->add_option("--dst", options->destination, "an address or namespace/pod")->required()->type_name("END");
  command->add_option("--proto", options->protocol, std::string(kProtocolForms))->required()->type_name("PROTO");
  command->add_option("--dport", options->destination_port, "destination port")->type_name("PORT")->check(CheckPort);
  command->add_option("--sport", options->source_port, "source port; no rule reads it")
      ->type_name("PORT")
      ->check(CheckPort);
  command
      ->add_option("--manifests", options->manifests,
                   "files or folders of Kubernetes manifests, YAML or JSON; without them, the running sluiced is asked")
      ->type_name("PATH");
  command
      ->add_option("--interface", options->interface,
                   "on a node with hooks: the pod by whose interface the packet comes, if it is not that of --src")
      ->type_name("NAMESPACE/POD");
  command
      ->add_option("--config", options->config,
                   "with --manifests: sluiced's configuration, what it drops beside policy")
      ->type_name("FILE");
  command->add_option("--names", options->names, std::string("with --manifests: ") + kNamesOptionText)
      ->type_name("FILE");
  AddTargetOptions(*command, options->live);
  command->add_flag("--no-exemptions", options->no_exemptions,
                    "judge a pod's traffic with itself and its own node like any other");
  command->add_option("-o,--output", options->live.format, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
  command->footer(
      "First comes the verdict with what made it: a rule, the default deny of all policies that isolate, or what the\n"
      "filter drops whatever policy says. Then, of what is denied, the rule that comes nearest and why it does not "
      "match.\n"
      "Example: sluicectl explain --src shop/frontend --dst shop/backend --proto tcp --dport 80\n"
      "         sluicectl explain --src shop/frontend --dst shop/backend --proto tcp --dport 80 --manifests examples\n"
      "         sluicectl explain --src 10.9.9.9 --interface shop/frontend --dst shop/backend --proto tcp --dport 80");
  command->callback([options, exit_code] { *exit_code = RunExplain(*options); });
}

}  // namespace sluice
