// The pipeline against the reference evaluator, packet by packet, replies and swaps included.
//
// Flows are modelled the slow way: a map of who spoke to whom, each flow judged by the reference with every packet. So
// the pipeline's shortcuts (flows that remember their verdict, generations, stripes) must never show.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/pipeline.h"
#include "reference/compare.h"
#include "reference/evaluate.h"
#include "reference/random_world.h"
#include "support/packet_builder.h"

namespace sluice::test {
namespace {

using reference::Answer;
using reference::Evaluator;
using reference::Flow;

Flow Reverse(const Flow& flow) {
  return {flow.destination, flow.source, flow.protocol, flow.destination_port, flow.source_port};
}

struct SentPacket {
  Flow flow;  // in its own direction
  bool syn = false;
};

struct Expected {
  Verdict verdict = Verdict::kForward;
  PacketState state = PacketState::kNone;
  Answer answer;  // where it decided
};

// Never times out, as the test lets no time pass.
class FlowModel {
 public:
  Expected Judge(const Evaluator& policy, const SentPacket& packet) {
    const bool tcp = packet.flow.protocol == kProtoTcp;
    const auto ends = EndsOf(packet.flow);
    const Key found_key{std::min(ends.first, ends.second), std::max(ends.first, ends.second), packet.flow.protocol};
    const auto found = flows_.find(found_key);
    if (found != flows_.end()) {
      Tracked& tracked = found->second;
      const bool over = tracked.cut || tracked.picked_up;
      if (tcp && packet.syn && over) {
        flows_.erase(found);
      } else {
        const Answer answer = policy.Evaluate(tracked.original);
        if (!answer.allow) {
          if (tcp) {
            tracked.cut = true;
          } else {
            flows_.erase(found);
          }
          return {Verdict::kDrop, PacketState::kNone, answer};
        }
        if (tracked.cut || !IsConcerned(policy, tracked.original, answer)) {
          flows_.erase(found);
        } else {
          const bool reply = EndsOf(packet.flow) != EndsOf(tracked.original);
          if (reply && !(tcp && !packet.syn && !tracked.picked_up && !tracked.replied)) tracked.replied = true;
          if (reply && !packet.syn) tracked.picked_up = false;
          const PacketState state = reply             ? PacketState::kReply
                                    : tracked.replied ? PacketState::kEstablished
                                                      : PacketState::kNew;
          return {Verdict::kForward, state, answer};
        }
      }
    }
    const Answer answer = policy.Evaluate(packet.flow);
    if (!answer.allow) return {Verdict::kDrop, PacketState::kNone, answer};
    if (!IsConcerned(policy, packet.flow, answer)) return {Verdict::kForward, PacketState::kNone, answer};
    flows_[found_key] = {.original = packet.flow, .picked_up = tcp && !packet.syn};
    return {Verdict::kForward, PacketState::kNew, answer};
  }
  std::vector<Flow> Flows() const {
    std::vector<Flow> flows;
    for (const auto& [key, tracked] : flows_) flows.push_back(tracked.original);
    return flows;
  }

 private:
  using End = std::pair<IpAddress, std::uint16_t>;
  using Key = std::tuple<End, End, std::uint8_t>;
  struct Tracked {
    Flow original;
    bool replied = false;
    bool picked_up = false;  // without a SYN, and the other end not heard since
    bool cut = false;
  };

  static std::pair<End, End> EndsOf(const Flow& flow) {
    return {{flow.source, flow.source_port}, {flow.destination, flow.destination_port}};
  }
  static bool IsConcerned(const Evaluator& policy, const Flow& flow, const Answer& answer) {
    return answer.exemption == Exemption::kNone &&
           (policy.FindPod(flow.source) != nullptr || policy.FindPod(flow.destination) != nullptr);
  }

  std::map<Key, Tracked> flows_;
};

bool MayBeSent(const IpAddress& address) {
  return address.is_v4() ? address.lo >> 28 < 0xe && address.lo != 0 : address.hi >> 56 != 0xff;
}

ByteVector BytesOf(const SentPacket& packet) {
  PacketBuilder builder;
  builder.Ethernet();
  const std::string source = packet.flow.source.ToString();
  const std::string destination = packet.flow.destination.ToString();
  if (packet.flow.source.is_v4()) {
    builder.Ipv4(source, destination);
  } else {
    builder.Ipv6(source, destination);
  }
  if (packet.flow.protocol == kProtoUdp) {
    builder.Udp(packet.flow.source_port, packet.flow.destination_port);
  } else {
    builder.Tcp(packet.flow.source_port, packet.flow.destination_port, packet.syn ? kTcpSyn : kTcpAck);
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
std::string Told(Verdict verdict, PacketState state) {
  return std::string(Name(verdict)) + " state " + std::to_string(static_cast<int>(state));
}

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool quiet_swaps) : random_(seed), world_(seed, kSize), sweeps_(quiet_swaps) {
    PipelineConfig config;
    config.flow_capacity_ipv4 = config.flow_capacity_ipv6 = 4096;
    config.drop_unknown_endpoint = false;
    pipeline_ = std::move(std::get<0>(Pipeline::Create(config)));
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
        SendBurst(policy);
      }
      if (sweeps_ && random_() % 2 == 0) Sweep();
    }
  }
  std::uint64_t cut() const { return pipeline_->counters().flows_cut.value(); }
  std::uint64_t replies() const { return replies_; }
  std::uint64_t denied() const { return denied_; }

