#include "observe/flow_log_filter.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sluice/address.h"
#include "sluice/drop_reason.h"

namespace sluice {
namespace {

using Json = FlowLogFilter::Json;

std::string TextOf(const Json& line, const std::string& field) {
  const auto found = line.find(field);
  return found != line.end() && found->is_string() ? found->get<std::string>() : "";
}

// What a line says about an end; null if it says nothing.
const Json& EndOf(const Json& line, const std::string& end) {
  static const Json kNothing;
  const auto found = line.find(end);
  return found != line.end() && found->is_object() ? *found : kNothing;
}

// The ends that a condition is about: "from" is the end that opened the flow, "to" the other; else either end.
std::vector<std::string> EndsOf(std::string_view name) {
  if (name.starts_with("from-")) return {"src"};
  if (name.starts_with("to-")) return {"dst"};
  return {"src", "dst"};
}

template <typename Is>
std::function<bool(const Json&)> AnyEnd(std::string_view name, Is is) {
  return [ends = EndsOf(name), is](const Json& line) {
    return std::any_of(ends.begin(), ends.end(), [&](const std::string& end) { return is(line, end); });
  };
}

std::optional<Prefix> ParsePrefix(const std::string& text) {
  if (text.find('/') != std::string::npos) return Prefix::Parse(text);
  const auto address = IpAddress::Parse(text);
  if (!address) return std::nullopt;
  return Prefix::Make(*address, static_cast<std::uint8_t>(AddressBits(address->family)));
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool IsNumber(const Json& line, const std::string& field, std::uint64_t value) {
  const auto found = line.find(field);
  return found != line.end() && found->is_number_unsigned() && found->get<std::uint64_t>() == value;
}

bool HasPolicy(const Json& line, const std::string& policy) {
  for (const char* side : {"egress", "ingress"}) {
    const auto rule = line.find(side);
    if (rule == line.end() || !rule->is_object()) continue;
    if (TextOf(*rule, "policy") == policy) return true;
    const auto all = rule->find("isolated_by");
    if (all != rule->end() && std::find(all->begin(), all->end(), policy) != all->end()) return true;
  }
  return false;
}

// The field has the condition's name.
bool IsField(const Json& line, const std::string& field, const std::string& value) {
  const auto found = line.find(field);
  if (found == line.end()) return false;
  return found->is_string() ? found->get<std::string>() == value : found->dump() == value;
}

std::string OneOf(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return "wants one of " + text;
}

// The words that a condition accepts; empty: any.
std::vector<std::string_view> WordsOf(std::string_view name) {
  if (name == "verdict") return {"forward", "drop", "reject"};
  if (name == "type") return {"end", "deny", "live", "sum"};
  if (name == "cause") return {"expired", "replaced", "evicted", "cut", "unmanaged", "asked", "stopped"};
  if (name == "reason") return {std::begin(kDropReasonNames) + 1, std::end(kDropReasonNames)};
  return {};
}

}  // namespace

const std::vector<FlowLogFilter::Condition>& FlowLogFilter::Conditions() {
  static const std::vector<Condition> kConditions = {
      {"pod", "[NAMESPACE/]NAME", "either end is this pod"},
      {"from-pod", "[NAMESPACE/]NAME", "the end that opened it is"},
      {"to-pod", "[NAMESPACE/]NAME", "the other end is"},
      {"namespace", "NAME", "either end is a pod of this namespace"},
      {"from-namespace", "NAME", "the end that opened it is"},
      {"to-namespace", "NAME", "the other end is"},
      {"address", "ADDRESS|CIDR", "either end has this address, or one of these"},
      {"from-address", "ADDRESS|CIDR", "the end that opened it has"},
      {"to-address", "ADDRESS|CIDR", "the other end has"},
      {"port", "PORT", "of the end that was spoken to"},
      {"proto", "PROTO", "tcp, udp, sctp, icmp, icmpv6 or a number"},
      {"verdict", "VERDICT", "forward, drop or reject"},
      {"reason", "REASON", "of a denial: a drop reason"},
      {"policy", "NAMESPACE/NAME", "a rule of this policy decided, in either direction"},
      {"cause", "CAUSE", "why the flow ended: expired, cut, ..."},
      {"type", "TYPE", "end, deny; of a flow log also live or sum"}};
  return kConditions;
}

bool FlowLogFilter::AsksAnEnd(std::string_view name) {
  return name.ends_with("pod") || name.ends_with("namespace") || name.ends_with("address") || name == "port";
}

std::optional<std::string> FlowLogFilter::Add(const std::string& name, const std::string& value, bool negated) {
  Holds holds;
  if (name.ends_with("pod")) {
    const bool has_namespace = value.find('/') != std::string::npos;
    holds = AnyEnd(name, [value, has_namespace](const Json& line, const std::string& end) {
      const Json& owner = EndOf(line, end);
      const std::string pod = TextOf(owner, "pod");
      return !pod.empty() && value == (has_namespace ? TextOf(owner, "namespace") + '/' + pod : pod);
    });
  } else if (name.ends_with("namespace")) {
    holds = AnyEnd(name, [value](const Json& line, const std::string& end) {
      return TextOf(EndOf(line, end), "namespace") == value;
    });
  } else if (name.ends_with("address")) {
    const auto prefix = ParsePrefix(value);
    if (!prefix) return "wants an address or a CIDR";
    holds = AnyEnd(name, [prefix](const Json& line, const std::string& end) {
      const auto address = IpAddress::Parse(TextOf(EndOf(line, end), "address"));
      return address && address->family == prefix->base.family && prefix->Contains(*address);
    });
  } else if (name == "port") {
    const auto port = ParsePort(value);
    if (!port) return "wants a port, 0 to 65535";
    holds = [port](const Json& line) { return IsNumber(EndOf(line, "dst"), "port", *port); };
  } else if (name == "policy") {
    holds = [value](const Json& line) { return HasPolicy(line, value); };
  } else {
    const std::vector<std::string_view> words = WordsOf(name);
    if (!words.empty() && std::find(words.begin(), words.end(), value) == words.end()) return OneOf(words);
    holds = [name, value](const Json& line) { return IsField(line, name, value); };
  }
  Alternatives& alternatives = by_name_[name];
  (negated ? alternatives.unwanted : alternatives.wanted).push_back(std::move(holds));
  return std::nullopt;
}

bool FlowLogFilter::Matches(const Json& line) const {
  return std::all_of(by_name_.begin(), by_name_.end(), [&](const auto& entry) {
    const auto holds = [&](const Holds& condition) { return condition(line); };
    const auto& [wanted, unwanted] = entry.second;
    return (wanted.empty() || std::any_of(wanted.begin(), wanted.end(), holds)) &&
           std::none_of(unwanted.begin(), unwanted.end(), holds);
  });
}

}  // namespace sluice
