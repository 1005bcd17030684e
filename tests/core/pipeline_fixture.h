// A pipeline with a table and a clock, and frames that go through it one at a time or in bursts.
#ifndef SLUICE_TESTS_CORE_PIPELINE_FIXTURE_H_
#define SLUICE_TESTS_CORE_PIPELINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/pipeline.h"
#include "support/packet_builder.h"
#include "table/policy_builder.h"

namespace sluice {

class PipelineFixture {
 public:
  explicit PipelineFixture(PipelineConfig config = SmallConfig()) {
    pipeline_ = std::move(std::get<0>(Pipeline::Create(config)));
    table_ = compiler_.EmptyTable();
  }

  static PipelineConfig SmallConfig() {
    PipelineConfig config;
    config.flow_capacity_ipv4 = 64;
    config.flow_capacity_ipv6 = 64;
    config.fragment_trains = 16;
    config.fragments_held = 16;
    config.hash_seed = 1;
    return config;
  }

  void Load(const ResolvedPolicy& policy) { table_ = MustCompile(compiler_, policy); }
  void Load(std::shared_ptr<const Table> table) { table_ = std::move(table); }
  void Advance(double seconds) { now_ns_ += static_cast<std::uint64_t>(seconds * 1e9); }

  // The frames as one burst; what became of each, in the order in which that was known.
  std::vector<Outcome> Burst(const std::vector<ByteVector>& frames, std::uint16_t port = 0) {
    std::vector<Frame> burst;
    for (const ByteVector& bytes : frames) {
      kept_.push_back(bytes);
      Frame frame;
      frame.data = kept_.back().data();
      frame.length = frame.frame_length = static_cast<std::uint32_t>(bytes.size());
      frame.handle = frame.data;
      frame.port = port;
      frame.out_port = port ^ 1;
      burst.push_back(frame);
    }
    std::vector<Outcome> outcomes;
    output_.Clear();
    output_.outcomes = &outcomes;
    pipeline_->Process(*table_, now_ns_, burst, output_);
    output_.outcomes = nullptr;
    return outcomes;
  }
  Outcome Send(const PacketBuilder& packet, std::uint16_t port = 0) {
    const std::vector<Outcome> outcomes = Burst({packet.Bytes()}, port);
    EXPECT_EQ(outcomes.size(), 1u);
    return outcomes.empty() ? Outcome{} : outcomes[0];
  }
  // As the worker does it: nobody asks for outcomes.
  void SendQuietly(const std::vector<ByteVector>& frames) {
    std::vector<Frame> burst;
    for (const ByteVector& bytes : frames) {
      kept_.push_back(bytes);
      Frame frame;
      frame.data = kept_.back().data();
      frame.length = frame.frame_length = static_cast<std::uint32_t>(bytes.size());
      burst.push_back(frame);
    }
    output_.Clear();
    pipeline_->Process(*table_, now_ns_, burst, output_);
  }
  void SweepAll() {
    output_.Clear();
    while (!pipeline_->Housekeep(*table_, now_ns_, 7, output_)) continue;
  }

  std::vector<FlowView> Flows() const {
    std::vector<FlowView> flows;
    pipeline_->Observe().reader.ForEachFlow([&](const FlowView& flow) { flows.push_back(flow); });
    return flows;
  }
  std::uint64_t Drops(DropReason reason) const {
    return pipeline_->counters().drops[static_cast<std::size_t>(reason)].value();
  }
  std::uint64_t Verdicts(Verdict verdict) const {
    return pipeline_->counters().verdicts[static_cast<std::size_t>(verdict)].value();
  }
  RuleCount CountOf(RuleId rule) const { return pipeline_->Observe().reader.CountOf(table_->epoch(), rule); }
  const PipelineCounters& counters() const { return pipeline_->counters(); }
  const PipelineOutput& output() const { return output_; }
  Pipeline& pipeline() { return *pipeline_; }
  const Table& table() const { return *table_; }
  std::uint64_t now_ns() const { return now_ns_; }
  Compiler& compiler() { return compiler_; }

 private:
  Compiler compiler_;
  std::shared_ptr<const Table> table_;
  std::unique_ptr<Pipeline> pipeline_;
  std::uint64_t now_ns_ = 1'000'000'000'000;
  std::deque<ByteVector> kept_;
  PipelineOutput output_;
};

// Pods 10.0.0.1 and fd00::1 (client), 10.0.0.2 and fd00::2 (server), 10.0.0.3 and fd00::3 (a bystander). The server
// admits the client on TCP, UDP and SCTP 80, and whatever `server_rules` adds.
inline ResolvedPolicy ServerAdmitsClient(std::vector<Rule> server_rules = {}, bool client_admitted = true) {
  PolicyBuilder builder;
  const GroupId client = builder.Group("client");
  const GroupId server = builder.Group("server");
  builder.Endpoint("client", {Ip("10.0.0.1"), Ip("fd00::1")}, {client})
      .Endpoint("server", {Ip("10.0.0.2"), Ip("fd00::2")}, {server})
      .Endpoint("bystander", {Ip("10.0.0.3"), Ip("fd00::3")}, {});
  std::vector<Rule> rules = std::move(server_rules);
  if (client_admitted) {
    rules.push_back(AllowRule(client, {{kProtoTcp, 80, 80}, {kProtoUdp, 80, 80}, {kProtoSctp, 80, 80}}));
  }
  builder.Section("default/server", Direction::kIngress, server, rules);
  return std::move(builder.policy());
}

inline std::string Told(const Outcome& outcome) {
  constexpr std::string_view kStates[] = {"none", "new", "established", "reply", "related"};
  std::string text = std::string(Name(outcome.verdict)) + " " + std::string(kStates[static_cast<int>(outcome.state)]);
  if (outcome.reason != DropReason::kNone) text += " " + std::string(Name(outcome.reason));
  return text;
}

inline PacketBuilder ClientTcp(std::uint8_t flags, std::uint16_t port = 1000, std::uint16_t to = 80) {
  return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(port, to, flags);
}
inline PacketBuilder ServerTcp(std::uint8_t flags, std::uint16_t port = 1000, std::uint16_t from = 80) {
  return PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1").Tcp(from, port, flags);
}
inline PacketBuilder ClientUdp(std::uint16_t port = 1000, std::uint16_t to = 80) {
  return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Udp(port, to);
}
inline PacketBuilder ServerUdp(std::uint16_t port = 1000, std::uint16_t from = 80) {
  return PacketBuilder().Ethernet().Ipv4("10.0.0.2", "10.0.0.1").Udp(from, port);
}

}  // namespace sluice

#endif  // SLUICE_TESTS_CORE_PIPELINE_FIXTURE_H_
