// Connections that are picked up in the middle, as after a restart, and what outlives a packet that is refused.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

constexpr std::uint16_t kClientPort = 40000;

// The server admits the client on TCP and SCTP port 80, and where `isolated_for_egress` is set, may open nothing
// itself.
ResolvedPolicy Policy(bool client_admitted, bool isolated_for_egress) {
  PolicyBuilder builder;
  const GroupId client = builder.Group("client");
  const GroupId server = builder.Group("server");
  builder.Endpoint("client", {Ip("10.0.0.1"), Ip("fd00::1")}, {client})
      .Endpoint("server", {Ip("10.0.0.2"), Ip("fd00::2")}, {server});
  std::vector<Rule> rules;
  if (client_admitted) rules.push_back(AllowRule(client, {{kProtoTcp, 80, 80}, {kProtoSctp, 80, 80}}));
  builder.Section("default/server", Direction::kIngress, server, rules);
  if (isolated_for_egress) builder.Section("default/quiet", Direction::kEgress, server, {});
  return std::move(builder.policy());
}

PacketBuilder ServerSctpData() {
  return PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1").Sctp(80, kClientPort).Chunk(0, ByteVector(12));
}
PacketBuilder ClientSctpData() {
  return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Sctp(kClientPort, 80).Chunk(0, ByteVector(12));
}
PacketBuilder ServerTcpV6(std::uint8_t flags) {
  return PacketBuilder().Ethernet().Ipv6("fd00::2", "fd00::1").Tcp(80, kClientPort, flags);
}
PacketBuilder ClientTcpV6(std::uint8_t flags) {
  return PacketBuilder().Ethernet().Ipv6("fd00::1", "fd00::2").Tcp(kClientPort, 80, flags);
}

struct Ends {
  const char* name;
  PacketBuilder from_client;
  PacketBuilder from_server;
};
std::vector<Ends> ConnectionsInTheMiddle() {
  return {{"tcp", ClientTcp(kTcpAck, kClientPort), ServerTcp(kTcpAck, kClientPort)},
          {"tcp, answer to a SYN", ClientTcp(kTcpAck, kClientPort), ServerTcp(kTcpSyn | kTcpAck, kClientPort)},
          {"tcp over ipv6", ClientTcpV6(kTcpAck), ServerTcpV6(kTcpAck)},
          {"sctp", ClientSctpData(), ServerSctpData()}};
}

TEST(PickedUp, ServersPacketThatComesFirstBelongsToTheClientsConnection) {
  for (const Ends& ends : ConnectionsInTheMiddle()) {
    SCOPED_TRACE(ends.name);
    PipelineFixture fixture;
    fixture.Load(Policy(true, true));
    EXPECT_EQ(Told(fixture.Send(ends.from_server)), "forward new");
    const FlowView flow = fixture.Flows().at(0);
    EXPECT_EQ(flow.source.port, kClientPort);
    EXPECT_EQ(flow.destination.port, 80);
    EXPECT_TRUE(flow.guessed);
    EXPECT_FALSE(flow.replied);
    EXPECT_EQ(Told(fixture.Send(ends.from_client)), "forward established");
    EXPECT_TRUE(fixture.Flows().at(0).replied);
    EXPECT_EQ(fixture.Flows().at(0).state, ends.from_client.Bytes() == ClientSctpData().Bytes()
                                               ? FlowState::kSctpEstablished
                                               : FlowState::kTcpEstablished);
  }
}

TEST(PickedUp, DenyOfTheServersIngressCutsIt) {
  for (const Ends& ends : ConnectionsInTheMiddle()) {
    SCOPED_TRACE(ends.name);
    PipelineFixture fixture;
    fixture.Load(Policy(true, false));
    fixture.Send(ends.from_server);
    fixture.Send(ends.from_client);
    fixture.Load(Policy(false, false));
    EXPECT_EQ(Told(fixture.Send(ends.from_server)), "drop none flow_cut");
    EXPECT_EQ(Told(fixture.Send(ends.from_client)), "drop none flow_cut");
  }
}

