// The classes of traffic that `sluicectl verify` compares: they must leave nothing out.
#include <gtest/gtest.h>

#include "reference/compare.h"
#include "reference/random_world.h"
#include "reference/world.h"
#include "sluicectl/judge.h"
#include "sluicectl/verify_classes.h"

namespace sluice::test {
namespace {

using reference::Flow;

std::vector<Flow> AllOf(const TrafficClasses& classes) {
  std::vector<Flow> flows;
  for (std::uint64_t i = 0; i < classes.size(); ++i) flows.push_back(classes.At(i));
  return flows;
}

// Wherever random traffic finds out a wrong table (one compiled from another world), the classes must find it out too,
// whether the worlds differ in a pod, a label, a port or a CIDR.
TEST(TrafficClasses, HoldAPacketThatTellsEveryWrongTable) {
  constexpr int kWorlds = 12;
  constexpr int kChanges = 6;
  int told = 0;
  for (int i = 0; i < kWorlds; ++i) {
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(i));
    RandomWorld world(TestSeed() + 2000 + static_cast<std::uint64_t>(i),
                      {.namespaces = 3, .nodes = 2, .pods = 10, .policies = 6});
    const Cluster right = world.cluster();
    for (int change = 0; change < kChanges; ++change) {
      const std::string what = world.Mutate();
      Compiler compiler;
      Classifier classifier;
      const auto wrong_table = CompileWorld(world.cluster(), compiler);
      const auto by_chance = FirstDifference(right, *wrong_table, classifier, world.Flows(3000));
      if (!by_chance) continue;
      ++told;
      const TrafficClasses classes(right, *wrong_table);
      EXPECT_TRUE(FirstDifference(right, *wrong_table, classifier, AllOf(classes)))
          << what << ": the classes miss what random traffic found\n"
          << *by_chance;
    }
  }
  EXPECT_GT(told, kWorlds) << "too few changes made a difference for this test to say anything";
}

TEST(TrafficClasses, OnePacketStandsForManyAddressesAndPorts) {
  Cluster cluster;
  for (int i = 1; i <= 9; ++i) {
    const std::string address = "10.0.0." + std::to_string(i);
    cluster.pods.push_back(MakePod("a", "pod" + std::to_string(i), {{"app", "same"}}, {address}));
  }
  cluster.policies = {Ingress(MakePolicy("a", "p"), {{{}, {{kProtoTcp, 80, 90, {}}}}})};
  Compiler compiler;
  const auto table = CompileWorld(cluster, compiler);
  const TrafficClasses classes(cluster, *table);
  EXPECT_EQ(classes.address_count(), 3u);  // the pods, and all other addresses of each family
  EXPECT_EQ(classes.service_count(), 5u);  // TCP 80-90, other TCP, UDP, SCTP, portless protocols
  // IPv4: 2 x 2 pairs and two inside a class; IPv6: one and one inside it.
  EXPECT_EQ(classes.size(), (4u + 2u + 1u + 1u) * 5u);
}

}  // namespace
}  // namespace sluice::test
