// The status of cluster policies, written into a real API server by the service account of deploy/rbac.yaml.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kube/deploy_manifests.h"
#include "kube/kube_source.h"
#include "kube/policy_definitions.h"
#include "kube/recording_sink.h"
#include "kube/shared_cluster.h"

namespace sluice {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kWithStatus = Resource::kClusterNetworkPolicies;
constexpr const char* kLease = "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases/sluice-sync-status";
const std::vector<std::string> kTypes = {"Accepted", "PartiallyInvalid", "Programmed"};

class PolicyStatus : public testing::Test {
 protected:
  PolicyStatus() {
    token_ = ServiceAccountToken(cluster());
    cluster().Delete(kLease);
  }
  ~PolicyStatus() override { cluster().Delete(kLease); }

  static TestCluster& cluster() { return SharedCluster(); }
  static std::string Path(const std::string& name) {
    return PolicyDefinitions::PathOf("v1alpha2") + (name.empty() ? "" : '/' + name);
  }

  KubeOptions OptionsOf(const std::string& holder) const {
    KubeOptions options = TestOptions();
    options.discovery.interval = std::chrono::milliseconds(200);
    options.optional_watches = options.watches[0];
    options.statuses.lease.holder = holder;
    options.statuses.lease.duration = std::chrono::milliseconds(3'000);
    options.statuses.lease.interval = std::chrono::milliseconds(500);
    options.statuses.types = kTypes;
    options.statuses.gone_after = std::chrono::milliseconds(500);
    options.statuses.backoff_least = std::chrono::milliseconds(50);
    options.statuses.backoff_most = std::chrono::milliseconds(500);
    return options;
  }
  KubeAccess Access() const { return cluster().WithToken(token_); }

  void Define(bool has_status = true) {
    definitions_.Define("clusternetworkpolicies", "ClusterNetworkPolicy", {"v1alpha2"}, has_status);
  }
  // Once the API server serves the kind. What names it.
  EventSubject Make(KubeSource& source, const std::string& name) {
    const json policy = {{"apiVersion", "policy.networking.k8s.io/v1alpha2"},
                         {"kind", "ClusterNetworkPolicy"},
                         {"metadata", {{"name", name}}},
                         {"spec", {{"tier", "Admin"}, {"priority", 1}, {"subject", {{"namespaces", json::object()}}}}}};
    EXPECT_TRUE(PollUntil(source, [&] { return cluster().Post(Path(""), policy.dump()).status == 201; }));
    const json made = json::parse(cluster().Get(Path(name)).body);
    EXPECT_TRUE(PollUntil(source, [&] { return source.watches(kWithStatus); }));
    return {kWithStatus, "", name, made["metadata"]["uid"].get<std::string>(), ""};
  }
  // "TYPE=STATUS/REASON@GENERATION", in the order of the types.
  static std::vector<std::string> Conditions(const std::string& name) {
    std::vector<std::string> conditions;
    const json object = json::parse(cluster().Get(Path(name)).body);
    for (const json& each : object.value("status", json::object()).value("conditions", json::array())) {
      conditions.push_back(each["type"].get<std::string>() + '=' + each["status"].get<std::string>() + '/' +
                           each["reason"].get<std::string>() + '@' +
                           std::to_string(each.value("observedGeneration", -1)));
    }
    std::sort(conditions.begin(), conditions.end());
    return conditions;
  }
  static json ConditionOf(const std::string& name, const std::string& type) {
    const json object = json::parse(cluster().Get(Path(name)).body);
    for (const json& each : object["status"]["conditions"]) {
      if (each["type"] == type) return each;
    }
    return {};
  }
  // As another controller would.
  static void Apply(const std::string& name, const std::string& manager, const std::string& type) {
    const json body = {{"apiVersion", "policy.networking.k8s.io/v1alpha2"},
                       {"kind", "ClusterNetworkPolicy"},
                       {"metadata", {{"name", name}}},
                       {"status",
                        {{"conditions",
                          {{{"type", type},
                            {"status", "True"},
                            {"reason", "Theirs"},
                            {"message", "of another controller"},
                            {"lastTransitionTime", "2026-01-31T12:00:00Z"}}}}}}};
    const HttpAnswer answer = cluster().Send("PATCH", Path(name) + "/status?fieldManager=" + manager,
                                             "application/apply-patch+yaml", body.dump());
    ASSERT_EQ(answer.status, 200) << answer.body;
  }
  bool Writes(KubeSource& source, std::uint64_t count) {
    return PollUntil(source, [&] { return source.status_health().written >= count; });
  }

  PolicyDefinitions definitions_{cluster()};
  std::string token_;
  RecordingSink sink_;
};

const ObjectStatus kValid = {1, {{"Accepted", true, "Valid", "fine"}, {"Programmed", true, "InForce", "1 of 1"}}};
const ObjectStatus kPartly = {1,
                              {{"Accepted", true, "UnsupportedField", "in part"},
                               {"PartiallyInvalid", true, "UnsupportedField", "spec.x"},
                               {"Programmed", false, "Pending", "0 of 1"}}};

TEST_F(PolicyStatus, IsWrittenAndConditionsOfOthersStay) {
  Define();
  KubeSource source(Access(), OptionsOf("a"), sink_);
  const EventSubject guard = Make(source, "guard");
  Apply("guard", "another", "Audited");
  source.WantStatus(guard, kPartly);
  ASSERT_TRUE(Writes(source, 1)) << testing::PrintToString(sink_.notices);
  EXPECT_THAT(Conditions("guard"),
              ElementsAre("Accepted=True/UnsupportedField@1", "Audited=True/Theirs@-1",
                          "PartiallyInvalid=True/UnsupportedField@1", "Programmed=False/Pending@1"));
  const json accepted = ConditionOf("guard", "Accepted");
  // What is left out goes. A condition that holds as before has held since then.
  source.WantStatus(guard, kValid);
  ASSERT_TRUE(Writes(source, 2));
  EXPECT_THAT(Conditions("guard"),
              ElementsAre("Accepted=True/Valid@1", "Audited=True/Theirs@-1", "Programmed=True/InForce@1"));
  EXPECT_EQ(ConditionOf("guard", "Accepted")["lastTransitionTime"], accepted["lastTransitionTime"]);
  EXPECT_EQ(ConditionOf("guard", "Accepted")["message"], "fine");
  EXPECT_EQ(source.status_health().failed, 0u);
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

TEST_F(PolicyStatus, ThatIsThereIsNotWrittenAgain) {
  Define();
  KubeSource source(Access(), OptionsOf("a"), sink_);
  const EventSubject guard = Make(source, "guard");
  source.WantStatus(guard, kValid);
  ASSERT_TRUE(Writes(source, 1));
  const json before = json::parse(cluster().Get(Path("guard")).body);
  source.WantStatus(guard, kPartly);
  source.WantStatus(guard, kValid);  // before the other was sent
  ASSERT_TRUE(PollUntil(source, [&] { return source.status_health().same == 1; }));
  EXPECT_EQ(source.status_health().written, 1u);
  EXPECT_EQ(json::parse(cluster().Get(Path("guard")).body)["metadata"]["resourceVersion"],
            before["metadata"]["resourceVersion"]);
}

TEST_F(PolicyStatus, AConditionThatAnotherControllerWritesIsLeftToIt) {
  Define();
  KubeSource source(Access(), OptionsOf("a"), sink_);
  const EventSubject guard = Make(source, "guard");
  const EventSubject other = Make(source, "other");
  Apply("guard", "another", "Accepted");
  source.WantStatus(guard, kValid);
  source.WantStatus(other, kValid);
  ASSERT_TRUE(Writes(source, 1));
  EXPECT_THAT(Conditions("guard"), ElementsAre("Accepted=True/Theirs@-1"));
  EXPECT_THAT(Conditions("other"), ElementsAre("Accepted=True/Valid@1", "Programmed=True/InForce@1"));
  EXPECT_THAT(sink_.notices, ElementsAre(AllOf(HasSubstr("status of guard"), HasSubstr("\"another\""))));
}

TEST_F(PolicyStatus, IsWrittenByOneOfSeveral) {
  Define();
  RecordingSink sink;
  auto first = std::make_unique<KubeSource>(Access(), OptionsOf("first"), sink_);
  const EventSubject guard = Make(*first, "guard");
  first->WantStatus(guard, kValid);
  ASSERT_TRUE(Writes(*first, 1));
  KubeSource second(Access(), OptionsOf("second"), sink);
  second.WantStatus(guard, kPartly);
  // For longer than a Lease lasts, while both go on.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  ASSERT_TRUE(PollUntil(second, [&] {
    first->Poll(std::chrono::milliseconds(1));
    return std::chrono::steady_clock::now() >= until;
  }));
  EXPECT_EQ(second.status_health().written + second.status_health().same, 0u);
  EXPECT_THAT(Conditions("guard"), ElementsAre("Accepted=True/Valid@1", "Programmed=True/InForce@1"));
  // The one that holds the Lease goes: another takes it, and what it knows is written.
  first.reset();
  ASSERT_TRUE(Writes(second, 1));
  EXPECT_EQ(Conditions("guard").size(), 3u);
  const json lease = json::parse(cluster().Get(kLease).body);
  EXPECT_EQ(lease["spec"]["holderIdentity"], "second");
  EXPECT_EQ(lease["spec"]["leaseTransitions"], 1);
  EXPECT_THAT(sink.notices, IsEmpty());
}

