// Letters from the control thread: flows that are taken from one worker to another, and flows that are ended.
#include "core/mailbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <span>
#include <thread>
#include <vector>

#include "core/capture_ring.h"
#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

void DeliverAll(PipelineFixture& fixture) {
  while (fixture.pipeline().mailbox().HasMail()) fixture.pipeline().ReadMail(fixture.table(), fixture.now_ns());
}

std::vector<KeptFlow> Export(PipelineFixture& fixture) {
  std::vector<KeptFlow> room(100);
  Letter letter(ExportFlows{.room = room});
  EXPECT_TRUE(fixture.pipeline().mailbox().Post(letter));
  DeliverAll(fixture);
  EXPECT_TRUE(letter.IsDone());
  room.resize(letter.Answer<ExportFlows>().exported);
  return room;
}

std::size_t Adopt(PipelineFixture& fixture, const std::vector<KeptFlow>& flows) {
  Letter letter(AdoptFlows{.flows = flows});
  EXPECT_TRUE(fixture.pipeline().mailbox().Post(letter));
  DeliverAll(fixture);
  return letter.Answer<AdoptFlows>().adopted;
}

std::size_t End(PipelineFixture& fixture, const char* one, const char* other) {
  Letter letter(EndFlows{.one = Ip(one), .other = Ip(other)});
  EXPECT_TRUE(fixture.pipeline().mailbox().Post(letter));
  DeliverAll(fixture);
  return letter.Answer<EndFlows>().ended;
}

PacketBuilder ClientTcpV6(std::uint8_t flags) {
  return PacketBuilder().Ethernet().Ipv6("fd00::1", "fd00::2").Tcp(1000, 80, flags);
}
PacketBuilder ServerTcpV6(std::uint8_t flags) {
  return PacketBuilder().Ethernet().Ipv6("fd00::2", "fd00::1").Tcp(80, 1000, flags);
}

void Establish(PipelineFixture& fixture) {
  for (const auto& packet : {ClientTcp(kTcpSyn), ServerTcp(kTcpSyn | kTcpAck), ClientTcp(kTcpAck), ClientTcpV6(kTcpSyn),
                             ServerTcpV6(kTcpSyn | kTcpAck), ClientTcpV6(kTcpAck), ClientUdp()}) {
    ASSERT_EQ(fixture.Send(packet).verdict, Verdict::kForward);
  }
}

TEST(Mailbox, AdoptedFlowsGoOnWhereTheyWere) {
  PipelineFixture before, after;
  before.Load(ServerAdmitsClient());
  after.Load(ServerAdmitsClient());
  Establish(before);
  before.Advance(7);
  before.Send(ClientTcp(kTcpAck));
  const std::vector<KeptFlow> kept = Export(before);
  ASSERT_EQ(kept.size(), 3u);
  after.Send(ClientUdp(9));  // brings the table
  EXPECT_EQ(Adopt(after, kept), 3u);
  EXPECT_EQ(Adopt(after, kept), 0u) << "they are there already";
  EXPECT_EQ(Told(after.Send(ServerTcp(kTcpAck))), "forward reply");
  EXPECT_EQ(Told(after.Send(ClientTcpV6(kTcpAck))), "forward established");
  EXPECT_EQ(Told(after.Send(ServerUdp())), "forward reply");
  EXPECT_EQ(after.counters().flows_cut.value(), 0u);
}

TEST(Mailbox, AdoptedFlowsThatPolicyDeniesNowAreCutWithOrWithoutAPacket) {
  PipelineFixture before;
  before.Load(ServerAdmitsClient());
  Establish(before);
  const std::vector<KeptFlow> kept = Export(before);
  for (const bool packet : {true, false}) {
    PipelineFixture after;
    after.Load(ServerAdmitsClient({}, false));
    EXPECT_EQ(Adopt(after, kept), 3u);
    if (packet) {
      EXPECT_EQ(Told(after.Send(ServerTcp(kTcpAck))), "drop none flow_cut");
    }
    while (after.pipeline().IsBehind()) after.pipeline().CatchUp(after.table(), after.now_ns(), 2);
    EXPECT_EQ(after.counters().flows_cut.value(), 3u);
  }
}

