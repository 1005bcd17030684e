#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "codec/codec.h"
#include "sluice/printable.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

using Error = std::optional<Diagnostic>;

Diagnostic Wrong(std::string object, std::string field, std::string message) {
  Diagnostic diagnostic;
  diagnostic.object = std::move(object);
  diagnostic.field = std::move(field);
  diagnostic.message = std::move(message);
  return diagnostic;
}

Error DecodePrefix(const std::string& object, const std::string& field, const v1::Prefix& message, Prefix& prefix) {
  const auto address = DecodeAddress(message.address());
  if (!address)
    return Wrong(object, field,
                 "an address is 4 or 16 bytes, this one has " + std::to_string(message.address().size()));
  if (message.length() > static_cast<std::uint32_t>(AddressBits(address->family))) {
    return Wrong(object, field,
                 "a prefix length of " + std::to_string(message.length()) + " is too long for the address");
  }
  prefix = Prefix::Make(*address, static_cast<std::uint8_t>(message.length()));
  return std::nullopt;
}

Error DecodeAddresses(const std::string& object, const google::protobuf::RepeatedPtrField<std::string>& messages,
                      std::vector<IpAddress>& addresses) {
  for (const std::string& bytes : messages) {
    const auto address = DecodeAddress(bytes);
    if (!address)
      return Wrong(object, "addresses", "an address is 4 or 16 bytes, this one has " + std::to_string(bytes.size()));
    addresses.push_back(*address);
  }
  return std::nullopt;
}

Error DecodeGroup(const v1::Group& message, Group& group) {
  group.key = message.key();
  const std::string object = "group {" + group.key + '}';
  for (const v1::CidrBlock& block : message.blocks()) {
    CidrBlock& added = group.blocks.emplace_back();
    if (auto error = DecodePrefix(object, "blocks.cidr", block.cidr(), added.cidr)) return error;
    for (const v1::Prefix& except : block.excepts()) {
      if (auto error = DecodePrefix(object, "blocks.excepts", except, added.excepts.emplace_back())) return error;
      if (!added.cidr.Contains(added.excepts.back()) || added.cidr == added.excepts.back()) {
        return Wrong(object, "blocks.excepts",
                     added.excepts.back().ToString() + " must lie strictly inside " + added.cidr.ToString());
      }
    }
  }
  return std::nullopt;
}

Error DecodeNode(const v1::Node& message, Node& node) {
  node.name = message.name();
  const std::string object = "node " + node.name;
  if (node.name.empty()) return Wrong(object, "name", "must not be empty");
  for (const v1::Prefix& prefix : message.pod_cidrs()) {
    if (auto error = DecodePrefix(object, "pod_cidrs", prefix, node.pod_cidrs.emplace_back())) return error;
  }
  return DecodeAddresses(object, message.addresses(), node.addresses);
}

Error DecodeEndpoint(const v1::Endpoint& message, Endpoint& endpoint) {
  endpoint.namespace_name = message.namespace_();
  endpoint.name = message.name();
  endpoint.labels = message.labels();
  endpoint.workload = message.workload();
  const std::string object = "endpoint " + endpoint.namespace_name + '/' + endpoint.name;
  for (const v1::NamedPort& port : message.ports()) {
    if (port.protocol() > 255 || port.port() > 65535)
      return Wrong(object, "ports", "a protocol or port is out of range");
    endpoint.ports.push_back(
        {port.name(), static_cast<std::uint8_t>(port.protocol()), static_cast<std::uint16_t>(port.port())});
  }
  return DecodeAddresses(object, message.addresses(), endpoint.addresses);
}

// Fields from this number on narrow what a rule or a section matches (policy.proto). A receiver that ignored such a
// field would match more than the sender meant.
constexpr int kFirstCondition = 64;

Error RefuseUnknownConditions(const std::string& object, const std::string& field,
                              const google::protobuf::Message& message) {
  const auto& unknown = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const int number = unknown.field(i).number();
    if (number < kFirstCondition) continue;
    return Wrong(object, field,
                 "has a condition that this version does not know (field " + std::to_string(number) +
                     "); upgrade sluiced, or push the policy without it");
  }
  return std::nullopt;
}

