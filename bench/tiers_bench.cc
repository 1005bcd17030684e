// What tiers cost: each of the shapes that must stay small and fast, with 100 cluster policies of 25 rules over all
// pods on top, beside itself without them. Both take turns in one run.
//
// Usage: tiers_bench [SHAPE [SCALE [TURNS]]]. Results are ratios, with to without, one a turn:
//   bytes          of the table
//   compile        processor time
//   hit            clocks of the whole filter for a packet of a known flow
//   first_miss     ... for the first packet of one
//   miss           ... where its ends and port were asked for before
//   known_triple   the classifier alone, of what was asked for before
//   unseen_triple  ... of what was not; one in four asks for a port that a cluster policy names
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/pipeline.h"
#include "edge/fault_free_memory.h"
#include "measure.h"
#include "resolve/resolve.h"
#include "support/shapes.h"
#include "table/classify.h"
#include "table/compile.h"
#include "traffic.h"

namespace sluice {
namespace {

constexpr std::uint32_t kFlows = 4096;
constexpr std::size_t kQueriesTried = 32 * 1024;

double CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::vector<ClassifyQuery> Queries(const ResolvedPolicy& policy, std::size_t pairs) {
  std::mt19937 random(1);
  std::vector<ClassifyQuery> queries(pairs);
  const auto address = [&] { return policy.endpoints[random() % policy.endpoints.size()].addresses.front(); };
  for (ClassifyQuery& query : queries) {
    const IpAddress from = address();
    query = {from, address(), 6, static_cast<std::uint16_t>(random() % 2 == 0 ? 80 : 1024 + random() % 5000)};
  }
  return queries;
}

// The whole filter with flows that both policies admit.
class Filter {
 public:
  Filter(const Table& table, std::span<const FlowTuple> flows) : table_(table), flows_(flows) {
    PipelineConfig config;
    config.flow_capacity_ipv4 = 4 * kFlows;
    config.flow_capacity_ipv6 = 64;
    pipeline_ = std::move(std::get<0>(Pipeline::Create(config, FaultFreeMemory())));
    pipeline_->Reserve(table);
    for (std::size_t i = 0; i < kMaxBurst; ++i) frames_[i].data = bytes_[i].data();
  }

  // Of the first packets of all flows, from that source port on.
  double Miss(std::uint16_t source_port) {
    for (std::uint32_t flow = 0; flow + kMaxBurst <= flows_.size(); flow += kMaxBurst) {
      for (std::uint32_t i = 0; i < kMaxBurst; ++i) Fill(i, flow + i, source_port, 0x02, PacketKind::kRequest);
      clocks_.Add(Process());
    }
    return clocks_.Median(kMaxBurst);
  }

  void Establish(std::uint16_t source_port) {
    for (const auto& [flags, kind] : {std::pair<std::uint8_t, PacketKind>(0x12, PacketKind::kReply),
                                      std::pair<std::uint8_t, PacketKind>(0x10, PacketKind::kRequest)}) {
      for (std::uint32_t flow = 0; flow + kMaxBurst <= flows_.size(); flow += kMaxBurst) {
        for (std::uint32_t i = 0; i < kMaxBurst; ++i) Fill(i, flow + i, source_port, flags, kind);
        Process();
      }
    }
  }

  // Of packets of random ones.
  double Hit(std::uint16_t source_port) {
    const auto whole = static_cast<std::uint32_t>(flows_.size() / kMaxBurst * kMaxBurst);
    for (int burst = 0; burst < 4000; ++burst) {
      for (std::uint32_t i = 0; i < kMaxBurst; ++i)
        Fill(i, random_.Below(whole), source_port, 0x10, PacketKind::kRequest);
      clocks_.Add(Process());
    }
    return clocks_.Median(kMaxBurst);
  }

  std::uint64_t flows_created() const { return pipeline_->counters().flows_created.value(); }

