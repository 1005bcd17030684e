#include "observe/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <utility>

#include "core/first_packet.h"
#include "observe/metric_list.h"
#include "sluice/drop_reason.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

constexpr double kNsPerSecond = 1e9;
// Names come from senders. Prometheus refuses a whole scrape for one byte that is not UTF-8.
constexpr std::size_t kLabelBytes = 1024;

class Page {
 public:
  Page() : families_(kMetricCount) {
    for (std::size_t i = 0; i < kMetricCount; ++i) {
      families_[i].name = kMetricInfos[i].name;
      families_[i].help = kMetricInfos[i].help;
      families_[i].type = TypeOf(kMetricInfos[i].kind);
    }
  }

  // `labels`: values, in the order of the metric's labels.
  void Set(Metric metric, double value, std::initializer_list<std::string> labels = {}) {
    prometheus::ClientMetric& added = Add(metric, labels);
    added.counter.value = value;
    added.gauge.value = value;
  }
  void Set(Metric metric, std::uint64_t value, std::initializer_list<std::string> labels = {}) {
    Set(metric, static_cast<double>(value), labels);
  }
  void Set(Metric metric, bool value, std::initializer_list<std::string> labels = {}) {
    Set(metric, value ? 1.0 : 0.0, labels);
  }
  prometheus::ClientMetric& Add(Metric metric, std::initializer_list<std::string> labels) {
    const auto index = static_cast<std::size_t>(metric);
    prometheus::ClientMetric& added = families_[index].metric.emplace_back();
    std::string_view names = kMetricInfos[index].labels;
    for (const std::string& value : labels) {
      const std::size_t comma = std::min(names.find(','), names.size());
      added.label.push_back({std::string(names.substr(0, comma)), Printable(value, kLabelBytes)});
      names.remove_prefix(std::min(comma + 1, names.size()));
    }
    return added;
  }

  std::string Text() {
    std::erase_if(families_, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  static prometheus::MetricType TypeOf(MetricKind kind) {
    constexpr prometheus::MetricType kTypes[] = {prometheus::MetricType::Counter, prometheus::MetricType::Gauge,
                                                 prometheus::MetricType::Histogram};
    return kTypes[static_cast<int>(kind)];
  }

  std::vector<prometheus::MetricFamily> families_;
};

double Seconds(std::uint64_t ns) { return static_cast<double>(ns) / kNsPerSecond; }

void AddTraffic(const std::vector<Observation>& workers, Page& page) {
  const auto sum = [&](auto field) {
    std::uint64_t all = 0;
    for (const Observation& worker : workers) all += field(worker);
    return all;
  };
  page.Set(Metric::kPackets, sum([](const Observation& worker) { return worker.forwarded; }), {"forward"});
  page.Set(Metric::kPackets, sum([](const Observation& worker) { return worker.dropped(); }), {"drop"});
  page.Set(Metric::kPackets, sum([](const Observation& worker) { return worker.rejected; }), {"reject"});
  page.Set(Metric::kBytes, sum([](const Observation& worker) { return worker.forwarded_bytes; }), {"forward"});
  page.Set(Metric::kBytes, sum([](const Observation& worker) { return worker.dropped_bytes; }), {"drop"});
  page.Set(Metric::kBytes, sum([](const Observation& worker) { return worker.rejected_bytes; }), {"reject"});
  for (std::size_t i = 1; i < kDropReasonCount; ++i) {
    page.Set(Metric::kDrops, sum([i](const Observation& worker) { return worker.dropped_by[i]; }),
             {std::string(kDropReasonNames[i])});
  }
  constexpr std::pair<Metric, std::uint64_t Observation::*> kSums[] = {
      {Metric::kRelated, &Observation::related},
      {Metric::kStateless, &Observation::stateless},
      {Metric::kEncapsulated, &Observation::encapsulated},
      {Metric::kAnswers, &Observation::answers},
      {Metric::kAnswersLimited, &Observation::answers_limited},
      {Metric::kFlows, &Observation::flows},
      {Metric::kFlowCapacity, &Observation::flow_capacity},
      {Metric::kFlowsCreated, &Observation::flows_created},
      {Metric::kFlowsExpired, &Observation::flows_expired},
      {Metric::kFlowsEvicted, &Observation::flows_evicted},
      {Metric::kFlowsCut, &Observation::flows_cut},
      {Metric::kFlowsJudgedAgain, &Observation::flows_judged_again},
      {Metric::kFlowsUnmanaged, &Observation::flows_unmanaged}};
  for (const auto& [metric, field] : kSums) {
    page.Set(metric, sum([field = field](const Observation& worker) { return worker.*field; }));
  }
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const std::string number = std::to_string(i);
    page.Set(Metric::kWorkerPackets, workers[i].packets(), {number});
    page.Set(Metric::kWorkerHandedOver, workers[i].handed_over, {number});
    page.Set(Metric::kWorkerRounds, workers[i].rounds, {number});
    page.Set(Metric::kWorkerBusyRounds, workers[i].busy_rounds, {number});
  }
}

void AddPorts(const std::vector<PortState>& ports, Page& page) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const PortState& port = ports[i];
    const auto set = [&](Metric metric, auto value) {
      page.Set(metric, value, {std::to_string(port.wire), std::to_string(i % 2 + 1), port.device});
    };
    set(Metric::kPortUp, port.link_up);
    set(Metric::kPortRxPackets, port.rx_packets);
    set(Metric::kPortRxBytes, port.rx_bytes);
    set(Metric::kPortTxPackets, port.tx_packets);
    set(Metric::kPortTxBytes, port.tx_bytes);
    set(Metric::kPortRxMissed, port.rx_missed);
    set(Metric::kPortRxErrors, port.rx_errors);
  }
}

