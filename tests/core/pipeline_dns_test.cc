// Answers of trusted resolvers: copied, held until what they say is in force, forwarded in their order, each counted
// once; and nothing else waits.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/pipeline_fixture.h"
#include "support/dns_builder.h"

namespace sluice {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

PipelineConfig Listening(std::uint32_t held = 64) {
  PipelineConfig config = PipelineFixture::SmallConfig();
  config.flow_capacity_ipv4 = 256;
  config.dns = {.port = 53, .hold_ms = 50, .held = held};
  return config;
}

// The client may ask the server, who is a resolver, and the bystander, who says that it is one.
ResolvedPolicy ClientMayAsk(bool may = true) {
  PolicyBuilder builder;
  const GroupId client = builder.Group("client");
  builder.Endpoint("client", {Ip("10.0.0.1"), Ip("fd00::1")}, {client})
      .Endpoint("server", {Ip("10.0.0.2"), Ip("fd00::2")}, {})
      .Endpoint("bystander", {Ip("10.0.0.3"), Ip("fd00::3")}, {});
  const GroupId any = builder.Group("any", {{Cidr("0.0.0.0/0"), {}}, {Cidr("::/0"), {}}});
  std::vector<Rule> rules;
  if (may) rules.push_back(AllowRule(any, {{kProtoUdp, 53, 53}, {kProtoTcp, 53, 53}}));
  builder.Section("default/client", Direction::kEgress, client, rules);
  return std::move(builder.policy());
}

class PipelineDnsTest : public testing::Test {
 protected:
  explicit PipelineDnsTest(std::uint32_t held = 64) : worker_(Listening(held)) {
    worker_.Load(ClientMayAsk());
    EXPECT_TRUE(tap().Trust({Ip("10.0.0.2"), Ip("fd00::2")}));
  }
  DnsTap& tap() { return *worker_.pipeline().dns_tap(); }

  static ByteVector Query(std::uint16_t port, const std::string& resolver = "10.0.0.2") {
    const ByteVector message = DnsBuilder::Query(port, "s3.example.com").Bytes();
    return PacketBuilder().Ethernet().Ipv4("10.0.0.1", resolver).Udp(port, 53).Payload(message).Bytes();
  }
  static ByteVector Answer(std::uint16_t port, const std::string& resolver = "10.0.0.2") {
    const ByteVector message = DnsBuilder(port).Question("s3.example.com").A("@12", "203.0.113.9").Bytes();
    return PacketBuilder().Ethernet().Ipv4(resolver, "10.0.0.1").Udp(53, port).Payload(message).Bytes();
  }
  static ByteVector Segment(bool is_answer, std::uint8_t flags, std::size_t bytes = 0) {
    PacketBuilder packet;
    packet.Ethernet();
    is_answer ? packet.Ipv4("10.0.0.2", "10.0.0.1").Tcp(53, 2000, flags)
              : packet.Ipv4("10.0.0.1", "10.0.0.2").Tcp(2000, 53, flags);
    return packet.Payload(bytes).Bytes();
  }
  // How many of them are forwarded at once.
  std::size_t Send(const std::vector<ByteVector>& frames) {
    worker_.SendQuietly(frames);
    return worker_.output().forward.size();
  }
  // Reads what was copied: the sizes of their bytes.
  std::vector<std::size_t> Listen(std::size_t most = 1000) {
    std::vector<std::size_t> sizes;
    tap().packets().Take(most, [&](const DnsPacket&, auto bytes) { sizes.push_back(bytes.size()); });
    return sizes;
  }
  // The client's ports of what is let go now; TCP's by their length.
  std::vector<int> Release() {
    PipelineOutput out;
    worker_.pipeline().ReleaseAnswers(worker_.table(), worker_.now_ns(), out);
    dropped_ += out.drop.size();
    return PortsOf(out.forward);
  }
  static std::vector<int> PortsOf(const std::vector<Frame>& frames) {
    std::vector<int> ports;
    for (const Frame& frame : frames) {
      ParsedPacket packet;
      Parse(frame, ParseConfig(), packet);
      ports.push_back(packet.protocol == kProtoTcp ? packet.l4_length - 20 : packet.destination_port);
    }
    return ports;
  }
  std::uint64_t Forwarded() { return worker_.Verdicts(Verdict::kForward); }

