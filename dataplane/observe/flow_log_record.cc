#include "observe/flow_log_record.h"

#include <nlohmann/json.hpp>

#include "sluice/printable.h"
#include "sluice/protocol.h"
#include "sluice/time_text.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

// Names come from senders: any bytes, of any length.
constexpr std::size_t kNameBytes = 1024;

Json ProtocolOf(std::uint8_t protocol) {
  const std::string_view name = ToolNameOf(protocol);
  return name.empty() ? Json(protocol) : Json(std::string(name));
}

void AddEnd(const std::optional<FlowLogRecord::End>& end, const char* name, Json& json) {
  if (!end) return;
  Json& shown = json[name] = {{"address", end->address.ToString()}, {"port", end->port}};
  if (end->owner == nullptr) return;
  const auto add = [&](const char* what, const std::string& text) {
    if (!text.empty()) shown[what] = Printable(text, kNameBytes);
  };
  add("namespace", end->owner->namespace_name);
  add("pod", end->owner->pod);
  add("node", end->owner->node);
  add("workload", end->owner->workload);
}

void AddRule(const std::shared_ptr<const TableRule>& rule, const IsolatingPolicies::Names& isolated_by,
             const char* name, Json& json) {
  if (rule == nullptr) return;
  json[name] = Json{{"verdict", rule->action == Action::kDeny ? "deny" : "allow"},
                    {"tier", std::string(Name(rule->tier))},
                    {"policy", Printable(rule->policy, kNameBytes)},
                    {"rule", rule->index}};
  if (!rule->name.empty()) json[name]["rule_name"] = Printable(rule->name.text(), kNameBytes);
  if (isolated_by == nullptr) return;
  Json& policies = json[name]["isolated_by"] = Json::array();
  for (const std::string& policy : *isolated_by) policies.push_back(Printable(policy, kNameBytes));
}

void AddCounts(const FlowTraffic& traffic, const char* packets, const char* bytes, Json& json) {
  json[packets] = traffic.packets;
  json[bytes] = traffic.bytes;
}

}  // namespace

Json ToJson(const FlowLogRecord& record) {
  Json json{{"time", Rfc3339(record.unix_ns)}, {"type", record.is_deny ? "deny" : record.is_live ? "live" : "end"}};
  AddEnd(record.source, "src", json);
  AddEnd(record.destination, "dst", json);
  if (record.source) json["proto"] = ProtocolOf(record.protocol);
  if (!record.verdict.empty()) json["verdict"] = record.verdict;
  if (!record.reason.empty()) json["reason"] = record.reason;
  if (!record.is_deny) json["state"] = record.state;
  AddRule(record.egress, record.egress_isolated_by, "egress", json);
  AddRule(record.ingress, record.ingress_isolated_by, "ingress", json);
  json["generation"] = record.generation;
  AddCounts(record.traffic, "packets", "bytes", json);
  if (!record.is_deny) AddCounts(record.reply, "reply_packets", "reply_bytes", json);
  if (record.is_live || record.told.packets != 0) {
    AddCounts(record.traffic - record.told, "packets_delta", "bytes_delta", json);
    AddCounts(record.reply - record.reply_told, "reply_packets_delta", "reply_bytes_delta", json);
  }
  json["first"] = Rfc3339(record.first_unix_ns);
  json["last"] = Rfc3339(record.last_unix_ns);
  if (!record.cause.empty()) json["cause"] = record.cause;
  return json;
}

std::string ToJsonLine(const FlowLogRecord& record) {
  return ToJson(record).dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace sluice