TEST(PickedUp, IsolationOfTheServersEgressLeavesItAlone) {
  for (const Ends& ends : ConnectionsInTheMiddle()) {
    SCOPED_TRACE(ends.name);
    PipelineFixture fixture;
    fixture.Load(Policy(true, false));
    fixture.Send(ends.from_server);
    fixture.Send(ends.from_client);
    fixture.Load(Policy(true, true));
    EXPECT_EQ(Told(fixture.Send(ends.from_server)), "forward reply");
    EXPECT_EQ(Told(fixture.Send(ends.from_client)), "forward established");
  }
}

TEST(PickedUp, WherePortsDoNotTellTheEndThatSpeaksOpenedIt) {
  PipelineFixture fixture;
  fixture.Load(Policy(true, false));
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck, 1000))), "forward new");
  EXPECT_EQ(fixture.Flows().at(0).source.port, 80);
  EXPECT_TRUE(fixture.Flows().at(0).guessed);
}

TEST(PickedUp, ConnectionThatWasSeenToBeginIsNoGuess) {
  PipelineFixture fixture;
  fixture.Load(Policy(true, false));
  fixture.Send(ClientTcp(kTcpSyn, kClientPort));
  fixture.Send(ServerTcp(kTcpSyn | kTcpAck, kClientPort));
  EXPECT_FALSE(fixture.Flows().at(0).guessed);
  fixture.Send(ServerTcp(kTcpSyn, 1000));  // a SYN's sender opens, whatever the ports
  EXPECT_FALSE(fixture.Flows().at(1).guessed);
}

// One end alone, which may be forged, never makes a flow that a flood cannot evict.
TEST(PickedUp, OneEndAloneEstablishesNothing) {
  for (const std::uint8_t flags : {std::uint8_t{kTcpAck}, std::uint8_t{kTcpFin | kTcpAck}}) {
    for (const bool server : {true, false}) {
      PipelineFixture fixture;
      fixture.Load(Policy(true, false));
      const PacketBuilder packet = server ? ServerTcp(flags, kClientPort) : ClientTcp(flags, kClientPort);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(fixture.Send(packet).verdict, Verdict::kForward);
      EXPECT_FALSE(fixture.Flows().at(0).replied);
      EXPECT_NE(fixture.Flows().at(0).state, FlowState::kTcpEstablished);
      for (std::uint16_t port = 1; port <= 100; ++port) fixture.Send(ServerUdp(port, 99));
      EXPECT_EQ(fixture.counters().stateless.value(), 0u);
      bool there = false;
      for (const FlowView& flow : fixture.Flows()) there = there || flow.source.port == kClientPort;
      EXPECT_FALSE(there);
    }
  }
}

TEST(PickedUp, StrictTcpTakesUpNothing) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.tcp_strict = true;
  PipelineFixture fixture(config);
  fixture.Load(Policy(true, false));
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck, kClientPort))), "drop none tcp_no_syn");
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck, kClientPort))), "drop none tcp_no_syn");
  EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
}

std::vector<ByteVector> InFragments(PacketBuilder packet) {
  return SplitIntoFragments(packet.Payload(64).Bytes(), 32, 7);
}

// The later fragment waits for its first one, comes free with it, and must not do what that one may not.
TEST(Fragments, HeldOneOpensNothingWhereItsFirstIsRefused) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.tcp_strict = true;
  for (const bool together : {true, false}) {
    PipelineFixture fixture(config);
    fixture.Load(Policy(true, false));
    const std::vector<ByteVector> fragments = InFragments(ClientTcp(kTcpAck, kClientPort));
    ASSERT_GE(fragments.size(), 2u);
    std::vector<Outcome> outcomes;
    if (together) {
      outcomes = fixture.Burst({fragments[1], fragments[0]});
    } else {
      fixture.Burst({fragments[1]});
      outcomes = fixture.Burst({fragments[0]});
    }
    ASSERT_EQ(outcomes.size(), 2u);
    EXPECT_EQ(Told(outcomes[0]), "drop none tcp_no_syn");
    EXPECT_EQ(Told(outcomes[1]), "drop none fragment_denied");
    EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
  }
}

