#include "control/follower.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::test {
namespace {

std::string GroupName(const ResolvedPolicy& policy, GroupId id) {
  return id == kAnyPeer ? "any" : '{' + policy.groups.at(id).key + '}';
}

std::string InNames(const ResolvedPolicy& policy, const Rule& rule) {
  std::string text = " rule " + std::to_string(rule.index) + ' ' + std::string(Name(rule.action)) + " \"" +
                     rule.name.text() + "\" " + GroupName(policy, rule.peers);
  if (rule.any_port) return text + " any port";
  for (const PortRange& range : rule.ports) {
    text += ' ' + std::to_string(range.protocol) + '/' + std::to_string(range.first) + '-' + std::to_string(range.last);
  }
  return text;
}

std::string InNames(const ResolvedPolicy& policy, const Section& section) {
  std::string text = "section " + section.policy + ' ' + std::string(Name(section.direction)) + ' ' +
                     std::string(Name(section.tier)) + ' ' + std::to_string(section.priority) + ' ' +
                     GroupName(policy, section.subjects) + (section.isolates ? " isolates" : "");
  for (const Rule& rule : section.rules) text += InNames(policy, rule);
  return text;
}

std::string InNames(const ResolvedPolicy& policy, const Endpoint& endpoint) {
  std::string text = "endpoint " + endpoint.namespace_name + '/' + endpoint.name + " labels " + endpoint.labels;
  for (const IpAddress& address : endpoint.addresses) text += ' ' + address.ToString();
  for (const NamedPort& port : endpoint.ports) {
    text += ' ' + port.name + '=' + std::to_string(port.protocol) + '/' + std::to_string(port.port);
  }
  if (endpoint.node != kNoNode) text += " on " + policy.nodes.at(endpoint.node).name;
  std::set<std::string> groups;  // of those that are still there
  policy.member_sets.ForEach(endpoint.members, [&](GroupId id) {
    if (!policy.groups.at(id).key.empty()) groups.insert(GroupName(policy, id));
  });
  for (const std::string& group : groups) text += ' ' + group;
  return text;
}

}  // namespace

std::string InNames(const ResolvedPolicy& policy) {
  std::multiset<std::string> lines;
  for (const Node& node : policy.nodes) {
    if (node.addresses.empty() && node.pod_cidrs.empty()) continue;
    std::string text = "node " + node.name;
    for (const IpAddress& address : node.addresses) text += ' ' + address.ToString();
    for (const Prefix& cidr : node.pod_cidrs) text += ' ' + cidr.ToString();
    lines.insert(text);
  }
  for (const Group& group : policy.groups) {
    if (group.key.empty()) continue;
    std::string text = "group {" + group.key + '}';
    for (const CidrBlock& block : group.blocks) {
      text += ' ' + block.cidr.ToString();
      for (const Prefix& except : block.excepts) text += " less " + except.ToString();
    }
    lines.insert(text);
  }
  for (const Endpoint& endpoint : policy.endpoints) {
    if (!endpoint.name.empty()) lines.insert(InNames(policy, endpoint));
  }
  for (const Section& section : policy.sections) lines.insert(InNames(policy, section));
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

Follower::Follower(ClusterResolver* resolver, std::string node) : view_(resolver->MakeView(std::move(node))) {
  EXPECT_TRUE(view_->FullDue());
  StartOver();
}

void Follower::StartOver() {
  policy_ = view_->Full();
  compiler_ = std::make_unique<Compiler>();
  const Compiler::Result result = compiler_->Compile(policy_);
  ASSERT_TRUE(std::holds_alternative<std::shared_ptr<const Table>>(result)) << std::get<Diagnostic>(result).ToString();
  table_ = std::get<std::shared_ptr<const Table>>(result);
  EXPECT_FALSE(view_->FullDue());
  EXPECT_FALSE(view_->HasChanges());
}

testing::AssertionResult Follower::Follow() {
  const bool expected = view_->HasChanges();
  update_ = view_->TakeChanges();
  if (!expected && !IsEmpty(update_)) return testing::AssertionFailure() << "an update without changes";
  if (view_->HasChanges()) return testing::AssertionFailure() << "changes are left after they were taken";
  if (const auto error = Check(policy_, update_)) return testing::AssertionFailure() << error->ToString();
  const Compiler::Result result = compiler_->Update(policy_, Apply(update_, policy_));
  if (const auto* error = std::get_if<Diagnostic>(&result)) return testing::AssertionFailure() << error->ToString();
  table_ = std::get<std::shared_ptr<const Table>>(result);
  if (compiler_->IsRenewalDue(policy_)) Renew();
  return testing::AssertionSuccess();
}

void Follower::Renew() {
  CompactMemberSets(policy_);
  table_ = compiler_->Renew(policy_);
  ++renewals_;
}

}  // namespace sluice::test
