// What the plugin says of pods, on its way to a dataplane that holds what it is pushed.
#include "sluice-sync/plugin_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "control/temp_folder.h"
#include "push/observer.h"
#include "push/push_server.h"
#include "push/pusher.h"
#include "sluice-sync/cluster_follower.h"
#include "sluice-sync/local_pods.h"
#include "support/cluster_builder.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Command = PluginRequest::Command;

constexpr std::chrono::milliseconds kLong{10'000};
constexpr std::chrono::milliseconds kShort{50};

class PluginCallsTest : public testing::Test {
 protected:
  PluginCallsTest() {
    options_.backoff_least = std::chrono::milliseconds(10);
    options_.backoff_most = std::chrono::milliseconds(100);
    options_.node = "n1";
    options_.seed = 1;
    server_.Start();
    pusher_ = std::make_unique<Pusher>(feed_, address_, options_, observer_);
  }

  // The cluster, as an API server sends it.
  void Begin(const Cluster& cluster) {
    for (const Resource resource : kResources) follower_.OnReplaceBegin(resource);
    for (const Namespace& object : cluster.namespaces) Send(Resource::kNamespaces, {"", "", object.name}, object, "");
    for (const NodeObject& object : cluster.nodes) Send(Resource::kNodes, {"", "", object.name}, object, "");
    for (const Pod& object : cluster.pods) Send(object, "uid-" + object.name);
    for (const NetworkPolicy& object : cluster.policies) {
      Send(Resource::kNetworkPolicies, {"", object.namespace_name, object.name}, object, "");
    }
    for (const Resource resource : kResources) follower_.OnReplaceEnd(resource);
    feed_.Publish();
  }
  template <typename Object>
  void Send(Resource resource, const ObjectKey& key, const Object& object, const std::string& uid) {
    ReceivedObject received;
    received.decoded.outcome = DecodedObject::Outcome::kAccepted;
    received.decoded.key = key;
    received.decoded.object = object;
    received.uid = uid;
    follower_.OnUpsert(resource, std::move(received), {});
  }
  void Send(const Pod& pod, const std::string& uid) {
    Send(Resource::kPods, {"", pod.namespace_name, pod.name}, pod, uid);
  }
  // A change after the beginning.
  void Change(const Pod& pod, const std::string& uid) {
    Send(pod, uid);
    feed_.Publish();
  }
  static Cluster Plain() {
    return ClusterBuilder()
        .Namespace("a")
        .Node("n1", {"192.168.0.1"}, {"10.0.0.0/24"})
        .Pod("a/old", {{"app", "old"}}, {"10.0.0.1"})
        .OnNode("n1")
        .Pod("a/new", {{"app", "new"}})
        .OnNode("n1")
        .Policy("a/all", Everything())
        .DenyIngress()
        .Build();
  }
  static Pod PodOf(const std::string& name, std::vector<std::string> addresses, std::int64_t created = 0) {
    return ClusterBuilder()
        .Pod("a/" + name, {{"app", name}}, std::move(addresses))
        .OnNode("n1")
        .Created(created)
        .Build()
        .pods[0];
  }

  std::string Ask(Command command, const std::string& container, const std::string& pod = "",
                  const std::vector<std::string>& addresses = {}, std::chrono::milliseconds wait = kLong,
                  const std::string& uid = "") {
    PluginRequest request;
    request.command = command;
    request.attachment = {{container, "eth0"}, "a", pod, uid, {}};
    for (const std::string& address : addresses) request.attachment.addresses.push_back(Ip(address));
    request.wait = wait;
    return DecodeAnswer(calls_.Answer(Encode(request)));
  }
  std::string Add(const std::string& container, const std::string& pod, const std::vector<std::string>& addresses) {
    return Ask(Command::kAdd, container, pod, addresses);
  }
  // Of the pod, in the dataplane, now.
  std::vector<std::string> Held(const std::string& pod) {
    std::vector<std::string> held;
    server_.WaitUntil(
        [&](const ResolvedPolicy& policy) {
          for (const Endpoint& endpoint : policy.endpoints) {
            if (endpoint.name != pod || endpoint.namespace_name != "a") continue;
            for (const IpAddress& address : endpoint.addresses) held.push_back(address.ToString());
          }
          return true;
        },
        std::chrono::milliseconds(0));
    return held;
  }
  // Everything that was changed is in force.
  void Settle() { ASSERT_TRUE(feed_.AwaitInForce(std::chrono::steady_clock::now() + kLong)); }

  TempFolder folder_;
  const std::string address_ = "unix:" + (folder_ / "a.sock");
  PushOptions options_;
  PushServer server_{address_};
  PolicyFeed feed_;
  LocalPods pods_{"n1"};
  KubeFollower follower_{feed_, [](const EventSubject&, const Diagnostics&) {}, {}, &pods_};
  PluginCalls calls_{feed_, pods_, [] { return std::string("a.sock is not in step"); }};
  RecordingObserver observer_;
  std::unique_ptr<Pusher> pusher_;
};

TEST_F(PluginCallsTest, OnceAddIsAnsweredThePodIsInForceByItsAddresses) {
  Begin(Plain());
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2", "fd00::2"}), "");
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.2", "fd00::2"));
  EXPECT_EQ(Ask(Command::kCheck, "c1", "new", {"10.0.0.2"}), "");
}

TEST_F(PluginCallsTest, AddsBesideEachOtherAreInForceWhenTheyAreAnswered) {
  Cluster cluster = Plain();
  for (int i = 0; i < 50; ++i) cluster.pods.push_back(PodOf("p" + std::to_string(i), {}));
  Begin(cluster);
  std::vector<std::future<bool>> adds;
  for (int i = 0; i < 50; ++i) {
    adds.push_back(std::async(std::launch::async, [this, i] {
      const std::string number = std::to_string(i);
      const std::string address = "10.0.0." + std::to_string(100 + i);
      return Add("c" + number, "p" + number, {address}).empty() && Held("p" + number) == std::vector{address};
    }));
  }
  for (auto& add : adds) EXPECT_TRUE(add.get());
}

TEST_F(PluginCallsTest, TheAddressesHoldUntilTheObjectHasItsOwn) {
  Begin(Plain());
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  Pod relabelled = PodOf("new", {});
  relabelled.labels = {{"app", "other"}};
  Change(relabelled, "uid-new");
  Settle();
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.2"));
  Change(PodOf("new", {"10.0.0.3"}), "uid-new");
  Settle();
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.3"));
}

TEST_F(PluginCallsTest, ANewSandboxOfAPodHasItsAddressesWhileTheObjectHasTheOldOnes) {
  Begin(Plain());
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  Change(PodOf("new", {"10.0.0.2"}), "uid-new");
  EXPECT_EQ(Ask(Command::kDelete, "c1"), "");
  Settle();
  EXPECT_THAT(Held("new"), IsEmpty());
  ASSERT_EQ(Add("c2", "new", {"10.0.0.9"}), "");
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.9"));
  EXPECT_EQ(Ask(Command::kDelete, "c1"), "");  // a runtime may say so twice
  Settle();
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.9"));
}

TEST_F(PluginCallsTest, AnAddressThatIsGivenToAnotherPodIsTheOthersAtOnce) {
  Cluster cluster = Plain();
  cluster.pods.push_back(PodOf("next", {}, 1));  // older than the pod that had the address
  Begin(cluster);
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  Change(PodOf("new", {"10.0.0.2"}, 2), "uid-new");
  EXPECT_EQ(Ask(Command::kDelete, "c1"), "");
  ASSERT_EQ(Add("c2", "next", {"10.0.0.2"}), "");
  EXPECT_THAT(Held("new"), IsEmpty());
  EXPECT_THAT(Held("next"), ElementsAre("10.0.0.2"));
}

TEST_F(PluginCallsTest, AnAddressThatAStaleObjectClaimsIsTheNewPods) {
  Cluster cluster = Plain();
  cluster.pods.push_back(PodOf("stale", {"10.0.0.2"}, 1'000'000));
  Begin(cluster);
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.2"));
}

TEST_F(PluginCallsTest, DelOfAContainerThatIsNotKnownChangesNothing) {
  Begin(Plain());
  EXPECT_EQ(Ask(Command::kDelete, "c0", "old"), "");
  Settle();
  EXPECT_THAT(Held("old"), ElementsAre("10.0.0.1"));
}

TEST_F(PluginCallsTest, GcTakesAllThatAreNotNamed) {
  Cluster cluster = Plain();
  cluster.pods.push_back(PodOf("third", {}));
  Begin(cluster);
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  ASSERT_EQ(Add("c3", "third", {"10.0.0.3"}), "");
  PluginRequest request;
  request.command = Command::kCollect;
  request.valid = {{"c3", "eth0"}};
  EXPECT_EQ(DecodeAnswer(calls_.Answer(Encode(request))), "");
  Settle();
  EXPECT_THAT(Held("new"), IsEmpty());
  EXPECT_THAT(Held("third"), ElementsAre("10.0.0.3"));
  EXPECT_THAT(Held("old"), ElementsAre("10.0.0.1"));
}

TEST_F(PluginCallsTest, AddWaitsForThePodsObject) {
  Begin(Plain());
  auto add = std::async(std::launch::async, [this] { return Add("c1", "late", {"10.0.0.5"}); });
  EXPECT_EQ(add.wait_for(kShort), std::future_status::timeout);
  Change(PodOf("late", {}), "uid-late");
  EXPECT_EQ(add.get(), "");
  EXPECT_THAT(Held("late"), ElementsAre("10.0.0.5"));
}

TEST_F(PluginCallsTest, APodThatIsNotKnownIsNamed) {
  Begin(Plain());
  EXPECT_THAT(Ask(Command::kAdd, "c1", "none", {"10.0.0.5"}, kShort), HasSubstr("Pod a/none is not known"));
  EXPECT_THAT(Ask(Command::kCheck, "c1", "none", {"10.0.0.5"}, kShort), HasSubstr("Pod a/none is not known"));
  EXPECT_THAT(Ask(Command::kCheck, "c1", "old", {"10.0.0.5"}, kShort), HasSubstr("Pod a/old is not known by"));
}

TEST_F(PluginCallsTest, AnotherPodOfThatNameIsNotThePod) {
  Begin(Plain());
  EXPECT_THAT(Ask(Command::kAdd, "c1", "new", {"10.0.0.5"}, kShort, "uid-2"), HasSubstr("of uid uid-2 is not known"));
  ASSERT_EQ(Ask(Command::kAdd, "c1", "new", {"10.0.0.2"}, kLong, "uid-new"), "");
  Change(PodOf("new", {}), "uid-2");  // what the former had is not its own
  Settle();
  EXPECT_THAT(Held("new"), IsEmpty());
  ASSERT_EQ(Ask(Command::kAdd, "c2", "new", {"10.0.0.6"}, kLong, "uid-2"), "");
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.6"));
}

TEST_F(PluginCallsTest, APodThatIsGoneHasNothing) {
  Begin(Plain());
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  follower_.OnDelete(Resource::kPods, {"", "a", "new"}, {});
  feed_.Publish();
  Settle();
  EXPECT_THAT(Held("new"), IsEmpty());
}

TEST_F(PluginCallsTest, APodOfAnotherNodeIsNotThisOnes) {
  Cluster cluster = Plain();
  cluster.pods.push_back(PodOf("far", {}));
  cluster.pods.back().node = "n2";
  Begin(cluster);
  EXPECT_THAT(Ask(Command::kAdd, "c1", "far", {"10.0.0.5"}, kShort), HasSubstr("not known as a pod of this node"));
}

TEST_F(PluginCallsTest, WithoutTheDataplaneAddFailsInTimeAndSucceedsOnceItIsBack) {
  Begin(Plain());
  Settle();
  server_.Stop();
  EXPECT_THAT(Ask(Command::kAdd, "c1", "new", {"10.0.0.2"}, kShort),
              HasSubstr("not in force yet: a.sock is not in step"));
  EXPECT_THAT(Ask(Command::kStatus, "", "", {}, kShort), HasSubstr("not in force yet"));
  server_.Start();
  EXPECT_EQ(Add("c1", "new", {"10.0.0.2"}), "");  // as a kubelet tries again: nothing changes by it
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.2"));
  EXPECT_EQ(Ask(Command::kStatus, ""), "");
}

TEST_F(PluginCallsTest, ADataplaneThatForgotIsWaitedFor) {
  Begin(Plain());
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  server_.Stop();
  while (pusher_->health().in_step) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // until it is noticed
  server_.Forget();
  server_.Start();
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.2"));
}

TEST_F(PluginCallsTest, ADataplaneThatIsBusyIsWaitedFor) {
  Begin(Plain());
  Settle();
  server_.Stall(true);
  auto add = std::async(std::launch::async, [this] { return Add("c1", "new", {"10.0.0.2"}); });
  ASSERT_TRUE(server_.WaitUntilStalled());
  EXPECT_EQ(add.wait_for(kShort), std::future_status::timeout);
  server_.Stall(false);
  EXPECT_EQ(add.get(), "");
}

TEST_F(PluginCallsTest, BeforeTheClusterWasReadNothingIsAddedAndNothingPublished) {
  EXPECT_THAT(Ask(Command::kAdd, "c1", "new", {"10.0.0.2"}, kShort), HasSubstr("not read whole yet"));
  EXPECT_THAT(Ask(Command::kStatus, "", "", {}, kShort), HasSubstr("not read whole yet"));
  EXPECT_EQ(Ask(Command::kDelete, "c1"), "");
  EXPECT_EQ(server_.full_states(), 0);
}

TEST_F(PluginCallsTest, WhatIsNoRequestIsToldOf) {
  EXPECT_THAT(DecodeAnswer(calls_.Answer("what?")), HasSubstr("cannot be read"));
}

TEST_F(PluginCallsTest, OfManifestsToo) {
  ManifestFollower follower(feed_, &pods_);
  Cluster cluster = Plain();
  follower.Follow(cluster, {});
  feed_.Publish();
  ASSERT_EQ(Add("c1", "new", {"10.0.0.2"}), "");
  cluster.pods.push_back(PodOf("third", {}));
  follower.Follow(cluster, ChangeTime::Now());
  feed_.Publish();
  Settle();
  EXPECT_THAT(Held("new"), ElementsAre("10.0.0.2"));
}

}  // namespace
}  // namespace sluice
