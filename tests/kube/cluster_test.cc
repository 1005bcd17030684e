// Listing and watching a real API server, both ways of listing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "kube/kube_source.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using nlohmann::json;
using testing::IsEmpty;

// The parameter: whether the server has the streaming list.
class Listing : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    access_ = SharedCluster().Admin();
    if (GetParam()) return;
    ASSERT_TRUE(SharedCluster().StartPagedServer()) << SharedCluster().LastWords();
    access_.server.url = SharedCluster().paged_url();
  }

  TestCluster& cluster() { return SharedCluster(); }

  // Not if the server has it switched off, nor over an etcd that is too old for it (3.4).
  bool HasStreamingList() {
    return GetParam() && cluster()
                                 .Get(
                                     "/api/v1/nodes?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                                     "&allowWatchBookmarks=true&timeoutSeconds=1")
                                 .body.find("k8s.io/initial-events-end") != std::string::npos;
  }

  KubeAccess access_;
  KubeOptions options_ = TestOptions();
  RecordingSink sink_;
};

TEST_P(Listing, FindsWhatThereIsAndFollowsWhatChanges) {
  const std::string space = GetParam() ? "follow-streaming" : "follow-paged";
  cluster().MakeNamespace(space);
  cluster().MakePod(space, "web", "10.1.0.1", "node-1");
  KubeSource source(access_, options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  EXPECT_TRUE(sink_.Has(Resource::kNamespaces, space));
  ASSERT_TRUE(sink_.Has(Resource::kPods, space + "/web"));
  const ReceivedObject& web = sink_.objects(Resource::kPods).at(space + "/web");
  const Pod& pod = std::get<Pod>(web.decoded.object);
  EXPECT_EQ(pod.node, "node-1");
  ASSERT_EQ(pod.addresses.size(), 1u);
  EXPECT_EQ(pod.addresses[0].ToString(), "10.1.0.1");
  EXPECT_EQ(pod.labels, (Labels{{"app", "web"}}));
  EXPECT_FALSE(web.uid.empty());
  EXPECT_NEAR(static_cast<double>(web.changed_s), static_cast<double>(std::time(nullptr)), 30);

  cluster().MakePod(space, "late", "10.1.0.2");
  EXPECT_EQ(
      cluster().Merge("/api/v1/namespaces/" + space + "/pods/web", R"({"metadata":{"labels":{"app":"new"}}})").status,
      200);
  ASSERT_TRUE(PollUntil(source, [&] {
    const auto& pods = sink_.objects(Resource::kPods);
    return pods.contains(space + "/late") &&
           !std::get<Pod>(pods.at(space + "/late").decoded.object).addresses.empty() &&
           std::get<Pod>(pods.at(space + "/web").decoded.object).labels == Labels{{"app", "new"}};
  }));
  cluster().DeletePod(space, "web");
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.Has(Resource::kPods, space + "/web"); }));

  const json policy = {{"metadata", {{"name", "deny"}}}, {"spec", {{"podSelector", json::object()}}}};
  EXPECT_EQ(cluster().Post("/apis/networking.k8s.io/v1/namespaces/" + space + "/networkpolicies", policy.dump()).status,
            201);
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(Resource::kNetworkPolicies, space + "/deny"); }));
  const auto& deny = sink_.objects(Resource::kNetworkPolicies).at(space + "/deny");
  EXPECT_TRUE(std::get<NetworkPolicy>(deny.decoded.object).has_ingress);
  EXPECT_THAT(deny.diagnostics, IsEmpty());
  const json node = {
      {"metadata", {{"name", space}, {"annotations", {{"projectcalico.org/IPv4Address", "192.0.2.9/24"}}}}},
      {"spec", {{"podCIDRs", {"10.9.0.0/24"}}}}};
  EXPECT_EQ(cluster().Post("/api/v1/nodes", node.dump()).status, 201);
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(Resource::kNodes, space); }));
  const auto& with_annotation = std::get<NodeObject>(sink_.objects(Resource::kNodes).at(space).decoded.object);
  ASSERT_EQ(with_annotation.annotated_addresses.size(), 1u);  // NP-72
  EXPECT_EQ(with_annotation.annotated_addresses[0].ToString(), "192.0.2.9");
  EXPECT_THAT(sink_.troubles, IsEmpty());
  EXPECT_EQ(sink_.replacements(Resource::kPods), 1);
  EXPECT_EQ(source.health(Resource::kPods).errors, 0u);
  // A refused streaming list counts, too.
  EXPECT_EQ(source.health(Resource::kPods).lists, HasStreamingList() ? 1u : 2u);
}

