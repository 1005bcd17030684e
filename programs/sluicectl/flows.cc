// `sluicectl flows`: flow logs, through filters.
#include <unistd.h>
#include <zlib.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/printable.h"
#include "sluicectl/commands.h"
#include "sluicectl/flow_log_filter.h"
#include "sluicectl/live.h"
#include "sluicectl/output.h"

namespace sluice {
namespace {

using Json = FlowLogFilter::Json;

constexpr std::size_t kMostLineBytes = std::size_t{1} << 20;
constexpr std::uint64_t kToldErrors = 10;

struct FlowsOptions {
  std::vector<std::string> inputs;
  std::string format = "compact";
  std::uint64_t limit = 0;
  std::int64_t negations = 0;
  std::map<std::string, std::vector<std::string>> values;  // by condition
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

// "shop/backend ingress default": whose rules decided.
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
    const SideAnswer side{true, true, tier, policy, has_rule ? number->get<std::int32_t>() : -1, rule_name};
    text += (text.empty() ? "" : ", ") + RuleText(side, direction);
  }
  return text.empty() ? "-" : text;
}

class Reader {
 public:
  Reader(const FlowsOptions& options, const FlowLogFilter& filter)
      : options_(options), filter_(filter), is_wide_(options.format == "wide") {
    if (options.format == "json") return;
    std::vector<std::string> headers = {"TIME", "VERDICT", "PROTO", "FROM", "TO", "PACKETS", "BYTES", "DECIDED BY"};
    if (is_wide_) headers.insert(headers.end(), {"WHY", "STATE", "GENERATION", "FROM ADDRESS", "TO ADDRESS"});
    table_ =
        std::make_unique<TextTable>(output_, std::move(headers), std::vector<std::size_t>{24, 7, 5, 24, 24, 7, 9, 10});
  }

  // False: there is nothing more to be read, because of the limit or of who reads the answer.
  bool ReadFile(const std::string& path) {
    const bool is_stream = path == "-";
    gzFile file = is_stream ? nullptr : gzopen(path.c_str(), "rb");
    if (file == nullptr && !is_stream) {
      Complain(path + ": " + std::strerror(errno));
      return true;
    }
    // What comes down a pipe is shown as it comes.
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

  int Finish() {
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

  void Complain(const std::string& problem) {
    if (++errors_ <= kToldErrors) std::fprintf(stderr, "error: %s\n", Printable(problem, kPrintableBytes).c_str());
  }

  bool ReadLine(const std::string& path, std::uint64_t number, const std::string& text) {
    const Json line = Json::parse(text, nullptr, false);
    const std::string type = line.is_object() ? TextOf(line, "type") : "";
    if (type == "lost") {
      const auto count = line.find("not_logged");
      if (count != line.end() && count->is_number_unsigned()) not_logged_ += count->get<std::uint64_t>();
      if (!table_) output_ << JsonText(line) << "\n";
      return true;
    }
    if (type != "end" && type != "deny") {
      Complain(path + ':' + std::to_string(number) + ": is no line of a flow log");
      return true;
    }
    if (!filter_.Matches(line)) return true;
    table_ ? AddRow(line) : Add(line);
    return options_.limit == 0 || ++shown_ < options_.limit;
  }

  void Add(const Json& line) { output_ << JsonText(line) << "\n"; }
  void AddRow(const Json& line) {
    std::vector<std::string> cells = {
        TextOf(line, "time"),       TextOf(line, "verdict"), TextOf(line, "proto"), ToText(EndOf(line, "src")),
        ToText(EndOf(line, "dst")), TextOf(line, "packets"), TextOf(line, "bytes"), DecidedBy(line)};
    if (is_wide_) {
      const std::string reason = TextOf(line, "reason");
      cells.insert(cells.end(),
                   {reason.empty() ? TextOf(line, "cause") : reason, TextOf(line, "state"), TextOf(line, "generation"),
                    AddressText(EndOf(line, "src")), AddressText(EndOf(line, "dst"))});
    }
    table_->AddRow(std::move(cells));
  }

  const FlowsOptions& options_;
  const FlowLogFilter& filter_;
  const bool is_wide_;
  Output output_;
  std::unique_ptr<TextTable> table_;
  std::uint64_t shown_ = 0;
  std::uint64_t not_logged_ = 0;
  std::uint64_t errors_ = 0;
};

int Show(const CLI::App& command, const FlowsOptions& options) {
  FlowLogFilter filter;
  std::map<std::string, std::size_t> taken;
  bool negated = false;
  for (const CLI::Option* option : command.parse_order()) {
    const std::string name = option->get_lnames().empty() ? "" : option->get_lnames()[0];
    if (name == "not") {
      if (negated) return Fail("--not twice in a row: say it once, before what is not wanted");
      negated = true;
      continue;
    }
    const auto values = options.values.find(name);
    if (values == options.values.end()) {
      if (negated) return Fail("--not wants a condition after it, such as --not --verdict forward");
      continue;
    }
    const std::string& value = values->second[taken[name]++];
    if (const auto error = filter.Add(name, value, negated)) return Fail("--" + name + " '" + value + "' " + *error);
    negated = false;
  }
  if (negated) return Fail("--not wants a condition after it, such as --not --verdict forward");
  Reader reader(options, filter);
  for (const std::string& path : options.inputs) {
    if (!reader.ReadFile(path)) break;
  }
  return reader.Finish();
}

}  // namespace

void AddFlows(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("flows", "Read flow logs of sluiced, through filters.");
  auto options = std::make_shared<FlowsOptions>();
  command->add_option("--input", options->inputs, "a flow log, also a compressed one; -: standard input. Repeatable")
      ->type_name("FILE")
      ->required()
      ->allow_extra_args(false)
      ->take_all();
  for (const FlowLogFilter::Condition& condition : FlowLogFilter::Conditions()) {
    command->add_option("--" + condition.name, options->values[condition.name], condition.text)
        ->type_name(condition.value)
        ->allow_extra_args(false)
        ->take_all();
  }
  command->add_flag("--not", options->negations, "what follows must not hold");
  command->add_option("--limit", options->limit, "end after so many lines")->type_name("N");
  command->add_option("-o,--output", options->format, "how to show them")
      ->check(CLI::IsMember({"compact", "wide", "json"}))
      ->capture_default_str();
  command->footer(
      "Of the same condition given twice, one must hold; of different ones, all. docs/flow-logs.md has the lines.\n"
      "Examples:\n"
      "  sluicectl flows --input /var/log/sluice/flows.jsonl --verdict drop --to-namespace shop\n"
      "  sluicectl flows --input flows.jsonl.1.gz --not --policy shop/dns --from-pod shop/web-0 -o wide\n"
      "  tail -f flows.jsonl | sluicectl flows --input - --type deny -o json");
  command->callback([options, command, exit_code] { *exit_code = Show(*command, *options); });
}

}  // namespace sluice
