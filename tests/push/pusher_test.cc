// A pusher and a dataplane: what one knows, the other comes to hold, whatever happens in between.
#include "push/pusher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kube/process.h"
#include "push/observer.h"
#include "push/push_server.h"
#include "push/stall.h"
#include "support/cluster_builder.h"

namespace sluice {
namespace {

using testing::Not;

bool HasEndpoint(const ResolvedPolicy& policy, const std::string& name) {
  for (const Endpoint& endpoint : policy.endpoints) {
    if (endpoint.name == name) return true;
  }
  return false;
}

std::size_t RulesOf(const ResolvedPolicy& policy, const std::string& name) {
  std::size_t rules = 0;
  for (const Section& section : policy.sections) {
    if (section.policy == name) rules += section.rules.size();
  }
  return rules;
}

bool Isolates(const ResolvedPolicy& policy, const std::string& name) {
  for (const Section& section : policy.sections) {
    if (section.policy == name && section.isolates) return true;
  }
  return false;
}

// A dataplane that takes no policy `name` that has rules.
PushServer::Refuse RefusesRulesOf(const std::string& name) {
  return [name](const ResolvedPolicy& policy) -> std::optional<Diagnostic> {
    if (RulesOf(policy, name) == 0) return std::nullopt;
    return Diagnostic{Severity::kError, "", 0, "policy " + name, "rules", "too many"};
  };
}

class PusherTest : public testing::Test {
 protected:
  PusherTest() {
    options_.backoff_least = std::chrono::milliseconds(10);
    options_.backoff_most = std::chrono::milliseconds(200);
    options_.refused_backoff_most = std::chrono::milliseconds(200);
    options_.seed = 1;
    server_.Start();
    Take(ClusterBuilder().Namespace("a").Pod("a/web", {{"app", "web"}}, {"10.0.0.1"}).Build());
  }

  std::string Address(const std::string& name) const { return "unix:" + (folder_ / name); }

  void Take(const Cluster& cluster, const ChangeTime& time = {}) {
    feed_.Change(time, [&](ClusterResolver& resolver) {
      for (const Namespace& object : cluster.namespaces) resolver.Upsert(object);
      for (const NodeObject& object : cluster.nodes) resolver.Upsert(object);
      for (const Pod& object : cluster.pods) resolver.Upsert(object);
      for (const NetworkPolicy& object : cluster.policies) resolver.Upsert(object);
    });
    feed_.Publish();
  }
  void TakePod(const std::string& name, const std::string& address, const ChangeTime& time = {}) {
    Take(ClusterBuilder().Pod("a/" + name, {{"app", "web"}}, {address}).Build(), time);
  }
  void TakePolicy(const std::string& name) {
    Take(ClusterBuilder().Policy("a/" + name, Match({{"app", "web"}})).Ingress({}, {Tcp(80)}).Build());
  }

  void Push() { pusher_ = std::make_unique<Pusher>(feed_, Address("a.sock"), options_, observer_); }
  bool Arrives(const std::string& pod) {
    return server_.WaitUntil([&](const ResolvedPolicy& policy) { return HasEndpoint(policy, pod); });
  }

  TempFolder folder_;
  PushOptions options_;
  PushServer server_{Address("a.sock")};
  PolicyFeed feed_;
  RecordingObserver observer_;
  std::unique_ptr<Pusher> pusher_;
};

TEST_F(PusherTest, BeginsWithTheFullStateAndGoesOnWithUpdates) {
  Push();
  ASSERT_TRUE(Arrives("web"));
  TakePod("late", "10.0.0.2");
  ASSERT_TRUE(Arrives("late"));
  feed_.Change({}, [](ClusterResolver& resolver) { resolver.DeletePod("a", "web"); });
  feed_.Publish();
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return !HasEndpoint(policy, "web"); }));
  EXPECT_EQ(server_.full_states(), 1);
  EXPECT_EQ(server_.updates(), 2);
}

TEST_F(PusherTest, AnOlderDataplaneGetsNoRulesByNameUntilItIsUpgraded) {
  server_.SpeakMinor(8);
  feed_.Change({}, [](ClusterResolver& resolver) {
    resolver.Upsert(WithEgress(MakeClusterPolicy("names", Tier::kAdmin, 1),
                               {MakeRule(Action::kAllow, {OfNames({"a.example.com"})}),
                                MakeRule(Action::kDeny, {OfNetworks({"0.0.0.0/0"})})}));
  });
  feed_.Publish();
  Push();
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return RulesOf(policy, "names") == 1; }));
  TakePod("late", "10.0.0.2");
  ASSERT_TRUE(Arrives("late"));
  EXPECT_EQ(server_.refused(), 0);
  ASSERT_EQ(observer_.older().size(), 1u);
  EXPECT_THAT(observer_.older()[0], testing::HasSubstr("upgrade sluiced"));
  server_.Stop();
  server_.SpeakMinor(9);
  server_.Start();
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return RulesOf(policy, "names") == 2; }));
  EXPECT_EQ(server_.full_states(), 2);
}

