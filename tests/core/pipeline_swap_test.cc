// Flows and the tables that change under them.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <tuple>
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
  const Outcome cut = fixture.Send(ClientTcp(kTcpAck));
  EXPECT_EQ(Told(cut), "drop none flow_cut");
  EXPECT_FALSE(cut.ingress.allow);
  EXPECT_EQ(fixture.CountOf(cut.ingress.rule).packets, 1u);
  EXPECT_EQ(Told(fixture.Send(ClientUdp())), "drop none flow_cut");
  EXPECT_EQ(fixture.counters().flows_cut.value(), 2u);
  EXPECT_EQ(Told(fixture.Send(ClientUdp(1001))), "drop none policy_denied") << "never was allowed";
}

// Of each protocol: what opens a flow from the client, what the server answers, and what both send after that.
struct Exchange {
  const char* name;
  PacketBuilder opens;
  PacketBuilder answer;
  PacketBuilder more;
  PacketBuilder more_answers;
};
PacketBuilder FromClient() { return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder FromServer() { return PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1"); }
std::vector<Exchange> Exchanges() {
  constexpr std::uint8_t kData = 0, kInitAck = 2;
  const auto sctp = [](PacketBuilder packet, std::uint8_t type) { return packet.Chunk(type, ByteVector(16)); };
  const auto gre = [](PacketBuilder packet) { return packet.Protocol(47).Payload(ByteVector(16)); };
  return {{"tcp", ClientTcp(kTcpSyn), ServerTcp(kTcpSyn | kTcpAck), ClientTcp(kTcpAck), ServerTcp(kTcpAck | kTcpPsh)},
          {"udp", ClientUdp(), ServerUdp(), ClientUdp(), ServerUdp()},
          {"sctp", FromClient().Sctp(1000, 80, 0).InitChunk(), sctp(FromServer().Sctp(80, 1000), kInitAck),
           sctp(FromClient().Sctp(1000, 80), kData), sctp(FromServer().Sctp(80, 1000), kData)},
          {"icmp", FromClient().Icmp(8, 0, 7), FromServer().Icmp(0, 0, 7), FromClient().Icmp(8, 0, 7),
           FromServer().Icmp(0, 0, 7)},
          {"gre", gre(FromClient()), gre(FromServer()), gre(FromClient()), gre(FromServer())}};
}
// The server admits the client for whatever it sends, or for nothing; and may open flows to it as it likes.
ResolvedPolicy ServerAdmitsAll(bool admits) {
  return ServerAdmitsClient(admits ? std::vector{AllowRule(0, {})} : std::vector<Rule>{}, false);
}

// The server may open flows to the client, but its half of a cut one must not pass for such.
TEST(NetworkPolicy, NP_80_CutFlowStaysCutInBothDirections_OfEveryProtocol) {
  for (const Exchange& exchange : Exchanges()) {
    SCOPED_TRACE(exchange.name);
    for (const bool answered : {true, false}) {
      for (const bool swept : {false, true}) {
        PipelineFixture fixture;
        fixture.Load(ServerAdmitsAll(true));
        EXPECT_EQ(Told(fixture.Send(exchange.opens)), "forward new");
        if (answered) {
          EXPECT_EQ(Told(fixture.Send(exchange.answer)), "forward reply");
        }
        fixture.Load(ServerAdmitsAll(false));
        if (swept) fixture.SweepAll();
        EXPECT_EQ(Told(fixture.Send(exchange.more_answers)), "drop none flow_cut");
        EXPECT_EQ(Told(fixture.Send(exchange.more)), "drop none flow_cut");
        EXPECT_EQ(Told(fixture.Send(exchange.more_answers)), "drop none flow_cut");
        EXPECT_EQ(fixture.Flows().at(0).state, FlowState::kCut);
        EXPECT_EQ(fixture.counters().flows_cut.value(), 1u);
      }
    }
  }
}

// A new try of the same ends is judged, and wipes out nothing where it is denied.
TEST(NetworkPolicy, NP_80_DeniedTryDoesNotEndTheCut_OfEveryProtocol) {
  for (const Exchange& exchange : Exchanges()) {
    SCOPED_TRACE(exchange.name);
    PipelineFixture fixture;
    fixture.Load(ServerAdmitsAll(true));
    fixture.Send(exchange.opens);
    fixture.Send(exchange.answer);
    fixture.Load(ServerAdmitsAll(false));
    EXPECT_EQ(fixture.Send(exchange.opens).verdict, Verdict::kDrop);
    EXPECT_EQ(Told(fixture.Send(exchange.more_answers)), "drop none flow_cut");
    EXPECT_EQ(Told(fixture.Send(exchange.more)), "drop none flow_cut");
    EXPECT_EQ(fixture.pipeline().Observe().flows, 1u);
  }
}

TEST(NetworkPolicy, NP_80_CutEndsWithAnAdmittedPacketOfItsOriginalDirection_OfEveryProtocol) {
  for (const Exchange& exchange : Exchanges()) {
    SCOPED_TRACE(exchange.name);
    PipelineFixture fixture;
    fixture.Load(ServerAdmitsAll(true));
    fixture.Send(exchange.opens);
    fixture.Send(exchange.answer);
    fixture.Load(ServerAdmitsAll(false));
    fixture.Send(exchange.more);
    fixture.Load(ServerAdmitsAll(true));
    EXPECT_EQ(Told(fixture.Send(exchange.more_answers)), "drop none flow_cut") << "not by the other end";
    EXPECT_EQ(Told(fixture.Send(exchange.more)), "forward new");
    EXPECT_EQ(Told(fixture.Send(exchange.more_answers)), "forward reply");
  }
}

TEST(NetworkPolicy, NP_80_CutEndsWhenItsEndsWereSilentForItsTimeout) {
  const std::vector<Exchange> exchanges = Exchanges();
  const double timeouts[] = {300, 120, 210, 30, 600};
  for (std::size_t i = 0; i < exchanges.size(); ++i) {
    SCOPED_TRACE(exchanges[i].name);
    PipelineFixture fixture;
    fixture.Load(ServerAdmitsAll(true));
    fixture.Send(exchanges[i].opens);
    fixture.Load(ServerAdmitsAll(false));
    fixture.SweepAll();
    for (int tries = 0; tries < 3; ++tries) {
      fixture.Advance(timeouts[i] - 1);
      EXPECT_EQ(Told(fixture.Send(exchanges[i].more_answers)), "drop none flow_cut");
    }
    fixture.Advance(timeouts[i] + 1);
    fixture.SweepAll();
    EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
  }
}

TEST(NetworkPolicy, NP_80_ConnectionOfTheOtherEndTakesTheCutOnesPlace) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  OpenConnection(fixture);
  fixture.Load(ServerAdmitsClient({}, false));
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck))), "drop none flow_cut");
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpSyn))), "forward new");
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpSyn | kTcpAck))), "forward reply");
}

