// The real workers on ring wires: what goes in, what comes out, and what swaps do to it. Where two workers share each
// wire, every flow that the receiver does not own is handed over, as net_ring has one queue a port; one worker alone
// takes the short way.
#include "edge/dataplane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "edge/fault_free_memory.h"
#include "edge/owner.h"
#include "edge/ring_wire.h"
#include "resolve/resolve.h"
#include "sluiced/plane_view.h"
#include "support/cluster_builder.h"
#include "support/packet_builder.h"
#include "table/compile.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint32_t kWorkers = SLUICE_TEST_WORKERS;
constexpr int kPods = 0;   // the side of the wire where 10.0.0.0/24 is
constexpr int kOther = 1;  // ... and where the rest is

class DataplaneTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { StartEalForTest(kWorkers); }

  // Pods 10.0.0.1 to 10.0.0.40; they may ask UDP port 53 of anyone, and nothing else.
  std::shared_ptr<const Table> NextTable(bool allow_dns = true) {
    ClusterBuilder cluster;
    for (int i = 1; i <= 40; ++i) cluster.Pod("a/p" + std::to_string(i), {}, {"10.0.0." + std::to_string(i)});
    cluster.Policy("a/dns").DenyIngress().DenyEgress();
    if (allow_dns) cluster.Egress({}, {Udp(53)});
    return std::get<std::shared_ptr<const Table>>(compiler_.Compile(Resolve(cluster.Build(), nullptr)));
  }

  static PipelineConfig SmallPipeline() {
    PipelineConfig config;
    config.flow_capacity_ipv4 = config.flow_capacity_ipv6 = 4096;
    return config;
  }

  void Start(std::shared_ptr<const Table> table, const PipelineConfig& pipeline = SmallPipeline()) {
    EdgeSettings edge;
    edge.wires = {wire_.settings()};
    edge.idle = Idle::kSleep;
    auto started = Dataplane::Start(edge, pipeline, std::move(table), [](std::string_view) {});
    if (const auto* error = std::get_if<std::string>(&started)) throw std::runtime_error(*error);  // ends the test
    plane_ = std::get<std::unique_ptr<Dataplane>>(std::move(started));
  }

  std::uint64_t Dropped(DropReason reason) const {
    const auto index = static_cast<std::size_t>(reason);
    std::uint64_t sum = 0;
    for (const Observation& worker : plane_->Observe()) sum += worker.dropped_by[index];
    return sum;
  }

  // Waits until the books hold: of `sent` frames each is in one counter, in all, of each worker and of each port; and
  // the drops by reason, which `Dropped` reads, are those that the views show.
  void ExpectBooksToHold(std::uint64_t sent, std::uint64_t held = 0) const {
    std::string wrong;
    EXPECT_TRUE(Eventually([&] { return (wrong = WrongBooks(sent, held)).empty(); })) << wrong;
  }

  std::string WrongBooks(std::uint64_t sent, std::uint64_t held) const {
    const auto line = [](const char* what, std::size_t index, auto... numbers) {
      std::string text = what + std::to_string(index) + ':';
      ((text += ' ' + std::to_string(numbers)), ...);
      return text + '\n';
    };
    std::string wrong;
    std::uint64_t received = 0;
    std::uint64_t all_held = 0;
    std::uint64_t by_reason = 0;
    std::uint64_t dropped = 0;
    const std::vector<Observation> workers = plane_->Observe();
    for (std::size_t i = 0; i < workers.size(); ++i) {
      const Observation& w = workers[i];
      if (w.received != w.forwarded + w.dropped() + w.rejected + w.held)
        wrong += line("worker ", i, w.received, w.forwarded, w.dropped(), w.rejected, w.held);
      received += w.received;
      all_held += w.held;
      dropped += w.dropped() + w.rejected;
      for (std::size_t reason = 0; reason < kDropReasonCount; ++reason) {
        if (reason != static_cast<std::size_t>(DropReason::kNoMemory)) by_reason += w.dropped_by[reason];
      }
    }
    std::uint64_t port_received = 0;
    std::uint64_t port_dropped = 0;
    std::uint64_t port_held = 0;
    const std::vector<PortState> ports = ObservePorts(*plane_);
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (ports[i].rx_packets != ports[i].forwarded + ports[i].dropped + ports[i].held())
        wrong += line("port ", i, ports[i].rx_packets, ports[i].forwarded, ports[i].dropped, ports[i].held());
      port_received += ports[i].rx_packets;
      port_dropped += ports[i].dropped;
      port_held += ports[i].held();
    }
    if (received != sent || port_received != sent) wrong += line("of ", sent, received, port_received);
    if (held == 0 && ObservedBytes(workers) != ReceivedBytes(ports))
      wrong += line("bytes ", 0, ObservedBytes(workers), ReceivedBytes(ports));
    if (all_held != held || port_held != held) wrong += line("held ", held, all_held, port_held);
    if (by_reason != dropped || port_dropped != dropped) wrong += line("dropped ", dropped, by_reason, port_dropped);
    return wrong;
  }

  static std::uint64_t ObservedBytes(const std::vector<Observation>& workers) {
    std::uint64_t bytes = 0;
    for (const Observation& w : workers) bytes += w.forwarded_bytes + w.dropped_bytes + w.rejected_bytes;
    return bytes;
  }
  static std::uint64_t ReceivedBytes(const std::vector<PortState>& ports) {
    std::uint64_t bytes = 0;
    for (const PortState& port : ports) bytes += port.rx_bytes;
    return bytes;
  }

  // The frames of worker `owner` that a client may send: those of pods that it owns.
  ByteVector QueryOwnedBy(std::uint32_t owner) const {
    for (int pod = 1; pod <= 40; ++pod) {
      if (OwnerOfPod(pod) == owner) return Query(pod);
    }
    throw std::runtime_error("no pod's flow is that worker's");
  }

  bool Eventually(const std::function<bool()>& holds) const {
    for (int i = 0; i < 20'000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }

  static ByteVector Query(int pod, int server = 1, std::uint16_t port = 53) {
    return PacketBuilder()
        .Ethernet()
        .Ipv4("10.0.0." + std::to_string(pod), "192.0.2." + std::to_string(server))
        .Udp(1000, port)
        .Payload(40)
        .Bytes();
  }
  static ByteVector Answer(int pod, int server = 1) {
    return PacketBuilder()
        .Ethernet()
        .Ipv4("192.0.2." + std::to_string(server), "10.0.0." + std::to_string(pod))
        .Udp(53, 1000)
        .Payload(40)
        .Bytes();
  }
  static std::uint32_t OwnerOfPod(int pod, int server = 1) {
    return OwnerOf(AddressPairHash(IpAddress::V4(0x0a000000u + pod), IpAddress::V4(0xc0000200u + server)), kWorkers);
  }

  Compiler compiler_;
  RingWire wire_;
  std::unique_ptr<Dataplane> plane_;
};

TEST_F(DataplaneTest, AllowedFrameLeavesByTheOtherPortByteForByte) {
  Start(NextTable());
  ASSERT_TRUE(wire_.Send(kPods, Query(1)));
  EXPECT_THAT(wire_.ReceiveSome(kOther, 1), ElementsAre(Query(1)));
  EXPECT_THAT(wire_.Receive(kPods), IsEmpty());
}

// Holds the worker where it has received its first frames, and judged nothing yet.
class HeldAtReception {
 public:
  HeldAtReception() {
    std::uint16_t port = 0;
    RTE_ETH_FOREACH_DEV(port) Hold(port);
  }
  // That of one port's.
  explicit HeldAtReception(std::uint16_t port) { Hold(port); }
  ~HeldAtReception() {
    for (const auto& [port, callback] : callbacks_) rte_eth_remove_rx_callback(port, 0, callback);
  }
  HeldAtReception(const HeldAtReception&) = delete;
  HeldAtReception& operator=(const HeldAtReception&) = delete;

  void AwaitFrames() const {
    while (!received_) std::this_thread::yield();
  }
  void GoOn() { go_on_ = true; }

 private:
  void Hold(std::uint16_t port) { callbacks_.emplace_back(port, rte_eth_add_rx_callback(port, 0, OnReceive, this)); }
  static std::uint16_t OnReceive(std::uint16_t, std::uint16_t, rte_mbuf*[], std::uint16_t count, std::uint16_t,
                                 void* self) {
    auto& held = *static_cast<HeldAtReception*>(self);
    if (count == 0) return 0;
    held.received_ = true;
    while (!held.go_on_) std::this_thread::yield();
    return count;
  }

  std::vector<std::pair<std::uint16_t, const rte_eth_rxtx_callback*>> callbacks_;
  std::atomic<bool> received_ = false;
  std::atomic<bool> go_on_ = false;
};

TEST_F(DataplaneTest, FrameIsJudgedByNoTableOlderThanItsReception) {
  Start(NextTable());
  HeldAtReception hold;
  ASSERT_TRUE(wire_.Send(kPods, Query(1)));
  hold.AwaitFrames();
  plane_->Publish(NextTable(false));
  hold.GoOn();
  EXPECT_TRUE(Eventually([&] { return Dropped(DropReason::kPolicyDenied) == 1; }));
  EXPECT_THAT(wire_.Receive(kOther), IsEmpty());
}

TEST_F(DataplaneTest, DeniedFrameIsCountedAndItsBufferFreed) {
  Start(NextTable());
  ASSERT_TRUE(wire_.Send(kPods, Query(1, 1, 80)));
  EXPECT_TRUE(Eventually([&] { return Dropped(DropReason::kPolicyDenied) == 1; }));
  EXPECT_TRUE(Eventually([&] { return wire_.AllBuffersAreBack(); }));
  EXPECT_THAT(wire_.Receive(kOther), IsEmpty());
}

TEST_F(DataplaneTest, RejectedFrameIsAnsweredOutOfThePortItCameInBy) {
  PipelineConfig pipeline = SmallPipeline();
  pipeline.action_on_deny = ActionOnDeny::kReject;
  Start(NextTable(), pipeline);
  ASSERT_TRUE(wire_.Send(kPods, Query(1, 1, 80)));
  const auto answers = wire_.ReceiveSome(kPods, 1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0][14 + 9], 1) << "ICMP";
  EXPECT_EQ(answers[0][14 + 20], 3) << "destination unreachable";
  EXPECT_EQ(answers[0][14 + 20 + 1], 13) << "administratively prohibited";
}

