// ObserveService::ListFlows with samples: who talks to whom and how much, at a cost of a few clocks for each flow.
#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/limits.h"
#include "api/observe_service.h"
#include "api/rule_names.h"
#include "core/flow_state.h"

namespace sluice {
namespace {

using grpc::Status;

constexpr std::size_t kSampleBytes = 48;     // of a flow in a message, at most
constexpr std::size_t kNameBytes = 8;        // of a name's tag and length, at most
constexpr std::size_t kSamplesASlice = 256;  // flows whose pods are looked up while the policy's writer waits

struct Sample {
  std::uint64_t key = 0;
  FlowTraffic traffic;
};

std::uint64_t KeyOf(const FlowView& flow, std::size_t worker) {
  const std::hash<IpAddress> hash;
  const std::uint64_t ends = hash(flow.source.address) * 0x9e3779b97f4a7c15u + hash(flow.destination.address);
  const std::uint64_t rest = std::uint64_t{worker} << 40 | std::uint64_t{flow.source.port} << 24 |
                             std::uint64_t{flow.destination.port} << 8 | flow.protocol;
  const std::uint64_t mixed = (ends ^ (ends >> 29)) + rest * 0xbf58476d1ce4e5b9u;
  return mixed ^ (mixed >> 32);
}

// Numbers pods, and sends flows by these numbers.
class SampleWriter {
 public:
  explicit SampleWriter(AnswerWriter& writer) : writer_(writer) {}

  // The number of pods bounds what is remembered, whatever addresses come.
  std::uint32_t NumberOf(const IpAddress& address, const Endpoint& endpoint) {
    const auto [known, is_new] = numbers_.try_emplace(address, static_cast<std::uint32_t>(pods_.size()));
    if (is_new) {
      pods_.push_back(PodName(endpoint));
      bytes_ += pods_.back().size() + kNameBytes;
      samples_.add_pods(pods_.back());
    }
    return known->second;
  }
  std::string_view PodOf(std::uint32_t number) const { return pods_[number]; }

  void Write(std::uint32_t source, std::uint32_t destination, const Sample& sample) {
    samples_.add_sources(source);
    samples_.add_destinations(destination);
    samples_.add_keys(sample.key);
    samples_.add_packets(sample.traffic.packets);
    samples_.add_bytes(sample.traffic.bytes);
    bytes_ += kSampleBytes;
  }
  void FlushIfFull() {
    if (bytes_ >= kChunkBytes) Flush();
  }
  void Flush() {
    if (bytes_ == 0) return;
    connected_ = connected_ && writer_.Write(message_);
    samples_.Clear();
    bytes_ = 0;
  }
  bool connected() const { return connected_; }

 private:
  AnswerWriter& writer_;
  v1::Flow message_;
  v1::FlowSamples& samples_ = *message_.mutable_samples();
  std::size_t bytes_ = 0;  // of samples_, at most
  std::unordered_map<IpAddress, std::uint32_t> numbers_;
  std::vector<std::string> pods_ = {""};  // by number
  bool connected_ = true;
};

}  // namespace

Status ObserveService::SampleFlows(const v1::ListFlowsRequest& request, const EndFilter& filter, AnswerWriter& writer) {
  std::uint64_t left = std::min(request.limit() == 0 ? kMaxFlowsListed : request.limit(), kMaxFlowsListed);
  SampleWriter samples(writer);
  std::vector<Sample> slice;
  std::vector<IpAddress> ends;  // of each flow of the slice: source, destination
  std::vector<std::uint32_t> pods;
  const auto send = [&] {
    pods.assign(ends.size(), 0);
    intake_.store().VisitOwners(ends, [&](std::size_t i, const Endpoint& endpoint, std::string_view) {
      pods[i] = samples.NumberOf(ends[i], endpoint);
    });
    for (std::size_t i = 0; i < slice.size() && left != 0; ++i) {
      const std::uint32_t source = pods[2 * i], destination = pods[2 * i + 1];
      if (!filter.MatchesPods(samples.PodOf(source), samples.PodOf(destination))) continue;
      samples.Write(source, destination, slice[i]);
      --left;
    }
    slice.clear();
    ends.clear();
    samples.FlushIfFull();
  };
  const std::vector<Observation> workers = plane_.Workers();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers[i].reader.ForEachFlow([&](const FlowView& flow) {
      if (!samples.connected() || left == 0 || flow.state == FlowState::kCut) return;
      if (!request.state().empty() && request.state() != Name(flow.state)) return;
      if (!filter.Matches(flow.source.address, flow.destination.address, flow.source.port, flow.destination.port,
                          flow.protocol)) {
        return;
      }
      slice.push_back({KeyOf(flow, i), flow.traffic});
      ends.insert(ends.end(), {flow.source.address, flow.destination.address});
      if (slice.size() == kSamplesASlice) send();
    });
  }
  send();
  samples.Flush();
  return samples.connected() ? Status::OK : Status::CANCELLED;
}

}  // namespace sluice
