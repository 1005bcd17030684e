#include "sluiced/summary.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <string_view>
#include <tuple>
#include <vector>

namespace sluice {
namespace {

using Out = std::back_insert_iterator<std::string>;

template <typename Value>
std::uint64_t Sum(const Dataplane& plane, Value value) {
  std::uint64_t sum = 0;
  for (const auto& worker : plane.workers()) sum += value(*worker);
  return sum;
}

std::uint64_t Dropped(const Worker& worker, DropReason reason) {
  const auto index = static_cast<std::size_t>(reason);
  return worker.pipeline().counters().drops[index].value() + worker.counters().dropped[index].value();
}

std::uint64_t Decided(const Worker& worker, Verdict verdict) {
  return worker.pipeline().counters().verdicts[static_cast<std::size_t>(verdict)].value();
}

void WritePorts(const Dataplane& plane, Out out) {
  std::size_t width = std::string_view("port").size();
  for (const auto& port : plane.ports()) width = std::max(width, port->device().text.size());
  fmt::format_to(out, "{:<{}} {:>14} {:>16} {:>14} {:>16} {:>10} {:>10}\n", "port", width, "rx packets", "rx bytes",
                 "tx packets", "tx bytes", "missed", "errors");
  for (std::size_t i = 0; i < plane.ports().size(); ++i) {
    const Port& port = *plane.ports()[i];
    const auto sum = [&](Counter PortTraffic::*counter) {
      return Sum(plane, [&](const Worker& worker) { return (worker.counters().ports[i].*counter).value(); });
    };
    const PortCounters device = port.counters();
    fmt::format_to(out, "{:<{}} {:>14} {:>16} {:>14} {:>16} {:>10} {:>10}{}\n", port.device().text, width,
                   sum(&PortTraffic::received), sum(&PortTraffic::received_bytes), sum(&PortTraffic::sent),
                   sum(&PortTraffic::sent_bytes), device.missed + device.no_buffer, device.errors,
                   port.view().usable && port.view().link_up ? "" : "  down");
  }
}

void WriteWorkers(const Dataplane& plane, Out out) {
  fmt::format_to(out, "{:<8} {:>14} {:>14} {:>14} {:>12} {:>12} {:>12} {:>7}\n", "worker", "forward", "drop", "reject",
                 "handed over", "flows", "flows made", "busy %");
  for (std::size_t i = 0; i < plane.workers().size(); ++i) {
    const Worker& worker = *plane.workers()[i];
    const std::uint64_t rounds = std::max<std::uint64_t>(worker.counters().rounds.value(), 1);
    fmt::format_to(out, "{:<8} {:>14} {:>14} {:>14} {:>12} {:>12} {:>12} {:>7.1f}\n", i,
                   Decided(worker, Verdict::kForward), Decided(worker, Verdict::kDrop),
                   Decided(worker, Verdict::kReject), worker.counters().handed_over.value(),
                   worker.pipeline().flow_count(), worker.pipeline().counters().flows_created.value(),
                   100.0 * static_cast<double>(worker.counters().busy_rounds.value()) / static_cast<double>(rounds));
  }
}

void WriteDrops(const Dataplane& plane, Out out) {
  for (std::size_t i = 1; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    const std::uint64_t count = Sum(plane, [&](const Worker& worker) { return Dropped(worker, reason); });
    if (count > 0) fmt::format_to(out, "{:<24} {:>14}  {}\n", Name(reason), count, kDropReasonTexts[i]);
  }
}

void WriteFlows(const Dataplane& plane, Out out) {
  const auto line = [&](std::string_view name, Counter PipelineCounters::*counter) {
    const std::uint64_t count =
        Sum(plane, [&](const Worker& worker) { return (worker.pipeline().counters().*counter).value(); });
    if (count > 0) fmt::format_to(out, "{:<24} {:>14}\n", name, count);
  };
  fmt::format_to(out, "{:<24} {:>14}\n", "live flows",
                 Sum(plane, [](const Worker& worker) { return worker.pipeline().flow_count(); }));
  line("created", &PipelineCounters::flows_created);
  line("expired", &PipelineCounters::flows_expired);
  line("evicted", &PipelineCounters::flows_evicted);
  line("cut by a newer policy", &PipelineCounters::flows_cut);
  line("judged again", &PipelineCounters::flows_judged_again);
  line("related ICMP errors", &PipelineCounters::related);
  line("passed without a flow", &PipelineCounters::stateless);
  line("answers to rejects", &PipelineCounters::answers);
  line("answers over the limit", &PipelineCounters::answers_limited);
}

void WriteRules(const Dataplane& plane, Out out) {
  struct Row {
    RuleId rule;
    RuleCount count;
  };
  const Table& table = *plane.table();
  std::vector<Row> rows;
  for (RuleId rule = 1; rule < table.rule_limit(); ++rule) {
    Row row{rule, {}};
    for (const auto& worker : plane.workers()) {
      const RuleCount count = worker->pipeline().CountOf(table.epoch(), rule);
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
  fmt::format_to(out, "\n{:<40} {:<8} {:>5} {:<6} {:>14} {:>16}  {}\n", "rule", "side", "index", "action", "packets",
                 "bytes", "last hit");
  for (const Row& row : rows) {
    const TableRule& rule = table.rule(row.rule);
    const auto seconds = static_cast<std::time_t>(row.count.last_hit_ns / 1'000'000'000);
    fmt::format_to(out, "{:<40} {:<8} {:>5} {:<6} {:>14} {:>16}  {:%Y-%m-%dT%H:%M:%SZ}\n", rule.policy,
                   Name(rule.direction), rule.index, Name(rule.action), row.count.packets, row.count.bytes,
                   fmt::gmtime(seconds));
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
  const std::uint64_t lost = Sum(plane, [](const Worker& worker) {
    return worker.counters().dropped[static_cast<std::size_t>(DropReason::kTxFull)].value() +
           worker.counters().dropped[static_cast<std::size_t>(DropReason::kPortDown)].value();
  });
  const std::uint64_t forwarded = Sum(plane, [](const Worker& worker) { return Decided(worker, Verdict::kForward); });
  fmt::format_to(out, "\nverdicts: {} forward, {} drop, {} reject\n", forwarded - std::min(forwarded, lost),
                 Sum(plane, [](const Worker& worker) { return Decided(worker, Verdict::kDrop); }) + lost,
                 Sum(plane, [](const Worker& worker) { return Decided(worker, Verdict::kReject); }));
  fmt::format_to(out, "\n");
  WritePorts(plane, out);
  fmt::format_to(out, "\n");
  WriteWorkers(plane, out);
  fmt::format_to(out, "\ndropped, by reason\n");
  WriteDrops(plane, out);
  fmt::format_to(out, "\nflows\n");
  WriteFlows(plane, out);
  WriteRules(plane, out);
  return text;
}

std::uint64_t FlowsCut(const Dataplane& plane) {
  return Sum(plane, [](const Worker& worker) { return worker.pipeline().counters().flows_cut.value(); });
}

}  // namespace sluice
