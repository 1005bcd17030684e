#include "observe/flow_log_record.h"

#include <charconv>
#include <concepts>
#include <nlohmann/json.hpp>

#include "sluice/printable.h"
#include "sluice/protocol.h"
#include "sluice/time_text.h"

namespace sluice {
namespace {

// Names come from senders: they may hold any bytes, and have any length.
constexpr std::size_t kNameBytes = 1024;

// Writes JSON text without building a tree: a million flows may end in a second.
class LineWriter {
 public:
  explicit LineWriter(std::string& line) : line_(line) {}

  void Begin(std::string_view key, char bracket) {
    Key(key);
    line_ += bracket;
    first_ = true;
  }
  void Begin(char bracket) {
    line_ += bracket;
    first_ = true;
  }
  void End(char bracket) {
    line_ += bracket;
    first_ = false;
  }
  // `word` is a word of our own: nothing in it needs escaping.
  void Word(std::string_view key, std::string_view word) {
    Key(key);
    line_ += '"';
    line_ += word;
    line_ += '"';
  }
  void Name(std::string_view key, std::string_view name) {
    Key(key);
    Quote(name);
  }
  void Name(std::string_view name) {
    Comma();
    Quote(name);
  }
  void Number(std::string_view key, std::integral auto number) {
    Key(key);
    char digits[24];
    line_.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  }

 private:
  void Comma() {
    if (!first_) line_ += ',';
    first_ = false;
  }
  void Key(std::string_view key) {
    Comma();
    line_ += '"';
    line_ += key;
    line_ += "\":";
  }
  // Printable text has no control characters, and is UTF-8.
  void Quote(std::string_view name) {
    const std::string shown = Printable(name, kNameBytes);
    line_ += '"';
    std::string_view rest = shown;
    for (std::size_t special; (special = rest.find_first_of("\"\\")) != rest.npos; rest.remove_prefix(special + 1)) {
      line_ += rest.substr(0, special);
      line_ += '\\';
      line_ += rest[special];
    }
    line_ += rest;
    line_ += '"';
  }

  std::string& line_;
  bool first_ = true;  // within the innermost bracket
};

void WriteEnd(const std::optional<FlowLogRecord::End>& end, std::string_view key, LineWriter& line) {
  if (!end) return;
  line.Begin(key, '{');
  line.Word("address", end->address.ToString());
  line.Number("port", end->port);
  if (end->owner != nullptr) {
    const auto name = [&](std::string_view what, const std::string& text) {
      if (!text.empty()) line.Name(what, text);
    };
    name("namespace", end->owner->namespace_name);
    name("pod", end->owner->pod);
    name("node", end->owner->node);
    name("workload", end->owner->workload);
  }
  line.End('}');
}

void WriteRule(const std::shared_ptr<const TableRule>& rule, const IsolatingPolicies::Names& isolated_by,
               std::string_view key, LineWriter& line) {
  if (rule == nullptr) return;
  line.Begin(key, '{');
  line.Word("verdict", rule->action == Action::kDeny ? "deny" : "allow");
  line.Word("tier", Name(rule->tier));
  line.Name("policy", rule->policy);
  line.Number("rule", rule->index);
  if (!rule->name.empty()) line.Name("rule_name", rule->name.text());
  if (isolated_by != nullptr) {
    line.Begin("isolated_by", '[');
    for (const std::string& policy : *isolated_by) line.Name(policy);
    line.End(']');
  }
  line.End('}');
}

void WriteCounts(const FlowTraffic& traffic, std::string_view packets, std::string_view bytes, LineWriter& line) {
  line.Number(packets, traffic.packets);
  line.Number(bytes, traffic.bytes);
}

void WriteProtocol(std::uint8_t protocol, LineWriter& line) {
  const std::string_view name = ToolNameOf(protocol);
  name.empty() ? line.Number("proto", protocol) : line.Word("proto", name);
}

}  // namespace

std::string ToJsonLine(const FlowLogRecord& record) {
  std::string text;
  text.reserve(1024);
  LineWriter line(text);
  line.Begin('{');
  line.Word("time", Rfc3339(record.unix_ns));
  line.Word("type", record.is_deny ? "deny" : record.is_live ? "live" : "end");
  WriteEnd(record.source, "src", line);
  WriteEnd(record.destination, "dst", line);
  if (record.source) WriteProtocol(record.protocol, line);
  if (!record.verdict.empty()) line.Word("verdict", record.verdict);
  if (!record.reason.empty()) line.Word("reason", record.reason);
  if (!record.is_deny) line.Word("state", record.state);
  WriteRule(record.egress, record.egress_isolated_by, "egress", line);
  WriteRule(record.ingress, record.ingress_isolated_by, "ingress", line);
  line.Number("generation", record.generation);
  WriteCounts(record.traffic, "packets", "bytes", line);
  if (!record.is_deny) WriteCounts(record.reply, "reply_packets", "reply_bytes", line);
  if (record.is_live || record.told.packets != 0) {
    WriteCounts(record.traffic - record.told, "packets_delta", "bytes_delta", line);
    WriteCounts(record.reply - record.reply_told, "reply_packets_delta", "reply_bytes_delta", line);
  }
  line.Word("first", Rfc3339(record.first_unix_ns));
  line.Word("last", Rfc3339(record.last_unix_ns));
  if (!record.cause.empty()) line.Word("cause", record.cause);
  line.End('}');
  text += '\n';
  return text;
}

nlohmann::ordered_json ToJson(const FlowLogRecord& record) { return nlohmann::ordered_json::parse(ToJsonLine(record)); }

}  // namespace sluice
