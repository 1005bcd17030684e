// Staged policies of a real API server, by the definitions in deploy/ and Calico's kind: watched from when on it has
// the kind, and as strict as it must be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kube/deploy_manifests.h"
#include "kube/kube_source.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using nlohmann::json;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kStaged = Resource::kStagedNetworkPolicies;
constexpr const char* kCollection = "/apis/policy.sluice.internal/v1alpha1/namespaces/default/stagednetworkpolicies";
constexpr auto kStagedCluster = Resource::kStagedClusterNetworkPolicies;
constexpr auto kCalico = Resource::kCalicoStagedNetworkPolicies;
constexpr const char* kClusterCollection = "/apis/policy.sluice.internal/v1alpha1/stagedclusternetworkpolicies";
constexpr const char* kDefinitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
constexpr long kNotFound = 404;
constexpr long kCreated = 201;
constexpr long kUnprocessable = 422;

json Staged(const std::string& name, json spec) {
  return {{"apiVersion", "policy.sluice.internal/v1alpha1"},
          {"kind", "StagedNetworkPolicy"},
          {"metadata", {{"name", name}}},
          {"spec", std::move(spec)}};
}

json StagedCluster(const std::string& name, json spec) {
  return {{"apiVersion", "policy.sluice.internal/v1alpha1"},
          {"kind", "StagedClusterNetworkPolicy"},
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
    for (const std::string& definition : defined_) cluster().Delete(definition);
    KubeSource source(cluster().Admin(), options_, sink_);
    for (const std::string& definition : defined_) {
      EXPECT_TRUE(PollUntil(source, [&] { return cluster().Get(definition).status == kNotFound; })) << definition;
    }
  }

  static TestCluster& cluster() { return SharedCluster(); }
  void Define() {
    for (const DeployManifest& manifest : ReadDeployManifests("staged-policies.yaml")) {
      const HttpAnswer answer = cluster().Post(manifest.collection + "?fieldValidation=Strict", manifest.text);
      ASSERT_EQ(answer.status, kCreated) << answer.body;
      defined_.push_back(manifest.collection + '/' + manifest.name);
    }
  }
  // As much of Calico's definition as matters here.
  void DefineCalicos(const std::string& group, const std::string& version) {
    const std::string plural = "stagedkubernetesnetworkpolicies";
    const json open = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
    const json definition = {
        {"apiVersion", "apiextensions.k8s.io/v1"},
        {"kind", "CustomResourceDefinition"},
        {"metadata", {{"name", plural + '.' + group}}},
        {"spec",
         {{"group", group},
          {"scope", "Namespaced"},
          {"names", {{"plural", plural}, {"kind", "StagedKubernetesNetworkPolicy"}}},
          {"versions",
           {{{"name", version},
             {"served", true},
             {"storage", true},
             {"schema", {{"openAPIV3Schema", {{"type", "object"}, {"properties", {{"spec", open}}}}}}}}}}}}};
    const HttpAnswer answer = cluster().Post(kDefinitions, definition.dump());
    ASSERT_EQ(answer.status, kCreated) << answer.body;
    defined_.push_back(kDefinitions + ('/' + plural) + '.' + group);
  }
  const StagedNetworkPolicy& Seen(const std::string& name, Resource resource = kStaged) const {
    return std::get<StagedNetworkPolicy>(sink_.objects(resource).at(name).decoded.object);
  }

  KubeOptions options_ = TestOptions();
  RecordingSink sink_;
  std::vector<std::string> defined_;  // paths
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
  EXPECT_EQ(Seen("default/web").action, StagedAction::kSet);
  EXPECT_EQ(Seen("default/web").policy.ingress.at(0).ports.size(), 2u);

  ASSERT_EQ(cluster().Post(kCollection, Staged("old", {{"action", "Delete"}}).dump()).status, kCreated);
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kStaged, "default/old"); }));
  EXPECT_EQ(Seen("default/old").action, StagedAction::kDelete);

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
  EXPECT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  EXPECT_THAT(sink_.troubles, Each(HasSubstr("storage is (re)initializing")));  // a kind that has just come
}

TEST_F(StagedPolicies, OfClusterPoliciesAreFoundToo) {
  Define();
  KubeSource source(cluster().WithToken(ServiceAccountToken(cluster())), options_, sink_);
  const json spec = {
      {"tier", "Admin"},
      {"priority", 7},
      {"subject", {{"namespaces", json::object()}}},
      {"ingress", {{{"action", "Deny"}, {"from", {{{"namespaces", json::object()}}}}}}},
      {"egress",
       {{{"name", "out"},
         {"action", "Accept"},
         {"to", {{{"networks", {"10.0.0.0/8"}}}}},
         {"protocols", {{{"tcp", {{"destinationPort", {{"range", {{"start", 80}, {"end", 90}}}}}}}}}}}}}};
  ASSERT_TRUE(PollUntil(source, [&] {
    return cluster().Post(kClusterCollection, StagedCluster("guard", spec).dump()).status == kCreated;
  }));
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kStagedCluster, "guard"); }));
  const auto& seen = std::get<StagedClusterPolicy>(sink_.objects(kStagedCluster).at("guard").decoded.object);
  EXPECT_EQ(seen.action, StagedAction::kSet);
  EXPECT_EQ(seen.policy.priority, 7u);
  ASSERT_EQ(seen.policy.egress.size(), 1u);
  EXPECT_EQ(seen.policy.egress[0].ports.at(0).last, 90);

  // To be deleted needs nothing else; what is to be set, does.
  ASSERT_EQ(cluster().Post(kClusterCollection, StagedCluster("old", {{"action", "Delete"}}).dump()).status, kCreated);
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kStagedCluster, "old"); }));
  const json subject = {{"namespaces", json::object()}};
  for (const json& broken :
       {json{{"tier", "Admin"}, {"subject", subject}}, json{{"tier", "Top"}, {"priority", 1}, {"subject", subject}},
        json{{"tier", "Admin"}, {"priority", 1001}, {"subject", subject}},
        json{{"tier", "Admin"}, {"priority", 1}, {"subject", json::object()}}}) {
    EXPECT_EQ(cluster().Post(kClusterCollection, StagedCluster("x", broken).dump()).status, kUnprocessable) << broken;
  }
  cluster().Delete(std::string(kClusterCollection) + "/guard");
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.Has(kStagedCluster, "guard"); }));
  EXPECT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  EXPECT_THAT(sink_.troubles, Each(HasSubstr("storage is (re)initializing")));  // a kind that has just come
}

