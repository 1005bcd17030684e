// Cluster policies of a real API server: watched where it has the kinds, and from when on it has them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "kube/kube_source.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kPolicies = Resource::kClusterNetworkPolicies;
constexpr char kDefinitions[] = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
constexpr char kGroup[] = "policy.networking.k8s.io";

// Our own: as much of upstream's as this test needs. Unknown fields of a spec are kept, as in a newer version of it.
json Definition(const std::string& plural, const std::string& kind, const std::vector<std::string>& versions) {
  json definition = {
      {"apiVersion", "apiextensions.k8s.io/v1"},
      {"kind", "CustomResourceDefinition"},
      {"metadata",
       {{"name", plural + '.' + kGroup}, {"annotations", {{"api-approved.kubernetes.io", "unapproved, of a test"}}}}},
      {"spec",
       {{"group", kGroup}, {"scope", "Cluster"}, {"names", {{"plural", plural}, {"kind", kind}}}, {"versions", {}}}}};
  for (const std::string& version : versions) {
    const json open = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
    definition["spec"]["versions"].push_back(
        {{"name", version},
         {"served", true},
         {"storage", version == versions.back()},
         {"subresources", {{"status", json::object()}}},
         {"schema", {{"openAPIV3Schema", {{"type", "object"}, {"properties", {{"spec", open}, {"status", open}}}}}}}});
  }
  return definition;
}

json Policy(const std::string& name, json from) {
  return {{"metadata", {{"name", name}}},
          {"spec",
           {{"tier", "Admin"},
            {"priority", 1},
            {"subject", {{"namespaces", json::object()}}},
            {"ingress", {{{"action", "Pass"}, {"from", json::array({std::move(from)})}}}}}}};
}

class ClusterPolicies : public testing::Test {
 protected:
  ClusterPolicies() {
    options_.discovery.interval = std::chrono::milliseconds(200);
    options_.optional_watches = options_.watches[0];
  }
  // Leaves no definition behind, nor a group that has one: other tests begin without.
  ~ClusterPolicies() override {
    for (const char* plural : {"clusternetworkpolicies", "adminnetworkpolicies"}) {
      cluster().Delete(std::string(kDefinitions) + '/' + plural + '.' + kGroup);
    }
    constexpr long kNotFound = 404;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (cluster().Get(std::string("/apis/") + kGroup).status != kNotFound) {
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "the definitions do not go";
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  static TestCluster& cluster() { return SharedCluster(); }
  static std::string PathOf(const std::string& version) {
    return std::string("/apis/") + kGroup + '/' + version + "/clusternetworkpolicies";
  }
  void Define(const std::string& plural, const std::string& kind, const std::vector<std::string>& versions) {
    const HttpAnswer answer = cluster().Post(kDefinitions, Definition(plural, kind, versions).dump());
    ASSERT_EQ(answer.status, 201) << answer.body;
  }
  // Once the API server serves the kind.
  void Make(KubeSource& source, const std::string& version, json policy) {
    policy["apiVersion"] = std::string(kGroup) + '/' + version;
    policy["kind"] = "ClusterNetworkPolicy";
    ASSERT_TRUE(PollUntil(source, [&] { return cluster().Post(PathOf(version), policy.dump()).status == 201; }));
  }

  KubeOptions options_ = TestOptions();
  RecordingSink sink_;
};

TEST_F(ClusterPolicies, AreFoundWhenTheKindComesAndGoWithIt) {
  KubeSource source(cluster().Admin(), options_, sink_);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced(); }));
  EXPECT_FALSE(source.watches(kPolicies));
  EXPECT_THAT(sink_.troubles, IsEmpty());

  Define("clusternetworkpolicies", "ClusterNetworkPolicy", {"v1alpha2"});
  Make(source, "v1alpha2", Policy("guard", {{"namespaces", json::object()}}));
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kPolicies, "guard"); }));
  const auto& guard = std::get<ClusterPolicy>(sink_.objects(kPolicies).at("guard").decoded.object);
  EXPECT_EQ(guard.ingress.at(0).action, Action::kPass);
  EXPECT_FALSE(source.watches(Resource::kAdminNetworkPolicies));

  ASSERT_EQ(cluster().Delete(std::string(kDefinitions) + "/clusternetworkpolicies." + kGroup).status, 200);
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.Has(kPolicies, "guard"); }));
  ASSERT_TRUE(PollUntil(source, [&] { return !source.watches(kPolicies); }));
  EXPECT_TRUE(source.synced());
}

TEST_F(ClusterPolicies, AreThereBeforeTheSourceIsSynced) {
  Define("clusternetworkpolicies", "ClusterNetworkPolicy", {"v1alpha2", "v1beta1"});
  Define("adminnetworkpolicies", "AdminNetworkPolicy", {"v1alpha1"});
  KubeSource before(cluster().Admin(), options_, sink_);
  Make(before, "v1beta1", Policy("first", {{"namespaces", json::object()}}));
  RecordingSink sink;
  KubeSource source(cluster().Admin(), options_, sink);
  ASSERT_TRUE(PollUntil(source, [&] { return source.synced() && source.watches(Resource::kAdminNetworkPolicies); }));
  EXPECT_TRUE(sink.Has(kPolicies, "first"));
}

TEST_F(ClusterPolicies, CNP_08_WhatTheServerKnowsAndWeDoNotFailsClosedAndIsNamed) {
  Define("clusternetworkpolicies", "ClusterNetworkPolicy", {"v1alpha2"});
  KubeSource source(cluster().Admin(), options_, sink_);
  Make(source, "v1alpha2", Policy("newer", {{"serviceAccounts", json::object()}}));
  ASSERT_TRUE(PollUntil(source, [&] { return sink_.Has(kPolicies, "newer"); }));
  const DecodedObject& decoded = sink_.objects(kPolicies).at("newer").decoded;
  EXPECT_EQ(decoded.outcome, DecodedObject::Outcome::kAccepted);
  EXPECT_THAT(decoded.failed_closed, ElementsAre("spec.ingress[0].from[0].serviceAccounts"));
  const auto& rule = std::get<ClusterPolicy>(decoded.object).ingress.at(0);
  EXPECT_TRUE(rule.everyone);
  EXPECT_EQ(rule.action, Action::kDeny);
}

}  // namespace
}  // namespace sluice
