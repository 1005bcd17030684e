// `sluicectl top`: what goes through a running sluiced a second, again and again.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "sluicectl/commands.h"
#include "sluicectl/live.h"

namespace sluice {
namespace {

struct TopOptions {
  LiveOptions live;
  double interval = 2;
  std::uint64_t count = 0;
};

// Counters at one moment.
struct Sample {
  std::chrono::steady_clock::time_point at;
  v1::Status status;
  std::map<std::string, std::uint64_t> workers;
  std::map<std::string, std::uint64_t> rules;
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
  while (workers.Read(*worker_reader, &worker)) sample.workers[std::to_string(worker.worker())] = worker.packets();
  if (const int code = Finish(live, workers.Finish(*worker_reader)); code != kExitFine) return code;
  Call policies(live);
  const auto policy_reader = policies.Open([&](Call* opened) { return stub.ListPolicies(opened, {}); });
  v1::PolicyInfo info;
  while (policies.Read(*policy_reader, &info)) {
    for (const v1::RuleInfo& rule : info.rules()) {
      const Direction direction = rule.direction() == v1::DIRECTION_EGRESS ? Direction::kEgress : Direction::kIngress;
      const SideAnswer side{true, true, TierText(info.tier()), info.policy(), rule.index(), rule.name()};
      sample.rules[RuleText(side, direction)] = rule.packets();
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

// The busiest of them, most first; those that rest are left out.
void WriteRates(Output& output, const char* header, const std::map<std::string, std::uint64_t>& before,
                const std::map<std::string, std::uint64_t>& after, double seconds) {
  constexpr std::size_t kShown = 15;
  std::vector<std::pair<std::int64_t, std::string>> rates;
  for (const auto& [name, packets] : after) {
    const auto was = before.find(name);
    const std::int64_t rate = Rate(was == before.end() ? packets : was->second, packets, seconds);
    if (rate > 0) rates.emplace_back(rate, name);
  }
  std::sort(rates.rbegin(), rates.rend());
  if (rates.size() > kShown) rates.resize(kShown);
  output << "\n";
  TextTable table(output, {"PACKETS/S", header});
  for (const auto& [rate, name] : rates) table.AddRow({std::to_string(rate), name});
}

void Write(Output& output, const Sample& before, const Sample& after) {
  const double seconds = std::max(std::chrono::duration<double>(after.at - before.at).count(), 1e-3);
  const v1::Status& was = before.status;
  const v1::Status& is = after.status;
  output << "generation " << static_cast<std::int64_t>(is.generation()) << ", published "
         << AgoText(is.published_unix_ns()) << "; flows " << static_cast<std::int64_t>(is.flows()) << "; forwarded/s "
         << Rate(was.forwarded(), is.forwarded(), seconds) << ", dropped/s "
         << Rate(was.dropped(), is.dropped(), seconds) << ", rejected/s "
         << Rate(was.rejected(), is.rejected(), seconds) << "\n";
  WriteRates(output, "WORKER", before.workers, after.workers, seconds);
  WriteRates(output, "RULE", before.rules, after.rules, seconds);
  WriteRates(output, "DROP REASON", before.drops, after.drops, seconds);
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
    if (isatty(STDOUT_FILENO) != 0) output << "\033[H\033[2J";
    Write(output, before, after);
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
  command->add_option("--interval", options->interval, "seconds between two looks")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_option("--count", options->count, "end after so many; 0: go on")->capture_default_str();
  command->footer("Examples:\n  sluicectl top\n  sluicectl top --interval 5 --count 1");
  command->callback([options, exit_code] { *exit_code = RunTop(*options); });
}

}  // namespace sluice