 private:
  void Fill(std::uint32_t place, std::uint32_t flow, std::uint16_t source_port, std::uint8_t flags, PacketKind kind) {
    FlowTuple tuple = flows_[flow];
    tuple.client_port = static_cast<std::uint16_t>(source_port + flow);
    FrameShape shape;
    shape.protocol = kProtoTcp;
    shape.tcp_flags = flags;
    frames_[place].length = frames_[place].frame_length = WriteFrame(shape, tuple, kind, bytes_[place].data());
  }

  std::uint64_t Process() {
    out_.Clear();
    Settle();
    const std::uint64_t start = Clocks();
    pipeline_->Process(table_, 1'000'000'000, frames_, out_);
    return Clocks() - start;
  }

  const Table& table_;
  std::span<const FlowTuple> flows_;
  std::unique_ptr<Pipeline> pipeline_;
  std::array<std::array<std::uint8_t, 256>, kMaxBurst> bytes_{};
  std::array<Frame, kMaxBurst> frames_;
  PipelineOutput out_;
  Random random_{1};
  BurstClocks clocks_;
};

// One of the two.
struct Side {
  ResolvedPolicy policy;
  std::shared_ptr<const Table> table = nullptr;
  double compile_ms = 0;
  double known_ns = 0;   // 1,024 pairs
  double unseen_ns = 0;  // 65,536 pairs, each asked for the first time
  double hit_clocks = 0;
  double first_miss_clocks = 0;
  double miss_clocks = 0;

  bool Compile() {
    table = nullptr;
    Compiler compiler;
    const double begun = CpuMs();
    auto result = compiler.Compile(policy);
    compile_ms = CpuMs() - begun;
    if (const auto* error = std::get_if<Diagnostic>(&result)) {
      std::fprintf(stderr, "%s\n", error->ToString().c_str());
      return false;
    }
    table = std::get<std::shared_ptr<const Table>>(std::move(result));
    return true;
  }

  static double Classify(Classifier& classifier, const Table& table, std::span<const ClassifyQuery> queries) {
    constexpr std::size_t kBurst = 32;
    std::vector<Classification> results(Classifier::kMaxBurst);
    const double begun = CpuMs();
    for (std::size_t i = 0; i + kBurst <= queries.size(); i += kBurst) {
      classifier.Classify(table, queries.subspan(i, kBurst), results.data());
    }
    return (CpuMs() - begun) * 1e6 / static_cast<double>(queries.size());
  }

  void AskClassifier() {
    const auto few = Queries(policy, 1024);
    Classifier known;
    Classify(known, *table, few);
    double sum = 0;
    constexpr int kRounds = 64;
    for (int round = 0; round < kRounds; ++round) sum += Classify(known, *table, few);
    known_ns = sum / kRounds;
    const auto many = Queries(policy, 65536);
    Classifier unseen;
    unseen_ns = Classify(unseen, *table, many);
  }

  bool Send(std::span<const FlowTuple> flows) {
    Filter filter(*table, flows);
    first_miss_clocks = filter.Miss(1000);
    miss_clocks = filter.Miss(10000);
    filter.Establish(10000);
    hit_clocks = filter.Hit(10000);
    return filter.flows_created() == flows.size() / kMaxBurst * kMaxBurst * 2;
  }
};

// Connections that rules of some sections speak of.
class Candidates {
 public:
  explicit Candidates(const ResolvedPolicy& policy) : policy_(policy) {
    std::vector<const Section*> all;
    for (const Section& section : policy.sections) {
      if (!section.rules.empty()) all.push_back(&section);
    }
    constexpr std::size_t kSections = 64;
    for (std::size_t i = 0; i < kSections && !all.empty(); ++i) sections_.push_back({all[random_() % all.size()], {}});
    for (const Endpoint& endpoint : policy.endpoints) {
      for (auto& [section, subjects] : sections_) {
        if (policy.member_sets.Contains(endpoint.members, section->subjects)) subjects.push_back(endpoint.addresses[0]);
      }
    }
  }

