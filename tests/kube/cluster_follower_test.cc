// What sluice-sync keeps of an API server's objects while they are listed, replaced and refused.
#include "sluice-sync/cluster_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kube/json_framer.h"
#include "kube/object_reader.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr auto kPods = Resource::kPods;
constexpr auto kPolicies = Resource::kNetworkPolicies;

// metadata of an object "shop/NAME".
std::string Meta(const std::string& name, const std::string& uid) {
  return R"("metadata":{"namespace":"shop","name":")" + name + R"(","uid":")" + uid + R"("})";
}

std::string PodOf(const std::string& name, const std::string& uid, const std::string& address) {
  return '{' + Meta(name, uid) + R"(,"status":{"podIP":")" + address + R"("}})";
}

// Admits port 80, and so isolates.
std::string PolicyOf(const std::string& name, const std::string& uid) {
  return '{' + Meta(name, uid) + R"(,"spec":{"podSelector":{},"ingress":[{"ports":[{"port":80}]}]}})";
}

// Refused, and nothing can stand for it: its selector cannot be read.
// What a refused policy of that name comes to (NP-16): its pods are isolated, and nothing of the last one is allowed.
constexpr const char* kIsolatesOnly =
    "section shop/p ingress tier=NetworkPolicy priority=0 subjects=0 isolates\nsection shop/q";
std::string RefusedPolicyOf(const std::string& name, const std::string& uid) {
  return '{' + Meta(name, uid) + R"(,"spec":{"podSelector":7}})";
}

class FollowerTest : public testing::Test {
 protected:
  void Put(Resource resource, const std::string& json) {
    const std::string padded = json + std::string(kJsonPadding, ' ');
    std::string why;
    auto object = ObjectReader(resource, "api").ReadItem(std::string_view(padded).substr(0, json.size()), why);
    ASSERT_TRUE(object) << why;
    follower_.OnUpsert(resource, std::move(*object), {});
  }
  // A whole list.
  void List(Resource resource, const std::vector<std::string>& objects) {
    follower_.OnReplaceBegin(resource);
    for (const std::string& object : objects) Put(resource, object);
    follower_.OnReplaceEnd(resource);
  }
  void ListAll(const std::vector<std::string>& pods, const std::vector<std::string>& policies) {
    for (const Resource resource : kResources) {
      List(resource, resource == kPods ? pods : resource == kPolicies ? policies : std::vector<std::string>());
    }
  }
  std::string InForce() {
    const auto receiver = feed_.MakeReceiver("", [] {});
    feed_.Publish();
    ChangeTimes times;
    return receiver->Full(&times).Dump();
  }

  PolicyFeed feed_;
  int refused_ = 0;
  std::string closed_;
  KubeFollower follower_{feed_, [this](const EventSubject&, const Diagnostics&) { ++refused_; },
                         [this](const EventSubject&, const Diagnostics& warnings) {
                           for (const Diagnostic& warning : warnings) closed_ += warning.field + ": " + warning.message;
                         }};
};

TEST_F(FollowerTest, ListThatBeginsAnewForgetsWhatTheOneBeforeNamed) {
  ListAll({PodOf("web", "1", "10.0.0.1"), PodOf("db", "2", "10.0.0.2")}, {PolicyOf("old", "3"), PolicyOf("new", "4")});
  ASSERT_THAT(InForce(), HasSubstr("shop/old"));
  follower_.OnReplaceBegin(kPolicies);
  Put(kPolicies, PolicyOf("old", "3"));  // and then it broke off
  List(kPolicies, {PolicyOf("new", "4")});
  EXPECT_THAT(InForce(), AllOf(Not(HasSubstr("shop/old")), HasSubstr("shop/new")));
  EXPECT_EQ(follower_.objects(kPolicies), 1u);
}

TEST_F(FollowerTest, ListThatBeginsAnewBeforeAllIsListedForgetsWhatTheOneBeforeNamed) {
  follower_.OnReplaceBegin(kPolicies);
  Put(kPolicies, PolicyOf("old", "3"));
  ListAll({PodOf("web", "1", "10.0.0.1")}, {PolicyOf("new", "4")});
  EXPECT_THAT(InForce(), AllOf(Not(HasSubstr("shop/old")), HasSubstr("shop/new")));
}

