// The conditions of a cluster policy, from what the decoder said of it and what dataplanes have in force.
#include "sluice-sync/policy_statuses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "kube/json_framer.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kClusterPolicies = Resource::kClusterNetworkPolicies;

class PolicyStatusesTest : public testing::Test {
 protected:
  // A policy of that generation, with these fields in its spec.
  void See(int generation, const std::string& fields, std::uint64_t revision, bool keeps_last_good = false,
           const std::string& name = "guard") {
    const std::string json = R"({"metadata":{"name":")" + name + R"(","uid":"u","generation":)" +
                             std::to_string(generation) + R"(,"resourceVersion":")" + std::to_string(revision * 10) +
                             R"("},"spec":{"tier":"Admin","priority":1,"subject":{"namespaces":{}})" + fields + "}}";
    const std::string padded = json + std::string(kJsonPadding, ' ');
    std::string why;
    const auto object =
        ObjectReader(kClusterPolicies, "api").ReadItem(std::string_view(padded).substr(0, json.size()), why);
    ASSERT_TRUE(object) << why;
    statuses_.See({kClusterPolicies, "", name, "u", ""}, *object, keeps_last_good, revision);
  }
  // Once a second, for as long.
  void LookFor(int seconds, const std::vector<std::uint64_t>& in_force, const std::vector<NodeReport>& others = {}) {
    for (int i = 0; i < seconds; ++i) statuses_.Look(now_ += std::chrono::seconds(1), in_force, others);
  }
  // Of a node that has all up to that version.
  static NodeReport ReportOf(const std::string& through) {
    NodeReport report;
    report.resources[kClusterPolicies].through = through;
    return report;
  }
  // "TYPE=HOLDS/REASON: MESSAGE"
  static std::vector<std::string> Texts(const ObjectStatus& status) {
    std::vector<std::string> texts;
    for (const Condition& each : status.conditions) {
      texts.push_back(each.type + (each.holds ? "=True/" : "=False/") + each.reason + ": " + each.message);
    }
    return texts;
  }

  std::vector<std::pair<std::string, ObjectStatus>> wanted_;
  std::vector<std::string> gone_;
  PolicyStatuses statuses_{
      [this](const EventSubject& subject, const ObjectStatus& status) { wanted_.emplace_back(subject.name, status); },
      [this](Resource, const std::string& name) { gone_.push_back(name); }};
  PolicyStatuses::Clock::time_point now_ = PolicyStatuses::Clock::now();
};

TEST_F(PolicyStatusesTest, InForceEverywhereIsToldAtOnceAndOnce) {
  See(3, "", 7);
  LookFor(3, {7, 9});
  ASSERT_EQ(wanted_.size(), 1u);
  EXPECT_EQ(wanted_[0].second.generation, 3);
  EXPECT_THAT(Texts(wanted_[0].second),
              ElementsAre("Accepted=True/Valid: all of it is supported",
                          "Programmed=True/InForce: generation 3 is in force in 2 of 2 dataplanes"));
}

TEST_F(PolicyStatusesTest, NotInForceSomewhereIsToldAfterAWhile) {
  See(1, "", 7);
  LookFor(4, {7, 6, 0});
  EXPECT_THAT(wanted_, IsEmpty());
  LookFor(5, {7, 6, 0});
  ASSERT_EQ(wanted_.size(), 1u);
  EXPECT_EQ(Texts(wanted_[0].second)[1], "Programmed=False/Pending: generation 1 is in force in 1 of 3 dataplanes");
  LookFor(1, {7, 7, 7});
  ASSERT_EQ(wanted_.size(), 2u);
  EXPECT_EQ(Texts(wanted_[1].second)[1], "Programmed=True/InForce: generation 1 is in force in 3 of 3 dataplanes");
  // One that is away for a moment changes nothing.
  LookFor(4, {7, 0, 7});
  LookFor(9, {7, 8, 9});
  EXPECT_EQ(wanted_.size(), 2u);
}

TEST_F(PolicyStatusesTest, OfANewGenerationNothingOfTheOldOneIsSaid) {
  See(1, "", 7);
  LookFor(1, {7});
  See(2, "", 8);
  LookFor(1, {7});
  EXPECT_EQ(wanted_.size(), 1u);
  LookFor(1, {8});
  ASSERT_EQ(wanted_.size(), 2u);
  EXPECT_EQ(wanted_[1].second.generation, 2);
}

