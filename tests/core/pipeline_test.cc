#include "core/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/first_packet.h"
#include "core/pipeline_fixture.h"
#include "sluice/protocol.h"
#include "table/classify.h"

namespace sluice {
namespace {

TEST(NetworkPolicy, NP_04_RepliesPassWhateverTheOtherDirectionsRulesSay) {
  PolicyBuilder builder;
  const GroupId client = builder.Group("client");
  const GroupId server = builder.Group("server");
  builder.Endpoint("client", {Ip("10.0.0.1"), Ip("fd00::1")}, {client})
      .Endpoint("server", {Ip("10.0.0.2"), Ip("fd00::2")}, {server})
      .Section("default/server-in", Direction::kIngress, server, {AllowRule(client, {TcpPort(80)})})
      .Section("default/server-out", Direction::kEgress, server, {})
      .Section("default/client-in", Direction::kIngress, client, {});
  PipelineFixture fixture;
  fixture.Load(builder.policy());
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpSyn | kTcpAck))), "drop none policy_denied");
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpSyn))), "forward new");
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpSyn | kTcpAck), 1)), "forward reply");
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck))), "forward established");
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpSyn, 1001), 1)), "drop none policy_denied");
  const auto packet = [](const char* from, const char* to, std::uint16_t sport, std::uint16_t dport, int flags) {
    return PacketBuilder().Ethernet().Ipv6(from, to).Tcp(sport, dport, static_cast<std::uint8_t>(flags));
  };
  EXPECT_EQ(Told(fixture.Send(packet("fd00::2", "fd00::1", 80, 9, kTcpSyn | kTcpAck))), "drop none policy_denied");
  EXPECT_EQ(Told(fixture.Send(packet("fd00::1", "fd00::2", 9, 80, kTcpSyn))), "forward new");
  EXPECT_EQ(Told(fixture.Send(packet("fd00::2", "fd00::1", 80, 9, kTcpSyn | kTcpAck))), "forward reply");
}

TEST(Pipeline, BothRulesOfAFlowCountAllItsPackets) {
  PolicyBuilder builder;
  const GroupId client = builder.Group("client");
  const GroupId server = builder.Group("server");
  builder.Endpoint("client", {Ip("10.0.0.1")}, {client})
      .Endpoint("server", {Ip("10.0.0.2")}, {server})
      .Section("default/in", Direction::kIngress, server, {AllowRule(client, {TcpPort(80)})})
      .Section("default/out", Direction::kEgress, client, {AllowRule(server)});
  PipelineFixture fixture;
  fixture.Load(builder.policy());
  const Outcome first = fixture.Send(ClientTcp(kTcpSyn));
  ASSERT_NE(first.egress.rule, kNoRule);
  ASSERT_NE(first.ingress.rule, kNoRule);
  ASSERT_NE(first.egress.rule, first.ingress.rule);
  std::uint64_t bytes = ClientTcp(kTcpSyn).Bytes().size();
  for (int i = 0; i < 5; ++i) {
    fixture.SendQuietly({ServerTcp(kTcpAck).Payload(100).Bytes()});
    bytes += ServerTcp(kTcpAck).Payload(100).Bytes().size();
  }
  const std::uint64_t hit_ns = fixture.now_ns();
  const FlowView flow = fixture.Flows().at(0);
  EXPECT_EQ(flow.traffic.packets, 6u);
  EXPECT_EQ(flow.traffic.bytes, bytes);
  EXPECT_EQ(flow.reply.packets, 5u);
  EXPECT_EQ(flow.reply.bytes, bytes - ClientTcp(kTcpSyn).Bytes().size());
  EXPECT_EQ(flow.began_ms, hit_ns / 1'000'000);
  fixture.Advance(1);
  fixture.SweepAll();
  for (const RuleId rule : {first.egress.rule, first.ingress.rule}) {
    EXPECT_EQ(fixture.CountOf(rule).packets, 6u);
    EXPECT_EQ(fixture.CountOf(rule).bytes, bytes);
    EXPECT_EQ(fixture.CountOf(rule).last_hit_ns, hit_ns);
  }
  // At its end too, and once only.
  fixture.SendQuietly({ClientTcp(kTcpAck).Bytes()});
  fixture.Advance(600000);
  fixture.SweepAll();
  EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
  EXPECT_EQ(fixture.CountOf(first.egress.rule).packets, 7u);
  const Outcome denied = fixture.Send(ClientTcp(kTcpSyn, 1000, 81));
  EXPECT_EQ(Told(denied), "drop none policy_denied");
  EXPECT_EQ(fixture.CountOf(denied.ingress.rule).packets, 1u);
  EXPECT_EQ(fixture.CountOf(denied.egress.rule).packets, 7u);
}

