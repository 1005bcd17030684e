// ObserveService::ListFlows: the workers' flows, read beside them, with the names of pods and rules.
#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/limits.h"
#include "api/observe_service.h"
#include "api/rule_names.h"
#include "codec/codec.h"
#include "core/flow_state.h"

namespace sluice {
namespace {

using grpc::Status;

constexpr std::size_t kFieldBytes = 8;     // of a flow's tag and length in a batch, at most
constexpr std::size_t kFlowsASlice = 256;  // flows whose pods are looked up while the policy's writer waits

void Describe(const Table& table, const FlowReader& reader, const FlowView& flow, v1::Flow& message) {
  message.Clear();
  message.set_source(EncodeAddress(flow.source.address));
  message.set_destination(EncodeAddress(flow.destination.address));
  message.set_source_port(flow.source.port);
  message.set_destination_port(flow.destination.port);
  message.set_protocol(flow.protocol);
  message.set_state(std::string(Name(flow.state)));
  message.set_packets(flow.traffic.packets);
  message.set_bytes(flow.traffic.bytes);
  message.set_reply_packets(flow.reply.packets);
  message.set_reply_bytes(flow.reply.bytes);
  message.set_age_ms(reader.AgeMs(flow));
  message.set_idle_ms(reader.IdleMs(flow));
  message.set_generation(flow.generation);
  message.set_guessed(flow.guessed);
  SetRule(table, flow.egress_rule, message.mutable_egress());
  SetRule(table, flow.ingress_rule, message.mutable_ingress());
}

// Sends flows, one a message or many. It exchanges the message that it is given for one that may be filled, so that
// their memory is used again.
class FlowWriter {
 public:
  FlowWriter(AnswerWriter& writer, bool batched) : writer_(writer), batched_(batched) {}

  void Write(v1::Flow& flow) {
    if (!batched_) {
      connected_ = connected_ && writer_.Write(flow);
      return;
    }
    bytes_ += flow.ByteSizeLong() + kFieldBytes;
    batch_.add_flows()->Swap(&flow);
    if (bytes_ >= kChunkBytes) Flush();
  }
  void Flush() {
    if (batch_.flows_size() == 0) return;
    connected_ = connected_ && writer_.Write(batch_);
    batch_.clear_flows();
    bytes_ = 0;
  }
  bool connected() const { return connected_; }

 private:
  AnswerWriter& writer_;
  const bool batched_;
  v1::Flow batch_;
  std::size_t bytes_ = 0;  // of batch_
  bool connected_ = true;
};

}  // namespace

Status ObserveService::ListFlows(const v1::ListFlowsRequest& request, AnswerWriter& writer) {
  const auto filtered = EndFilter::Of(request);
  if (const auto* error = std::get_if<std::string>(&filtered)) return {grpc::StatusCode::INVALID_ARGUMENT, *error};
  const auto& filter = std::get<EndFilter>(filtered);
  if (request.samples()) return SampleFlows(request, filter, writer);
  std::uint64_t left = std::min(request.limit() == 0 ? kMaxFlowsListed : request.limit(), kMaxFlowsListed);
  FlowWriter flows(writer, request.batched());
  std::vector<v1::Flow> slice(kFlowsASlice);
  std::size_t filled = 0;
  std::vector<IpAddress> ends;  // of each flow of the slice: source, destination
  const auto send = [&] {
    intake_.store().VisitOwners(ends, [&](std::size_t i, const Endpoint& endpoint, std::string_view node) {
      v1::Flow& flow = slice[i / 2];
      const bool is_source = i % 2 == 0;
      *(is_source ? flow.mutable_source_pod() : flow.mutable_destination_pod()) = PodName(endpoint);
      *(is_source ? flow.mutable_source_node() : flow.mutable_destination_node()) = ShownName(std::string(node));
    });
    for (v1::Flow& flow : std::span(slice).first(filled)) {
      if (!flows.connected() || left == 0) break;
      if (!filter.MatchesPods(flow.source_pod(), flow.destination_pod())) continue;
      flows.Write(flow);
      --left;
    }
    filled = 0;
    ends.clear();
  };
  auto table = intake_.store().table();
  const std::vector<Observation> workers = plane_.Workers();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const FlowReader& reader = workers[i].reader;
    reader.ForEachFlow([&](const FlowView& flow) {
      if (!flows.connected() || left == 0) return;
      if (!request.state().empty() && request.state() != Name(flow.state)) return;
      if (!filter.Matches(flow.source.address, flow.destination.address, flow.source.port, flow.destination.port,
                          flow.protocol)) {
        return;
      }
      if (flow.generation > table->generation()) table = intake_.store().table();
      Describe(*table, reader, flow, slice[filled]);
      slice[filled++].set_worker(static_cast<std::uint32_t>(i));
      ends.insert(ends.end(), {flow.source.address, flow.destination.address});
      if (filled == kFlowsASlice) send();
    });
  }
  send();
  flows.Flush();
  return flows.connected() ? Status::OK : Status::CANCELLED;
}

}  // namespace sluice