 private:
  static constexpr WorldSize kSize{.namespaces = 4, .nodes = 3, .pods = 24, .policies = 16};

  void AddFlow(Flow flow) {
    if (flow.protocol != kProtoTcp && flow.protocol != kProtoUdp) return;
    if (!MayBeSent(flow.source) || !MayBeSent(flow.destination)) return;
    flow.source_port = static_cast<std::uint16_t>(1024 + random_() % 4);
    flows_.push_back(flow);
    if (flows_.size() > 150) flows_.erase(flows_.begin() + static_cast<std::ptrdiff_t>(random_() % 150));
  }

  void SendBurst(const Evaluator& policy) {
    std::vector<SentPacket> packets(1 + random_() % kMaxBurst);
    std::vector<ByteVector> bytes;
    for (SentPacket& packet : packets) {
      packet.flow = flows_[random_() % flows_.size()];
      if (random_() % 3 == 0) packet.flow = Reverse(packet.flow);
      packet.syn = random_() % 3 == 0;
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
    pipeline_->Process(*table_, kNow, frames, out);
    ASSERT_EQ(outcomes.size(), packets.size());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const Expected expected = model_.Judge(policy, packets[i]);
      const Outcome& outcome = outcomes[i];
      SCOPED_TRACE("packet " + std::to_string(i) + (packets[i].syn ? " SYN " : " ") + ToText(packets[i].flow));
      ASSERT_EQ(Told(outcome.verdict, outcome.state), Told(expected.verdict, expected.state));
      ASSERT_EQ(Told(*table_, outcome.egress), Told(expected.answer.egress));
      ASSERT_EQ(Told(*table_, outcome.ingress), Told(expected.answer.ingress));
      if (outcome.state == PacketState::kReply) ++replies_;
      if (outcome.verdict == Verdict::kDrop) ++denied_;
    }
  }

  // The model judges flows with their packets only; a sweep in between may cut one that would have been allowed again
  // by its next packet, so both are asked about every flow first, also those of which no more packets would come.
  void Sweep() {
    PipelineOutput out;
    const Evaluator policy(world_.cluster());
    const std::vector<Flow> flows = model_.Flows();
    for (const Flow& flow : flows) {
      for (const Flow& direction : {flow, Reverse(flow)}) {
        const SentPacket packet{direction, false};
        ByteVector bytes = BytesOf(packet);
        Frame frame;
        frame.data = bytes.data();
        frame.length = frame.frame_length = static_cast<std::uint32_t>(bytes.size());
        pipeline_->Process(*table_, kNow, std::span(&frame, 1), out);
        model_.Judge(policy, packet);
      }
    }
    while (!pipeline_->Housekeep(*table_, kNow, 100, out)) continue;
    EXPECT_EQ(out.drop.size() + out.forward.size(), flows.size() * 2);
  }

  static constexpr std::uint64_t kNow = 1'000'000'000;
  std::mt19937_64 random_;
  RandomWorld world_;
  bool sweeps_;
  Compiler compiler_;
  std::shared_ptr<const Table> table_;
  std::unique_ptr<Pipeline> pipeline_;
  FlowModel model_;
  std::vector<Flow> flows_;
  std::uint64_t replies_ = 0;
  std::uint64_t denied_ = 0;
};

TEST(PipelineAgainstReference, EveryPacketOfRandomTrafficThroughSwaps) {
  constexpr int kWorlds = 20;
  std::uint64_t cut = 0, replies = 0, denied = 0;
  for (int world = 0; world < kWorlds; ++world) {
    const std::uint64_t seed = TestSeed() + 5000 + static_cast<std::uint64_t>(world);
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(world));
    Simulation run(seed, world % 2 == 1);
    run.Go();
    if (testing::Test::HasFatalFailure()) return;
    cut += run.cut();
    replies += run.replies();
    denied += run.denied();
  }
  EXPECT_GT(cut, 0u);
  EXPECT_GT(replies, 1000u);
  EXPECT_GT(denied, 1000u);
}

}  // namespace
}  // namespace sluice::test
