#include "codec/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "resolve/resolve.h"
#include "sluice/policy_update.h"
#include "support/shapes.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

TEST(Codec, FullStateOfEveryShapeComesBackTheSame) {
  for (const Shape& shape : Shapes()) {
    const ResolvedPolicy policy = Resolve(shape.make(0.005), nullptr);
    FullStateDecoder decoder;
    int chunks = 0;
    ASSERT_TRUE(EncodeFullState(policy, 7, 1, 20'000, [&](const v1::FullStateChunk& chunk) {
      ++chunks;
      EXPECT_EQ(chunk.state_id(), 7u);
      const auto error = decoder.Add(chunk);
      EXPECT_FALSE(error) << error->ToString();
      return !error;
    }));
    ASSERT_TRUE(decoder.complete());
    EXPECT_EQ(decoder.Take().Dump(), policy.Dump()) << shape.name << " in " << chunks << " chunks";
  }
}

// A state that was updated for long and then encoded (a state file that is folded) must not carry what updates left.
TEST(Codec, FullStateLeavesOutSetsThatNobodyHas) {
  ResolvedPolicy policy;
  for (const char* key : {"a", "b", "c"}) policy.groups.push_back({key, {}});
  for (std::uint32_t i = 0; i < 3; ++i) {
    Endpoint endpoint;
    endpoint.name = "e" + std::to_string(i);
    policy.endpoints.push_back(endpoint);
  }
  const auto intern = [&](std::vector<std::uint32_t> groups) { return policy.member_sets.Intern(groups); };
  intern({0, 1, 2});
  policy.endpoints[0].members = intern({1});
  intern({0});
  policy.endpoints[2].members = intern({1, 2});
  FullStateDecoder decoder;
  ASSERT_TRUE(EncodeFullState(policy, 7, 1, 1 << 20, [&](const v1::FullStateChunk& chunk) {
    EXPECT_EQ(chunk.member_sets_size(), 2);
    return !decoder.Add(chunk);
  }));
  const ResolvedPolicy back = decoder.Take();
  EXPECT_EQ(back.Dump(), policy.Dump());
  EXPECT_EQ(back.member_sets.SetCount(), 3u);
}

// As a later version would send it: a field that is no part of this one.
void AddUnknownField(google::protobuf::Message& message, int number) {
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(number, 46);
}

TEST(Codec, PolicyWithAConditionThatIsNotKnownIsRefusedAndNotWidened) {
  for (const int number : {63, 64, 1000}) {
    for (int place = 0; place < 3; ++place) {
      v1::Update message;
      v1::PolicySections& policy = *message.add_policies();
      policy.set_policy("shop/web");
      v1::Section& section = *policy.add_sections();
      section.set_direction(v1::DIRECTION_INGRESS);
      section.set_tier(v1::TIER_NETWORK_POLICY);
      v1::Rule& rule = *section.add_rules();
      rule.set_action(v1::ACTION_ALLOW);
      v1::PortRange& range = *rule.add_ports();
      range.set_protocol(6);
      google::protobuf::Message* const places[] = {&section, &rule, &range};
      AddUnknownField(*places[place], number);
      PolicyUpdate update;
      const auto error = DecodeUpdate(message, update);
      ASSERT_EQ(error.has_value(), number >= 64) << number << " in place " << place;
      if (!error) continue;
      EXPECT_EQ(error->object, "policy shop/web");
      EXPECT_THAT(error->message, HasSubstr("does not know (field " + std::to_string(number) + ")"));
    }
  }
}

TEST(Codec, UpdateComesBackTheSame) {
  PolicyUpdate update;
  update.removed_policies = {"default/old"};
  update.removed_groups = {3};
  update.nodes = {{"n1", {*IpAddress::Parse("192.0.2.1")}, {*Prefix::Parse("10.0.0.0/24")}}};
  update.removed_nodes = {"n2"};
  update.groups = {{5, {"g", {{*Prefix::Parse("0.0.0.0/0"), {*Prefix::Parse("10.0.0.0/8")}}}}, {0, 4, 9}}};
  update.removed_endpoints = {2};
  update.endpoints = {
      {11,
       {"default", "web", "app=web", {{"http", 6, 80}}, {*IpAddress::Parse("fd00::1")}, kNoNode, kEmptyIdSet},
       "n1",
       {0, 5}}};
  Section section;
  section.policy = "default/web";
  section.direction = Direction::kEgress;
  section.tier = Tier::kAdmin;
  section.priority = 17;
  section.subjects = 5;
  section.isolates = false;
  Rule rule;
  rule.any_port = false;
  rule.ports = {{6, 80, 90}};
  rule.action = Action::kPass;
  rule.index = 4;
  section.rules = {rule};
  update.sections = {{"default/web", {section}}};

  PolicyUpdate back;
  const v1::Update message = EncodeUpdate(update, 1, 2);
  ASSERT_FALSE(DecodeUpdate(message, back));
  EXPECT_EQ(EncodeUpdate(back, 1, 2).SerializeAsString(), message.SerializeAsString());
  EXPECT_EQ(back.sections[0].sections[0].rules[0].peers, kAnyPeer);
  EXPECT_EQ(back.groups[0].members, (std::vector<EndpointId>{0, 4, 9}));
}

