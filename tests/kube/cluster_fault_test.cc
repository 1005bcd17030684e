// A real API server that goes away, forgets, or falls silent. After each fault what the sink holds equals the cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "kube/kube_source.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;

constexpr auto kPods = Resource::kPods;

class Faults : public testing::Test {
 protected:
  // Each case has a namespace with a pod that stays and one to delete.
  void Prepare(const std::string& space) {
    space_ = space;
    cluster().MakeNamespace(space);
    cluster().MakePod(space, "stays", "10.6.0.1");
    cluster().MakePod(space, "goes", "10.6.0.2");
  }
  bool Has(const std::string& pod) { return sink_.Has(kPods, space_ + '/' + pod); }
  TestCluster& cluster() { return SharedCluster(); }

  std::string space_;
  KubeOptions options_ = TestOptions();
  RecordingSink sink_;
};

TEST_F(Faults, ApiServerKilledAndRestartedIsFollowedAgainWithoutAnotherList) {
  Prepare("killed");
  KubeSource source(cluster().Admin(), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  cluster().KillApiServer();
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.troubles.empty(); }));
  EXPECT_TRUE(Has("goes")) << "what is known stays while the API server is away";
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  cluster().DeletePod(space_, "goes");
  cluster().MakePod(space_, "comes", "10.6.0.3");
  ASSERT_TRUE(PollUntil(source, [&] { return !Has("goes") && Has("comes"); }));
  EXPECT_TRUE(Has("stays"));
  EXPECT_GT(sink_.recoveries, 0);
  EXPECT_EQ(source.health(kPods).relists, 0u);
}

TEST_F(Faults, EtcdCompactedUnderTheWatchMakesAnotherListAndWhatWasDeletedMeanwhileGoes) {
  Prepare("compacted");
  KubeSource source(cluster().Admin(), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  cluster().KillApiServer();
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.troubles.empty(); }));
  // From here to the next poll the watch is down.
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  cluster().DeletePod(space_, "goes");
  cluster().MakePod(space_, "comes", "10.6.1.3");
  cluster().KillApiServer();
  ASSERT_TRUE(cluster().Compact());
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  ASSERT_TRUE(PollUntil(source, [&] { return !Has("goes") && Has("comes"); }));
  EXPECT_TRUE(Has("stays"));
  EXPECT_EQ(source.health(kPods).relists, 1u);
}

TEST_F(Faults, SourceThatWasDownFindsDeletedObjectsGoneByItsNextList) {
  Prepare("down");
  {
    KubeSource source(cluster().Admin(), options_, sink_);
    ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  }
  cluster().DeletePod(space_, "goes");
  cluster().MakePod(space_, "comes", "10.6.2.3");
  KubeSource source(cluster().Admin(), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  EXPECT_FALSE(Has("goes"));
  EXPECT_TRUE(Has("comes"));
  EXPECT_TRUE(Has("stays"));
}

TEST_F(Faults, EtcdRestoredFromABackupIsNoticedAndFollowed) {
  Prepare("restored");
  KubeSource source(cluster().Admin(), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced() && Has("goes"); }));
  ASSERT_TRUE(cluster().SaveState());
  // The API server is back at etcd when it takes this.
  ASSERT_TRUE(PollUntil(source, [&] { return cluster().Get("/readyz").status == 200; }));
  cluster().MakePod(space_, "undone", "10.6.3.3");
  for (int version = 0; version < 50; ++version) {
    ASSERT_EQ(cluster()
                  .Merge("/api/v1/namespaces/" + space_ + "/pods/undone",
                         R"({"metadata":{"labels":{"version":"v)" + std::to_string(version) + "\"}}}")
                  .status,
              200);
  }
  ASSERT_TRUE(PollUntil(source, [&] { return Has("undone"); }));
  ASSERT_TRUE(PollUntil(source, [&] {
    const auto& labels = std::get<Pod>(sink_.objects(kPods).at(space_ + "/undone").decoded.object).labels;
    return labels == Labels{{"app", "undone"}, {"version", "v49"}};
  }));
  ASSERT_TRUE(cluster().RestoreState()) << cluster().LastWords();
  // Of versions that are all before the one that the watch had come to.
  cluster().DeletePod(space_, "goes");
  cluster().MakePod(space_, "comes", "10.6.3.4");
  ASSERT_TRUE(PollUntil(source, [&] { return Has("comes") && !Has("goes") && !Has("undone"); }));
  EXPECT_TRUE(Has("stays"));
  EXPECT_THAT(sink_.troubles, Contains(HasSubstr("set back")));
}

TEST_F(Faults, FrozenApiServerIsGivenUpAndFollowedAgainWhenItThaws) {
  Prepare("frozen");
  for (WatchOptions& watch : options_.watches) {
    watch.watch_timeout = seconds(1);
    watch.timeout_margin = milliseconds(500);
    watch.answer_timeout = milliseconds(700);
  }
  KubeSource source(cluster().Admin(), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  cluster().api_server().Freeze();
  const bool noticed = PollUntil(source, [&] { return !sink_.troubles.empty(); });
  cluster().api_server().Thaw();
  ASSERT_TRUE(noticed);
  cluster().DeletePod(space_, "goes");
  ASSERT_TRUE(PollUntil(source, [&] { return !Has("goes"); }));
  EXPECT_TRUE(Has("stays"));
}

}  // namespace
}  // namespace sluice
