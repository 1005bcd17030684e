// `sluicectl explain`: one decision, told step by step, of manifests or of a running sluiced.
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "codec/codec.h"
#include "common/arguments.h"
#include "sluice/printable.h"
#include "sluice/protocol.h"
#include "sluicectl/commands.h"
#include "sluicectl/explanation.h"
#include "sluicectl/input.h"
#include "sluicectl/judge.h"
#include "sluicectl/labels.h"
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
  std::uint16_t destination_port = 0;
  std::uint16_t source_port = 0;
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
  return text +
         "in the pod CIDRs, but no pod and no node has it: sluiced drops it (unknown_endpoint) unless told otherwise";
}

void WriteRule(Output& output, const RuleExplanation& rule, Direction direction) {
  output << "    " << RuleText(direction, rule.index, rule.name) << " " << Name(rule.action)
         << (direction == Direction::kEgress ? " to " : " from ") << Shown(rule.peers) << "; " << rule.ports
         << "\n        ";
  if (rule.peers_match && rule.ports_match) {
    output << "matches" << (rule.decides ? ", and decides" : "") << "\n";
  } else {
    output << "does not match: " << (rule.peers_match ? "" : "the peer is not among them")
           << (!rule.peers_match && !rule.ports_match ? ", and " : "")
           << (rule.ports_match ? "" : "the port is another") << "\n";
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
    output << " by " << RuleText(side.answer, direction) << ": it isolates, and no rule matches";
  }
  output << "\n\n";
}

void WriteText(Output& output, const Explanation& explanation, const reference::Flow& flow) {
  output << "from     " << ToText(explanation.source) << "\nto       " << ToText(explanation.destination)
         << "\ntraffic  " << ProtocolName(flow.protocol);
  if (HasPorts(flow.protocol)) output << " to port " << std::int64_t{flow.destination_port};
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
  output << "verdict  " << VerdictName(explanation.allow) << "\n";
}

int BadOption(std::string field, std::string message) {
  Diagnostic error;
  error.field = std::move(field);
  error.message = std::move(message);
  Report(error);
  return kExitBadInput;
}

// What is explained, wherever it came from.
struct Subject {
  ResolvedPolicy policy;
  std::shared_ptr<const Table> table;
  Ends ends;
};

int Write(const ExplainOptions& options, const Subject& subject, std::uint8_t protocol) {
  const reference::Flow flow{subject.ends.source, subject.ends.destination, protocol, options.source_port,
                             options.destination_port};
  const Explanation explanation = Explain(subject.policy, *subject.table, flow, !options.no_exemptions);
  Output output;
  if (options.live.format == "table") {
    WriteText(output, explanation, flow);
  } else {
    WriteObject(output, options.live.format, ToJson(explanation, flow));
  }
  return output.Flush() ? kExitFine : kExitBadInput;
}

int ExplainManifests(const ExplainOptions& options, std::uint8_t protocol) {
  const LoadedManifests manifests = LoadManifests(options.manifests);
  const auto ends = ParseEnds(options.source, options.destination, PodDirectory(manifests.cluster));
  if (const auto* error = std::get_if<EndError>(&ends)) {
    return BadOption(error->is_source ? "--src" : "--dst", error->message);
  }
  CompiledPolicy policy = CompilePolicy(manifests.cluster);
  if (policy.table == nullptr) return kExitBadInput;
  const int code =
      Write(options, {std::move(policy.resolved), std::move(policy.table), std::get<Ends>(ends)}, protocol);
  return manifests.good ? code : kExitBadInput;
}

// The table in force decides; the policy behind it tells why. Where the two are of different moments, both are asked
// again.
int ExplainLive(const ExplainOptions& options, std::uint8_t protocol) {
  constexpr int kAttempts = 5;
  const auto stub = ConnectTo(options.live);
  if (stub == nullptr) return kExitBadInput;
  v1::ExplainRequest request;
  const auto set_end = [](const std::string& text, std::string* address, std::string* pod) {
    const auto parsed = IpAddress::Parse(text);
    *(parsed ? address : pod) = parsed ? EncodeAddress(*parsed) : text;
  };
  set_end(options.source, request.mutable_source(), request.mutable_source_pod());
  set_end(options.destination, request.mutable_destination(), request.mutable_destination_pod());
  request.set_protocol(protocol);
  request.set_destination_port(options.destination_port);
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
    return Write(options, subject, protocol);
  }
  return BadOption("--target", "the policy changes faster than it can be told; ask again");
}

int RunExplain(const ExplainOptions& options) {
  const auto protocol = ParseProtocol(options.protocol);
  if (!protocol) return BadOption("--proto", "must be " + std::string(kProtocolForms));
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
  AddTargetOptions(*command, options->live);
  command->add_flag("--no-exemptions", options->no_exemptions,
                    "judge a pod's traffic with itself and its own node like any other");
  command->add_option("-o,--output", options->live.format, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
  command->footer(
      "Example: sluicectl explain --src shop/frontend --dst shop/backend --proto tcp --dport 80\n"
      "         sluicectl explain --src shop/frontend --dst shop/backend --proto tcp --dport 80 --manifests examples");
  command->callback([options, exit_code] { *exit_code = RunExplain(*options); });
}

}  // namespace sluice
