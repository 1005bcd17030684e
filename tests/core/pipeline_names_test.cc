// Rules by domain name under packets: what an answer brought opens new connections for its time, and live ones keep it.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/pipeline_fixture.h"
#include "table/learnt_names.h"

namespace sluice {
namespace {

constexpr char kOutside[] = "198.51.100.7";

Rule ByName(std::vector<std::string> names, std::int32_t index = 0) {
  Rule rule;
  rule.domain_names = DomainPatterns(std::move(names));
  rule.index = index;
  return rule;
}

// Pod 10.0.0.1 may reach what the rules say, and nothing else. `more`: a policy that has nothing to do with it.
ResolvedPolicy Admits(std::vector<Rule> rules, bool more = false) {
  PolicyBuilder builder;
  const GroupId client = builder.Group("client");
  builder.Endpoint("client", {Ip("10.0.0.1")}, {client});
  Rule deny;
  deny.action = Action::kDeny;
  deny.index = static_cast<std::int32_t>(rules.size());
  rules.push_back(deny);
  builder.Cluster("names", Direction::kEgress, client, Tier::kAdmin, 5, std::move(rules));
  if (more) {
    deny.ports = {TcpPort(9999)};
    deny.any_port = false;
    builder.Cluster("others", Direction::kEgress, client, Tier::kAdmin, 1, {deny});
  }
  return std::move(builder.policy());
}

ResolvedPolicy Reaches(std::vector<std::string> names, bool more = false) {
  std::vector<Rule> rules;
  if (!names.empty()) rules.push_back(ByName(std::move(names)));
  return Admits(std::move(rules), more);
}

// To all addresses, before whatever the pod may reach by name.
ResolvedPolicy ReachesAll(std::vector<std::string> names) {
  std::vector<Rule> rules = {Rule()};
  if (!names.empty()) rules.push_back(ByName(std::move(names), 1));
  return Admits(std::move(rules));
}

// No policy concerns what the pod may reach, but it is a pod.
ResolvedPolicy AdmitsByDefault() {
  PolicyBuilder builder;
  builder.Endpoint("client", {Ip("10.0.0.1")}, {builder.Group("client")});
  return std::move(builder.policy());
}

class PipelineNames : public testing::Test {
 protected:
  static PipelineConfig Config(const LearntNames* learnt) {
    PipelineConfig config = PipelineFixture::SmallConfig();
    config.learnt_names = learnt;
    return config;
  }
  void Learn(std::vector<std::string> names, double seconds, const std::string& address = kOutside) {
    std::vector<LearntName> entry;
    for (std::string& name : names) {
      entry.push_back({std::move(name), fixture.now_ns() + static_cast<std::uint64_t>(seconds * 1e9)});
    }
    learnt.Put(Ip(address), std::move(entry));
  }
  std::string Send(std::uint16_t port, std::uint8_t flags) {
    return Told(fixture.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.1", kOutside).Tcp(port, 443, flags)));
  }
  std::string Answer(std::uint16_t port, std::uint8_t flags) {
    return Told(fixture.Send(PacketBuilder().Ethernet().Ipv4(kOutside, "10.0.0.1").Tcp(443, port, flags)));
  }
  void Open(std::uint16_t port) {
    ASSERT_EQ(Send(port, kTcpSyn), "forward new");
    ASSERT_EQ(Answer(port, kTcpSyn | kTcpAck), "forward reply");
    ASSERT_EQ(Send(port, kTcpAck), "forward established");
  }

  LearntNames learnt;
  PipelineFixture fixture{Config(&learnt)};
};

TEST_F(PipelineNames, FQ_02_AnAddressOpensConnectionsFromItsAnswerToItsTime) {
  fixture.Load(Reaches({"a.example.com"}));
  EXPECT_EQ(Send(1000, kTcpSyn), "drop none policy_denied");
  Learn({"a.example.com"}, 30);
  Open(1001);
  fixture.Advance(29.9);
  Open(1002);
  fixture.Advance(0.1);
  EXPECT_EQ(Send(1003, kTcpSyn), "drop none policy_denied");
}

TEST_F(PipelineNames, FQ_02_AConnectionKeepsWhatItBeganWithPastItsTime) {
  fixture.Load(Reaches({"a.example.com"}));
  Learn({"a.example.com"}, 30);
  Open(1000);
  fixture.Advance(100);
  fixture.SweepAll();
  EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  EXPECT_EQ(Answer(1000, kTcpAck), "forward reply");
  EXPECT_EQ(fixture.counters().flows_judged_again.value(), 0u);
}

TEST_F(PipelineNames, FQ_02_AChangeOfPolicyJudgesAgainWithTheNameItBeganWith) {
  for (const bool swept : {false, true}) {
    for (const bool forgotten : {false, true}) {
      SCOPED_TRACE(std::to_string(swept) + ' ' + std::to_string(forgotten));
      const std::uint16_t port = static_cast<std::uint16_t>(1000 + 2 * swept + forgotten);
      fixture.Load(Reaches({"a.example.com"}));
      Learn({"a.example.com"}, 30);
      Open(port);
      fixture.Advance(100);
      if (forgotten) learnt.Put(Ip(kOutside), {});
      const std::uint64_t judged = fixture.counters().flows_judged_again.value();
      fixture.Load(Reaches({"a.example.com"}, true));
      if (swept) fixture.pipeline().CatchUp(fixture.table(), fixture.now_ns(), 1000);
      EXPECT_EQ(Answer(port, kTcpAck), "forward reply");
      EXPECT_EQ(Send(port, kTcpAck), "forward established");
      EXPECT_GT(fixture.counters().flows_judged_again.value(), judged);
      EXPECT_EQ(Send(3000, kTcpSyn), "drop none policy_denied");
    }
  }
  EXPECT_EQ(fixture.counters().flows_cut.value(), 0u);
}

TEST_F(PipelineNames, FQ_02_ARuleThatAsksForItsNameInOtherWordsKeepsTheConnection) {
  fixture.Load(Reaches({"a.example.com", "b.example.com"}));
  Learn({"a.example.com"}, 30);
  Open(1000);
  fixture.Advance(100);
  fixture.Load(Reaches({"a.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  fixture.Load(Reaches({"*.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  fixture.Load(Reaches({"b.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "drop none flow_cut");
}

TEST_F(PipelineNames, FQ_02_ANameThatAConnectionDidNotBeginWithKeepsItOnlyForItsTime) {
  fixture.Load(Reaches({"a.example.com"}));
  Learn({"a.example.com", "b.example.com"}, 30);
  Open(1000);
  Open(1001);
  fixture.Load(Reaches({"b.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  fixture.Load(Reaches({"a.example.com"}));
  EXPECT_EQ(Send(1001, kTcpAck), "forward established");
  fixture.Advance(100);
  fixture.Load(Reaches({"b.example.com"}));
  EXPECT_EQ(Send(1001, kTcpAck), "drop none flow_cut");
}

TEST_F(PipelineNames, FQ_02_AConnectionKeepsTheNameItBeganWithWhileAnotherRuleAdmitsIt) {
  std::uint16_t port = 1000;
  for (const bool swept : {false, true}) {
    for (const bool forgotten : {false, true}) {
      for (const bool stands : {false, true}) {
        SCOPED_TRACE(testing::Message() << swept << forgotten << stands);
        fixture.Load(Reaches({"a.example.com"}));
        Learn({"a.example.com"}, 30);
        Open(++port);
        fixture.Advance(100);
        if (forgotten) learnt.Put(Ip(kOutside), {});
        const auto names = stands ? std::vector<std::string>{"a.example.com"} : std::vector<std::string>{};
        // One rule after another takes the flow over.
        for (const ResolvedPolicy& policy : {ReachesAll(names), AdmitsByDefault(), ReachesAll(names)}) {
          fixture.Load(policy);
          if (swept) fixture.pipeline().CatchUp(fixture.table(), fixture.now_ns(), 1000);
          ASSERT_EQ(Send(port, kTcpAck), "forward established");
        }
        for (int turn = 0; turn < 2; ++turn) {
          fixture.Load(Reaches({"a.example.com"}, turn != 0));
          if (swept) fixture.pipeline().CatchUp(fixture.table(), fixture.now_ns(), 1000);
          EXPECT_EQ(Answer(port, kTcpAck), "forward reply");
          EXPECT_EQ(Send(port, kTcpAck), "forward established");
        }
        EXPECT_EQ(Send(3000, kTcpSyn), "drop none policy_denied");
      }
    }
  }
  EXPECT_EQ(fixture.counters().flows_cut.value(), 0u);
}

TEST_F(PipelineNames, FQ_02_WhatAConnectionBeganWithIsNoOtherName) {
  fixture.Load(Reaches({"a.example.com"}));
  Learn({"a.example.com", "b.example.com"}, 30);
  Open(1000);
  fixture.Load(ReachesAll({}));
  EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  fixture.Advance(100);
  fixture.Load(Reaches({"b.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "drop none flow_cut");
  // It is over, and what it began with, too.
  fixture.Load(Reaches({"a.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "drop none flow_cut");
}

TEST_F(PipelineNames, AConnectionThatBeganWithoutANameHasNone) {
  fixture.Load(ReachesAll({"a.example.com"}));
  Learn({"a.example.com"}, 30);
  Open(1000);
  fixture.Advance(100);
  fixture.Load(Reaches({"a.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "drop none flow_cut");
}

// The next flow has the number of one that ended, and nothing else of it.
TEST_F(PipelineNames, TheNameThatAConnectionBeganWithEndsWithIt) {
  fixture.Load(Reaches({"a.example.com"}));
  Learn({"a.example.com"}, 30);
  Open(1000);
  fixture.Load(ReachesAll({}));
  EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  fixture.Advance(1e6);
  fixture.SweepAll();
  ASSERT_TRUE(fixture.Flows().empty());
  Open(1001);
  fixture.Load(Reaches({"a.example.com"}));
  EXPECT_EQ(Send(1001, kTcpAck), "drop none flow_cut");
}

// A compiler with room for one pod's identity, which each policy makes another one: so each begins another epoch, with
// rule ids of its own.
class PipelineNamesEpochs : public PipelineNames {
 protected:
  void Load(ResolvedPolicy policy) {
    const std::uint64_t before = fixture.table().epoch();
    fixture.Load(Compile(std::move(policy)));
    ASSERT_NE(fixture.table().epoch(), before);
  }
  std::shared_ptr<const Table> Compile(ResolvedPolicy policy) {
    policy.groups[0].key += std::to_string(++policies_);
    return MustCompile(epochs_, policy);
  }

 private:
  Compiler epochs_{{.identities = 2}};
  int policies_ = 0;
};

TEST_F(PipelineNamesEpochs, FQ_02_AConnectionKeepsTheNameItBeganWithFromEpochToEpoch) {
  for (const bool swept : {false, true}) {
    for (const bool forgotten : {false, true}) {
      SCOPED_TRACE(std::to_string(swept) + ' ' + std::to_string(forgotten));
      const std::uint16_t port = static_cast<std::uint16_t>(1000 + 2 * swept + forgotten);
      Load(Reaches({"a.example.com"}));
      Learn({"a.example.com"}, 30);
      Open(port);
      fixture.Advance(100);
      if (forgotten) learnt.Put(Ip(kOutside), {});
      for (const bool more : {true, false, true}) {
        Load(Reaches({"a.example.com"}, more));
        if (swept) fixture.pipeline().CatchUp(fixture.table(), fixture.now_ns(), 1000);
        EXPECT_EQ(Answer(port, kTcpAck), "forward reply");
        EXPECT_EQ(Send(port, kTcpAck), "forward established");
        EXPECT_EQ(Send(3000, kTcpSyn), "drop none policy_denied");
      }
    }
  }
  EXPECT_EQ(fixture.counters().flows_cut.value(), 0u);
  Load(Reaches({"b.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "drop none flow_cut");
  EXPECT_EQ(Answer(1001, kTcpAck), "drop none flow_cut");
}

TEST_F(PipelineNamesEpochs, FQ_02_AConnectionThatAnotherRuleAdmitsKeepsTheNameItBeganWithFromEpochToEpoch) {
  Load(Reaches({"a.example.com"}));
  Learn({"a.example.com"}, 30);
  Open(1000);
  fixture.Advance(100);
  for (int epoch = 0; epoch < 3; ++epoch) {
    Load(ReachesAll({"b.example.com"}));
    EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  }
  Load(Reaches({"a.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  Load(ReachesAll({"b.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "forward established");
  Load(Reaches({"b.example.com"}));
  EXPECT_EQ(Send(1000, kTcpAck), "drop none flow_cut");
}

// The first rule of either epoch has the same id.
TEST_F(PipelineNamesEpochs, ARuleOfAnotherEpochIsNoNameThatAConnectionBeganWith) {
  for (const bool skipped : {false, true}) {
    SCOPED_TRACE(skipped);
    Load(Admits({Rule()}));
    Open(1000);
    if (skipped) Compile(Reaches({"b.example.com"}));  // no worker sees it
    Load(Reaches({"b.example.com"}));
    EXPECT_EQ(Send(1000, kTcpAck), "drop none flow_cut");
    EXPECT_EQ(Answer(1000, kTcpAck), "drop none flow_cut");
  }
}

TEST_F(PipelineNames, TheEndOfTheRuleCutsItsConnectionsAtOnce) {
  fixture.Load(Reaches({"a.example.com"}));
  Learn({"a.example.com"}, 3000);
  Open(1000);
  fixture.Load(Reaches({}));
  EXPECT_EQ(Send(1000, kTcpAck), "drop none flow_cut");
  EXPECT_EQ(Send(1001, kTcpSyn), "drop none policy_denied");
  fixture.Load(Reaches({"a.example.com"}));
  Open(1002);
}

TEST_F(PipelineNames, WithoutAMapARuleByNameMatchesNothing) {
  PipelineFixture without;
  without.Load(Reaches({"a.example.com"}));
  EXPECT_EQ(Told(without.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.1", kOutside).Tcp(1000, 443, kTcpSyn))),
            "drop none policy_denied");
}

TEST_F(PipelineNames, TheRuleByNameIsCountedAndNamed) {
  fixture.Load(Reaches({"a.example.com"}));
  Learn({"a.example.com"}, 30);
  const Outcome outcome = fixture.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.1", kOutside).Tcp(1000, 443, kTcpSyn));
  const TableRule& rule = fixture.table().rule(outcome.egress.rule);
  EXPECT_EQ(rule.policy, "names");
  EXPECT_EQ(rule.index, 0);
  EXPECT_EQ(rule.domain_names.ToString(), "a.example.com");
  fixture.SweepAll();
  EXPECT_EQ(fixture.CountOf(outcome.egress.rule).packets, 1u);
}

}  // namespace
}  // namespace sluice