TEST_F(FollowerTest, RemovalCountsWhatWasThereBeforeTheList) {
  ListAll({PodOf("a", "1", "10.0.0.1"), PodOf("b", "2", "10.0.0.2"), PodOf("c", "3", "10.0.0.3")}, {});
  Put(kPods, PodOf("d", "4", "10.0.0.4"));  // by the watch
  follower_.OnReplaceBegin(kPods);
  Put(kPods, PodOf("a", "1", "10.0.0.1"));
  for (int pod = 0; pod < 10; ++pod)
    Put(kPods, PodOf("new" + std::to_string(pod), "n", "10.0.1." + std::to_string(pod)));
  EXPECT_EQ(follower_.RemovalOf(kPods).known, 4u);
  EXPECT_EQ(follower_.RemovalOf(kPods).unnamed, 3u);
  follower_.OnReplaceEnd(kPods);
  EXPECT_EQ(follower_.objects(kPods), 11u);
  follower_.OnReplaceBegin(kPods);
  EXPECT_EQ(follower_.RemovalOf(kPods).known, 11u);
  EXPECT_EQ(follower_.RemovalOf(kPods).unnamed, 11u);
}

TEST_F(FollowerTest, NP_16_RefusedVersionLeavesTheLastGoodOneOfTheSameObject) {
  ListAll({PodOf("web", "1", "10.0.0.1")}, {PolicyOf("p", "2")});
  const std::string before = InForce();
  Put(kPolicies, RefusedPolicyOf("p", "2"));
  EXPECT_EQ(InForce(), before);
  EXPECT_EQ(refused_, 1);
}

TEST_F(FollowerTest, ObjectMadeAgainUnderTheSameNameDoesNotInheritThePolicyOfTheOneBefore) {
  ListAll({PodOf("web", "1", "10.0.0.1")}, {PolicyOf("p", "2"), PolicyOf("q", "3")});
  // The deletion in between was missed: a list tells of the new one alone.
  List(kPolicies, {RefusedPolicyOf("p", "20"), PolicyOf("q", "3")});
  EXPECT_THAT(InForce(), AllOf(HasSubstr(kIsolatesOnly), HasSubstr("shop/q")));
  EXPECT_EQ(refused_, 1);
  Put(kPolicies, PolicyOf("p", "20"));
  EXPECT_THAT(InForce(), HasSubstr("shop/p"));
}

TEST_F(FollowerTest, ObjectMadeAgainBeforeAllIsListedDoesNotInheritThePolicyOfTheOneBefore) {
  follower_.OnReplaceBegin(kPolicies);
  Put(kPolicies, PolicyOf("p", "2"));
  ListAll({PodOf("web", "1", "10.0.0.1")}, {RefusedPolicyOf("p", "20"), PolicyOf("q", "3")});
  EXPECT_THAT(InForce(), AllOf(HasSubstr(kIsolatesOnly), HasSubstr("shop/q")));
  Put(kPolicies, PolicyOf("p", "20"));
  EXPECT_THAT(InForce(), HasSubstr("shop/p"));
}

TEST_F(FollowerTest, DeletedAndMadeAgainByTheWatchIsTheNewOne) {
  ListAll({PodOf("web", "1", "10.0.0.1")}, {});
  follower_.OnDelete(kPods, {"Pod", "shop", "web"}, {});
  Put(kPods, PodOf("web", "10", "10.0.0.9"));
  EXPECT_THAT(InForce(), AllOf(Not(HasSubstr("10.0.0.1 ")), HasSubstr("10.0.0.9")));
}

std::string ClusterPolicyOf(const std::string& uid, const std::string& rest) {
  return R"({"metadata":{"name":"guard","uid":")" + uid +
         R"("},"spec":{"tier":"Admin","priority":1,"subject":{"namespaces":{}},"ingress":[)" + rest + "]}}";
}
constexpr char kDenyPods[] = R"({"name":"no pods","action":"Deny","from":[{"namespaces":{}}]})";