  PipelineFixture worker_;
  std::size_t dropped_ = 0;
};

TEST_F(PipelineDnsTest, AnAnswerWaitsUntilItWasRead) {
  EXPECT_EQ(Send({Query(1000)}), 1u);
  EXPECT_EQ(Send({Answer(1000)}), 0u);
  EXPECT_TRUE(Release().empty());
  EXPECT_EQ(Forwarded(), 1u);
  EXPECT_TRUE(worker_.pipeline().HoldsAnswers());
  EXPECT_EQ(tap().counters().waiting.load(), 1u);
  EXPECT_EQ(Listen().size(), 2u);
  EXPECT_EQ(Release(), std::vector<int>({1000}));
  EXPECT_EQ(Forwarded(), 2u);
  EXPECT_FALSE(worker_.pipeline().HoldsAnswers());
  EXPECT_EQ(tap().counters().held.value(), 1u);
  EXPECT_EQ(tap().counters().ran_out.value(), 0u);
}

TEST_F(PipelineDnsTest, ItWaitsNoLongerThanItMay) {
  Send({Query(1000)});
  Send({Answer(1000)});
  worker_.Advance(0.049);
  EXPECT_TRUE(Release().empty());
  worker_.Advance(0.001);
  EXPECT_EQ(Release(), std::vector<int>({1000}));
  EXPECT_EQ(tap().counters().ran_out.value(), 1u);
}

TEST_F(PipelineDnsTest, WhatIsBesideItInTheBurstGoesOnInItsOrder) {
  Send({Query(1000)});
  worker_.SendQuietly({Query(1001), Answer(1000), ClientUdp(5000, 53).Bytes(), Query(1002)});
  EXPECT_EQ(PortsOf(worker_.output().forward), std::vector<int>({53, 53, 53}));
  EXPECT_TRUE(worker_.output().drop.empty());
  EXPECT_EQ(Forwarded(), 4u);
}

TEST_F(PipelineDnsTest, EachPacketOfAKnownFlowIsSeen) {
  Send({Query(1000)});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Send({Answer(1000)}), 0u);
    EXPECT_EQ(Send({Query(1000)}), 1u);
  }
  EXPECT_EQ(Listen().size(), 11u);
  EXPECT_EQ(Release().size(), 5u);
}

TEST_F(PipelineDnsTest, AnswersLeaveInTheOrderInWhichTheyCame) {
  for (std::uint16_t port = 1000; port < 1020; ++port) Send({Query(port)});
  std::vector<int> expected;
  for (std::uint16_t port = 1019; port >= 1000; --port) {
    Send({Answer(port)});
    expected.push_back(port);
  }
  Listen(25);  // the first five answers
  EXPECT_EQ(Release(), std::vector<int>(expected.begin(), expected.begin() + 5));
  Listen();
  EXPECT_EQ(Release(), std::vector<int>(expected.begin() + 5, expected.end()));
}

TEST_F(PipelineDnsTest, NoPacketOfAConnectionOvertakesWhatWaits) {
  Send({Segment(false, kTcpSyn)});
  EXPECT_EQ(Send({Segment(true, kTcpSyn | kTcpAck)}), 1u);  // nothing waits
  Send({Segment(false, kTcpAck)});
  Send({Segment(false, kTcpAck | kTcpPsh, 30)});
  EXPECT_EQ(Send({Segment(true, kTcpAck)}), 1u);
  EXPECT_EQ(Send({Segment(true, kTcpAck | kTcpPsh, 100)}), 0u);
  EXPECT_EQ(Send({Segment(true, kTcpAck)}), 0u);
  EXPECT_EQ(Send({Segment(true, kTcpFin | kTcpAck)}), 0u);
  EXPECT_EQ(Send({Segment(false, kTcpAck)}), 1u);  // the other way nothing waits
  EXPECT_EQ(Listen(), std::vector<std::size_t>({0, 0, 30, 100, 0}));
  EXPECT_EQ(Release(), std::vector<int>({100, 0, 0}));
}