TEST_F(PusherTest, KnowsWhichRevisionIsInForce) {
  Push();
  ASSERT_TRUE(Arrives("web"));
  const auto in_force = [&](std::uint64_t revision) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (pusher_->in_force() < revision && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return pusher_->in_force() == revision;
  };
  EXPECT_TRUE(in_force(1));
  TakePod("late", "10.0.0.2");
  EXPECT_TRUE(in_force(2));
  // So is what changes nothing for the dataplane, without a batch.
  Take(ClusterBuilder().Namespace("nobody-there").Build());
  EXPECT_TRUE(in_force(3));
  EXPECT_EQ(server_.updates(), 1);
  // What is on its way is not.
  server_.Stall(true);
  TakePod("later", "10.0.0.3");
  ASSERT_TRUE(server_.WaitUntilStalled());
  TakePod("latest", "10.0.0.4");
  EXPECT_EQ(pusher_->in_force(), 3u);
  server_.Stall(false);
  EXPECT_TRUE(in_force(5));
  // What is refused is not, nor what came after it.
  server_.RefuseWhere([](const ResolvedPolicy& policy) -> std::optional<Diagnostic> {
    if (!HasEndpoint(policy, "bad")) return std::nullopt;
    return Diagnostic{Severity::kError, "", 0, "endpoint a/bad", "", "is refused"};
  });
  TakePod("bad", "10.0.0.5");
  while (server_.refused() < 2) std::this_thread::yield();
  EXPECT_EQ(pusher_->in_force(), 5u);
  server_.RefuseWhere({});
  EXPECT_TRUE(in_force(6));
}

TEST_F(PusherTest, OfADataplaneThatLostItsStateNothingIsKnownToBeInForce) {
  Push();
  ASSERT_TRUE(Arrives("web"));
  while (pusher_->in_force() != 1) std::this_thread::yield();
  server_.Stop();
  server_.Forget();
  server_.RefuseWhere([](const ResolvedPolicy&) -> std::optional<Diagnostic> {
    return Diagnostic{Severity::kError, "", 0, "table", "", "is refused"};
  });
  server_.Start();
  while (server_.refused() == 0) std::this_thread::yield();
  EXPECT_EQ(pusher_->in_force(), 0u);
  server_.RefuseWhere({});
  while (pusher_->in_force() != 1) std::this_thread::yield();
}

TEST_F(PusherTest, SaysNothingBeforeTheSourceIsWhole) {
  PolicyFeed feed;
  Pusher pusher(feed, Address("a.sock"), options_, observer_);
  feed.Change({}, [](ClusterResolver& resolver) { resolver.Upsert(Namespace{"a", {}}); });
  EXPECT_FALSE(server_.WaitUntil([&](const ResolvedPolicy&) { return pusher.health().connected.load(); },
                                 std::chrono::milliseconds(200)));
  EXPECT_EQ(pusher.health().connects, 0u);
  feed.Publish();
  EXPECT_TRUE(server_.WaitUntil([&](const ResolvedPolicy&) { return pusher.health().connects == 1; }));
}

TEST_F(PusherTest, GoesOnFromTheSameBatchAfterTheStreamBroke) {
  Push();
  ASSERT_TRUE(Arrives("web"));
  server_.Stop();
  TakePod("missed", "10.0.0.2");
  server_.Start();
  ASSERT_TRUE(Arrives("missed"));
  EXPECT_EQ(server_.full_states(), 1);
  EXPECT_THAT(observer_.troubles(), Not(testing::IsEmpty()));
}

TEST_F(PusherTest, SendsTheFullStateToADataplaneThatForgot) {
  Push();
  ASSERT_TRUE(Arrives("web"));
  server_.Stop();
  server_.Forget();
  server_.Start();  // nothing changes: the idle stream's end is noticed
  ASSERT_TRUE(Arrives("web"));
  EXPECT_EQ(server_.full_states(), 2);
}

TEST_F(PusherTest, WaitsForADataplaneThatIsNotThereYet) {
  server_.Stop();
  Push();
  EXPECT_FALSE(server_.WaitUntil([](const ResolvedPolicy& policy) { return HasEndpoint(policy, "web"); },
                                 std::chrono::milliseconds(100)));
  server_.Start();
  EXPECT_TRUE(Arrives("web"));
}