TEST_F(DataplaneTest, BeforeAnyPolicyNothingPasses) {
  Start(compiler_.EmptyTable());
  ASSERT_TRUE(wire_.Send(kPods, Query(1)));
  EXPECT_TRUE(Eventually([&] { return Dropped(DropReason::kNoPolicy) == 1; }));
  EXPECT_THAT(wire_.Receive(kOther), IsEmpty());
}

TEST_F(DataplaneTest, FrameInTwoSegmentsIsFilteredAsIfWhole) {
  Start(NextTable());
  ASSERT_TRUE(wire_.SendInTwoSegments(kPods, Query(1), 20));
  EXPECT_THAT(wire_.ReceiveSome(kOther, 1), ElementsAre(Query(1)));
  ASSERT_TRUE(wire_.SendInTwoSegments(kPods, Query(1, 1, 80), 20));
  EXPECT_TRUE(Eventually([&] { return Dropped(DropReason::kPolicyDenied) == 1; }));
}

TEST_F(DataplaneTest, HandOverKeepsEachFlowWholeAndRepliesPass) {
  Start(NextTable());
  std::array<std::uint32_t, kWorkers> flows_of{};
  for (int pod = 1; pod <= 40; ++pod) {
    ++flows_of[OwnerOfPod(pod)];
    ASSERT_TRUE(wire_.Send(kPods, Query(pod)));
  }
  for (const std::uint32_t flows : flows_of) ASSERT_GT(flows, 0u);
  EXPECT_EQ(wire_.ReceiveSome(kOther, 40).size(), 40u);
  // Ingress is denied, so an answer passes only where its query's flow is.
  for (int pod = 1; pod <= 40; ++pod) ASSERT_TRUE(wire_.Send(kOther, Answer(pod)));
  EXPECT_EQ(wire_.ReceiveSome(kPods, 40).size(), 40u);
  for (std::uint32_t i = 0; i < kWorkers; ++i) EXPECT_EQ(plane_->Observe()[i].flows, flows_of[i]);
  EXPECT_EQ(Dropped(DropReason::kPolicyDenied), 0u);
}

