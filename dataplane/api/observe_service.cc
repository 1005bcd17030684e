#include "api/observe_service.h"

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/limits.h"
#include "api/rule_names.h"
#include "codec/api_minor.h"
#include "codec/codec.h"
#include "codec/parts.h"
#include "core/first_packet.h"
#include "core/flow_state.h"
#include "sluice/unanswered.h"
#include "table/classify.h"

namespace sluice {
namespace {

using grpc::Status;

constexpr std::size_t kEndpointsASlice = 256;
constexpr std::size_t kPoliciesALook = 1000;
constexpr std::size_t kLabelBytes = std::size_t{64} << 10;      // of the text of an endpoint's labels
constexpr int kMostProblems = 20;                               // in Status: policies held back, and warnings
constexpr std::size_t kMostListed = 4096;                       // of an endpoint's ports, or addresses
constexpr std::size_t kMostPolicyBytes = std::size_t{8} << 20;  // of the names of an endpoint's policies

// Adds the policies whose sections bind the endpoint, by name.
template <typename Add>
void ForEachPolicy(const Table& table, const Identity& identity, Direction direction, Add add) {
  const InternedPolicy& interned = table.interned();
  std::set<std::string> names;
  table.ForEachSection(identity, direction, [&](SectionId id) {
    const TableSection& section = interned.sections[id];
    RuleId rule = section.default_deny;
    if (rule == kNoRule && section.count > 0) rule = section.rules[0].rule;
    if (rule != kNoRule) names.insert(table.rule(rule).policy);
  });
  for (const std::string& name : names) add(name);
}

struct NamedEndpoint {
  Endpoint endpoint;
  std::string node;
};

v1::EndpointInfo Describe(const Table& table, const NamedEndpoint& named) {
  const Endpoint& endpoint = named.endpoint;
  v1::EndpointInfo info;
  info.set_namespace_(ShownName(endpoint.namespace_name));
  info.set_name(ShownName(endpoint.name));
  info.set_labels(endpoint.labels.size() <= kLabelBytes ? endpoint.labels : Printable(endpoint.labels, kLabelBytes));
  info.set_node(ShownName(named.node));
  if (!endpoint.workload.empty()) info.set_workload(ShownName(endpoint.workload));
  for (const NamedPort& port : std::span(endpoint.ports).first(std::min(endpoint.ports.size(), kMostListed))) {
    v1::NamedPort* added = info.add_ports();
    added->set_name(ShownName(port.name));
    added->set_protocol(port.protocol);
    added->set_port(port.port);
  }
  for (const IpAddress& address :
       std::span(endpoint.addresses).first(std::min(endpoint.addresses.size(), kMostListed))) {
    info.add_addresses(EncodeAddress(address));
  }
  if (endpoint.addresses.empty()) return info;
  const IdentityId id = table.Lookup(endpoint.addresses.front()).identity;
  const Identity& identity = table.identity(id);
  info.set_identity(id);
  std::size_t bytes = 0;  // a pod may be under ten thousand policies
  const auto fits = [&](const std::string& name) { return (bytes += name.size()) <= kMostPolicyBytes; };
  ForEachPolicy(table, identity, Direction::kEgress, [&](const std::string& name) {
    if (fits(name)) info.add_egress_policies(name);
  });
  ForEachPolicy(table, identity, Direction::kIngress, [&](const std::string& name) {
    if (fits(name)) info.add_ingress_policies(name);
  });
  return info;
}

// Returns nothing if there is no such pod.
std::optional<std::vector<IpAddress>> AddressesOf(const PolicyStore& store, std::string_view pod) {
  const std::size_t slash = std::min(pod.find('/'), pod.size());
  const std::string_view name = pod.substr(std::min(slash + 1, pod.size()));
  std::optional<std::vector<IpAddress>> addresses;
  for (std::size_t begin = 0, end = 1; begin < end && !addresses; begin += kEndpointsASlice) {
    store.Read([&](const ResolvedPolicy& policy, const Table&) {
      end = policy.endpoints.size();
      for (std::size_t i = begin; i < std::min(begin + kEndpointsASlice, end); ++i) {
        const Endpoint& endpoint = policy.endpoints[i];
        if (endpoint.name == name && endpoint.namespace_name == pod.substr(0, slash)) addresses = endpoint.addresses;
      }
    });
  }
  return addresses;
}

void FillDns(const DnsTotals& totals, v1::DnsStatus& dns) {
  dns.set_queries(totals.queries);
  dns.set_learnt(totals.learnt);
  dns.set_unlearnt(totals.unlearnt);
  dns.set_untrusted(totals.untrusted);
  dns.set_spoofed(totals.spoofed);
  dns.set_malformed(totals.malformed);
  dns.set_truncated(totals.truncated);
  dns.set_held(totals.held);
  dns.set_ran_out(totals.ran_out);
  dns.set_no_room(totals.no_room);
  dns.set_waiting(totals.waiting);
  dns.set_fragmented(totals.fragmented);
  dns.set_lost_queries(totals.lost_queries);
  dns.set_displaced(totals.displaced);
  dns.set_lost_streams(totals.lost_streams);
}

}  // namespace

ObserveService::ObserveService(const PolicyIntake& intake, const DataplaneView& plane, const PipelineConfig& pipeline,
                               const ReadLimits& limits, FlowLog* flow_log, const StagedLedger* staged, NamesView names)
    : intake_(intake),
      plane_(plane),
      pipeline_(pipeline),
      flow_log_(flow_log),
      staged_(staged),
      names_(std::move(names)),
      start_unix_ns_(UnixNowNs()),
      drops_(intake.store(), plane),
      calls_(limits) {}

Status ObserveService::GetStatus(const v1::GetStatusRequest&, AnswerWriter& writer) {
  v1::Status status;
  const IntakeStatus intake = intake_.status();
  status.set_version(SLUICE_VERSION);
  status.set_api_minor(kApiMinor);
  status.set_start_unix_ns(start_unix_ns_);
  status.set_certificate_end_unix_s(certificate_end_unix_s_);
  status.set_published_unix_ns(intake.published_unix_ns);
  status.set_sender_heard_unix_ns(intake.sender_heard_unix_ns);
  status.set_sender(intake.sender);
  status.set_sender_connected(intake.sender_connected);
  status.set_source(intake.source);
  status.set_state_id(intake.state_id);
  status.set_batch(intake.batch);
  status.set_not_kept(intake.not_kept);
  status.set_large_removals(intake.large_removals);
  status.set_in_force_p50_ns(intake_.steps().QuantileNs(PolicyStep::kInForce, 0.5));
  status.set_in_force_p99_ns(intake_.steps().QuantileNs(PolicyStep::kInForce, 0.99));
  for (const Diagnostic& refusal : intake.last_refusal) *status.add_last_refusal() = EncodeProblem(refusal);
  status.set_held_policies(intake.held.size());
  for (const auto& [policy, why] : intake.held) {
    if (status.held_size() == kMostProblems) break;
    v1::Problem* held = status.add_held();
    held->set_object("policy " + ShownName(policy));
    held->set_reason(ShownName(why));
  }
  AddUnanswered(&status);
  const auto table = intake_.store().table();
  status.set_generation(table->generation());
  status.set_fail_closed(pipeline_.fail_closed && !table->has_policy());
  status.set_rules(table->stats().rules);
  const PolicySize size = intake_.store().size();
  status.set_endpoints(size.endpoints);
  status.set_policies(size.policies);
  for (const Observation& worker : plane_.Workers()) {
    status.set_workers(status.workers() + 1);
    status.set_flows(status.flows() + worker.flows);
    status.set_flow_capacity(status.flow_capacity() + worker.flow_capacity);
    status.set_flows_cut(status.flows_cut() + worker.flows_cut);
    status.set_forwarded(status.forwarded() + worker.forwarded);
    status.set_dropped(status.dropped() + worker.dropped());
    status.set_rejected(status.rejected() + worker.rejected);
    status.set_encapsulated(status.encapsulated() + worker.encapsulated);
  }
  if (const auto carried = plane_.Carried()) {
    status.set_carried_flows(carried->flows);
    status.set_carried_packets(carried->packets);
    status.set_carried_bytes(carried->bytes);
  }
  if (const auto dns = plane_.Dns()) FillDns(*dns, *status.mutable_dns());
  if (names_.store != nullptr) {
    const NameCounters names = names_.store->counters();
    status.set_domain_patterns(names_.store->pattern_count());
    status.set_names(names.names);
    status.set_name_addresses(names.pairs);
    status.set_names_evicted(names.evicted);
  }
  if (const auto drops = plane_.DropsOfHooks()) {
    status.set_spoofed_source(drops->spoofed_source);
    status.set_spoofed_tunnel(drops->spoofed_tunnel);
  }
  AddStaged(&status);
  writer.Write(status);
  return Status::OK;
}

// Handles some policies at a time, so that the writer need not wait for all of them.
void ObserveService::AddUnanswered(v1::Status* status) {
  std::optional<std::pair<std::uint64_t, GroupSizes>> sizes;  // with the generation that they belong to
  std::string last;
  bool more = true;
  const auto look = [&](const ResolvedPolicy& policy, const Table& table) {
    if (!sizes || sizes->first != table.generation()) sizes.emplace(table.generation(), GroupSizes(policy));
    auto section = policy.sections.After(last);
    for (std::size_t looked = 0; section != policy.sections.end() && looked < kPoliciesALook; ++looked) {
      const std::span<const Section> sections = policy.sections.Find(section->policy);
      last = section->policy;
      for (const Unanswered& unanswered : FindUnanswered(sections, policy, sizes->second)) {
        status->set_warning_count(status->warning_count() + 1);
        if (status->warnings_size() == kMostProblems) continue;
        v1::Problem* warning = status->add_warnings();
        warning->set_object("policy " + ShownName(last));
        warning->set_field(unanswered.field);
        warning->set_reason(unanswered.text);
      }
      for (std::size_t i = 0; i < sections.size(); ++i) ++section;
    }
    more = section != policy.sections.end();
  };
  while (more) intake_.store().Read(look);
}

Status ObserveService::ListEndpoints(const v1::ListEndpointsRequest& request, AnswerWriter& writer) {
  // Endpoints are copied while the policy's writer waits, then described and sent while it goes on.
  std::vector<NamedEndpoint> slice;
  bool connected = true;
  for (std::size_t begin = 0, end = 1; begin < end && connected; begin += kEndpointsASlice) {
    intake_.store().Read([&](const ResolvedPolicy& policy, const Table&) {
      end = policy.endpoints.size();
      for (std::size_t i = begin; i < std::min(begin + kEndpointsASlice, end); ++i) {
        const Endpoint& endpoint = policy.endpoints[i];
        if (endpoint.name.empty()) continue;  // its number is no longer used
        if (!request.namespace_().empty() && request.namespace_() != endpoint.namespace_name) continue;
        if (!request.name().empty() && request.name() != endpoint.name) continue;
        slice.push_back({endpoint, endpoint.node == kNoNode ? "" : policy.nodes[endpoint.node].name});
      }
    });
    const auto table = intake_.store().table();
    for (const NamedEndpoint& named : slice) connected = connected && writer.Write(Describe(*table, named));
    slice.clear();
  }
  return connected ? Status::OK : Status::CANCELLED;
}

Status ObserveService::GetTableStats(const v1::GetTableStatsRequest&, AnswerWriter& writer) {
  v1::TableStats message;
  const auto table = intake_.store().table();
  const TableStats& stats = table->stats();
  message.set_generation(table->generation());
  message.set_epoch(table->epoch());
  message.set_bytes(stats.bytes);
  message.set_addresses(stats.addresses);
  message.set_cidr_cells(stats.cidr_cells);
  message.set_groups(stats.groups);
  message.set_sections(stats.sections);
  message.set_rules(stats.rules);
  message.set_identities(stats.identities);
  message.set_section_sets(stats.section_sets);
  message.set_peer_classes(stats.peer_classes);
  message.set_port_classes(stats.port_classes);
  message.set_memberships(stats.memberships);
  writer.Write(message);
  return Status::OK;
}

Status ObserveService::ListPorts(const v1::ListPortsRequest&, AnswerWriter& writer) {
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
    if (!writer.Write(info)) return Status::CANCELLED;
  }
  return Status::OK;
}

