// `sluicectl get` and `unused`: what a running sluiced holds, as lists.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "codec/codec.h"
#include "sluice/policy_terms.h"
#include "sluicectl/commands.h"
#include "sluicectl/input.h"
#include "sluicectl/live.h"

namespace sluice {
namespace {

using Stub = v1::ObserveService::Stub;

struct GetOptions {
  LiveOptions live;
  std::string namespace_name;
  std::string address;
  std::string protocol;
  std::string state;
  std::uint32_t port = 0;
  std::uint64_t limit = 0;
};

std::string TierText(v1::Tier tier) {
  return tier < v1::TIER_ADMIN || tier > v1::TIER_BASELINE ? "" : std::string(Name(static_cast<Tier>(tier - 1)));
}

std::string ActionText(v1::Action action) {
  return action < v1::ACTION_ALLOW || action > v1::ACTION_PASS ? ""
                                                               : std::string(Name(static_cast<Action>(action - 1)));
}

std::string DirectionText(v1::Direction direction) { return direction == v1::DIRECTION_EGRESS ? "egress" : "ingress"; }

std::string RuleText(const v1::RuleName& rule) {
  if (rule.policy().empty()) return "-";
  return rule.policy() + (rule.index() < 0 ? " (default)" : '[' + std::to_string(rule.index()) + ']');
}

// Reads a stream of messages to its end and lists what `row` makes of each.
template <typename Reader, typename Row>
int List(const LiveOptions& options, Reader reader, std::vector<Column> columns, Row row) {
  Output output;
  {
    Listing listing(output, options.format, std::move(columns));
    decltype(row.message) message;
    while (reader->Read(&message)) row.add(listing, message);
  }
  const int code = Finish(options, reader->Finish());
  return output.Flush() ? code : kExitBadInput;
}

template <typename Message, typename Add>
struct RowOf {
  Message message;
  Add add;
};
template <typename Message, typename Add>
RowOf<Message, Add> Row(Add add) {
  return {Message(), add};
}

int GetEndpoints(const GetOptions& options, Stub& stub) {
  Call call;
  v1::ListEndpointsRequest request;
  request.set_namespace_(options.namespace_name);
  const auto add = [](Listing& listing, const v1::EndpointInfo& info) {
    Json addresses = Json::array();
    for (const std::string& address : info.addresses()) addresses.push_back(AddressText(address));
    listing.Add({{"namespace", info.namespace_()},
                 {"name", info.name()},
                 {"addresses", addresses},
                 {"node", info.node()},
                 {"labels", info.labels()},
                 {"identity", info.identity()},
                 {"egress_policies", std::vector(info.egress_policies().begin(), info.egress_policies().end())},
                 {"ingress_policies", std::vector(info.ingress_policies().begin(), info.ingress_policies().end())}});
  };
  return List(options.live, stub.ListEndpoints(&call, request),
              {{"NAMESPACE", "namespace"},
               {"NAME", "name"},
               {"ADDRESSES", "addresses"},
               {"NODE", "node"},
               {"EGRESS", "egress_policies"},
               {"INGRESS", "ingress_policies"},
               {"IDENTITY", "identity", true},
               {"LABELS", "labels", true}},
              Row<v1::EndpointInfo>(add));
}

int GetPolicies(const GetOptions& options, Stub& stub) {
  Call call;
  v1::ListPoliciesRequest request;
  request.set_namespace_(options.namespace_name);
  const auto add = [](Listing& listing, const v1::PolicyInfo& info) {
    std::uint64_t packets = 0;
    std::uint64_t last_hit = 0;
    for (const v1::RuleInfo& rule : info.rules()) {
      packets += rule.packets();
      last_hit = std::max(last_hit, rule.last_hit_unix_ns());
    }
    listing.Add({{"policy", info.policy()},
                 {"tier", TierText(info.tier())},
                 {"priority", info.priority()},
                 {"rules", info.rules_size()},
                 {"packets", packets},
                 {"last_hit_unix_ns", last_hit},
                 {"last_hit", AgeText(last_hit)}});
  };
  return List(options.live, stub.ListPolicies(&call, request),
              {{"POLICY", "policy"},
               {"TIER", "tier"},
               {"RULES", "rules"},
               {"PACKETS", "packets"},
               {"LAST HIT", "last_hit"},
               {"PRIORITY", "priority", true}},
              Row<v1::PolicyInfo>(add));
}

int ListRules(const GetOptions& options, Stub& stub, bool unused_only) {
  Call call;
  v1::ListPoliciesRequest request;
  request.set_namespace_(options.namespace_name);
  request.set_unused_only(unused_only);
  const auto add = [](Listing& listing, const v1::PolicyInfo& info) {
    for (const v1::RuleInfo& rule : info.rules()) {
      listing.Add({{"policy", info.policy()},
                   {"direction", DirectionText(rule.direction())},
                   {"rule", rule.index()},
                   {"action", ActionText(rule.action())},
                   {"peers", rule.peers()},
                   {"ports", rule.ports()},
                   {"packets", rule.packets()},
                   {"bytes", rule.bytes()},
                   {"last_hit_unix_ns", rule.last_hit_unix_ns()},
                   {"last_hit", AgeText(rule.last_hit_unix_ns())}});
    }
  };
  return List(options.live, stub.ListPolicies(&call, request),
              {{"POLICY", "policy"},
               {"DIRECTION", "direction"},
               {"RULE", "rule"},
               {"ACTION", "action"},
               {"PORTS", "ports"},
               {"PACKETS", "packets"},
               {"LAST HIT", "last_hit"},
               {"BYTES", "bytes", true},
               {"PEERS", "peers", true}},
              Row<v1::PolicyInfo>(add));
}

int BadFilter(const char* option, const std::string& value, std::string_view wants) {
  std::fprintf(stderr, "error: %s '%s': wants %s\n", option, value.c_str(), std::string(wants).c_str());
  return kExitBadInput;
}

int GetFlows(const GetOptions& options, Stub& stub) {
  v1::ListFlowsRequest request;
  if (!options.address.empty()) {
    const auto address = IpAddress::Parse(options.address);
    const auto prefix = Prefix::Parse(options.address);
    if (!address && !prefix) return BadFilter("--address", options.address, "an address or a CIDR");
    if (address || prefix->length > 0) request.set_address(EncodeAddress(address ? *address : prefix->base));
    request.set_prefix_length(prefix ? prefix->length : 0);
  }
  if (!options.protocol.empty()) {
    const auto protocol = ParseProtocol(options.protocol);
    if (!protocol) return BadFilter("--proto", options.protocol, kProtocolForms);
    request.set_protocol(*protocol);
  }
  request.set_port(options.port);
  request.set_state(options.state);
  request.set_limit(options.limit);
  Call call;
  const auto end = [](const std::string& address, std::uint32_t port) {
    const std::string text = AddressText(address);
    if (port == 0) return text;
    return (address.size() == 4 ? text : '[' + text + ']') + ':' + std::to_string(port);
  };
  const auto add = [&](Listing& listing, const v1::Flow& flow) {
    listing.Add({{"proto", ProtocolName(static_cast<std::uint8_t>(flow.protocol()))},
                 {"source", end(flow.source(), flow.source_port())},
                 {"destination", end(flow.destination(), flow.destination_port())},
                 {"state", flow.state()},
                 {"packets", flow.packets()},
                 {"bytes", flow.bytes()},
                 {"idle_ms", flow.idle_ms()},
                 {"egress", RuleText(flow.egress())},
                 {"ingress", RuleText(flow.ingress())},
                 {"generation", flow.generation()},
                 {"worker", flow.worker()}});
  };
  return List(options.live, stub.ListFlows(&call, request),
              {{"PROTO", "proto"},
               {"SOURCE", "source"},
               {"DESTINATION", "destination"},
               {"STATE", "state"},
               {"PACKETS", "packets"},
               {"BYTES", "bytes"},
               {"IDLE MS", "idle_ms"},
               {"EGRESS", "egress", true},
               {"INGRESS", "ingress", true},
               {"GENERATION", "generation", true},
               {"WORKER", "worker", true}},
              Row<v1::Flow>(add));
}

int GetPorts(const GetOptions& options, Stub& stub) {
  Call call;
  const auto add = [](Listing& listing, const v1::PortInfo& info) {
    listing.Add({{"wire", info.wire()},
                 {"device", info.device()},
                 {"link", info.link_up() ? "up" : "down"},
                 {"rx_packets", info.rx_packets()},
                 {"rx_bytes", info.rx_bytes()},
                 {"tx_packets", info.tx_packets()},
                 {"tx_bytes", info.tx_bytes()},
                 {"rx_missed", info.rx_missed()},
                 {"rx_errors", info.rx_errors()}});
  };
  return List(options.live, stub.ListPorts(&call, {}),
              {{"WIRE", "wire"},
               {"DEVICE", "device"},
               {"LINK", "link"},
               {"RX PACKETS", "rx_packets"},
               {"TX PACKETS", "tx_packets"},
               {"MISSED", "rx_missed"},
               {"ERRORS", "rx_errors"},
               {"RX BYTES", "rx_bytes", true},
               {"TX BYTES", "tx_bytes", true}},
              Row<v1::PortInfo>(add));
}

int GetWorkers(const GetOptions& options, Stub& stub) {
  Call call;
  const auto add = [](Listing& listing, const v1::WorkerInfo& info) {
    char busy[16];
    std::snprintf(busy, sizeof busy, "%.1f", 100 * info.busy());
    listing.Add({{"worker", info.worker()},
                 {"packets", info.packets()},
                 {"forwarded", info.forwarded()},
                 {"dropped", info.dropped()},
                 {"rejected", info.rejected()},
                 {"flows", info.flows()},
                 {"flow_capacity", info.flow_capacity()},
                 {"flows_created", info.flows_created()},
                 {"flows_expired", info.flows_expired()},
                 {"flows_evicted", info.flows_evicted()},
                 {"flows_cut", info.flows_cut()},
                 {"flows_judged_again", info.flows_judged_again()},
                 {"handed_over", info.handed_over()},
                 {"busy_percent", busy}});
  };
  return List(options.live, stub.ListWorkers(&call, {}),
              {{"WORKER", "worker"},
               {"PACKETS", "packets"},
               {"FORWARDED", "forwarded"},
               {"DROPPED", "dropped"},
               {"REJECTED", "rejected"},
               {"FLOWS", "flows"},
               {"CUT", "flows_cut"},
               {"BUSY %", "busy_percent"},
               {"CAPACITY", "flow_capacity", true},
               {"CREATED", "flows_created", true},
               {"EXPIRED", "flows_expired", true},
               {"EVICTED", "flows_evicted", true},
               {"HANDED OVER", "handed_over", true}},
              Row<v1::WorkerInfo>(add));
}

int GetDrops(const GetOptions& options, Stub& stub) {
  Call call;
  const bool all = options.live.format != "table";
  const auto add = [all](Listing& listing, const v1::DropCounter& counter) {
    if (counter.packets() == 0 && !all) return;
    listing.Add({{"reason", counter.reason()}, {"packets", counter.packets()}, {"meaning", counter.text()}});
  };
  return List(options.live, stub.ListDrops(&call, {}),
              {{"REASON", "reason"}, {"PACKETS", "packets"}, {"MEANING", "meaning"}}, Row<v1::DropCounter>(add));
}

int GetRules(const GetOptions& options, Stub& stub) { return ListRules(options, stub, false); }
int GetUnused(const GetOptions& options, Stub& stub) { return ListRules(options, stub, true); }

using Run = int (*)(const GetOptions&, Stub&);

std::shared_ptr<GetOptions> Prepare(CLI::App& command, Run run, int* exit_code) {
  auto options = std::make_shared<GetOptions>();
  AddTargetOptions(command, options->live);
  AddFormatOption(command, options->live);
  command.callback([options, run, exit_code] {
    const auto stub = ConnectTo(options->live);
    *exit_code = stub == nullptr ? kExitBadInput : run(*options, *stub);
  });
  return options;
}

void AddNamespaceOption(CLI::App& command, GetOptions& options) {
  command.add_option("-n,--namespace", options.namespace_name, "of this namespace only")->type_name("NAME");
}

}  // namespace

void AddGet(CLI::App& app, int* exit_code) {
  CLI::App* get = app.add_subcommand("get", "List what a running sluiced holds.");
  get->require_subcommand(1);
  get->footer("Example: sluicectl get flows --address 10.244.1.0/24 --proto tcp -o wide");
  const auto add = [&](const char* name, const char* text, const char* example, Run run) {
    CLI::App* command = get->add_subcommand(name, text);
    command->footer(std::string("Example: sluicectl get ") + example);
    return std::pair(command, Prepare(*command, run, exit_code));
  };
  const auto endpoints = add("endpoints", "Pods, and the policies that bind them.", "endpoints -n shop", GetEndpoints);
  const auto policies = add("policies", "Policies in force, with their hits.", "policies -o yaml", GetPolicies);
  const auto rules =
      add("rules", "Rules in force, default denies included, with their hits.", "rules -n shop", GetRules);
  for (const auto& [command, options] : {endpoints, policies, rules}) AddNamespaceOption(*command, *options);
  const auto [flows, filter] =
      add("flows", "Tracked connections.", "flows --address 10.244.1.7 --port 80 -o wide", GetFlows);
  flows->add_option("--address", filter->address, "either end is this address, or in this CIDR")->type_name("CIDR");
  flows->add_option("--port", filter->port, "either end has this port")->check(CLI::Range(1, 65535));
  flows->add_option("--proto", filter->protocol, std::string(kProtocolForms))->type_name("PROTO");
  flows->add_option("--state", filter->state, "such as ESTABLISHED")->type_name("STATE");
  flows->add_option("--limit", filter->limit, "at most so many")->type_name("N");
  add("ports", "Ports and what went through them.", "ports", GetPorts);
  add("workers", "Workers, their packets and flows.", "workers -o wide", GetWorkers);
  add("drops", "Dropped packets by reason; -o wide shows reasons without any.", "drops", GetDrops);
}

void AddUnused(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("unused", "List rules that no packet has hit.");
  command->footer("Example: sluicectl unused -n shop");
  AddNamespaceOption(*command, *Prepare(*command, GetUnused, exit_code));
}

}  // namespace sluice