std::string Refusal(const v1::Update& message) {
  PolicyUpdate update;
  const auto error = DecodeUpdate(message, update);
  return error ? error->ToString() : "";
}

TEST(Codec, WhatThisVersionDoesNotKnowIsRefusedNotSkipped) {
  v1::Update message;
  v1::PolicySections* policy = message.add_policies();
  policy->set_policy("default/web");
  v1::Section* section = policy->add_sections();
  EXPECT_THAT(Refusal(message), HasSubstr("policy default/web: direction: is not known"));
  section->set_direction(v1::DIRECTION_INGRESS);
  EXPECT_THAT(Refusal(message), HasSubstr("tier: is not known"));
  section->set_tier(v1::TIER_NETWORK_POLICY);
  v1::Rule* rule = section->add_rules();
  rule->set_action(static_cast<v1::Action>(99));
  EXPECT_THAT(Refusal(message), HasSubstr("rules[0].action: is not known"));
  rule->set_action(v1::ACTION_ALLOW);
  v1::PortRange* range = rule->add_ports();
  range->set_protocol(1);
  EXPECT_THAT(Refusal(message), HasSubstr("rules[0].ports"));
  range->set_protocol(6);
  range->set_last(70000);
  EXPECT_THAT(Refusal(message), HasSubstr("rules[0].ports"));
  range->set_last(80);
  EXPECT_EQ(Refusal(message), "");
}

TEST(Codec, BadAddressesPrefixesAndDeltasAreNamed) {
  v1::Update message;
  message.add_nodes()->set_name("n1");
  message.mutable_nodes(0)->add_addresses("abc");
  EXPECT_THAT(Refusal(message), HasSubstr("node n1: addresses: an address is 4 or 16 bytes, this one has 3"));
  message.clear_nodes();
  v1::NewGroup* group = message.add_groups();
  group->mutable_group()->set_key("g");
  v1::Prefix* cidr = group->mutable_group()->add_blocks()->mutable_cidr();
  cidr->set_address(std::string(4, '\0'));
  cidr->set_length(33);
  EXPECT_THAT(Refusal(message), HasSubstr("blocks.cidr: a prefix length of 33"));
  cidr->set_length(8);
  group->add_member_deltas(0);
  group->add_member_deltas(0);
  EXPECT_THAT(Refusal(message), HasSubstr("members: must be strictly ascending"));
  group->set_member_deltas(1, 0xffffffff);
  EXPECT_THAT(Refusal(message), HasSubstr("members: a number is out of range"));
}

TEST(Codec, PolicyNamedTwiceInAFullStateIsRefusedWhicheverChunksHoldIt) {
  for (const bool in_one_chunk : {true, false}) {
    FullStateDecoder decoder;
    v1::FullStateChunk chunk;
    chunk.set_first(true);
    chunk.add_policies()->set_policy("default/web");
    chunk.add_policies()->set_policy("default/other");
    if (!in_one_chunk) {
      ASSERT_FALSE(decoder.Add(chunk));
      chunk.Clear();
    }
    chunk.add_policies()->set_policy("default/web");
    const auto error = decoder.Add(chunk);
    ASSERT_TRUE(error);
    EXPECT_THAT(error->ToString(), HasSubstr("policy default/web: policy: is given twice"));
  }
}

TEST(Codec, FullStateOfEqualKeysAndOtherContentsIsRefused) {
  FullStateDecoder decoder;
  v1::FullStateChunk chunk;
  chunk.set_first(true);
  chunk.set_last(true);
  chunk.add_groups()->set_key("k");
  chunk.add_groups()->set_key("k");
  chunk.add_member_sets()->add_group_deltas(1);
  v1::Endpoint* endpoint = chunk.add_endpoints();
  endpoint->set_namespace_("default");
  endpoint->set_name("e0");
  endpoint->set_member_set(1);
  const auto error = decoder.Add(chunk);
  ASSERT_TRUE(error);
  EXPECT_THAT(error->ToString(), HasSubstr("group 1 {k}: members: are not those of group 0, which has the same key"));
}

