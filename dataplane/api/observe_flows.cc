// ObserveService::ListFlows: the workers' flows, read beside them, with the names of pods and rules.
#include <algorithm>
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

constexpr std::size_t kFlowsASlice = 256;  // whose pods are looked up while the policy's writer waits

v1::Flow Describe(const Table& table, const Pipeline& pipeline, const FlowView& flow) {
  v1::Flow message;
  message.set_source(EncodeAddress(flow.source.address));
  message.set_destination(EncodeAddress(flow.destination.address));
  message.set_source_port(flow.source.port);
  message.set_destination_port(flow.destination.port);
  message.set_protocol(flow.protocol);
  message.set_state(std::string(Name(flow.state)));
  message.set_packets(flow.packets);
  message.set_bytes(flow.bytes);
  message.set_idle_ms(pipeline.IdleMs(flow));
  message.set_generation(flow.generation);
  SetRule(table, flow.egress_rule, message.mutable_egress());
  SetRule(table, flow.ingress_rule, message.mutable_ingress());
  return message;
}

}  // namespace

Status ObserveService::ListFlows(grpc::ServerContext*, const v1::ListFlowsRequest* request,
                                 grpc::ServerWriter<v1::Flow>* writer) {
  const auto filtered = EndFilter::Of(*request);
  if (const auto* error = std::get_if<std::string>(&filtered)) return {grpc::StatusCode::INVALID_ARGUMENT, *error};
  const auto& filter = std::get<EndFilter>(filtered);
  std::uint64_t left = std::min(request->limit() == 0 ? kMaxFlowsListed : request->limit(), kMaxFlowsListed);
  bool connected = true;
  std::vector<v1::Flow> slice;
  std::vector<IpAddress> ends;  // of each flow of the slice: source, destination
  const auto send = [&] {
    intake_.store().VisitOwners(ends, [&](std::size_t i, const Endpoint& endpoint) {
      v1::Flow& flow = slice[i / 2];
      *(i % 2 == 0 ? flow.mutable_source_pod() : flow.mutable_destination_pod()) = PodName(endpoint);
    });
    for (const v1::Flow& flow : slice) {
      if (!connected || left == 0) break;
      if (!filter.MatchesPods(flow.source_pod(), flow.destination_pod())) continue;
      connected = writer->Write(flow);
      --left;
    }
    slice.clear();
    ends.clear();
  };
  auto table = intake_.store().table();
  const std::vector<WorkerState> workers = plane_.Workers();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const Pipeline& pipeline = *workers[i].pipeline;
    pipeline.ForEachFlow([&](const FlowView& flow) {
      if (!connected || left == 0) return;
      if (!request->state().empty() && request->state() != Name(flow.state)) return;
      if (!filter.Matches(flow.source.address, flow.destination.address, flow.source.port, flow.destination.port,
                          flow.protocol)) {
        return;
      }
      if (flow.generation > table->generation()) table = intake_.store().table();
      slice.push_back(Describe(*table, pipeline, flow));
      slice.back().set_worker(static_cast<std::uint32_t>(i));
      ends.insert(ends.end(), {flow.source.address, flow.destination.address});
      if (slice.size() == kFlowsASlice) send();
    });
  }
  send();
  return connected ? Status::OK : Status::CANCELLED;
}

}  // namespace sluice