TEST_F(PusherTest, HoldsBackAPolicyThatIsRefusedAndGoesOn) {
  Push();
  ASSERT_TRUE(Arrives("web"));
  server_.RefuseWhere(RefusesRulesOf("a/bad"));
  TakePolicy("bad");
  TakePolicy("good");
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return RulesOf(policy, "a/good") == 1; }));
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return Isolates(policy, "a/bad"); }));
  EXPECT_EQ(server_.full_states(), 1);
  EXPECT_THAT(observer_.refused(), testing::ElementsAre("policy a/bad held"));

  // Once it is right, it gets another try.
  server_.RefuseWhere(nullptr);
  Take(ClusterBuilder().Policy("a/bad", Match({{"app", "web"}})).Ingress({}, {Tcp(81)}).Build());
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return RulesOf(policy, "a/bad") == 1; }));
  EXPECT_EQ(pusher_->health().held_policies, 0u);
}

TEST_F(PusherTest, HoldsBackAPolicyOfTheFirstFullState) {
  server_.RefuseWhere(RefusesRulesOf("a/bad"));
  TakePolicy("bad");
  TakePolicy("good");
  Push();
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return RulesOf(policy, "a/good") == 1; }));
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return Isolates(policy, "a/bad"); }));
}

TEST_F(PusherTest, TriesHeldPoliciesAgainAfterAWhile) {
  options_.hold_time = std::chrono::milliseconds(100);
  server_.RefuseWhere(RefusesRulesOf("a/bad"));
  TakePolicy("bad");
  Push();
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return Isolates(policy, "a/bad"); }));
  server_.RefuseWhere(nullptr);
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return RulesOf(policy, "a/bad") == 1; }));
}

TEST_F(PusherTest, BacksOffFromARefusalThatNamesNoPolicy) {
  server_.RefuseWhere([](const ResolvedPolicy&) {
    return Diagnostic{Severity::kError, "", 0, "endpoint a/web", "identities", "too many"};
  });
  options_.backoff_least = options_.refused_backoff_most = std::chrono::milliseconds(200);
  const auto start = std::chrono::steady_clock::now();
  Push();
  while (server_.refused() < 4) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // After three back-offs, each of half as long at least.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(300));
  EXPECT_FALSE(pusher_->health().in_step);
  server_.RefuseWhere(nullptr);
  EXPECT_TRUE(Arrives("web"));
}

TEST_F(PusherTest, ASlowDataplaneFallsBehindAlone) {
  PushServer slow(Address("slow.sock"));
  slow.Start();
  Push();
  Pusher slow_pusher(feed_, Address("slow.sock"), options_, observer_);
  ASSERT_TRUE(Arrives("web"));
  ASSERT_TRUE(slow.WaitUntil([](const ResolvedPolicy& policy) { return HasEndpoint(policy, "web"); }));
  slow.Stall(true);
  for (int i = 0; i < 100; ++i) {
    const std::string name = "pod" + std::to_string(i);
    TakePod(name, "10.0.1." + std::to_string(i));
    ASSERT_TRUE(Arrives(name));
  }
  slow.Stall(false);
  EXPECT_TRUE(slow.WaitUntil([](const ResolvedPolicy& policy) { return HasEndpoint(policy, "pod99"); }));
  EXPECT_TRUE(slow.WaitUntil([](const ResolvedPolicy& policy) { return HasEndpoint(policy, "pod0"); }));
  EXPECT_LE(slow.updates(), 3);  // what gathered while it stalled went in one
}

