// What ObserveService says of a policy that was pushed and of packets that went through a real pipeline.
#include <gmock/gmock.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/limits.h"
#include "api/observed_plane.h"
#include "codec/api_minor.h"
#include "codec/codec.h"
#include "sluice/v1/observe.grpc.pb.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ObserveTest : public ObservedFixture {
 protected:
  ObserveTest() : stub_(v1::ObserveService::NewStub(Connect())) {}

  template <typename Message, typename Reader>
  static std::vector<Message> All(Reader reader) {
    std::vector<Message> all;
    Message message;
    while (reader->Read(&message)) all.push_back(message);
    EXPECT_TRUE(reader->Finish().ok());
    return all;
  }
  std::vector<v1::Flow> Flows(const v1::ListFlowsRequest& request) {
    grpc::ClientContext context;
    return All<v1::Flow>(stub_->ListFlows(&context, request));
  }
  std::vector<v1::PolicyInfo> Policies(const v1::ListPoliciesRequest& request) {
    grpc::ClientContext context;
    return All<v1::PolicyInfo>(stub_->ListPolicies(&context, request));
  }

  std::unique_ptr<v1::ObserveService::Stub> stub_;
  grpc::ClientContext context_;
};

TEST_F(ObserveTest, StatusCountsPolicyFlowsAndVerdicts) {
  observe_->SetCertificateEnd(1'900'000'000);
  v1::Status status;
  ASSERT_TRUE(stub_->GetStatus(&context_, {}, &status).ok());
  EXPECT_EQ(status.source(), "push");
  EXPECT_EQ(status.certificate_end_unix_s(), 1'900'000'000);
  EXPECT_EQ(status.api_minor(), kApiMinor);
  EXPECT_EQ(status.state_id(), 7u);
  EXPECT_EQ(status.endpoints(), 3u);
  EXPECT_GT(status.policies(), 0u);
  EXPECT_FALSE(status.fail_closed());
  EXPECT_EQ(status.workers(), 1u);
  EXPECT_EQ(status.flows(), 1u);
  EXPECT_EQ(status.flow_capacity(), 16384u + 64u);
  EXPECT_EQ(status.dropped(), 1u + 3u);  // by policy, and by the port
}

TEST_F(ObserveTest, StatusCountsTunnelsBetweenNodes) {
  PolicyBuilder builder;
  builder.Node("n1", {Ip("192.168.0.1")}, {});
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(builder.policy(), 8, 1).applied());
  plane_.worker.pipeline().Reserve(*intake_->store().table());
  plane_.worker.Load(intake_->store().table());
  for (int i = 0; i < 3; ++i) {
    plane_.worker.Send(PacketBuilder().Ethernet().Ipv4("192.168.0.1", "192.168.0.2").Udp(40000, 4789).Payload(60));
  }
  v1::Status status;
  ASSERT_TRUE(stub_->GetStatus(&context_, {}, &status).ok());
  EXPECT_EQ(status.encapsulated(), 3u);
}

TEST_F(ObserveTest, EndpointsNameThePoliciesThatBindThem) {
  const auto endpoints = All<v1::EndpointInfo>(stub_->ListEndpoints(&context_, {}));
  ASSERT_EQ(endpoints.size(), 3u);
  EXPECT_EQ(endpoints[1].name(), "server");
  EXPECT_THAT(endpoints[1].ingress_policies(), ElementsAre("default/server"));
  EXPECT_THAT(endpoints[2].ingress_policies(), ElementsAre());
}

TEST_F(ObserveTest, EndpointsAndPoliciesAreFoundByName) {
  v1::ListEndpointsRequest request;
  request.set_name("server");
  const auto endpoints = All<v1::EndpointInfo>(stub_->ListEndpoints(&context_, request));
  ASSERT_EQ(endpoints.size(), 1u);
  EXPECT_EQ(endpoints[0].name(), "server");
  v1::ListPoliciesRequest policy;
  policy.set_policy("default/server");
  ASSERT_EQ(Policies(policy).size(), 1u);
  EXPECT_EQ(Policies(policy)[0].subjects(), "server");
  policy.set_policy("default/serve");
  EXPECT_TRUE(Policies(policy).empty());
}

TEST_F(ObserveTest, NamespaceThatIsNotThereHasNoEndpoints) {
  v1::ListEndpointsRequest request;
  request.set_namespace_("other");
  EXPECT_TRUE(All<v1::EndpointInfo>(stub_->ListEndpoints(&context_, request)).empty());
}

TEST_F(ObserveTest, RulesHaveTheirHitsAndUnusedOnesNone) {
  const auto policies = Policies({});
  const auto server = std::find_if(policies.begin(), policies.end(),
                                   [](const v1::PolicyInfo& info) { return info.policy() == "default/server"; });
  ASSERT_NE(server, policies.end());
  std::uint64_t admitted = 0;
  std::uint64_t denied = 0;
  for (const v1::RuleInfo& rule : server->rules()) (rule.index() < 0 ? denied : admitted) += rule.packets();
  EXPECT_EQ(admitted, 1u);
  EXPECT_EQ(denied, 1u);
  EXPECT_EQ(server->rules(server->rules_size() - 1).index(), -1);  // after the rules that admit
  v1::ListPoliciesRequest unused;
  unused.set_unused_only(true);
  for (const v1::PolicyInfo& info : Policies(unused)) EXPECT_NE(info.policy(), "default/server");
}

TEST_F(ObserveTest, FlowsAreFilteredByEachField) {
  const auto all = Flows({});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].destination_port(), 80u);
  EXPECT_EQ(all[0].ingress().policy(), "default/server");
  v1::ListFlowsRequest request;
  request.set_address(EncodeAddress(Ip("10.0.0.0")));
  request.set_prefix_length(24);
  request.set_port(80);
  request.set_protocol(kProtoTcp);
  request.set_state(all[0].state());
  request.set_namespace_("default");
  request.set_pod("default/server");
  EXPECT_EQ(Flows(request).size(), 1u);
  EXPECT_EQ(all[0].source_pod(), "default/client");
  EXPECT_EQ(all[0].destination_pod(), "default/server");
  const auto none = [&](auto change) {
    v1::ListFlowsRequest other = request;
    change(other);
    return Flows(other).empty();
  };
  EXPECT_TRUE(none([](auto& other) { other.set_address(EncodeAddress(Ip("10.0.1.0"))); }));
  EXPECT_TRUE(none([](auto& other) { other.set_port(81); }));
  EXPECT_TRUE(none([](auto& other) { other.set_protocol(kProtoUdp); }));
  EXPECT_TRUE(none([](auto& other) { other.set_state("ESTABLISHED"); }));
  EXPECT_TRUE(none([](auto& other) { other.set_namespace_("defaul"); }));
  EXPECT_TRUE(none([](auto& other) { other.set_pod("default/bystander"); }));
}

