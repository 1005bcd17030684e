// The feed of drops under the thread sanitizer: a worker that drops, watchers that come and go, and policy that
// changes.
#include "api/drop_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>

#include "core/pipeline_fixture.h"

namespace sluice {
namespace {

class OneWorker final : public DataplaneView {
 public:
  std::vector<PortState> Ports() const override { return {}; }
  std::vector<Observation> Workers() const override { return {worker_.pipeline().Observe()}; }
  PipelineFixture& worker() { return worker_; }

 private:
  mutable PipelineFixture worker_;
};

TEST(DropFeed, WatchersComeAndGoBesideTheWorkerAndTheWriter) {
  std::mutex published;
  std::shared_ptr<const Table> newest;
  PolicyStore store({}, [&](std::shared_ptr<const Table> table) {
    const std::lock_guard lock(published);
    newest = std::move(table);
  });
  ASSERT_FALSE(store.Replace(ServerAdmitsClient()));
  OneWorker plane;
  DropFeed feed(store, plane);
  std::atomic<bool> done{false};
  std::thread worker([&] {
    const ByteVector denied = ClientTcp(kTcpSyn, 1234, 81).Bytes();
    while (!done) {
      {
        const std::lock_guard lock(published);
        plane.worker().Load(newest);
      }
      plane.worker().SendQuietly({denied, denied, denied});
      std::this_thread::yield();
    }
  });
  std::thread writer([&] {
    while (!done) EXPECT_FALSE(store.Replace(ServerAdmitsClient()));
  });
  const auto watch = [&](int times) {
    for (int i = 0; i < times; ++i) {
      DropFeed::Watcher watcher(feed, std::get<DropFilter>(DropFilter::Of({})));
      ASSERT_TRUE(watcher.accepted());
      std::uint64_t seen = 0;
      while (seen < 20) {
        v1::WatchDropsResponse message;
        watcher.Take(&message);
        for (const v1::DropEvent& drop : message.drops()) {
          EXPECT_EQ(drop.ingress().policy(), "default/server");
          EXPECT_EQ(drop.ingress().index(), -1);
          EXPECT_EQ(drop.source_pod(), "default/client");
          ++seen;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  };
  std::thread other([&] { watch(20); });
  watch(20);
  other.join();
  done = true;
  worker.join();
  writer.join();
}

}  // namespace
}  // namespace sluice
