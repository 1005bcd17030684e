// Builds a ResolvedPolicy by hand, for tests of the table alone.
#ifndef SLUICE_TESTS_TABLE_POLICY_BUILDER_H_
#define SLUICE_TESTS_TABLE_POLICY_BUILDER_H_

#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sluice/protocol.h"
#include "sluice/resolved_policy.h"
#include "table/classify.h"
#include "table/compile.h"

namespace sluice {

inline IpAddress Ip(const std::string& text) {
  const auto address = IpAddress::Parse(text);
  if (!address) throw std::invalid_argument("not an address: " + text);
  return *address;
}

inline Prefix Cidr(const std::string& text) {
  const auto prefix = Prefix::Parse(text);
  if (!prefix) throw std::invalid_argument("not a CIDR: " + text);
  return *prefix;
}

class PolicyBuilder {
 public:
  GroupId Group(std::string key, std::vector<CidrBlock> blocks = {}) {
    policy_.groups.push_back({std::move(key), std::move(blocks)});
    return static_cast<GroupId>(policy_.groups.size() - 1);
  }
  NodeId Node(std::string name, std::vector<IpAddress> addresses, std::vector<Prefix> pod_cidrs = {}) {
    policy_.nodes.push_back({std::move(name), std::move(addresses), std::move(pod_cidrs)});
    return static_cast<NodeId>(policy_.nodes.size() - 1);
  }
  // `groups` ascending.
  PolicyBuilder& Endpoint(std::string name, std::vector<IpAddress> addresses, std::vector<GroupId> groups,
                          NodeId node = kNoNode) {
    sluice::Endpoint endpoint;
    endpoint.namespace_name = "default";
    endpoint.name = std::move(name);
    endpoint.addresses = std::move(addresses);
    endpoint.node = node;
    endpoint.members = policy_.member_sets.Intern(groups);
    policy_.endpoints.push_back(std::move(endpoint));
    return *this;
  }
  PolicyBuilder& Section(std::string policy, Direction direction, GroupId subjects, std::vector<Rule> rules,
                         bool isolates = true) {
    sluice::Section section;
    section.policy = std::move(policy);
    section.direction = direction;
    section.subjects = subjects;
    section.isolates = isolates;
    section.rules = std::move(rules);
    policy_.sections.push_back(std::move(section));
    return *this;
  }
  PolicyBuilder& Cluster(std::string policy, Direction direction, GroupId subjects, Tier tier, std::uint32_t priority,
                         std::vector<Rule> rules) {
    Section(std::move(policy), direction, subjects, std::move(rules), false);
    policy_.sections.back().tier = tier;
    policy_.sections.back().priority = priority;
    return *this;
  }
  const ResolvedPolicy& policy() const { return policy_; }
  ResolvedPolicy& policy() { return policy_; }

 private:
  ResolvedPolicy policy_;
};

inline Rule AllowRule(GroupId peers, std::vector<PortRange> ports = {}, std::int32_t index = 0) {
  Rule rule;
  rule.peers = peers;
  rule.any_port = ports.empty();
  rule.ports = std::move(ports);
  rule.index = index;
  return rule;
}

inline PortRange TcpPort(std::uint16_t port) { return {kProtoTcp, port, port}; }

inline std::shared_ptr<const Table> MustCompile(Compiler& compiler, const ResolvedPolicy& policy) {
  auto result = compiler.Compile(policy);
  if (const auto* error = std::get_if<Diagnostic>(&result)) throw std::runtime_error(error->ToString());
  return std::get<std::shared_ptr<const Table>>(result);
}

inline Classification Classify(const Table& table, const std::string& source, const std::string& destination,
                               std::uint8_t protocol, std::uint16_t port, bool exemptions = true) {
  Classifier classifier(64);
  const ClassifyQuery query{Ip(source), Ip(destination), protocol, port};
  Classification result;
  classifier.Classify(table, std::span(&query, 1), &result, exemptions);
  return result;
}

}  // namespace sluice

#endif  // SLUICE_TESTS_TABLE_POLICY_BUILDER_H_