TEST(Mailbox, WhatIsOverIsNotAdopted) {
  PipelineFixture before, after;
  before.Load(ServerAdmitsClient());
  after.Load(ServerAdmitsClient());
  Establish(before);
  std::vector<KeptFlow> kept = Export(before);
  for (KeptFlow& flow : kept) flow.idle_ms += 31'000;  // past UDP's time-out
  EXPECT_EQ(Adopt(after, kept), 2u);
  EXPECT_EQ(after.pipeline().Observe().flows, 2u);
}

TEST(Mailbox, TracesOfCutFlowsAreKeptToo) {
  PipelineFixture before, after;
  before.Load(ServerAdmitsClient());
  Establish(before);
  before.Load(ServerAdmitsClient({}, false));
  before.SweepAll();
  after.Load(ServerAdmitsClient({}, false));
  EXPECT_EQ(Adopt(after, Export(before)), 3u);
  EXPECT_EQ(Told(after.Send(ServerTcp(kTcpAck))), "drop none flow_cut");
}

TEST(Mailbox, ExportSaysHowManyHadNoRoom) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  Establish(fixture);
  std::vector<KeptFlow> room(1);
  Letter letter(ExportFlows{.room = room});
  ASSERT_TRUE(fixture.pipeline().mailbox().Post(letter));
  DeliverAll(fixture);
  EXPECT_EQ(letter.Answer<ExportFlows>().exported, 1u);
  EXPECT_EQ(letter.Answer<ExportFlows>().left_out, 2u);
}

CarriedFlow Carried(const KeptFlow& flow, bool is_reply = false) {
  return {.source = is_reply ? flow.destination : flow.source,
          .destination = is_reply ? flow.source : flow.destination,
          .protocol = flow.protocol};
}

CarriedFlow Meet(PipelineFixture& fixture, CarriedFlow flow) {
  Letter letter(MeetCarried{.flows = std::span(&flow, 1)});
  EXPECT_TRUE(fixture.pipeline().mailbox().Post(letter));
  DeliverAll(fixture);
  EXPECT_TRUE(letter.IsDone());
  return flow;
}

TEST(Mailbox, FlowsMayBeCarriedWhileBothEndsTalkAndPolicyLetsThem) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  Establish(fixture);
  for (const KeptFlow& flow : Export(fixture)) {
    const bool is_tcp = flow.protocol == kProtoTcp;  // the datagram has no answer yet
    for (const bool is_reply : {false, true}) {
      const CarriedFlow answer = Meet(fixture, Carried(flow, is_reply));
      EXPECT_EQ(answer.may_be_carried, is_tcp);
      EXPECT_EQ(answer.is_reply, is_reply);
      EXPECT_EQ(answer.generation, fixture.table().generation());
    }
  }
  fixture.Send(ServerUdp());
  for (const KeptFlow& flow : Export(fixture)) EXPECT_TRUE(Meet(fixture, Carried(flow)).may_be_carried);

  fixture.Send(ClientTcp(kTcpFin | kTcpAck));
  fixture.Send(ServerTcpV6(kTcpRst));
  for (const KeptFlow& flow : Export(fixture)) {
    EXPECT_EQ(Meet(fixture, Carried(flow)).may_be_carried, flow.protocol == kProtoUdp);
  }
  const KeptFlow unknown{.source = {Ip("10.0.0.1"), 1}, .destination = {Ip("10.0.0.2"), 80}, .protocol = kProtoTcp};
  EXPECT_FALSE(Meet(fixture, Carried(unknown)).may_be_carried);
}

