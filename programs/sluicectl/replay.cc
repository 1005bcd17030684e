// `sluicectl replay`: shows what the filter would do with a capture, or what other manifests would change.
#include <CLI/CLI.hpp>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "sluicectl/capture.h"
#include "sluicectl/commands.h"
#include "sluicectl/decision.h"
#include "sluicectl/input.h"
#include "sluicectl/judge.h"
#include "sluicectl/known_names.h"
#include "sluicectl/output.h"
#include "sluicectl/packet_ends.h"
#include "sluicectl/replay_run.h"
#include "sluicectl/traffic_end.h"

namespace sluice {
namespace {

struct ReplayOptions {
  std::vector<std::string> manifests;
  std::vector<std::string> against;
  std::string write;
  std::string config;
  std::string names;
  std::vector<std::string> resolvers;
  std::string format = "table";
  std::string capture;
};

std::string_view Name(PacketState state) {
  constexpr std::string_view kNames[] = {"none", "new", "established", "reply", "related"};
  return kNames[static_cast<std::size_t>(state)];
}

// One policy, and its run.
struct Stand {
  ResolvedPolicy policy;
  std::shared_ptr<const Table> table;
  std::unique_ptr<ReplayRun> run;
  std::deque<Outcome> outcomes;  // of packets in order; only if two stands wait for each other
};

// Visits the directions that a policy decided.
template <typename Visit>
void ForEachSide(const Table& table, const Outcome& outcome, Visit visit) {
  const SideAnswer egress = ToAnswer(table, outcome.egress, outcome.egress_sections);
  const SideAnswer ingress = ToAnswer(table, outcome.ingress, outcome.ingress_sections);
  if (egress.decided) visit(Direction::kEgress, egress);
  if (ingress.decided) visit(Direction::kIngress, ingress);
}

std::string RulesText(const Table& table, const Outcome& outcome) {
  if (outcome.exemption != Exemption::kNone) return "exempt: " + std::string(Name(outcome.exemption));
  std::string text;
  ForEachSide(table, outcome, [&](Direction direction, const SideAnswer& side) {
    if (!text.empty()) text += "; ";
    text += ToText(side, direction);
  });
  return text;
}

// Writes `"verdict":...,"reason":...` and the directions that a policy decided.
void WriteOutcomeJson(Output& output, const Table& table, const Outcome& outcome) {
  output << R"("verdict":")" << Name(outcome.verdict) << R"(","reason":")" << Name(outcome.reason) << R"(","state":")"
         << Name(outcome.state) << "\"";
  ForEachSide(table, outcome, [&](Direction direction, const SideAnswer& side) {
    output << ",\"" << Name(direction) << "\":";
    WriteSideJson(output, side);
  });
}

// "-" for an empty text.
std::string OrNothing(std::string_view text) { return text.empty() ? "-" : std::string(text); }

// Writes a line for each packet.
class PacketList {
 public:
  PacketList(Output& output, const Table& table, const EndNames& names, bool json)
      : output_(output), table_(table), names_(names) {
    if (!json) {
      rows_.emplace(output, std::vector<std::string>{"PACKET", "SECONDS", "FROM", "TO", "PROTO", "VERDICT", "REASON",
                                                     "STATE", "RULES"});
    }
  }

  void Add(std::uint64_t number, double seconds, const std::optional<PacketEnds>& ends, const Outcome& outcome) {
    ++verdicts_[static_cast<std::size_t>(outcome.verdict)];
    if (outcome.reason != DropReason::kNone) ++reasons_[Name(outcome.reason)];
    if (!rows_) {
      output_ << R"({"packet":)" << static_cast<std::int64_t>(number) << ",";
      WriteOutcomeJson(output_, table_, outcome);
      output_ << "}\n";
      return;
    }
    char since[32];
    std::snprintf(since, sizeof since, "%.6f", seconds);
    rows_->AddRow({std::to_string(number), since, ends ? ToText(names_.Of(ends->source, ends->source_port)) : "-",
                   ends ? ToText(names_.Of(ends->destination, ends->destination_port)) : "-",
                   ends ? ProtocolName(ends->protocol) : "-", std::string(Name(outcome.verdict)),
                   OrNothing(Name(outcome.reason)), std::string(Name(outcome.state)),
                   OrNothing(RulesText(table_, outcome))});
  }