Error DecodeRule(const std::string& object, const v1::Rule& message, Rule& rule) {
  const std::string field = "rules[" + std::to_string(message.index()) + ']';
  if (auto error = RefuseUnknownConditions(object, field, message)) return error;
  rule.peers = message.peers() - 1;  // 0 becomes kAnyPeer
  rule.any_port = message.any_port();
  rule.index = message.index();
  rule.name = RuleName(message.name());
  for (const std::string& name : message.domain_names()) {
    if (IsDomainPattern(name)) continue;
    return Wrong(object, field + ".domain_names",
                 '\'' + Printable(name, 256) + "' is no domain name such as example.com or *.example.com");
  }
  rule.domain_names = DomainPatterns({message.domain_names().begin(), message.domain_names().end()});
  switch (message.action()) {
    case v1::ACTION_ALLOW:
      rule.action = Action::kAllow;
      break;
    case v1::ACTION_DENY:
      rule.action = Action::kDeny;
      break;
    case v1::ACTION_PASS:
      rule.action = Action::kPass;
      break;
    default:
      return Wrong(object, field + ".action", "is not known to this version");
  }
  for (const v1::PortRange& range : message.ports()) {
    if (auto error = RefuseUnknownConditions(object, field + ".ports", range)) return error;
    if (range.protocol() > 255 || !HasPorts(static_cast<std::uint8_t>(range.protocol())) || range.last() > 65535 ||
        range.first() > range.last()) {
      return Wrong(object, field + ".ports",
                   "a range is of TCP, UDP or SCTP, from its first port to its last, at most 65535");
    }
    rule.ports.push_back({static_cast<std::uint8_t>(range.protocol()), static_cast<std::uint16_t>(range.first()),
                          static_cast<std::uint16_t>(range.last())});
  }
  return std::nullopt;
}

// The sections of a policy, or what is staged for one.
template <typename Message>
Error DecodeSections(const Message& message, std::vector<Section>& sections) {
  // A sender holds back the policy that a refusal names. So a staged policy is named as a staged one.
  constexpr const char* kWhat = std::is_same_v<Message, v1::StagedSections> ? "staged policy " : "policy ";
  const std::string object = kWhat + message.policy();
  if (message.policy().empty()) return Wrong(object, "policy", "must not be empty");
  for (const v1::Section& section : message.sections()) {
    Section& added = sections.emplace_back();
    added.policy = message.policy();
    if (auto error = RefuseUnknownConditions(object, "sections", section)) return error;
    if (section.direction() != v1::DIRECTION_EGRESS && section.direction() != v1::DIRECTION_INGRESS) {
      return Wrong(object, "direction", "is not known to this version");
    }
    if (section.tier() < v1::TIER_ADMIN || section.tier() > v1::TIER_BASELINE) {
      return Wrong(object, "tier", "is not known to this version");
    }
    added.direction = section.direction() == v1::DIRECTION_EGRESS ? Direction::kEgress : Direction::kIngress;
    added.tier = static_cast<Tier>(section.tier() - 1);
    added.priority = section.priority();
    added.subjects = section.subjects();
    added.isolates = section.isolates();
    added.held = section.held();
    for (const v1::Rule& rule : section.rules()) {
      if (auto error = DecodeRule(object, rule, added.rules.emplace_back())) return error;
    }
  }
  return std::nullopt;
}

// Computes strictly ascending ids from their differences: only the first may be 0, and no sum may wrap.
Error DecodeDeltas(const std::string& object, const std::string& field,
                   const google::protobuf::RepeatedField<std::uint32_t>& deltas, std::vector<std::uint32_t>& ids) {
  std::uint64_t next = 0;
  for (const std::uint32_t delta : deltas) {
    if (delta == 0 && !ids.empty()) return Wrong(object, field, "must be strictly ascending");
    next += delta;
    if (next >= 0xffffffff) return Wrong(object, field, "a number is out of range");
    ids.push_back(static_cast<std::uint32_t>(next));
  }
  return std::nullopt;
}

}  // namespace