TEST_F(ObserveTest, FlowsComeInBoundedBatchesWhereTheseAreAskedFor) {
  for (std::uint16_t port = 2000; port < 8000; ++port) {
    plane_.worker.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(port, 80, kTcpSyn));
  }
  v1::ListFlowsRequest request;
  const auto one_by_one = Flows(request);
  ASSERT_GT(one_by_one.size(), 5000u);
  for (const v1::Flow& flow : one_by_one) ASSERT_EQ(flow.flows_size(), 0);

  request.set_batched(true);
  const auto batches = Flows(request);
  EXPECT_LT(batches.size(), 10u);
  std::size_t count = 0;
  for (const v1::Flow& batch : batches) {
    EXPECT_LT(batch.ByteSizeLong(), kChunkBytes + 1024);
    EXPECT_EQ(batch.destination_port(), 0u);
    for (const v1::Flow& flow : batch.flows()) {
      ASSERT_EQ(flow.source_port(), one_by_one[count].source_port());
      ASSERT_EQ(flow.source_pod(), "default/client");
      ASSERT_EQ(flow.ingress().policy(), "default/server");
      ++count;
    }
  }
  EXPECT_EQ(count, one_by_one.size());

  request.set_limit(1000);
  const auto limited = Flows(request);
  ASSERT_EQ(limited.size(), 1u);
  EXPECT_EQ(limited[0].flows_size(), 1000);
  request.set_pod("default/bystander");
  EXPECT_TRUE(Flows(request).empty());
}

