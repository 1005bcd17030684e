#include "sluiced/summary.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <iterator>
#include <string_view>
#include <tuple>
#include <vector>

#include "sluice/printable.h"
#include "sluiced/plane_view.h"

namespace sluice {
namespace {

using Out = std::back_insert_iterator<std::string>;

using Workers = std::vector<Observation>;

template <typename Value>
std::uint64_t Sum(const Workers& workers, Value value) {
  std::uint64_t sum = 0;
  for (const Observation& worker : workers) sum += std::invoke(value, worker);
  return sum;
}

void WritePorts(const std::vector<PortState>& ports, Out out) {
  std::size_t width = std::string_view("port").size();
  for (const PortState& port : ports) width = std::max(width, port.device.size());
  fmt::format_to(out, "{:<{}} {:>14} {:>16} {:>14} {:>16} {:>10} {:>10}\n", "port", width, "rx packets", "rx bytes",
                 "tx packets", "tx bytes", "missed", "errors");
  for (const PortState& port : ports) {
    fmt::format_to(out, "{:<{}} {:>14} {:>16} {:>14} {:>16} {:>10} {:>10}{}\n", port.device, width, port.rx_packets,
                   port.rx_bytes, port.tx_packets, port.tx_bytes, port.rx_missed, port.rx_errors,
                   port.link_up ? "" : "  down");
  }
}

void WriteWorkers(const Workers& workers, Out out) {
  fmt::format_to(out, "{:<8} {:>14} {:>14} {:>14} {:>12} {:>12} {:>12} {:>7}\n", "worker", "forward", "drop", "reject",
                 "handed over", "flows", "flows made", "busy %");
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const Observation& worker = workers[i];
    fmt::format_to(out, "{:<8} {:>14} {:>14} {:>14} {:>12} {:>12} {:>12} {:>7.1f}\n", i, worker.forwarded,
                   worker.dropped(), worker.rejected, worker.handed_over, worker.flows, worker.flows_created,
                   100 * worker.busy);
  }
}

void WriteDrops(const Workers& workers, Out out) {
  for (std::size_t i = 1; i < kDropReasonCount; ++i) {
    const std::uint64_t count = Sum(workers, [i](const Observation& worker) { return worker.dropped_by[i]; });
    if (count > 0) {
      fmt::format_to(out, "{:<24} {:>14}  {}\n", Name(static_cast<DropReason>(i)), count, kDropReasonTexts[i]);
    }
  }
}

void WriteFlows(const Workers& workers, Out out) {
  const auto line = [&](std::string_view name, std::uint64_t Observation::*counter) {
    const std::uint64_t count = Sum(workers, counter);
    if (count > 0) fmt::format_to(out, "{:<24} {:>14}\n", name, count);
  };
  fmt::format_to(out, "{:<24} {:>14}\n", "live flows", Sum(workers, &Observation::flows));
  line("created", &Observation::flows_created);
  line("expired", &Observation::flows_expired);
  line("evicted", &Observation::flows_evicted);
  line("cut by a newer policy", &Observation::flows_cut);
  line("judged again", &Observation::flows_judged_again);
  line("related ICMP errors", &Observation::related);
  line("passed without a flow", &Observation::stateless);
  line("tunnels between nodes", &Observation::encapsulated);
  line("answers to rejects", &Observation::answers);
  line("answers over the limit", &Observation::answers_limited);
  line("answers lost", &Observation::answers_lost);
}

// In sluicectl's notation for rules: "shop/backend ingress[0]", "shop/backend ingress default".
std::string RuleText(const TableRule& rule) {
  const std::string index = rule.index < 0 ? " default" : '[' + std::to_string(rule.index) + ']';
  return Printable(rule.policy) + ' ' + std::string(Name(rule.direction)) + index;
}

void WriteRules(const Table& table, const Workers& workers, Out out) {
  struct Row {
    RuleId rule;
    RuleCount count;
  };
  std::vector<Row> rows;
  for (RuleId rule = 1; rule < table.rule_limit(); ++rule) {
    Row row{rule, {}};
    for (const Observation& worker : workers) {
      const RuleCount count = worker.reader.CountOf(table.epoch(), rule);
      row.count.packets += count.packets;
      row.count.bytes += count.bytes;
      row.count.last_hit_ns = std::max(row.count.last_hit_ns, count.last_hit_ns);
    }
    if (row.count.packets > 0) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    const TableRule& x = table.rule(a.rule);
    const TableRule& y = table.rule(b.rule);
    return std::tie(x.policy, x.direction, x.index) < std::tie(y.policy, y.direction, y.index);
  });
  if (rows.empty()) return;
  fmt::format_to(out, "\n{:<48} {:<6} {:>14} {:>16}  {}\n", "rule", "action", "packets", "bytes", "last hit");
  for (const Row& row : rows) {
    const TableRule& rule = table.rule(row.rule);
    const auto seconds = static_cast<std::time_t>(row.count.last_hit_ns / 1'000'000'000);
    fmt::format_to(out, "{:<48} {:<6} {:>14} {:>16}  {:%Y-%m-%dT%H:%M:%SZ}\n", RuleText(rule), Name(rule.action),
                   row.count.packets, row.count.bytes, fmt::gmtime(seconds));
  }
}

}  // namespace

std::string Summary(const Dataplane& plane, std::chrono::seconds age) {
  std::string text;
  const Out out = std::back_inserter(text);
  const Table& table = *plane.table();
  if (table.has_policy()) {
    fmt::format_to(out, "generation {}, in force for {} s: {} rules, {} addresses\n", table.generation(), age.count(),
                   table.stats().rules, table.stats().addresses);
  } else {
    fmt::format_to(out, "no policy yet\n");
  }
  const Workers workers = plane.Observe();
  fmt::format_to(out, "\nverdicts: {} forward, {} drop, {} reject; {} held, of {} received\n",
                 Sum(workers, &Observation::forwarded), Sum(workers, &Observation::dropped),
                 Sum(workers, &Observation::rejected), Sum(workers, &Observation::held),
                 Sum(workers, &Observation::received));
  fmt::format_to(out, "\n");
  WritePorts(ObservePorts(plane), out);
  fmt::format_to(out, "\n");
  WriteWorkers(workers, out);
  fmt::format_to(out, "\ndropped, by reason\n");
  WriteDrops(workers, out);
  fmt::format_to(out, "\nflows\n");
  WriteFlows(workers, out);
  WriteRules(table, workers, out);
  return text;
}

std::string FlowLogSummary(const std::vector<FlowLog::SinkCounts>& sinks) {
  std::string text = sinks.empty() ? "" : "\n";
  for (const FlowLog::SinkCounts& sink : sinks) {
    text += fmt::format("flow log {} {:>14} lines", Printable(sink.sink), sink.lines);
    for (std::size_t i = 0; i < sink.lost.size(); ++i) {
      if (sink.lost[i] > 0) text += fmt::format(", {} lost: {}", sink.lost[i], kLogLossNames[i]);
    }
    text += '\n';
  }
  return text;
}

std::uint64_t FlowsCut(const Dataplane& plane) { return Sum(plane.Observe(), &Observation::flows_cut); }
std::uint64_t Encapsulated(const Dataplane& plane) { return Sum(plane.Observe(), &Observation::encapsulated); }

}  // namespace sluice