  void Summarise() {
    rows_.reset();
    std::fprintf(stderr, "%" PRIu64 " packets: %" PRIu64 " forwarded, %" PRIu64 " dropped, %" PRIu64 " rejected",
                 verdicts_[0] + verdicts_[1] + verdicts_[2], verdicts_[0], verdicts_[1], verdicts_[2]);
    const char* separator = "; ";
    for (const auto& [reason, count] : reasons_) {
      std::fprintf(stderr, "%s%.*s %" PRIu64, separator, static_cast<int>(reason.size()), reason.data(), count);
      separator = ", ";
    }
    std::fprintf(stderr, "\n");
  }

 private:
  Output& output_;
  const Table& table_;
  const EndNames& names_;
  std::optional<TextTable> rows_;
  std::array<std::uint64_t, 3> verdicts_{};
  std::map<std::string_view, std::uint64_t> reasons_;
};

// The flows whose packets get another verdict under other manifests.
class ChangeList {
 public:
  void Add(std::uint64_t number, const std::optional<PacketEnds>& ends, const Outcome& outcome,
           const Outcome& against) {
    if (!ends || outcome.verdict == against.verdict) return;
    const auto [place, added] = places_.try_emplace(ends->Canonical(), changes_.size());
    if (added) changes_.push_back({number, 0, *ends, outcome, against});
    ++changes_[place->second].packets;
  }

  void Write(Output& output, const EndNames& names, const Table& table, const Table& against_table, bool json) const {
    if (json) {
      for (const Change& change : changes_) WriteJson(output, change, names, table, against_table);
    } else if (!changes_.empty()) {
      TextTable rows(output, {"FROM", "TO", "PROTO", "PACKETS", "FIRST", "MANIFESTS", "AGAINST"});
      for (const Change& change : changes_) {
        rows.AddRow({sluice::ToText(names.Of(change.ends.source, change.ends.source_port)),
                     sluice::ToText(names.Of(change.ends.destination, change.ends.destination_port)),
                     ProtocolName(change.ends.protocol), std::to_string(change.packets), std::to_string(change.first),
                     ToText(change.outcome, table), ToText(change.against, against_table)});
      }
    }
    std::fprintf(stderr, "%zu flow%s change verdict\n", changes_.size(), changes_.size() == 1 ? "" : "s");
  }

  bool empty() const { return changes_.empty(); }

 private:
  struct Change {
    std::uint64_t first = 0;    // the first packet that differs
    std::uint64_t packets = 0;  // how many packets differ
    PacketEnds ends;            // of that packet
    Outcome outcome;
    Outcome against;
  };

  static std::string ToText(const Outcome& outcome, const Table& table) {
    const std::string rules = RulesText(table, outcome);
    std::string text(Name(outcome.verdict));
    if (outcome.reason != DropReason::kNone) text += " (" + std::string(Name(outcome.reason)) + ')';
    return rules.empty() ? text : text + ' ' + rules;
  }

  static void WriteJson(Output& output, const Change& change, const EndNames& names, const Table& table,
                        const Table& against_table) {
    output << R"({"src":)" << JsonText(ToJson(names.Of(change.ends.source, change.ends.source_port))) << R"(,"dst":)"
           << JsonText(ToJson(names.Of(change.ends.destination, change.ends.destination_port))) << R"(,"proto":)"
           << JsonText(ProtocolJson(change.ends.protocol)) << R"(,"packet":)" << static_cast<std::int64_t>(change.first)
           << R"(,"packets":)" << static_cast<std::int64_t>(change.packets) << R"(,"manifests":{)";
    WriteOutcomeJson(output, table, change.outcome);
    output << R"(},"against":{)";
    WriteOutcomeJson(output, against_table, change.against);
    output << "}}\n";
  }

  std::vector<Change> changes_;  // ordered by their first packets
  std::map<PacketEnds, std::size_t> places_;
};

// What a list needs to know of a packet while its fate is unknown.
struct Waiting {
  double seconds = 0;
  std::optional<PacketEnds> ends;
};

class Replay {
 public:
  Replay(const ReplayOptions& options, const PipelineConfig& pipeline, std::vector<Stand> stands)
      : options_(options), pipeline_(pipeline), stands_(std::move(stands)), names_(stands_[0].policy) {
    // With two stands, changes are listed, not packets.
    if (stands_.size() == 1) packets_.emplace(output_, *stands_[0].table, names_, options.format == "json");
  }