TEST_F(DataplaneTest, FragmentedAnswerMeetsItsFlow) {
  Start(NextTable());
  for (int pod = 1; pod <= 4; ++pod) {
    ASSERT_TRUE(wire_.Send(kPods, Query(pod)));
    ASSERT_EQ(wire_.ReceiveSome(kOther, 1).size(), 1u);
    const ByteVector answer = PacketBuilder()
                                  .Ethernet()
                                  .Ipv4("192.0.2.1", "10.0.0." + std::to_string(pod))
                                  .Udp(53, 1000)
                                  .Payload(900)
                                  .Bytes();
    const auto fragments = SplitIntoFragments(answer, 400, 7);
    ASSERT_EQ(fragments.size(), 3u);
    // The last comes first and has to wait.
    for (auto fragment = fragments.rbegin(); fragment != fragments.rend(); ++fragment) wire_.Send(kOther, *fragment);
    EXPECT_EQ(wire_.ReceiveSome(kPods, 3).size(), 3u) << "pod " << pod;
  }
}

TEST_F(DataplaneTest, RoutersErrorMeetsTheFlowThatItQuotes) {
  Start(NextTable());
  for (int router = 1; router <= 8; ++router) {
    ASSERT_TRUE(wire_.Send(kPods, Query(1, router)));
    ASSERT_EQ(wire_.ReceiveSome(kOther, 1).size(), 1u);
    const ByteVector query = Query(1, router);
    const ByteVector quoted(query.begin() + 14, query.begin() + 14 + 28);
    const std::string address = "198.51.100." + std::to_string(router);
    ASSERT_TRUE(
        wire_.Send(kOther, PacketBuilder().Ethernet().Ipv4(address, "10.0.0.1").Icmp(3, 3).Payload(quoted).Bytes()));
    EXPECT_EQ(wire_.ReceiveSome(kPods, 1).size(), 1u) << address;
  }
}