TEST(Pipeline, DefaultDenyCountsForEachPolicyThatIsolates) {
  PolicyBuilder builder;
  const GroupId client = builder.Group("client");
  const GroupId server = builder.Group("server");
  builder.Endpoint("client", {Ip("10.0.0.1")}, {client})
      .Endpoint("server", {Ip("10.0.0.2")}, {server})
      .Section("default/a", Direction::kIngress, server, {AllowRule(client, {TcpPort(80)})})
      .Section("default/b", Direction::kIngress, server, {})
      .Section("default/c", Direction::kIngress, client, {})
      .Section("default/d", Direction::kIngress, server, {});
  PipelineFixture fixture;
  fixture.Load(builder.policy());
  const Outcome denied = fixture.Send(ClientTcp(kTcpSyn, 1000, 81));
  EXPECT_EQ(Told(denied), "drop none policy_denied");
  fixture.Send(ClientTcp(kTcpSyn, 1000, 82));
  const std::vector<RuleId> denies = fixture.table().DefaultDenies(denied.ingress_sections);
  ASSERT_EQ(denies.size(), 3u);
  EXPECT_EQ(denies[0], denied.ingress.rule);
  for (const RuleId deny : denies) {
    EXPECT_EQ(fixture.CountOf(deny).packets, 2u) << fixture.table().rule(deny).policy;
    EXPECT_EQ(fixture.CountOf(deny).bytes, 2 * ClientTcp(kTcpSyn).Bytes().size());
  }
  for (RuleId rule = 1; rule < fixture.table().rule_limit(); ++rule) {
    if (fixture.table().rule(rule).policy != "default/c") continue;
    EXPECT_EQ(fixture.CountOf(rule).packets, 0u);
  }
}

TEST(Pipeline, OfThousandsOfIsolatingPoliciesADenialCountsForTheFirst) {
  PolicyBuilder builder;
  const GroupId server = builder.Group("server");
  builder.Endpoint("server", {Ip("10.0.0.2")}, {server});
  for (int i = 1000; i < 4000; ++i) builder.Section("default/" + std::to_string(i), Direction::kIngress, server, {});
  PipelineFixture fixture;
  fixture.Load(builder.policy());
  const Outcome denied = fixture.Send(ClientTcp(kTcpSyn, 1000, 81));
  EXPECT_EQ(fixture.table().rule(denied.ingress.rule).policy, "default/1000");
  for (RuleId rule = 1; rule < fixture.table().rule_limit(); ++rule) {
    EXPECT_EQ(fixture.CountOf(rule).packets, rule == denied.ingress.rule ? 1u : 0u);
  }
}

TEST(Pipeline, DuplicatesOfANewKeyInOneBurstOpenOneFlow) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  const auto outcomes = fixture.Burst(
      {ClientUdp().Bytes(), ClientUdp().Bytes(), ServerUdp().Bytes(), ClientUdp().Bytes(), ClientUdp(1001).Bytes()});
  std::vector<std::string> told;
  for (const Outcome& outcome : outcomes) told.push_back(Told(outcome));
  EXPECT_EQ(told, (std::vector<std::string>{"forward new", "forward new", "forward reply", "forward established",
                                            "forward new"}));
  EXPECT_EQ(fixture.pipeline().Observe().flows, 2u);
  EXPECT_EQ(fixture.counters().flows_created.value(), 2u);
}

