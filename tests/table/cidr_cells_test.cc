#include "table/cidr_cells.h"

#include <gtest/gtest.h>

#include <random>

#include "table/policy_builder.h"

namespace sluice {
namespace {

std::vector<std::uint32_t> BitsOf(const CidrPartition& partition, const IpAddress& address) {
  return partition.sets.ToVector(partition.Find(address));
}

bool InBlocks(const std::vector<CidrBlock>& blocks, const IpAddress& address) {
  for (const CidrBlock& block : blocks) {
    bool in = block.cidr.Contains(address);
    for (const Prefix& except : block.excepts) in = in && !except.Contains(address);
    if (in) return true;
  }
  return false;
}

TEST(PartitionCidrs, ExceptsCutHolesThatOtherBlocksMayFill) {
  const std::vector<CidrBlock> world = {{Cidr("0.0.0.0/0"), {Cidr("10.0.0.0/8"), Cidr("192.168.0.0/16")}}};
  const std::vector<CidrBlock> own = {{Cidr("10.1.2.0/24"), {}}};
  const std::vector<CidrInput> inputs = {{3, &world}, {8, &own}};
  const CidrPartition partition = PartitionCidrs(inputs);
  using Bits = std::vector<std::uint32_t>;
  EXPECT_EQ(BitsOf(partition, Ip("8.8.8.8")), Bits{3});
  EXPECT_EQ(BitsOf(partition, Ip("255.255.255.255")), Bits{3});
  EXPECT_EQ(BitsOf(partition, Ip("10.0.0.0")), Bits{});
  EXPECT_EQ(BitsOf(partition, Ip("10.1.2.255")), Bits{8});
  EXPECT_EQ(BitsOf(partition, Ip("192.168.1.1")), Bits{});
  EXPECT_EQ(BitsOf(partition, Ip("::1")), Bits{});
}

TEST(PartitionCidrs, WholeIpv6SpaceIsOneCell) {
  const std::vector<CidrBlock> all = {{Cidr("::/0"), {}}};
  const std::vector<CidrInput> inputs = {{0, &all}};
  const CidrPartition partition = PartitionCidrs(inputs);
  ASSERT_EQ(partition.cells.size(), 1u);
  EXPECT_EQ(partition.cells[0].last, Ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(PartitionCidrs, RandomBlocksMatchAddressByAddress) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    const bool v6 = seed % 2 == 1;
    const int bits = v6 ? 128 : 32;
    // A small corner of the space, so that blocks nest and touch.
    const auto address = [&] {
      return v6 ? IpAddress::V6(0xfd00000000000000u, random() % 256) : IpAddress::V4(0x0a000000u | random() % 256);
    };
    const auto prefix = [&](int shortest) {
      return Prefix::Make(address(), static_cast<std::uint8_t>(bits - random() % (bits - shortest + 1)));
    };
    std::vector<std::vector<CidrBlock>> groups(1 + random() % 5);
    for (auto& blocks : groups) {
      for (std::uint64_t i = random() % 4; i > 0; --i) {
        CidrBlock block{prefix(bits - 9), {}};
        for (std::uint64_t j = random() % 3; j > 0; --j) {
          const Prefix except = prefix(bits - 8);
          if (block.cidr.Contains(except) && except != block.cidr) block.excepts.push_back(except);
        }
        blocks.push_back(block);
      }
    }
    std::vector<CidrInput> inputs;
    for (std::uint32_t i = 0; i < groups.size(); ++i) inputs.push_back({i * 10, &groups[i]});
    const CidrPartition partition = PartitionCidrs(inputs);
    for (std::uint64_t low = 0; low < 600; ++low) {
      const IpAddress at = v6 ? IpAddress::V6(0xfd00000000000000u, low) : IpAddress::V4(0x0a000000u + low);
      std::vector<std::uint32_t> expected;
      for (std::uint32_t i = 0; i < groups.size(); ++i) {
        if (InBlocks(groups[i], at)) expected.push_back(i * 10);
      }
      ASSERT_EQ(BitsOf(partition, at), expected) << "seed " << seed << ' ' << at.ToString();
    }
  }
}

}  // namespace
}  // namespace sluice
