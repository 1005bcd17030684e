// Staged policies: strict like the policies that they stand for, and what is refused stages nothing. What runs a pod.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "manifest/staged_folder.h"
#include "manifest_text.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Action = StagedAction;

std::string Staged(const std::string& spec) {
  return "apiVersion: policy.sluice.internal/v1alpha1\nkind: StagedNetworkPolicy\nmetadata: {name: p, namespace: "
         "shop}\n"
         "spec: " +
         spec + "\n";
}

std::string Calico(const std::string& spec) {
  return "apiVersion: projectcalico.org/v3\nkind: StagedKubernetesNetworkPolicy\nmetadata: {name: p, namespace: shop}\n"
         "spec: " +
         spec + "\n";
}

StagedNetworkPolicy One(const std::string& text) {
  const Manifests read = FromYaml(text);
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.staged, SizeIs(1));
  EXPECT_THAT(read.cluster.policies, IsEmpty());
  return read.cluster.staged.empty() ? StagedNetworkPolicy() : read.cluster.staged[0];
}

TEST(DecodeStaged, ASetIsTheNetworkPolicyOfThatSpec) {
  constexpr const char* kSpec = "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}";
  const StagedNetworkPolicy staged = One(Staged(kSpec));
  const Manifests plain = FromYaml(
      std::string(
          "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: ") +
      kSpec + "\n");
  EXPECT_EQ(staged.action, Action::kSet);
  EXPECT_EQ(staged.policy, plain.cluster.policies.at(0));
  EXPECT_EQ(One(Staged(std::string("{action: Set, ") + (kSpec + 1))), staged);
  StagedNetworkPolicy calico = One(Calico(std::string("{stagedAction: Set, ") + (kSpec + 1)));
  EXPECT_EQ(std::exchange(calico.by, StagedBy::kObject), StagedBy::kCalicoObject);
  EXPECT_EQ(calico, staged);
}

TEST(DecodeStaged, ADeleteNeedsNothingElse) {
  const StagedNetworkPolicy staged = One(Staged("{action: Delete}"));
  EXPECT_EQ(staged.action, Action::kDelete);
  EXPECT_EQ(staged.namespace_name, "shop");
  EXPECT_EQ(staged.name, "p");
  EXPECT_EQ(One(Calico("{stagedAction: Delete}")).action, Action::kDelete);
}

TEST(DecodeStaged, CalicosOtherActionsStageNothing) {
  EXPECT_EQ(One(Calico("{stagedAction: Ignore}")).action, Action::kIgnore);
  EXPECT_EQ(One(Calico("{stagedAction: Learn}")).action, Action::kIgnore);
}

std::string StagedCluster(const std::string& spec) {
  return "apiVersion: policy.sluice.internal/v1alpha1\nkind: StagedClusterNetworkPolicy\nmetadata: {name: guard}\n"
         "spec: " +
         spec + "\n";
}

constexpr const char* kGuard =
    "{tier: Admin, priority: 7, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}";

TEST(DecodeStaged, ASetOfAClusterPolicyIsTheClusterNetworkPolicyOfThatSpec) {
  const Manifests plain = FromYaml(
      std::string("apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: guard}\n"
                  "spec: ") +
      kGuard + "\n");
  ASSERT_THAT(plain.cluster.cluster_policies, SizeIs(1));
  for (const std::string& spec : {std::string(kGuard), std::string("{action: Set, ") + (kGuard + 1)}) {
    const Manifests read = FromYaml(StagedCluster(spec));
    EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
    EXPECT_THAT(read.cluster.cluster_policies, IsEmpty());
    ASSERT_THAT(read.cluster.staged_cluster, SizeIs(1));
    EXPECT_EQ(read.cluster.staged_cluster[0].name, "guard");
    EXPECT_EQ(read.cluster.staged_cluster[0].action, Action::kSet);
    EXPECT_EQ(read.cluster.staged_cluster[0].policy, plain.cluster.cluster_policies[0]);
  }
  const Manifests deleted = FromYaml(StagedCluster("{action: Delete}"));
  EXPECT_THAT(Texts(deleted.diagnostics), IsEmpty());
  ASSERT_THAT(deleted.cluster.staged_cluster, SizeIs(1));
  EXPECT_EQ(deleted.cluster.staged_cluster[0].action, Action::kDelete);
}