TEST_F(PusherTest, TellsWhenEachChangeOfABatchWasHeardOf) {
  constexpr std::int64_t kHeardNs = 1'700'000'001'000'000'000;
  Push();
  ASSERT_TRUE(Arrives("web"));
  while (observer_.applied().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  server_.Stall(true);
  TakePod("first", "10.0.0.2", {1'700'000'000, kHeardNs});
  ASSERT_TRUE(server_.WaitUntilStalled());  // it is under way, alone
  TakePod("second", "10.0.0.3", {0, kHeardNs + 1});
  TakePod("third", "10.0.0.4", {0, kHeardNs + 1});
  TakePod("third", "10.0.0.4", {0, kHeardNs + 2});  // changes nothing
  TakePod("second", "10.0.0.5", {0, kHeardNs + 3});
  server_.Stall(false);
  ASSERT_TRUE(Arrives("third"));
  while (observer_.applied().size() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::vector<AppliedBatch> applied = observer_.applied();
  EXPECT_TRUE(applied[0].full);
  EXPECT_THAT(applied[0].changes.entries(), testing::IsEmpty());
  EXPECT_FALSE(applied[1].full);
  ASSERT_EQ(applied[1].changes.entries().size(), 1u);
  EXPECT_EQ(applied[1].changes.entries()[0].time, (ChangeTime{1'700'000'000, kHeardNs}));
  EXPECT_GT(applied[1].live_ns, kHeardNs);
  ASSERT_EQ(applied[2].changes.entries().size(), 2u);
  EXPECT_EQ(applied[2].changes.entries()[0].time.received_ns, kHeardNs + 1);
  EXPECT_EQ(applied[2].changes.entries()[0].changes, 2u);
  EXPECT_EQ(applied[2].changes.entries()[1].time.received_ns, kHeardNs + 3);
}

TEST_F(PusherTest, AChangeWhoseFullStateWasRefusedIsTimedUntilItIsInForce) {
  options_.backoff_least = options_.refused_backoff_most = std::chrono::milliseconds(20);
  Push();
  ASSERT_TRUE(Arrives("web"));
  server_.RefuseWhere([](const ResolvedPolicy&) { return Diagnostic{Severity::kError, "", 0, "table", "", "full"}; });
  TakePod("late", "10.0.0.2", {0, 1'700'000'001'000'000'000});
  while (server_.refused() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  server_.RefuseWhere(nullptr);
  ASSERT_TRUE(Arrives("late"));
  while (observer_.applied().size() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const AppliedBatch last = observer_.applied().back();
  EXPECT_TRUE(last.full);
  EXPECT_EQ(last.changes.oldest_ns(), 1'700'000'001'000'000'000);
}

TEST(ChangeTimes, AreBoundedAndThenCountAsOldAsTheLastThatWasKept) {
  ChangeTimes times;
  for (std::size_t i = 1; i <= ChangeTimes::kMost + 10; ++i) times.Add({0, static_cast<std::int64_t>(i)});
  times.Add({});
  ASSERT_EQ(times.entries().size(), ChangeTimes::kMost);
  EXPECT_EQ(times.entries().back().time.received_ns, static_cast<std::int64_t>(ChangeTimes::kMost));
  EXPECT_EQ(times.entries().back().changes, 11u);
}

TEST_F(PusherTest, AFullStateOfManyChunksArrivesWhole) {
  ClusterBuilder many;
  for (int i = 0; i < 20'000; ++i) {
    many.Pod("a/pod-with-a-rather-long-name-" + std::to_string(i), {{"app", "web"}},
             {"10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250)});
  }
  Take(many.Build());
  Push();
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return policy.endpoints.size() == 20'001; }));
}

TEST_F(PusherTest, ATargetLacksSomethingFromWhenThereIsSomethingUntilItHasAll) {
  const auto lacks = [&] { return LacksFor(pusher_->health(), Progress::Clock::now()).count() > 0; };
  const auto becomes = [&](bool value) {
    for (int i = 0; i < 10'000 && lacks() != value; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return lacks() == value;
  };
  server_.Stop();
  Push();
  EXPECT_TRUE(becomes(true));
  while (observer_.troubles().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(pusher_->health().progress.state().trouble, observer_.troubles()[0]);
  server_.Start();
  ASSERT_TRUE(Arrives("web"));
  EXPECT_TRUE(becomes(false));
  server_.Stall(true);
  TakePod("late", "10.0.0.2");
  EXPECT_TRUE(becomes(true));
  server_.Stall(false);
  EXPECT_TRUE(becomes(false));
  server_.RefuseWhere([](const ResolvedPolicy&) { return Diagnostic{Severity::kError, "", 0, "table", "", "full"}; });
  TakePod("later", "10.0.0.3");
  while (server_.refused() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(lacks());
  EXPECT_EQ(pusher_->health().progress.state().trouble, "refused: table: full");
  server_.RefuseWhere(nullptr);
  ASSERT_TRUE(Arrives("later"));
  EXPECT_TRUE(becomes(false));
  EXPECT_EQ(pusher_->health().progress.state().trouble, "");
}

TEST_F(PusherTest, EndsWhileTheDataplaneStalls) {
  server_.Stall(true);
  Push();
  const auto start = std::chrono::steady_clock::now();
  pusher_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(PusherTest, GivesUpADataplaneThatDoesNotAnswer) {
  options_.answer_timeout = std::chrono::milliseconds(200);
  server_.Stall(true);
  Push();
  while (observer_.troubles().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  server_.Stall(false);
  EXPECT_TRUE(Arrives("web"));
}

}  // namespace
}  // namespace sluice
