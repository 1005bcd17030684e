// Flows and the tables that change under them.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

void OpenConnection(PipelineFixture& fixture, std::uint16_t port = 1000) {
  for (const auto& packet : {ClientTcp(kTcpSyn, port), ServerTcp(kTcpSyn | kTcpAck, port), ClientTcp(kTcpAck, port)}) {
    ASSERT_EQ(fixture.Send(packet).verdict, Verdict::kForward);
  }
}

TEST(NetworkPolicy, NP_80_FlowThatTheNewTableDeniesIsCutAtItsNextPacket) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  OpenConnection(fixture);
  fixture.Send(ClientUdp());
  fixture.Load(ServerAdmitsClient({}, false));
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck))), "drop none policy_denied");
  EXPECT_EQ(Told(fixture.Send(ClientUdp())), "drop none policy_denied");
  EXPECT_EQ(fixture.counters().flows_cut.value(), 2u);
}

// The server may open connections to the client, but its half of a cut one must not pass for such.
TEST(NetworkPolicy, NP_80_CutConnectionStaysCutInBothDirections) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  OpenConnection(fixture);
  fixture.Load(ServerAdmitsClient({}, false));
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck))), "drop none policy_denied");
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck | kTcpPsh))), "drop none policy_denied");
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck))), "drop none policy_denied");
  EXPECT_EQ(fixture.Flows().at(0).state, FlowState::kCut);
  EXPECT_EQ(fixture.counters().flows_cut.value(), 1u);
  // Its own new connection to that port is another matter.
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpSyn))), "forward new");
}

TEST(Pipeline, CutConnectionThatIsAllowedAgainGoesOn) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  OpenConnection(fixture);
  fixture.Load(ServerAdmitsClient({}, false));
  fixture.Send(ClientTcp(kTcpAck));
  fixture.Load(ServerAdmitsClient());
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck))), "forward new");
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck))), "forward reply");
}

TEST(Pipeline, SweepCutsIdleFlows) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  for (std::uint16_t port = 1; port <= 20; ++port) OpenConnection(fixture, port);
  fixture.Send(ClientUdp());
  fixture.Load(ServerAdmitsClient({}, false));
  fixture.SweepAll();
  EXPECT_EQ(fixture.counters().flows_cut.value(), 21u);
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck, 5))), "drop none policy_denied");
  fixture.Advance(301);
  fixture.SweepAll();
  EXPECT_EQ(fixture.pipeline().flow_count(), 0u);
}

TEST(Pipeline, CatchesUpWithIdleFlowsInSlices) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  for (std::uint16_t port = 1; port <= 20; ++port) OpenConnection(fixture, port);
  for (const std::uint64_t cut : {20u, 20u}) {  // again from the middle, when all was cut already
    fixture.Load(ServerAdmitsClient({}, false));
    fixture.Send(ClientUdp());  // which brings the table
    EXPECT_TRUE(fixture.pipeline().IsBehind());
    PipelineOutput output;
    for (int slice = 0; slice < 3; ++slice) {
      fixture.pipeline().CatchUp(fixture.table(), fixture.now_ns(), 7, output);
    }
    EXPECT_FALSE(fixture.pipeline().IsBehind());
    EXPECT_EQ(fixture.counters().flows_cut.value(), cut);
  }
}

TEST(Pipeline, CutResetsBothSidesWhereDenyRejects) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.action_on_deny = ActionOnDeny::kReject;
  for (const bool idle : {false, true}) {
    PipelineFixture fixture(config);
    fixture.Load(ServerAdmitsClient());
    OpenConnection(fixture);
    fixture.Load(ServerAdmitsClient({}, false));
    if (idle) fixture.SweepAll();
    EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck), 2)), "reject none policy_denied");
    ASSERT_EQ(fixture.output().made.size(), 2u);
    EXPECT_EQ(fixture.output().made[0].port, 2);
    EXPECT_EQ(fixture.output().made[1].port, 3);
    EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck), 3)), "reject none policy_denied");
    EXPECT_EQ(fixture.output().made.size(), 1u);
  }
}

TEST(Pipeline, FlowAllowedByAnotherRuleCountsThereFromThenOn) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  const RuleId before = fixture.Send(ClientUdp()).ingress.rule;
  PolicyBuilder builder;
  fixture.Load(ServerAdmitsClient({AllowRule(0, {{kProtoUdp, 1, 100}}, 7)}));
  const Outcome outcome = fixture.Send(ClientUdp());
  EXPECT_EQ(Told(outcome), "forward new");
  EXPECT_NE(outcome.ingress.rule, before);
  fixture.Send(ClientUdp());
  fixture.SweepAll();
  EXPECT_EQ(fixture.CountOf(before).packets, 1u);
  EXPECT_EQ(fixture.CountOf(outcome.ingress.rule).packets, 2u);
  EXPECT_EQ(fixture.counters().flows_judged_again.value(), 1u);
}

