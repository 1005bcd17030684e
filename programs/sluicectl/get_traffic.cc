// Lists of what goes through: flows, ports, workers and drops.
#include "sluicectl/get.h"

namespace sluice {

int GetFlows(const GetOptions& options, Stub& stub) {
  v1::ListFlowsRequest request;
  if (!SetFilter(options, &request)) return kExitBadInput;
  request.set_state(options.state);
  request.set_limit(options.limit);
  request.set_batched(true);
  Json row;  // one for all: of a million, the keys alone would be a second's work
  const auto add_one = [&row](auto show, const v1::Flow& flow) {
    row["proto"] = ProtocolName(static_cast<std::uint8_t>(flow.protocol()));
    row["source"] = EndText(flow.source(), flow.source_port());
    row["destination"] = EndText(flow.destination(), flow.destination_port());
    row["source_pod"] = flow.source_pod();
    row["destination_pod"] = flow.destination_pod();
    row["state"] = flow.state();
    row["packets"] = flow.packets();
    row["bytes"] = flow.bytes();
    row["idle_ms"] = flow.idle_ms();
    row["egress"] = RuleText(flow.egress());
    row["ingress"] = RuleText(flow.ingress());
    row["generation"] = flow.generation();
    row["guessed"] = flow.guessed();
    row["worker"] = flow.worker();
    show(row);
  };
  const auto add = [&](auto show, const v1::Flow& message) {
    ForEachFlow(message, [&](const v1::Flow& flow) { add_one(show, flow); });
  };
  return List<v1::Flow>(
      options, "flows",
      {{"PROTO", "proto"},
       {"SOURCE", "source"},
       {"DESTINATION", "destination"},
       {"STATE", "state"},
       {"PACKETS", "packets"},
       {"BYTES", "bytes"},
       {"IDLE MS", "idle_ms"},
       {"SOURCE POD", "source_pod", true},
       {"DESTINATION POD", "destination_pod", true},
       {"EGRESS", "egress", true},
       {"INGRESS", "ingress", true},
       {"GENERATION", "generation", true},
       {"GUESSED", "guessed", true},
       {"WORKER", "worker", true}},
      [&](Call* call) { return stub.ListFlows(call, request); }, add);
}

int GetPorts(const GetOptions& options, Stub& stub) {
  const auto add = [](auto show, const v1::PortInfo& info) {
    show({{"wire", info.wire()},
          {"device", info.device()},
          {"link", info.link_up() ? "up" : "down"},
          {"rx_packets", info.rx_packets()},
          {"rx_bytes", info.rx_bytes()},
          {"tx_packets", info.tx_packets()},
          {"tx_bytes", info.tx_bytes()},
          {"rx_missed", info.rx_missed()},
          {"rx_errors", info.rx_errors()}});
  };
  return List<v1::PortInfo>(
      options, "ports",
      {{"WIRE", "wire"},
       {"DEVICE", "device"},
       {"LINK", "link"},
       {"RX PACKETS", "rx_packets"},
       {"TX PACKETS", "tx_packets"},
       {"MISSED", "rx_missed"},
       {"ERRORS", "rx_errors"},
       {"RX BYTES", "rx_bytes", true},
       {"TX BYTES", "tx_bytes", true}},
      [&](Call* call) { return stub.ListPorts(call, {}); }, add);
}

int GetWorkers(const GetOptions& options, Stub& stub) {
  const auto add = [](auto show, const v1::WorkerInfo& info) {
    char busy[16];
    std::snprintf(busy, sizeof busy, "%.1f", 100 * info.busy());
    show({{"worker", info.worker()},
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
  return List<v1::WorkerInfo>(
      options, "workers",
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
      [&](Call* call) { return stub.ListWorkers(call, {}); }, add);
}

int GetDrops(const GetOptions& options, Stub& stub) {
  const bool all = options.live.format != "table";
  const auto add = [all](auto show, const v1::DropCounter& counter) {
    if (counter.packets() == 0 && !all) return;
    show({{"reason", counter.reason()}, {"packets", counter.packets()}, {"meaning", counter.text()}});
  };
  return List<v1::DropCounter>(
      options, "drops", {{"REASON", "reason"}, {"PACKETS", "packets"}, {"MEANING", "meaning"}},
      [&](Call* call) { return stub.ListDrops(call, {}); }, add);
}

}  // namespace sluice
