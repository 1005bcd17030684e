#include <utility>

#include "codec/codec.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

void EncodePrefix(const Prefix& prefix, v1::Prefix* message) {
  message->set_address(EncodeAddress(prefix.base));
  message->set_length(prefix.length);
}

void EncodeGroup(const Group& group, v1::Group* message) {
  message->set_key(group.key);
  for (const CidrBlock& block : group.blocks) {
    v1::CidrBlock* added = message->add_blocks();
    EncodePrefix(block.cidr, added->mutable_cidr());
    for (const Prefix& except : block.excepts) EncodePrefix(except, added->add_excepts());
  }
}

void EncodeNode(const Node& node, v1::Node* message) {
  message->set_name(node.name);
  for (const IpAddress& address : node.addresses) message->add_addresses(EncodeAddress(address));
  for (const Prefix& prefix : node.pod_cidrs) EncodePrefix(prefix, message->add_pod_cidrs());
}

void EncodeEndpoint(const Endpoint& endpoint, std::string_view node, v1::Endpoint* message) {
  message->set_namespace_(endpoint.namespace_name);
  message->set_name(endpoint.name);
  message->set_labels(endpoint.labels);
  if (!endpoint.workload.empty()) message->set_workload(endpoint.workload);
  message->set_node(std::string(node));
  for (const NamedPort& port : endpoint.ports) {
    v1::NamedPort* added = message->add_ports();
    added->set_name(port.name);
    added->set_protocol(port.protocol);
    added->set_port(port.port);
  }
  for (const IpAddress& address : endpoint.addresses) message->add_addresses(EncodeAddress(address));
}

void EncodeSection(const Section& section, v1::Section* message) {
  message->set_direction(section.direction == Direction::kEgress ? v1::DIRECTION_EGRESS : v1::DIRECTION_INGRESS);
  message->set_tier(static_cast<v1::Tier>(static_cast<int>(section.tier) + 1));
  message->set_priority(section.priority);
  message->set_subjects(section.subjects);
  message->set_isolates(section.isolates);
  if (!section.held.empty()) message->set_held(section.held);
  for (const Rule& rule : section.rules) {
    v1::Rule* added = message->add_rules();
    added->set_peers(rule.peers + 1);  // kAnyPeer becomes 0
    added->set_any_port(rule.any_port);
    added->set_action(static_cast<v1::Action>(static_cast<int>(rule.action) + 1));
    added->set_index(rule.index);
    if (!rule.name.empty()) added->set_name(rule.name.text());
    for (const std::string& name : rule.domain_names.list()) added->add_domain_names(name);
    for (const PortRange& range : rule.ports) {
      v1::PortRange* port = added->add_ports();
      port->set_protocol(range.protocol);
      port->set_first(range.first);
      port->set_last(range.last);
    }
  }
}

void EncodeStaged(const std::string& policy, const std::vector<Section>& sections, v1::StagedSections* message) {
  message->set_policy(policy);
  for (const Section& section : sections) EncodeSection(section, message->add_sections());
}

template <typename Ids, typename Message>
void EncodeDeltas(const Ids& ids, Message* deltas) {
  std::uint32_t previous = 0;
  for (const std::uint32_t id : ids) {
    deltas->Add(id - previous);
    previous = id;
  }
}

}  // namespace

std::string EncodeAddress(const IpAddress& address) {
  std::string bytes(address.is_v4() ? 4 : 16, '\0');
  address.CopyBytes(reinterpret_cast<std::uint8_t*>(bytes.data()));
  return bytes;
}

v1::Problem EncodeProblem(const Diagnostic& diagnostic) {
  v1::Problem problem;
  const auto bounded = [](const std::string& text) {
    return text.size() <= kPrintableBytes ? text : Printable(text, kPrintableBytes);
  };
  problem.set_object(bounded(diagnostic.object));
  problem.set_field(bounded(diagnostic.field));
  problem.set_reason(bounded(diagnostic.message));
  return problem;
}

