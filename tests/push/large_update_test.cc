// Pushes that one message cannot carry, to a real dataplane's API and store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "api/policy_records.h"
#include "api/policy_service.h"
#include "api/server.h"
#include "kube/process.h"
#include "push/observer.h"
#include "push/policy_feed.h"
#include "push/pusher.h"
#include "store/policy_intake.h"
#include "support/cluster_builder.h"
#include "table/classify.h"

namespace sluice {
namespace {

constexpr int kPods = 60'000;

class LargeUpdate : public testing::Test {
 protected:
  LargeUpdate() {
    StartPlane();
    options_.seed = 1;
    options_.backoff_least = std::chrono::milliseconds(10);
    options_.backoff_most = std::chrono::milliseconds(100);
  }
  ~LargeUpdate() override {
    pusher_.reset();
    StopPlane();
  }

  // With the state file of the one before.
  void StartPlane() {
    auto file = StateFile::Open(PolicyStateSettings(folder_ / "state", folder_ / "run"), [](std::string_view) {});
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<StateFile>>(file)) << std::get<std::string>(file);
    intake_ = std::make_unique<PolicyIntake>(
        CompileLimits{}, [](const auto&) {}, std::get<std::unique_ptr<StateFile>>(std::move(file)));
    EXPECT_EQ(LoadState(*intake_), std::nullopt);
    service_ = std::make_unique<PolicyService>(*intake_, "", [](std::string_view) {});
    ApiSettings settings;
    settings.listen = {Address()};
    auto started = ApiServer::Start(settings, {service_.get()}, [](std::string_view) {});
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<ApiServer>>(started)) << std::get<std::string>(started);
    server_ = std::get<std::unique_ptr<ApiServer>>(std::move(started));
  }
  void StopPlane() {
    service_->Stop();
    server_.reset();
    service_.reset();
    intake_.reset();
  }
  std::string Address() const { return "unix:" + (folder_ / "s.sock"); }

  void Take(const Cluster& cluster) {
    feed_.Change({}, [&](ClusterResolver& resolver) {
      for (const Namespace& object : cluster.namespaces) resolver.Upsert(object);
      for (const Pod& object : cluster.pods) resolver.Upsert(object);
      for (const NetworkPolicy& object : cluster.policies) resolver.Upsert(object);
    });
    feed_.Publish();
  }
  static std::string PodAddress(int pod) {
    return "10." + std::to_string(1 + pod / 250) + ".0." + std::to_string(1 + pod % 250);
  }
  // Sixty thousand pods with as many labels as a real one's; `team` is their namespace's.
  static Cluster Pods(const std::string& team) {
    ClusterBuilder builder;
    builder.Namespace("a", {{"team", team}}).Namespace("b");
    builder.Pod("b/peer", {{"app", "peer"}}, {"10.254.0.1"});
    for (int i = 0; i < kPods; ++i) {
      builder.Pod("a/" + std::string(40, 'w') + std::to_string(i),
                  {{"app", "web"}, {"filler", std::string(200, 'x')}, {"team", team}}, {PodAddress(i)});
    }
    return builder.Build();
  }
  void Push() { pusher_ = std::make_unique<Pusher>(feed_, Address(), options_, observer_); }

