// What Prometheus is told: every metric of the list, with the workers' counts, in the text format.
#include "observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "core/pipeline_fixture.h"
#include "observe/metric_list.h"
#include "support/places.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class MetricsTest : public testing::Test {
 protected:
  MetricsTest() {
    input_.version = "1.2.3";
    input_.steps = &steps_;
    input_.flow_log = {{"stdout", 5, {1, 2, 3}}};
    input_.history_lost = 2;
    input_.drops_not_shown = 8;
    input_.policy.published_unix_ns = 1'500'000'000;
    input_.policy.sender_heard_unix_ns = 2'000'000'000;
    input_.certificate_end_unix_s = 5000;
    input_.hook_drops = HookDrops{5, 7};
    input_.carried = CarriedTotals{.is_on = true, .flows = 4, .packets = 70, .bytes = 800};
    input_.staged.since_unix_ns = 3'000'000'000;
    input_.staged_silent_pods = 6;
    input_.names = {.patterns = 2, .names = 3, .addresses = 5, .learnt = 9, .expired = 4, .evicted = 1};
    input_.is_in_force = [](const std::string&) { return true; };
    for (int i = 0; i < 2; ++i) {
      PortState& port = input_.ports.emplace_back();
      port.device = "null";
      port.link_up = i == 0;
      port.rx_packets = 7;
    }
  }

  // The client's connection to port 80 is allowed, the one to port 81 denied.
  std::string Text(const ResolvedPolicy& policy) {
    const auto table = MustCompile(worker_.compiler(), policy);
    worker_.pipeline().Reserve(*table);
    worker_.Load(table);
    worker_.Send(ClientTcp(kTcpSyn, 1000, 80));
    worker_.Send(ClientTcp(kTcpSyn, 1000, 81));
    worker_.SweepAll();
    input_.table = table;
    input_.workers = {worker_.pipeline().Observe()};
    input_.workers[0].rounds = 100;
    input_.workers[0].busy_rounds = 25;
    input_.workers[0].captures_lost = 6;
    return metrics_.Text(input_);
  }

  PipelineFixture worker_;
  StepTimes steps_;
  MetricsInput input_;
  Metrics metrics_{10};
};

TEST_F(MetricsTest, WithoutResolversNothingIsToldOfDns) {
  EXPECT_THAT(Text(ServerAdmitsClient()), Not(HasSubstr("sluice_dns_")));
}

TEST_F(MetricsTest, EveryMetricOfTheListIsToldAndNoOther) {
  input_.dns.emplace();
  std::set<std::string> told;
  std::istringstream lines(Text(ServerAdmitsClient()));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) told.insert(line.substr(7));
  }
  std::set<std::string> listed;
  for (const MetricInfo& metric : kMetricInfos)
    listed.insert(std::string(metric.name) + ' ' + std::string(Name(metric.kind)));
  EXPECT_EQ(told, listed);
}

TEST_F(MetricsTest, WhatHooksCarryIsTold) {
  const std::string text = Text(ServerAdmitsClient());
  EXPECT_THAT(text, AllOf(HasSubstr("sluice_carried_flows 4\n"), HasSubstr("sluice_carried_packets_total 70\n"),
                          HasSubstr("sluice_carried_bytes_total 800\n")));
  input_.carried.reset();
  EXPECT_THAT(Text(ServerAdmitsClient()), Not(HasSubstr("carried")));
}

TEST_F(MetricsTest, NamesEndAsPrometheusWantsThem) {
  for (const MetricInfo& metric : kMetricInfos) {
    EXPECT_TRUE(metric.name.starts_with("sluice_")) << metric.name;
    EXPECT_EQ(metric.name.ends_with("_total"), metric.kind == MetricKind::kCounter) << metric.name;
  }
}