TEST_F(PolicyStatus, OfAnObjectThatWentOrIsAnotherIsNotWritten) {
  Define();
  KubeSource source(Access(), OptionsOf("a"), sink_);
  EventSubject guard = Make(source, "guard");
  guard.uid = "of-one-before";
  source.WantStatus(guard, kValid);
  source.WantStatus({kWithStatus, "", "gone", "any", ""}, kValid);
  source.WantStatus(Make(source, "other"), kValid);
  ASSERT_TRUE(Writes(source, 1));
  source.ForgetStatus(kWithStatus, "gone");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  PollUntil(source, [&] { return std::chrono::steady_clock::now() >= until; });
  EXPECT_THAT(Conditions("guard"), IsEmpty());
  EXPECT_THAT(sink_.notices, IsEmpty());
}

TEST_F(PolicyStatus, WithoutTheRightToIsSaidOnceAndFollowingGoesOn) {
  Define();
  cluster().MakeNamespace("unprivileged");
  const auto send = [&](const std::string& path, const std::string& body) {
    const HttpAnswer answer = cluster().Post(path, body);
    EXPECT_TRUE(answer.status == 201 || answer.status == 409) << answer.body;
    return answer.body;
  };
  send("/api/v1/namespaces/unprivileged/serviceaccounts", R"({"metadata":{"name":"reader"}})");
  // Reads all, holds Leases, writes nothing.
  send("/apis/rbac.authorization.k8s.io/v1/clusterroles", R"({"metadata":{"name":"reader"},"rules":[
      {"apiGroups":["","networking.k8s.io","policy.networking.k8s.io"],"resources":["*"],"verbs":["get","list","watch"]},
      {"apiGroups":["coordination.k8s.io"],"resources":["leases"],"verbs":["get","create","update"]}]})");
  send("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", R"({"metadata":{"name":"reader"},
      "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"reader"},
      "subjects":[{"kind":"ServiceAccount","name":"reader","namespace":"unprivileged"}]})");
  const std::string token = json::parse(send("/api/v1/namespaces/unprivileged/serviceaccounts/reader/token",
                                             R"({"spec":{"expirationSeconds":3600}})"))["status"]["token"];
  KubeSource source(cluster().WithToken(token), OptionsOf("a"), sink_);
  source.WantStatus(Make(source, "guard"), kValid);
  ASSERT_TRUE(PollUntil(source, [&] { return source.status_health().failed >= 3; }));
  EXPECT_THAT(sink_.notices, ElementsAre(AllOf(HasSubstr("apply deploy/rbac.yaml"), HasSubstr("tried again"),
                                               HasSubstr("cannot patch resource"))));
  Make(source, "later");
  EXPECT_TRUE(PollUntil(source, [&] { return sink_.Has(kWithStatus, "later"); }));
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

