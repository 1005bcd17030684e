// A worker under change: tables swapped, rules updated, pods coming and going, a flood of new connections, all flows
// judged again; while its packets come at a rate, or as fast as it takes them.
//
// Usage: change_bench what=swaps|rules|pods|flood|rejudge capture=FILE [flows=65536] [rules=1000] [rate=PPS]
//                     [rounds=3] [seconds=2] [count=1000]
#include <rte_cycles.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "arguments.h"
#include "measure.h"
#include "source.h"
#include "store/policy_store.h"
#include "wire.h"

namespace sluice {
namespace {

using Step = Wire::Step;

constexpr std::uint32_t kFresh = 2u << 20;
constexpr std::uint32_t kFreshRoom = 1u << 18;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "change_bench: %s\n", what.c_str());
  std::exit(1);
}

// What the packets of a rate met.
struct Paced {
  double seconds = 0;
  std::uint64_t given_known = 0;
  std::uint64_t given_new = 0;
  std::uint64_t lost = 0;  // the queue was full, or the dataplane dropped it
  std::uint64_t lost_known = 0;
  std::uint64_t lost_interrupted = 0;  // not among `lost`: somebody had the worker's core
  double p50_us = 0;                   // of the wait in the queue
  double p999_us = 0;
  double longest_us = 0;
};

class Change {
 public:
  explicit Change(const Arguments& arguments)
      : arguments_(arguments),
        traffic_(TrafficOf(arguments)),
        flows_(arguments.Number("flows", 65536)),
        rate_(arguments.Real("rate", 0)),
        rounds_(arguments.Number("rounds", 3)),
        seconds_(arguments.Real("seconds", 2)),
        wire_("change_bench", Options()),
        store_({}, [this](std::shared_ptr<const Table> table) { Publish(std::move(table)); }),
        source_(wire_.source_port(), traffic_, ShapeOf(arguments), flows_, kFresh) {
    has_more_.resize(traffic_.Policy().sections.size());
    Replace(traffic_.Policy());
    source_.Establish();
    if (wire_.counters().flows_created.value() != flows_) Fail("not every flow was opened");
  }

  void Swaps();
  void Rules();
  void Pods();
  void Flood();
  void Rejudge();

 private:
  WireOptions Options() const {
    WireOptions options;
    options.capture = arguments_.Text("capture", "");
    options.captured = flows_;
    options.pipeline.flow_capacity_ipv4 = flows_ + flows_ / 4 + kFreshRoom;
    options.pipeline.flow_capacity_ipv6 = 64;
    return options;
  }
  void Replace(ResolvedPolicy policy) {
    if (const auto error = store_.Replace(std::move(policy))) Fail(error->ToString());
  }
  void Update(PolicyUpdate update) {
    if (const auto error = store_.Update(std::move(update))) Fail(error->ToString());
  }
  void Publish(std::shared_ptr<const Table> table) {
    published_ = Seconds();
    wire_.Publish(std::move(table));
  }
  // The traffic's policy. Sections in has_more_ have a rule more: a change after which their flows are judged again and
  // none is cut.
  ResolvedPolicy Policy() const;
  Paced RunPaced(const Mix& mix, const Step& step);
  double RunFull(const Step& step);
  // Throughput with `change` going on at a steady pace, and without, in turns.
  void CompareThroughput(const char* unit, double per_second, const std::function<double()>& change);
  Result Line(const std::string& contender) const {
    Result line("change", contender);
    line.Text("what", arguments_.Text("what", ""))
        .Number("flows", flows_)
        .Number("rules", arguments_.Real("rules", 1000));
    if (rate_ > 0) line.Number("rate_mpps", rate_ / 1e6);
    return line;
  }

  const Arguments& arguments_;
  Traffic traffic_;
  std::uint32_t flows_;
  double rate_;
  std::uint32_t rounds_;
  double seconds_;
  std::vector<bool> has_more_;  // by section
  double published_ = 0;        // when the last table was
  Wire wire_;
  PolicyStore store_;
  Source source_;
};

