// The shapes that must stay small: what resolving makes of them is bounded by rules + addresses + memberships.
//
// At a tenth of the design's size, so that sanitizers can run them too; that a bound is linear shows between two
// scales.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "resolve/resolve.h"
#include "support/shapes.h"

namespace sluice {
namespace {

struct Size {
  std::uint64_t groups = 0, blocks = 0, key_bytes = 0, sections = 0, rules = 0, ports = 0;
  std::uint64_t sets = 0, memberships = 0, set_bytes = 0;
};

Size Measure(const ResolvedPolicy& policy) {
  Size size;
  size.groups = policy.groups.size();
  for (const Group& group : policy.groups) {
    size.blocks += group.blocks.size();
    size.key_bytes += group.key.size();
  }
  size.sections = policy.sections.size();
  for (const Section& section : policy.sections) {
    size.rules += section.rules.size();
    for (const Rule& rule : section.rules) size.ports += rule.ports.size();
  }
  size.sets = policy.member_sets.SetCount();
  size.memberships = policy.member_sets.MembershipCount();
  size.set_bytes = policy.member_sets.MemoryBytes();
  return size;
}

Size ResolveShape(const char* name, const Cluster& cluster) {
  Diagnostics diagnostics;
  const auto start = std::chrono::steady_clock::now();
  const ResolvedPolicy policy = Resolve(cluster, &diagnostics);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(diagnostics.empty());
  EXPECT_EQ(policy.endpoints.size(), cluster.pods.size());
  const Size size = Measure(policy);
  std::printf("%s: %zu pods, %zu policies in %.3f s: %lu groups, %lu blocks, %lu rules, %lu sets, %lu memberships\n",
              name, cluster.pods.size(), cluster.policies.size(), elapsed.count(), size.groups, size.blocks, size.rules,
              size.sets, size.memberships);
  return size;
}

constexpr double kScale = 0.1;

TEST(ResolveShapes, TemplatesTakeOneGroupANamespace) {
  const Size size = ResolveShape("templates", TemplatesShape(kScale));
  EXPECT_EQ(size.groups, 500u + 1);  // the tenants, and the ingress controllers
  EXPECT_EQ(size.sections, 500u * 5);
  EXPECT_EQ(size.rules, 500u * 3);
  EXPECT_EQ(size.memberships, 500u + 1);
}

TEST(ResolveShapes, AllPodsIsOneGroupHoweverManyPoliciesNameIt) {
  const Size size = ResolveShape("all pods", AllPodsShape(kScale));
  EXPECT_EQ(size.groups, 500u + 1);
  EXPECT_EQ(size.rules, 500u);
  EXPECT_EQ(size.memberships, 500u * 2);
}

TEST(ResolveShapes, WorldLessPrivateTakesTwoBlocksAPolicy) {
  const Size size = ResolveShape("world less private", WorldLessPrivateShape(kScale));
  EXPECT_EQ(size.groups, 500u * 2);
  EXPECT_EQ(size.blocks, 500u * 2);
  EXPECT_LT(size.key_bytes, 500u * 200);
}

TEST(ResolveShapes, LabelLatticeTakesOneGroupAPairOfLabels) {
  const Size size = ResolveShape("label lattice", LabelLatticeShape(kScale));
  EXPECT_LE(size.groups, 6u * 5 / 2 * 8 * 8);
  EXPECT_EQ(size.rules, 200u);
  EXPECT_LE(size.memberships, 10'000u * 200 * 2 / 64 * 12 / 10);  // pods x selectors x their share, and a fifth more
}

TEST(ResolveShapes, LongListsAreStoredOnceForEachThatDiffers) {
  const Size size = ResolveShape("long lists", LongListsShape(kScale));
  EXPECT_EQ(size.groups, 51u + 1 + 25);  // subjects, the common list, those that differ
  EXPECT_LE(size.blocks, 26u * 1000);
  EXPECT_LT(size.key_bytes, size.groups * 100);
}

TEST(ResolveShapes, ManyPortsKeepAtMostTheRangesWritten) {
  const Size size = ResolveShape("many ports", ManyPortsShape(1));
  EXPECT_EQ(size.rules, 100u);
  EXPECT_LE(size.ports, 100u * 100);
  EXPECT_LE(size.groups, 11u);
}

TEST(ResolveShapes, ManySubjectsTakeOneBitAMembership) {
  const Size size = ResolveShape("many subjects", ManySubjectsShape(kScale));
  EXPECT_EQ(size.groups, 1000u + 1);
  EXPECT_LE(size.memberships, 10'000u * (1000 / 10 + 1) * 12 / 10);
  EXPECT_LE(size.set_bytes, 10'000u * (1000 / 8 + 192));
}

TEST(ResolveShapes, DoubleTheClusterAtMostDoublesTheResult) {
  for (const Shape& shape : Shapes()) {
    // What these ask for is a product already (pods x policies, entries x policies); their bounds are above.
    if (shape.name == "long lists" || shape.name == "many subjects" || shape.name == "label lattice") continue;
    const Size once = ResolveShape(shape.name.data(), shape.make(0.05));
    const Size twice = ResolveShape(shape.name.data(), shape.make(0.1));
    EXPECT_LE(twice.groups, once.groups * 2) << shape.name;
    EXPECT_LE(twice.rules, once.rules * 2) << shape.name;
    EXPECT_LE(twice.blocks, once.blocks * 2) << shape.name;
    EXPECT_LE(twice.memberships, once.memberships * 2) << shape.name;
  }
}

// 1e8 memberships are worked through in blocks of pods; the small shapes above fit in one.
TEST(ResolveShapes, ManyMembershipsAreTransposedInBlocks) {
  const Cluster cluster = ManySubjectsShape(0.25);
  Diagnostics diagnostics;
  const ResolvedPolicy policy = Resolve(cluster, &diagnostics);
  const Size size = Measure(policy);
  ASSERT_GT(size.memberships, 5'000'000u);
  for (std::size_t i = 0; i < policy.endpoints.size(); i += 997) {
    const Labels& labels = cluster.pods[i].labels;
    const auto endpoint = std::find_if(policy.endpoints.begin(), policy.endpoints.end(),
                                       [&](const Endpoint& e) { return e.name == cluster.pods[i].name; });
    ASSERT_NE(endpoint, policy.endpoints.end());
    std::size_t expected = 1;  // all pods, the peers of every policy
    for (const NetworkPolicy& one : cluster.policies) {
      const LabelRequirement& requirement = one.pod_selector.requirements.front();
      expected += std::any_of(labels.begin(), labels.end(), [&](const auto& label) {
        return label.first == requirement.key &&
               std::binary_search(requirement.values.begin(), requirement.values.end(), label.second);
      });
    }
    EXPECT_EQ(policy.member_sets.Size(endpoint->members), expected) << endpoint->name;
  }
}

TEST(ResolveShapes, ChurnKeepsTheGroupsKeysAndTheNumberOfPods) {
  for (const Shape& shape : Shapes()) {
    Cluster cluster = shape.make(0.01);
    Diagnostics diagnostics;
    const ResolvedPolicy before = Resolve(cluster, &diagnostics);
    Churn churn(1);
    churn.Step(&cluster, 50);
    const ResolvedPolicy after = Resolve(cluster, &diagnostics);
    EXPECT_TRUE(diagnostics.empty()) << shape.name;
    EXPECT_EQ(after.endpoints.size(), before.endpoints.size()) << shape.name;
    ASSERT_EQ(after.groups.size(), before.groups.size()) << shape.name;
    for (std::size_t i = 0; i < before.groups.size(); ++i) EXPECT_EQ(after.groups[i].key, before.groups[i].key);
  }
}

}  // namespace
}  // namespace sluice
