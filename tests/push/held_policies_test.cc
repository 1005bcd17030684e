#include "push/held_policies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice {
namespace {

Diagnostic RefusalOf(const std::string& object) { return {Severity::kError, "", 0, object, "rules", "too many"}; }

Section SectionOf(const std::string& policy, Tier tier = Tier::kNetworkPolicy) {
  Section section;
  section.policy = policy;
  section.tier = tier;
  section.rules.emplace_back();
  return section;
}

TEST(HeldPolicies, HoldAPolicyOnce) {
  HeldPolicies held;
  EXPECT_TRUE(held.Hold(RefusalOf("policy a/web")));
  EXPECT_FALSE(held.Hold(RefusalOf("policy a/web")));
  EXPECT_FALSE(held.Hold(RefusalOf("endpoint a/web-0")));
  EXPECT_EQ(held.size(), 1u);
}

TEST(HeldPolicies, LeaveTheSectionsOfAHeldPolicyWithoutRules) {
  HeldPolicies held;
  held.Hold(RefusalOf("policy a/web"));
  ResolvedPolicy policy;
  policy.sections = {SectionOf("a/other"), SectionOf("a/web")};
  held.Strip(&policy);
  ASSERT_EQ(policy.sections.size(), 2u);
  EXPECT_EQ(policy.sections.begin()->rules.size(), 1u);
  EXPECT_TRUE(policy.sections.back().rules.empty());
  EXPECT_TRUE(policy.sections.back().isolates);
  EXPECT_EQ(policy.sections.begin()->held, "");
  EXPECT_EQ(policy.sections.back().held, "rules: too many");
}

TEST(HeldPolicies, ForgetWhatAFullStateDoesNotHave) {
  HeldPolicies held;
  held.Hold(RefusalOf("policy a/web"));
  held.Hold(RefusalOf("policy a/went while nobody was told"));
  ResolvedPolicy policy;
  policy.sections = {SectionOf("a/other"), SectionOf("a/web")};
  held.ForgetAllBut(policy);
  EXPECT_EQ(held.size(), 1u);
}

TEST(HeldPolicies, StageNothingForAStagedPolicyThatIsHeldAndLeaveTheOneInForceAlone) {
  HeldPolicies held;
  EXPECT_TRUE(held.Hold(RefusalOf("staged policy a/web")));
  EXPECT_FALSE(held.Hold(RefusalOf("staged policy a/web")));
  ResolvedPolicy policy;
  policy.sections = {SectionOf("a/web")};
  policy.staged = {{"a/web", {SectionOf("a/web")}}, {"a/other", {SectionOf("a/other")}}};
  held.ForgetAllBut(policy);
  held.Strip(&policy);
  EXPECT_EQ(policy.sections.begin()->rules.size(), 1u);
  EXPECT_EQ(policy.staged.size(), 1u);
  EXPECT_EQ(held.reasons().begin()->first, "a/web (staged)");

  PolicyUpdate update;
  update.staged = {{"a/other", {}}, {"a/web", {SectionOf("a/web")}}};
  held.Strip(&update);
  EXPECT_EQ(update.staged.size(), 1u);
  EXPECT_EQ(update.removed_staged, std::vector<std::string>{"a/web"});

  held.Release(update);  // it went, so that the next one of its name gets another try
  EXPECT_EQ(held.size(), 0u);
  held.Hold(RefusalOf("staged policy a/web"));
  held.ForgetAllBut(policy);
  EXPECT_EQ(held.size(), 0u);
}

TEST(HeldPolicies, NeverTakeRulesFromATierWhoseRulesDeny) {
  HeldPolicies held;
  held.Hold(RefusalOf("policy lockdown"));
  ResolvedPolicy policy;
  policy.sections = {SectionOf("lockdown", Tier::kAdmin)};
  held.Strip(&policy);
  EXPECT_EQ(policy.sections.begin()->rules.size(), 1u);
}

TEST(HeldPolicies, ReleaseWhatAnUpdateBringsAnewOrRemoves) {
  HeldPolicies held;
  held.Hold(RefusalOf("policy a/changed"));
  held.Hold(RefusalOf("policy a/gone"));
  held.Hold(RefusalOf("policy a/same"));
  PolicyUpdate update;
  update.removed_policies = {"a/gone"};
  update.sections.push_back({"a/changed", {SectionOf("a/changed")}});
  held.Release(update);
  EXPECT_EQ(held.size(), 1u);
  held.Strip(&update);
  EXPECT_EQ(update.sections[0].sections[0].rules.size(), 1u);
}

}  // namespace
}  // namespace sluice
