// What a dataplane says of its flows becomes numbers of workloads, whichever form it has.
#include "page/flow_sample.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice {
namespace {

// "shop/web-1" is of the workload "web".
MapEnd WorkloadOf(const std::string& pod) {
  const std::size_t slash = pod.find('/');
  return pod.empty() ? MapEnd() : MapEnd{pod.substr(0, slash), pod.substr(slash + 1, pod.find('-') - slash - 1)};
}

v1::Flow Whole(const char* source, const char* destination, std::uint32_t port) {
  v1::Flow flow;
  flow.set_source_pod(source);
  flow.set_destination_pod(destination);
  flow.set_source_port(port);
  flow.set_packets(3);
  flow.set_bytes(300);
  return flow;
}

void Add(v1::Flow& message, std::uint32_t source, std::uint32_t destination, std::uint64_t key) {
  v1::FlowSamples& samples = *message.mutable_samples();
  samples.add_sources(source);
  samples.add_destinations(destination);
  samples.add_keys(key);
  samples.add_packets(3);
  samples.add_bytes(300);
}

TEST(FlowSample, PodsOfAWorkloadAreOneEndAcrossMessages) {
  FlowSample sample(WorkloadOf);
  v1::Flow first, second;
  first.mutable_samples()->add_pods("shop/web-1");
  Add(first, 1, 0, 7);
  second.mutable_samples()->add_pods("shop/web-2");
  second.mutable_samples()->add_pods("shop/db-1");
  Add(second, 2, 3, 8);
  Add(second, 1, 3, 9);
  ASSERT_TRUE(sample.Take(first));
  ASSERT_TRUE(sample.Take(second));
  const auto& ends = sample.ends();
  const auto flows = sample.TakeFlows();
  ASSERT_EQ(ends.size(), 3u);
  ASSERT_EQ(flows.size(), 3u);
  EXPECT_EQ(ends[flows[0].source], (MapEnd{"shop", "web"}));
  EXPECT_EQ(ends[flows[0].destination], MapEnd());
  EXPECT_EQ(flows[1].source, flows[0].source);
  EXPECT_EQ(ends[flows[1].destination], (MapEnd{"shop", "db"}));
  EXPECT_EQ(flows[2].key, 9u);
  EXPECT_EQ(flows[2].packets, 3u);
  EXPECT_EQ(flows[2].bytes, 300u);
}

TEST(FlowSample, ADataplaneThatKnowsNoSamplesIsUnderstood) {
  FlowSample sample(WorkloadOf);
  v1::Flow batch;
  *batch.add_flows() = Whole("shop/web-1", "shop/db-1", 1);
  *batch.add_flows() = Whole("shop/web-2", "", 2);
  v1::Flow cut = Whole("shop/web-1", "shop/db-1", 3);
  cut.set_state("CUT");
  *batch.add_flows() = cut;
  ASSERT_TRUE(sample.Take(batch));
  ASSERT_TRUE(sample.Take(Whole("shop/web-1", "shop/db-1", 4)));
  const auto& ends = sample.ends();
  const auto flows = sample.TakeFlows();
  ASSERT_EQ(flows.size(), 3u);
  EXPECT_EQ(flows[0].source, flows[1].source);
  EXPECT_EQ(ends[flows[0].destination], (MapEnd{"shop", "db"}));
  EXPECT_EQ(ends[flows[1].destination], MapEnd());
  EXPECT_NE(flows[0].key, flows[2].key);
}

TEST(FlowSample, OneThatContradictsItselfIsRefused) {
  const auto takes = [](auto change) {
    FlowSample sample(WorkloadOf);
    v1::Flow message;
    message.mutable_samples()->add_pods("shop/web-1");
    Add(message, 1, 0, 7);
    change(*message.mutable_samples());
    return sample.Take(message);
  };
  EXPECT_TRUE(takes([](v1::FlowSamples&) {}));
  EXPECT_FALSE(takes([](v1::FlowSamples& samples) { samples.set_sources(0, 2); }));
  EXPECT_FALSE(takes([](v1::FlowSamples& samples) { samples.set_destinations(0, 0xffffffff); }));
  EXPECT_FALSE(takes([](v1::FlowSamples& samples) { samples.add_keys(1); }));
  EXPECT_FALSE(takes([](v1::FlowSamples& samples) { samples.add_sources(1); }));
  EXPECT_FALSE(takes([](v1::FlowSamples& samples) { samples.clear_destinations(); }));
  EXPECT_FALSE(takes([](v1::FlowSamples& samples) { samples.clear_packets(); }));
  EXPECT_FALSE(takes([](v1::FlowSamples& samples) { samples.add_bytes(1); }));
}

}  // namespace
}  // namespace sluice