TEST(Pipeline, UnmanagedTrafficPassesWithoutAFlow) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  EXPECT_EQ(Told(fixture.Send(PacketBuilder().Ethernet().Ipv4("192.0.2.1", "192.0.2.2").Udp(1, 2))), "forward none");
  EXPECT_EQ(Told(fixture.Send(PacketBuilder().Ethernet().Arp())), "forward none");
  EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
}

TEST(Pipeline, BeforeAnyPolicyItFailsClosedOrOpenAsTold) {
  PipelineFixture closed;
  EXPECT_EQ(Told(closed.Send(ClientUdp())), "drop none no_policy");
  EXPECT_EQ(Told(closed.Send(PacketBuilder().Ethernet().Arp())), "forward none");
  closed.Load(ServerAdmitsClient());
  EXPECT_EQ(Told(closed.Send(ClientUdp())), "forward new");
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.fail_closed = false;
  PipelineFixture open(config);
  EXPECT_EQ(Told(open.Send(ClientUdp())), "forward none");
}

TEST(Pipeline, UnknownEndpointIsDroppedOrNotAsTold) {
  PolicyBuilder builder;
  builder.Node("n1", {Ip("192.168.0.1")}, {Cidr("10.0.0.0/24")});
  builder.Endpoint("client", {Ip("10.0.0.1")}, {}, 0);
  const PacketBuilder packet = PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.77").Udp(1, 2);
  PipelineFixture fixture;
  fixture.Load(builder.policy());
  EXPECT_EQ(Told(fixture.Send(packet)), "drop none unknown_endpoint");
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.drop_unknown_endpoint = false;
  PipelineFixture lenient(config);
  lenient.Load(builder.policy());
  EXPECT_EQ(Told(lenient.Send(packet)), "forward new");
}

// Two nodes, a pod on the first, and an address outside.
PolicyBuilder NodesAndAPod() {
  PolicyBuilder builder;
  builder.Node("n1", {Ip("192.168.0.1"), Ip("192.168.1.1"), Ip("fd01::1")}, {Cidr("10.0.0.0/24")});
  builder.Node("n2", {Ip("192.168.0.2"), Ip("fd01::2")}, {Cidr("10.0.1.0/24")});
  builder.Endpoint("pod", {Ip("10.0.0.1")}, {}, 0);
  return builder;
}

PacketBuilder Between(const char* from, const char* to) { return PacketBuilder().Ethernet().Ipv4(from, to); }

TEST(Pipeline, TunnelsBetweenNodesAreCountedAndPassOrNotAsTold) {
  std::vector<PacketBuilder> tunnels;
  for (const std::uint16_t port : {4500, 4789, 6081, 8472, 51820, 51821, 51871}) {
    tunnels.push_back(Between("192.168.0.1", "192.168.0.2").Udp(40000, port).Payload(60));
    tunnels.push_back(PacketBuilder().Ethernet().Ipv6("fd01::2", "fd01::1").Udp(40000, port).Payload(60));
  }
  for (const std::uint8_t protocol : {4, 41, 47, 50}) {
    tunnels.push_back(Between("192.168.0.2", "192.168.0.1").Protocol(protocol).Payload(60));
  }
  tunnels.push_back(
      Between("192.168.0.1", "203.0.113.9").Udp(40000, 8472).Payload(60));  // another node, for all it knows
  PipelineFixture passes;
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.encapsulation = Encapsulation::kRefuse;
  PipelineFixture refuses(config);
  for (PipelineFixture* fixture : {&passes, &refuses}) fixture->Load(NodesAndAPod().policy());
  for (const PacketBuilder& tunnel : tunnels) {
    EXPECT_EQ(Told(passes.Send(tunnel)), "forward none");
    EXPECT_EQ(Told(refuses.Send(tunnel)), "drop none encapsulated");
  }
  EXPECT_EQ(passes.counters().encapsulated.value(), tunnels.size());
  EXPECT_EQ(refuses.counters().encapsulated.value(), tunnels.size());
}

