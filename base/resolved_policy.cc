#include "sluice/resolved_policy.h"

#include "sluice/protocol.h"

namespace sluice {
namespace {

std::string ProtocolName(std::uint8_t protocol) {
  const std::string_view name = ApiNameOf(protocol);
  return name.empty() ? std::to_string(protocol) : std::string(name);
}

std::string PortText(const PortRange& range) {
  std::string text = ProtocolName(range.protocol);
  if (range.first == 0 && range.last == 65535) return text;
  text += '/' + std::to_string(range.first);
  if (range.last != range.first) text += '-' + std::to_string(range.last);
  return text;
}

template <typename Range, typename Text>
std::string Join(const Range& range, Text text) {
  std::string joined;
  for (const auto& item : range) {
    if (!joined.empty()) joined += ',';
    joined += text(item);
  }
  return joined;
}

std::string ToText(const Prefix& prefix) { return prefix.ToString(); }
std::string ToText(const IpAddress& address) { return address.ToString(); }

void AppendSection(const Section& section, std::string* out) {
  *out += "section " + section.policy + ' ' + std::string(Name(section.direction)) +
          " tier=" + std::string(Name(section.tier)) + " priority=" + std::to_string(section.priority) +
          " subjects=" + std::to_string(section.subjects) + (section.isolates ? " isolates" : "") + '\n';
  for (const Rule& rule : section.rules) {
    *out += "  rule " + std::to_string(rule.index) + ' ' + std::string(Name(rule.action)) +
            (rule.name.empty() ? "" : " \"" + rule.name.text() + '"') +
            (rule.domain_names.empty() ? " peers=" + (rule.peers == kAnyPeer ? "any" : std::to_string(rule.peers))
                                       : " names=" + rule.domain_names.ToString()) +
            " ports=" + (rule.any_port ? "any" : Join(rule.ports, PortText)) + '\n';
  }
}

}  // namespace

std::string ResolvedPolicy::Dump() const {
  const auto text = [](const auto& value) { return ToText(value); };
  std::string out;
  for (const Node& node : nodes) {
    out += "node " + node.name + " addresses=" + Join(node.addresses, text) +
           " podCIDRs=" + Join(node.pod_cidrs, text) + '\n';
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    out += "group " + std::to_string(i) + " {" + groups[i].key + '}';
    for (const CidrBlock& block : groups[i].blocks) {
      out += ' ' + block.cidr.ToString();
      if (!block.excepts.empty()) out += " except " + Join(block.excepts, text);
    }
    out += '\n';
  }
  for (const Endpoint& endpoint : endpoints) {
    out += "endpoint " + endpoint.namespace_name + '/' + endpoint.name + " addresses=" + Join(endpoint.addresses, text);
    if (endpoint.node != kNoNode) out += " node=" + nodes[endpoint.node].name;
    if (!endpoint.workload.empty()) out += " workload=" + endpoint.workload;
    if (!endpoint.labels.empty()) out += " labels=" + endpoint.labels;
    if (!endpoint.ports.empty()) {
      out += " ports=" + Join(endpoint.ports, [](const NamedPort& port) {
               return port.name + ':' + ProtocolName(port.protocol) + '/' + std::to_string(port.port);
             });
    }
    out +=
        " groups=" + Join(member_sets.ToVector(endpoint.members), [](std::uint32_t id) { return std::to_string(id); }) +
        '\n';
  }
  for (const Section& section : sections) AppendSection(section, &out);
  for (const auto& [policy, of_policy] : staged) {
    out += "staged " + policy + (of_policy.empty() ? " deleted\n" : "\n");
    for (const Section& section : of_policy) AppendSection(section, &out);
  }
  return out;
}

}  // namespace sluice
