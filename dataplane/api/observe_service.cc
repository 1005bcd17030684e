#include "api/observe_service.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/limits.h"
#include "codec/codec.h"
#include "core/flow_state.h"
#include "table/classify.h"

namespace sluice {
namespace {

using grpc::Status;

constexpr std::size_t kEndpointsASlice = 1000;

v1::Tier EncodeTier(Tier tier) { return static_cast<v1::Tier>(static_cast<int>(tier) + 1); }

// An id that the table does not know is of a newer one: it stays empty rather than wrong.
void SetRule(const Table& table, RuleId id, v1::RuleName* name) {
  if (id == kNoRule || id >= table.rule_limit()) return;
  const TableRule& rule = table.rule(id);
  name->set_policy(rule.policy);
  name->set_tier(EncodeTier(rule.tier));
  name->set_index(rule.index);
}

// The policies whose sections bind it, by name.
template <typename Add>
void ForEachPolicy(const Table& table, IdSetId sections, Add add) {
  const InternedPolicy& interned = table.interned();
  std::set<std::string> names;
  interned.section_sets.ForEach(sections, [&](SectionId id) {
    const TableSection& section = interned.sections[id];
    RuleId rule = section.default_deny;
    if (rule == kNoRule && section.count > 0) rule = section.rules[0].rule;
    if (rule != kNoRule) names.insert(table.rule(rule).policy);
  });
  for (const std::string& name : names) add(name);
}

v1::EndpointInfo Describe(const ResolvedPolicy& policy, const Table& table, const Endpoint& endpoint) {
  v1::EndpointInfo info;
  info.set_namespace_(endpoint.namespace_name);
  info.set_name(endpoint.name);
  info.set_labels(endpoint.labels);
  if (endpoint.node != kNoNode) info.set_node(policy.nodes[endpoint.node].name);
  for (const NamedPort& port : endpoint.ports) {
    v1::NamedPort* added = info.add_ports();
    added->set_name(port.name);
    added->set_protocol(port.protocol);
    added->set_port(port.port);
  }
  for (const IpAddress& address : endpoint.addresses) info.add_addresses(EncodeAddress(address));
  if (endpoint.addresses.empty()) return info;
  const IdentityId id = table.Lookup(endpoint.addresses.front()).identity;
  const Identity& identity = table.identity(id);
  info.set_identity(id);
  ForEachPolicy(table, identity.egress, [&](const std::string& name) { info.add_egress_policies(name); });
  ForEachPolicy(table, identity.ingress, [&](const std::string& name) { info.add_ingress_policies(name); });
  return info;
}

std::uint64_t Verdicts(const Pipeline& pipeline, Verdict verdict) {
  return pipeline.counters().verdicts[static_cast<std::size_t>(verdict)].value();
}

// What the edge lost of what the pipeline had forwarded.
std::uint64_t LostOnTheWay(const WorkerState& worker) {
  return worker.dropped[static_cast<std::size_t>(DropReason::kTxFull)] +
         worker.dropped[static_cast<std::size_t>(DropReason::kPortDown)];
}

bool Matches(const v1::ListFlowsRequest& filter, const std::optional<Prefix>& prefix, const FlowView& flow) {
  if (filter.protocol() != 0 && filter.protocol() != flow.protocol) return false;
  if (filter.port() != 0 && filter.port() != flow.source.port && filter.port() != flow.destination.port) return false;
  if (prefix && !prefix->Contains(flow.source.address) && !prefix->Contains(flow.destination.address)) return false;
  return filter.state().empty() || filter.state() == Name(flow.state);
}

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

std::optional<IpAddress> AddressOf(const ResolvedPolicy& policy, const std::string& pod, bool v4) {
  for (const Endpoint& endpoint : policy.endpoints) {
    if (endpoint.namespace_name + '/' + endpoint.name != pod) continue;
    for (const IpAddress& address : endpoint.addresses) {
      if (address.is_v4() == v4) return address;
    }
  }
  return std::nullopt;
}

}  // namespace

ObserveService::ObserveService(const PolicyIntake& intake, const DataplaneView& plane, bool fail_closed)
    : intake_(intake), plane_(plane), fail_closed_(fail_closed), start_unix_ns_(UnixNowNs()) {}

Status ObserveService::GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::Status* status) {
  const IntakeStatus intake = intake_.status();
  status->set_version(SLUICE_VERSION);
  status->set_start_unix_ns(start_unix_ns_);
  status->set_published_unix_ns(intake.published_unix_ns);
  status->set_sender_heard_unix_ns(intake.sender_heard_unix_ns);
  status->set_sender(intake.sender);
  status->set_sender_connected(intake.sender_connected);
  status->set_source(intake.source);
  status->set_state_id(intake.state_id);
  status->set_batch(intake.batch);
  for (const Diagnostic& refusal : intake.last_refusal) *status->add_last_refusal() = EncodeProblem(refusal);
  intake_.store().Read([&](const ResolvedPolicy& policy, const Table& table) {
    status->set_generation(table.generation());
    status->set_fail_closed(fail_closed_ && !table.has_policy());
    std::uint64_t endpoints = 0;
    for (const Endpoint& endpoint : policy.endpoints) endpoints += endpoint.name.empty() ? 0 : 1;
    status->set_endpoints(endpoints);
    std::uint64_t policies = 0;
    const std::string* last = nullptr;
    for (const Section& section : policy.sections) {
      if (last == nullptr || *last != section.policy) ++policies;
      last = &section.policy;
    }
    status->set_policies(policies);
    status->set_rules(table.stats().rules);
  });
  for (const WorkerState& worker : plane_.Workers()) {
    const Pipeline& pipeline = *worker.pipeline;
    const std::uint64_t lost = LostOnTheWay(worker);
    const std::uint64_t forwarded = Verdicts(pipeline, Verdict::kForward);
    status->set_workers(status->workers() + 1);
    status->set_flows(status->flows() + pipeline.flow_count());
    status->set_flow_capacity(status->flow_capacity() + pipeline.flow_capacity());
    status->set_flows_cut(status->flows_cut() + pipeline.counters().flows_cut.value());
    status->set_forwarded(status->forwarded() + forwarded - std::min(forwarded, lost));
    status->set_dropped(status->dropped() + Verdicts(pipeline, Verdict::kDrop) + lost);
    status->set_rejected(status->rejected() + Verdicts(pipeline, Verdict::kReject));
  }
  return Status::OK;
}