TEST(Pipeline, WhatIsNoTunnelBetweenNodesIsNotTakenForOne) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.encapsulation = Encapsulation::kRefuse;
  PipelineFixture fixture(config);
  fixture.Load(NodesAndAPod().policy());
  EXPECT_EQ(Told(fixture.Send(Between("192.168.0.1", "192.168.0.2").Tcp(40000, 4789, kTcpSyn))), "forward none");
  EXPECT_EQ(Told(fixture.Send(Between("192.168.0.1", "192.168.0.2").Udp(4789, 53))), "forward none");
  EXPECT_EQ(Told(fixture.Send(Between("192.168.0.1", "192.168.1.1").Udp(1, 4789))), "forward none");  // one node
  EXPECT_EQ(Told(fixture.Send(Between("203.0.113.9", "203.0.113.8").Udp(1, 4789))), "forward none");
  // A pod's tunnel is the pod's, and policy's to judge.
  EXPECT_EQ(Told(fixture.Send(Between("10.0.0.1", "192.168.0.2").Udp(1, 4789))), "forward new");
  EXPECT_EQ(Told(fixture.Send(Between("10.0.0.1", "192.168.0.2").Protocol(47).Payload(40))), "forward new");
  EXPECT_EQ(fixture.counters().encapsulated.value(), 0u);
}

// For every combination of what can be wrong: tools that have no packet say what the pipeline does.
TEST(Pipeline, ReasonBesidePolicyIsWhatTheFirstPacketIsDroppedFor) {
  PolicyBuilder builder;
  builder.Node("n1", {Ip("192.168.0.1")}, {Cidr("10.0.0.0/24"), Cidr("fd00::/64")});
  builder.Endpoint("client", {Ip("10.0.0.1"), Ip("fd00::1")}, {}, 0);
  std::map<std::string, int> times;  // by reason
  for (int round = 0; round < 16; ++round) {
    PipelineConfig config = PipelineFixture::SmallConfig();
    config.fail_closed = (round & 1) != 0;
    config.drop_unknown_endpoint = (round & 2) != 0;
    config.encapsulation = (round & 8) != 0 ? Encapsulation::kRefuse : Encapsulation::kPass;
    for (const auto& [source, destination] :
         {std::pair("10.0.0.1", "10.0.0.77"), std::pair("192.168.0.1", "192.168.0.2"),
          std::pair("192.168.0.2", "192.168.0.1"), std::pair("192.168.0.1", "10.0.0.1"),
          std::pair("192.168.0.1", "10.0.0.77"), std::pair("192.168.0.3", "192.168.0.4"),
          std::pair("10.0.0.77", "10.0.0.1"), std::pair("224.0.0.1", "10.0.0.77"), std::pair("239.1.2.3", "10.0.0.1"),
          std::pair("255.255.255.255", "10.0.0.1"), std::pair("10.0.0.1", "198.51.100.1"),
          std::pair("10.0.0.1", "224.0.0.1"), std::pair("ff02::1", "fd00::1"), std::pair("fd00::77", "fd00::1"),
          std::pair("fd00::1", "ff02::1"), std::pair("fd00::1", "2001:db8::1")}) {
      for (const auto& [protocol, port] : {std::pair(kProtoUdp, 2), std::pair(kProtoUdp, 4789),
                                           std::pair(kProtoUdp, 51820), std::pair(kProtoGre, 0)}) {
        PipelineFixture fixture(config);
        if ((round & 4) != 0) fixture.Load(builder.policy());
        const auto to_port = static_cast<std::uint16_t>(port);
        const ClassifyQuery query{Ip(source), Ip(destination), protocol, to_port};
        Classification answer;
        Classifier(1).Classify(fixture.table(), {&query, 1}, &answer);
        const std::string_view reason = ReasonBesidePolicy(config, fixture.table().has_policy(),
                                                           {.source = query.source,
                                                            .protocol = protocol,
                                                            .destination_port = to_port,
                                                            .unknown_endpoint = answer.unknown_endpoint,
                                                            .between_nodes = answer.between_nodes});
        PacketBuilder packet;
        packet.Ethernet();
        query.source.is_v4() ? packet.Ipv4(source, destination) : packet.Ipv6(source, destination);
        if (protocol == kProtoUdp) {
          packet.Udp(1, to_port);
        } else {
          packet.Protocol(protocol).Payload(40);
        }
        EXPECT_EQ(Name(fixture.Send(packet).reason), reason)
            << source << ' ' << destination << ' ' << +protocol << ' ' << port << ' ' << round;
        ++times[std::string(reason)];
      }
    }
  }
  for (const char* reason : {"", "bad_ip_address", "no_policy", "unknown_endpoint", "encapsulated"}) {
    EXPECT_GT(times[reason], 0) << reason;
  }
}