TEST_F(PolicyStatus, WithoutTheLeaseIsWrittenByNobodyWhichIsSaidOnce) {
  Define();
  KubeOptions options = OptionsOf("a");
  options.statuses.lease.namespace_name = "elsewhere";
  options.statuses.lease.interval = std::chrono::milliseconds(50);
  KubeSource source(Access(), options, sink_);
  source.WantStatus(Make(source, "guard"), kValid);
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.notices.empty(); }));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  PollUntil(source, [&] { return std::chrono::steady_clock::now() >= until; });
  EXPECT_THAT(sink_.notices, ElementsAre(AllOf(HasSubstr("the Lease elsewhere/sluice-sync-status"),
                                               HasSubstr("apply deploy/rbac.yaml"))));
  EXPECT_THAT(Conditions("guard"), IsEmpty());
}

TEST_F(PolicyStatus, OfADefinitionWithoutTheSubresourceNamesTheRemedy) {
  Define(/*has_status=*/false);
  KubeSource source(Access(), OptionsOf("a"), sink_);
  source.WantStatus(Make(source, "guard"), kValid);
  ASSERT_TRUE(PollUntil(source, [&] { return !sink_.notices.empty(); }));
  EXPECT_THAT(sink_.notices, ElementsAre(HasSubstr("has no status subresource; install")));
}