TEST(Codec, FullStateChecksItsOwnNumbers) {
  const auto refusal = [](auto fill) {
    v1::FullStateChunk chunk;
    chunk.set_first(true);
    chunk.set_last(true);
    fill(chunk);
    FullStateDecoder decoder;
    const auto error = decoder.Add(chunk);
    return error ? error->ToString() : "";
  };
  EXPECT_EQ(refusal([](v1::FullStateChunk&) {}), "");
  EXPECT_THAT(refusal([](v1::FullStateChunk& chunk) { chunk.set_first(false); }), HasSubstr("first"));
  EXPECT_THAT(refusal([](v1::FullStateChunk& chunk) { chunk.add_member_sets()->add_group_deltas(4); }),
              HasSubstr("no group has the number 4"));
  EXPECT_THAT(refusal([](v1::FullStateChunk& chunk) { chunk.add_endpoints()->set_member_set(2); }),
              HasSubstr("no set has the number 2"));
  EXPECT_THAT(refusal([](v1::FullStateChunk& chunk) {
                for (const char* name : {"a", "b"}) {
                  v1::Endpoint* endpoint = chunk.add_endpoints();
                  endpoint->set_name(name);
                  endpoint->add_addresses(std::string("\x0a\0\0\1", 4));
                }
              }),
              HasSubstr("10.0.0.1 is also given to endpoint /a"));
  EXPECT_THAT(refusal([](v1::FullStateChunk& chunk) {
                v1::PolicySections* policy = chunk.add_policies();
                policy->set_policy("default/p");
                v1::Section* section = policy->add_sections();
                section->set_direction(v1::DIRECTION_EGRESS);
                section->set_tier(v1::TIER_NETWORK_POLICY);
                section->set_subjects(3);
              }),
              HasSubstr("policy default/p: subjects: no group has the number 3"));
}

// FQ-06, and what no rule by name may say besides.
TEST(Codec, FQ_06_NamesStandInAnEgressRuleThatAllowsAndAlone) {
  const auto refusal = [](auto change) -> std::string {
    v1::FullStateChunk chunk;
    chunk.set_first(true);
    chunk.set_last(true);
    chunk.set_state_id(1);
    chunk.set_batch(1);
    chunk.add_groups()->set_key("pods");
    v1::PolicySections* policy = chunk.add_policies();
    policy->set_policy("p");
    v1::Section* section = policy->add_sections();
    section->set_direction(v1::DIRECTION_EGRESS);
    section->set_tier(v1::TIER_ADMIN);
    v1::Rule* rule = section->add_rules();
    rule->set_action(v1::ACTION_ALLOW);
    rule->set_any_port(true);
    rule->add_domain_names("*.Example.com.");
    change(*section, *rule);
    FullStateDecoder decoder;
    const auto full = decoder.Add(chunk);
    ResolvedPolicy before;
    before.groups = {{"pods", {}}};
    PolicyUpdate update;
    v1::Update message;
    *message.add_policies() = *policy;
    auto changed = DecodeUpdate(message, update);
    if (!changed) changed = Check(before, update);
    EXPECT_EQ(full.has_value(), changed.has_value());
    return full ? full->ToString() : "";
  };
  EXPECT_EQ(refusal([](v1::Section&, v1::Rule&) {}), "");
  EXPECT_THAT(refusal([](v1::Section&, v1::Rule& rule) { rule.set_action(v1::ACTION_DENY); }),
              HasSubstr("policy p: rules[0].domain_names: stand only in a rule that allows"));
  EXPECT_THAT(refusal([](v1::Section&, v1::Rule& rule) { rule.set_action(v1::ACTION_PASS); }),
              HasSubstr("stand only in a rule that allows"));
  EXPECT_THAT(refusal([](v1::Section& section, v1::Rule&) { section.set_direction(v1::DIRECTION_INGRESS); }),
              HasSubstr("stand in egress alone"));
  EXPECT_THAT(refusal([](v1::Section&, v1::Rule& rule) { rule.set_peers(1); }), HasSubstr("beside no other peers"));
  EXPECT_THAT(refusal([](v1::Section&, v1::Rule& rule) { rule.set_domain_names(0, "*"); }),
              HasSubstr("'*' is no domain name"));
}

}  // namespace
}  // namespace sluice