// What hooks do comes first, whatever the pipeline would say.
TEST(Pipeline, ReasonBesidePolicyKnowsWhatHooksDropBeforeIt) {
  PipelineConfig config;
  config.encapsulation = Encapsulation::kRefuse;
  const auto reason = [&](FirstPacket packet) { return ReasonBesidePolicy(config, true, packet); };
  FirstPacket packet{.source = Ip("224.0.0.1"), .protocol = kProtoUdp, .destination_port = 8472};
  packet.is_foreign = true;
  EXPECT_EQ(reason(packet), "spoofed_source");
  packet.is_to_node = true;
  EXPECT_EQ(reason(packet), "spoofed_source");
  packet.is_foreign = false;
  EXPECT_EQ(reason(packet), "spoofed_tunnel");
  packet.source = Ip("10.0.0.1");
  for (const int port : {4789, 6081, 8472}) {
    packet.destination_port = static_cast<std::uint16_t>(port);
    EXPECT_EQ(reason(packet), "spoofed_tunnel") << port;
  }
  for (const int port : {0, 53, 4500, 51820}) {  // whoever has no key gets nothing into those
    packet.destination_port = static_cast<std::uint16_t>(port);
    EXPECT_EQ(reason(packet), "") << port;
  }
  for (const std::uint8_t protocol : {kProtoIpv4, kProtoIpv6, kProtoGre}) {
    packet.protocol = protocol;
    EXPECT_EQ(reason(packet), "spoofed_tunnel") << +protocol;
  }
  packet.protocol = kProtoEsp;
  EXPECT_EQ(reason(packet), "");
  for (const std::string_view named : {kSpoofedSource, kSpoofedTunnel, Name(DropReason::kEncapsulated)}) {
    EXPECT_NE(ReasonText(named), "") << named;
  }
  EXPECT_EQ(ReasonText("of_a_newer_sluiced"), "");
}

TEST(Pipeline, StrictTcpOpensFlowsBySynOnly) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.tcp_strict = true;
  PipelineFixture fixture(config);
  fixture.Load(ServerAdmitsClient());
  for (const int flags : {+kTcpAck, kTcpSyn | kTcpAck, kTcpFin | kTcpAck, +kTcpRst}) {
    EXPECT_EQ(Told(fixture.Send(ClientTcp(static_cast<std::uint8_t>(flags)))), "drop none tcp_no_syn");
  }
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpSyn))), "forward new");
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck))), "forward new");
}