TEST_F(PolicyStatus, ComesAtABoundedRate) {
  Define();
  KubeOptions options = OptionsOf("a");
  options.statuses.burst = 2;
  options.statuses.interval = std::chrono::milliseconds(100);
  KubeSource source(Access(), options, sink_);
  std::vector<EventSubject> subjects;
  for (int i = 0; i < 12; ++i) subjects.push_back(Make(source, "p" + std::to_string(i)));
  const auto begun = std::chrono::steady_clock::now();
  for (const EventSubject& subject : subjects) source.WantStatus(subject, kValid);
  ASSERT_TRUE(Writes(source, 12));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(900));
}

class NodeReportsOfACluster : public PolicyStatus {
 protected:
  NodeReportsOfACluster() { Forget(); }
  ~NodeReportsOfACluster() override { Forget(); }
  static std::string LeaseOf(const std::string& node) {
    return "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases/sluice-sync." + node;
  }
  static void Forget() {
    for (const char* node : {"n1", "n2"}) cluster().Delete(LeaseOf(node));
  }
  KubeOptions OptionsFor(const std::string& node) const {
    KubeOptions options = OptionsOf("");
    options.reports.node = node;
    options.reports.renew = std::chrono::milliseconds(500);
    options.reports.least = std::chrono::milliseconds(100);
    options.reports.look = std::chrono::milliseconds(100);
    options.reports.stale = std::chrono::milliseconds(3'000);
    return options;
  }
  static NodeReport ReportOf(const std::string& through) {
    NodeReport report;
    report.resources[kWithStatus] = {through, {{"guard", "rules: \"too\" many"}}, 0};
    return report;
  }
  static std::vector<NodeReport> Others(KubeSource& source) {
    return source.reports().Others(std::chrono::steady_clock::now());
  }
};

TEST_F(NodeReportsOfACluster, ReachTheOneThatReads) {
  KubeSource n1(Access(), OptionsFor("n1"), sink_), n2(Access(), OptionsFor("n2"), sink_);
  const json node = {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", "n2"}}}};
  const HttpAnswer made = cluster().Post("/api/v1/nodes", node.dump());
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string uid = json::parse(made.body)["metadata"]["uid"];
  n1.reports().Publish(ReportOf("41"), "");
  n2.reports().Publish(ReportOf("42"), uid);
  n1.reports().Read(true);
  EXPECT_FALSE(n1.reports().known());
  const auto both = [&](const std::function<bool()>& done) {
    return PollUntil(n1, [&] {
      n2.Poll(std::chrono::milliseconds(0));
      return done();
    });
  };
  ASSERT_TRUE(both([&] { return Others(n1).size() == 1; })) << testing::PrintToString(sink_.notices);
  EXPECT_TRUE(n1.reports().known());
  EXPECT_EQ(Others(n1)[0], ReportOf("42"));
  const json lease = json::parse(cluster().Get(LeaseOf("n2")).body);
  EXPECT_EQ(lease["metadata"]["ownerReferences"][0]["uid"], uid);
  EXPECT_EQ(lease["spec"]["holderIdentity"], "n2");

  // What is the same is renewed all the same, and what changed is told.
  const std::string version = lease["metadata"]["resourceVersion"];
  EXPECT_TRUE(
      both([&] { return json::parse(cluster().Get(LeaseOf("n2")).body)["metadata"]["resourceVersion"] != version; }));
  NodeReport more = ReportOf("43");
  more.news = 1;
  n2.reports().Publish(more, uid);
  EXPECT_TRUE(both([&] { return Others(n1)[0] == ReportOf("43"); }));

  // A node that is silent is not current any more; one that went is not there.
  EXPECT_TRUE(PollUntil(n1, [&] { return !Others(n1)[0].current; }));
  cluster().Delete(LeaseOf("n2"));
  EXPECT_TRUE(PollUntil(n1, [&] { return Others(n1).empty(); }));
  cluster().Delete("/api/v1/nodes/n2");
  EXPECT_THAT(sink_.notices, IsEmpty());
}

TEST_F(NodeReportsOfACluster, ThatSayNothingGoodCountForNothing) {
  KubeSource n1(Access(), OptionsFor("n1"), sink_);
  n1.reports().Read(true);
  for (const char* text : {"", "not JSON", "[]", R"({"clusternetworkpolicies":7})",
                           R"({"clusternetworkpolicies":{"through":7,"lacking":["guard"],"more":-1}})"}) {
    const json lease = {{"apiVersion", "coordination.k8s.io/v1"},
                        {"kind", "Lease"},
                        {"metadata",
                         {{"name", "sluice-sync.n2"},
                          {"labels", {{"sluice.internal/report", "node"}}},
                          {"annotations", {{"sluice.internal/cluster-policies", text}}}}}};
    ASSERT_EQ(cluster().Post("/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases", lease.dump()).status, 201);
    ASSERT_TRUE(PollUntil(n1, [&] { return Others(n1).size() == 1; })) << text;
    EXPECT_FALSE(Others(n1)[0].Has(kWithStatus, "guard", "1")) << text;
    EXPECT_FALSE(Others(n1)[0].Has(kWithStatus, "other", "1")) << text;
    cluster().Delete(LeaseOf("n2"));
    ASSERT_TRUE(PollUntil(n1, [&] { return Others(n1).empty(); }));
  }
}

TEST_F(NodeReportsOfACluster, ThatMayNotBeReadAreSaidOnceAndNotWaitedFor) {
  KubeOptions options = OptionsFor("n1");
  options.reports.namespace_name = "elsewhere";
  KubeSource source(Access(), options, sink_);
  source.reports().Read(true);
  ASSERT_TRUE(PollUntil(source, [&] { return source.reports().known(); }));
  EXPECT_THAT(Others(source), IsEmpty());
  EXPECT_THAT(sink_.notices, ElementsAre(AllOf(HasSubstr("what nodes have in force of cluster policies is not known"),
                                               HasSubstr("apply deploy/rbac.yaml"))));
}

}  // namespace
}  // namespace sluice