TEST_F(FollowerTest, ClusterPoliciesAreFollowedWhetherTheyAreListedBeforeTheOthersOrAfter) {
  constexpr auto kGuards = Resource::kClusterNetworkPolicies;
  List(kGuards, {ClusterPolicyOf("1", kDenyPods)});
  ListAll({PodOf("web", "2", "10.0.0.1")}, {});
  EXPECT_THAT(InForce(),
              HasSubstr("section guard ingress tier=Admin priority=1 subjects=0\n  rule 0 deny \"no pods\""));
  EXPECT_EQ(follower_.SubjectOfPolicy("guard")->uid, "1");
  EXPECT_FALSE(follower_.SubjectOfPolicy("AdminNetworkPolicy/guard"));
  List(kGuards, {});
  EXPECT_THAT(InForce(), Not(HasSubstr("guard")));
  List(Resource::kAdminNetworkPolicies,
       {R"({"metadata":{"name":"guard","uid":"3"},"spec":{"priority":5,"subject":{"namespaces":{}},"ingress":[)" +
        std::string(kDenyPods) + "]}}"});
  EXPECT_THAT(InForce(), HasSubstr("section guard ingress tier=Admin priority=5"));
  EXPECT_EQ(follower_.SubjectOfPolicy("guard")->uid, "3");
  EXPECT_EQ(follower_.SubjectOfPolicy("AdminNetworkPolicy/guard")->uid, "3");
}

TEST_F(FollowerTest, RefusedClusterPolicyKeepsItsLastGoodVersionAndWithoutOneDeniesItsSubject) {
  constexpr auto kGuards = Resource::kClusterNetworkPolicies;
  const std::string bad = R"({"action":"Pass","from":[]})";
  ListAll({PodOf("web", "2", "10.0.0.1")}, {});
  List(kGuards, {ClusterPolicyOf("1", bad)});
  EXPECT_THAT(InForce(), HasSubstr("rule 0 deny peers=any ports=any"));
  Put(kGuards, ClusterPolicyOf("1", kDenyPods));
  EXPECT_THAT(InForce(), HasSubstr("rule 0 deny \"no pods\""));
  Put(kGuards, ClusterPolicyOf("1", bad));
  EXPECT_THAT(InForce(), HasSubstr("rule 0 deny \"no pods\""));
  EXPECT_EQ(refused_, 2);
}

// Of the policy shop/p, that it would admit port 81, or be deleted.
std::string StagedOf(const std::string& name, const std::string& uid, const std::string& action = "Set") {
  return '{' + Meta(name, uid) + R"(,"spec":{"action":")" + action +
         R"(","podSelector":{},"ingress":[{"ports":[{"port":81}]}]}})";
}

TEST_F(FollowerTest, StagedPoliciesAreFollowedBesideThoseInForceAndOneThatIsRefusedKeepsWhatWasStaged) {
  constexpr auto kStaged = Resource::kStagedNetworkPolicies;
  List(kStaged, {StagedOf("p", "1")});  // before all is listed
  ListAll({PodOf("web", "2", "10.0.0.1")}, {PolicyOf("p", "3")});
  EXPECT_THAT(InForce(),
              AllOf(HasSubstr("ports=TCP/80"), HasSubstr("staged shop/p\nsection shop/p"), HasSubstr("ports=TCP/81")));
  Put(kStaged, StagedOf("p", "1", "Replace"));
  EXPECT_EQ(refused_, 1);
  EXPECT_THAT(InForce(), HasSubstr("ports=TCP/81"));
  Put(kStaged, StagedOf("p", "1", "Delete"));
  EXPECT_THAT(InForce(), AllOf(HasSubstr("staged shop/p deleted\n"), Not(HasSubstr("ports=TCP/81"))));
  Put(kStaged, StagedOf("q", "4", "Replace"));
  EXPECT_THAT(InForce(), Not(HasSubstr("staged shop/q")));
  List(kStaged, {});
  EXPECT_THAT(InForce(), AllOf(Not(HasSubstr("staged")), HasSubstr("ports=TCP/80")));
}

TEST_F(FollowerTest, CNP_08_WhatFailedClosedIsTold) {
  ListAll({PodOf("web", "2", "10.0.0.1")}, {});
  List(Resource::kClusterNetworkPolicies,
       {ClusterPolicyOf("1", R"({"action":"Deny","from":[{"serviceAccounts":{}}]})")});
  EXPECT_EQ(refused_, 0);
  EXPECT_EQ(closed_, "spec.ingress[0].from[0].serviceAccounts: is not known to this version");
  EXPECT_THAT(InForce(), HasSubstr("rule 0 deny peers=any ports=any"));
}

}  // namespace
}  // namespace sluice