  bool Allows(const std::string& source, const std::string& destination, std::uint16_t port) const {
    const ClassifyQuery query{Ip(source), Ip(destination), kProtoTcp, port};
    Classification answer;
    Classifier(1).Classify(*intake_->store().table(), {&query, 1}, &answer);
    return answer.allow;
  }
  template <typename Holds>
  static bool Becomes(Holds holds) {
    for (int i = 0; i < 6000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return holds();
  }
  // A deny that comes now arrives.
  bool DenyArrives() {
    Take(ClusterBuilder().Policy("b/closed").DenyIngress().Build());
    return Becomes([&] { return !Allows("10.1.0.1", "10.254.0.1", 80); });
  }

  TempFolder folder_;
  std::unique_ptr<PolicyIntake> intake_;
  std::unique_ptr<PolicyService> service_;
  std::unique_ptr<ApiServer> server_;
  PolicyFeed feed_;
  PushOptions options_;
  RecordingObserver observer_;
  std::unique_ptr<Pusher> pusher_;
};

TEST_F(LargeUpdate, AnUpdateOfMoreThanAMessageIsAppliedWholeAndALaterDenyArrives) {
  Take(Pods("x"));
  Take(ClusterBuilder().Policy("b/from-y").Ingress({NamespacePeer(Match({{"team", "y"}}))}, {Tcp(443)}).Build());
  Push();
  ASSERT_TRUE(Becomes([&] { return pusher_->health().in_step.load(); }));
  const std::uint64_t generation = intake_->store().table()->generation();
  ASSERT_FALSE(Allows("10.1.0.1", "10.254.0.1", 443));

  Take(Pods("y"));
  ASSERT_TRUE(Becomes([&] { return Allows(PodAddress(kPods - 1), "10.254.0.1", 443); }));
  EXPECT_TRUE(Allows("10.1.0.1", "10.254.0.1", 443));
  EXPECT_EQ(intake_->store().table()->generation(), generation + 1) << "at once, or not at all";
  EXPECT_EQ(pusher_->health().full_states, 1u);

  Take(ClusterBuilder().Policy("b/from-y").DenyIngress().Build());
  EXPECT_TRUE(Becomes([&] { return !Allows("10.1.0.1", "10.254.0.1", 443); }));
  EXPECT_EQ(pusher_->health().connects, 1u);
  EXPECT_THAT(observer_.troubles(), testing::IsEmpty());

  // It is in the state file, too.
  pusher_.reset();
  const std::string before =
      intake_->store().Read([](const ResolvedPolicy& policy, const Table&) { return policy.Dump(); });
  StopPlane();
  StartPlane();
  EXPECT_EQ(intake_->store().Read([](const ResolvedPolicy& policy, const Table&) { return policy.Dump(); }), before);
}

TEST_F(LargeUpdate, WhatNoPartsCanCarryBecomesAFullState) {
  options_.most_gathered_bytes = kMaxMessageBytes;
  Take(Pods("x"));
  Push();
  ASSERT_TRUE(Becomes([&] { return pusher_->health().in_step.load(); }));
  Take(Pods("y"));
  ASSERT_TRUE(Becomes([&] { return pusher_->health().full_states == 2; }));
  EXPECT_TRUE(DenyArrives());
  EXPECT_EQ(pusher_->health().connects, 1u);
}

// Six hundred and fifty thousand addresses in one list, which is one group: a message of 17 MB by itself.
TEST_F(LargeUpdate, AGroupOfMoreThanAMessageArrivesByAFullStateAndByAnUpdate) {
  NetworkPolicy policy = ClusterBuilder().Policy("b/wide").Ingress({}, {Tcp(443)}).Build().policies[0];
  for (std::uint64_t i = 0; i < 650'000; ++i) {
    NetworkPolicyPeer peer = CidrPeer("fd00::1/128");
    peer.ip_block->cidr.base.lo = 2 * i + 2;
    policy.ingress[0].peers.push_back(std::move(peer));
  }
  Take(ClusterBuilder().Namespace("b").Pod("b/peer", {}, {"fd01::1"}).Build());
  Push();
  ASSERT_TRUE(Becomes([&] { return pusher_->health().in_step.load(); }));
  Cluster wide;
  wide.policies.push_back(std::move(policy));
  Take(wide);
  ASSERT_TRUE(Becomes([&] { return !Allows("fd00::1", "fd01::1", 443); }));
  EXPECT_TRUE(Allows("fd00::2", "fd01::1", 443));
  EXPECT_TRUE(Allows("fd00::9:eb10", "fd01::1", 443));
  EXPECT_FALSE(Allows("fd00::2", "fd01::1", 80));

  pusher_.reset();
  options_.seed = 2;  // knows nothing of the state in force
  Push();
  ASSERT_TRUE(Becomes([&] { return pusher_->health().full_states == 1; }));
  EXPECT_TRUE(Allows("fd00::2", "fd01::1", 443));
  EXPECT_FALSE(Allows("fd00::1", "fd01::1", 443));
}

}  // namespace
}  // namespace sluice
