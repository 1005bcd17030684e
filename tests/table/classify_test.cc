#include "table/classify.h"

#include <gtest/gtest.h>

#include "table/policy_builder.h"

namespace sluice {
namespace {

std::string Rule(const Table& table, const Decision& decision) {
  if (decision.rule == kNoRule) return decision.allow ? "allow" : "deny";
  const TableRule& rule = table.rule(decision.rule);
  return std::string(decision.allow ? "allow " : "deny ") + rule.policy + '[' + std::to_string(rule.index) + ']';
}

class ClassifyTest : public ::testing::Test {
 protected:
  ClassifyTest() {
    const NodeId n1 = builder_.Node("n1", {Ip("192.0.2.1")}, {Cidr("10.0.0.0/24")});
    const NodeId n2 = builder_.Node("n2", {Ip("192.0.2.2")}, {Cidr("10.0.1.0/24")});
    web_ = builder_.Group("web");
    client_ = builder_.Group("client");
    world_ = builder_.Group("world", {{Cidr("0.0.0.0/0"), {Cidr("203.0.113.0/24")}}});
    builder_.Endpoint("web", {Ip("10.0.0.1")}, {web_}, n1);
    builder_.Endpoint("client", {Ip("10.0.1.1")}, {client_}, n2);
    builder_.Section("default/a", Direction::kIngress, web_, {AllowRule(client_, {TcpPort(80)})});
    builder_.Section("default/b", Direction::kIngress, web_,
                     {AllowRule(world_, {TcpPort(443)}), AllowRule(client_, {}, 1)});
    builder_.Section("default/c", Direction::kEgress, client_, {AllowRule(kAnyPeer, {{kProtoTcp, 1, 1023}})});
    table_ = MustCompile(compiler_, builder_.policy());
  }