void ExpectStagesNothing(const std::string& text, const std::string& why) {
  const Manifests read = FromYaml(text);
  EXPECT_THAT(read.cluster.staged, IsEmpty()) << text;
  EXPECT_THAT(read.cluster.staged_cluster, IsEmpty()) << text;
  EXPECT_THAT(read.cluster.cluster_policies, IsEmpty()) << text;
  EXPECT_THAT(read.cluster.policies, IsEmpty()) << text;
  EXPECT_THAT(Texts(read.diagnostics), testing::Contains(HasSubstr(why))) << text;
}

TEST(DecodeStaged, WhatIsBrokenIsRefusedWithItsLineAndStagesNothing) {
  ExpectStagesNothing(
      Staged("{action: Replace}"),
      "m.yaml:4: error: StagedNetworkPolicy shop/p: spec.action: must be Set or Delete, is \"Replace\"");
  ExpectStagesNothing(Staged("{action: Ignore}"), "spec.action: must be Set or Delete");
  ExpectStagesNothing(Staged("{stagedAction: Set}"), "spec.stagedAction");
  ExpectStagesNothing(Staged("{ingres: []}"), "spec.ingres");
  ExpectStagesNothing(Staged("{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}"),
                      "spec.ingress[0].from[0].ipBlock.cidr");
  ExpectStagesNothing(Staged("{action: 5}"), "spec.action");
  ExpectStagesNothing("apiVersion: policy.sluice.internal/v1\nkind: StagedNetworkPolicy\nmetadata: {name: p}\n",
                      "must be policy.sluice.internal/v1alpha1");
  ExpectStagesNothing("apiVersion: policy.sluice.internal/v1alpha1\nkind: StagedNetworkPolcy\nmetadata: {name: p}\n",
                      "did you mean StagedNetworkPolicy?");
  ExpectStagesNothing(StagedCluster("{action: Replace}"), "spec.action: must be Set or Delete");
  ExpectStagesNothing(StagedCluster("{tier: Admin, subject: {namespaces: {}}}"), "spec.priority: is required");
  ExpectStagesNothing(StagedCluster("{action: Delete, teir: Admin}"), "spec.teir");
  ExpectStagesNothing(
      "apiVersion: policy.sluice.internal/v1alpha1\nkind: StagedClusterNetworkPolcy\nmetadata: {name: p}\n",
      "did you mean StagedClusterNetworkPolicy?");
  ExpectStagesNothing("kind: StagedClusterNetworkPolicy\nmetadata: {name: p}\nspec: {action: Delete}\n",
                      "apiVersion: is required");
  ExpectStagesNothing("kind: StagedNetworkPolicy\nmetadata: {name: p}\n", "apiVersion: is required");
}

TEST(StagedFolder, NetworkPoliciesAreStagedAsTheyStandAndNothingElseIs) {
  const Manifests folder = FromYaml(
      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: plain, namespace: shop}\nspec: {}\n---\n"
      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: broken, namespace: shop}\nspec: {x: "
      "1}\n---\n" +
      Staged("{action: Delete}") + "---\n" + PodText("stray"));
  Diagnostics diagnostics;
  const auto staged = StagedIn(folder, &diagnostics).policies;
  ASSERT_THAT(staged, SizeIs(2));
  EXPECT_EQ(staged[0].name, "p");
  EXPECT_EQ(staged[0].action, Action::kDelete);
  EXPECT_EQ(staged[1].name, "plain");
  EXPECT_EQ(staged[1].action, Action::kSet);
  for (const StagedNetworkPolicy& one : staged) EXPECT_EQ(one.by, StagedBy::kFolder);
  EXPECT_THAT(Texts(diagnostics), ElementsAre(HasSubstr("Pod default/stray: is not staged")));
}

