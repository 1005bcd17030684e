// sluice-sync between a real API server and a dataplane.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "kube/deploy_manifests.h"
#include "kube/policy_definitions.h"
#include "kube/process.h"
#include "kube/shared_cluster.h"
#include "push/page.h"
#include "push/push_server.h"
#include "support/places.h"

namespace sluice {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

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

bool IsIsolatedWithoutRules(const ResolvedPolicy& policy, const std::string& name) {
  for (const Section& section : policy.sections) {
    if (section.policy == name) return section.isolates && section.rules.empty();
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

  // What deploy/rbac.yaml grants is all that it has.
  void Start() {
    ASSERT_TRUE(sync_.Start(
        {BuiltProgram("sluice-sync"), "--kubeconfig", cluster().KubeConfigFile(ServiceAccountToken(cluster())),
         "--target", target_, "--http", "127.0.0.1:" + std::to_string(port_)},
        folder_ / "log"));
  }
  std::string Log() const {
    std::ostringstream text;
    text << std::ifstream(folder_ / "log").rdbuf();
    return text.str();
  }

  // What /metrics comes to hold.
  bool Counts(const std::string& metric) {
    for (int i = 0; i < 500; ++i) {
      if (GetPage("http://127.0.0.1:" + std::to_string(port_) + "/metrics").text.find('\n' + metric + '\n') !=
          std::string::npos) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }
  nlohmann::json EventsOn(const std::string& space, const std::string& name) {
    return nlohmann::json::parse(
        cluster()
            .Get("/api/v1/namespaces/" + space +
                 "/events?fieldSelector=involvedObject.kind=NetworkPolicy,involvedObject.name=" + name)
            .body)["items"];
  }

  TempFolder folder_;
  int port_ = FreePort();
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
  // The one change since the start, by both clocks.
  EXPECT_TRUE(Counts("sluice_sync_received_to_live_seconds_count{target=\"" + target_ + "\"} 1"));
  EXPECT_TRUE(Counts("sluice_sync_changed_to_live_seconds_count{target=\"" + target_ + "\"} 1"));
  EXPECT_TRUE(Counts("sluice_sync_received_to_live_seconds_bucket{target=\"" + target_ + "\",le=\"1\"} 1"));
  EXPECT_THAT(LintMetrics(GetPage("http://127.0.0.1:" + std::to_string(port_) + "/metrics").text), IsEmpty());

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

TEST_F(SyncedCluster, NP_16_AStoredObjectThatIsRefusedKeepsItsLastGoodVersionAndIsToldOfOnce) {
  constexpr const char* kSpace = "stored";
  const std::string policies = "/apis/networking.k8s.io/v1/namespaces/stored/networkpolicies";
  cluster().MakeNamespace(kSpace);
  server_.Start();
  const HttpAnswer made = cluster().Post(policies, PolicyText(8081));
  ASSERT_EQ(made.status, 201) << made.body;
  Start();
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return Admits(policy, 8081); })) << Log();

  nlohmann::json stored = nlohmann::json::parse(made.body);
  stored["spec"]["ingress"][0]["ports"][0]["port"] = 70000;
  for (int version = 1; version <= 4; ++version) {
    stored["metadata"]["labels"]["version"] = std::to_string(version);
    ASSERT_TRUE(cluster().Store("/registry/networkpolicies/stored/web", stored.dump()));
    ASSERT_TRUE(Counts("sluice_sync_refused_objects_total{kind=\"NetworkPolicy\"} " + std::to_string(version)))
        << Log();
  }
  EXPECT_TRUE(Counts("sluice_sync_events_total{outcome=\"posted\"} 1")) << Log();
  EXPECT_TRUE(Counts("sluice_sync_events_total{outcome=\"repeated\"} 3")) << Log();
  EXPECT_THAT(Log(), HasSubstr("NetworkPolicy stored/web"));
  EXPECT_THAT(Log(), HasSubstr("70000"));
  const nlohmann::json events = EventsOn(kSpace, "web");
  ASSERT_EQ(events.size(), 1u) << events.dump(2);
  EXPECT_EQ(events[0]["type"], "Warning");
  EXPECT_EQ(events[0]["reason"], "Refused");
  EXPECT_EQ(events[0]["involvedObject"]["uid"], stored["metadata"]["uid"]);
  EXPECT_THAT(events[0]["message"].get<std::string>(), HasSubstr("spec.ingress[0].ports[0].port"));
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return Admits(policy, 8081); }));

  // Another sluice-sync, as on another node, finds it bad as well: still one Event. What it isolates, it isolates.
  sync_.Kill();
  server_.Forget();
  Start();
  EXPECT_TRUE(Counts("sluice_sync_events_total{outcome=\"repeated\"} 1")) << Log();
  EXPECT_EQ(EventsOn(kSpace, "web").size(), 1u);
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) {
    return IsIsolatedWithoutRules(policy, "stored/web");
  })) << server_.Dump();

  stored["spec"]["ingress"][0]["ports"][0]["port"] = 8082;
  ASSERT_TRUE(cluster().Store("/registry/networkpolicies/stored/web", stored.dump()));
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return Admits(policy, 8082); })) << Log();
}

