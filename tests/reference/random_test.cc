// Random worlds: compiled policy must say what the reference says, at first and after every change, and a change must
// reach every flow that it concerns.
#include <gtest/gtest.h>

#include <algorithm>

#include "reference/compare.h"
#include "reference/random_world.h"
#include "reference/world.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

using reference::Answer;
using reference::Flow;

TEST(RandomWorlds, CompiledSaysWhatReferenceSays) {
  constexpr int kWorlds = 100;
  for (int i = 0; i < kWorlds; ++i) {
    const std::uint64_t seed = TestSeed() + static_cast<std::uint64_t>(i);
    RandomWorld world(seed, {});
    Compiler compiler;
    Classifier classifier(256);  // small, so that it forgets
    const auto table = CompileWorld(world.cluster(), compiler);
    const auto difference = FirstDifference(world.cluster(), *table, classifier, world.Flows(4000), world.Names());
    ASSERT_FALSE(difference) << "SLUICE_TEST_SEED=" << seed << '\n'
                             << *difference << "\nin the world\n"
                             << ToManifest(world.cluster());
  }
}

TEST(RandomWorlds, LargeWorldSaysWhatReferenceSays) {
  RandomWorld world(TestSeed(), {.namespaces = 60, .nodes = 30, .pods = 1500, .policies = 600});
  Compiler compiler;
  Classifier classifier;
  const auto table = CompileWorld(world.cluster(), compiler);
  const auto difference = FirstDifference(world.cluster(), *table, classifier, world.Flows(20000), world.Names());
  ASSERT_FALSE(difference) << "SLUICE_TEST_SEED=" << TestSeed() << '\n' << *difference;
}

// A flow that the table before this one judged, and neither of whose ends is said to have changed, keeps its verdict
// and its rule.
bool IsJudgedAgain(const Flow& flow, const Table& table) {
  const auto before = static_cast<std::uint32_t>(table.generation() - 1);
  return table.changes().Since(before, flow.source) || table.changes().Since(before, flow.destination);
}

TEST(RandomWorlds, EveryChangeCompilesLikeAFreshStartAndReachesTheFlowsItConcerns) {
  constexpr int kWorlds = 20;
  constexpr int kChanges = 20;
  for (int i = 0; i < kWorlds; ++i) {
    const std::uint64_t seed = TestSeed() + 1000 + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(i));
    RandomWorld world(seed, {.namespaces = 4, .nodes = 3, .pods = 30, .policies = 20});
    Compiler compiler;
    Classifier classifier;
    auto table = CompileWorld(world.cluster(), compiler);
    for (int change = 0; change < kChanges; ++change) {
      const std::vector<Flow> flows = world.Flows(1500);
      const reference::NamesByAddress names = world.Names();
      const std::vector<Answer> before = Classify(*table, classifier, flows, true, names);
      const std::string what = world.Mutate();
      table = CompileWorld(world.cluster(), compiler);
      const std::vector<Answer> after = Classify(*table, classifier, flows, true, names);
      const std::string where = "change " + std::to_string(change) + ": " + what;

      Compiler fresh_compiler;
      Classifier fresh_classifier;
      const auto fresh = CompileWorld(world.cluster(), fresh_compiler);
      const std::vector<Answer> from_fresh = Classify(*fresh, fresh_classifier, flows, true, names);
      for (std::size_t f = 0; f < flows.size(); ++f) {
        ASSERT_EQ(after[f], from_fresh[f]) << where << '\n'
                                           << ToText(flows[f]) << "\n  incremental: " << ToText(after[f])
                                           << "\n  fresh:       " << ToText(from_fresh[f]);
        ASSERT_TRUE(before[f] == after[f] || IsJudgedAgain(flows[f], *table))
            << where << '\n'
            << ToText(flows[f]) << "\n  before: " << ToText(before[f]) << "\n  after:  " << ToText(after[f]);
      }
      const auto difference = FirstDifference(world.cluster(), *table, classifier, flows, names);
      ASSERT_FALSE(difference) << where << '\n' << *difference << "\nin the world\n" << ToManifest(world.cluster());
    }
  }
}

// A change that touches one pod leaves nearly all flows alone (DESIGN, "A change concerns few flows").
TEST(RandomWorlds, NewPodThatNoPolicyBindsChangesNoOtherAddress) {
  RandomWorld world(TestSeed(), {});
  Cluster cluster = world.cluster();
  Compiler compiler;
  CompileWorld(cluster, compiler);
  cluster.pods.push_back(MakePod("lonely", "new", {}, {"10.9.9.9"}));
  cluster.pods.back().node.clear();
  const auto table = CompileWorld(cluster, compiler);
  const auto before = static_cast<std::uint32_t>(table->generation() - 1);
  EXPECT_EQ(table->changes().marked(), 1u);
  EXPECT_TRUE(table->changes().Since(before, Ip("10.9.9.9")));
}

}  // namespace
}  // namespace sluice::test
