// The pipeline against the reference of flows, packet by packet, through swaps, restarts, sweeps and time.
//
// The reference judges each flow by policy with every packet and keeps a story of it. So the pipeline's shortcuts
// (flows that remember their verdict, generations, stripes, states) must never show. Few ends and ports, so that the
// same ones meet again and again, in both directions.
//
// SLUICE_TEST_SECONDS=3600 build/release/tests/pipeline_reference_test: as many worlds as that time holds.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/pipeline.h"
#include "reference/compare.h"
#include "reference/evaluate.h"
#include "reference/flow_model.h"
#include "reference/random_world.h"
#include "support/packet_builder.h"

namespace sluice::test {
namespace {

using reference::Act;
using reference::Evaluator;
using reference::Fate;
using reference::Flow;
using reference::FlowModel;
using reference::Packet;
using reference::Standing;

constexpr std::uint8_t kProtoGre = 47;

Flow Reverse(const Flow& flow) {
  return {flow.destination, flow.source, flow.protocol, flow.destination_port, flow.source_port};
}

bool MayBeSent(const IpAddress& address) {
  return address.is_v4() ? address.lo >> 28 < 0xe && address.lo != 0 : address.hi >> 56 != 0xff;
}

std::uint8_t TcpFlags(Act act) {
  switch (act) {
    case Act::kOpen:
      return kTcpSyn;
    case Act::kAnswer:
      return kTcpSyn | kTcpAck;
    case Act::kClose:
      return kTcpFin | kTcpAck;
    case Act::kAbort:
      return kTcpRst;
    default:
      return kTcpAck;
  }
}

void AddSctp(const Packet& packet, PacketBuilder& builder) {
  const bool opens = packet.act == Act::kOpen;
  builder.Sctp(packet.flow.source_port, packet.flow.destination_port, opens ? 0 : 1);
  switch (packet.act) {
    case Act::kOpen:
      builder.InitChunk();
      break;
    case Act::kAnswer:
      builder.Chunk(2, ByteVector(16));
      break;
    case Act::kConfirm:
      builder.Chunk(10, ByteVector(8));
      break;
    case Act::kConfirmed:
      builder.Chunk(11);
      break;
    case Act::kAbort:
      builder.Chunk(6);
      break;
    default:
      builder.Chunk(0, ByteVector(12));
  }
}

ByteVector BytesOf(const Packet& packet) {
  PacketBuilder builder;
  builder.Ethernet();
  const Flow& flow = packet.flow;
  const bool v4 = flow.source.is_v4();
  if (v4) {
    builder.Ipv4(flow.source.ToString(), flow.destination.ToString());
  } else {
    builder.Ipv6(flow.source.ToString(), flow.destination.ToString());
  }
  const std::uint32_t identifier = std::uint32_t{flow.source_port} << 16;
  switch (flow.protocol) {
    case kProtoTcp:
      builder.Tcp(flow.source_port, flow.destination_port, TcpFlags(packet.act));
      break;
    case kProtoUdp:
      builder.Udp(flow.source_port, flow.destination_port);
      break;
    case kProtoSctp:
      AddSctp(packet, builder);
      break;
    case kProtoIcmp:
      builder.Icmp(packet.act == Act::kAnswer ? 0 : 8, 0, identifier);
      break;
    case kProtoIcmpv6:
      builder.Icmpv6(packet.act == Act::kAnswer ? 129 : 128, 0, identifier);
      break;
    default:
      builder.Protocol(flow.protocol).Payload(ByteVector(16));
  }
  return builder.Bytes();
}

std::string Told(const Table& table, const Decision& decision) {
  if (decision.rule == kNoRule) return "undecided";
  const TableRule& rule = table.rule(decision.rule);
  return rule.policy + " " + std::to_string(rule.index);
}
std::string Told(const reference::Side& side) {
  return side.decided ? side.policy + " " + std::to_string(side.rule) : "undecided";
}
std::string Told(const Outcome& outcome) {
  return std::string(Name(outcome.verdict)) + " " + std::string(Name(outcome.reason)) + " state " +
         std::to_string(static_cast<int>(outcome.state));
}
std::string Told(const reference::Verdict& verdict) {
  constexpr const char* kFates[] = {"forward ", "drop policy_denied", "drop flow_cut", "drop tcp_no_syn"};
  constexpr PacketState kStates[] = {PacketState::kNone, PacketState::kNew, PacketState::kEstablished,
                                     PacketState::kReply};
  return std::string(kFates[static_cast<int>(verdict.fate)]) + " state " +
         std::to_string(static_cast<int>(kStates[static_cast<int>(verdict.standing)]));
}
std::string Describe(const Packet& packet) {
  constexpr const char* kActs[] = {"data", "open", "answer", "confirm", "confirmed", "close", "abort"};
  return std::string(kActs[static_cast<int>(packet.act)]) + " " + test::ToText(packet.flow);
}

struct Tally {
  std::uint64_t cut = 0, replies = 0, denied = 0, still_cut = 0, restarts = 0;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Tally& tally)
      : random_(seed), world_(seed, kSize), strict_(random_() % 4 == 0), model_(strict_), tally_(tally) {
    Restart();
  }