  void Run(CaptureReader& reader) {
    std::optional<std::uint64_t> start_ns;
    while (auto frame = reader.Next()) {
      if (!start_ns) start_ns = frame->time_ns;
      if (frame->bytes.size() < frame->frame_length) ++cut_short_;
      const auto since_ns = static_cast<std::int64_t>(frame->time_ns - *start_ns);
      waiting_.push_back({static_cast<double>(since_ns) / 1e9, EndsOf(*frame, pipeline_.parse)});
      for (Stand& stand : stands_) stand.run->Take(*frame);
      Settle();
    }
    for (Stand& stand : stands_) stand.run->End();
    Settle();
  }

  // Returns whether verdicts change.
  bool Finish() {
    for (const Stand& stand : stands_) {
      if (const ReplayNames* names = stand.run->names()) std::fprintf(stderr, "%s\n", names->Summary().c_str());
    }
    if (cut_short_ != 0) {
      std::fprintf(stderr, "note: the capture holds only the beginning of %" PRIu64 " frames\n", cut_short_);
    }
    if (stands_.size() == 1) {
      packets_->Summarise();
    } else {
      changes_.Write(output_, names_, *stands_[0].table, *stands_[1].table, options_.format == "json");
    }
    return !changes_.empty();
  }
  bool Flush() { return output_.Flush(); }

 private:
  // Lists packets in order, as far as all stands know their fate.
  void Settle() {
    for (Stand& stand : stands_) {
      while (const auto outcome = stand.run->NextOutcome()) stand.outcomes.push_back(*outcome);
    }
    while (!stands_.front().outcomes.empty() && !stands_.back().outcomes.empty()) {
      const Waiting packet = waiting_.front();
      waiting_.pop_front();
      ++settled_;
      if (stands_.size() == 1) {
        packets_->Add(settled_, packet.seconds, packet.ends, stands_[0].outcomes.front());
      } else {
        changes_.Add(settled_, packet.ends, stands_[0].outcomes.front(), stands_[1].outcomes.front());
      }
      for (Stand& stand : stands_) stand.outcomes.pop_front();
    }
  }