// Of one policy, staged twice in a folder.
TEST(StagedFolder, OfTwoForOnePolicyTheObjectThatSaysSoCountsAndAWarningNamesBoth) {
  const std::string plain =
      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: {}\n---\n";
  Diagnostics diagnostics;
  const auto staged = StagedIn(FromYaml(plain + Calico("{}") + "---\n" + Staged("{action: Delete}")), &diagnostics);
  ASSERT_THAT(staged.policies, SizeIs(1));
  EXPECT_EQ(staged.policies[0].action, Action::kDelete);
  EXPECT_THAT(Texts(diagnostics),
              ElementsAre(HasSubstr("StagedKubernetesNetworkPolicy shop/p: is not staged: StagedNetworkPolicy shop/p, "
                                    "which is staged there, too, counts; remove one of them"),
                          HasSubstr("NetworkPolicy shop/p: is not staged: StagedNetworkPolicy shop/p")));
}

TEST(StagedFolder, ClusterNetworkPoliciesAreStagedAsTheyStandAndOlderKindsAreNot) {
  const std::string plain =
      "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"
      "metadata: {name: plain}\nspec: " +
      std::string(kGuard) + "\n---\n";
  const std::string old =
      "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\n"
      "metadata: {name: old}\nspec: {priority: 1, subject: {namespaces: {}}}\n---\n";
  Diagnostics diagnostics;
  const auto staged = StagedIn(FromYaml(plain + old + StagedCluster(kGuard)), &diagnostics);
  ASSERT_THAT(staged.cluster_policies, SizeIs(2));
  EXPECT_EQ(staged.cluster_policies[0].name, "guard");
  EXPECT_EQ(staged.cluster_policies[1].name, "plain");
  EXPECT_THAT(Texts(diagnostics), ElementsAre(HasSubstr("AdminNetworkPolicy old: is not staged: ")));
}

std::string WorkloadOf(const std::string& labels, const std::string& owners) {
  const Manifests read =
      FromJson(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n","labels":)" + labels +
               R"(,"ownerReferences":)" + owners + R"(},"status":{"podIP":"10.0.0.1"}})");
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
  return read.cluster.pods.empty() ? "" : read.cluster.pods[0].workload;
}

TEST(Workload, IsWhatTheOwnerIsCalledWithoutWhatChanges) {
  EXPECT_EQ(
      WorkloadOf(R"({"pod-template-hash":"6d4cf"})", R"([{"kind":"ReplicaSet","name":"web-6d4cf","controller":true}])"),
      "Deployment/web");
  EXPECT_EQ(WorkloadOf("{}", R"([{"kind":"ReplicaSet","name":"web-6d4cf","controller":true}])"),
            "ReplicaSet/web-6d4cf");
  EXPECT_EQ(WorkloadOf("{}", R"([{"kind":"StatefulSet","name":"db","controller":true}])"), "StatefulSet/db");
  EXPECT_EQ(WorkloadOf("{}", R"([{"kind":"DaemonSet","name":"agent","controller":true}])"), "DaemonSet/agent");
  EXPECT_EQ(WorkloadOf("{}", R"([{"kind":"Job","name":"report-29012345","controller":true}])"), "CronJob/report");
  EXPECT_EQ(WorkloadOf("{}", R"([{"kind":"Job","name":"import-2024","controller":true}])"), "Job/import-2024");
  EXPECT_EQ(WorkloadOf("{}", R"([{"kind":"A","name":"one"},{"kind":"B","name":"two","controller":true}])"), "B/two");
  EXPECT_EQ(WorkloadOf("{}", "[]"), "");
  EXPECT_EQ(WorkloadOf("{}", R"([{"kind":5}, {"name":"x"}])"), "");
}

}  // namespace
}  // namespace sluice
