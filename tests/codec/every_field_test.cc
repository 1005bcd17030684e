// Each field of resolved policy travels, in a full state and in an update. The structured bindings below name all
// fields of a struct, so a new one does not compile here until it has a value of its own and with that its place in
// proto/ and codec/.
#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

#include "codec/codec.h"

namespace sluice {
namespace {

IpAddress Ip(const char* text) { return *IpAddress::Parse(text); }
Prefix Net(const char* text) { return *Prefix::Parse(text); }

// What has every field, and none with the value that a message leaves out.
PortRange SomePorts() { return {6, 80, 90}; }
Rule SomeRule() { return {0, {SomePorts()}, false, Action::kPass, 4, RuleName("four")}; }
Section SomeSection() { return {"shop/web", Direction::kIngress, Tier::kAdmin, 17, 1, true, {SomeRule()}, "no room"}; }
Group SomeGroup() { return {"pods", {{Net("10.0.0.0/8"), {Net("10.1.0.0/16")}}}}; }
Node SomeNode() { return {"n1", {Ip("192.0.2.1")}, {Net("10.0.0.0/24")}}; }
Endpoint SomeEndpoint() {
  return {"shop", "web", "app=web", {{"http", 6, 80}}, {Ip("10.0.0.1")}, 0, kEmptyIdSet, "Deployment/web"};
}

ResolvedPolicy SomePolicy() {
  ResolvedPolicy policy;
  policy.nodes = {SomeNode(), {"n2", {}, {}}};
  policy.groups = {SomeGroup(), {"others", {}}};
  policy.endpoints = {SomeEndpoint()};
  const GroupId both[] = {0, 1};
  policy.endpoints[0].members = policy.member_sets.Intern(both);
  policy.sections.push_back(SomeSection());
  policy.staged = {{"shop/gone", {}}, {"shop/web", {SomeSection()}}};
  return policy;
}

ResolvedPolicy BackFromFullState(const ResolvedPolicy& policy) {
  FullStateDecoder decoder;
  EXPECT_TRUE(EncodeFullState(policy, 7, 1, 1 << 20, [&](const v1::FullStateChunk& chunk) {
    const auto error = decoder.Add(chunk);
    EXPECT_FALSE(error) << error->ToString();
    return !error;
  }));
  return decoder.Take();
}

// One value, each of its fields changed in turn.
template <typename T>
std::vector<T> EachFieldChanged(const T& value, std::vector<std::function<void(T&)>> changes) {
  std::vector<T> changed;
  for (const auto& change : changes) {
    changed.push_back(value);
    change(changed.back());
    EXPECT_FALSE(changed.back() == value) << "change " << changed.size() << " changes nothing";
  }
  return changed;
}

std::vector<PortRange> PortRanges() {
  [[maybe_unused]] const auto& [protocol, first, last] = PortRange{};
  return EachFieldChanged<PortRange>(SomePorts(),
                                     {[](auto& range) { range.protocol = 17; }, [](auto& range) { range.first = 81; },
                                      [](auto& range) { range.last = 91; }});
}

std::vector<Rule> Rules() {
  [[maybe_unused]] const auto& [peers, ports, any_port, action, index, name, domain_names] = Rule{};
  std::vector<Rule> rules = EachFieldChanged<Rule>(
      SomeRule(), {[](auto& rule) { rule.peers = 1; }, [](auto& rule) { rule.peers = kAnyPeer; },
                   [](auto& rule) { rule.ports.clear(); }, [](auto& rule) { rule.any_port = true; },
                   [](auto& rule) { rule.action = Action::kAllow; }, [](auto& rule) { rule.action = Action::kDeny; },
                   [](auto& rule) { rule.index = 5; }, [](auto& rule) { rule.name = RuleName("five"); }});
  for (const char* names : {"*.example.com", "a.example.com"}) {
    rules.push_back(SomeRule());
    rules.back().peers = kAnyPeer;
    rules.back().action = Action::kAllow;
    rules.back().domain_names = DomainPatterns({names, "b.example.com"});
  }
  for (const PortRange& range : PortRanges()) {
    rules.push_back(SomeRule());
    rules.back().ports = {range};
  }
  return rules;
}

std::vector<Section> Sections() {
  [[maybe_unused]] const auto& [policy, direction, tier, priority, subjects, isolates, rules, held] = Section{};
  std::vector<Section> sections = EachFieldChanged<Section>(
      SomeSection(),
      {[](auto& section) { section.policy = "shop/other"; },
       [](auto& section) { section.direction = Direction::kEgress; },
       [](auto& section) { section.tier = Tier::kNetworkPolicy; },
       [](auto& section) { section.tier = Tier::kBaseline; }, [](auto& section) { section.priority = 18; },
       [](auto& section) { section.subjects = 0; }, [](auto& section) { section.isolates = false; },
       [](auto& section) { section.rules.clear(); }, [](auto& section) { section.held = "no room for it"; }});
  for (const Rule& rule : Rules()) {
    sections.push_back(SomeSection());
    sections.back().rules = {rule};
    if (!rule.domain_names.empty()) sections.back().direction = Direction::kEgress;
  }
  return sections;
}

std::vector<Group> Groups() {
  [[maybe_unused]] const auto& [key, blocks] = Group{};
  [[maybe_unused]] const auto& [cidr, excepts] = CidrBlock{};
  return EachFieldChanged<Group>(SomeGroup(),
                                 {[](auto& group) { group.key = "few"; }, [](auto& group) { group.blocks.clear(); },
                                  [](auto& group) { group.blocks[0].cidr = Net("10.0.0.0/9"); },
                                  [](auto& group) {
                                    group.blocks[0].excepts = {Net("10.1.0.0/17"), Net("10.2.0.0/16")};
                                  }});
}

std::vector<Node> Nodes() {
  [[maybe_unused]] const auto& [name, addresses, pod_cidrs] = Node{};
  return EachFieldChanged<Node>(SomeNode(), {[](auto& node) { node.name = "n3"; },
                                             [](auto& node) { node.addresses.push_back(Ip("2001:db8::1")); },
                                             [](auto& node) { node.pod_cidrs.push_back(Net("2001:db8:1::/64")); }});
}

std::vector<Endpoint> Endpoints() {
  [[maybe_unused]] const auto& [space, name, labels, ports, addresses, node, members, workload] = Endpoint{};
  [[maybe_unused]] const auto& [port_name, protocol, port] = NamedPort{};
  return EachFieldChanged<Endpoint>(
      SomeEndpoint(),
      {[](auto& endpoint) { endpoint.namespace_name = "other"; }, [](auto& endpoint) { endpoint.name = "api"; },
       [](auto& endpoint) { endpoint.labels = "app=api"; }, [](auto& endpoint) { endpoint.ports[0].name = "dns"; },
       [](auto& endpoint) { endpoint.ports[0].protocol = 17; }, [](auto& endpoint) { endpoint.ports[0].port = 53; },
       [](auto& endpoint) { endpoint.addresses.push_back(Ip("2001:db8::2")); },
       [](auto& endpoint) { endpoint.workload = "Job/web"; }, [](auto& endpoint) { endpoint.node = kNoNode; },
       [](auto& endpoint) { endpoint.node = 1; }});
}

TEST(EveryField, TravelsInAFullState) {
  [[maybe_unused]] const auto& [nodes, endpoints, groups, member_sets, sections, staged] = ResolvedPolicy{};
  const auto expect_back = [](const ResolvedPolicy& policy) {
    EXPECT_EQ(BackFromFullState(policy).Dump(), policy.Dump());
    EXPECT_TRUE(BackFromFullState(policy) == policy);
  };
  expect_back(SomePolicy());
  for (const Section& section : Sections()) {
    ResolvedPolicy policy = SomePolicy();
    policy.sections = {};
    policy.sections.push_back(section);
    expect_back(policy);
    policy.staged = {{section.policy, {section}}};
    expect_back(policy);
  }
  for (const Group& group : Groups()) {
    ResolvedPolicy policy = SomePolicy();
    policy.groups[0] = group;
    expect_back(policy);
  }
  for (const Node& node : Nodes()) {
    ResolvedPolicy policy = SomePolicy();
    policy.nodes[0] = node;
    expect_back(policy);
  }
  for (Endpoint endpoint : Endpoints()) {
    ResolvedPolicy policy = SomePolicy();
    endpoint.members = policy.endpoints[0].members;
    policy.endpoints[0] = endpoint;
    expect_back(policy);
    policy.endpoints[0].members = kEmptyIdSet;
    policy.member_sets = {};
    expect_back(policy);
  }
}

TEST(EveryField, TravelsInAnUpdate) {
  [[maybe_unused]] const auto& [removed_policies, removed_groups, nodes, removed_nodes, groups, removed_endpoints,
                                endpoints, sections, removed_staged, staged] = PolicyUpdate{};
  [[maybe_unused]] const auto& [group_id, group, members] = GroupUpdate{};
  [[maybe_unused]] const auto& [endpoint_id, endpoint, node, its_groups] = EndpointUpdate{};
  PolicyUpdate update;
  update.removed_policies = {"shop/gone"};
  update.removed_groups = {9};
  update.nodes = Nodes();
  update.removed_nodes = {"n9"};
  for (const Group& changed : Groups()) {
    const auto id = static_cast<GroupId>(update.groups.size());
    update.groups.push_back({id, changed, {id, id + 4}});
  }
  update.removed_endpoints = {8};
  for (Endpoint changed : Endpoints()) {
    changed.node = kNoNode;  // by its name here
    const auto id = static_cast<EndpointId>(update.endpoints.size());
    update.endpoints.push_back({id, changed, "n" + std::to_string(id), {id, id + 3}});
  }
  for (Section section : Sections()) {
    section.policy = "shop/p" + std::to_string(update.sections.size());
    update.sections.push_back({section.policy, {section}});
  }
  update.removed_staged = {"shop/left"};
  update.staged = update.sections;
  update.staged.push_back({"shop/gone", {}});
  PolicyUpdate back;
  const auto error = DecodeUpdate(EncodeUpdate(update, 7, 2), back);
  ASSERT_FALSE(error) << error->ToString();
  EXPECT_TRUE(back == update);
}

}  // namespace
}  // namespace sluice
