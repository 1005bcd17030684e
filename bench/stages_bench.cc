// Each stage of the walk alone, in clocks of the time-stamp counter a packet.
//
//   stages_bench --benchmark_filter=Hit
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "core/flow_state.h"
#include "core/parse.h"
#include "core/pipeline.h"
#include "measure.h"
#include "sluice/resolved_policy.h"
#include "table/compile.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#endif

namespace sluice {
namespace {

constexpr std::uint32_t kFrameBytes = 64;
constexpr std::uint32_t kFrameStride = 2048;  // as in a pool of packet buffers
constexpr std::uint32_t kBuffers = 512;

// Clients 10.x.y.z, each with the one server at 11.0.0.1 (or fd00::), by UDP.
void WriteFrame(std::uint8_t* frame, Family family, std::uint32_t flow) {
  std::memset(frame, 0, kFrameBytes);
  std::uint8_t* ip = frame + 14;
  std::uint8_t* udp = ip + (family == Family::kIpv4 ? 20 : 40);
  const std::uint8_t client[4] = {10, static_cast<std::uint8_t>(flow >> 24), static_cast<std::uint8_t>(flow >> 16),
                                  static_cast<std::uint8_t>(flow >> 8)};
  const std::uint8_t server[4] = {11, 0, 0, 1};
  if (family == Family::kIpv4) {
    frame[12] = 0x08;
    ip[0] = 0x45;
    ip[3] = kFrameBytes - 14;
    ip[8] = 64;
    ip[9] = 17;
    std::memcpy(ip + 12, client, 4);
    std::memcpy(ip + 16, server, 4);
  } else {
    frame[12] = 0x86;
    frame[13] = 0xdd;
    ip[0] = 0x60;
    ip[5] = kFrameBytes - 54;
    ip[6] = 17;
    ip[7] = 64;
    ip[8] = ip[24] = 0xfd;
    std::memcpy(ip + 20, client, 4);
    std::memcpy(ip + 36, server, 4);
  }
  udp[0] = 0x10;
  udp[1] = static_cast<std::uint8_t>(flow);
  udp[3] = 80;
  udp[5] = static_cast<std::uint8_t>(kFrameBytes - (udp - frame));
}

std::shared_ptr<const Table> ServerAdmitsAll(Compiler& compiler) {
  ResolvedPolicy policy;
  policy.groups.push_back({"server", {}});
  Endpoint server;
  server.namespace_name = "default";
  server.name = "server";
  server.addresses = {*IpAddress::Parse("11.0.0.1"), *IpAddress::Parse("fd00::b00:1")};
  server.members = policy.member_sets.Intern(std::vector<std::uint32_t>{0});
  policy.endpoints.push_back(server);
  policy.groups.push_back({"everyone", {{*Prefix::Parse("0.0.0.0/0"), {}}, {*Prefix::Parse("::/0"), {}}}});
  Section section;
  section.policy = "default/server";
  section.direction = Direction::kIngress;
  section.subjects = 0;
  section.isolates = true;
  Rule rule;
  rule.peers = 1;
  rule.any_port = false;
  rule.ports = {{kProtoUdp, 80, 80}};
  section.rules = {rule};
  policy.sections.push_back(section);
  return std::get<0>(compiler.Compile(policy));
}

class Traffic {
 public:
  explicit Traffic(Family family) : family_(family), memory_(kBuffers * kFrameStride) {}

  // A burst of frames of these flows, each in a buffer that was used last kBuffers frames ago.
  std::span<const Frame> Burst(std::span<const std::uint32_t> flows) {
    for (std::size_t i = 0; i < flows.size(); ++i) {
      std::uint8_t* bytes = &memory_[next_++ % kBuffers * kFrameStride];
      WriteFrame(bytes, family_, flows[i]);
      frames_[i].data = bytes;
      frames_[i].length = frames_[i].frame_length = kFrameBytes;
    }
    return std::span(frames_).first(flows.size());
  }