TEST_F(DataplaneTest, FramesOfAFlowKeepTheirOrder) {
  Start(NextTable());
  std::vector<std::uint8_t> last(41, 0);
  for (std::uint8_t round = 1; round <= 50; ++round) {
    for (int pod = 1; pod <= 40; ++pod) {
      ByteVector frame = Query(pod);
      frame.back() = round;
      ASSERT_TRUE(wire_.Send(kPods, frame));
    }
  }
  const auto frames = wire_.ReceiveSome(kOther, 2000);
  ASSERT_EQ(frames.size(), 2000u);
  for (const ByteVector& frame : frames) {
    const int pod = frame[14 + 15];
    EXPECT_EQ(frame.back(), last[pod] + 1);
    last[pod] = frame.back();
  }
}

TEST_F(DataplaneTest, SwapsUnderTrafficLoseNothing) {
  Start(NextTable());
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  for (int swap = 0; swap < 100; ++swap) {
    for (int i = 0; i < 50; ++i) sent += wire_.Send(kPods, Query(1 + (i % 40), 1 + (swap % 7)));
    plane_->Publish(NextTable());
    plane_->Watch();
    received += wire_.Receive(kOther).size();
  }
  received += wire_.ReceiveSome(kOther, sent - received).size();
  EXPECT_EQ(sent, 5000u);
  EXPECT_EQ(received, sent);
  EXPECT_TRUE(Eventually([&] { return wire_.AllBuffersAreBack(); }));
}

TEST_F(DataplaneTest, FlowThatTheNewTableDeniesIsCutAndOldTablesAreFreed) {
  Start(NextTable());
  ASSERT_TRUE(wire_.Send(kPods, Query(1)));
  ASSERT_EQ(wire_.ReceiveSome(kOther, 1).size(), 1u);
  const std::weak_ptr<const Table> old = plane_->table();
  plane_->Publish(NextTable(/*allow_dns=*/false));
  // Nothing is sent: the sweep cuts it.
  EXPECT_TRUE(Eventually([&] { return plane_->Observe()[OwnerOfPod(1)].flows_cut == 1; }));
  EXPECT_TRUE(Eventually([&] {
    plane_->Watch();
    return old.expired();
  }));
  ASSERT_TRUE(wire_.Send(kOther, Answer(1)));
  EXPECT_TRUE(Eventually([&] { return Dropped(DropReason::kFlowCut) >= 1; }));
  EXPECT_THAT(wire_.Receive(kPods), IsEmpty());
}

TEST_F(DataplaneTest, StopSendsOutWhatWasReceived) {
  Start(NextTable());
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(wire_.Send(kPods, Query(1 + (i % 40))));
  ASSERT_TRUE(Eventually([&] { return wire_.Waiting() < 1500; }));
  plane_->Stop();
  std::uint64_t received = 0;
  for (const auto& worker : plane_->workers()) received += worker->counters().ports[kPods].received.value();
  EXPECT_EQ(wire_.Receive(kOther).size(), received);
}