TEST(Pipeline, ChangeElsewhereJudgesNoFlowAgain) {
  PipelineFixture fixture;
  ResolvedPolicy policy = ServerAdmitsClient();
  fixture.Load(policy);
  OpenConnection(fixture);
  const auto with_pod = [&](const char* address) {
    Endpoint pod;
    pod.namespace_name = "default";
    pod.name = address;
    pod.addresses = {Ip(address)};
    pod.members = policy.member_sets.Intern({});
    policy.endpoints.push_back(pod);
    fixture.Load(policy);
  };
  with_pod("10.0.0.9");
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck))), "forward established");
  with_pod("10.0.0.10");
  fixture.SweepAll();
  EXPECT_EQ(fixture.Flows().at(0).generation, fixture.table().generation());
  EXPECT_EQ(fixture.counters().flows_judged_again.value(), 0u);
}

TEST(Pipeline, FlowOfAPodThatIsGoneEnds) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  fixture.Send(ClientUdp());
  PolicyBuilder nobody;
  fixture.Load(nobody.policy());
  EXPECT_EQ(Told(fixture.Send(ClientUdp())), "forward none");
  EXPECT_EQ(fixture.pipeline().flow_count(), 0u);
  EXPECT_EQ(fixture.counters().flows_unmanaged.value(), 1u);
}

// Another compiler's table: its rule ids have nothing in common with those before.
TEST(Pipeline, NewEpochJudgesAllAgainAndKeepsTheOldCounts) {
  for (const bool generations_begin_anew : {true, false}) {
    PipelineFixture fixture;
    fixture.Load(ServerAdmitsClient());
    const RuleId before = fixture.Send(ClientUdp()).ingress.rule;
    const std::uint64_t old_epoch = fixture.table().epoch();
    Compiler other;
    PolicyBuilder filler;
    for (int i = 0; i < (generations_begin_anew ? 0 : 5); ++i) MustCompile(other, filler.policy());
    fixture.Load(MustCompile(other, ServerAdmitsClient()));
    ASSERT_NE(fixture.table().epoch(), old_epoch);
    const RuleId after = fixture.Send(ClientUdp()).ingress.rule;
    fixture.SweepAll();
    EXPECT_EQ(fixture.counters().flows_judged_again.value(), 1u);
    EXPECT_EQ(fixture.pipeline().CountOf(old_epoch, before).packets, 1u);
    EXPECT_EQ(fixture.CountOf(after).packets, 1u);
  }
}

TEST(Pipeline, IcmpErrorAboutAFlowThatTheNewTableDeniesIsNotRelated) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  OpenConnection(fixture);
  const ByteVector quoted = ServerTcp(kTcpAck).Bytes();
  const PacketBuilder error = PacketBuilder()
                                  .Ethernet()
                                  .Ipv4("192.0.2.1", "10.0.0.2")
                                  .Icmp(3, 4)
                                  .Payload(ByteVector(quoted.begin() + 14, quoted.end()));
  EXPECT_EQ(Told(fixture.Send(error)), "forward related");
  fixture.Load(ServerAdmitsClient({}, false));
  EXPECT_EQ(Told(fixture.Send(error)), "drop none policy_denied");
  EXPECT_EQ(fixture.counters().flows_cut.value(), 1u);
}

TEST(PipelineThreads, FlowsAndCountersAreReadWhilePacketsGoThrough) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  std::atomic<bool> stop = false;
  std::uint64_t seen = 0;
  const std::uint64_t epoch = fixture.table().epoch();
  std::thread reader([&] {
    while (!stop.load()) {
      fixture.pipeline().ForEachFlow([&](const FlowView& flow) {
        ASSERT_EQ(flow.source.address, Ip("10.0.0.1"));
        ASSERT_EQ(flow.destination.port, 80);
        ++seen;
      });
      fixture.pipeline().CountOf(epoch, 1);
      fixture.pipeline().flow_count();
      fixture.Verdicts(Verdict::kForward);
    }
  });
  for (std::uint32_t i = 0; i < 20000; ++i) {
    fixture.SendQuietly({ClientUdp(static_cast<std::uint16_t>(1 + i % 200)).Bytes()});
    if (i % 100 == 0) fixture.SweepAll();
    if (i % 1000 == 0) fixture.Load(ServerAdmitsClient());
  }
  stop = true;
  reader.join();
  EXPECT_EQ(fixture.Verdicts(Verdict::kForward), 20000u);
  EXPECT_GT(seen, 0u);
}

}  // namespace
}  // namespace sluice