TEST(Pipeline, MidstreamTcpIsJudgedInTheDirectionItTravels) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpAck, 2000))), "forward new");
  EXPECT_EQ(fixture.Flows().at(0).state, FlowState::kTcpUnacknowledged);
  EXPECT_EQ(Told(fixture.Send(ServerTcp(kTcpAck, 2000))), "forward reply");
  EXPECT_EQ(fixture.Flows().at(0).state, FlowState::kTcpEstablished);
  EXPECT_EQ(Told(fixture.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.3", "10.0.0.2").Tcp(5, 80, kTcpAck))),
            "drop none policy_denied");
}

TEST(Pipeline, ExpiredFlowIsAbsent) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  fixture.Send(ClientUdp());
  fixture.Advance(30);
  EXPECT_EQ(Told(fixture.Send(ClientUdp())), "forward new");
  EXPECT_EQ(fixture.counters().flows_expired.value(), 0u);
  fixture.Advance(30.002);
  // The server's packet is no reply any more, but judged as its own: the client admits everyone.
  EXPECT_EQ(Told(fixture.Send(ServerUdp())), "forward new");
  EXPECT_EQ(fixture.counters().flows_expired.value(), 1u);
  EXPECT_EQ(fixture.Flows().at(0).source.address, Ip("10.0.0.2"));
  fixture.Advance(31);
  fixture.SweepAll();
  EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
}

TEST(Pipeline, SynOnAClosedConnectionIsJudgedAnewInItsOwnDirection) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  for (const auto& packet : {ClientTcp(kTcpSyn), ServerTcp(kTcpSyn | kTcpAck), ClientTcp(kTcpAck),
                             ServerTcp(kTcpFin | kTcpAck), ClientTcp(kTcpFin | kTcpAck), ServerTcp(kTcpAck)}) {
    EXPECT_EQ(fixture.Send(packet).verdict, Verdict::kForward);
  }
  EXPECT_EQ(fixture.Flows().at(0).state, FlowState::kTcpTimeWait);
  const auto outcomes = fixture.Burst({ClientTcp(kTcpAck).Bytes(), ClientTcp(kTcpSyn).Bytes(),
                                       ServerTcp(kTcpSyn | kTcpAck).Bytes(), ClientTcp(kTcpAck).Bytes()});
  std::vector<std::string> told;
  for (const Outcome& outcome : outcomes) told.push_back(Told(outcome));
  EXPECT_EQ(told,
            (std::vector<std::string>{"forward established", "forward new", "forward reply", "forward established"}));
  EXPECT_EQ(fixture.Flows().at(0).state, FlowState::kTcpEstablished);
  EXPECT_EQ(fixture.counters().flows_created.value(), 2u);
}

TEST(Pipeline, FullTableEvictsTheOldestUnrepliedFlowFirst) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.flow_capacity_ipv4 = 4;
  PipelineFixture fixture(config);
  fixture.Load(ServerAdmitsClient());
  for (const std::uint16_t port : {1, 2, 3, 4}) fixture.Send(ClientUdp(port));
  fixture.Send(ServerUdp(2));
  const auto ports = [&] {
    std::vector<std::uint16_t> all;
    for (const FlowView& flow : fixture.Flows()) all.push_back(flow.source.port);
    std::ranges::sort(all);
    return all;
  };
  fixture.Send(ClientUdp(5));
  EXPECT_EQ(ports(), (std::vector<std::uint16_t>{2, 3, 4, 5}));
  fixture.Send(ClientUdp(6));
  EXPECT_EQ(ports(), (std::vector<std::uint16_t>{2, 4, 5, 6}));
  EXPECT_EQ(fixture.counters().flows_evicted.value(), 2u);
}