TEST_F(ObserveTest, SamplesOfFlowsHaveWhatTheWholeListHas) {
  for (std::uint16_t port = 2000; port < 12000; ++port) {
    plane_.worker.Send(PacketBuilder().Ethernet().Ipv4("10.0.0.1", "10.0.0.2").Tcp(port, 80, kTcpSyn));
  }
  v1::ListFlowsRequest request;
  std::uint64_t flows = 0, packets = 0, bytes = 0;
  for (const v1::Flow& flow : Flows(request)) {
    ++flows;
    packets += flow.packets();
    bytes += flow.bytes();
  }
  ASSERT_GT(flows, 9000u);
  request.set_samples(true);
  const auto sampled = [&] {
    struct Sums {
      std::set<std::uint64_t> keys;
      std::set<std::string> pairs;
      std::uint64_t flows = 0, packets = 0, bytes = 0;
    } sums;
    std::vector<std::string> pods = {""};
    for (const v1::Flow& message : Flows(request)) {
      EXPECT_LT(message.ByteSizeLong(), kChunkBytes + 16384);
      const v1::FlowSamples& samples = message.samples();
      pods.insert(pods.end(), samples.pods().begin(), samples.pods().end());
      for (int i = 0; i < samples.keys_size(); ++i) {
        sums.keys.insert(samples.keys(i));
        sums.pairs.insert(pods.at(samples.sources(i)) + " " + pods.at(samples.destinations(i)));
        ++sums.flows;
        sums.packets += samples.packets(i);
        sums.bytes += samples.bytes(i);
      }
    }
    return sums;
  };
  const auto all = sampled();
  EXPECT_EQ(all.keys.size(), flows);
  EXPECT_EQ(all.pairs, std::set<std::string>{"default/client default/server"});
  EXPECT_EQ(all.flows, flows);
  EXPECT_EQ(all.packets, packets);
  EXPECT_EQ(all.bytes, bytes);
  EXPECT_EQ(sampled().keys, all.keys) << "a flow keeps its key";

  request.set_limit(1000);
  EXPECT_EQ(sampled().flows, 1000u);
  request.set_port(2001);
  EXPECT_EQ(sampled().flows, 1u);
  request.set_port(0);
  request.set_pod("default/bystander");
  EXPECT_EQ(sampled().flows, 0u);
}

TEST_F(ObserveTest, BadFlowFilterIsRefused) {
  v1::ListFlowsRequest request;
  request.set_address("abc");
  const auto reader = stub_->ListFlows(&context_, request);
  v1::Flow flow;
  EXPECT_FALSE(reader->Read(&flow));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ObserveTest, DropsOfPipelineAndEdgeAreBothCounted) {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& drop : All<v1::DropCounter>(stub_->ListDrops(&context_, {}))) counts[drop.reason()] = drop.packets();
  EXPECT_EQ(counts.size(), kDropReasonCount - 1);
  EXPECT_EQ(counts["policy_denied"], 1u);
  EXPECT_EQ(counts["tx_full"], 3u);
}

TEST_F(ObserveTest, ExplainAnswersForAddressesAndPods) {
  v1::ExplainRequest request;
  request.set_source_pod("default/client");
  request.set_destination(EncodeAddress(Ip("10.0.0.2")));
  request.set_protocol(kProtoTcp);
  request.set_destination_port(80);
  v1::Explanation allowed;
  ASSERT_TRUE(stub_->Explain(&context_, request, &allowed).ok());
  EXPECT_EQ(allowed.verdict(), "allow");
  EXPECT_EQ(allowed.source(), "10.0.0.1");
  EXPECT_EQ(allowed.ingress().rule().policy(), "default/server");
  request.set_destination_port(81);
  grpc::ClientContext second;
  v1::Explanation denied;
  ASSERT_TRUE(stub_->Explain(&second, request, &denied).ok());
  EXPECT_EQ(denied.verdict(), "deny");
  EXPECT_EQ(denied.ingress().rule().index(), -1);
  ASSERT_EQ(denied.ingress().isolated_by_size(), 1);
  EXPECT_EQ(denied.ingress().isolated_by(0), "default/server");
  EXPECT_EQ(denied.egress().isolated_by_size(), 0);
  EXPECT_TRUE(denied.has_reason());
  EXPECT_EQ(denied.reason(), "");
  request.set_source_pod("default/nobody");
  grpc::ClientContext third;
  EXPECT_EQ(stub_->Explain(&third, request, &denied).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ObserveTest, ExplainSaysWhatTheFilterDropsWhateverPolicySays) {
  PolicyBuilder builder;
  builder.Node("n1", {Ip("192.168.0.1")}, {Cidr("10.0.0.0/24")});
  builder.Endpoint("client", {Ip("10.0.0.1")}, {}, 0);
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(builder.policy(), 8, 1).applied());
  v1::ExplainRequest request;
  request.set_source_pod("default/client");
  request.set_destination(EncodeAddress(Ip("10.0.0.77")));
  request.set_protocol(kProtoTcp);
  v1::Explanation told;
  ASSERT_TRUE(stub_->Explain(&context_, request, &told).ok());
  EXPECT_EQ(told.reason(), "unknown_endpoint");
  EXPECT_EQ(told.verdict(), "deny");
  EXPECT_EQ(told.ingress().verdict(), "allow");
}

