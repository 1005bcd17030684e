// `sluicectl top`: shows a running sluiced's traffic a second, again and again.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sluicectl/commands.h"
#include "sluicectl/live.h"

namespace sluice {
namespace {

struct TopOptions {
  LiveOptions live;
  double interval = 2;
  std::uint64_t count = 0;
};

struct RuleSample {
  Json rule;  // its name in JSON
  std::uint64_t packets = 0;
};

// Counters at one moment.
struct Sample {
  std::chrono::steady_clock::time_point at;
  v1::Status status;
  std::map<std::uint32_t, std::uint64_t> workers;
  std::map<std::string, RuleSample> rules;  // by the name that people read
  std::map<std::string, std::uint64_t> drops;
};

int Take(const LiveOptions& live, v1::ObserveService::Stub& stub, Sample& sample) {
  sample.at = std::chrono::steady_clock::now();
  Call status(live);
  const auto ask = [&](Call* asked) { return stub.GetStatus(asked, {}, &sample.status); };
  if (const int code = Finish(live, status.Once(ask)); code != kExitFine) return code;
  Call workers(live);
  const auto worker_reader = workers.Open([&](Call* opened) { return stub.ListWorkers(opened, {}); });
  v1::WorkerInfo worker;
  while (workers.Read(*worker_reader, &worker)) sample.workers[worker.worker()] = worker.packets();
  if (const int code = Finish(live, workers.Finish(*worker_reader)); code != kExitFine) return code;
  Call policies(live);
  const auto policy_reader = policies.Open([&](Call* opened) { return stub.ListPolicies(opened, {}); });
  v1::PolicyInfo info;
  while (policies.Read(*policy_reader, &info)) {
    for (const v1::RuleInfo& rule : info.rules()) {
      const Direction direction = DirectionOf(rule.direction());
      const SideAnswer side{true, true, TierText(info.tier()), info.policy(), rule.index(), rule.name()};
      Json name = {{"tier", side.tier}, {"policy", side.policy}, {"direction", Name(direction)}, {"rule", side.rule}};
      if (!side.rule_name.empty()) name["rule_name"] = side.rule_name;
      sample.rules[RuleText(side, direction)] = {std::move(name), rule.packets()};
    }
  }
  if (const int code = Finish(live, policies.Finish(*policy_reader)); code != kExitFine) return code;
  Call drops(live);
  const auto drop_reader = drops.Open([&](Call* opened) { return stub.ListDrops(opened, {}); });
  v1::DropCounter drop;
  while (drops.Read(*drop_reader, &drop)) sample.drops[drop.reason()] = drop.packets();
  return Finish(live, drops.Finish(*drop_reader));
}

std::int64_t Rate(std::uint64_t before, std::uint64_t after, double seconds) {
  return static_cast<std::int64_t>(static_cast<double>(after - std::min(before, after)) / seconds);
}

// The traffic of one worker, one rule or one drop reason.
struct RateRow {
  std::int64_t packets_per_second = 0;
  std::string text;
  Json name;
};

// Returns the busiest rows, busiest first, without idle ones.
std::vector<RateRow> Busiest(std::vector<RateRow> rows) {
  constexpr std::size_t kShown = 15;
  std::erase_if(rows, [](const RateRow& row) { return row.packets_per_second <= 0; });
  std::stable_sort(rows.begin(), rows.end(),
                   [](const RateRow& a, const RateRow& b) { return a.packets_per_second > b.packets_per_second; });
  if (rows.size() > kShown) rows.resize(kShown);
  return rows;
}

// The rates between two samples, per second.
struct Rates {
  double seconds = 0;
  std::vector<RateRow> workers;
  std::vector<RateRow> rules;
  std::vector<RateRow> drops;
};

Rates Compare(const Sample& before, const Sample& after) {
  Rates rates{std::max(std::chrono::duration<double>(after.at - before.at).count(), 1e-3), {}, {}, {}};
  const auto rate = [&](std::uint64_t was, std::uint64_t is) { return Rate(was, is, rates.seconds); };
  for (const auto& [worker, packets] : after.workers) {
    const auto was = before.workers.find(worker);
    rates.workers.push_back({rate(was == before.workers.end() ? packets : was->second, packets),
                             std::to_string(worker),
                             {{"worker", worker}}});
  }
  for (const auto& [text, rule] : after.rules) {
    const auto was = before.rules.find(text);
    rates.rules.push_back(
        {rate(was == before.rules.end() ? rule.packets : was->second.packets, rule.packets), text, rule.rule});
  }
  for (const auto& [reason, packets] : after.drops) {
    const auto was = before.drops.find(reason);
    rates.drops.push_back(
        {rate(was == before.drops.end() ? packets : was->second, packets), reason, {{"reason", reason}}});
  }
  return rates;
}

void WriteTable(Output& output, const char* header, std::vector<RateRow> rows) {
  output << "\n";
  TextTable table(output, {"PACKETS/S", header}, {10});
  for (const RateRow& row : Busiest(std::move(rows))) {
    table.AddRow({std::to_string(row.packets_per_second), row.text});
  }
}

void WriteText(Output& output, const Sample& before, const Sample& after) {
  const Rates rates = Compare(before, after);
  const v1::Status& was = before.status;
  const v1::Status& is = after.status;
  output << "generation " << static_cast<std::int64_t>(is.generation()) << ", published "
         << AgoText(is.published_unix_ns()) << "; flows " << static_cast<std::int64_t>(is.flows()) << "; forwarded/s "
         << Rate(was.forwarded(), is.forwarded(), rates.seconds) << ", dropped/s "
         << Rate(was.dropped(), is.dropped(), rates.seconds) << ", rejected/s "
         << Rate(was.rejected(), is.rejected(), rates.seconds) << "\n";
  WriteTable(output, "WORKER", rates.workers);
  WriteTable(output, "RULE", rates.rules);
  WriteTable(output, "DROP REASON", rates.drops);
}

// Returns all rows with traffic, not only the busiest: programs choose for themselves.
Json MovingJson(const std::vector<RateRow>& rows) {
  Json json = Json::array();
  for (const RateRow& row : rows) {
    if (row.packets_per_second <= 0) continue;
    json.push_back(row.name);
    json.back()["packets_per_second"] = row.packets_per_second;
  }
  return json;
}

Json ToJson(const Sample& before, const Sample& after) {
  const Rates rates = Compare(before, after);
  const v1::Status& was = before.status;
  const v1::Status& is = after.status;
  const auto now = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  return {{"time", TimeJson(static_cast<std::uint64_t>(now))},
          {"interval_seconds", std::round(rates.seconds * 1000) / 1000},
          {"generation", is.generation()},
          {"published", TimeJson(is.published_unix_ns())},
          {"flows", is.flows()},
          {"forwarded_per_second", Rate(was.forwarded(), is.forwarded(), rates.seconds)},
          {"dropped_per_second", Rate(was.dropped(), is.dropped(), rates.seconds)},
          {"rejected_per_second", Rate(was.rejected(), is.rejected(), rates.seconds)},
          {"workers", MovingJson(rates.workers)},
          {"rules", MovingJson(rates.rules)},
          {"drops", MovingJson(rates.drops)}};
}

int RunTop(const TopOptions& options) {
  const auto stub = ConnectTo(options.live);
  if (stub == nullptr) return kExitBadInput;
  Sample before;
  if (const int code = Take(options.live, *stub, before); code != kExitFine) return code;
  for (std::uint64_t i = 0; options.count == 0 || i < options.count; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double>(options.interval));
    Sample after;
    if (const int code = Take(options.live, *stub, after); code != kExitFine) return code;
    Output output;
    if (options.live.format == "json") {
      output << JsonText(ToJson(before, after)) << "\n";
    } else {
      if (isatty(STDOUT_FILENO) != 0) output << "\033[H\033[2J";
      WriteText(output, before, after);
    }
    if (!output.Flush()) return kExitBadInput;
    before = std::move(after);
  }
  return kExitFine;
}

}  // namespace

void AddTop(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand("top", "Show what goes through a running sluiced, until interrupted.");
  auto options = std::make_shared<TopOptions>();
  AddTargetOptions(*command, options->live);
  command->add_option("-o,--output", options->live.format, "table, or json: a line a look")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  command->add_option("--interval", options->interval, "seconds between two looks")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_option("--count", options->count, "end after so many; 0: go on")->capture_default_str();
  command->footer(
      "Examples:\n  sluicectl top\n  sluicectl top --interval 5 --count 1\n  sluicectl top -o json | jq .rules");
  command->callback([options, exit_code] { *exit_code = RunTop(*options); });
}

}  // namespace sluice
