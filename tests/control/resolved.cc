#include "control/resolved.h"

#include <gtest/gtest.h>

#include "resolve/resolve.h"

namespace sluice {
namespace {

std::string Path(const Endpoint& endpoint) { return endpoint.namespace_name + '/' + endpoint.name; }

std::string Join(const Names& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ",") + name;
  return joined;
}

std::string PortsText(const Rule& rule) {
  if (rule.any_port) return "any";
  Names texts;
  for (const PortRange& range : rule.ports) {
    std::string text = range.protocol == kProtoTcp ? "tcp/" : range.protocol == kProtoUdp ? "udp/" : "sctp/";
    text += std::to_string(range.first);
    if (range.last != range.first) text += '-' + std::to_string(range.last);
    texts.push_back(text);
  }
  return Join(texts);
}

Names Texts(const std::vector<IpAddress>& addresses) {
  Names texts;
  for (const IpAddress& address : addresses) texts.push_back(address.ToString());
  return texts;
}

}  // namespace

Resolved::Resolved(const Cluster& cluster) : policy_(Resolve(cluster, &diagnostics_)) {}

Names Resolved::Members(GroupId group) const {
  if (group == kAnyPeer) return {"any"};
  Names names;
  for (const Endpoint& endpoint : policy_.endpoints) {
    if (policy_.member_sets.Contains(endpoint.members, group)) names.push_back(Path(endpoint));
  }
  return names;
}

Names Resolved::Blocks(GroupId group) const {
  Names texts;
  for (const CidrBlock& block : policy_.groups.at(group).blocks) {
    std::string text = block.cidr.ToString();
    for (const Prefix& except : block.excepts) text += " less " + except.ToString();
    texts.push_back(text);
  }
  return texts;
}

std::vector<const Section*> Resolved::Sections(std::string_view policy, Direction direction) const {
  std::vector<const Section*> sections;
  for (const Section& section : policy_.sections) {
    if (section.policy == policy && section.direction == direction) sections.push_back(&section);
  }
  return sections;
}

const Section& Resolved::Isolating(std::string_view policy, Direction direction) const {
  static const Section kNone;
  const Section* found = nullptr;
  for (const Section* section : Sections(policy, direction)) {
    if (!section->isolates) continue;
    EXPECT_EQ(found, nullptr) << policy << " has two sections that isolate\n" << policy_.Dump();
    found = section;
  }
  EXPECT_NE(found, nullptr) << policy << " has no section that isolates\n" << policy_.Dump();
  return found != nullptr ? *found : kNone;
}

Names Resolved::Subjects(std::string_view policy, Direction direction) const {
  return Members(Isolating(policy, direction).subjects);
}

Names Resolved::Peers(std::string_view policy, Direction direction) const {
  return Members(Isolating(policy, direction).rules.at(0).peers);
}

Names Resolved::PeerBlocks(std::string_view policy, Direction direction) const {
  return Blocks(Isolating(policy, direction).rules.at(0).peers);
}

Names Resolved::Rules(std::string_view policy, Direction direction) const {
  Names lines;
  for (const Section* section : Sections(policy, direction)) {
    for (const Rule& rule : section->rules) {
      Names peers = Members(rule.peers);
      if (rule.peers != kAnyPeer) {
        for (const std::string& block : Blocks(rule.peers)) peers.push_back(block);
      }
      lines.push_back(Join(Members(section->subjects)) + (direction == Direction::kIngress ? " <- " : " -> ") +
                      Join(peers) + " : " + PortsText(rule) + " #" + std::to_string(rule.index));
    }
  }
  return lines;
}

const Endpoint* Resolved::FindEndpoint(std::string_view path) const {
  for (const Endpoint& endpoint : policy_.endpoints) {
    if (Path(endpoint) == path) return &endpoint;
  }
  return nullptr;
}

Names Resolved::EndpointAddresses(std::string_view path) const {
  const Endpoint* endpoint = FindEndpoint(path);
  return endpoint != nullptr ? Texts(endpoint->addresses) : Names{};
}

Names Resolved::NodeAddresses(std::string_view name) const {
  for (const Node& node : policy_.nodes) {
    if (node.name == name) return Texts(node.addresses);
  }
  return {};
}

}  // namespace sluice