  void Go() {
    constexpr int kSwaps = 30;
    constexpr int kBursts = 12;
    for (int swap = 0; swap < kSwaps && !testing::Test::HasFatalFailure(); ++swap) {
      const std::string change = swap == 0 ? "the first table" : world_.Mutate();
      table_ = CompileWorld(world_.cluster(), compiler_);
      const Evaluator policy(world_.cluster());
      for (const Flow& flow : world_.Flows(40)) AddFlow(flow);
      for (int burst = 0; burst < kBursts && !testing::Test::HasFatalFailure(); ++burst) {
        SCOPED_TRACE("swap " + std::to_string(swap) + " (" + change + "), burst " + std::to_string(burst));
        if (!flows_.empty()) SendBurst(policy);
        if (random_() % 4 == 0) LetTimePass();
        if (random_() % 8 == 0) Sweep(policy);
      }
      if (random_() % 2 == 0) Sweep(policy);
      if (random_() % 12 == 0) Restart();
    }
    tally_.cut += pipeline_->counters().flows_cut.value();
  }

 private:
  static constexpr WorldSize kSize{.namespaces = 4, .nodes = 3, .pods = 24, .policies = 16};

  std::uint16_t OneOf(std::initializer_list<std::uint16_t> ports) { return ports.begin()[random_() % ports.size()]; }

  void AddFlow(Flow flow) {
    if (!MayBeSent(flow.source) || !MayBeSent(flow.destination)) return;
    const bool v4 = flow.source.is_v4();
    if (random_() % 4 == 0) flow.protocol = v4 ? kProtoIcmp : kProtoIcmpv6;
    if (random_() % 6 == 0) flow.protocol = kProtoGre;
    if (flow.protocol == kProtoIcmp || flow.protocol == kProtoIcmpv6) {
      if ((flow.protocol == kProtoIcmp) != v4 || flow.source == flow.destination) return;
      flow.source_port = flow.destination_port = OneOf({1, 2});
    } else if (flow.protocol == kProtoTcp || flow.protocol == kProtoUdp || flow.protocol == kProtoSctp) {
      flow.source_port = OneOf({1024, 1025, 40000, 40001});
      if (flow.destination_port == 0) return;
    } else {
      flow.protocol = kProtoGre;
      flow.source_port = flow.destination_port = 0;
    }
    if (flow.source == flow.destination && flow.source_port == flow.destination_port) return;
    flows_.push_back(flow);
    if (flows_.size() > 150) flows_.erase(flows_.begin() + static_cast<std::ptrdiff_t>(random_() % 150));
  }

  Packet RandomPacket() {
    Packet packet{flows_[random_() % flows_.size()]};
    const bool backward = random_() % 3 == 0;
    if (backward) packet.flow = Reverse(packet.flow);
    switch (packet.flow.protocol) {
      case kProtoTcp: {
        constexpr Act kActs[] = {Act::kData, Act::kData,   Act::kData,  Act::kOpen,
                                 Act::kOpen, Act::kAnswer, Act::kClose, Act::kAbort};
        packet.act = kActs[random_() % std::size(kActs)];
        break;
      }
      case kProtoSctp: {
        constexpr Act kActs[] = {Act::kData,   Act::kData,    Act::kOpen,      Act::kOpen,
                                 Act::kAnswer, Act::kConfirm, Act::kConfirmed, Act::kAbort};
        packet.act = kActs[random_() % std::size(kActs)];
        break;
      }
      case kProtoIcmp:
      case kProtoIcmpv6:
        // Backward it may be an answer, or a query of the other end's own.
        packet.act = random_() % 2 == 0 ? Act::kData : Act::kAnswer;
        break;
      default:
        break;
    }
    return packet;
  }

