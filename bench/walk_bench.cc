// The whole filter (parse to verdict, with state and counters) on packets of known flows, beside rte_hash_lookup_bulk
// on as many 16-byte keys, in turns in one process.
//
// Usage: walk_bench [ROUNDS [FLOWS...]]
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "core/pipeline.h"
#include "edge/fault_free_memory.h"
#include "measure.h"
#include "start.h"
#include "table/compile.h"
#include "traffic.h"

namespace sluice {
namespace {

constexpr std::uint32_t kBurst = kMaxBurst;
constexpr std::uint32_t kRules = 1000;
constexpr std::uint32_t kBuffers = 512;       // frames in flight, as in a pool with a cache
constexpr std::uint32_t kBufferBytes = 2304;  // an mbuf with its room
constexpr std::uint64_t kNow = 1'000'000'000;

std::uint32_t Room(std::uint32_t flows) { return flows + flows / 4 + 64; }

class Walk {
 public:
  Walk(const Traffic& traffic, const Table& table, Family family, std::uint32_t flows)
      : traffic_(traffic), table_(table), family_(family), flows_(flows), memory_(kBuffers * kBufferBytes) {
    PipelineConfig config;
    config.flow_capacity_ipv4 = family == Family::kIpv4 ? Room(flows) : 64;
    config.flow_capacity_ipv6 = family == Family::kIpv6 ? Room(flows) : 64;
    auto created = Pipeline::Create(config, FaultFreeMemory());
    if (const auto* error = std::get_if<Diagnostic>(&created)) {
      std::fprintf(stderr, "walk_bench: %s\n", error->ToString().c_str());
      std::exit(1);
    }
    pipeline_ = std::move(std::get<0>(created));
    pipeline_->Reserve(table);
    FrameShape shape;
    shape.family = family;
    for (std::uint32_t i = 0; i < kBuffers; ++i) {
      length_ = WriteFrame(shape, traffic.Flow(0), PacketKind::kRequest, &memory_[i * kBufferBytes]);
    }
    Establish();
  }

  // The clocks of one burst of random flows.
  std::uint64_t Burst() {
    for (Frame& frame : frames_) Fill(frame, random_.Below(flows_), PacketKind::kRequest);
    out_.Clear();
    Settle();
    const std::uint64_t start = Clocks();
    pipeline_->Process(table_, kNow, frames_, out_);
    return Clocks() - start;
  }

  bool AllHit() const { return pipeline_->counters().flows_created.value() == flows_; }

 private:
  void Fill(Frame& frame, std::uint32_t flow, PacketKind kind) {
    std::uint8_t* bytes = &memory_[next_++ % kBuffers * kBufferBytes];
    Readdress(family_, traffic_.Flow(flow), kind, bytes);
    frame.data = bytes;
    frame.length = frame.frame_length = length_;
  }

  // Both directions of every flow, in an order that is not that of their numbers.
  void Establish() {
    std::uint32_t flow = 0;
    constexpr std::uint32_t kStep = 7919;  // a prime
    for (std::uint32_t i = 0; i < flows_; i += kBurst / 2) {
      for (std::uint32_t j = 0; j < kBurst / 2; ++j) {
        Fill(frames_[2 * j], flow, PacketKind::kRequest);
        Fill(frames_[2 * j + 1], flow, PacketKind::kReply);
        flow = static_cast<std::uint32_t>((std::uint64_t{flow} + kStep) % flows_);
      }
      out_.Clear();
      pipeline_->Process(table_, kNow, frames_, out_);
    }
  }

  const Traffic& traffic_;
  const Table& table_;
  Family family_;
  std::uint32_t flows_;
  std::vector<std::uint8_t> memory_;
  std::array<Frame, kBurst> frames_;
  std::uint16_t length_ = 0;
  std::uint32_t next_ = 0;
  Random random_{1};
  PipelineOutput out_;
  std::unique_ptr<Pipeline> pipeline_;
};

struct Key {
  FlowTuple tuple;
  std::uint32_t protocol = kProtoUdp;
};
static_assert(sizeof(Key) == 16);

class Hash {
 public:
  Hash(const Traffic& traffic, std::uint32_t flows) : traffic_(traffic), flows_(flows) {
    rte_hash_parameters parameters{};
    parameters.name = "walk";
    parameters.entries = Room(flows);
    parameters.key_len = sizeof(Key);
    parameters.hash_func = rte_hash_crc;
    hash_ = rte_hash_create(&parameters);
    if (hash_ == nullptr) {
      std::fprintf(stderr, "walk_bench: rte_hash_create: %s\n", rte_strerror(rte_errno));
      std::exit(1);
    }
    for (std::uint32_t flow = 0; flow < flows; ++flow) {
      const Key key{traffic.Flow(flow)};
      if (rte_hash_add_key(hash_, &key) < 0) missing_ = true;
    }
    for (std::uint32_t i = 0; i < kBurst; ++i) pointers_[i] = &keys_[i];
  }
  ~Hash() { rte_hash_free(hash_); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  std::uint64_t Burst() {
    for (Key& key : keys_) key.tuple = traffic_.Flow(random_.Below(flows_));
    Settle();
    const std::uint64_t start = Clocks();
    rte_hash_lookup_bulk(hash_, pointers_.data(), kBurst, positions_.data());
    const std::uint64_t clocks = Clocks() - start;
    for (const std::int32_t position : positions_) missing_ |= position < 0;
    return clocks;
  }

  bool AllHit() const { return !missing_; }

 private:
  const Traffic& traffic_;
  std::uint32_t flows_;
  rte_hash* hash_;
  bool missing_ = false;
  std::array<Key, kBurst> keys_;
  std::array<const void*, kBurst> pointers_;
  std::array<std::int32_t, kBurst> positions_;
  Random random_{1};
};

int Measure(std::uint32_t rounds, std::uint32_t flows) {
  const Traffic traffic(kRules);
  Compiler compiler;
  const auto table = std::get<0>(compiler.Compile(traffic.Policy()));
  Walk walk4(traffic, *table, Family::kIpv4, flows);
  Walk walk6(traffic, *table, Family::kIpv6, flows);
  Hash hash(traffic, flows);
  const std::uint32_t bursts = std::max(4000u, 2 * flows / kBurst);
  BurstClocks clocks;
  std::vector<double> of_walk4, of_walk6, of_hash;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const auto run = [&](auto& contender, std::vector<double>& values) {
      for (std::uint32_t i = 0; i < bursts; ++i) clocks.Add(contender.Burst());
      values.push_back(clocks.Median(kBurst));
    };
    run(hash, of_hash);
    run(walk4, of_walk4);
    run(walk6, of_walk6);
  }
  if (!walk4.AllHit() || !walk6.AllHit() || !hash.AllHit()) {
    std::fprintf(stderr, "walk_bench: %u flows: not every packet met its flow\n", flows);
    return 1;
  }
  Result("walk", "rte_hash").Number("flows", flows).Values("clocks", of_hash);
  Result("walk", "sluice").Number("flows", flows).Number("family", 4).Values("clocks", of_walk4);
  Result("walk", "sluice").Number("flows", flows).Number("family", 6).Values("clocks", of_walk6);
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (!sluice::StartOnOneCore("walk_bench")) return 1;
  const auto rounds = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 15);
  int status = 0;
  if (argc > 2) {
    for (int i = 2; i < argc; ++i) status |= sluice::Measure(rounds, static_cast<std::uint32_t>(std::atoi(argv[i])));
  } else {
    for (const std::uint32_t flows : {1000u, 64u * 1024, 1024u * 1024}) status |= sluice::Measure(rounds, flows);
  }
  return status;
}