bool EncodeFullState(const ResolvedPolicy& policy, std::uint64_t state_id, std::uint64_t batch, std::size_t chunk_bytes,
                     const std::function<bool(const v1::FullStateChunk&)>& send) {
  v1::FullStateChunk chunk;
  std::size_t bytes = 0;
  const auto begin = [&](bool first) {
    chunk.Clear();
    chunk.set_state_id(state_id);
    chunk.set_batch(batch);
    chunk.set_first(first);
    bytes = 0;
  };
  begin(true);
  // Sends the chunk once it is long enough. Only the message just added is measured, which keeps the count cheap.
  const auto added = [&](const google::protobuf::Message& message) {
    bytes += message.ByteSizeLong() + 4;
    if (bytes < chunk_bytes) return true;
    if (!send(chunk)) return false;
    begin(false);
    return true;
  };
  for (const Node& node : policy.nodes) {
    v1::Node* message = chunk.add_nodes();
    EncodeNode(node, message);
    if (!added(*message)) return false;
  }
  for (const Group& group : policy.groups) {
    v1::Group* message = chunk.add_groups();
    EncodeGroup(group, message);
    if (!added(*message)) return false;
  }
  // Only sets that an endpoint has: updates leave others behind.
  std::vector<bool> is_used(policy.member_sets.SetCount());
  for (const Endpoint& endpoint : policy.endpoints) is_used[endpoint.members] = true;
  std::vector<std::uint32_t> set_numbers(is_used.size());
  std::uint32_t last_set = 0;
  for (IdSetId set = 1; set < is_used.size(); ++set) {
    if (!is_used[set]) continue;
    set_numbers[set] = ++last_set;
    v1::MemberSet* message = chunk.add_member_sets();
    EncodeDeltas(policy.member_sets.ToVector(set), message->mutable_group_deltas());
    if (!added(*message)) return false;
  }
  for (const Endpoint& endpoint : policy.endpoints) {
    v1::Endpoint* message = chunk.add_endpoints();
    EncodeEndpoint(endpoint, endpoint.node == kNoNode ? "" : policy.nodes[endpoint.node].name, message);
    message->set_member_set(set_numbers[endpoint.members]);
    if (!added(*message)) return false;
  }
  for (auto section = policy.sections.begin(); section != policy.sections.end();) {
    v1::PolicySections* message = chunk.add_policies();
    message->set_policy(section->policy);
    for (; section != policy.sections.end() && section->policy == message->policy(); ++section) {
      EncodeSection(*section, message->add_sections());
    }
    if (!added(*message)) return false;
  }
  for (const auto& [name, sections] : policy.staged) {
    v1::StagedSections* message = chunk.add_staged();
    EncodeStaged(name, sections, message);
    if (!added(*message)) return false;
  }
  chunk.set_last(true);
  return send(chunk);
}

v1::Update EncodeUpdate(const PolicyUpdate& update, std::uint64_t state_id, std::uint64_t batch) {
  v1::Update message;
  message.set_state_id(state_id);
  message.set_batch(batch);
  for (const std::string& name : update.removed_policies) message.add_removed_policies(name);
  for (const GroupId id : update.removed_groups) message.add_removed_groups(id);
  for (const Node& node : update.nodes) EncodeNode(node, message.add_nodes());
  for (const std::string& name : update.removed_nodes) message.add_removed_nodes(name);
  for (const GroupUpdate& group : update.groups) {
    v1::NewGroup* added = message.add_groups();
    added->set_id(group.id);
    EncodeGroup(group.group, added->mutable_group());
    EncodeDeltas(group.members, added->mutable_member_deltas());
  }
  for (const EndpointId id : update.removed_endpoints) message.add_removed_endpoints(id);
  for (const EndpointUpdate& endpoint : update.endpoints) {
    v1::EndpointUpdate* added = message.add_endpoints();
    added->set_id(endpoint.id);
    EncodeEndpoint(endpoint.endpoint, endpoint.node, added->mutable_endpoint());
    EncodeDeltas(endpoint.groups, added->mutable_group_deltas());
  }
  for (const SectionsUpdate& sections : update.sections) {
    v1::PolicySections* added = message.add_policies();
    added->set_policy(sections.policy);
    for (const Section& section : sections.sections) EncodeSection(section, added->add_sections());
  }
  for (const std::string& name : update.removed_staged) message.add_removed_staged(name);
  for (const SectionsUpdate& sections : update.staged) {
    EncodeStaged(sections.policy, sections.sections, message.add_staged());
  }
  return message;
}

}  // namespace sluice
