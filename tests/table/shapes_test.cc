// Every shape that must stay small: entries and bytes are linear in rules, addresses and memberships, never in a
// product.
#include "support/shapes.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <tuple>

#include "resolve/resolve.h"
#include "table/policy_builder.h"

namespace sluice {

static void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

namespace {

#ifdef NDEBUG
constexpr double kScale = 1.0;
#else
constexpr double kScale = 0.02;  // sanitizers: the bounds are linear, so they hold at any scale
#endif

struct Inputs {
  std::uint64_t rules = 0;  // and default denies
  std::uint64_t addresses = 0;
  std::uint64_t memberships = 0;  // endpoints in groups, each distinct set once
  std::uint64_t cidr_ends = 0;    // of the distinct groups' blocks
  std::uint64_t ports = 0;        // ranges named
};

Inputs Count(const ResolvedPolicy& policy) {
  Inputs inputs;
  for (const Section& section : policy.sections) {
    inputs.rules += section.rules.size() + 1;
    for (const Rule& rule : section.rules) inputs.ports += rule.ports.size();
  }
  for (const Endpoint& endpoint : policy.endpoints) inputs.addresses += endpoint.addresses.size();
  for (const Node& node : policy.nodes) inputs.addresses += node.addresses.size();
  inputs.memberships = policy.member_sets.MembershipCount();
  for (const Group& group : policy.groups) {
    for (const CidrBlock& block : group.blocks) inputs.cidr_ends += 2 + 2 * block.excepts.size();
  }
  return inputs;
}

class ShapeTest : public ::testing::TestWithParam<Shape> {};

TEST_P(ShapeTest, TableIsLinearInItsInputs) {
  const ResolvedPolicy policy = Resolve(GetParam().make(kScale), nullptr);
  const Inputs inputs = Count(policy);
  Compiler compiler;
  const TableStats stats = MustCompile(compiler, policy)->stats();

  std::set<IdSetId> member_sets;
  for (const Endpoint& endpoint : policy.endpoints) member_sets.insert(endpoint.members);
  std::set<std::tuple<IpAddress, IpAddress>> distinct_blocks;
  for (const Group& group : policy.groups) {
    for (const CidrBlock& block : group.blocks) {
      distinct_blocks.insert({block.cidr.First(), block.cidr.Last()});
      for (const Prefix& except : block.excepts) distinct_blocks.insert({except.First(), except.Last()});
    }
  }
  EXPECT_LE(stats.rules, inputs.rules);
  EXPECT_LE(stats.cidr_cells, 2 * distinct_blocks.size() + 1);
  // An identity is a member set and a cell; the only product that occurs is between sets and cells that hold a pod.
  EXPECT_LE(stats.identities, inputs.addresses + 2 * distinct_blocks.size() + 2);
  EXPECT_LE(stats.section_sets, 2 * member_sets.size() + 1);
  EXPECT_LE(stats.port_classes, 2 * inputs.ports + 1);
  const std::uint64_t megabyte = 1u << 20;
  EXPECT_LE(stats.bytes, 4 * megabyte + 200 * inputs.rules + 200 * inputs.addresses + 4 * inputs.memberships +
                             1100 * stats.cidr_cells + 16 * stats.memberships / 8);
  // The design's own limits, at full scale.
  EXPECT_LE(stats.bytes, (GetParam().name == "many subjects" ? 500 : 200) * megabyte);
}

TEST_P(ShapeTest, ChurnOfPodsKeepsTheTableFromGrowing) {
  Cluster cluster = GetParam().make(kScale * 0.05);
  Compiler compiler;
  MustCompile(compiler, Resolve(cluster, nullptr));
  Churn churn(5);
  churn.Step(&cluster, 50);
  const std::uint64_t before = MustCompile(compiler, Resolve(cluster, nullptr))->stats().bytes;
  for (int round = 0; round < 20; ++round) {
    churn.Step(&cluster, 50);
    MustCompile(compiler, Resolve(cluster, nullptr));
  }
  EXPECT_LE(MustCompile(compiler, Resolve(cluster, nullptr))->stats().bytes, before * 3 / 2 + (1u << 20));
}

TEST_P(ShapeTest, AChangeOfOnePodConcernsFewAddresses) {
  Cluster cluster = GetParam().make(kScale * 0.05);
  Compiler compiler;
  MustCompile(compiler, Resolve(cluster, nullptr));
  Churn churn(9);
  churn.Step(&cluster, 1);  // one goes, one comes
  const auto table = MustCompile(compiler, Resolve(cluster, nullptr));
  EXPECT_GE(table->changes().marked(), 1u);
  EXPECT_LE(table->changes().marked(), 4u);  // two addresses each where pods are dual-stack
}

INSTANTIATE_TEST_SUITE_P(Shapes, ShapeTest, ::testing::ValuesIn(Shapes().begin(), Shapes().end()),
                         [](const auto& shape) {
                           std::string name(shape.param.name);
                           for (char& c : name) {
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace sluice