TEST(Pipeline, FloodEvictsNoTraceOfACutFlow) {
  for (const Exchange& exchange : Exchanges()) {
    SCOPED_TRACE(exchange.name);
    for (const bool answered : {true, false}) {
      PipelineFixture fixture;
      fixture.Load(ServerAdmitsAll(true));
      fixture.Send(exchange.opens);
      if (answered) fixture.Send(exchange.answer);
      fixture.Load(ServerAdmitsAll(false));
      fixture.SweepAll();
      for (std::uint16_t port = 1; port <= 500; ++port) fixture.Send(ServerUdp(port, 99));
      EXPECT_GT(fixture.counters().flows_evicted.value(), 300u);
      EXPECT_EQ(Told(fixture.Send(exchange.more_answers)), "drop none flow_cut");
    }
  }
}

// Many half-open flows, all cut at once, must not keep others from the table.
TEST(Pipeline, TracesOfFlowsThatWereNeverAnsweredGiveWayWhereNothingElseCan) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  for (std::uint16_t port = 1; port <= 64; ++port) fixture.Send(ClientUdp(port));
  fixture.Load(ServerAdmitsClient({}, false));
  fixture.SweepAll();
  EXPECT_EQ(fixture.counters().flows_cut.value(), 64u);
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpSyn, 9999))), "forward new");
  EXPECT_EQ(fixture.counters().stateless.value(), 0u);
  EXPECT_EQ(fixture.counters().flows_evicted.value(), 1u);
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
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck, 5))), "drop none flow_cut");
  fixture.Advance(301);
  fixture.SweepAll();
  EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
}

TEST(Pipeline, CatchesUpWithIdleFlowsInSlices) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  for (std::uint16_t port = 1; port <= 20; ++port) OpenConnection(fixture, port);
  for (const std::uint64_t cut : {20u, 20u}) {  // again from the middle, when all was cut already
    fixture.Load(ServerAdmitsClient({}, false));
    fixture.Send(ClientUdp());  // which brings the table
    EXPECT_TRUE(fixture.pipeline().IsBehind());
    for (int slice = 0; slice < 3; ++slice) {
      fixture.pipeline().CatchUp(fixture.table(), fixture.now_ns(), 7);
    }
    EXPECT_FALSE(fixture.pipeline().IsBehind());
    EXPECT_EQ(fixture.counters().flows_cut.value(), cut);
  }
}