// What a SYN may not open, its other fragments may not either by being guessed the other way round.
TEST(Fragments, LaterOneOfARefusedSynIsNotTakenForAnAnswer) {
  PipelineFixture fixture;
  fixture.Load(Policy(true, true));  // the server may open nothing; the client may open port 80
  const std::vector<ByteVector> fragments = InFragments(ServerTcp(kTcpSyn, kClientPort));
  const std::vector<Outcome> outcomes = fixture.Burst({fragments[1], fragments[0]});
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_EQ(Told(outcomes[0]), "drop none policy_denied");
  EXPECT_EQ(Told(outcomes[1]), "drop none fragment_denied");
  EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
}

TEST(Fragments, LaterOnesOfACutFlowNeitherPassNorEndTheCut) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  fixture.Send(ClientUdp(kClientPort));
  fixture.Send(ServerUdp(kClientPort));
  fixture.Load(ServerAdmitsClient({}, false));
  const std::vector<ByteVector> fragments = InFragments(ServerUdp(kClientPort));
  for (const Outcome& outcome : fixture.Burst({fragments[1], fragments[0]})) {
    EXPECT_EQ(outcome.verdict, Verdict::kDrop) << Name(outcome.reason);
  }
  EXPECT_EQ(Told(fixture.Send(ServerUdp(kClientPort))), "drop none flow_cut");
}

// Before a new connection is admitted, the old one stays.
TEST(Pipeline, RefusedSynLeavesTheFlowThatItWouldHaveReplaced) {
  PipelineFixture fixture;
  fixture.Load(Policy(true, true));
  for (const auto& packet : {ClientTcp(kTcpSyn, kClientPort), ServerTcp(kTcpSyn | kTcpAck, kClientPort),
                             ClientTcp(kTcpAck, kClientPort), ServerTcp(kTcpFin | kTcpAck, kClientPort),
                             ClientTcp(kTcpFin | kTcpAck, kClientPort), ServerTcp(kTcpAck, kClientPort)}) {
    ASSERT_EQ(fixture.Send(packet).verdict, Verdict::kForward);
  }
  ASSERT_EQ(fixture.Flows().at(0).state, FlowState::kTcpTimeWait);
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpSyn, kClientPort))), "drop none policy_denied");
  ASSERT_EQ(fixture.pipeline().Observe().flows, 1u);
  EXPECT_EQ(fixture.Flows().at(0).state, FlowState::kTcpTimeWait);
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpFin | kTcpAck, kClientPort))), "forward reply") << "sent once more";
}

// A server that pushes after one request: QUIC, WireGuard, media.
TEST(Pipeline, UdpFlowWhoseEndsHaveBothSpokenLivesByItsStreamTimeoutWhicheverSpeaksNext) {
  for (const bool server : {true, false}) {
    PipelineFixture fixture;
    fixture.Load(Policy(true, true));
    fixture.Load(ServerAdmitsClient());
    fixture.Send(ClientUdp());
    EXPECT_EQ(Told(fixture.Send(ServerUdp())), "forward reply");
    for (int i = 0; i < 3; ++i) {
      fixture.Advance(119);
      fixture.SweepAll();
      EXPECT_EQ(Told(fixture.Send(server ? ServerUdp() : ClientUdp())),
                server ? "forward reply" : "forward established");
    }
    fixture.Advance(121);
    fixture.SweepAll();
    EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
  }
}

}  // namespace
}  // namespace sluice
