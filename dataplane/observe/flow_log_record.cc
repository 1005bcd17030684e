#include "observe/flow_log_record.h"

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "sluice/printable.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

// Names come from senders: any bytes, of any length.
constexpr std::size_t kNameBytes = 1024;

Json ProtocolOf(std::uint8_t protocol) {
  const std::string_view name = ToolNameOf(protocol);
  return name.empty() ? Json(protocol) : Json(std::string(name));
}

void AddEnd(const std::optional<FlowLogRecord::End>& end, const std::string& name, Json& json) {
  if (!end) return;
  json[name] = end->address.ToString();
  json[name.substr(0, 1) + "port"] = end->port;
  const auto add = [&](const char* what, const std::string& text) {
    if (!text.empty()) json[name + what] = Printable(text, kNameBytes);
  };
  add("_namespace", end->owner.namespace_name);
  add("_pod", end->owner.pod);
  add("_node", end->owner.node);
}

void AddRule(const std::optional<TableRule>& rule, const char* name, Json& json) {
  if (!rule) return;
  json[name] = Json{{"verdict", rule->action == Action::kDeny ? "deny" : "allow"},
                    {"tier", std::string(Name(rule->tier))},
                    {"policy", Printable(rule->policy, kNameBytes)},
                    {"rule", rule->index}};
}

}  // namespace

std::string Rfc3339(std::uint64_t unix_ns) {
  constexpr std::uint64_t kNsInSecond = 1'000'000'000;
  const auto seconds = static_cast<std::time_t>(unix_ns / kNsInSecond);
  std::tm time{};
  gmtime_r(&seconds, &time);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &time);
  std::snprintf(text + length, sizeof text - length, ".%03uZ",
                static_cast<unsigned>(unix_ns % kNsInSecond / 1'000'000));
  return text;
}

std::string ToJsonLine(const FlowLogRecord& record) {
  Json json{{"time", Rfc3339(record.unix_ns)}, {"type", record.is_deny ? "deny" : "end"}};
  AddEnd(record.source, "src", json);
  AddEnd(record.destination, "dst", json);
  if (record.source) json["proto"] = ProtocolOf(record.protocol);
  if (!record.verdict.empty()) json["verdict"] = record.verdict;
  if (!record.reason.empty()) json["reason"] = record.reason;
  if (!record.is_deny) json["state"] = record.state;
  AddRule(record.egress, "egress", json);
  AddRule(record.ingress, "ingress", json);
  json["generation"] = record.generation;
  json["packets"] = record.packets;
  json["bytes"] = record.bytes;
  if (record.is_deny) json["first"] = Rfc3339(record.first_unix_ns);
  json["last"] = Rfc3339(record.last_unix_ns);
  if (!record.is_deny) json["cause"] = record.cause;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace sluice
