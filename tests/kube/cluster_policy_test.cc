// Cluster policies of a real API server: watched where it has the kinds, and from when on it has them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kube/kube_source.h"
#include "kube/policy_definitions.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kPolicies = Resource::kClusterNetworkPolicies;
constexpr const char* kGroup = PolicyDefinitions::kGroup;

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

  static TestCluster& cluster() { return SharedCluster(); }
  static std::string PathOf(const std::string& version) { return PolicyDefinitions::PathOf(version); }
  void Define(const std::string& plural, const std::string& kind, const std::vector<std::string>& versions) {
    definitions_.Define(plural, kind, versions);
  }
  // Once the API server serves the kind.
  void Make(KubeSource& source, const std::string& version, json policy) {
    policy["apiVersion"] = std::string(kGroup) + '/' + version;
    policy["kind"] = "ClusterNetworkPolicy";
    ASSERT_TRUE(PollUntil(source, [&] { return cluster().Post(PathOf(version), policy.dump()).status == 201; }));
  }

  PolicyDefinitions definitions_{cluster()};
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

  definitions_.Remove("clusternetworkpolicies");
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