Status ObserveService::ListEndpoints(grpc::ServerContext*, const v1::ListEndpointsRequest* request,
                                     grpc::ServerWriter<v1::EndpointInfo>* writer) {
  std::vector<v1::EndpointInfo> slice;
  for (std::size_t begin = 0, end = 1; begin < end; begin += kEndpointsASlice) {
    slice.clear();
    intake_.store().Read([&](const ResolvedPolicy& policy, const Table& table) {
      end = policy.endpoints.size();
      for (std::size_t i = begin; i < std::min(begin + kEndpointsASlice, end); ++i) {
        const Endpoint& endpoint = policy.endpoints[i];
        if (endpoint.name.empty()) continue;  // its number is no longer used
        if (!request->namespace_().empty() && request->namespace_() != endpoint.namespace_name) continue;
        slice.push_back(Describe(policy, table, endpoint));
      }
    });
    for (const v1::EndpointInfo& info : slice) {
      if (!writer->Write(info)) return Status::CANCELLED;
    }
  }
  return Status::OK;
}

Status ObserveService::GetTableStats(grpc::ServerContext*, const v1::GetTableStatsRequest*, v1::TableStats* message) {
  const auto table = intake_.store().table();
  const TableStats& stats = table->stats();
  message->set_generation(table->generation());
  message->set_epoch(table->epoch());
  message->set_bytes(stats.bytes);
  message->set_addresses(stats.addresses);
  message->set_cidr_cells(stats.cidr_cells);
  message->set_groups(stats.groups);
  message->set_sections(stats.sections);
  message->set_rules(stats.rules);
  message->set_identities(stats.identities);
  message->set_section_sets(stats.section_sets);
  message->set_peer_classes(stats.peer_classes);
  message->set_port_classes(stats.port_classes);
  message->set_memberships(stats.memberships);
  return Status::OK;
}

Status ObserveService::ListFlows(grpc::ServerContext*, const v1::ListFlowsRequest* request,
                                 grpc::ServerWriter<v1::Flow>* writer) {
  std::optional<Prefix> prefix;
  if (!request->address().empty()) {
    const auto address = DecodeAddress(request->address());
    if (!address || request->prefix_length() > static_cast<std::uint32_t>(AddressBits(address->family))) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "address: wants 4 or 16 bytes, and a prefix that is not longer"};
    }
    const std::uint32_t length = request->prefix_length();
    prefix = Prefix::Make(*address, static_cast<std::uint8_t>(length == 0 ? AddressBits(address->family) : length));
  }
  std::uint64_t left = std::min(request->limit() == 0 ? kMaxFlowsListed : request->limit(), kMaxFlowsListed);
  bool connected = true;
  auto table = intake_.store().table();
  const std::vector<WorkerState> workers = plane_.Workers();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const Pipeline& pipeline = *workers[i].pipeline;
    pipeline.ForEachFlow([&](const FlowView& flow) {
      if (!connected || left == 0 || !Matches(*request, prefix, flow)) return;
      if (flow.generation > table->generation()) table = intake_.store().table();
      v1::Flow message = Describe(*table, pipeline, flow);
      message.set_worker(static_cast<std::uint32_t>(i));
      connected = writer->Write(message);
      --left;
    });
  }
  return connected ? Status::OK : Status::CANCELLED;
}

Status ObserveService::ListPorts(grpc::ServerContext*, const v1::ListPortsRequest*,
                                 grpc::ServerWriter<v1::PortInfo>* writer) {
  for (const PortState& port : plane_.Ports()) {
    v1::PortInfo info;
    info.set_wire(port.wire);
    info.set_device(port.device);
    info.set_link_up(port.link_up);
    info.set_rx_packets(port.rx_packets);
    info.set_rx_bytes(port.rx_bytes);
    info.set_tx_packets(port.tx_packets);
    info.set_tx_bytes(port.tx_bytes);
    info.set_rx_missed(port.rx_missed);
    info.set_rx_errors(port.rx_errors);
    if (!writer->Write(info)) return Status::CANCELLED;
  }
  return Status::OK;
}