TEST_F(DataplaneTest, EveryFrameEndsInOneCounter) {
  Start(NextTable());
  std::uint64_t sent = 0;
  for (int i = 0; i < 500; ++i) {
    sent += wire_.Send(kPods, Query(1 + (i % 40), 1, i % 3 == 0 ? 80 : 53));
    sent += wire_.Send(kOther, PacketBuilder().Ethernet().Arp().Bytes());
    sent += wire_.Send(kOther, ByteVector(13 + (i % 30)));
  }
  ExpectBooksToHold(sent);
}

// The rings out hold a few thousand frames, which nobody takes: the device refuses the rest.
TEST_F(DataplaneTest, FramesThatNoDeviceTookAreInOneCounter) {
  Start(NextTable());
  std::uint64_t sent = 0;
  for (int round = 0; round < 100 && Dropped(DropReason::kTxFull) < 500; ++round) {
    for (int i = 0; i < 500; ++i) sent += wire_.Send(kPods, Query(1 + (i % 40)));
    EXPECT_TRUE(Eventually([&] { return wire_.Waiting() == 0; }));
  }
  EXPECT_GE(Dropped(DropReason::kTxFull), 500u);
  ExpectBooksToHold(sent);
}

TEST_F(DataplaneTest, FramesTowardADeadLinkAreInOneCounter) {
  Start(NextTable());
  const PortView& view = plane_->ports()[kOther]->view();
  ASSERT_EQ(rte_eth_dev_set_link_down(view.id), 0);
  ASSERT_TRUE(Eventually([&] {
    plane_->Watch();
    return !view.link_up;
  }));
  std::uint64_t sent = 0;
  for (int i = 0; i < 100; ++i) sent += wire_.Send(kPods, Query(1 + (i % 40)));
  for (int i = 0; i < 10; ++i) sent += wire_.Send(kPods, Query(1, 1, 80));
  EXPECT_TRUE(Eventually([&] { return Dropped(DropReason::kPortDown) == 100; })) << Dropped(DropReason::kPortDown);
  ExpectBooksToHold(sent);
  EXPECT_EQ(Dropped(DropReason::kPolicyDenied), 10u);
  ASSERT_EQ(rte_eth_dev_set_link_up(view.id), 0);
}

TEST_F(DataplaneTest, FramesThatTheirOwnersRingDidNotTakeAreInOneCounter) {
  if (kWorkers < 2) GTEST_SKIP() << "one worker hands nothing over";
  Start(NextTable());
  constexpr std::uint32_t kSender = kPods % kWorkers;  // the home of the port that they come in by
  constexpr std::uint32_t kOwner = kOther % kWorkers;
  std::uint64_t sent = 0;
  {
    HeldAtReception hold(plane_->ports()[kOther]->view().id);
    sent += wire_.Send(kOther, Answer(1));
    hold.AwaitFrames();
    const ByteVector query = QueryOwnedBy(kOwner);
    for (int round = 0; round < 100 && Dropped(DropReason::kHandoverFull) == 0; ++round) {
      for (int i = 0; i < 500; ++i) sent += wire_.Send(kPods, query);
      EXPECT_TRUE(Eventually([&] { return wire_.Waiting() == 0; }));
    }
    EXPECT_GT(plane_->Observe()[kOwner].held, 0u);
    hold.GoOn();
    ExpectBooksToHold(sent);
  }
  EXPECT_GT(plane_->Observe()[kSender].dropped_by[static_cast<std::size_t>(DropReason::kHandoverFull)], 0u);
}

TEST_F(DataplaneTest, AnswersThatNoBufferIsLeftForLeaveTheBooksAsTheyAre) {
  PipelineConfig pipeline = SmallPipeline();
  pipeline.action_on_deny = ActionOnDeny::kReject;
  Start(NextTable(), pipeline);
  rte_mempool* const buffers = rte_mempool_lookup("sluice");
  ASSERT_NE(buffers, nullptr);
  std::vector<rte_mbuf*> taken;
  while (rte_mbuf* const mbuf = rte_pktmbuf_alloc(buffers)) taken.push_back(mbuf);
  std::uint64_t sent = 0;
  for (int i = 0; i < 10; ++i) sent += wire_.Send(kPods, Query(1 + i, 1, 80));
  EXPECT_TRUE(Eventually([&] { return Dropped(DropReason::kNoMemory) == 10; })) << Dropped(DropReason::kNoMemory);
  ExpectBooksToHold(sent);
  EXPECT_EQ(Dropped(DropReason::kPolicyDenied), 10u);
  for (rte_mbuf* const mbuf : taken) rte_pktmbuf_free(mbuf);
}