TEST_F(PolicyStatusesTest, CNP_08_FieldsThatFailedClosedAreNamed) {
  See(1, R"(,"ingress":[{"action":"Deny","from":[{"future":{}}]}])", 7);
  LookFor(1, {7});
  ASSERT_EQ(wanted_.size(), 1u);
  const auto& conditions = wanted_[0].second.conditions;
  ASSERT_EQ(conditions.size(), 3u);
  EXPECT_EQ(conditions[0].type + '/' + conditions[0].reason, "Accepted/UnsupportedField");
  EXPECT_TRUE(conditions[0].holds);
  EXPECT_EQ(conditions[1].type, "PartiallyInvalid");
  EXPECT_TRUE(conditions[1].holds);
  EXPECT_THAT(conditions[1].message, testing::StartsWith("spec.ingress[0].from[0].future: "));
  EXPECT_EQ(conditions[2].type + '/' + conditions[2].reason, "Programmed/InForce");
}

TEST_F(PolicyStatusesTest, NP_16_ARefusedObjectSaysWhyAndWhatIsInForceInstead) {
  See(1, R"(,"ingress":[{"action":"Deny","from":[]}])", 7);
  LookFor(1, {7});
  See(2, R"(,"ingress":[{"action":"Deny","from":[]}])", 1, /*keeps_last_good=*/true);
  LookFor(1, {7});
  ASSERT_EQ(wanted_.size(), 2u);
  EXPECT_THAT(Texts(wanted_[0].second),
              ElementsAre("Accepted=False/Invalid: spec.ingress[0].from: is required, with at least one peer",
                          "Programmed=False/Invalid: generation 1 is not in force; none of its Accepts is, and its "
                          "subject is denied what each Deny or Pass is of"));
  EXPECT_EQ(Texts(wanted_[1].second)[1],
            "Programmed=False/Invalid: generation 2 is not in force; its last valid version stays");
}

TEST_F(PolicyStatusesTest, ARefusalOfADataplaneIsToldUntilItIsTaken) {
  See(1, "", 7);
  statuses_.SeeRefusal({kClusterPolicies, "", "guard", "u", ""}, "rules: too many");
  statuses_.SeeRefusal({kClusterPolicies, "", "unknown", "u", ""}, "rules: too many");
  LookFor(1, {7, 6});
  ASSERT_EQ(wanted_.size(), 1u);
  EXPECT_EQ(
      Texts(wanted_[0].second)[1],
      "Programmed=False/RefusedByDataplane: generation 1 is in force in 1 of 2 dataplanes; refused: rules: too many");
  LookFor(1, {7, 7});
  EXPECT_EQ(Texts(wanted_.back().second)[1], "Programmed=True/InForce: generation 1 is in force in 2 of 2 dataplanes");
}

TEST_F(PolicyStatusesTest, OfAPolicyThatWentNothingIsSaid) {
  See(1, "", 7);
  statuses_.Forget(kClusterPolicies, "guard");
  statuses_.Forget(kClusterPolicies, "unknown");
  LookFor(9, {7});
  EXPECT_THAT(wanted_, IsEmpty());
  EXPECT_THAT(gone_, ElementsAre("guard"));
}

TEST_F(PolicyStatusesTest, OtherNodesCountByWhatTheyReport) {
  See(1, "", 7);  // at version 70
  NodeReport silent = ReportOf("99");
  silent.current = false;
  const NodeReport of_nothing;
  LookFor(44, {7}, {ReportOf("69"), ReportOf("70"), silent, of_nothing});
  EXPECT_THAT(wanted_, IsEmpty());  // they may only be late
  LookFor(5, {7}, {ReportOf("69"), ReportOf("70"), silent, of_nothing});
  ASSERT_EQ(wanted_.size(), 1u);
  EXPECT_EQ(Texts(wanted_[0].second)[1], "Programmed=False/Pending: generation 1 is in force in 2 of 5 dataplanes");
  NodeReport refuses = ReportOf("100");
  refuses.resources[kClusterPolicies].lacking = {{"guard", "rules: too many"}, {"other", "of another one"}};
  LookFor(1, {7}, {refuses, ReportOf("100")});
  ASSERT_EQ(wanted_.size(), 2u);
  EXPECT_EQ(
      Texts(wanted_[1].second)[1],
      "Programmed=False/RefusedByDataplane: generation 1 is in force in 2 of 3 dataplanes; refused: rules: too many");
  LookFor(1, {7}, {ReportOf("70"), ReportOf("1000")});
  ASSERT_EQ(wanted_.size(), 3u);
  EXPECT_EQ(Texts(wanted_[2].second)[1], "Programmed=True/InForce: generation 1 is in force in 3 of 3 dataplanes");
}

