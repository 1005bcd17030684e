// sluice-sync between a real API server and a dataplane.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "kube/process.h"
#include "kube/shared_cluster.h"
#include "push/push_server.h"

namespace sluice {
namespace {

constexpr const char* kPolicies = "/apis/networking.k8s.io/v1/namespaces/synced/networkpolicies";

std::string PolicyText(int port) {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"web"},)"
         R"("spec":{"podSelector":{},"ingress":[{"ports":[{"port":)" +
         std::to_string(port) + "}]}]}}";
}

bool Admits(const ResolvedPolicy& policy, int port) {
  for (const Section& section : policy.sections) {
    for (const Rule& rule : section.rules) {
      for (const PortRange& range : rule.ports) {
        if (range.first == port) return true;
      }
    }
  }
  return false;
}

bool HasEndpoint(const ResolvedPolicy& policy, const std::string& name) {
  for (const Endpoint& endpoint : policy.endpoints) {
    if (endpoint.name == name) return true;
  }
  return false;
}

class SyncedCluster : public testing::Test {
 protected:
  TestCluster& cluster() { return SharedCluster(); }

  void Start() {
    ASSERT_TRUE(
        sync_.Start({SLUICE_SYNC, "--kubeconfig", cluster().KubeConfigFile(), "--target", target_}, folder_ / "log"));
  }
  std::string Log() const {
    std::ostringstream text;
    text << std::ifstream(folder_ / "log").rdbuf();
    return text.str();
  }

  TempFolder folder_;
  std::string target_ = "unix:" + (folder_ / "sluiced.sock");
  PushServer server_{target_};
  Process sync_;
};

TEST_F(SyncedCluster, WhatIsAppliedReachesTheDataplaneThroughEveryRestart) {
  cluster().MakeNamespace("synced");
  cluster().MakePod("synced", "web", "10.9.0.1", "node-1");
  server_.Start();
  Start();
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return HasEndpoint(policy, "web"); })) << Log();
  ASSERT_EQ(cluster().Post(kPolicies, PolicyText(80)).status, 201);
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return Admits(policy, 80); })) << Log();
  EXPECT_EQ(server_.full_states(), 1);

  // The API server is killed: what is in force stays, and what comes after is followed.
  cluster().KillApiServer();
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  cluster().MakePod("synced", "late", "10.9.0.2", "node-1");
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return HasEndpoint(policy, "late"); })) << Log();
  EXPECT_EQ(server_.full_states(), 1);

  // sluice-sync is killed, and an object goes while it is away.
  sync_.Kill();
  cluster().DeletePod("synced", "web");
  ASSERT_EQ(cluster().Delete(std::string(kPolicies) + "/web").status, 200);
  Start();
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return !HasEndpoint(policy, "web"); })) << Log();
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return !Admits(policy, 80); })) << Log();
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return HasEndpoint(policy, "late"); })) << Log();
}

}  // namespace
}  // namespace sluice
