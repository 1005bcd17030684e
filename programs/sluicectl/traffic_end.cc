#include "sluicectl/traffic_end.h"

#include <nlohmann/json.hpp>

#include "sluice/protocol.h"

namespace sluice {

std::string ToText(const TrafficEnd& end) {
  if (end.pod.empty()) return AddressText(end);
  return end.port == 0 ? end.pod : end.pod + ':' + std::to_string(end.port);
}

std::string AddressText(const TrafficEnd& end) {
  if (end.address.empty()) return "-";
  if (end.port == 0) return end.address;
  const bool is_ipv6 = end.address.find(':') != std::string::npos;
  return (is_ipv6 ? '[' + end.address + ']' : end.address) + ':' + std::to_string(end.port);
}

nlohmann::ordered_json ToJson(const TrafficEnd& end) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!end.address.empty()) json["address"] = end.address;
  if (end.port != 0) json["port"] = end.port;
  if (!end.pod.empty()) {
    const std::size_t slash = end.pod.find('/');
    json["namespace"] = end.pod.substr(0, slash);
    json["pod"] = end.pod.substr(slash + 1);
  }
  if (!end.node.empty()) json["node"] = end.node;
  return json;
}

nlohmann::ordered_json ProtocolJson(std::uint8_t protocol) {
  const std::string_view name = ToolNameOf(protocol);
  if (name.empty()) return protocol;
  return std::string(name);
}

TrafficEnd EndNames::Of(const IpAddress& address, std::uint32_t port) const {
  if (endpoints_.empty()) {
    for (const Endpoint& endpoint : policy_.endpoints) {
      if (endpoint.name.empty()) continue;
      for (const IpAddress& known : endpoint.addresses) endpoints_.emplace(known, &endpoint);
    }
  }
  TrafficEnd end{address.ToString(), port, {}, {}};
  const auto found = endpoints_.find(address);
  if (found == endpoints_.end()) return end;
  const Endpoint& endpoint = *found->second;
  end.pod = endpoint.namespace_name + '/' + endpoint.name;
  if (endpoint.node != kNoNode) end.node = policy_.nodes[endpoint.node].name;
  return end;
}

}  // namespace sluice
