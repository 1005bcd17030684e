#include "table/address_changes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

namespace sluice {
namespace {

IpAddress Pod(std::uint32_t number) { return IpAddress::V4(0x0a000000u + number); }

class AddressChangesTest : public testing::Test {
 protected:
  AddressChangesTest() { third_->Begin(3, *second_); }

  // Generation 1 may have changed everything, 2 changed pod 2, 3 changed pod 3.
  std::unique_ptr<AddressChanges> first_ = [] {
    auto changes = std::make_unique<AddressChanges>();
    changes->BeginWithAll(1);
    return changes;
  }();
  std::unique_ptr<AddressChanges> second_ = [this] {
    auto changes = std::make_unique<AddressChanges>();
    changes->Begin(2, *first_);
    changes->Add(Pod(2));
    return changes;
  }();
  std::unique_ptr<AddressChanges> third_ = std::make_unique<AddressChanges>();
};

TEST_F(AddressChangesTest, TheLastChangeIsToldByAddress) {
  third_->Add(Pod(3));
  EXPECT_TRUE(third_->Since(2, Pod(3)));
  EXPECT_FALSE(third_->Since(2, Pod(2)));
  EXPECT_FALSE(third_->Since(2, Pod(4)));
  EXPECT_EQ(third_->marked(), 1u);
}

TEST_F(AddressChangesTest, WhoMissedAGenerationIsToldOfBoth) {
  third_->Add(Pod(3));
  EXPECT_TRUE(third_->Since(1, Pod(3)));
  EXPECT_TRUE(third_->Since(1, Pod(2)));
  EXPECT_FALSE(third_->Since(1, Pod(4)));
}

TEST_F(AddressChangesTest, WhoKnowsTheLastGenerationIsToldNothing) {
  third_->Add(Pod(3));
  EXPECT_FALSE(third_->Since(3, Pod(3)));
}

TEST_F(AddressChangesTest, WhatMayHaveChangedEverythingIsToldOfEveryAddress) {
  EXPECT_TRUE(first_->Since(0, Pod(7)));
  EXPECT_TRUE(third_->Since(0, Pod(7)));
  EXPECT_EQ(first_->marked(), AddressChanges::kMarks);
}

TEST_F(AddressChangesTest, NoChangeIsEverMissed) {
  for (std::uint32_t pod = 0; pod < 5000; ++pod) {
    AddressChanges changes;
    changes.Begin(4, *third_);
    changes.Add(Pod(pod * 7919));
    ASSERT_TRUE(changes.Since(3, Pod(pod * 7919)));
    ASSERT_TRUE(changes.Since(2, Pod(pod * 7919)));
    ASSERT_EQ(changes.marked(), 1u);
  }
}

}  // namespace
}  // namespace sluice