TEST(Pipeline, FloodEvictsNoRepliedFlowAndIsForwardedStatelessly) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.flow_capacity_ipv4 = 8;
  PipelineFixture fixture(config);
  fixture.Load(ServerAdmitsClient());
  for (std::uint16_t port = 1; port <= 8; ++port) {
    fixture.Send(ClientUdp(port));
    fixture.Send(ServerUdp(port));
  }
  RuleId rule = kNoRule;
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    const Outcome outcome = fixture.Send(ClientUdp(port));
    EXPECT_EQ(Told(outcome), "forward none");
    rule = outcome.ingress.rule;
  }
  EXPECT_EQ(fixture.Send(ClientUdp(1, 81)).reason, DropReason::kPolicyDenied);
  EXPECT_EQ(fixture.counters().stateless.value(), 100u);
  EXPECT_EQ(fixture.counters().flows_evicted.value(), 0u);
  for (std::uint16_t port = 1; port <= 8; ++port) {
    EXPECT_EQ(Told(fixture.Send(ClientUdp(port))), "forward established");
  }
  fixture.SweepAll();
  EXPECT_EQ(fixture.CountOf(rule).packets, 100u + 8 * 3);
}

TEST(Pipeline, FragmentsFollowTheirFirst) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  const auto allowed = SplitIntoFragments(ClientUdp().Payload(100).Bytes(), 40, 7);
  ASSERT_EQ(allowed.size(), 3u);
  EXPECT_TRUE(fixture.Burst({allowed[1]}).empty());
  const auto outcomes = fixture.Burst({allowed[0], allowed[2]});
  ASSERT_EQ(outcomes.size(), 3u);
  for (const Outcome& outcome : outcomes) EXPECT_EQ(Told(outcome), "forward new");
  EXPECT_EQ(fixture.pipeline().Observe().flows, 1u);

  const auto denied = SplitIntoFragments(ClientUdp(5, 81).Payload(100).Bytes(), 40, 8);
  const auto together = fixture.Burst({denied[0], denied[1]});
  EXPECT_EQ(Told(together.at(0)), "drop none policy_denied");
  EXPECT_EQ(Told(together.at(1)), "drop none fragment_denied");
  EXPECT_EQ(Told(fixture.Burst({denied[2]}).at(0)), "drop none fragment_denied");

  EXPECT_TRUE(fixture.Burst({SplitIntoFragments(ClientUdp().Payload(100).Bytes(), 40, 9)[2]}).empty());
  fixture.Advance(2);
  fixture.SweepAll();
  EXPECT_EQ(fixture.output().drop.size(), 1u);
  EXPECT_EQ(fixture.Drops(DropReason::kFragmentOrphan), 1u);
}

TEST(Pipeline, HeldFragmentsAreDroppedAtTheEnd) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  fixture.Burst({SplitIntoFragments(ClientUdp().Payload(100).Bytes(), 40, 9)[2]});
  PipelineOutput out;
  fixture.pipeline().Finish(out);
  EXPECT_EQ(out.drop.size(), 1u);
}

TEST(Pipeline, IcmpErrorAboutALiveFlowIsRelated) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  fixture.Send(ClientUdp());
  const auto error = [](const char* from, const char* to, const PacketBuilder& quoted) {
    const ByteVector bytes = quoted.Bytes();
    return PacketBuilder().Ethernet().Ipv4(from, to).Icmp(3, 4).Payload(ByteVector(bytes.begin() + 14, bytes.end()));
  };
  // From a router to the client, about what the client sent; and to the server, about what it answered.
  EXPECT_EQ(Told(fixture.Send(error("192.0.2.1", "10.0.0.1", ClientUdp()))), "forward related");
  EXPECT_EQ(Told(fixture.Send(error("192.0.2.1", "10.0.0.2", ServerUdp()))), "forward related");
  // To the wrong side, and about no flow: ICMP like any other, which the server does not admit.
  EXPECT_EQ(Told(fixture.Send(error("192.0.2.1", "10.0.0.2", ClientUdp()))), "drop none policy_denied");
  EXPECT_EQ(Told(fixture.Send(error("192.0.2.1", "10.0.0.2", ServerUdp(1001)))), "drop none policy_denied");
  EXPECT_EQ(fixture.counters().related.value(), 2u);
  EXPECT_EQ(fixture.Flows().at(0).traffic.packets, 1u);
  fixture.Advance(31);
  EXPECT_EQ(Told(fixture.Send(error("192.0.2.1", "10.0.0.2", ServerUdp()))), "drop none policy_denied");
}

