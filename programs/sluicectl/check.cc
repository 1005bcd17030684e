// `sluicectl check`: what policy decides for each flow in a file.
#include <CLI/CLI.hpp>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/first_packet.h"
#include "resolve/resolve.h"
#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/flow_file.h"
#include "sluicectl/heap.h"
#include "sluicectl/input.h"
#include "sluicectl/judge.h"
#include "sluicectl/known_names.h"
#include "sluicectl/output.h"
#include "sluicectl/traffic_end.h"

namespace sluice {
namespace {

struct CheckOptions {
  std::vector<std::string> manifests;
  std::string flows;
  std::string config;
  std::string names;
  std::string engine = "compiled";
  std::string format = "table";
  bool no_exemptions = false;
};

struct CheckCounts {
  std::uint64_t allowed = 0;
  std::uint64_t denied = 0;
  std::uint64_t unmet = 0;
  std::uint64_t differences = 0;
};

void WriteJson(Output& output, const FlowLine& line, const FlowAnswer& answer) {
  output << R"({"id":)" << line.id << R"(,"verdict":")" << VerdictName(answer.allow) << R"(","reason":")"
         << answer.reason << R"(","egress":)";
  WriteSideJson(output, answer.egress);
  output << R"(,"ingress":)";
  WriteSideJson(output, answer.ingress);
  output << R"(,"exempt":")" << Name(answer.exemption) << "\"}\n";
}

std::vector<std::string> TableRow(const FlowLine& line, const FlowAnswer& answer, const EndNames& names) {
  std::string verdict(VerdictName(answer.allow));
  if (!answer.reason.empty()) verdict += " (" + std::string(answer.reason) + ')';
  if (answer.exemption != Exemption::kNone) verdict += " (" + std::string(Name(answer.exemption)) + ')';
  std::string expected = "-";
  if (line.expect_allow) {
    expected = VerdictName(*line.expect_allow);
    if (*line.expect_allow != answer.allow) expected += " NOT MET";
  }
  const bool quoted = line.id.front() == '"';
  return {quoted ? line.id.substr(1, line.id.size() - 2) : line.id,
          ToText(names.Of(line.flow.source, line.flow.source_port)),
          ToText(names.Of(line.flow.destination, line.flow.destination_port)),
          ProtocolName(line.flow.protocol),
          verdict,
          ToText(answer.egress, Direction::kEgress),
          ToText(answer.ingress, Direction::kIngress),
          expected};
}

// Judges flows, a burst at a time, by one engine or by both.
class Checker {
 public:
  // `names` outlives this.
  Checker(const CheckOptions& options, std::unique_ptr<Judge> judge, std::unique_ptr<Judge> second,
          const EndNames& names)
      : options_(options), judge_(std::move(judge)), second_(std::move(second)), names_(names) {
    if (options.format == "table") {
      table_.emplace(output_,
                     std::vector<std::string>{"ID", "FROM", "TO", "PROTO", "VERDICT", "EGRESS", "INGRESS", "EXPECTED"});
    }
  }

  void Run(FlowFile& file) {
    std::array<FlowLine, Judge::kMaxBurst> lines;
    std::size_t count = 0;
    while (file.Next(lines[count])) {
      if (++count == lines.size()) {
        CheckBurst(lines.data(), count);
        count = 0;
      }
    }
    CheckBurst(lines.data(), count);
    table_.reset();
  }

  bool Flush() { return output_.Flush(); }
  const CheckCounts& counts() const { return counts_; }

 private:
  void CheckBurst(const FlowLine* lines, std::size_t count);
  void CheckExpectation(const FlowLine& line, const FlowAnswer& answer);

  const CheckOptions& options_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<Judge> second_;  // null: one engine only
  const EndNames& names_;          // for the table
  Output output_;
  std::optional<TextTable> table_;
  CheckCounts counts_;
};

