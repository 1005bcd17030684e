// Lists of traffic: flows, ports, workers and drops.
#include <cmath>

#include "sluicectl/get.h"

namespace sluice {

int GetFlows(const GetOptions& options, Stub& stub) {
  v1::ListFlowsRequest request;
  if (!SetFilter(options, &request)) return kExitBadInput;
  request.set_state(options.state);
  request.set_limit(options.limit);
  request.set_batched(true);
  const bool for_people = IsForPeople(options.live);
  const bool wants_json = WantsJson(options);
  Json row;  // reused for all rows: for a million rows, the keys alone would take a second
  const auto add_one = [&row, for_people, wants_json](auto show, const v1::Flow& flow) {
    const TrafficEnd source{AddressText(flow.source()), flow.source_port(), flow.source_pod(), flow.source_node()};
    const TrafficEnd destination{AddressText(flow.destination()), flow.destination_port(), flow.destination_pod(),
                                 flow.destination_node()};
    const SideAnswer egress = ToAnswer(flow.egress());
    const SideAnswer ingress = ToAnswer(flow.ingress());
    row["proto"] = ProtocolJson(static_cast<std::uint8_t>(flow.protocol()));
    if (wants_json) {
      row["src"] = ToJson(source);
      row["dst"] = ToJson(destination);
      row["idle_ms"] = flow.idle_ms();
      row["age_ms"] = flow.age_ms();
      row["egress"] = ToJson(egress);
      row["ingress"] = ToJson(ingress);
    }
    if (for_people) {
      row["src_text"] = ToText(source);
      row["dst_text"] = ToText(destination);
      row["src_address_text"] = AddressText(source);
      row["dst_address_text"] = AddressText(destination);
      row["age_text"] = SpanText(static_cast<std::int64_t>(flow.age_ms() / 1000));
      row["idle_text"] = SpanText(static_cast<std::int64_t>(flow.idle_ms() / 1000));
      row["egress_text"] = RuleText(egress, Direction::kEgress);
      row["ingress_text"] = RuleText(ingress, Direction::kIngress);
    }
    row["state"] = flow.state();
    row["packets"] = flow.packets();
    row["bytes"] = flow.bytes();
    row["reply_packets"] = flow.reply_packets();
    row["reply_bytes"] = flow.reply_bytes();
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
       {"FROM", "src_text", false, 24},
       {"TO", "dst_text", false, 24},
       {"STATE", "state", false, 11},
       {"PACKETS", "packets", false, 10},
       {"BYTES", "bytes", false, 12},
       {"IDLE", "idle_text", false, 6},
       {"AGE", "age_text", true, 6},
       {"REPLY PACKETS", "reply_packets", true, 13},
       {"REPLY BYTES", "reply_bytes", true, 12},
       {"FROM ADDRESS", "src_address_text", true},
       {"TO ADDRESS", "dst_address_text", true},
       {"EGRESS", "egress_text", true, 24},
       {"INGRESS", "ingress_text", true, 24},
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
       {"RX PACKETS", "rx_packets", false, 12},
       {"TX PACKETS", "tx_packets", false, 12},
       {"MISSED", "rx_missed"},
       {"ERRORS", "rx_errors"},
       {"RX BYTES", "rx_bytes", true},
       {"TX BYTES", "tx_bytes", true}},
      [&](Call* call) { return stub.ListPorts(call, {}); }, add);
}

int GetWorkers(const GetOptions& options, Stub& stub) {
  const auto add = [](auto show, const v1::WorkerInfo& info) {
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
          {"busy_percent", std::round(1000 * info.busy()) / 10}});
  };
  return List<v1::WorkerInfo>(
      options, "workers",
      {{"WORKER", "worker"},
       {"PACKETS", "packets", false, 12},
       {"FORWARDED", "forwarded", false, 12},
       {"DROPPED", "dropped", false, 10},
       {"REJECTED", "rejected", false, 10},
       {"FLOWS", "flows", false, 8},
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
      options, "drops", {{"REASON", "reason", false, 24}, {"PACKETS", "packets", false, 10}, {"MEANING", "meaning"}},
      [&](Call* call) { return stub.ListDrops(call, {}); }, add);
}

}  // namespace sluice
