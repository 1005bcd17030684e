#include "sluice/unanswered.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
namespace {

// Groups: 0 of web-0 and web-1, 1 of nobody, 2 of a block.
ResolvedPolicy Policy(std::vector<Rule> rules, GroupId subjects = 0) {
  ResolvedPolicy policy;
  policy.groups = {{"pods[app=web] in shop", {}},
                   {"pods[app=none] in shop", {}},
                   {"10.0.0.0/8", {{*Prefix::Parse("10.0.0.0/8"), {}}}}};
  const GroupId web[] = {0};
  for (const char* name : {"web-0", "web-1", ""}) {  // the last one is gone
    Endpoint& endpoint = policy.endpoints.emplace_back();
    endpoint.name = name;
    endpoint.members = policy.member_sets.Intern(web);
  }
  Section section;
  section.policy = "shop/web";
  section.subjects = subjects;
  section.rules = std::move(rules);
  policy.sections.push_back(section);
  return policy;
}

Rule RuleTo(GroupId peers, std::int32_t index = 0) {
  Rule rule;
  rule.peers = peers;
  rule.index = index;
  return rule;
}

Rule RuleFor(std::vector<PortRange> ports, std::int32_t index = 0) {
  Rule rule;
  rule.any_port = false;
  rule.ports = std::move(ports);
  rule.index = index;
  return rule;
}

std::vector<std::string> Found(const ResolvedPolicy& policy) {
  std::vector<std::string> texts;
  for (const Unanswered& one : FindUnanswered(policy.sections.Find("shop/web"), policy, GroupSizes(policy))) {
    texts.push_back(one.field + '|' + one.text);
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Unanswered, GroupsHaveTheEndpointsThatAreThere) {
  const ResolvedPolicy policy = Policy({});
  const GroupSizes sizes(policy);
  EXPECT_EQ(sizes.Of(0), 2u);
  EXPECT_EQ(sizes.Of(1), 0u);
  EXPECT_EQ(sizes.Of(99), 0u);
}

TEST(Unanswered, WhatIsAnsweredIsNotFound) {
  const PortRange ports{6, 80, 80};
  EXPECT_EQ(Found(Policy({RuleTo(0), RuleTo(2), RuleFor({ports})})), Texts{});
  EXPECT_EQ(Found(Policy({}, 2)), Texts{}) << "of some pods a block holds one address";
}

TEST(Unanswered, SubjectsPeersAndPortsOfNobodyAreFoundOnceEach) {
  EXPECT_EQ(Found(Policy({RuleTo(1)}, 1)), Texts{"|selects no pod"});
  const Texts both = {"ingress[3]|has peers that no pod is",
                      "ingress[4]|names a port that none of the pods has on which it is looked up"};
  EXPECT_EQ(Found(Policy({RuleTo(1, 3), RuleTo(1, 3), RuleFor({}, 4)})), both);
}

}  // namespace
}  // namespace sluice