std::optional<IpAddress> DecodeAddress(std::string_view bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  if (bytes.size() == 4) return IpAddress::FromV4Bytes(data);
  if (bytes.size() == 16) return IpAddress::FromV6Bytes(data);
  return std::nullopt;
}

Diagnostic DecodeProblem(const v1::Problem& problem) {
  return Wrong(problem.object(), problem.field(), problem.reason());
}

std::optional<Diagnostic> FullStateDecoder::AddEndpoint(const v1::Endpoint& message) {
  Endpoint& endpoint = policy_.endpoints.emplace_back();
  if (auto error = DecodeEndpoint(message, endpoint)) return error;
  const std::string object = "endpoint " + endpoint.namespace_name + '/' + endpoint.name;
  if (message.member_set() >= member_sets_.size()) {
    return Wrong(object, "member_set", "no set has the number " + std::to_string(message.member_set()));
  }
  if (endpoint.name.empty() && !endpoint.addresses.empty()) {
    return Wrong("endpoint " + std::to_string(policy_.endpoints.size() - 1), "name", "must not be empty");
  }
  endpoint.members = member_sets_[message.member_set()];
  if (message.node().empty()) return std::nullopt;
  const auto [node, added] = node_ids_.try_emplace(message.node(), static_cast<NodeId>(policy_.nodes.size()));
  if (added) policy_.nodes.push_back({message.node(), {}, {}});
  endpoint.node = node->second;
  return std::nullopt;
}

std::optional<Diagnostic> FullStateDecoder::Add(const v1::FullStateChunk& chunk) {
  if (complete_ || chunk.first() == started_) {
    return Wrong("full state", "first",
                 complete_ ? "a chunk came after the last" : "the first chunk, and only it, says first");
  }
  if (started_ && (chunk.state_id() != state_id_ || chunk.batch() != batch_)) {
    return Wrong("full state", chunk.state_id() != state_id_ ? "state_id" : "batch",
                 "is another than that of the chunks before");
  }
  started_ = true;
  state_id_ = chunk.state_id();
  batch_ = chunk.batch();
  for (const v1::Node& node : chunk.nodes()) {
    Node& added = policy_.nodes.emplace_back();
    if (auto error = DecodeNode(node, added)) return error;
    if (!node_ids_.try_emplace(added.name, static_cast<NodeId>(policy_.nodes.size() - 1)).second) {
      return Wrong("node " + added.name, "name", "is given twice");
    }
  }
  for (const v1::Group& group : chunk.groups()) {
    Group& added = policy_.groups.emplace_back();
    if (auto error = DecodeGroup(group, added)) return error;
    if (added.key.empty() && !added.blocks.empty()) {
      return Wrong("group " + std::to_string(policy_.groups.size() - 1), "key", "must not be empty");
    }
  }
  std::vector<std::uint32_t> ids;
  for (const v1::MemberSet& set : chunk.member_sets()) {
    ids.clear();
    const std::string object = "member set " + std::to_string(member_sets_.size());
    if (auto error = DecodeDeltas(object, "group_deltas", set.group_deltas(), ids)) return error;
    if (!ids.empty() && ids.back() >= policy_.groups.size()) {
      return Wrong(object, "group_deltas", "no group has the number " + std::to_string(ids.back()));
    }
    member_sets_.push_back(policy_.member_sets.Intern(ids));
  }
  for (const v1::Endpoint& endpoint : chunk.endpoints()) {
    if (auto error = AddEndpoint(endpoint)) return error;
  }
  std::vector<Section> of_policy;
  for (const v1::PolicySections& sections : chunk.policies()) {
    if (!policies_.insert(sections.policy()).second) {
      return Wrong("policy " + sections.policy(), "policy", "is given twice");
    }
    of_policy.clear();
    if (auto error = DecodeSections(sections, of_policy)) return error;
    for (Section& section : of_policy) policy_.sections.push_back(std::move(section));
  }
  for (const v1::StagedSections& sections : chunk.staged()) {
    const auto [staged, added] = policy_.staged.try_emplace(sections.policy());
    if (!added) return Wrong("staged policy " + sections.policy(), "policy", "is given twice");
    if (auto error = DecodeSections(sections, staged->second)) return error;
  }
  return chunk.last() ? Finish() : std::nullopt;
}