void Checker::CheckBurst(const FlowLine* lines, std::size_t count) {
  std::array<reference::Flow, Judge::kMaxBurst> flows;
  std::array<FlowAnswer, Judge::kMaxBurst> answers;
  std::array<FlowAnswer, Judge::kMaxBurst> second_answers;
  for (std::size_t i = 0; i < count; ++i) flows[i] = lines[i].flow;
  judge_->Answer(std::span(flows).first(count), answers.data());
  if (second_ != nullptr) second_->Answer(std::span(flows).first(count), second_answers.data());
  for (std::size_t i = 0; i < count; ++i) {
    if (!lines[i].is_foreign) continue;
    for (FlowAnswer* answer : {&answers[i], &second_answers[i]}) {
      answer->reason = kSpoofedSource;  // hooks check first
      answer->allow = false;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (table_) {
      table_->AddRow(TableRow(lines[i], answers[i], names_));
    } else {
      WriteJson(output_, lines[i], answers[i]);
    }
    ++(answers[i].allow ? counts_.allowed : counts_.denied);
    CheckExpectation(lines[i], answers[i]);
    if (second_ != nullptr && !(answers[i] == second_answers[i])) {
      ++counts_.differences;
      std::fprintf(stderr, "%s:%u: the engines differ on flow %s\n  compiled:  %s\n  reference: %s\n",
                   Printable(options_.flows).c_str(), lines[i].line, lines[i].id.c_str(), ToText(answers[i]).c_str(),
                   ToText(second_answers[i]).c_str());
    }
  }
}

void Checker::CheckExpectation(const FlowLine& line, const FlowAnswer& answer) {
  if (!line.expect_allow || *line.expect_allow == answer.allow) return;
  ++counts_.unmet;
  std::fprintf(stderr, "%s:%u: flow %s: expected %s, but: %s\n", Printable(options_.flows).c_str(), line.line,
               line.id.c_str(), *line.expect_allow ? "allow" : "deny", ToText(answer).c_str());
}

int RunCheck(const CheckOptions& options) {
  Config config;
  if (!LoadConfig(options.config, &config)) return kExitBadInput;
  KnownNames names;
  if (!names.Load(options.names)) return kExitBadInput;
  const LoadedManifests& manifests = *KeepUntilExit(LoadManifestsAndWarn(options.manifests));
  const bool exemptions = !options.no_exemptions;
  std::unique_ptr<Judge> judge;
  std::unique_ptr<Judge> second;
  const ResolvedPolicy* resolved = nullptr;
  if (options.engine != "reference") {
    const CompiledPolicy& policy = *KeepUntilExit(CompilePolicy(manifests.cluster, config.limits));
    if (policy.table == nullptr) return kExitBadInput;
    judge = std::make_unique<CompiledJudge>(policy.table, exemptions, SettingsOf(config), names.now());
    resolved = &policy.resolved;
  } else {
    resolved = KeepUntilExit(Resolve(manifests.cluster, nullptr));  // only for names
  }
  if (options.engine != "compiled") {
    (judge == nullptr ? judge : second) =
        std::make_unique<ReferenceJudge>(manifests.cluster, exemptions, SettingsOf(config), names.by_address());
  }

  const PodDirectory& pods = *KeepUntilExit(PodDirectory(manifests.cluster));
  FlowFile file(options.flows, pods);
  if (!file.Open()) return kExitBadInput;
  const EndNames end_names(*resolved);
  Checker checker(options, std::move(judge), std::move(second), end_names);
  checker.Run(file);
  const bool written = checker.Flush();
  file.WarnOfMissingPorts();

  const CheckCounts& counts = checker.counts();
  std::fprintf(stderr, "%" PRIu64 " flows: %" PRIu64 " allowed, %" PRIu64 " denied", counts.allowed + counts.denied,
               counts.allowed, counts.denied);
  if (counts.unmet != 0) std::fprintf(stderr, "; %" PRIu64 " not as expected", counts.unmet);
  if (counts.differences != 0) std::fprintf(stderr, "; engines differ on %" PRIu64, counts.differences);
  if (file.bad_lines() != 0)
    std::fprintf(stderr, "; %" PRIu64 " bad line%s skipped", file.bad_lines(), file.bad_lines() == 1 ? "" : "s");
  if (!manifests.good) std::fprintf(stderr, "; some manifests were refused, see above");
  std::fprintf(stderr, "\n");

  if (!manifests.good || file.bad_lines() != 0 || !written) return kExitBadInput;
  return counts.unmet + counts.differences != 0 ? kExitDiffers : kExitFine;
}

}  // namespace

void AddCheck(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("check", "Say what policy makes of each flow in a file.");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("--manifests", options->manifests, "files or folders of Kubernetes manifests, YAML or JSON")
      ->required()
      ->type_name("PATH");
  command
      ->add_option(
          "--flows", options->flows,
          "JSON lines: {\"id\",\"src\",\"dst\",\"proto\",\"sport\",\"dport\",\"interface\",\"expect\"}; sport, "
          "dport, interface and expect may be left out, and a missing port is 0")
      ->required()
      ->type_name("FILE");
  command->add_option("--engine", options->engine, "compiled, reference or both")
      ->check(CLI::IsMember({"compiled", "reference", "both"}))
      ->capture_default_str();
  command->add_option("--config", options->config, "sluiced's configuration: what it drops beside policy")
      ->type_name("FILE");
  command->add_option("--names", options->names, kNamesOptionText)->type_name("FILE");
  command->add_flag("--no-exemptions", options->no_exemptions,
                    "judge a pod's traffic with itself and its own node like any other");
  command->add_option("-o,--output", options->format, "json or table")
      ->check(CLI::IsMember({"json", "table"}))
      ->capture_default_str();
  command->footer(
      "src and dst are addresses or namespace/pod; proto is tcp, udp, sctp, icmp, icmpv6 or a number.\n"
      "interface is the pod by whose interface the packet comes, on a node with hooks: by default that of src.\n"
      "The verdict is what the filter does: where it drops a flow whatever policy says, the reason is beside it.\n"
      "Exit codes: 0 fine; 1 an expect not met, or the engines differ; 2 bad input.\n"
      "Example:\n"
      "  echo '{\"id\":1,\"src\":\"shop/web\",\"dst\":\"10.1.0.7\",\"proto\":\"tcp\",\"dport\":5432,"
      "\"expect\":\"deny\"}' > flows.jsonl\n"
      "  sluicectl check --manifests examples --flows flows.jsonl");
  command->callback([options, exit_code] { *exit_code = RunCheck(*options); });
}

}  // namespace sluice