  PolicyBuilder builder_;
  Compiler compiler_;
  GroupId web_, client_, world_;
  std::shared_ptr<const Table> table_;
};

TEST_F(ClassifyTest, BothDirectionsMustPassAndNameTheirRules) {
  const Classification seen = Classify(*table_, "10.0.1.1", "10.0.0.1", kProtoTcp, 80);
  EXPECT_TRUE(seen.allow);
  EXPECT_EQ(Rule(*table_, seen.egress), "allow default/c[0]");
  EXPECT_EQ(Rule(*table_, seen.ingress), "allow default/a[0]");
}

TEST_F(ClassifyTest, EgressDenialWinsOverIngressAllowance) {
  const Classification seen = Classify(*table_, "10.0.1.1", "10.0.0.1", kProtoTcp, 8080);
  EXPECT_FALSE(seen.allow);
  EXPECT_EQ(Rule(*table_, seen.egress), "deny default/c[-1]");
  EXPECT_EQ(Rule(*table_, seen.ingress), "allow default/b[1]");
}

TEST_F(ClassifyTest, DefaultDenyNamesTheFirstIsolatingPolicy) {
  const Classification seen = Classify(*table_, "203.0.113.9", "10.0.0.1", kProtoTcp, 443);
  EXPECT_FALSE(seen.allow);
  EXPECT_EQ(Rule(*table_, seen.egress), "allow");
  EXPECT_EQ(Rule(*table_, seen.ingress), "deny default/a[-1]");
}

TEST_F(ClassifyTest, DefaultDenyIsOfAllPoliciesThatIsolate) {
  const Classification seen = Classify(*table_, "203.0.113.9", "10.0.0.1", kProtoTcp, 443);
  std::vector<std::string> names;
  for (const RuleId deny : table_->DefaultDenies(seen.ingress_sections)) names.push_back(table_->rule(deny).policy);
  EXPECT_EQ(names, (std::vector<std::string>{"default/a", "default/b"}));
  EXPECT_EQ(seen.egress_sections, kEmptyIdSet);
  EXPECT_EQ(Classify(*table_, "198.51.100.7", "10.0.0.1", kProtoTcp, 443).ingress_sections, kEmptyIdSet);
}

TEST_F(ClassifyTest, CidrsAdmitExternalAddressesLessTheirExcepts) {
  EXPECT_TRUE(Classify(*table_, "198.51.100.7", "10.0.0.1", kProtoTcp, 443).allow);
  EXPECT_FALSE(Classify(*table_, "198.51.100.7", "10.0.0.1", kProtoTcp, 444).allow);
  EXPECT_FALSE(Classify(*table_, "198.51.100.7", "10.0.0.1", kProtoUdp, 443).allow);
}

TEST_F(ClassifyTest, CidrsAdmitPodsToo) {  // NP-42
  EXPECT_EQ(Rule(*table_, Classify(*table_, "10.0.1.1", "10.0.0.1", kProtoTcp, 443).ingress), "allow default/b[0]");
}

TEST_F(ClassifyTest, ProtocolsWithoutPortsMatchRulesWithoutPorts) {  // NP-61
  const Classification seen = Classify(*table_, "10.0.1.1", "10.0.0.1", kProtoIcmp, 0);
  EXPECT_EQ(Rule(*table_, seen.ingress), "allow default/b[1]");
  EXPECT_EQ(Rule(*table_, seen.egress), "deny default/c[-1]");
}

TEST_F(ClassifyTest, OwnNodeAndSelfAreExemptUnlessAskedOtherwise) {  // NP-70, NP-71
  const Classification own = Classify(*table_, "192.0.2.1", "10.0.0.1", kProtoTcp, 9999);
  EXPECT_TRUE(own.allow);
  EXPECT_EQ(own.exemption, Exemption::kNode);
  EXPECT_FALSE(own.concerned);
  EXPECT_EQ(Classify(*table_, "10.0.0.1", "192.0.2.1", kProtoTcp, 9999).exemption, Exemption::kNode);
  EXPECT_FALSE(Classify(*table_, "192.0.2.2", "10.0.0.1", kProtoTcp, 9999).allow);
  EXPECT_FALSE(Classify(*table_, "192.0.2.1", "10.0.0.1", kProtoTcp, 9999, false).allow);
  EXPECT_EQ(Classify(*table_, "10.0.0.1", "10.0.0.1", kProtoTcp, 9999).exemption, Exemption::kSelf);
  EXPECT_FALSE(Classify(*table_, "10.0.0.1", "10.0.0.1", kProtoTcp, 9999, false).allow);
}

TEST_F(ClassifyTest, AddressInAPodCidrWithoutEndpointIsUnknown) {
  EXPECT_TRUE(Classify(*table_, "10.0.0.200", "198.51.100.1", kProtoTcp, 80).unknown_endpoint);
  EXPECT_TRUE(Classify(*table_, "198.51.100.1", "10.0.1.200", kProtoTcp, 80).unknown_endpoint);
  EXPECT_FALSE(Classify(*table_, "10.0.0.1", "10.0.1.1", kProtoTcp, 80).unknown_endpoint);
  EXPECT_FALSE(Classify(*table_, "192.0.2.1", "198.51.100.1", kProtoTcp, 80).unknown_endpoint);
}

TEST_F(ClassifyTest, AddressOfSeveralNodesIsNeitherUnknownNorAnyPodsOwnNodes) {  // NP-70
  builder_.Node("node3", {Ip("192.0.2.1"), Ip("10.0.0.200")});
  builder_.Node("node4", {Ip("10.0.0.200")});
  const auto table = MustCompile(compiler_, builder_.policy());
  EXPECT_FALSE(Classify(*table, "10.0.0.200", "198.51.100.1", kProtoTcp, 80).unknown_endpoint);
  EXPECT_FALSE(Classify(*table, "10.0.0.200", "10.0.0.1", kProtoTcp, 9999).allow);
  EXPECT_EQ(Classify(*table, "192.0.2.1", "10.0.0.1", kProtoTcp, 9999).exemption, Exemption::kNone);
  const std::string dump = table->Dump();
  const std::size_t line = dump.find("host 192.0.2.1 identity=");
  ASSERT_NE(line, std::string::npos) << dump;
  EXPECT_NE(dump.substr(line, dump.find('\n', line) - line).find(" node=(several)"), std::string::npos) << dump;
}

TEST_F(ClassifyTest, NeitherEndManagedConcernsNoPolicy) {
  const Classification seen = Classify(*table_, "198.51.100.1", "198.51.100.2", kProtoTcp, 80);
  EXPECT_FALSE(seen.concerned);
  EXPECT_TRUE(seen.allow);
}

TEST_F(ClassifyTest, DecisionsAreRememberedAcrossGenerationsOfOneEpoch) {
  Classifier classifier(1024);
  const ClassifyQuery query{Ip("10.0.1.1"), Ip("10.0.0.1"), kProtoTcp, 80};
  Classification result;
  classifier.Classify(*table_, std::span(&query, 1), &result);
  EXPECT_EQ(classifier.worked_out(), 2u);
  builder_.Endpoint("late", {Ip("10.0.0.50")}, {});
  const auto next = MustCompile(compiler_, builder_.policy());
  classifier.Classify(*next, std::span(&query, 1), &result);
  EXPECT_EQ(classifier.worked_out(), 2u);
}

TEST_F(ClassifyTest, TinyMemoryStillAnswersRight) {
  Classifier tiny(1);
  Classifier roomy(1 << 16);
  std::vector<ClassifyQuery> queries;
  for (std::uint16_t port : {80, 443, 8080, 22}) {
    for (const char* source : {"10.0.1.1", "198.51.100.1", "203.0.113.1", "10.0.0.1"}) {
      for (const char* destination : {"10.0.1.1", "10.0.0.1", "198.51.100.1"}) {
        queries.push_back({Ip(source), Ip(destination), kProtoTcp, port});
      }
    }
  }
  std::vector<Classification> a(queries.size()), b(queries.size());
  for (int round = 0; round < 3; ++round) {
    tiny.Classify(*table_, queries, a.data());
    roomy.Classify(*table_, queries, b.data());
    for (std::size_t i = 0; i < queries.size(); ++i) {
      EXPECT_EQ(a[i].allow, b[i].allow);
      EXPECT_EQ(a[i].egress.rule, b[i].egress.rule);
      EXPECT_EQ(a[i].ingress.rule, b[i].ingress.rule);
    }
  }
}

TEST(ClassifyTiers, AdminThenNetworkPolicyThenBaseline) {  // CNP-01 to CNP-04: the form carries them from the start
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  const GroupId good = builder.Group("good", {{Cidr("198.51.100.0/24"), {}}});
  const GroupId evil = builder.Group("evil", {{Cidr("203.0.113.0/24"), {}}});
  const GroupId any = builder.Group("any", {{Cidr("0.0.0.0/0"), {}}});
  builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
  builder.Endpoint("free", {Ip("10.0.0.2")}, {});
  const auto rule = [](GroupId peers, Action action, std::int32_t index) {
    sluice::Rule made = AllowRule(peers, {}, index);
    made.action = action;
    return made;
  };
  builder.Cluster("late", Direction::kIngress, web, Tier::kAdmin, 20, {rule(any, Action::kDeny, 0)});
  builder.Cluster("early", Direction::kIngress, web, Tier::kAdmin, 10,
                  {rule(evil, Action::kDeny, 0), rule(good, Action::kPass, 1)});
  builder.Cluster("base", Direction::kIngress, web, Tier::kBaseline, 0, {rule(any, Action::kDeny, 0)});
  Compiler compiler;
  auto table = MustCompile(compiler, builder.policy());
  const auto ingress = [&](const char* source) {
    return Rule(*table, Classify(*table, source, "10.0.0.1", kProtoTcp, 80).ingress);
  };
  EXPECT_EQ(ingress("203.0.113.1"), "deny early[0]");
  EXPECT_EQ(ingress("198.51.100.1"), "deny base[0]");  // Pass, no NetworkPolicy isolates: Baseline
  EXPECT_EQ(ingress("192.0.2.9"), "deny late[0]");
  builder.Section("default/np", Direction::kIngress, web, {AllowRule(good, {TcpPort(80)})});
  table = MustCompile(compiler, builder.policy());
  EXPECT_EQ(ingress("198.51.100.1"), "allow default/np[0]");
  EXPECT_EQ(Rule(*table, Classify(*table, "198.51.100.1", "10.0.0.1", kProtoTcp, 81).ingress), "deny default/np[-1]");
}

// No cluster policy of Kubernetes' isolates (CNP-05), but a sender may say so.
TEST(ClassifyTiers, SectionOfATierThatIsolatesHasItsRulesInTheTierAndItsDenyBelow) {
  PolicyBuilder builder;
  const GroupId web = builder.Group("web");
  const GroupId good = builder.Group("good", {{Cidr("198.51.100.0/24"), {}}});
  builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
  builder.Cluster("strict", Direction::kIngress, web, Tier::kBaseline, 0, {AllowRule(good, {TcpPort(80)})});
  builder.policy().sections.back().isolates = true;
  Compiler compiler;
  auto table = MustCompile(compiler, builder.policy());
  const auto ingress = [&](std::uint16_t port) {
    return Rule(*table, Classify(*table, "198.51.100.1", "10.0.0.1", kProtoTcp, port).ingress);
  };
  EXPECT_EQ(ingress(80), "deny strict[-1]");  // Baseline comes after what isolates
  builder.policy().sections.back().tier = Tier::kAdmin;
  table = MustCompile(compiler, builder.policy());
  EXPECT_EQ(ingress(80), "allow strict[0]");
  EXPECT_EQ(ingress(81), "deny strict[-1]");
}

// Whether few rules name no port, which are looked at each time, or many, whose outcome is remembered.
TEST(ClassifyTiers, AnswersAreTheSameWhenAskedAgain) {
  for (const int any_port_rules : {0, 1, 40}) {
    PolicyBuilder builder;
    const GroupId web = builder.Group("web");
    std::vector<sluice::Rule> rules;
    for (std::int32_t i = 0; i < any_port_rules; ++i) {
      const Prefix one = Prefix::Make(IpAddress::V4(0xc6336400u + static_cast<std::uint32_t>(i)), 32);
      rules.push_back(AllowRule(builder.Group("one" + std::to_string(i), {{one, {}}}), {}, i));
      rules.back().action = i % 2 == 0 ? Action::kDeny : Action::kPass;
    }
    for (const std::uint16_t port : {80, 81}) {
      rules.push_back(
          AllowRule(kAnyPeer, {TcpPort(port), {kProtoTcp, 81, 90}}, static_cast<std::int32_t>(rules.size())));
      rules.back().action = port == 80 ? Action::kDeny : Action::kAllow;
    }
    builder.Endpoint("web", {Ip("10.0.0.1")}, {web});
    builder.Cluster("admin", Direction::kIngress, web, Tier::kAdmin, 0, rules);
    Compiler compiler;
    const auto table = MustCompile(compiler, builder.policy());
    Classifier classifier(64);
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 41; ++i) {
        const bool passes = i < any_port_rules && i % 2 != 0;
        const bool denied = i < any_port_rules && i % 2 == 0;
        const std::string source = "198.51.100." + std::to_string(i);
        const auto ask = [&](std::uint16_t port) {
          const ClassifyQuery query{Ip(source), Ip("10.0.0.1"), kProtoTcp, port};
          Classification result;
          classifier.Classify(*table, std::span(&query, 1), &result);
          return Rule(*table, result.ingress);
        };
        const std::string own = (denied ? "deny admin[" : "") + (denied ? std::to_string(i) + "]" : "");
        const std::string last = std::to_string(any_port_rules);
        EXPECT_EQ(ask(80), denied ? own : passes ? "allow" : "deny admin[" + last + "]") << any_port_rules << ' ' << i;
        EXPECT_EQ(ask(85), denied ? own : passes ? "allow" : "deny admin[" + last + "]") << any_port_rules << ' ' << i;
        EXPECT_EQ(ask(443), denied ? own : "allow") << any_port_rules << ' ' << i;
      }
    }
  }
}

}  // namespace
}  // namespace sluice