TEST_F(SyncedCluster, APolicyThatADataplaneRefusesIsToldOfOnThePolicy) {
  const std::string policies = "/apis/networking.k8s.io/v1/namespaces/refused/networkpolicies";
  cluster().MakeNamespace("refused");
  server_.RefuseWhere([](const ResolvedPolicy& policy) -> std::optional<Diagnostic> {
    if (!Admits(policy, 8083)) return std::nullopt;
    return Diagnostic{Severity::kError, "", 0, "policy refused/web", "limits.rules", "there is no room for 1 rule"};
  });
  server_.Start();
  Start();
  ASSERT_EQ(cluster().Post(policies, PolicyText(8083)).status, 201);
  EXPECT_TRUE(Counts("sluice_sync_events_total{outcome=\"posted\"} 1")) << Log();
  EXPECT_TRUE(Counts("sluice_sync_held_policies{target=\"" + target_ + "\"} 1")) << Log();
  EXPECT_TRUE(Counts("sluice_sync_refusals_total{target=\"" + target_ + "\"} 1")) << Log();
  EXPECT_THAT(Log(), HasSubstr("there is no room for 1 rule"));
  const nlohmann::json events = EventsOn("refused", "web");
  ASSERT_EQ(events.size(), 1u) << events.dump(2);
  EXPECT_EQ(events[0]["reason"], "RefusedByDataplane");
  EXPECT_EQ(events[0]["message"], target_ + ": limits.rules: there is no room for 1 rule");
}

TEST_F(SyncedCluster, ARefusalOfAWholePolicyNamesNoEmptyField) {
  const std::string policies = "/apis/networking.k8s.io/v1/namespaces/whole/networkpolicies";
  cluster().MakeNamespace("whole");
  server_.RefuseWhere([](const ResolvedPolicy& policy) -> std::optional<Diagnostic> {
    if (!Admits(policy, 8084)) return std::nullopt;
    return Diagnostic{Severity::kError, "", 0, "policy whole/web", "", "is too large"};
  });
  server_.Start();
  Start();
  ASSERT_EQ(cluster().Post(policies, PolicyText(8084)).status, 201);
  EXPECT_TRUE(Counts("sluice_sync_events_total{outcome=\"posted\"} 1")) << Log();
  const nlohmann::json events = EventsOn("whole", "web");
  ASSERT_EQ(events.size(), 1u) << events.dump(2);
  EXPECT_EQ(events[0]["message"], target_ + ": is too large");
  EXPECT_THAT(Log(), HasSubstr("refused: policy whole/web: is too large"));
}

class SyncedStatus : public SyncedCluster {
 protected:
  static constexpr const char* kGuard = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies";

  // A policy whose one rule has that peer.
  static std::string Guard(const std::string& peer, int port) {
    return R"({"apiVersion":"policy.networking.k8s.io/v1alpha2","kind":"ClusterNetworkPolicy","metadata":{"name":"guard"},)"
           R"("spec":{"tier":"Admin","priority":1,"subject":{"namespaces":{}},"ingress":[{"action":"Accept",)"
           R"("from":[{")" +
           peer + R"(":{}}],"protocols":[{"tcp":{"destinationPort":{"number":)" + std::to_string(port) + "}}}]}]}}";
  }
  // "TYPE=STATUS/REASON@GENERATION: MESSAGE", a line each, in the order of the types.
  std::string Conditions() {
    std::set<std::string> lines;
    const auto object = nlohmann::json::parse(cluster().Get(std::string(kGuard) + "/guard").body);
    if (!object.contains("status")) return "";
    for (const auto& each : object["status"]["conditions"]) {
      lines.insert(each["type"].get<std::string>() + '=' + each["status"].get<std::string>() + '/' +
                   each["reason"].get<std::string>() + '@' + std::to_string(each["observedGeneration"].get<int>()) +
                   ": " + each["message"].get<std::string>());
    }
    std::string text;
    for (const std::string& line : lines) text += line + '\n';
    return text;
  }
  bool Comes(const std::string& conditions) {
    for (int i = 0; i < 1000; ++i) {
      if (Conditions() == conditions) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
    }
    return false;
  }

  void ForgetLeases() {
    const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases/";
    for (const char* name : {"sluice-sync-status", "sluice-sync.n1", "sluice-sync.n2"}) cluster().Delete(leases + name);
  }

  PolicyDefinitions definitions_{cluster()};
};