void AddCarried(const CarriedTotals& carried, Page& page) {
  page.Set(Metric::kCarriedFlows, carried.flows);
  page.Set(Metric::kCarriedPackets, carried.packets);
  page.Set(Metric::kCarriedBytes, carried.bytes);
}

void AddDns(const DnsTotals& dns, Page& page) {
  page.Set(Metric::kDnsQueries, dns.queries);
  page.Set(Metric::kDnsAnswers, dns.learnt, {"learnt"});
  page.Set(Metric::kDnsAnswers, dns.unlearnt, {"unlearnt"});
  page.Set(Metric::kDnsAnswers, dns.untrusted, {"untrusted"});
  page.Set(Metric::kDnsAnswers, dns.spoofed, {"spoofed"});
  page.Set(Metric::kDnsAnswers, dns.malformed, {"malformed"});
  page.Set(Metric::kDnsAnswers, dns.truncated, {"truncated"});
  page.Set(Metric::kDnsHeld, dns.held);
  page.Set(Metric::kDnsUnheld, dns.ran_out, {"ran_out"});
  page.Set(Metric::kDnsUnheld, dns.no_room, {"no_room"});
  page.Set(Metric::kDnsWaiting, dns.waiting);
  page.Set(Metric::kDnsUnread, dns.fragmented, {"fragment"});
  page.Set(Metric::kDnsUnread, dns.lost_queries, {"query"});
  page.Set(Metric::kDnsUnread, dns.displaced, {"displaced"});
  page.Set(Metric::kDnsUnread, dns.lost_streams, {"stream"});
}

void AddNames(const NameTotals& names, Page& page) {
  page.Set(Metric::kNamePatterns, names.patterns);
  page.Set(Metric::kNames, names.names);
  page.Set(Metric::kNameAddresses, names.addresses);
  page.Set(Metric::kNameAddressesLearnt, names.learnt);
  page.Set(Metric::kNameAddressesExpired, names.expired);
  page.Set(Metric::kNameAddressesEvicted, names.evicted);
}

void AddSteps(const StepTimes& steps, Page& page) {
  page.Set(Metric::kBatches, steps.applied(), {"applied"});
  page.Set(Metric::kBatches, steps.refused(), {"refused"});
  for (std::size_t i = 0; i < kPolicyStepNames.size(); ++i) {
    const auto step = static_cast<PolicyStep>(i);
    prometheus::ClientMetric::Histogram& histogram =
        page.Add(Metric::kStepSeconds, {std::string(kPolicyStepNames[i])}).histogram;
    for (std::size_t bound = 0; bound <= StepTimes::kBounds.size(); ++bound) {
      const bool is_last = bound == StepTimes::kBounds.size();
      histogram.bucket.push_back({steps.CountUpTo(step, bound),
                                  is_last ? std::numeric_limits<double>::infinity() : StepTimes::kBounds[bound]});
    }
    histogram.sample_count = histogram.bucket.back().cumulative_count;
    histogram.sample_sum = Seconds(steps.SumNs(step));
  }
}

void AddFlowLog(const std::vector<FlowLog::SinkCounts>& sinks, Page& page) {
  for (const FlowLog::SinkCounts& sink : sinks) {
    page.Set(Metric::kFlowLogLines, sink.lines, {sink.sink});
    for (std::size_t i = 0; i < kLogLossNames.size(); ++i) {
      page.Set(Metric::kEventsLost, sink.lost[i], {sink.sink, std::string(kLogLossNames[i])});
    }
  }
}

// Adds what clients miss that watch drops, packets or flows.
void AddLookers(const MetricsInput& input, Page& page) {
  std::uint64_t drops = 0, captures = 0;
  for (const Observation& worker : input.workers) {
    drops += worker.drop_ring->overflowed();
    captures += worker.captures_lost;
  }
  page.Set(Metric::kEventsLost, drops, {"drops", "ring"});
  page.Set(Metric::kEventsLost, input.drops_not_shown, {"drops", "reader"});
  page.Set(Metric::kEventsLost, captures, {"capture", "ring"});
  if (input.history_lost) page.Set(Metric::kEventsLost, *input.history_lost, {"flow_history", "ring"});
}