Status ObserveService::ListWorkers(const v1::ListWorkersRequest&, AnswerWriter& writer) {
  std::uint32_t number = 0;
  for (const Observation& worker : plane_.Workers()) {
    v1::WorkerInfo info;
    info.set_worker(number++);
    info.set_forwarded(worker.forwarded);
    info.set_dropped(worker.dropped());
    info.set_rejected(worker.rejected);
    info.set_packets(worker.packets());
    info.set_flows(worker.flows);
    info.set_flow_capacity(worker.flow_capacity);
    info.set_flows_created(worker.flows_created);
    info.set_flows_expired(worker.flows_expired);
    info.set_flows_evicted(worker.flows_evicted);
    info.set_flows_cut(worker.flows_cut);
    info.set_flows_judged_again(worker.flows_judged_again);
    info.set_handed_over(worker.handed_over);
    info.set_busy(worker.busy);
    if (!writer.Write(info)) return Status::CANCELLED;
  }
  return Status::OK;
}

Status ObserveService::Explain(const v1::ExplainRequest& request, AnswerWriter& writer) {
  v1::Explanation message;
  if (request.protocol() > 255 || request.destination_port() > 65535) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "protocol is at most 255, destination_port 65535"};
  }
  const PolicyStore& store = intake_.store();
  std::vector<IpAddress> ends[2];
  const std::pair<const std::string*, const std::string*> asked[] = {
      {&request.source(), &request.source_pod()}, {&request.destination(), &request.destination_pod()}};
  for (int i = 0; i < 2; ++i) {
    const auto& [address, pod] = asked[i];
    if (const auto decoded = DecodeAddress(*address)) {
      ends[i] = {*decoded};
      continue;
    }
    auto addresses = AddressesOf(store, *pod);
    if (!addresses) return {grpc::StatusCode::NOT_FOUND, "no endpoint '" + ShownName(*pod) + "' is in force"};
    ends[i] = std::move(*addresses);
  }
  std::optional<std::pair<IpAddress, IpAddress>> pair;  // in the first family that both ends have
  for (const IpAddress& from : ends[0]) {
    for (const IpAddress& to : ends[1]) {
      if (!pair && from.family == to.family) pair = {from, to};
    }
  }
  if (!pair) return {grpc::StatusCode::NOT_FOUND, "the two ends have no addresses of one family, IPv4 or IPv6"};
  std::optional<std::vector<IpAddress>> own;  // the addresses of the pod at whose interface the packet is
  if (const std::string& pod = request.interface_pod(); !pod.empty()) {
    if (!plane_.HasHooks()) {
      return {
          grpc::StatusCode::FAILED_PRECONDITION,
          "interface_pod: sluiced stands at no node's hooks (--wire hooks), so a pod's interface means nothing to it"};
    }
    own = AddressesOf(store, pod);
    if (!own) return {grpc::StatusCode::NOT_FOUND, "no endpoint '" + ShownName(pod) + "' is in force"};
  }
  const auto table = store.table();
  const ClassifyQuery query{pair->first, pair->second, static_cast<std::uint8_t>(request.protocol()),
                            static_cast<std::uint16_t>(request.destination_port())};
  Classification answer;
  LearntNames learnt(nullptr, 1);
  NamesNow names{&learnt, 0};
  if (names_.store != nullptr) {
    const NameTime now = names_.now();
    names.now_ns = now.clock_ns;
    names_.store->CopyOf(query.destination, &learnt);
    for (const LearntPair& known : names_.store->NamesOf(query.destination, now)) {
      SetLearntName(known, message.add_destination_names());
    }
  }
  Classifier(1).Classify(*table, {&query, 1}, &answer, true, names);
  const auto side = [&](const Decision& decision, IdSetId sections, v1::Explanation::Side* to) {
    to->set_verdict(decision.allow ? "allow" : "deny");
    to->set_isolated(decision.rule != kNoRule);
    SetRule(*table, decision.rule, to->mutable_rule());
    if (decision.rule == kNoRule || table->rule(decision.rule).index >= 0) return;
    for (const RuleId deny : table->DefaultDenies(sections)) to->add_isolated_by(ShownName(table->rule(deny).policy));
  };
  side(answer.egress, answer.egress_sections, message.mutable_egress());
  side(answer.ingress, answer.ingress_sections, message.mutable_ingress());
  FirstPacket packet{.source = query.source,
                     .protocol = query.protocol,
                     .destination_port = query.destination_port,
                     .unknown_endpoint = answer.unknown_endpoint,
                     .between_nodes = answer.between_nodes};
  const bool is_pods = (table->identity(table->Lookup(query.source).identity).flags & Identity::kManaged) != 0;
  packet.is_to_node = plane_.HasHooks() && is_pods && plane_.HooksHaveNode(query.destination);
  packet.is_foreign = own && std::find(own->begin(), own->end(), query.source) == own->end();
  const std::string_view reason = ReasonBesidePolicy(pipeline_, table->has_policy(), packet);
  message.set_reason(std::string(reason));
  message.set_verdict(answer.allow && reason.empty() ? "allow" : "deny");
  message.set_exempt(std::string(Name(answer.exemption)));
  message.set_generation(table->generation());
  message.set_source(pair->first.ToString());
  message.set_destination(pair->second.ToString());
  writer.Write(message);
  return Status::OK;
}

// A change with an object larger than a message travels in parts, if the caller knows parts.
Status ObserveService::GetPolicy(const v1::GetPolicyRequest& request, AnswerWriter& writer) {
  const IntakeStatus status = intake_.status();
  const ResolvedPolicy policy = intake_.store().Copy();
  bool too_large = false;
  const auto send = [&](const v1::FullStateChunk& chunk) {
    if (chunk.ByteSizeLong() <= kMaxMessageBytes) return writer.Write(chunk);
    if (!request.parts()) return !(too_large = true);
    v1::FullStateChunk piece;
    return SendInParts(chunk.SerializeAsString(), [&](const v1::Part& part) {
      *piece.mutable_part() = part;
      return writer.Write(piece);
    });
  };
  const bool sent = EncodeFullState(policy, status.state_id, status.batch, kChunkBytes, send);
  if (too_large) {
    return {grpc::StatusCode::FAILED_PRECONDITION,
            "an object of the policy is larger than " + std::to_string(kMaxMessageBytes >> 20) +
                " MB, which callers of this version (without GetPolicyRequest.parts) cannot read"};
  }
  return sent ? Status::OK : Status::CANCELLED;
}

}  // namespace sluice