TEST(Mailbox, AnAssociationMayBeCarriedBetweenItsHandshakeAndItsEnd) {
  constexpr std::uint8_t kData = 0, kInitAck = 2, kShutdown = 7, kCookieEcho = 10, kCookieAck = 11;
  const auto client = [](std::uint32_t tag = 1) {
    return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Sctp(1000, 80, tag);
  };
  const auto server = [](std::uint8_t type) {
    return PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1").Sctp(80, 1000).Chunk(type, ByteVector(16));
  };
  PipelineFixture fixture, after;
  fixture.Load(ServerAdmitsClient());
  const auto may_be_carried = [](PipelineFixture& where) {
    const std::vector<KeptFlow> flows = Export(where);
    return flows.size() == 1 && Meet(where, Carried(flows[0])).may_be_carried;
  };
  for (const auto& packet : {client(0).InitChunk(), server(kInitAck), client().Chunk(kCookieEcho, ByteVector(16))}) {
    EXPECT_EQ(fixture.Send(packet).verdict, Verdict::kForward);
    EXPECT_FALSE(may_be_carried(fixture));
  }
  fixture.Send(server(kCookieAck));
  EXPECT_TRUE(may_be_carried(fixture));
  after.Load(ServerAdmitsClient());
  after.Send(ClientTcp(kTcpAck));  // brings the table
  EXPECT_EQ(Adopt(after, Export(fixture)), 1u);
  EXPECT_EQ(Told(after.Send(server(kData))), "forward reply");
  fixture.Send(client().Chunk(kShutdown, ByteVector(4)));
  EXPECT_FALSE(may_be_carried(fixture));
}

TEST(Mailbox, NoFlowMayBeCarriedWhileItsPacketsAreCaptured) {
  PipelineFixture fixture;
  CaptureRing ring;
  fixture.pipeline().Capture(&ring);
  fixture.Load(ServerAdmitsClient());
  Establish(fixture);
  const CarriedFlow flow = Carried(Export(fixture)[0]);
  EXPECT_TRUE(Meet(fixture, flow).may_be_carried);
  CaptureWish wish;
  wish.forwarded = true;
  ASSERT_TRUE(ring.Ask(wish));
  EXPECT_FALSE(Meet(fixture, flow).may_be_carried);
  wish.forwarded = false;
  wish.dropped = true;
  ASSERT_TRUE(ring.Ask(wish));
  EXPECT_TRUE(Meet(fixture, flow).may_be_carried) << "only what is dropped is wanted";
}

TEST(Mailbox, AFlowThatATableDeniesIsCutWhenItIsAskedWhetherItMayBeCarried) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  Establish(fixture);
  const std::vector<KeptFlow> flows = Export(fixture);
  fixture.Load(ServerAdmitsClient({}, false));
  for (const KeptFlow& flow : flows) EXPECT_FALSE(Meet(fixture, Carried(flow)).may_be_carried);
  EXPECT_EQ(fixture.counters().flows_cut.value(), 3u);
  for (const KeptFlow& flow : flows) EXPECT_FALSE(Meet(fixture, Carried(flow)).may_be_carried);
}

TEST(Mailbox, WhatWasCarriedCountsInTheFlowAndItsRules) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  Establish(fixture);
  const auto counts = [&](std::uint8_t protocol, Family family) {
    for (const FlowView& flow : fixture.Flows()) {
      if (flow.protocol == protocol && flow.source.address.family == family) return flow;
    }
    return FlowView{};
  };
  const FlowView before = counts(kProtoTcp, Family::kIpv4);
  CarriedFlow flow = Carried(Export(fixture)[0]);
  ASSERT_EQ(flow.source.address, before.source.address);
  constexpr std::uint64_t kMany = std::uint64_t{1} << 30;  // more than a flow's count tells apart
  flow.packets = kMany + 3;
  flow.bytes = kMany * 1500 + 7;
  Meet(fixture, flow);
  const FlowView after = counts(kProtoTcp, Family::kIpv4);
  EXPECT_EQ(after.traffic.packets - before.traffic.packets, flow.packets);
  EXPECT_EQ(after.traffic.bytes - before.traffic.bytes, flow.bytes);
  EXPECT_EQ(after.reply.packets, before.reply.packets) << "they were the originator's";
  EXPECT_EQ(after.reply.bytes, before.reply.bytes);
  fixture.SweepAll();
  EXPECT_GE(fixture.CountOf(after.ingress_rule).packets, flow.packets);
  EXPECT_EQ(counts(kProtoTcp, Family::kIpv6).traffic.packets, 3u);
}