ResolvedPolicy Change::Policy() const {
  ResolvedPolicy policy = traffic_.Policy();
  std::size_t number = 0;
  for (Section& section : policy.sections) {
    if (!has_more_[number++]) continue;
    Rule rule = section.rules.back();
    rule.ports = {{kProtoUdp, 9, 9}};
    rule.index = static_cast<std::int32_t>(section.rules.size());
    section.rules.push_back(std::move(rule));
  }
  return policy;
}

Paced Change::RunPaced(const Mix& mix, const Step& step) {
  source_.Run(mix);
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const auto counts = [&] {
    std::vector<std::uint64_t> bins;
    for (const auto& bin : source_.waits()) bins.push_back(bin.load(std::memory_order_relaxed));
    return bins;
  };
  const std::vector<std::uint64_t> before = counts();
  const std::uint64_t known = source_.given_known(), fresh = source_.given_new();
  const std::uint64_t lost_known = source_.lost_known(), lost_new = source_.lost_new();
  const std::uint64_t lost_interrupted = source_.lost_interrupted();
  source_.TakeLongestWait();
  const Window window = wire_.Watch(step);
  Paced paced;
  paced.seconds = window.seconds;
  paced.given_known = source_.given_known() - known;
  paced.given_new = source_.given_new() - fresh;
  paced.lost_known = source_.lost_known() - lost_known;
  paced.lost_interrupted = source_.lost_interrupted() - lost_interrupted;
  paced.lost = paced.lost_known + source_.lost_new() - lost_new + window.dropped;
  paced.longest_us = static_cast<double>(source_.TakeLongestWait()) * 1e6 / static_cast<double>(rte_get_tsc_hz());
  std::vector<std::uint64_t> waits = counts();
  for (std::size_t i = 0; i < waits.size(); ++i) waits[i] -= before[i];
  const auto all = static_cast<double>(std::accumulate(waits.begin(), waits.end(), std::uint64_t{0}));
  const auto quantile = [&](double share) {
    double below = 0;
    std::size_t bin = 0;
    while (bin < waits.size() && (below += static_cast<double>(waits[bin])) < share * all) ++bin;
    return static_cast<double>(bin + 1) / 16;
  };
  paced.p50_us = quantile(0.5);
  paced.p999_us = quantile(0.999);
  return paced;
}

// Millions of packets a second, as fast as the worker takes them.
double Change::RunFull(const Step& step) {
  const Window window = wire_.Watch(step);
  if (window.dropped != 0) Fail(std::to_string(window.dropped) + " packets were dropped");
  return window.PacketsPerSecond() / 1e6;
}

