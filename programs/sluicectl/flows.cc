// `sluicectl flows`: shows ended flows and denials, of flow logs or of a running sluiced, through filters.
#include <unistd.h>
#include <zlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "observe/flow_log_filter.h"
#include "sluice/printable.h"
#include "sluice/time_text.h"
#include "sluicectl/commands.h"
#include "sluicectl/flow_conditions.h"
#include "sluicectl/live.h"
#include "sluicectl/output.h"
#include "sluicectl/since.h"

namespace sluice {
namespace {

using Json = FlowLogFilter::Json;

constexpr std::size_t kMostLineBytes = std::size_t{1} << 20;
constexpr std::uint64_t kToldErrors = 10;

struct FlowsOptions {
  LiveOptions live;
  std::vector<std::string> inputs;
  std::string since;
  bool follow = false;
  std::string format = "table";
  std::uint64_t limit = 0;
  FlowConditions conditions;
};

std::string TextOf(const Json& line, const char* field) {
  const auto found = line.find(field);
  if (found == line.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

TrafficEnd EndOf(const Json& line, const char* name) {
  const auto found = line.find(name);
  if (found == line.end() || !found->is_object()) return {};
  TrafficEnd end;
  end.address = TextOf(*found, "address");
  const auto port = found->find("port");
  if (port != found->end() && port->is_number_unsigned()) end.port = port->get<std::uint32_t>();
  const std::string pod = TextOf(*found, "pod");
  if (!pod.empty()) end.pod = TextOf(*found, "namespace") + '/' + pod;
  return end;
}

// "shop/backend ingress default": the rules that decided.
std::string DecidedBy(const Json& line) {
  std::string text;
  for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
    const auto decision = line.find(std::string(Name(direction)));
    if (decision == line.end() || !decision->is_object()) continue;
    const auto number = decision->find("rule");
    const bool has_rule = number != decision->end() && number->is_number_integer();
    const std::string policy = TextOf(*decision, "policy");
    const std::string tier = TextOf(*decision, "tier");
    const std::string rule_name = TextOf(*decision, "rule_name");
    SideAnswer side{true, true, tier, policy, has_rule ? number->get<std::int32_t>() : -1, rule_name};
    const auto isolated_by = decision->find("isolated_by");
    if (side.is_default() && isolated_by != decision->end()) {
      for (const Json& one : *isolated_by) {
        if (one.is_string()) side.isolated_by.push_back(one.get_ref<const std::string&>());
      }
    }
    text += (text.empty() ? "" : "; ") + RuleText(side, direction);
  }
  return text.empty() ? "-" : text;
}

class Reader {
 public:
  Reader(const FlowsOptions& options, const FlowLogFilter& filter)
      : options_(options), filter_(filter), for_people_(options.format != "json"), is_wide_(options.format == "wide") {}

  // False: nothing more needs reading, because of the limit, or because nobody reads the output.
  bool ReadFile(const std::string& path) {
    const bool is_stream = path == "-";
    gzFile file = is_stream ? nullptr : gzopen(path.c_str(), "rb");
    if (file == nullptr && !is_stream) {
      Complain(path + ": " + std::strerror(errno));
      return true;
    }
    // Input from a pipe is shown as it comes.
    const auto take = [&](char* to, unsigned most) {
      return is_stream ? static_cast<int>(read(STDIN_FILENO, to, most)) : gzread(file, to, most);
    };
    bool more = true;
    std::string line;
    std::array<char, 1 << 16> bytes;
    std::uint64_t number = 0;
    int got = 0;
    while (more && (got = take(bytes.data(), bytes.size())) > 0) {
      std::string_view rest(bytes.data(), static_cast<std::size_t>(got));
      while (more && !rest.empty()) {
        const std::size_t end = rest.find('\n');
        line += rest.substr(0, end);
        if (end == rest.npos) break;
        more = ReadLine(path, ++number, line);
        line.clear();
        rest.remove_prefix(end + 1);
      }
      if (line.size() > kMostLineBytes) {
        Complain(path + ':' + std::to_string(number + 1) + ": is longer than 1 MB; is it a flow log?");
        break;
      }
      if (is_stream) more = Flush() && more;
    }
    int code = Z_OK;
    if (got < 0) Complain(path + ": " + (is_stream ? std::strerror(errno) : gzerror(file, &code)));
    // A log that is being written ends in the middle of a line.
    if (more && !line.empty() && line.back() == '}') more = ReadLine(path, number + 1, line);
    if (file != nullptr) gzclose(file);
    return more;
  }

  // Takes flows that a running sluiced has chosen. False: as for ReadFile.
  bool ReadMessage(const v1::WatchFlowsResponse& message) {
    for (const std::string& line : message.lines()) {
      if (!ReadLine("sluiced", 0, line)) return Flush() && false;
    }
    Tell(message.not_shown(), "reader",
         "flows and denials, matching or not, were overwritten before they could be shown");
    Tell(message.not_recorded(), "ring", "flows, matching or not, ended too fast to be recorded");
    return Flush();
  }
  bool has_enough() const { return options_.limit != 0 && shown_ == options_.limit; }

  int Finish() {
    if (for_people_ && shown_ == 0 && errors_ == 0) output_ << "No flows found.\n";
    if (!Flush()) return kExitBadInput;
    if (not_logged_ != 0) {
      std::fprintf(stderr, "... %llu more lines were not logged, matching or not\n",
                   static_cast<unsigned long long>(not_logged_));
    }
    if (errors_ > kToldErrors) {
      std::fprintf(stderr, "error: and %llu more\n", static_cast<unsigned long long>(errors_ - kToldErrors));
    }
    return errors_ == 0 ? kExitFine : kExitBadInput;
  }

 private:
  bool Flush() {
    if (table_) table_->Flush();
    return output_.Flush();
  }

  // Reports missing flows where they are missing: among the lines for scripts, beside the lines for people.
  void Tell(std::uint64_t count, const char* cause, const char* text) {
    if (count == 0) return;
    if (!for_people_) {
      output_ << JsonText(Json{{"type", "lost"}, {"not_logged", count}, {"cause", cause}}) << "\n";
      return;
    }
    Flush();
    std::fprintf(stderr, "... %llu more %s\n", static_cast<unsigned long long>(count), text);
  }

  void Complain(const std::string& problem) {
    if (++errors_ <= kToldErrors) std::fprintf(stderr, "error: %s\n", Printable(problem, kPrintableBytes).c_str());
  }

  bool ReadLine(const std::string& path, std::uint64_t number, const std::string& text) {
    const Json line = Json::parse(text, nullptr, false);
    const std::string type = line.is_object() ? TextOf(line, "type") : "";
    if (type == "lost") {
      const auto count = line.find("not_logged");
      if (count != line.end() && count->is_number_unsigned()) not_logged_ += count->get<std::uint64_t>();
      if (!for_people_) output_ << JsonText(line) << "\n";
      return true;
    }
    if (type != "end" && type != "deny" && type != "live" && type != "sum") {
      Complain(path + ':' + std::to_string(number) + ": is no line of a flow log");
      return true;
    }
    if (!filter_.Matches(line)) return true;
    !for_people_ ? Add(line) : options_.format == "compact" ? AddCompact(line) : AddRow(line);
    return ++shown_ < options_.limit || options_.limit == 0;
  }

  // Adds a line without columns, for people who follow or use grep.
  void AddCompact(const Json& line) {
    const auto shown = [](const std::string& text) { return text.empty() ? "-" : text; };
    const std::string reason = TextOf(line, "reason");
    output_ << shown(TextOf(line, "time")) << " " << shown(TextOf(line, "verdict"))
            << (reason.empty() ? "" : " " + reason) << " " << shown(TextOf(line, "proto")) << " "
            << shown(ToText(EndOf(line, "src"))) << " -> " << shown(ToText(EndOf(line, "dst"))) << " "
            << shown(TextOf(line, "packets")) << " packets: " << DecidedBy(line) << "\n";
  }
  void Add(const Json& line) { output_ << JsonText(line) << "\n"; }
  void AddRow(const Json& line) {
    if (table_ == nullptr) {
      std::vector<std::string> headers = {"TIME", "VERDICT", "PROTO", "FROM", "TO", "PACKETS", "BYTES", "DECIDED BY"};
      if (is_wide_)
        headers.insert(headers.end(), {"BEGAN", "REPLY PACKETS", "REPLY BYTES", "WHY", "STATE", "GENERATION",
                                       "FROM ADDRESS", "TO ADDRESS"});
      const std::vector<std::size_t> widths = {24, 7, 5, 24, 24, 7, 9, 10};
      table_ = std::make_unique<TextTable>(output_, std::move(headers), widths);
    }
    std::vector<std::string> cells = {
        TextOf(line, "time"),       TextOf(line, "verdict"), TextOf(line, "proto"), ToText(EndOf(line, "src")),
        ToText(EndOf(line, "dst")), TextOf(line, "packets"), TextOf(line, "bytes"), DecidedBy(line)};
    if (is_wide_) {
      const std::string reason = TextOf(line, "reason");
      cells.insert(cells.end(),
                   {TextOf(line, "first"), TextOf(line, "reply_packets"), TextOf(line, "reply_bytes"),
                    reason.empty() ? TextOf(line, "cause") : reason, TextOf(line, "state"), TextOf(line, "generation"),
                    AddressText(EndOf(line, "src")), AddressText(EndOf(line, "dst"))});
    }
    table_->AddRow(std::move(cells));
  }

  const FlowsOptions& options_;
  const FlowLogFilter& filter_;
  const bool for_people_;
  const bool is_wide_;
  Output output_;
  std::unique_ptr<TextTable> table_;  // made for the first row
  std::uint64_t shown_ = 0;
  std::uint64_t not_logged_ = 0;
  std::uint64_t errors_ = 0;
};

int Watch(const FlowsOptions& options, std::uint64_t since_ns, const std::vector<v1::FlowCondition>& conditions,
          Reader& shown) {
  const auto stub = ConnectTo(options.live);
  if (stub == nullptr) return kExitBadInput;
  v1::WatchFlowsRequest request;
  request.set_since_unix_ns(since_ns);
  request.set_follow(options.follow);
  request.mutable_conditions()->Assign(conditions.begin(), conditions.end());
  Call call(options.live);
  const auto reader = call.Open([&](Call* opened) { return stub->WatchFlows(opened, request); });
  call.AwaitBegin(*reader);
  v1::WatchFlowsResponse message;
  while (reader->Read(&message)) {
    if (since_ns != 0 && message.begin_unix_ns() > since_ns) {
      std::fprintf(stderr, "... what sluiced remembers begins at %s\n", Rfc3339(message.begin_unix_ns()).c_str());
    }
    if (shown.ReadMessage(message)) continue;
    call.TryCancel();
    reader->Finish();
    return shown.has_enough() ? kExitFine : kExitBadInput;
  }
  const grpc::Status status = call.Finish(*reader);
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return Fail("this sluiced is older and keeps no flows that ended; --input reads its flow logs");
  }
  return std::max(Finish(options.live, status), shown.Finish());
}

int Show(const CLI::App& command, const FlowsOptions& options) {
  const auto conditions = ConditionsOf(command, options.conditions);
  if (const auto* error = std::get_if<std::string>(&conditions)) return Fail(*error);
  FlowLogFilter filter;
  for (const v1::FlowCondition& one : std::get<std::vector<v1::FlowCondition>>(conditions)) {
    filter.Add(one.name(), one.value(), one.negated());
  }
  const bool is_live = options.follow || !options.since.empty();
  if (is_live == !options.inputs.empty()) {
    return Fail("wants --input FILE, or --follow and --since TIME of a running sluiced");
  }
  std::uint64_t since_ns = 0;
  if (!options.since.empty()) {
    const auto since = ParseSince(options.since);
    if (!since) return Fail("--since '" + options.since + "' wants " + std::string(kSinceForms));
    since_ns = *since;
  }
  Reader reader(options, filter);
  if (is_live) return Watch(options, since_ns, std::get<std::vector<v1::FlowCondition>>(conditions), reader);
  for (const std::string& path : options.inputs) {
    if (!reader.ReadFile(path)) break;
  }
  return reader.Finish();
}

}  // namespace

void AddFlows(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("flows", "Show flows that ended and denials, of a running sluiced or of flow logs.");
  auto options = std::make_shared<FlowsOptions>();
  command->add_option("--input", options->inputs, "a flow log, also a compressed one; -: standard input. Repeatable")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all();
  command->add_option("--since", options->since, "what a running sluiced remembers: so long ago, or since a time")
      ->type_name("90s|5m|2h|7d|TIME");
  command->add_flag("--follow", options->follow, "what comes from now on, until interrupted");
  AddFlowConditions(*command, options->conditions);
  command->add_option("--limit", options->limit, "end after so many lines")->type_name("N");
  command->add_option("-o,--output", options->format, "table, wide, compact, or json: the lines as they are")
      ->check(CLI::IsMember({"table", "wide", "compact", "json"}))
      ->capture_default_str();
  AddTargetOptions(*command, options->live);
  command->footer(
      "Of the same condition given twice, one must hold; of different ones, all. docs/flow-logs.md has the lines.\n"
      "Examples:\n"
      "  sluicectl flows --since 5m --verdict drop --to-namespace shop\n"
      "  sluicectl flows --since 1h --follow --policy shop/backend -o json\n"
      "  sluicectl flows --input /var/log/sluice/flows.jsonl --verdict drop --to-namespace shop\n"
      "  sluicectl flows --input flows.jsonl.1.gz --not --policy shop/dns --from-pod shop/web-0 -o wide\n"
      "  tail -f flows.jsonl | sluicectl flows --input - --type deny -o json");
  command->callback([options, command, exit_code] { *exit_code = Show(*command, *options); });
}

}  // namespace sluice