TEST_F(PolicyStatusesTest, AReportSaysHowFarItGoesAndWhatIsLacking) {
  statuses_.OnListBegin(kClusterPolicies);
  See(1, "", 7);
  EXPECT_FALSE(statuses_.Report({7}).Has(kClusterPolicies, "guard", "70"));  // others may not be named yet
  statuses_.OnListEnd(kClusterPolicies);
  EXPECT_TRUE(statuses_.Report({7, 8}).Has(kClusterPolicies, "guard", "70"));
  EXPECT_FALSE(statuses_.Report({7, 6}).Has(kClusterPolicies, "guard", "70"));
  EXPECT_FALSE(statuses_.Report({7}).Has(kClusterPolicies, "guard", "71"));
  statuses_.SeeVersion(kClusterPolicies, "75");
  EXPECT_TRUE(statuses_.Report({7}).Has(kClusterPolicies, "guard", "75"));
  statuses_.SeeRefusal({kClusterPolicies, "", "guard", "u", ""}, std::string(1000, 'x'));
  const NodeReport report = statuses_.Report({6});
  EXPECT_EQ(report.resources.at(kClusterPolicies).lacking.at("guard"), std::string(200, 'x'));
  // The API server's state was set back.
  statuses_.OnListBegin(kClusterPolicies);
  statuses_.SeeVersion(kClusterPolicies, "12");
  EXPECT_TRUE(statuses_.Report({7}).Has(kClusterPolicies, "guard", "75"));
  statuses_.OnListEnd(kClusterPolicies);
  EXPECT_FALSE(statuses_.Report({7}).Has(kClusterPolicies, "guard", "75"));
  EXPECT_TRUE(statuses_.Report({7}).Has(kClusterPolicies, "guard", "12"));
}

TEST_F(PolicyStatusesTest, AReportHasRoomForSoManyNames) {
  for (int i = 0; i < 53; ++i) See(1, "", 7, false, "p" + std::to_string(i));
  See(1, "", 6);
  const NodeReport report = statuses_.Report({6});
  EXPECT_EQ(report.resources.at(kClusterPolicies).lacking.size(), NodeReport::kMostNamed);
  EXPECT_EQ(report.resources.at(kClusterPolicies).more, 3u);
  EXPECT_FALSE(report.Has(kClusterPolicies, "guard", "60"));  // it might be one that found no room
}

TEST_F(PolicyStatusesTest, ANodeReportsBeforeThereIsAPolicy) {
  EXPECT_TRUE(statuses_.Report({1}).resources.empty());  // the API server has no such kind
  statuses_.OnListBegin(kClusterPolicies);
  statuses_.OnListEnd(kClusterPolicies);
  const NodeReport report = statuses_.Report({1});
  ASSERT_TRUE(report.resources.contains(kClusterPolicies));
  EXPECT_FALSE(report.Has(kClusterPolicies, "guard", "1"));
}

TEST(ResourceVersion, ComparesAsANumber) {
  EXPECT_TRUE(IsVersionReached("10", "9"));
  EXPECT_TRUE(IsVersionReached("10", "10"));
  EXPECT_TRUE(IsVersionReached("0010", "10"));
  EXPECT_TRUE(IsVersionReached("340282366920938463463374607431768211456", "18446744073709551616"));
  EXPECT_FALSE(IsVersionReached("9", "10"));
  EXPECT_FALSE(IsVersionReached("0", "1"));
  EXPECT_FALSE(IsVersionReached("", "0"));
  EXPECT_FALSE(IsVersionReached("10", ""));
  EXPECT_FALSE(IsVersionReached("b", "a"));
}

}  // namespace
}  // namespace sluice