Status ObserveService::ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                                   grpc::ServerWriter<v1::WorkerInfo>* writer) {
  std::uint32_t number = 0;
  for (const WorkerState& worker : plane_.Workers()) {
    const Pipeline& pipeline = *worker.pipeline;
    const PipelineCounters& counters = pipeline.counters();
    v1::WorkerInfo info;
    info.set_worker(number++);
    info.set_forwarded(Verdicts(pipeline, Verdict::kForward));
    info.set_dropped(Verdicts(pipeline, Verdict::kDrop));
    info.set_rejected(Verdicts(pipeline, Verdict::kReject));
    info.set_packets(info.forwarded() + info.dropped() + info.rejected());
    info.set_flows(pipeline.flow_count());
    info.set_flow_capacity(pipeline.flow_capacity());
    info.set_flows_created(counters.flows_created.value());
    info.set_flows_expired(counters.flows_expired.value());
    info.set_flows_evicted(counters.flows_evicted.value());
    info.set_flows_cut(counters.flows_cut.value());
    info.set_flows_judged_again(counters.flows_judged_again.value());
    info.set_handed_over(worker.handed_over);
    info.set_busy(worker.busy);
    if (!writer->Write(info)) return Status::CANCELLED;
  }
  return Status::OK;
}

Status ObserveService::ListDrops(grpc::ServerContext*, const v1::ListDropsRequest*,
                                 grpc::ServerWriter<v1::DropCounter>* writer) {
  const std::vector<WorkerState> workers = plane_.Workers();
  for (std::size_t i = 1; i < kDropReasonCount; ++i) {
    v1::DropCounter counter;
    counter.set_reason(std::string(kDropReasonNames[i]));
    counter.set_text(std::string(kDropReasonTexts[i]));
    for (const WorkerState& worker : workers) {
      counter.set_packets(counter.packets() + worker.pipeline->counters().drops[i].value() + worker.dropped[i]);
    }
    if (!writer->Write(counter)) return Status::CANCELLED;
  }
  return Status::OK;
}

Status ObserveService::Explain(grpc::ServerContext*, const v1::ExplainRequest* request, v1::Explanation* message) {
  if (request->protocol() > 255 || request->destination_port() > 65535) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "protocol is at most 255, destination_port 65535"};
  }
  auto source = DecodeAddress(request->source());
  auto destination = DecodeAddress(request->destination());
  return intake_.store().Read([&](const ResolvedPolicy& policy, const Table& table) -> Status {
    for (const bool v4 : {true, false}) {  // the first family that both ends have
      if (source && destination) break;
      const auto from = source ? source : AddressOf(policy, request->source_pod(), v4);
      const auto to = destination ? destination : AddressOf(policy, request->destination_pod(), v4);
      if (!from || !to || from->family != to->family) continue;
      source = from;
      destination = to;
    }
    if (!source || !destination || source->family != destination->family) {
      return {grpc::StatusCode::NOT_FOUND, "no pair of addresses of one family: source '" + request->source_pod() +
                                               "', destination '" + request->destination_pod() + "'"};
    }
    const ClassifyQuery query{*source, *destination, static_cast<std::uint8_t>(request->protocol()),
                              static_cast<std::uint16_t>(request->destination_port())};
    Classification answer;
    Classifier(1).Classify(table, {&query, 1}, &answer);
    const auto side = [&](const Decision& decision, v1::Explanation::Side* to) {
      to->set_verdict(decision.allow ? "allow" : "deny");
      to->set_isolated(decision.rule != kNoRule);
      SetRule(table, decision.rule, to->mutable_rule());
    };
    side(answer.egress, message->mutable_egress());
    side(answer.ingress, message->mutable_ingress());
    message->set_verdict(answer.allow ? "allow" : "deny");
    message->set_exempt(std::string(Name(answer.exemption)));
    message->set_generation(table.generation());
    message->set_source(source->ToString());
    message->set_destination(destination->ToString());
    return Status::OK;
  });
}

Status ObserveService::GetPolicy(grpc::ServerContext*, const v1::GetPolicyRequest*,
                                 grpc::ServerWriter<v1::FullStateChunk>* writer) {
  std::vector<v1::FullStateChunk> chunks;
  const IntakeStatus status = intake_.status();
  intake_.store().Read([&](const ResolvedPolicy& policy, const Table&) {
    EncodeFullState(policy, status.state_id, status.batch, kChunkBytes, [&](const v1::FullStateChunk& chunk) {
      chunks.push_back(chunk);
      return true;
    });
  });
  for (const v1::FullStateChunk& chunk : chunks) {
    if (!writer->Write(chunk)) return Status::CANCELLED;
  }
  return Status::OK;
}

}  // namespace sluice