TEST_F(MetricsTest, CountsAreTheWorkers) {
  const std::string text = Text(ServerAdmitsClient());
  for (const char* line :
       {"sluice_build_info{version=\"1.2.3\"} 1\n",
        "sluice_packets_total{verdict=\"forward\"} 1\n",
        "sluice_packets_total{verdict=\"drop\"} 1\n",
        "sluice_bytes_total{verdict=\"drop\"} 54\n",
        "sluice_bytes_total{verdict=\"reject\"} 0\n",
        "sluice_drops_total{reason=\"policy_denied\"} 1\n",
        "sluice_hook_drops_total{reason=\"spoofed_source\"} 5\n",
        "sluice_hook_drops_total{reason=\"spoofed_tunnel\"} 7\n",
        "sluice_flows 1\n",
        "sluice_worker_rounds_total{worker=\"0\"} 100\n",
        "sluice_worker_busy_rounds_total{worker=\"0\"} 25\n",
        "sluice_name_patterns 2\n",
        "sluice_names 3\n",
        "sluice_name_addresses 5\n",
        "sluice_name_addresses_learnt_total 9\n",
        "sluice_name_addresses_expired_total 4\n",
        "sluice_name_addresses_evicted_total 1\n",
        "sluice_generation 1\n",
        "sluice_policy_in_force 1\n",
        "sluice_policy_published_timestamp_seconds 1.5\n",
        "sluice_port_rx_packets_total{wire=\"0\",side=\"1\",device=\"null\"} 7\n",
        "sluice_port_link_up{wire=\"0\",side=\"2\",device=\"null\"} 0\n",
        "sluice_certificate_end_timestamp_seconds 5000\n",
        "sluice_flow_log_lines_total{sink=\"stdout\"} 5\n",
        "sluice_events_lost_total{sink=\"stdout\",cause=\"rate\"} 3\n",
        "sluice_events_lost_total{sink=\"drops\",cause=\"ring\"} 0\n",
        "sluice_events_lost_total{sink=\"drops\",cause=\"reader\"} 8\n",
        "sluice_events_lost_total{sink=\"capture\",cause=\"ring\"} 6\n",
        "sluice_events_lost_total{sink=\"flow_history\",cause=\"ring\"} 2\n",
        "sluice_policy_packets_total{policy=\"default/server\",tier=\"NetworkPolicy\",direction=\"ingress\",action="
        "\"deny\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(MetricsTest, StepsAreCumulativeHistograms) {
  steps_.Add(PolicyStep::kCompile, 150'000);         // 0.15 ms
  steps_.Add(PolicyStep::kCompile, 20'000'000'000);  // beyond the last bound
  steps_.CountApplied();
  const std::string text = Text(ServerAdmitsClient());
  for (const char* line :
       {"sluice_policy_step_seconds_bucket{step=\"compile\",le=\"0.0001\"} 0\n",
        "sluice_policy_step_seconds_bucket{step=\"compile\",le=\"0.0002\"} 1\n",
        "sluice_policy_step_seconds_bucket{step=\"compile\",le=\"10\"} 1\n",
        "sluice_policy_step_seconds_bucket{step=\"compile\",le=\"+Inf\"} 2\n",
        "sluice_policy_step_seconds_count{step=\"compile\"} 2\n",
        "sluice_policy_step_seconds_count{step=\"decode\"} 0\n", "sluice_batches_total{outcome=\"applied\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(StepTimesTest, QuantilesLieWithinTheirBucket) {
  StepTimes steps;
  EXPECT_EQ(steps.QuantileNs(PolicyStep::kInForce, 0.5), 0u);
  for (int i = 0; i < 99; ++i) steps.Add(PolicyStep::kInForce, 3'000'000);
  steps.Add(PolicyStep::kInForce, 700'000'000);
  const std::uint64_t half = steps.QuantileNs(PolicyStep::kInForce, 0.5);
  EXPECT_GT(half, 2'000'000u);
  EXPECT_LT(half, 5'000'000u);
  EXPECT_EQ(steps.QuantileNs(PolicyStep::kInForce, 0.99), 5'000'000u);
  EXPECT_EQ(steps.QuantileNs(PolicyStep::kInForce, 1), 1'000'000'000u);
  steps.Add(PolicyStep::kInForce, 60'000'000'000);
  EXPECT_EQ(steps.QuantileNs(PolicyStep::kInForce, 1), 10'000'000'000u) << "above the last bound";
}

TEST_F(MetricsTest, WhatIsNotThereIsLeftOut) {
  input_.policy.sender_heard_unix_ns = 0;
  input_.policy.has_sender = false;
  input_.certificate_end_unix_s = 0;
  input_.hook_drops.reset();
  EXPECT_THAT(Text(ServerAdmitsClient()),
              AllOf(Not(HasSubstr("sluice_sender_heard")), Not(HasSubstr("sluice_sender_connected")),
                    Not(HasSubstr("sluice_certificate_end")), Not(HasSubstr("sluice_hook_drops_total{"))));
}

TEST_F(MetricsTest, ANameFromASenderCannotEndItsLabelNorTheLine) {
  ResolvedPolicy policy = ServerAdmitsClient();
  for (Section& section : policy.sections) section.policy = "a\"b\\c\nsluice_flows 9\xff" + std::string(5000, 'x');
  const std::string text = Text(policy);
  EXPECT_THAT(text, AllOf(HasSubstr("{policy=\"a\\\"b\\\\c\\\\nsluice_flows 9\\\\xffxxx"),
                          Not(HasSubstr("\nsluice_flows 9")), HasSubstr("bytes more)\",tier=")));
}

TEST_F(MetricsTest, DocumentHoldsTheReferenceOfTheCode) {
  std::ifstream file(SourcePath("docs/metrics.md"));
  std::ostringstream document;
  document << file.rdbuf();
  EXPECT_THAT(document.str(), HasSubstr(MetricsReference())) << "docs/metrics.md wants this table:\n"
                                                             << MetricsReference();
}

}  // namespace
}  // namespace sluice
