// Staged policies of a real API server, by the definition in deploy/: watched from when on it has the kind, and as
// strict as it must be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "kube/deploy_manifests.h"
#include "kube/kube_source.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kStaged = Resource::kStagedNetworkPolicies;
constexpr const char* kCollection = "/apis/policy.sluice.internal/v1alpha1/namespaces/default/stagednetworkpolicies";
constexpr const char* kDefinition =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/stagednetworkpolicies.policy.sluice.internal";
constexpr long kCreated = 201;
constexpr long kUnprocessable = 422;

json Staged(const std::string& name, json spec) {
  return {{"apiVersion", "policy.sluice.internal/v1alpha1"},
          {"kind", "StagedNetworkPolicy"},
          {"metadata", {{"name", name}}},
          {"spec", std::move(spec)}};
}

class StagedPolicies : public testing::Test {
 protected:
  StagedPolicies() {
    options_.discovery.interval = std::chrono::milliseconds(200);
    options_.optional_watches = options_.watches[0];
  }
  ~StagedPolicies() override {
    cluster().Delete(kDefinition);
    KubeSource source(cluster().Admin(), options_, sink_);
    EXPECT_TRUE(PollUntil(source, [] { return cluster().Get(kDefinition).status == 404; }));
  }

  static TestCluster& cluster() { return SharedCluster(); }
  static void Define() {
    for (const DeployManifest& manifest : ReadDeployManifests("staged-policies.yaml")) {
      const HttpAnswer answer = cluster().Post(manifest.collection + "?fieldValidation=Strict", manifest.text);
      ASSERT_EQ(answer.status, kCreated) << answer.body;
    }
  }
  const StagedNetworkPolicy& Seen(const std::string& name) const {
    return std::get<StagedNetworkPolicy>(sink_.objects(kStaged).at(name).decoded.object);
  }

  KubeOptions options_ = TestOptions();
  RecordingSink sink_;
};

TEST_F(StagedPolicies, AreFoundWhenTheKindComesAndAsStrictAsTheyMustBe) {
  KubeSource source(cluster().WithToken(ServiceAccountToken(cluster())), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  EXPECT_FALSE(source.watches(kStaged));
  EXPECT_THAT(sink_.troubles, IsEmpty());

  Define();
  const json web = Staged(
      "web",
      {{"podSelector", {{"matchLabels", {{"app", "web"}}}}},
       {"ingress",
        {{{"from", {{{"ipBlock", {{"cidr", "10.0.0.0/8"}}}}}}, {"ports", {{{"port", 80}}, {{"port", "http"}}}}}}}});
  ASSERT_TRUE(PollUntil(source, [&] { return cluster().Post(kCollection, web.dump()).status == kCreated; }));
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kStaged, "default/web"); }));
  EXPECT_EQ(Seen("default/web").action, StagedNetworkPolicy::Action::kSet);
  EXPECT_EQ(Seen("default/web").policy.ingress.at(0).ports.size(), 2u);

  ASSERT_EQ(cluster().Post(kCollection, Staged("old", {{"action", "Delete"}}).dump()).status, kCreated);
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kStaged, "default/old"); }));
  EXPECT_EQ(Seen("default/old").action, StagedNetworkPolicy::Action::kDelete);

  // The API server refuses what its definition can tell, we refuse the rest, and it stages nothing.
  EXPECT_EQ(cluster().Post(kCollection, Staged("x", {{"action", "Replace"}}).dump()).status, kUnprocessable);
  const json broken = Staged("broken", {{"ingress", {{{"from", {{{"ipBlock", {{"cidr", "10.0.0.0/99"}}}}}}}}}});
  ASSERT_EQ(cluster().Post(kCollection, broken.dump()).status, kCreated);
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kStaged, "default/broken"); }));
  const ReceivedObject& received = sink_.objects(kStaged).at("default/broken");
  EXPECT_EQ(received.decoded.outcome, DecodedObject::Outcome::kRefused);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(received.decoded.object));
  ASSERT_FALSE(received.diagnostics.empty());
  EXPECT_THAT(received.diagnostics[0].ToString(), HasSubstr("spec.ingress[0].from[0].ipBlock.cidr"));

  cluster().Delete(std::string(kCollection) + "/web");
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.Has(kStaged, "default/web"); }));
  EXPECT_TRUE(source.synced());
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

}  // namespace
}  // namespace sluice