  ClassifyQuery Next() {
    const auto& [section, subjects] = sections_[random_() % sections_.size()];
    const Rule& rule = section->rules[random_() % section->rules.size()];
    const std::uint16_t port = rule.any_port || rule.ports.empty() ? 80 : rule.ports[0].first;
    const IpAddress subject = subjects.empty() ? AnyPod() : subjects[random_() % subjects.size()];
    if (section->direction == Direction::kIngress) return {AnyPod(), subject, kProtoTcp, port};
    const bool has_blocks = rule.peers != kAnyPeer && !policy_.groups[rule.peers].blocks.empty();
    if (!has_blocks) return {subject, AnyPod(), kProtoTcp, port};
    const auto& blocks = policy_.groups[rule.peers].blocks;
    return {subject, blocks[random_() % blocks.size()].cidr.First(), kProtoTcp, port};
  }

 private:
  IpAddress AnyPod() { return policy_.endpoints[random_() % policy_.endpoints.size()].addresses[0]; }

  const ResolvedPolicy& policy_;
  std::mt19937 random_{2};
  std::vector<std::pair<const Section*, std::vector<IpAddress>>> sections_;
};

// Those that both admit.
std::vector<FlowTuple> Admitted(const Side& one, const Side& other) {
  std::vector<FlowTuple> flows;
  Candidates candidates(one.policy);
  Classifier classifiers[2];
  for (std::size_t i = 0; i < kQueriesTried && flows.size() < kFlows; ++i) {
    const ClassifyQuery query = candidates.Next();
    if (!query.source.is_v4() || !query.destination.is_v4() || query.source == query.destination) continue;
    Classification answers[2];
    classifiers[0].Classify(*one.table, std::span(&query, 1), &answers[0]);
    classifiers[1].Classify(*other.table, std::span(&query, 1), &answers[1]);
    if (!answers[0].allow || !answers[1].allow || !answers[0].concerned) continue;
    const auto low = [](const IpAddress& address) { return static_cast<std::uint32_t>(address.lo); };
    flows.push_back({low(query.source), low(query.destination), 0, query.destination_port});
  }
  return flows;
}

int Measure(const Shape& shape, double scale, int turns) {
  Side without{Resolve(shape.make(scale), nullptr)};
  Side with{Resolve(UnderClusterPolicies(shape.make(scale)), nullptr)};
  std::vector<double> compile, hit, first_miss, miss, known, unseen;
  std::vector<FlowTuple> flows;
  for (int turn = 0; turn < turns; ++turn) {
    for (Side* side : {&without, &with}) {
      if (!side->Compile()) return 1;
      side->AskClassifier();
    }
    compile.push_back(with.compile_ms / without.compile_ms);
    known.push_back(with.known_ns / without.known_ns);
    unseen.push_back(with.unseen_ns / without.unseen_ns);
    if (turn == 0) flows = Admitted(without, with);
    if (flows.size() < kMaxBurst) continue;
    for (Side* side : {&without, &with}) {
      if (side->Send(flows)) continue;
      std::fprintf(stderr, "tiers_bench: %s: a connection that policy admits was not opened\n",
                   std::string(shape.name).c_str());
      return 1;
    }
    hit.push_back(with.hit_clocks / without.hit_clocks);
    first_miss.push_back(with.first_miss_clocks / without.first_miss_clocks);
    miss.push_back(with.miss_clocks / without.miss_clocks);
  }
  const auto say = [&](std::string_view metric, const std::vector<double>& values) {
    if (!values.empty())
      Result("tiers", "sluice").Text("shape", shape.name).Number("scale", scale).Values(metric, values);
  };
  say("bytes", {static_cast<double>(with.table->stats().bytes) / static_cast<double>(without.table->stats().bytes)});
  say("compile", compile);
  say("hit", hit);
  say("first_miss", first_miss);
  say("miss", miss);
  say("known_triple", known);
  say("unseen_triple", unseen);
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "";
  const double scale = argc > 2 ? std::atof(argv[2]) : 1.0;
  const int turns = argc > 3 ? std::atoi(argv[3]) : 5;
  int status = 0;
  for (const sluice::Shape& shape : sluice::Shapes()) {
    if (wanted.empty() || wanted == shape.name) status |= sluice::Measure(shape, scale, turns);
  }
  return status;
}