TEST_F(ObserveTest, ExplainRefusesTunnelsBetweenNodesWhereItIsTold) {
  PolicyBuilder builder;
  builder.Node("n1", {Ip("192.168.0.1")}, {});
  Sender sender(Connect(), "test");
  ASSERT_TRUE(sender.SendFullState(builder.policy(), 8, 1).applied());
  v1::ExplainRequest request;
  request.set_source(EncodeAddress(Ip("192.168.0.1")));
  request.set_destination(EncodeAddress(Ip("192.168.0.2")));
  request.set_protocol(kProtoUdp);
  request.set_destination_port(4789);
  v1::Explanation told;
  ASSERT_TRUE(stub_->Explain(&context_, request, &told).ok());
  EXPECT_EQ(told.reason(), "");
  PipelineConfig refuses;
  refuses.encapsulation = Encapsulation::kRefuse;
  ObserveService service(*intake_, plane_, refuses);
  grpc::ServerBuilder server_builder;
  server_builder.RegisterService(&service);
  const auto server = server_builder.BuildAndStart();
  const auto stub = v1::ObserveService::NewStub(server->InProcessChannel({}));
  grpc::ClientContext second;
  ASSERT_TRUE(stub->Explain(&second, request, &told).ok());
  EXPECT_EQ(told.reason(), "encapsulated");
  EXPECT_EQ(told.verdict(), "deny");
  server->Shutdown();
}

// As the hooks at pods' interfaces do, before the pipeline is asked.
TEST_F(ObserveTest, ExplainSaysWhatHooksDrop) {
  v1::ExplainRequest request;
  request.set_source_pod("default/client");
  request.set_destination(EncodeAddress(Ip("192.168.0.9")));  // a node that only the hooks know
  request.set_protocol(kProtoUdp);
  request.set_destination_port(8472);
  const auto ask = [&] {
    grpc::ClientContext context;
    v1::Explanation told;
    const grpc::Status status = stub_->Explain(&context, request, &told);
    return status.ok() ? told.verdict() + ' ' + told.reason() : status.error_message();
  };
  EXPECT_EQ(ask(), "allow ") << "there are no hooks";
  request.set_interface_pod("default/client");
  EXPECT_THAT(ask(), HasSubstr("interface_pod: sluiced stands at no node's hooks"));
  plane_.hook_drops.emplace();
  EXPECT_EQ(ask(), "deny spoofed_tunnel");
  request.set_destination_port(53);
  EXPECT_EQ(ask(), "allow ");
  request.set_interface_pod("default/bystander");
  EXPECT_EQ(ask(), "deny spoofed_source");
  request.set_interface_pod("default/nobody");
  EXPECT_EQ(ask(), "no endpoint 'default/nobody' is in force");
}

TEST_F(ObserveTest, WhatHooksDropIsCountedWhereThereAreHooks) {
  const auto reasons = [&] {
    grpc::ClientContext context;
    std::map<std::string, std::uint64_t> counts;
    for (const auto& drop : All<v1::DropCounter>(stub_->ListDrops(&context, {}))) {
      counts[drop.reason()] = drop.packets();
      EXPECT_NE(drop.text(), "") << drop.reason();
    }
    return counts;
  };
  EXPECT_EQ(reasons().count("spoofed_source"), 0u);
  plane_.hook_drops = {5, 7};
  EXPECT_EQ(reasons()["spoofed_source"], 5u);
  EXPECT_EQ(reasons()["spoofed_tunnel"], 7u);
  v1::Status status;
  ASSERT_TRUE(stub_->GetStatus(&context_, {}, &status).ok());
  EXPECT_EQ(status.spoofed_source(), 5u);
  EXPECT_EQ(status.spoofed_tunnel(), 7u);
  EXPECT_EQ(status.dropped(), 1u + 3u) << "sluiced never saw them";
}

TEST_F(ObserveTest, PolicyComesBackAsItWasPushed) {
  FullStateDecoder decoder;
  for (const auto& chunk : All<v1::FullStateChunk>(stub_->GetPolicy(&context_, {}))) {
    ASSERT_FALSE(decoder.Add(chunk));
    EXPECT_EQ(chunk.state_id(), 7u);
  }
  ASSERT_TRUE(decoder.complete());
  EXPECT_EQ(decoder.Take().Dump(), PolicyDump());
}

}  // namespace
}  // namespace sluice