  void SendBurst(const Evaluator& policy) {
    std::vector<Packet> packets(1 + random_() % kMaxBurst);
    std::vector<ByteVector> bytes;
    for (Packet& packet : packets) {
      packet = RandomPacket();
      bytes.push_back(BytesOf(packet));
    }
    std::vector<Frame> frames(packets.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      frames[i].data = bytes[i].data();
      frames[i].length = frames[i].frame_length = static_cast<std::uint32_t>(bytes[i].size());
    }
    std::vector<Outcome> outcomes;
    PipelineOutput out;
    out.outcomes = &outcomes;
    pipeline_->Process(*table_, now_ms_ * 1'000'000, frames, out);
    ASSERT_EQ(outcomes.size(), packets.size());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const reference::Verdict expected = model_.Judge(policy, packets[i], now_ms_);
      const Outcome& outcome = outcomes[i];
      SCOPED_TRACE("packet " + std::to_string(i) + " at " + std::to_string(now_ms_) + " ms: " + Describe(packets[i]));
      ASSERT_EQ(Told(outcome), Told(expected));
      ASSERT_EQ(Told(*table_, outcome.egress), Told(expected.answer.egress));
      ASSERT_EQ(Told(*table_, outcome.ingress), Told(expected.answer.ingress));
      tally_.replies += outcome.state == PacketState::kReply;
      tally_.denied += outcome.reason == DropReason::kPolicyDenied;
      tally_.still_cut += outcome.reason == DropReason::kFlowCut;
    }
  }

  // About as long as each of the time-outs, and less.
  void LetTimePass() {
    constexpr std::uint64_t kMs[] = {1,     500,   2900,   3001,   9000,   10001, 29000,
                                     30001, 59000, 119000, 120001, 209000, 300001};
    now_ms_ += kMs[random_() % std::size(kMs)];
  }

  void Sweep(const Evaluator& policy) {
    PipelineOutput out;
    const std::uint64_t now_ns = now_ms_ * 1'000'000;
    while (!pipeline_->Housekeep(*table_, now_ns, 100, out)) continue;
    while (pipeline_->IsBehind()) pipeline_->CatchUp(*table_, now_ns, 100);
    model_.Sweep(policy, now_ms_);
    ASSERT_EQ(pipeline_->Observe().flows, model_.size());
  }

  // As after a start of the program: no flow is known any more. The table is the same.
  void Restart() {
    if (pipeline_ != nullptr) {
      tally_.cut += pipeline_->counters().flows_cut.value();
      ++tally_.restarts;
    }
    PipelineConfig config;
    config.flow_capacity_ipv4 = config.flow_capacity_ipv6 = 4096;
    config.drop_unknown_endpoint = false;
    config.tcp_strict = strict_;
    pipeline_ = std::move(std::get<0>(Pipeline::Create(config)));
    model_.Clear();
  }

  std::mt19937_64 random_;
  RandomWorld world_;
  bool strict_;
  Compiler compiler_;
  std::shared_ptr<const Table> table_;
  std::unique_ptr<Pipeline> pipeline_;
  FlowModel model_;
  std::vector<Flow> flows_;
  std::uint64_t now_ms_ = 1'000'000;
  Tally& tally_;
};

TEST(PipelineAgainstReference, EveryPacketOfRandomTrafficThroughSwapsRestartsAndTime) {
  constexpr std::uint64_t kWorlds = 20;
  const char* const seconds = std::getenv("SLUICE_TEST_SECONDS");
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(seconds == nullptr ? 0 : std::atoll(seconds));
  Tally tally;
  for (std::uint64_t world = 0; world < kWorlds || std::chrono::steady_clock::now() < end; ++world) {
    const std::uint64_t seed = TestSeed() + 5000 + world;
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(world));
    Simulation run(seed, tally);
    run.Go();
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(tally.cut, 0u);
  EXPECT_GT(tally.still_cut, 100u);
  EXPECT_GT(tally.restarts, 0u);
  EXPECT_GT(tally.replies, 1000u);
  EXPECT_GT(tally.denied, 1000u);
}

}  // namespace
}  // namespace sluice::test