TEST_F(PipelineDnsTest, OfAResolverThatIsNotTrustedNothingIsReadOrHeld) {
  Send({Query(1000, "10.0.0.3")});
  EXPECT_EQ(Send({Answer(1000, "10.0.0.3")}), 1u);
  EXPECT_EQ(Send({Query(1000, "10.0.0.3")}), 1u);
  EXPECT_TRUE(Listen().empty());
  EXPECT_EQ(tap().counters().untrusted.value(), 1u);
  ASSERT_TRUE(tap().Trust({Ip("10.0.0.3")}));
  EXPECT_EQ(Send({Answer(1000, "10.0.0.3")}), 0u);
  EXPECT_EQ(Send({Query(1001)}), 1u);
  EXPECT_EQ(Send({Answer(1001)}), 1u);  // no longer trusted
}

TEST_F(PipelineDnsTest, WhatPolicyDeniesIsNeitherReadNorHeld) {
  worker_.Load(ClientMayAsk(false));
  EXPECT_EQ(Send({Query(1000)}), 0u);
  EXPECT_EQ(worker_.Drops(DropReason::kPolicyDenied), 1u);
  EXPECT_TRUE(Listen().empty());
}

TEST_F(PipelineDnsTest, WhereThereIsNoPlaceTheOldestGoesOn) {
  for (std::uint16_t port = 1000; port < 1066; ++port) Send({Query(port)});
  for (std::uint16_t port = 1000; port < 1064; ++port) EXPECT_EQ(Send({Answer(port)}), 0u);
  EXPECT_EQ(Send({Answer(1064)}), 1u);
  EXPECT_EQ(PortsOf(worker_.output().forward), std::vector<int>({1000}));
  EXPECT_EQ(Send({Answer(1065)}), 1u);
  EXPECT_EQ(tap().counters().no_room.value(), 2u);
  EXPECT_EQ(tap().counters().waiting.load(), 64u);
  Listen();
  EXPECT_EQ(Release().size(), 64u);
  EXPECT_EQ(Forwarded(), 132u);
}

// A whole burst of answers that each need a place.
TEST_F(PipelineDnsTest, EachFrameOfALargeBurstLeavesOnce) {
  std::vector<ByteVector> queries, answers;
  for (std::uint16_t port = 1000; port < 1200; ++port) {
    queries.push_back(Query(port));
    answers.push_back(Answer(port));
  }
  EXPECT_EQ(Send(queries), 200u);
  worker_.SendQuietly(answers);
  std::vector<int> ports = PortsOf(worker_.output().forward);
  Listen();
  const std::vector<int> rest = Release();
  ports.insert(ports.end(), rest.begin(), rest.end());
  ASSERT_EQ(ports.size(), 200u);
  EXPECT_TRUE(std::is_sorted(ports.begin(), ports.end()));
  EXPECT_EQ(std::adjacent_find(ports.begin(), ports.end()), ports.end());
  EXPECT_EQ(Forwarded(), 400u);
}

TEST_F(PipelineDnsTest, AnAnswerOfWhichNoCopyCouldBeMadeGoesOn) {
  const ByteVector large(1400, 'x');
  const ByteVector answer =
      PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1").Udp(53, 1000).Payload(large).Bytes();
  Send({Query(1000)});
  std::size_t sent = 0;
  while (tap().counters().no_room.value() < 64 && sent < 10'000) sent += Send({answer}), ++sent;
  Listen();
  Release();
  EXPECT_FALSE(worker_.pipeline().HoldsAnswers());
  // The ring is full, and nothing waits: it passes at once.
  while (tap().packets().overflowed() == 0) {
    Send({Query(1000)});
    Release();
  }
  worker_.Advance(0.1);
  Release();
  const std::uint64_t lost = tap().counters().lost_queries.value();
  EXPECT_GT(lost, 0u);
  const std::uint64_t no_room = tap().counters().no_room.value();
  EXPECT_EQ(Send({answer}), 1u);
  EXPECT_EQ(tap().counters().no_room.value(), no_room + 1);
}

TEST_F(PipelineDnsTest, FragmentsAreNotRead) {
  Send({Query(1000)});
  Listen();
  const std::vector<ByteVector> parts = SplitIntoFragments(Answer(1000), 32, 5);
  EXPECT_EQ(Send(parts), parts.size());
  EXPECT_TRUE(Listen().empty());
  EXPECT_GE(tap().counters().fragmented.value(), 1u);
}

TEST_F(PipelineDnsTest, WhatWaitedIsJudgedByThePolicyOfTheMomentWhenItLeaves) {
  Send({Query(1000)});
  Send({Answer(1000)});
  worker_.Load(ClientMayAsk(false));
  Listen();
  EXPECT_TRUE(Release().empty());
  EXPECT_EQ(dropped_, 1u);
  EXPECT_EQ(worker_.Drops(DropReason::kFlowCut), 1u);
  EXPECT_FALSE(worker_.pipeline().HoldsAnswers());
}

TEST_F(PipelineDnsTest, ANewPolicyThatAdmitsItLetsItGoOn) {
  Send({Query(1000)});
  Send({Answer(1000)});
  worker_.Load(ClientMayAsk(false));
  worker_.Load(ClientMayAsk());
  Listen();
  EXPECT_EQ(Release(), std::vector<int>({1000}));
}

TEST_F(PipelineDnsTest, WhatWaitsAtTheEndLeaves) {
  Send({Query(1000)});
  Send({Answer(1000)});
  PipelineOutput out;
  worker_.pipeline().Finish(out);
  EXPECT_EQ(PortsOf(out.forward), std::vector<int>({1000}));
  EXPECT_EQ(Forwarded(), 2u);
}

TEST_F(PipelineDnsTest, OutcomesAreToldAsForwarded) {
  Send({Query(1000)});
  const std::vector<Outcome> outcomes = worker_.Burst({Answer(1000)});
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].verdict, Verdict::kForward);
  EXPECT_TRUE(worker_.output().forward.empty());
}