TEST_F(DataplaneTest, AnswersThatNoDeviceTookLeaveTheBooksAsTheyAre) {
  PipelineConfig pipeline = SmallPipeline();
  pipeline.action_on_deny = ActionOnDeny::kReject;
  Start(NextTable(), pipeline);
  const PortView& view = plane_->ports()[kPods]->view();
  ASSERT_EQ(rte_eth_dev_set_link_down(view.id), 0);
  ASSERT_TRUE(Eventually([&] {
    plane_->Watch();
    return !view.link_up;
  }));
  std::uint64_t sent = 0;
  for (int i = 0; i < 10; ++i) sent += wire_.Send(kPods, Query(1 + i, 1, 80));
  const auto lost = [&] {
    std::uint64_t sum = 0;
    for (const Observation& worker : plane_->Observe()) sum += worker.answers_lost;
    return sum;
  };
  EXPECT_TRUE(Eventually([&] { return lost() == 10; })) << lost();
  ExpectBooksToHold(sent);
  EXPECT_EQ(Dropped(DropReason::kPortDown), 0u);
  ASSERT_EQ(rte_eth_dev_set_link_up(view.id), 0);
}

TEST_F(DataplaneTest, FragmentsThatWaitAreHeldAndThenDropped) {
  PipelineConfig pipeline = SmallPipeline();
  Start(NextTable(), pipeline);
  const auto fragments = SplitIntoFragments(
      PacketBuilder().Ethernet().Ipv4("10.0.0.1", "192.0.2.1").Udp(1000, 53).Payload(900).Bytes(), 400, 7);
  ASSERT_EQ(fragments.size(), 3u);
  ASSERT_TRUE(wire_.Send(kPods, fragments[2]));
  ASSERT_TRUE(wire_.Send(kPods, fragments[1]));
  ExpectBooksToHold(2, 2);
  plane_->Stop();
  ExpectBooksToHold(2);
  EXPECT_EQ(Dropped(DropReason::kFragmentOrphan), 2u);
}

TEST_F(DataplaneTest, DeviceOfTwoWiresIsRefusedByName) {
  EdgeSettings edge;
  edge.wires = {wire_.settings(), wire_.settings()};
  edge.rx_descriptors = edge.tx_descriptors = 64;
  const auto started = Dataplane::Start(edge, SmallPipeline(), NextTable(), [](std::string_view) {});
  ASSERT_TRUE(std::holds_alternative<std::string>(started));
  EXPECT_THAT(std::get<std::string>(started),
              HasSubstr("device '" + wire_.settings().ports[0].device + "': another sluiced, or another wire"));
}

TEST_F(DataplaneTest, MissingInterfaceIsNamed) {
  EdgeSettings edge;
  edge.wires.resize(1);
  edge.wires[0].ports[0].device = "af_packet:nosuchiface";
  edge.wires[0].ports[1].device = "null";
  const auto started = Dataplane::Start(edge, SmallPipeline(), NextTable(), [](std::string_view) {});
  ASSERT_TRUE(std::holds_alternative<std::string>(started));
  EXPECT_THAT(std::get<std::string>(started), HasSubstr("device 'af_packet:nosuchiface': no such interface"));
}

TEST_F(DataplaneTest, MissingCaptureIsNamedWithARemedy) {
  EdgeSettings edge;
  edge.wires.resize(1);
  edge.wires[0].ports[0].device = "pcap:/nonexistent/in.pcap";
  edge.wires[0].ports[1].device = "null";
  const auto started = Dataplane::Start(edge, SmallPipeline(), NextTable(), [](std::string_view) {});
  ASSERT_TRUE(std::holds_alternative<std::string>(started));
  EXPECT_THAT(std::get<std::string>(started), HasSubstr("device 'pcap:/nonexistent/in.pcap': "));
  EXPECT_THAT(std::get<std::string>(started), HasSubstr("IN must be a readable capture"));
}

TEST(FaultFreeMemory, MoreThanTheMachineHasIsRefused) {
  EXPECT_EQ(FaultFreeMemory().allocate(std::size_t{1} << 50), nullptr);
}

}  // namespace
}  // namespace sluice