  const ReplayOptions& options_;
  const PipelineConfig& pipeline_;
  std::vector<Stand> stands_;  // for the manifests and, if given, for those to compare with
  EndNames names_;             // for the manifests
  Output output_;
  std::optional<PacketList> packets_;
  ChangeList changes_;
  std::deque<Waiting> waiting_;
  std::uint64_t settled_ = 0;
  std::uint64_t cut_short_ = 0;
};

// `--manifests PATH... FILE --write OUT` puts FILE among the paths: it is the last one that cannot be a manifest.
bool FindCapture(ReplayOptions& options) {
  for (auto* paths : {&options.against, &options.manifests}) {
    if (!options.capture.empty() || paths->size() < 2) continue;
    const std::filesystem::path last = paths->back();
    const bool is_manifest = std::filesystem::is_directory(last) || last.extension() == ".yaml" ||
                             last.extension() == ".yml" || last.extension() == ".json";
    if (is_manifest) continue;
    options.capture = paths->back();
    paths->pop_back();
  }
  return !options.capture.empty();
}

// Learns from the capture's DNS; null if no resolver is named. Notes settings that are probably not meant.
std::unique_ptr<ReplayNames> NamesOf(const Stand& stand, const std::vector<Resolver>& resolvers, const Config& config,
                                     const KnownNames& known) {
  const auto note = [](std::string message) { Report({Severity::kNote, {}, 0, {}, {}, std::move(message)}); };
  if (resolvers.empty()) {
    if (!stand.table->name_rules().empty() && known.by_address().empty()) {
      note(
          "rules by domain name match nothing here: say whose DNS answers in the capture count (--dns-resolver), or "
          "what names resolve to (--names)");
    }
    return nullptr;
  }
  std::vector<IpAddress> addresses;
  for (const Resolver& resolver : resolvers) {
    if (resolver.address) addresses.push_back(*resolver.address);
  }
  FindResolvers(resolvers, stand.policy.endpoints, addresses);
  if (addresses.empty()) note("no pod of the manifests is one of the resolvers: no DNS is read");
  return std::make_unique<ReplayNames>(*stand.table, std::move(addresses), static_cast<std::uint16_t>(config.dns_port),
                                       known);
}

int RunReplay(ReplayOptions options) {
  if (!FindCapture(options)) {
    std::fprintf(stderr, "error: FILE: missing; name a capture, after all options\n");
    return kExitBadInput;
  }
  Config config;
  if (!LoadConfig(options.config, &config)) return kExitBadInput;
  KnownNames names;
  if (!names.Load(options.names)) return kExitBadInput;
  config.pipeline.learnt_names = names.now().learnt;
  const auto resolvers = ParseResolvers(options.resolvers.empty() ? config.dns_resolvers : options.resolvers);
  if (!resolvers) return kExitBadInput;
  CaptureReader reader;
  if (const auto error = reader.Open(options.capture)) {
    Report(*error);
    return kExitBadInput;
  }

  CaptureWriter writer;
  bool good = true;
  std::vector<Stand> stands;
  for (const auto* paths : {&options.manifests, &options.against}) {
    if (paths->empty()) continue;
    const LoadedManifests manifests = LoadManifests(*paths);
    good = good && manifests.good;
    Stand stand;
    CompiledPolicy compiled = CompilePolicy(manifests.cluster, config.limits);
    if (compiled.table == nullptr) return kExitBadInput;
    stand.table = std::move(compiled.table);
    stand.policy = std::move(compiled.resolved);
    const bool writes = stands.empty() && !options.write.empty();
    if (writes) {
      if (const auto error = writer.Open(options.write)) {
        Report(*error);
        return kExitBadInput;
      }
    }
    auto run = ReplayRun::Create(config.pipeline, stand.table, writes ? &writer : nullptr,
                                 NamesOf(stand, *resolvers, config, names));
    if (const auto* error = std::get_if<Diagnostic>(&run)) {
      Report(*error);
      return kExitBadInput;
    }
    stand.run = std::move(std::get<0>(run));
    stands.push_back(std::move(stand));
  }

  Replay replay(options, config.pipeline, std::move(stands));
  replay.Run(reader);
  const bool changes = replay.Finish();
  good = replay.Flush() && good;
  for (const auto& error : {reader.error(), options.write.empty() ? std::nullopt : writer.Close()}) {
    if (!error) continue;
    Report(*error);
    good = false;
  }
  if (!good) return kExitBadInput;
  return changes ? kExitDiffers : kExitFine;
}

}  // namespace

void AddReplay(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("replay", "Run a capture through the pipeline that filters.");
  auto options = std::make_shared<ReplayOptions>();
  command->add_option("capture", options->capture, "pcap or pcapng of Ethernet frames")->type_name("FILE");
  command->add_option("--manifests", options->manifests, "files or folders of Kubernetes manifests, YAML or JSON")
      ->required()
      ->type_name("PATH");
  command
      ->add_option("--against", options->against,
                   "compare with these manifests: show only the flows whose verdict differs, and exit 1 if any does")
      ->type_name("PATH");
  command->add_option("--write", options->write, "write what goes out, made rejects included, to this pcap")
      ->type_name("OUT.pcap");
  command->add_option("--config", options->config, "sluiced's configuration: time-outs, strictness, action on deny")
      ->type_name("FILE");
  command->add_option("--names", options->names, kNamesOptionText)->type_name("FILE");
  command
      ->add_option("--dns-resolver", options->resolvers,
                   "DNS answers of this resolver in the capture teach what names resolve to: an address, or pods as "
                   "NAMESPACE/LABEL=VALUE; in place of those of --config")
      ->allow_extra_args(false)
      ->type_name("RESOLVER");
  command->add_option("-o,--output", options->format, "json or table")
      ->check(CLI::IsMember({"json", "table"}))
      ->capture_default_str();
  command->footer(
      "Time is the capture's. Exit codes: 0 fine; 1 verdicts change; 2 bad input.\n"
      "Examples:\n"
      "  sluicectl replay --manifests examples examples/quickstart.pcap\n"
      "  sluicectl replay --manifests policies --dns-resolver kube-system/k8s-app=kube-dns yesterday.pcap");
  command->callback([options, exit_code] { *exit_code = RunReplay(*options); });
}

}  // namespace sluice