std::optional<Diagnostic> FullStateDecoder::Finish() {
  if (auto error = CheckFullState(policy_)) return error;
  const auto known = [&](GroupId group) { return group < policy_.groups.size() && !policy_.groups[group].key.empty(); };
  const auto check = [&](const Section& section, const char* what) -> Error {
    const std::string object = what + section.policy;
    if (!known(section.subjects))
      return Wrong(object, "subjects", "no group has the number " + std::to_string(section.subjects));
    for (const Rule& rule : section.rules) {
      if (rule.peers != kAnyPeer && !known(rule.peers)) {
        return Wrong(object, "rules[" + std::to_string(rule.index) + "].peers",
                     "no group has the number " + std::to_string(rule.peers));
      }
      if (const auto problem = ProblemOf(section, rule); !problem.empty()) {
        return Wrong(object, "rules[" + std::to_string(rule.index) + "].domain_names", std::string(problem));
      }
    }
    return std::nullopt;
  };
  for (const Section& section : policy_.sections) {
    if (auto error = check(section, "policy ")) return error;
  }
  for (const auto& [policy, sections] : policy_.staged) {
    for (const Section& section : sections) {
      if (auto error = check(section, "staged policy ")) return error;
    }
  }
  policy_.sections.Sort();
  complete_ = true;
  return std::nullopt;
}

std::optional<Diagnostic> DecodeUpdate(const v1::Update& message, PolicyUpdate& update) {
  update.removed_policies.assign(message.removed_policies().begin(), message.removed_policies().end());
  update.removed_groups.assign(message.removed_groups().begin(), message.removed_groups().end());
  update.removed_nodes.assign(message.removed_nodes().begin(), message.removed_nodes().end());
  update.removed_endpoints.assign(message.removed_endpoints().begin(), message.removed_endpoints().end());
  for (const v1::Node& node : message.nodes()) {
    if (auto error = DecodeNode(node, update.nodes.emplace_back())) return error;
  }
  for (const v1::NewGroup& group : message.groups()) {
    GroupUpdate& added = update.groups.emplace_back();
    added.id = group.id();
    if (auto error = DecodeGroup(group.group(), added.group)) return error;
    if (added.group.key.empty()) return Wrong("group " + std::to_string(added.id), "key", "must not be empty");
    const std::string object = "group " + std::to_string(added.id) + " {" + added.group.key + '}';
    if (auto error = DecodeDeltas(object, "members", group.member_deltas(), added.members)) return error;
  }
  for (const v1::EndpointUpdate& endpoint : message.endpoints()) {
    EndpointUpdate& added = update.endpoints.emplace_back();
    added.id = endpoint.id();
    added.node = endpoint.endpoint().node();
    if (auto error = DecodeEndpoint(endpoint.endpoint(), added.endpoint)) return error;
    const std::string object = "endpoint " + added.endpoint.namespace_name + '/' + added.endpoint.name;
    if (auto error = DecodeDeltas(object, "groups", endpoint.group_deltas(), added.groups)) return error;
  }
  for (const v1::PolicySections& sections : message.policies()) {
    SectionsUpdate& added = update.sections.emplace_back();
    added.policy = sections.policy();
    if (auto error = DecodeSections(sections, added.sections)) return error;
  }
  update.removed_staged.assign(message.removed_staged().begin(), message.removed_staged().end());
  for (const v1::StagedSections& sections : message.staged()) {
    SectionsUpdate& added = update.staged.emplace_back();
    added.policy = sections.policy();
    if (auto error = DecodeSections(sections, added.sections)) return error;
  }
  return std::nullopt;
}

}  // namespace sluice