class CalicosStagedPolicies : public StagedPolicies,
                              public testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(CalicosStagedPolicies, AreFoundWhenTheKindComes) {
  const auto [group, version] = GetParam();
  KubeSource source(cluster().WithToken(ServiceAccountToken(cluster())), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  DefineCalicos(group, version);
  const std::string type = std::string(group) + '/' + version;
  const std::string collection = "/apis/" + type + "/namespaces/default/stagedkubernetesnetworkpolicies";
  const auto object = [&](const std::string& name, const json& spec) {
    return json{
        {"apiVersion", type}, {"kind", "StagedKubernetesNetworkPolicy"}, {"metadata", {{"name", name}}}, {"spec", spec}}
        .dump();
  };
  const json web = {
      {"stagedAction", "Set"}, {"podSelector", json::object()}, {"ingress", {{{"ports", {{{"port", 80}}}}}}}};
  ASSERT_TRUE(PollUntil(source, [&] { return cluster().Post(collection, object("web", web)).status == kCreated; }));
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kCalico, "default/web"); }));
  EXPECT_EQ(Seen("default/web", kCalico).action, StagedAction::kSet);
  EXPECT_EQ(Seen("default/web", kCalico).by, StagedBy::kCalicoObject);
  EXPECT_EQ(Seen("default/web", kCalico).policy.ingress.size(), 1u);
  ASSERT_EQ(cluster().Post(collection, object("learned", {{"stagedAction", "Learn"}})).status, kCreated);
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kCalico, "default/learned"); }));
  EXPECT_EQ(Seen("default/learned", kCalico).action, StagedAction::kIgnore);
  cluster().Delete(collection + "/web");
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.Has(kCalico, "default/web"); }));
  EXPECT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  EXPECT_THAT(sink_.troubles, Each(HasSubstr("storage is (re)initializing")));  // a kind that has just come
}

INSTANTIATE_TEST_SUITE_P(Groups, CalicosStagedPolicies,
                         testing::Values(std::pair("projectcalico.org", "v3"),
                                         std::pair("crd.projectcalico.org", "v1")),
                         [](const auto& test) { return std::string(test.param.second); });

// A role of before the kind: policy must come into force all the same, and the trouble names the remedy.
TEST_F(StagedPolicies, ThatMayNotBeReadHoldUpNothingElse) {
  Define();
  const json role = {{"apiVersion", "rbac.authorization.k8s.io/v1"},
                     {"kind", "ClusterRole"},
                     {"metadata", {{"name", "sluice-sync-before-staging"}}},
                     {"rules",
                      {{{"apiGroups", {"", "networking.k8s.io"}},
                        {"resources", {"namespaces", "nodes", "pods", "networkpolicies"}},
                        {"verbs", {"list", "watch"}}}}}};
  const std::string roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
  const std::string bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  ASSERT_EQ(cluster().Post(roles, role.dump()).status, kCreated);
  defined_.push_back(roles + "/sluice-sync-before-staging");
  const json account = {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", "old-sync"}}}};
  ASSERT_EQ(cluster().Post(accounts, account.dump()).status, kCreated);
  defined_.push_back(accounts + "/old-sync");
  const json binding = {
      {"apiVersion", "rbac.authorization.k8s.io/v1"},
      {"kind", "ClusterRoleBinding"},
      {"metadata", {{"name", "old-sync"}}},
      {"roleRef",
       {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", "sluice-sync-before-staging"}}},
      {"subjects", {{{"kind", "ServiceAccount"}, {"name", "old-sync"}, {"namespace", "default"}}}}};
  ASSERT_EQ(cluster().Post(bindings, binding.dump()).status, kCreated);
  defined_.push_back(bindings + "/old-sync");
  const json request = {
      {"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", {{"expirationSeconds", 3600}}}};
  const HttpAnswer token = cluster().Post(accounts + "/old-sync/token", request.dump());
  ASSERT_EQ(token.status, kCreated) << token.body;
  KubeSource source(cluster().WithToken(json::parse(token.body)["status"]["token"]), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.watches(kStaged) && source.synced(); }));
  EXPECT_TRUE(source.health(kStaged).forbidden);
  EXPECT_THAT(sink_.troubles, testing::Contains(HasSubstr("bind the role in deploy/rbac.yaml")));
}

}  // namespace
}  // namespace sluice