TEST(Pipeline, EchoIsAFlowAndItsReplyTheReply) {
  PolicyBuilder builder;
  const GroupId client = builder.Group("client");
  builder.Endpoint("client", {Ip("10.0.0.1")}, {client})
      .Endpoint("server", {Ip("10.0.0.2")}, {})
      .Section("default/client", Direction::kIngress, client, {});
  PipelineFixture fixture;
  fixture.Load(builder.policy());
  const PacketBuilder request = PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Icmp(8, 0, 7 << 16);
  const PacketBuilder reply = PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1").Icmp(0, 0, 7 << 16);
  const PacketBuilder request_back = PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1").Icmp(8, 0, 7 << 16);
  EXPECT_EQ(Told(fixture.Send(reply)), "drop none policy_denied");
  EXPECT_EQ(Told(fixture.Send(request)), "forward new");
  EXPECT_EQ(Told(fixture.Send(reply)), "forward reply");
  EXPECT_EQ(Told(fixture.Send(request_back)), "drop none policy_denied");
  EXPECT_EQ(fixture.pipeline().Observe().flows, 1u);
}

TEST(Pipeline, RejectAnswersWithinItsRate) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.action_on_deny = ActionOnDeny::kReject;
  config.rejects_per_second = 2;
  PipelineFixture fixture(config);
  fixture.Load(ServerAdmitsClient());
  EXPECT_EQ(Told(fixture.Send(ClientTcp(kTcpSyn, 1, 81), 6)), "reject none policy_denied");
  ASSERT_EQ(fixture.output().made.size(), 1u);
  EXPECT_EQ(fixture.output().made[0].out_port, 6);
  EXPECT_EQ(fixture.output().drop.size(), 1u);
  EXPECT_EQ(Told(fixture.Send(ClientUdp(1, 81))), "reject none policy_denied");
  EXPECT_EQ(Told(fixture.Send(ClientUdp(1, 81))), "drop none policy_denied");
  EXPECT_EQ(fixture.counters().answers.value(), 2u);
  EXPECT_EQ(fixture.counters().answers_limited.value(), 1u);
  fixture.Advance(0.5);
  EXPECT_EQ(Told(fixture.Send(ClientUdp(1, 81))), "reject none policy_denied");
  EXPECT_EQ(Told(fixture.Send(ClientUdp(1, 81))), "drop none policy_denied");
}

TEST(Pipeline, EveryPacketEndsInOneCounter) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  std::vector<ByteVector> burst;
  for (std::uint16_t port = 1; port <= 100; ++port) {
    burst.push_back(ClientUdp(port, port % 3 == 0 ? 81 : 80).Bytes());
    burst.push_back(PacketBuilder().Ethernet().EtherType(0x1234).Payload(50).Bytes());
  }
  fixture.SendQuietly(burst);
  EXPECT_EQ(fixture.Verdicts(Verdict::kForward), 67u);
  EXPECT_EQ(fixture.Verdicts(Verdict::kDrop), 133u);
  EXPECT_EQ(fixture.Drops(DropReason::kPolicyDenied), 33u);
  EXPECT_EQ(fixture.Drops(DropReason::kUnknownEthertype), 100u);
  EXPECT_EQ(fixture.output().forward.size(), 67u);
  EXPECT_EQ(fixture.output().drop.size(), 133u);
}

TEST(Pipeline, NoMemoryForFlowsIsAnError) {
  FlowMemory memory = FlowMemory::Heap();
  memory.allocate = [](std::size_t) { return nullptr; };
  const auto result = Pipeline::Create({}, memory);
  ASSERT_TRUE(std::holds_alternative<Diagnostic>(result));
  EXPECT_EQ(std::get<Diagnostic>(result).field, "flow_capacity_ipv4");
}

}  // namespace
}  // namespace sluice