TEST_F(SyncedStatus, OfAClusterPolicyFollowsItFromAcceptedToInForce) {
  ForgetLeases();
  definitions_.Define("clusternetworkpolicies", "ClusterNetworkPolicy", {"v1alpha2"});
  HttpAnswer answer;
  for (int i = 0; i < 500 && answer.status != 201; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    answer = cluster().Post(kGuard, Guard("namespaces", 8091));
  }
  ASSERT_EQ(answer.status, 201) << answer.body;
  server_.Start();
  Start();
  ASSERT_TRUE(
      Comes("Accepted=True/Valid@1: all of it is supported\n"
            "Programmed=True/InForce@1: generation 1 is in force in 1 of 1 dataplane\n"))
      << Conditions() << Log();
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return Admits(policy, 8091); }));

  // What we do not know of a newer version.
  ASSERT_EQ(cluster().Merge(std::string(kGuard) + "/guard", Guard("serviceAccounts", 8091)).status, 200);
  const std::string unknown = "spec.ingress[0].from[0].serviceAccounts: ";
  for (int i = 0; i < 500 && Conditions().find("PartiallyInvalid") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
  }
  EXPECT_THAT(Conditions(), testing::AllOf(HasSubstr("Accepted=True/UnsupportedField@2"),
                                           HasSubstr("PartiallyInvalid=True/UnsupportedField@2: " + unknown),
                                           HasSubstr("Programmed=True/InForce@2: generation 2")));

  // What a dataplane has no room for. Nothing says which one.
  server_.RefuseWhere([](const ResolvedPolicy& policy) -> std::optional<Diagnostic> {
    if (!Admits(policy, 8092)) return std::nullopt;
    return Diagnostic{Severity::kError, "", 0, "policy guard", "rules", "there is no room for 1 rule"};
  });
  ASSERT_EQ(cluster().Merge(std::string(kGuard) + "/guard", Guard("namespaces", 8092)).status, 200);
  EXPECT_TRUE(
      Comes("Accepted=True/Valid@3: all of it is supported\n"
            "Programmed=False/RefusedByDataplane@3: generation 3 is in force in 0 of 1 dataplane; refused: "
            "rules: there is no room for 1 rule\n"))
      << Conditions() << Log();
  server_.RefuseWhere({});
  EXPECT_TRUE(
      Comes("Accepted=True/Valid@3: all of it is supported\n"
            "Programmed=True/InForce@3: generation 3 is in force in 1 of 1 dataplane\n"))
      << Conditions() << Log();

  // What our own writing brings back is no change: nothing is told again.
  std::size_t told = 0;
  const std::string log = Log();
  for (std::size_t at = log.find(unknown); at != std::string::npos; at = log.find(unknown, at + 1)) ++told;
  EXPECT_EQ(told, 1u) << log;
  EXPECT_TRUE(Counts("sluice_sync_statuses_total{outcome=\"failed\"} 0"));
}

// A dataplane and its sluice-sync on each of two nodes, and none that knows both.
TEST_F(SyncedStatus, FromNodesCountsAllOfThem) {
  ForgetLeases();
  definitions_.Define("clusternetworkpolicies", "ClusterNetworkPolicy", {"v1alpha2"});
  // A node's view has the policies of its own pods.
  cluster().MakeNamespace("reported");
  cluster().MakePod("reported", "first", "10.9.2.1", "n1");
  cluster().MakePod("reported", "second", "10.9.2.2", "n2");
  const std::string second_target = "unix:" + (folder_ / "second.sock");
  PushServer second(second_target);
  server_.Start();
  second.Start();
  Process first_sync, second_sync;
  const std::string config = cluster().KubeConfigFile(ServiceAccountToken(cluster()));
  ASSERT_TRUE(
      first_sync.Start({BuiltProgram("sluice-sync"), "--kubeconfig", config, "--target", target_, "--node", "n1"},
                       folder_ / "first.log"));
  ASSERT_TRUE(second_sync.Start(
      {BuiltProgram("sluice-sync"), "--kubeconfig", config, "--target", second_target, "--node", "n2"},
      folder_ / "second.log"));
  HttpAnswer answer;
  for (int i = 0; i < 500 && answer.status != 201; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    answer = cluster().Post(kGuard, Guard("namespaces", 8093));
  }
  ASSERT_EQ(answer.status, 201) << answer.body;
  EXPECT_TRUE(
      Comes("Accepted=True/Valid@1: all of it is supported\n"
            "Programmed=True/InForce@1: generation 1 is in force in 2 of 2 dataplanes\n"))
      << Conditions();

  // Which node refuses it is in the Event; why, in the status too, whichever of the two writes it.
  second.RefuseWhere([](const ResolvedPolicy& policy) -> std::optional<Diagnostic> {
    if (!Admits(policy, 8094)) return std::nullopt;
    return Diagnostic{Severity::kError, "", 0, "policy guard", "rules", "there is no room for 1 rule"};
  });
  ASSERT_EQ(cluster().Merge(std::string(kGuard) + "/guard", Guard("namespaces", 8094)).status, 200);
  EXPECT_TRUE(
      Comes("Accepted=True/Valid@2: all of it is supported\n"
            "Programmed=False/RefusedByDataplane@2: generation 2 is in force in 1 of 2 dataplanes; refused: "
            "rules: there is no room for 1 rule\n"))
      << Conditions();
  second.RefuseWhere({});
  ASSERT_EQ(cluster().Merge(std::string(kGuard) + "/guard", Guard("namespaces", 8095)).status, 200);
  EXPECT_TRUE(
      Comes("Accepted=True/Valid@3: all of it is supported\n"
            "Programmed=True/InForce@3: generation 3 is in force in 2 of 2 dataplanes\n"))
      << Conditions();
  first_sync.Kill();
  second_sync.Kill();
}

}  // namespace
}  // namespace sluice