TEST(Mailbox, AFlowThatIsCarriedDoesNotExpire) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  fixture.Send(ClientUdp());
  fixture.Send(ServerUdp());
  CarriedFlow flow = Carried(Export(fixture)[0]);
  flow.packets = 1;
  for (int i = 0; i < 5; ++i) {
    fixture.Advance(100);
    flow.idle_ms = 50'000;
    Meet(fixture, flow);
    fixture.SweepAll();
    ASSERT_EQ(fixture.Flows().size(), 1u) << i;
  }
  flow.packets = 0;
  fixture.Advance(100);
  EXPECT_FALSE(Meet(fixture, flow).may_be_carried) << "silent for 150 s";
  fixture.SweepAll();
  EXPECT_TRUE(fixture.Flows().empty());
}

class Heard final : public FlowListener {
 public:
  void FlowEnded(const FlowView& flow, FlowEndCause cause, std::uint64_t) override {
    ends.push_back({flow.destination.port, cause, flow.traffic.packets});
  }
  struct Ended {
    std::uint16_t port;
    FlowEndCause cause;
    std::uint64_t packets;
  };
  std::vector<Ended> ends;
};

TEST(Mailbox, EndsFlowsOfAnAddressOrAPair) {
  PipelineFixture fixture;
  Heard heard;
  fixture.pipeline().Listen(&heard);
  fixture.Load(ServerAdmitsClient());
  Establish(fixture);
  EXPECT_EQ(End(fixture, "10.0.0.3", "0.0.0.0"), 0u);
  EXPECT_EQ(End(fixture, "10.0.0.2", "10.0.0.1"), 2u);
  EXPECT_EQ(End(fixture, "::", "fd00::2"), 1u);
  EXPECT_EQ(fixture.pipeline().Observe().flows, 0u);
  ASSERT_EQ(heard.ends.size(), 3u);
  for (const Heard::Ended& end : heard.ends) EXPECT_EQ(end.cause, FlowEndCause::kAsked);
  EXPECT_EQ(heard.ends[0].packets, 3u);
}

TEST(FlowListener, HearsTheCauseOfEachEnd) {
  PipelineFixture fixture;
  Heard heard;
  fixture.pipeline().Listen(&heard);
  fixture.Load(ServerAdmitsClient());
  fixture.Send(ClientUdp(1));
  fixture.Advance(31);
  fixture.SweepAll();
  fixture.Send(ClientTcp(kTcpAck, 2));
  fixture.Send(ClientTcp(kTcpSyn, 2));
  fixture.Load(ServerAdmitsClient({}, false));
  fixture.SweepAll();
  for (std::uint16_t port = 1; port <= 70; ++port) fixture.Send(ServerUdp(port, 99));
  PolicyBuilder nobody;
  fixture.Load(nobody.policy());
  fixture.SweepAll();
  ASSERT_GE(heard.ends.size(), 5u);
  EXPECT_EQ(heard.ends[0].cause, FlowEndCause::kExpired);
  EXPECT_EQ(heard.ends[1].cause, FlowEndCause::kReplaced);
  EXPECT_EQ(heard.ends[2].cause, FlowEndCause::kCut);
  EXPECT_EQ(heard.ends[3].cause, FlowEndCause::kEvicted);
  EXPECT_EQ(heard.ends.back().cause, FlowEndCause::kUnmanaged);
}

TEST(MailboxThreads, LettersAreReadBesideTheWorker) {
  PipelineFixture fixture;
  fixture.Load(ServerAdmitsClient());
  fixture.Send(ClientUdp());
  std::atomic<bool> stop = false;
  std::size_t seen = 0;
  std::thread control([&] {
    for (int i = 0; i < 200; ++i) {
      std::vector<KeptFlow> room(64);
      Letter letter(ExportFlows{.room = room});
      while (!fixture.pipeline().mailbox().Post(letter)) std::this_thread::yield();
      while (!letter.IsDone()) std::this_thread::yield();
      seen += letter.Answer<ExportFlows>().exported;
    }
    stop = true;
  });
  for (std::uint16_t port = 1; !stop.load(); port = static_cast<std::uint16_t>(port % 50 + 1)) {
    fixture.SendQuietly({ClientUdp(port).Bytes()});
    fixture.pipeline().ReadMail(fixture.table(), fixture.now_ns());
  }
  control.join();
  EXPECT_GE(seen, 200u);
}

}  // namespace
}  // namespace sluice