 private:
  Family family_;
  std::vector<std::uint8_t> memory_;
  std::array<Frame, kMaxBurst> frames_;
  std::uint32_t next_ = 0;
};

constexpr std::uint32_t kBurst = 32;

std::uint64_t packets_measured = 0;

// The clocks between Begin and End, which leave out making the frames; their median over all bursts, so that what else
// the machine does counts for little. Under callgrind, instructions are counted there alone.
class Stopwatch {
 public:
  explicit Stopwatch(std::uint32_t packets) : packets_(packets) {}
  void Begin() {
    Settle();
    CALLGRIND_TOGGLE_COLLECT;
    begin_ = Clocks();
  }
  void End() {
    clocks_.push_back(Clocks() - begin_);
    CALLGRIND_TOGGLE_COLLECT;
    packets_measured += packets_;
  }
  void Report(benchmark::State& state) {
    const auto middle = clocks_.begin() + static_cast<std::ptrdiff_t>(clocks_.size() / 2);
    std::nth_element(clocks_.begin(), middle, clocks_.end());
    state.counters["clocks_a_packet"] = static_cast<double>(*middle) / packets_;
  }

 private:
  std::uint32_t packets_;
  std::uint64_t begin_ = 0;
  std::vector<std::uint64_t> clocks_;
};

Family FamilyOf(const benchmark::State& state) { return state.range(0) == 4 ? Family::kIpv4 : Family::kIpv6; }

std::array<std::uint32_t, kBurst> RandomFlows(std::mt19937& random, std::uint32_t limit) {
  std::array<std::uint32_t, kBurst> flows;
  for (std::uint32_t& flow : flows) flow = static_cast<std::uint32_t>(random() % limit);
  return flows;
}

void Parse(benchmark::State& state) {
  Traffic traffic(FamilyOf(state));
  std::mt19937 random(1);
  std::array<ParsedPacket, kMaxBurst> packets;
  const ParseConfig config;
  Stopwatch watch(kBurst);
  for (auto _ : state) {
    const auto frames = traffic.Burst(RandomFlows(random, 1000));
    watch.Begin();
    ParseBurst(frames, config, packets.data());
    benchmark::DoNotOptimize(packets);
    watch.End();
  }
  watch.Report(state);
}
BENCHMARK(Parse)->Arg(4)->Arg(6);

std::array<ClassifyQuery, kBurst> RandomQueries(std::mt19937& random, Family family, std::uint32_t limit) {
  std::array<ClassifyQuery, kBurst> queries;
  for (ClassifyQuery& query : queries) {
    const std::uint32_t client = 0x0a000000 + random() % limit;
    query = {IpAddress::V4(client), IpAddress::V4(0x0b000001), kProtoUdp, 80};
    if (family == Family::kIpv6) {
      query.source = IpAddress::V6(0xfd00'0000'0000'0000, std::uint64_t{client} << 32);
      query.destination = *IpAddress::Parse("fd00::b00:1");
    }
  }
  return queries;
}

// From two addresses to their identities.
void IdentityLookup(benchmark::State& state) {
  Compiler compiler;
  const auto table = ServerAdmitsAll(compiler);
  std::mt19937 random(1);
  std::array<AddressEntry, 2 * kBurst> entries;
  Stopwatch watch(kBurst);
  for (auto _ : state) {
    const auto queries = RandomQueries(random, FamilyOf(state), 65536);
    std::array<const IpAddress*, 2 * kBurst> ends;
    for (std::size_t i = 0; i < kBurst; ++i) {
      ends[2 * i] = &queries[i].source;
      ends[2 * i + 1] = &queries[i].destination;
    }
    watch.Begin();
    table->addresses().LookupBurst(ends, entries.data());
    benchmark::DoNotOptimize(entries);
    watch.End();
  }
  watch.Report(state);
}
BENCHMARK(IdentityLookup)->Arg(4)->Arg(6);

// The whole of a classification: identities, then what admits the pair (where tuples would be searched).
void PairLookup(benchmark::State& state) {
  Compiler compiler;
  const auto table = ServerAdmitsAll(compiler);
  Classifier classifier;
  std::mt19937 random(1);
  std::array<Classification, kBurst> answers;
  classifier.Classify(*table, RandomQueries(random, Family::kIpv4, 65536), answers.data());
  Stopwatch watch(kBurst);
  for (auto _ : state) {
    const auto queries = RandomQueries(random, Family::kIpv4, 65536);
    watch.Begin();
    classifier.Classify(*table, queries, answers.data());
    benchmark::DoNotOptimize(answers);
    watch.End();
  }
  watch.Report(state);
}
BENCHMARK(PairLookup);

// A packet's event, and the state that follows.
void StateUpdate(benchmark::State& state) {
  std::mt19937 random(1);
  std::array<ParsedPacket, kBurst> packets;
  std::array<FlowState, kBurst> states;
  Stopwatch watch(kBurst);
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      packets[i].protocol = kProtoTcp;
      packets[i].tcp_flags = random() % 2 == 0 ? 0x10 : 0x18;
      states[i] = static_cast<FlowState>(random() % kFlowStates);
    }
    watch.Begin();
    for (std::size_t i = 0; i < kBurst; ++i) states[i] = NextState(states[i], Side::kOriginal, EventOf(packets[i]));
    benchmark::DoNotOptimize(states);
    watch.End();
  }
  watch.Report(state);
}
BENCHMARK(StateUpdate);

PipelineConfig Config(std::uint32_t flows) {
  PipelineConfig config;
  config.flow_capacity_ipv4 = config.flow_capacity_ipv6 = flows + flows / 4 + 64;
  return config;
}

// The whole walk of a packet whose flow is there.
void FlowHit(benchmark::State& state) {
  const auto flows = static_cast<std::uint32_t>(state.range(1));
  Compiler compiler;
  const auto table = ServerAdmitsAll(compiler);
  const auto pipeline = std::move(std::get<0>(Pipeline::Create(Config(flows))));
  Traffic traffic(FamilyOf(state));
  PipelineOutput out;
  std::array<std::uint32_t, kBurst> burst;
  for (std::uint32_t i = 0; i < flows; i += kBurst) {
    for (std::uint32_t j = 0; j < kBurst; ++j) burst[j] = (i + j) % flows;
    out.Clear();
    pipeline->Process(*table, 1'000'000'000, traffic.Burst(burst), out);
  }
  std::mt19937 random(1);
  Stopwatch watch(kBurst);
  for (auto _ : state) {
    const auto frames = traffic.Burst(RandomFlows(random, flows));
    out.Clear();
    watch.Begin();
    pipeline->Process(*table, 1'000'000'000, frames, out);
    watch.End();
  }
  if (pipeline->counters().flows_created.value() != flows) state.SkipWithError("flows were lost");
  watch.Report(state);
}
BENCHMARK(FlowHit)->ArgsProduct({{4, 6}, {1000, 64 * 1024, 1024 * 1024}});

// The whole walk of a packet that opens a flow; a full table's oldest flow makes way.
void FlowMiss(benchmark::State& state) {
  const auto capacity = static_cast<std::uint32_t>(state.range(1));
  Compiler compiler;
  const auto table = ServerAdmitsAll(compiler);
  const auto pipeline = std::move(std::get<0>(Pipeline::Create(Config(capacity))));
  Traffic traffic(FamilyOf(state));
  PipelineOutput out;
  Stopwatch watch(kBurst);
  std::uint32_t next = 0;
  std::array<std::uint32_t, kBurst> burst;
  const auto next_flows = [&] {
    for (std::uint32_t& flow : burst) flow = next++;
  };
  next_flows();
  pipeline->Process(*table, 1'000'000'000, traffic.Burst(burst), out);
  for (auto _ : state) {
    next_flows();
    const auto frames = traffic.Burst(burst);
    out.Clear();
    watch.Begin();
    pipeline->Process(*table, 1'000'000'000, frames, out);
    watch.End();
  }
  if (pipeline->counters().flows_created.value() != next) state.SkipWithError("not every packet opened a flow");
  watch.Report(state);
}
BENCHMARK(FlowMiss)->ArgsProduct({{4, 6}, {1000, 64 * 1024, 1024 * 1024}});

// The sweep over flows that a new table says nothing new of.
void Sweep(benchmark::State& state) {
  const auto flows = static_cast<std::uint32_t>(state.range(1));
  Compiler compiler;
  const auto table = ServerAdmitsAll(compiler);
  const auto pipeline = std::move(std::get<0>(Pipeline::Create(Config(flows))));
  Traffic traffic(FamilyOf(state));
  PipelineOutput out;
  std::array<std::uint32_t, kBurst> burst;
  for (std::uint32_t i = 0; i < flows; i += kBurst) {
    for (std::uint32_t j = 0; j < kBurst; ++j) burst[j] = (i + j) % flows;
    out.Clear();
    pipeline->Process(*table, 1'000'000'000, traffic.Burst(burst), out);
  }
  Stopwatch watch(flows);
  for (auto _ : state) {
    watch.Begin();
    pipeline->Housekeep(*table, 1'000'000'000, flows, out);
    watch.End();
  }
  watch.Report(state);
}
BENCHMARK(Sweep)->ArgsProduct({{4, 6}, {1024 * 1024}});

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  std::fprintf(stderr, "packets: %llu\n", static_cast<unsigned long long>(sluice::packets_measured));
  return 0;
}