TEST_P(Listing, OfManyPagesIsWhole) {
  const std::string space = GetParam() ? "many-streaming" : "many-paged";
  cluster().MakeNamespace(space);
  for (int pod = 0; pod < 23; ++pod)
    cluster().MakePod(space, "p" + std::to_string(pod), "10.2.0." + std::to_string(pod));
  options_.watches[static_cast<std::size_t>(Resource::kPods)].page_size = 3;
  KubeSource source(access_, options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  for (int pod = 0; pod < 23; ++pod) EXPECT_TRUE(sink_.Has(Resource::kPods, space + "/p" + std::to_string(pod)));
  EXPECT_EQ(sink_.replacements_begun(Resource::kPods), 1);
  EXPECT_EQ(sink_.upserts(Resource::kPods), static_cast<int>(sink_.objects(Resource::kPods).size()));
}

TEST_P(Listing, OfPodsOnOneNodeLeavesOutTheOthers) {
  const std::string space = GetParam() ? "node-streaming" : "node-paged";
  cluster().MakeNamespace(space);
  cluster().MakePod(space, "here", "10.3.0.1", "node-a");
  cluster().MakePod(space, "there", "10.3.0.2", "node-b");
  options_.watches[static_cast<std::size_t>(Resource::kPods)].field_selector = "spec.nodeName=node-a";
  options_.watches[static_cast<std::size_t>(Resource::kPods)].label_selector = "app in (here,there,late)";
  KubeSource source(access_, options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  cluster().MakePod(space, "late", "10.3.0.3", "node-a");
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(Resource::kPods, space + "/late"); }));
  EXPECT_TRUE(sink_.Has(Resource::kPods, space + "/here"));
  EXPECT_FALSE(sink_.Has(Resource::kPods, space + "/there"));
}

INSTANTIATE_TEST_SUITE_P(Cluster, Listing, testing::Bool(),
                         [](const auto& test) { return test.param ? "Streaming" : "Paged"; });

TEST(Watching, EndsByTimeoutAndGoesOnWithoutAnotherList) {
  KubeOptions options = TestOptions();
  for (WatchOptions& watch : options.watches) watch.watch_timeout = std::chrono::seconds(2);
  RecordingSink sink;
  KubeSource source(SharedCluster().Admin(), options, sink);
  ASSERT_TRUE(PollUntil(source, [&] { return source.health(Resource::kPods).watches >= 2; }));
  SharedCluster().MakeNamespace("after-timeout");
  SharedCluster().MakePod("after-timeout", "web", "10.4.0.1");
  ASSERT_TRUE(PollUntil(source, [&] { return sink.Has(Resource::kPods, "after-timeout/web"); }));
  EXPECT_EQ(sink.replacements_begun(Resource::kPods), 1);
  EXPECT_THAT(sink.troubles, IsEmpty());
}

TEST(Events, OfARefusedObjectAreOnTheObjectAndNotRepeated) {
  TestCluster& cluster = SharedCluster();
  cluster.MakeNamespace("events");
  const std::string uid = cluster.MakePod("events", "odd", "10.5.0.1");
  RecordingSink sink;
  KubeSource source(cluster.Admin(), TestOptions(), sink);
  const EventSubject subject{Resource::kPods, "events", "odd", uid, "1"};
  for (int time = 0; time < 3; ++time) source.PostEvent(subject, "Refused", "spec is odd");
  source.PostEvent(subject, "Refused", std::string(2000, 'x'));
  ASSERT_TRUE(PollUntil(source, [&] { return source.event_health().posted == 2; }));
  const json events =
      json::parse(cluster.Get("/api/v1/namespaces/events/events?fieldSelector=involvedObject.uid=" + uid).body);
  ASSERT_EQ(events["items"].size(), 2u);
  EXPECT_EQ(events["items"][0]["involvedObject"]["name"], "odd");
  EXPECT_EQ(events["items"][0]["reason"], "Refused");
  EXPECT_EQ(events["items"][0]["type"], "Warning");
  EXPECT_EQ(source.event_health().repeated, 2u);
  EXPECT_EQ(source.event_health().dropped, 0u);
}

TEST(Events, OfManyPostersOnOneObjectAreOne) {
  TestCluster& cluster = SharedCluster();
  cluster.MakeNamespace("posters");
  const std::string uid = cluster.MakePod("posters", "odd", "10.5.0.2");
  for (const bool first : {true, false}) {
    RecordingSink sink;
    KubeSource source(cluster.Admin(), TestOptions(), sink);
    source.PostEvent({Resource::kPods, "posters", "odd", uid, "1"}, "Refused", "spec is odd");
    ASSERT_TRUE(PollUntil(
        source, [&] { return (first ? source.event_health().posted : source.event_health().repeated).load() == 1; }));
    EXPECT_EQ(source.event_health().dropped, 0u);
  }
  EXPECT_EQ(json::parse(cluster.Get("/api/v1/namespaces/posters/events").body)["items"].size(), 1u);
}

TEST(Events, BeyondTheBurstWaitForTheirTurn) {
  KubeOptions options = TestOptions();
  options.events.burst = 2;
  options.events.interval = std::chrono::milliseconds(200);
  RecordingSink sink;
  const auto start = std::chrono::steady_clock::now();
  KubeSource source(SharedCluster().Admin(), options, sink);
  for (int event = 0; event < 5; ++event) {
    source.PostEvent({Resource::kNodes, "", "node-" + std::to_string(event), "", ""}, "Refused", "a flood");
  }
  ASSERT_TRUE(PollUntil(source, [&] { return source.event_health().posted == 5; }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(3 * 200 - 20));
}

}  // namespace
}  // namespace sluice