// The look at all flows begins in the middle; flows that came since the swap must not use up its steps.
TEST(Pipeline, FlowsThatComeAfterASwapKeepNoIdleOneFromBeingLookedAt) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  for (std::uint16_t port = 1; port <= 20; ++port) fixture.Send(ClientUdp(port));
  const auto look = [&](std::uint32_t flows) { fixture.pipeline().CatchUp(fixture.table(), fixture.now_ns(), flows); };
  fixture.Load(ServerAdmitsClient());
  look(12);  // up to the middle
  fixture.Load(ServerAdmitsClient({}, false));
  for (std::uint16_t port = 1; port <= 20; ++port) fixture.Send(ServerUdp(port, 99));
  while (fixture.pipeline().IsBehind()) look(3);
  EXPECT_EQ(fixture.counters().flows_cut.value(), 20u);
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
    EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck), 2)), "reject none flow_cut");
    ASSERT_EQ(fixture.output().made.size(), 2u);
    EXPECT_EQ(fixture.output().made[0].out_port, 2);
    EXPECT_EQ(fixture.output().made[1].out_port, 3);
    EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck), 3)), "reject none flow_cut");
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
  EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
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
    EXPECT_EQ(fixture.pipeline().Observe().reader.CountOf(old_epoch, before).packets, 1u);
    EXPECT_EQ(fixture.CountOf(after).packets, 1u);
  }
}

// The same generation in other numbers: nothing is judged again, rules count on, and what was remembered of the old
// numbers answers nobody.
TEST(Pipeline, NewNumberingJudgesNoFlowAgainAndForgetsOldAnswers) {
  PipelineFixture fixture;
  const auto with_peers = [](int peers) {
    PolicyBuilder builder;
    builder.policy() = ServerAdmitsClient();
    std::vector<GroupId> others;
    for (int i = 0; i < peers; ++i) others.push_back(builder.Group("other " + std::to_string(i)));
    std::vector<Rule> rules;
    for (const GroupId other : others) rules.push_back(AllowRule(other, {}, static_cast<std::int32_t>(other)));
    // Before the pods' own sections: they get other numbers once this is gone.
    builder.Section("default/a", Direction::kIngress, 0, std::move(rules), false);
    builder.policy().endpoints[2].members = builder.policy().member_sets.Intern(others);
    builder.policy().sections.Sort();
    return std::move(builder.policy());
  };
  fixture.Load(with_peers(20));
  fixture.Load(with_peers(0));
  const RuleId rule = fixture.Send(ClientUdp()).ingress.rule;
  fixture.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.3", "10.0.0.2").Udp(1000, 80));
  const std::uint64_t numbering = fixture.table().numbering();
  const std::uint64_t generation = fixture.table().generation();
  fixture.Load(fixture.compiler().Renew(with_peers(0)));
  ASSERT_NE(fixture.table().numbering(), numbering);
  ASSERT_EQ(fixture.table().generation(), generation);
  EXPECT_EQ(Told(fixture.Send(ClientUdp())), "forward new");
  EXPECT_EQ(Told(fixture.Send(ClientUdp(2000))), "forward new");
  EXPECT_EQ(Told(fixture.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.3", "10.0.0.2").Udp(1000, 80))),
            "drop none policy_denied");
  fixture.SweepAll();
  EXPECT_EQ(fixture.counters().flows_judged_again.value(), 0u);
  EXPECT_EQ(fixture.CountOf(rule).packets, 3u);
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

// Flows keep the lower half of the generation that judged them; 60,000 changes a second use it up within a day.
TEST(Pipeline, GenerationsMayPassTwoToThe32nd) {
  constexpr std::uint64_t kLast = (std::uint64_t{1} << 32) - 3;
  PipelineFixture fixture;
  Compiler compiler({}, kLast);
  fixture.Load(MustCompile(compiler, ServerAdmitsClient()));
  OpenConnection(fixture);
  fixture.Send(ClientUdp(7));
  const RuleId rule = fixture.Send(ClientUdp(7)).ingress.rule;
  for (int i = 0; i < 6; ++i) {
    fixture.Load(MustCompile(compiler, ServerAdmitsClient()));
    EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck))), "forward established");
    EXPECT_EQ(fixture.Flows().at(0).generation, fixture.table().generation());
    if (i % 2 == 0) fixture.SweepAll();
  }
  EXPECT_GT(fixture.table().generation(), std::uint64_t{1} << 32);
  EXPECT_EQ(fixture.counters().flows_cut.value(), 0u);
  fixture.Send(ClientUdp(7));
  fixture.SweepAll();
  EXPECT_EQ(fixture.CountOf(rule).packets, 3u + 3u + 6u);
  fixture.Load(MustCompile(compiler, ServerAdmitsClient({}, false)));
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck))), "drop none flow_cut");
  for (int i = 0; i < 6; ++i) {
    fixture.Load(MustCompile(compiler, ServerAdmitsClient({}, false)));
    EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck))), "drop none flow_cut");
  }
}

TEST(PipelineThreads, FlowsAndCountersAreReadWhilePacketsGoThrough) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  std::atomic<bool> stop = false;
  std::uint64_t seen = 0;
  const std::uint64_t epoch = fixture.table().epoch();
  std::thread reader([&] {
    while (!stop.load()) {
      fixture.pipeline().Observe().reader.ForEachFlow([&](const FlowView& flow) {
        ASSERT_EQ(flow.source.address, Ip("10.0.0.1"));
        ASSERT_EQ(flow.destination.port, 80);
        ++seen;
      });
      fixture.pipeline().Observe().reader.CountOf(epoch, 1);
      std::ignore = fixture.pipeline().Observe().flows;
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