// Each swap is a full state, compiled anew, in which one policy differs from the one before. In trials of a few swaps,
// as long as those without: what loses something is tried again, since a hypervisor may take the core away at any time,
// for longer than a queue holds. A swap that loses packets itself would lose them each time.
void Change::Swaps() {
  constexpr std::uint32_t kSwapsATrial = 5, kAttempts = 10;
  const std::uint32_t trials = arguments_.Number("count", 1000) / kSwapsATrial;
  const double per_second = arguments_.Real("per_second", 200);
  Mix mix;
  mix.packets_per_second = rate_;
  std::uint32_t swaps = 0;
  const auto trial = [&](bool swapping) {
    std::uint32_t done = 0;
    const double start = Seconds();
    return RunPaced(mix, [&] {
      ++done;
      if (swapping) {
        const std::size_t changed = swaps++ % has_more_.size();
        has_more_[changed] = !has_more_[changed];
        Replace(Policy());
      }
      const double early = done / per_second - (Seconds() - start);
      if (early > 0) std::this_thread::sleep_for(std::chrono::duration<double>(early));
      return done < kSwapsATrial;
    });
  };
  const std::uint64_t judged = wire_.counters().flows_judged_again.value();
  for (const bool swapping : {false, true}) {
    double lost = 0, given = 0, interrupted = 0, tried = 0, lossy = 0;
    std::vector<double> p999, longest;
    for (std::uint32_t i = 0; i < trials; ++i) {
      Paced least;
      for (std::uint32_t attempt = 0; attempt < kAttempts; ++attempt) {
        const Paced paced = trial(swapping);
        ++tried;
        interrupted += static_cast<double>(paced.lost_interrupted);
        p999.push_back(paced.p999_us);
        longest.push_back(paced.longest_us);
        if (paced.lost != 0) ++lossy;
        if (attempt == 0 || paced.lost < least.lost) least = paced;
        if (least.lost == 0) break;
      }
      lost += static_cast<double>(least.lost);
      given += static_cast<double>(least.given_known);
    }
    const char* contender = swapping ? "swaps" : "no swaps";
    Line(contender).Values("lost", {lost});
    Line(contender).Values("given", {given});
    Line(contender).Values("trials", {tried});
    Line(contender).Values("trials_with_loss", {lossy});
    Line(contender).Values("lost_to_others_on_the_core", {interrupted});
    Line(contender).Values("wait_p999_us", p999);
    Line(contender).Values("wait_longest_us", longest);
  }
  Line("swaps").Values("swaps", {static_cast<double>(swaps)});
  Line("swaps").Values("judged_again", {static_cast<double>(wire_.counters().flows_judged_again.value() - judged)});
}

void Change::CompareThroughput(const char* unit, double per_second, const std::function<double()>& change) {
  source_.Remove();
  std::vector<double> without, with, changed;
  (void)RunFull(For(0.2));
  for (std::uint32_t round = 0; round < rounds_; ++round) {
    without.push_back(RunFull(For(seconds_)));
    const double start = Seconds();
    double done = 0;
    with.push_back(RunFull([&] {
      const double early = done / per_second - (Seconds() - start);
      if (early > 0) std::this_thread::sleep_for(std::chrono::duration<double>(early));
      done += change();
      return Seconds() - start < seconds_;
    }));
    changed.push_back(done / (Seconds() - start));
  }
  Line("at rest").Values("mpps", without);
  Line("changing").Values("mpps", with);
  Line("changing").Values(unit, changed);
}

// Updates of ten rules each, in turn for all policies; each rule's ports change, to ports that admit what they did.
void Change::Rules() {
  const ResolvedPolicy policy = traffic_.Policy();
  std::vector<Section> sections(policy.sections.begin(), policy.sections.end());
  std::size_t next = 0;
  CompareThroughput("rule_updates_per_second", arguments_.Real("per_second", 60'000), [&] {
    PolicyUpdate update;
    double rules = 0;
    while (rules < 600) {
      Section& section = sections[next++ % sections.size()];
      for (Rule& rule : section.rules) {
        PortRange& ports = rule.ports.front();
        ports.last = static_cast<std::uint16_t>(ports.last == ports.first ? ports.first + 1 : ports.first);
      }
      rules += static_cast<double>(section.rules.size());
      update.sections.push_back({section.policy, {section}});
    }
    Update(std::move(update));
    return rules;
  });
}

// Pods that no packet names, with a policy of their own kind: each batch takes ten away and adds ten.
void Change::Pods() {
  constexpr std::uint32_t kBatch = 10, kPods = 1000;
  ResolvedPolicy policy = traffic_.Policy();
  const auto group = static_cast<GroupId>(policy.groups.size());
  policy.groups.push_back({"others", {}});
  Section section = policy.sections.back();
  section.policy = "others/admit";
  section.subjects = group;
  policy.sections.push_back(std::move(section));
  const auto first = static_cast<EndpointId>(policy.endpoints.size());
  EndpointId number = first;
  const auto make = [&] {
    Endpoint endpoint;
    endpoint.namespace_name = "others";
    endpoint.name = "pod-" + std::to_string(number);
    endpoint.addresses = {IpAddress::V4(0x0c000000 + (number - first) % (1u << 20))};
    return endpoint;
  };
  for (std::uint32_t i = 0; i < kPods; ++i, ++number) {
    Endpoint endpoint = make();
    const std::uint32_t groups[] = {group};
    endpoint.members = policy.member_sets.Intern(groups);
    policy.endpoints.push_back(std::move(endpoint));
  }
  Replace(std::move(policy));
  EndpointId oldest = first;
  CompareThroughput("pods_per_second", arguments_.Real("per_second", 1000), [&] {
    PolicyUpdate update;
    for (std::uint32_t i = 0; i < kBatch; ++i, ++number) {
      update.removed_endpoints.push_back(oldest++);
      update.endpoints.push_back({number, make(), "", {group}});
    }
    Update(std::move(update));
    return static_cast<double>(kBatch);
  });
}