TEST_F(PipelineDnsTest, Ipv6) {
  const auto query = PacketBuilder().Ethernet().Ipv6("fd00::1", "fd00::2").Udp(1000, 53).Payload(20).Bytes();
  const auto answer = PacketBuilder().Ethernet().Ipv6("fd00::2", "fd00::1").Udp(53, 1000).Payload(30).Bytes();
  EXPECT_EQ(Send({query}), 1u);
  EXPECT_EQ(Send({answer}), 0u);
  EXPECT_EQ(Listen(), std::vector<std::size_t>({20, 30}));
  EXPECT_EQ(Release(), std::vector<int>({1000}));
}

// Flows that are adopted after a restart are watched, too, and no watched flow is carried.
TEST_F(PipelineDnsTest, AdoptedFlowsAreWatchedAndNoneIsCarried) {
  const KeptFlow kept{.source = {Ip("10.0.0.1"), 1000},
                      .destination = {Ip("10.0.0.2"), 53},
                      .protocol = kProtoUdp,
                      .state = FlowState::kUdpReplied,
                      .replied = true};
  Letter adopt(AdoptFlows{.flows = {&kept, 1}});
  ASSERT_TRUE(worker_.pipeline().mailbox().Post(adopt));
  worker_.pipeline().ReadMail(worker_.table(), worker_.now_ns());
  ASSERT_EQ(adopt.Answer<AdoptFlows>().adopted, 1u);
  CarriedFlow carried{.source = kept.source, .destination = kept.destination, .protocol = kProtoUdp};
  Letter meet(MeetCarried{.flows = {&carried, 1}});
  ASSERT_TRUE(worker_.pipeline().mailbox().Post(meet));
  worker_.pipeline().ReadMail(worker_.table(), worker_.now_ns());
  ASSERT_TRUE(meet.IsDone());
  EXPECT_FALSE(carried.may_be_carried);
  EXPECT_EQ(Send({Answer(1000)}), 0u);
  EXPECT_EQ(Listen().size(), 1u);
}

class PipelineDnsWithoutHoldTest : public PipelineDnsTest {
 protected:
  PipelineDnsWithoutHoldTest() : PipelineDnsTest(0) {}
};

TEST_F(PipelineDnsWithoutHoldTest, NothingWaitsAndAllIsCopied) {
  EXPECT_EQ(Send({Query(1000)}), 1u);
  EXPECT_EQ(Send({Answer(1000)}), 1u);
  EXPECT_EQ(Listen().size(), 2u);
}

TEST(PipelineWithoutDns, NothingIsWatched) {
  PipelineFixture worker;
  worker.Load(ClientMayAsk());
  EXPECT_EQ(worker.pipeline().dns_tap(), nullptr);
  worker.SendQuietly({ClientUdp(1000, 53).Bytes()});
  worker.SendQuietly({ServerUdp(1000, 53).Bytes()});
  EXPECT_EQ(worker.output().forward.size(), 1u);
}

}  // namespace
}  // namespace sluice
