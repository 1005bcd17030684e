// Starts one cluster for all cases, or skips them all where there is none to start. CI never skips.
#include <gtest/gtest.h>

#include <iostream>

#include "kube/shared_cluster.h"

namespace sluice {
namespace {

TestCluster* shared_cluster = nullptr;

}  // namespace

TestCluster& SharedCluster() { return *shared_cluster; }

bool PollUntil(KubeSource& source, const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    source.Poll(std::chrono::milliseconds(20));
  }
  return true;
}

KubeOptions TestOptions() {
  KubeOptions options;
  for (WatchOptions& watch : options.watches) {
    watch.backoff_least = std::chrono::milliseconds(20);
    watch.backoff_most = std::chrono::milliseconds(500);
  }
  options.seed = 1;
  return options;
}

}  // namespace sluice

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  if (const auto code = sluice::TestCluster::Missing()) return *code;
  sluice::TestCluster cluster;
  if (!cluster.Start()) {
    std::cerr << "the cluster did not start\n" << cluster.LastWords() << '\n';
    return 1;
  }
  sluice::shared_cluster = &cluster;
  return RUN_ALL_TESTS();
}