void AddStaged(const MetricsInput& input, Page& page) {
  page.Set(Metric::kStagedPolicies, std::uint64_t{input.staged_policies});
  page.Set(Metric::kStagedRefused, input.staged_refused);
  page.Set(Metric::kStagedTableBytes,
           input.table->staged() == nullptr ? std::uint64_t{0} : input.table->staged()->stats().bytes);
  if (input.staged.since_unix_ns == 0) return;
  page.Set(Metric::kStagedSince, Seconds(input.staged.since_unix_ns));
  page.Set(Metric::kStagedJudged, input.staged.judged);
  page.Set(Metric::kStagedWouldDeny, input.staged.would_deny);
  page.Set(Metric::kStagedWouldAllow, input.staged.would_allow);
  page.Set(Metric::kStagedNotKept, input.staged.not_kept);
  page.Set(Metric::kStagedSilentPods, input.staged_silent_pods);
}

void AddPolicy(const MetricsInput& input, Page& page) {
  const PolicyFacts& policy = input.policy;
  const TableStats& stats = input.table->stats();
  page.Set(Metric::kPolicyInForce, input.table->has_policy());
  page.Set(Metric::kGeneration, input.table->generation());
  page.Set(Metric::kPublished, Seconds(policy.published_unix_ns));
  if (policy.has_sender) page.Set(Metric::kSenderConnected, policy.sender_connected);
  if (policy.sender_heard_unix_ns != 0) page.Set(Metric::kSenderHeard, Seconds(policy.sender_heard_unix_ns));
  page.Set(Metric::kPolicyKept, policy.kept);
  page.Set(Metric::kPolicyRefused, policy.refused);
  page.Set(Metric::kLargeRemovals, policy.large_removals);
  page.Set(Metric::kPolicies, std::uint64_t{policy.policies});
  page.Set(Metric::kEndpoints, std::uint64_t{policy.endpoints});
  page.Set(Metric::kRules, stats.rules);
  page.Set(Metric::kTableBytes, stats.bytes);
  const auto share = [&](std::string name, std::uint64_t used, std::uint64_t limit) {
    page.Set(Metric::kTableLimitRatio,
             static_cast<double>(used) / static_cast<double>(std::max<std::uint64_t>(limit, 1)), {std::move(name)});
  };
  share("rules", stats.rules, input.limits.rules);
  share("identities", stats.identities, input.limits.identities);
  const Table* staged = input.table->staged();
  share("table_bytes", stats.bytes + (staged == nullptr ? 0 : staged->stats().bytes), input.limits.table_bytes);
  if (input.certificate_end_unix_s != 0) {
    page.Set(Metric::kCertificateEnd, static_cast<double>(input.certificate_end_unix_s));
  }
}

}  // namespace

std::string Metrics::Text(const MetricsInput& input) {
  Page page;
  page.Set(Metric::kBuildInfo, 1.0, {input.version});
  page.Set(Metric::kStart, Seconds(input.start_unix_ns));
  AddTraffic(input.workers, page);
  AddPorts(input.ports, page);
  if (input.carried) AddCarried(*input.carried, page);
  if (input.dns) AddDns(*input.dns, page);
  AddNames(input.names, page);
  if (input.hook_drops) {
    page.Set(Metric::kHookDrops, input.hook_drops->spoofed_source, {std::string(kSpoofedSource)});
    page.Set(Metric::kHookDrops, input.hook_drops->spoofed_tunnel, {std::string(kSpoofedTunnel)});
  }
  AddPolicy(input, page);
  AddSteps(*input.steps, page);
  AddStaged(input, page);
  AddFlowLog(input.flow_log, page);
  AddLookers(input, page);
  {
    const std::lock_guard lock(mutex_);
    totals_.Update(*input.table, input.workers, input.is_in_force);
    for (const auto& [key, total] : totals_.totals()) {
      const auto& [policy, tier, direction, action] = key;
      for (const auto& [metric, value] :
           {std::pair(Metric::kPolicyPackets, total.packets), std::pair(Metric::kPolicyBytes, total.bytes)}) {
        page.Set(metric, value,
                 {policy, std::string(Name(tier)), std::string(Name(direction)), std::string(Name(action))});
      }
    }
    page.Set(Metric::kPoliciesFolded, std::uint64_t{totals_.folded()});
  }
  return page.Text();
}

std::string MetricsReference() {
  std::string text = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const MetricInfo& metric : kMetricInfos) {
    std::string labels;
    for (std::string_view rest = metric.labels; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      labels += (labels.empty() ? "`" : ", `") + std::string(rest.substr(0, comma)) + '`';
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    text += "| `" + std::string(metric.name) + "` | " + std::string(Name(metric.kind)) + " | " + labels + " | " +
            std::string(metric.help) + " |\n";
  }
  return text;
}

}  // namespace sluice
