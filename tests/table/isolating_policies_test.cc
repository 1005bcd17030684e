// Which policies isolate, found again by what a record of a drop keeps.
#include "table/isolating_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "table/policy_builder.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsNull;
using testing::Pointee;
using testing::SizeIs;

// Pod 10.0.0.1, which these policies isolate at ingress; "open" speaks of it and isolates nobody.
ResolvedPolicy IsolatedBy(const std::vector<std::string>& policies) {
  PolicyBuilder builder;
  const GroupId pods = builder.Group("pods");
  builder.Endpoint("pod", {Ip("10.0.0.1")}, {pods});
  for (const std::string& policy : policies) builder.Section(policy, Direction::kIngress, pods, {});
  builder.Section("default/open", Direction::kIngress, pods, {AllowRule(pods)}, false);
  return std::move(builder.policy());
}

IdSetId SectionsOf(const Table& table) { return table.identity(table.Lookup(Ip("10.0.0.1")).identity).ingress; }

TEST(IsolatingPolicies, AllThatIsolateAreNamedInOrder) {
  Compiler compiler;
  const auto table = MustCompile(compiler, IsolatedBy({"default/b", "default/a", "default/c"}));
  IsolatingPolicies isolating;
  isolating.See(table);
  const auto names = isolating.Of(table->numbering(), SectionsOf(*table));
  EXPECT_THAT(names, Pointee(ElementsAre("default/a", "default/b", "default/c")));
  EXPECT_EQ(isolating.Of(table->numbering(), SectionsOf(*table)), names) << "they are shared";
}

TEST(IsolatingPolicies, OfManyTheFirstAreNamed) {
  std::vector<std::string> policies;
  for (int i = 0; i < 100; ++i) {
    char name[32];
    std::snprintf(name, sizeof name, "default/p%02d", i);
    policies.emplace_back(name);
  }
  Compiler compiler;
  const auto table = MustCompile(compiler, IsolatedBy(policies));
  IsolatingPolicies isolating;
  isolating.See(table);
  const auto names = isolating.Of(table->numbering(), SectionsOf(*table));
  ASSERT_THAT(names, Pointee(SizeIs(IsolatingPolicies::kMostNamed)));
  EXPECT_EQ(names->front(), "default/p00");
  EXPECT_EQ(names->back(), "default/p63");
}

// Each compiler begins a numbering. A record of an older one is named by it; of one that is over for long, not at all.
TEST(IsolatingPolicies, AnIdIsNamedByItsOwnNumbering) {
  std::vector<std::unique_ptr<Compiler>> compilers;
  std::vector<std::shared_ptr<const Table>> tables;
  IsolatingPolicies isolating;
  for (int i = 0; i < 6; ++i) {
    compilers.push_back(std::make_unique<Compiler>());
    tables.push_back(MustCompile(*compilers.back(), IsolatedBy({"default/of-" + std::to_string(i)})));
    isolating.See(tables.back());
    isolating.See(tables.back());
  }
  for (std::size_t i = 2; i < 6; ++i) {
    EXPECT_THAT(isolating.Of(tables[i]->numbering(), SectionsOf(*tables[i])),
                Pointee(ElementsAre("default/of-" + std::to_string(i))));
  }
  EXPECT_THAT(isolating.Of(tables[0]->numbering(), SectionsOf(*tables[0])), IsNull());
  EXPECT_THAT(IsolatingPolicies().Of(0, kEmptyIdSet), IsNull());
}

// The sections of before keep their number when policy changes.
TEST(IsolatingPolicies, ARecordOfBeforeAChangeIsNamedAsItWas) {
  Compiler compiler;
  const auto before = MustCompile(compiler, IsolatedBy({"default/a"}));
  const auto after = MustCompile(compiler, IsolatedBy({"default/a", "default/b"}));
  IsolatingPolicies isolating;
  isolating.See(before);
  isolating.See(after);
  EXPECT_THAT(isolating.Of(before->numbering(), SectionsOf(*before)), Pointee(ElementsAre("default/a")));
  EXPECT_THAT(isolating.Of(after->numbering(), SectionsOf(*after)), Pointee(ElementsAre("default/a", "default/b")));
}

}  // namespace
}  // namespace sluice
