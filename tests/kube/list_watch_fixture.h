// A KubeSource against a ScriptedServer: pods are what the test scripts, of the other resources there is nothing.
#ifndef SLUICE_TESTS_KUBE_LIST_WATCH_FIXTURE_H_
#define SLUICE_TESTS_KUBE_LIST_WATCH_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kube/kube_source.h"
#include "kube/recording_sink.h"
#include "kube/scripted_server.h"

namespace sluice {

inline constexpr auto kPods = Resource::kPods;
inline const auto kNoStreamingList = Refuse(422, "Invalid", "sendInitialEvents: Forbidden");

inline std::string Added(const std::string& name, const std::string& version) {
  return EventLine("ADDED", PodJson(name, version));
}

class ListWatchTest : public testing::Test {
 protected:
  ListWatchTest() {
    for (WatchOptions& watch : options_.watches) {
      watch.backoff_least = std::chrono::milliseconds(5);
      watch.backoff_most = std::chrono::milliseconds(50);
      watch.ask_again_after = std::chrono::milliseconds(5);
    }
    options_.seed = 1;
  }

  WatchOptions& pods() { return options_.watches[static_cast<std::size_t>(kPods)]; }

  void Begin(std::vector<ScriptedServer::Step> steps) {
    server_ = std::make_unique<ScriptedServer>(std::move(steps));
    source_ = std::make_unique<KubeSource>(server_->Access(), options_, sink_);
  }

  bool Until(const std::function<bool()>& done, std::chrono::milliseconds timeout = std::chrono::milliseconds(8000)) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!done()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      source_->Poll(std::chrono::milliseconds(5));
    }
    return true;
  }
  bool UntilPod(const std::string& name) {
    return Until([&] { return Has(name) && source_->synced(); });
  }
  bool Has(const std::string& name) const { return sink_.Has(kPods, "default/" + name); }
  std::string Target(std::size_t number) {
    const auto targets = server_->targets();
    return number < targets.size() ? targets[number] : "none";
  }

  KubeOptions options_;
  RecordingSink sink_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<KubeSource> source_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_KUBE_LIST_WATCH_FIXTURE_H_