// As many packets of new connections as of established ones, each kind at the same rate.
void Change::Flood() {
  Mix calm, flood;
  calm.packets_per_second = rate_;
  flood.packets_per_second = 2 * rate_;
  flood.new_in = 2;
  flood.new_packets = 1;
  std::vector<double> before, during, opened;
  for (std::uint32_t round = 0; round < rounds_; ++round) {
    const Paced without = RunPaced(calm, For(seconds_));
    const std::uint64_t created = wire_.counters().flows_created.value();
    const Paced with = RunPaced(flood, For(seconds_));
    before.push_back(static_cast<double>(without.given_known) / without.seconds / 1e6);
    during.push_back(static_cast<double>(with.given_known) / with.seconds / 1e6);
    opened.push_back(static_cast<double>(wire_.counters().flows_created.value() - created) / with.seconds / 1e6);
  }
  Line("established alone").Values("mpps", before);
  Line("established in the flood").Values("mpps", during);
  Line("flood").Values("opened_mpps", opened);
  // The same as fast as the worker takes them.
  calm.packets_per_second = flood.packets_per_second = 0;
  std::vector<double> all, half;
  for (std::uint32_t round = 0; round < rounds_; ++round) {
    const Paced without = RunPaced(calm, For(seconds_));
    const Paced with = RunPaced(flood, For(seconds_));
    all.push_back(static_cast<double>(without.given_known) / without.seconds / 1e6);
    half.push_back(static_cast<double>(with.given_known) / with.seconds / 1e6);
  }
  Line("established alone, at full speed").Values("mpps", all);
  Line("established in the flood, at full speed").Values("mpps", half);
}

// From Publish until every flow was judged by the new table: while all of them send, and while none does.
void Change::Rejudge() {
  std::vector<double> busy, idle;
  Mix mix;
  mix.packets_per_second = rate_;
  for (std::uint32_t round = 0; round < rounds_; ++round) {
    for (const bool sending : {true, false}) {
      if (sending) {
        source_.Run(mix);
      } else {
        source_.Pause();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      const std::uint64_t judged = wire_.counters().flows_judged_again.value();
      has_more_.assign(has_more_.size(), !has_more_.front());
      Replace(Policy());
      while (wire_.counters().flows_judged_again.value() - judged < flows_) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        if (Seconds() - published_ > 20) Fail("not all flows were judged again within 20 s");
      }
      (sending ? busy : idle).push_back((Seconds() - published_) * 1e3);
    }
  }
  Line("all flows send").Values("ms", busy);
  Line("no flow sends").Values("ms", idle);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const sluice::Arguments arguments("change_bench", argc, argv);
  const std::string what = arguments.Text("what", "");
  sluice::Change change(arguments);
  if (what == "swaps") {
    change.Swaps();
  } else if (what == "rules") {
    change.Rules();
  } else if (what == "pods") {
    change.Pods();
  } else if (what == "flood") {
    change.Flood();
  } else if (what == "rejudge") {
    change.Rejudge();
  } else {
    std::fprintf(stderr, "change_bench: what=%s: there are swaps, rules, pods, flood, rejudge\n", what.c_str());
    return 2;
  }
  return 0;
}
