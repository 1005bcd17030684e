// What deploy/ asks of a real API server: objects that it takes as they are written, and a role that is just enough.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "kube/deploy_manifests.h"
#include "kube/kube_source.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kDryRun = "?fieldValidation=Strict&dryRun=All";

class Deploy : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { ServiceAccountToken(cluster()); }
  TestCluster& cluster() { return SharedCluster(); }
};

TEST_P(Deploy, IsTakenToTheLetterAndItsPodsAreAdmitted) {
  int pods = 0;
  for (const DeployManifest& manifest : ReadDeployManifests(GetParam())) {
    const HttpAnswer answer = cluster().Post(manifest.collection + kDryRun, manifest.text);
    ASSERT_EQ(answer.status, 201) << manifest.kind << ' ' << answer.body;
    const json object = json::parse(answer.body);
    if (manifest.kind != "DaemonSet" && manifest.kind != "Deployment") continue;
    EXPECT_EQ(object["spec"]["selector"]["matchLabels"], object["spec"]["template"]["metadata"]["labels"]);
    // There is no controller here to make its Pods.
    json pod = object["spec"]["template"];
    pod["apiVersion"] = "v1";
    pod["kind"] = "Pod";
    pod["metadata"]["name"] = "admitted";
    const HttpAnswer admitted =
        cluster().Post(std::string("/api/v1/namespaces/sluice-system/pods") + kDryRun, pod.dump());
    EXPECT_EQ(admitted.status, 201) << admitted.body;
    ++pods;
  }
  EXPECT_EQ(pods, 1);
}

TEST_P(Deploy, IsRefusedWithAFieldThatTheApiDoesNotHave) {
  for (const DeployManifest& manifest : ReadDeployManifests(GetParam())) {
    const HttpAnswer answer = cluster().Post(manifest.collection + kDryRun, manifest.text + "\nunknown: field\n");
    EXPECT_EQ(answer.status, 400) << manifest.kind << ' ' << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("unknown field"));
  }
}

INSTANTIATE_TEST_SUITE_P(Manifests, Deploy, testing::Values("node.yaml", "node-remove.yaml", "gateway.yaml"),
                         [](const auto& test) {
                           std::string name = test.param;
                           name.resize(name.find('.'));
                           std::erase(name, '-');
                           return name;
                         });

TEST(Role, IsEnough) {
  RecordingSink sink;
  KubeSource source(SharedCluster().WithToken(ServiceAccountToken(SharedCluster())), TestOptions(), sink);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  source.PostEvent({Resource::kNodes, "", "node-1", "", ""}, "Refused", "a test");
  ASSERT_TRUE(PollUntil(source, [&] { return source.event_health().posted == 1; }));
  EXPECT_THAT(sink.troubles, IsEmpty());
}

TEST(Role, GrantsNothingElse) {
  ServiceAccountToken(SharedCluster());
  const json role =
      json::parse(SharedCluster().Get("/apis/rbac.authorization.k8s.io/v1/clusterroles/sluice-sync").body);
  std::vector<std::string> allowed;
  for (const json& rule : role["rules"]) {
    for (const json& resource : rule["resources"]) {
      for (const json& verb : rule["verbs"])
        allowed.push_back(verb.get<std::string>() + ' ' + resource.get<std::string>());
    }
    EXPECT_FALSE(rule.contains("nonResourceURLs"));
  }
  std::vector<std::string> wanted = {"create events"};
  for (const Resource resource : kResources) {
    for (const char* verb : {"list ", "watch "}) wanted.push_back(verb + std::string(InfoOf(resource).name));
  }
  for (const Resource resource : kOptionalResources) {
    for (const char* verb : {"list ", "watch "}) wanted.push_back(verb + std::string(InfoOf(resource).name));
  }
  for (const Resource resource : kOptionalResources) {
    if (!IsClusterPolicy(resource)) continue;
    for (const char* verb : {"get ", "patch "}) wanted.push_back(verb + std::string(InfoOf(resource).name) + "/status");
  }
  EXPECT_THAT(allowed, testing::UnorderedElementsAreArray(wanted));
}

TEST(Role, OfLeasesIsForThoseOfOurNamespace) {
  const std::string token = ServiceAccountToken(SharedCluster());
  constexpr long kRefused = 403, kAbsent = 404;
  const auto get = [&](const std::string& space, const std::string& name) {
    const std::string path = "/apis/coordination.k8s.io/v1/namespaces/" + space + "/leases/" + name;
    return SharedCluster().SendAs(token, "GET", path, "", "").status;
  };
  EXPECT_EQ(get("sluice-system", "sluice-sync-status"), kAbsent);
  EXPECT_EQ(get("sluice-system", "sluice-sync.node-1"), kAbsent);
  EXPECT_EQ(get("kube-node-lease", "node-1"), kRefused);
  EXPECT_EQ(get("kube-system", "sluice-sync-status"), kRefused);
}

TEST(Role, RefusesWhatAThiefOfTheTokenWouldTry) {
  TestCluster& cluster = SharedCluster();
  const std::string token = ServiceAccountToken(cluster);
  constexpr long kForbidden = 403;
  const std::pair<const char*, const char*> tries[] = {
      {"GET", "/api/v1/secrets"},
      {"GET", "/api/v1/configmaps"},
      {"GET", "/api/v1/namespaces/sluice-system/pods/any"},
      {"GET", "/api/v1/namespaces/default/events"},
      {"GET", "/apis/apps/v1/daemonsets"},
      {"POST", "/api/v1/namespaces/default/pods"},
      {"DELETE", "/api/v1/namespaces/default/pods/any"},
      {"DELETE", "/api/v1/namespaces/default/events/any"},
      {"DELETE", "/apis/networking.k8s.io/v1/networkpolicies"},
      {"PUT", "/api/v1/nodes/any"},
      {"PUT", "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies/any"},
      {"DELETE", "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies/any"},
      {"POST", "/api/v1/namespaces/sluice-system/serviceaccounts/sluice-sync/token"},
      {"GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles"}};
  for (const auto& [method, path] : tries) {
    const bool has_body = std::string(method) == "POST" || std::string(method) == "PUT";
    const HttpAnswer answer =
        cluster.SendAs(token, method, path, has_body ? "application/json" : "", has_body ? "{}" : "");
    EXPECT_EQ(answer.status, kForbidden) << method << ' ' << path << ' ' << answer.body;
  }
  EXPECT_EQ(cluster.SendAs(token, "GET", "/api/v1/pods", "", "").status, 200);
}

}  // namespace
}  // namespace sluice
