// fault_test [--seed N] [--seconds S] [GoogleTest's flags]
//
// Runs in a network and a mount namespace of its own: whatever happens, nothing of it is left. Without root, or without
// an API server to start, it says so and is skipped.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "faults/fault_rig.h"

namespace sluice {
namespace {

constexpr int kSkipped = 77;  // what ctest takes for "skipped"

FaultOptions options;
TestCluster* cluster = nullptr;

int Skip(const std::string& why) {
  const char* ci = std::getenv("CI");
  const bool in_ci = ci != nullptr && std::string_view(ci) == "true" && geteuid() == 0;
  std::cerr << (in_ci ? "failed: " : "skipped: ") << why << '\n';
  return in_ci ? 1 : kSkipped;
}

std::string EnterOwnNamespaces() {
  if (geteuid() != 0) return "needs root, for network namespaces and packet sockets";
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return "cannot make a mount namespace";
  }
  return EnterOwnNetwork();
}

}  // namespace

const FaultOptions& Options() { return options; }
TestCluster& SharedCluster() { return *cluster; }

}  // namespace sluice

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--seed") sluice::options.seed = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--seconds") sluice::options.seconds = std::strtod(argv[i + 1], nullptr);
  }
  if (const std::string why = sluice::EnterOwnNamespaces(); !why.empty()) return sluice::Skip(why);
  if (const auto code = sluice::TestCluster::Missing()) return *code;
  sluice::TestCluster cluster;
  if (!cluster.Start()) {
    std::cerr << "the cluster did not start\n" << cluster.LastWords() << '\n';
    return 1;
  }
  sluice::cluster = &cluster;
  return RUN_ALL_TESTS();
}
