// A sequence of packets, pauses and policies through one pipeline. The first byte configures it; then come steps, a
// byte each with its operands. Whatever happens: each frame comes out exactly once, forwarded ones as they came, the
// counters add up, and what the pipeline makes itself parses.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "core/parse.h"
#include "core/pipeline.h"
#include "fuzz/fuzz.h"
#include "support/sample_packets.h"
#include "table/policy_builder.h"

namespace sluice {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

enum Step : std::uint8_t {
  kRawFrame,
  kSample,
  kWait,
  kLoadPolicy,
  kEndBurst,
  kHousekeep,
  kDns,
  kReadDns,
  kRelease,
  kStepCount,
};

constexpr std::uint8_t kReject = 1, kStrict = 2, kPassUnknown = 4, kListen = 8;  // bits of the first byte

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  std::uint8_t Byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  std::uint16_t Word() {
    const std::uint8_t high = Byte();
    return static_cast<std::uint16_t>(high << 8 | Byte());
  }
  ByteVector Take(std::size_t count) {
    count = std::min(count, size_);
    const ByteVector bytes(data_, data_ + count);
    data_ += count;
    size_ -= count;
    return bytes;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

// Of the samples' two ends: open, closed to all, or open for one port to one of them.
ResolvedPolicy MakePolicy(std::uint8_t which) {
  PolicyBuilder builder;
  const GroupId subject = builder.Group("subject");
  const GroupId peer = builder.Group("peer");
  const NodeId node = builder.Node("node", {Ip("192.168.0.1")}, {Cidr("10.1.0.0/16")});
  builder.Endpoint("a", {Ip("10.0.0.1"), Ip("fd00::1")}, {peer}, node);
  builder.Endpoint("b", {Ip("10.0.0.2"), Ip("fd00::2")}, {subject}, node);
  if (which % 4 == 1) builder.Section("default/closed", Direction::kIngress, subject, {});
  if (which % 4 == 2) builder.Section("default/web", Direction::kIngress, subject, {AllowRule(peer, {TcpPort(80)})});
  if (which % 4 == 3) builder.Section("default/any", Direction::kIngress, subject, {AllowRule(kAnyPeer)});
  return std::move(builder.policy());
}

class Run {
 public:
  explicit Run(std::uint8_t options) : table_(compiler_.EmptyTable()) {
    PipelineConfig config;
    config.action_on_deny = (options & kReject) != 0 ? ActionOnDeny::kReject : ActionOnDeny::kDrop;
    config.tcp_strict = (options & kStrict) != 0;
    config.drop_unknown_endpoint = (options & kPassUnknown) == 0;
    config.flow_capacity_ipv4 = config.flow_capacity_ipv6 = 64;
    config.fragment_trains = 8;
    config.fragments_held = 8;
    config.fragments_held_each = 4;
    config.hash_seed = 1;
    if ((options & kListen) != 0) config.dns = {.port = 53, .hold_ms = 50, .held = 4};
    pipeline_ = std::get<0>(Pipeline::Create(config));
    if (DnsTap* tap = pipeline_->dns_tap()) tap->Trust({Ip("10.0.0.2"), Ip("fd00::2")});
  }

  void Do(Input& input) {
    constexpr std::uint64_t kWaits[] = {1'000, 1'000'000, 500'000'000, 40'000'000'000, 1'000'000'000'000'000};
    constexpr std::size_t kMaxFrames = 512;
    constexpr int kMaxPolicies = 8;
    const std::uint8_t step = input.Byte();
    const auto port = static_cast<std::uint16_t>(step >= 128 ? 1 : 0);
    switch (step % kStepCount) {
      case kRawFrame:
        if (frames_.size() < kMaxFrames) Add(input.Take(input.Word() % 2048), port);
        break;
      case kSample: {
        ByteVector bytes = SamplePackets()[input.Word() % SamplePackets().size()].bytes;
        for (int patches = input.Byte() % 4; patches > 0; --patches) {
          const std::size_t at = input.Word() % bytes.size();
          bytes[at] = input.Byte();
        }
        if (frames_.size() < kMaxFrames) Add(std::move(bytes), port);
        break;
      }
      case kWait:
        EndBurst();
        now_ns_ += kWaits[input.Byte() % std::size(kWaits)];
        break;
      case kLoadPolicy: {
        EndBurst();
        const std::uint8_t which = input.Byte();
        if (++policies_ <= kMaxPolicies) table_ = MustCompile(compiler_, MakePolicy(which));
        pipeline_->Reserve(*table_);
        break;
      }
      case kEndBurst:
        EndBurst();
        break;
      case kDns:
        if (frames_.size() < kMaxFrames) Add(DnsFrame(input), port);
        break;
      case kReadDns:
        if (DnsTap* tap = pipeline_->dns_tap()) {
          tap->packets().Take(input.Byte() % 4, [this](const DnsPacket&, std::span<const std::uint8_t> bytes) {
            for (const std::uint8_t byte : bytes) read_ += byte;
          });
        }
        break;
      case kRelease:
        EndBurst();
        pipeline_->ReleaseAnswers(*table_, now_ns_, output_);
        break;
      default:
        EndBurst();
        pipeline_->Housekeep(*table_, now_ns_, input.Byte(), output_);
        break;
    }
  }

  void Finish() {
    EndBurst();
    pipeline_->Finish(output_);
    std::map<const void*, int> seen;
    for (const Frame& frame : output_.forward) {
      ++seen[frame.handle];
      const auto& original = *static_cast<const ByteVector*>(frame.handle);
      Require(frame.frame_length == original.size() && std::equal(original.begin(), original.end(), frame.data));
    }
    for (const Frame& frame : output_.drop) ++seen[frame.handle];
    Require(seen.size() == frames_.size());
    for (const auto& [handle, count] : seen) Require(count == 1);
    for (const MadeFrame& made : output_.made) {
      ByteVector bytes(made.bytes, made.bytes + made.length);
      ParsedPacket packet;
      Parse({.data = bytes.data(), .length = made.length, .frame_length = made.length}, {}, packet);
      Require(packet.reason == DropReason::kNone && made.out_port < 2);
    }
    const PipelineCounters& counters = pipeline_->counters();
    const auto verdicts = [&](Verdict verdict) { return counters.verdicts[static_cast<std::size_t>(verdict)].value(); };
    std::uint64_t reasons = 0;
    for (const Counter& counter : counters.drops) reasons += counter.value();
    Require(verdicts(Verdict::kForward) == output_.forward.size());
    Require(verdicts(Verdict::kDrop) + verdicts(Verdict::kReject) == output_.drop.size());
    Require(reasons == output_.drop.size());
  }

 private:
  // Two copies: one that the pipeline may touch, exactly as long as the frame, and one to compare with.
  struct Kept {
    ByteVector original;
    std::unique_ptr<std::uint8_t[]> data;
  };

  // Between the client and the resolver, either way, with any bytes as the message; some of them cut
  // short.
  static ByteVector DnsFrame(Input& input) {
    const std::uint8_t how = input.Byte();
    const bool is_answer = (how & 1) != 0, is_v6 = (how & 2) != 0, is_tcp = (how & 4) != 0;
    const std::string client = is_v6 ? "fd00::1" : "10.0.0.1", resolver = is_v6 ? "fd00::2" : "10.0.0.2";
    const auto own_port = static_cast<std::uint16_t>(1000 + (how >> 5));
    const std::uint16_t from = is_answer ? 53 : own_port, to = is_answer ? own_port : 53;
    PacketBuilder packet;
    packet.Ethernet();
    is_v6 ? packet.Ipv6(is_answer ? resolver : client, is_answer ? client : resolver)
          : packet.Ipv4(is_answer ? resolver : client, is_answer ? client : resolver);
    is_tcp ? packet.Tcp(from, to, input.Byte() & 0x3f) : packet.Udp(from, to);
    packet.Payload(input.Take(input.Byte() % 64));
    ByteVector bytes = packet.Bytes();
    if ((how & 8) != 0) bytes.resize(std::min<std::size_t>(bytes.size(), 14u + input.Byte()));
    return bytes;
  }

  void Add(ByteVector bytes, std::uint16_t port) {
    auto kept = std::make_unique<Kept>();
    kept->data = std::make_unique<std::uint8_t[]>(bytes.size());
    std::ranges::copy(bytes, kept->data.get());
    kept->original = std::move(bytes);
    const auto length = static_cast<std::uint32_t>(kept->original.size());
    burst_.push_back({.data = kept->data.get(),
                      .length = length,
                      .frame_length = length,
                      .handle = &kept->original,
                      .port = port,
                      .out_port = static_cast<std::uint16_t>(port ^ 1)});
    frames_.push_back(std::move(kept));
  }

  void EndBurst() {
    pipeline_->Process(*table_, now_ns_, burst_, output_);
    burst_.clear();
  }

  Compiler compiler_;
  std::shared_ptr<const Table> table_;
  std::unique_ptr<Pipeline> pipeline_;
  PipelineOutput output_;
  std::vector<std::unique_ptr<Kept>> frames_;
  std::vector<Frame> burst_;
  std::uint64_t now_ns_ = 1;
  int policies_ = 0;
  std::uint64_t read_ = 0;  // the sum of what was copied: each byte is looked at
};

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  Input input(data, size);
  Run run(input.Byte());
  while (!input.empty()) run.Do(input);
  run.Finish();
  return 0;
}

// All samples one after the other, in bursts, under each policy in turn; and each option.
std::vector<std::vector<std::uint8_t>> FuzzSeeds() {
  using namespace sluice;
  std::vector<std::vector<std::uint8_t>> seeds;
  const auto count = static_cast<std::uint16_t>(SamplePackets().size());
  for (std::uint8_t options = 0; options < 16; ++options) {
    std::vector<std::uint8_t> seed = {options};
    for (std::uint16_t i = 0; i < count; ++i) {
      if (i % 30 == 0) {
        const auto policy = static_cast<std::uint8_t>(i / 30 + options);
        seed.insert(seed.end(), {kLoadPolicy, policy, kHousekeep, 255});
      }
      seed.insert(seed.end(), {kSample, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 0});
      if (i % 7 == 0) seed.insert(seed.end(), {kWait, static_cast<std::uint8_t>(i % 5)});
    }
    // Queries and answers of both families, over UDP and TCP: read and let go, and held when policy changes.
    for (std::uint8_t how = 0; how < 8; ++how) {
      seed.insert(seed.end(), {kDns, how});
      if ((how & 4) != 0) seed.push_back(kTcpAck);
      seed.push_back(20);
      seed.insert(seed.end(), 20, 0x80);
      seed.push_back(kEndBurst);
      if ((how & 3) == 1) seed.insert(seed.end(), {kReadDns, 3});
      if ((how & 3) == 3) seed.insert(seed.end(), {kLoadPolicy, how, kWait, 2});
      seed.push_back(kRelease);
    }
    seeds.push_back(seed);
  }
  return seeds;
}
