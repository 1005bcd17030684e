// What a pod's interface may have as a source.
#include "hook/address_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hook/layout.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const IpAddress kPod = *IpAddress::Parse("10.77.0.11");
const IpAddress kPodIpv6 = *IpAddress::Parse("fd77::11");
const IpAddress kLinkLocal = *IpAddress::Parse("fe80::11");
const IpAddress kNode = *IpAddress::Parse("192.0.2.1");
const AddressBook::Time kStart{std::chrono::hours(1)};

TEST(AddressBook, AddressesOfThePluginAreThePods) {
  AddressBook book;
  EXPECT_THAT(book.Observe(5, {kLinkLocal}, kStart).added, ElementsAre(kLinkLocal));
  EXPECT_THAT(book.Observe(5, {kLinkLocal, kPod}, kStart + std::chrono::hours(1)).added, ElementsAre(kPod));
  EXPECT_THAT(book.Observe(5, {kPod, kPodIpv6}, kStart + std::chrono::hours(1) + std::chrono::seconds(1)).added,
              ElementsAre(kPodIpv6));
}

TEST(AddressBook, AnAddressThatAPodGivesItselfLaterIsNotItsOwn) {
  AddressBook book;
  book.Observe(5, {kPod}, kStart);
  EXPECT_TRUE(book.IsOpen(5, kStart + std::chrono::seconds(1)));
  EXPECT_FALSE(book.IsOpen(5, kStart + AddressBook::kSetUp));
  EXPECT_THAT(book.Observe(5, {kPod, kPodIpv6}, kStart + AddressBook::kSetUp).added, IsEmpty());
}

TEST(AddressBook, TheNodesAddressIsNoPods) {
  AddressBook book;
  book.SetNodeAddresses({kNode});
  const AddressBook::Change change = book.Observe(5, {kNode, kPod}, kStart);
  EXPECT_THAT(change.added, ElementsAre(kPod));
  EXPECT_THAT(change.refused, ElementsAre(HasSubstr("192.0.2.1 is the node's own")));
  EXPECT_THAT(book.Observe(5, {kNode, kPod}, kStart).refused, IsEmpty()) << "is said once";
}

TEST(AddressBook, AnotherPodsAddressIsRefusedUntilThatPodIsGone) {
  AddressBook book;
  book.Observe(5, {kPod}, kStart);
  EXPECT_THAT(book.Observe(6, {kPod}, kStart).refused, ElementsAre(HasSubstr("another pod's")));
  EXPECT_THAT(book.Forget(5), ElementsAre(kPod));
  EXPECT_THAT(book.Observe(6, {kPod}, kStart).added, ElementsAre(kPod));
}

TEST(AddressBook, AddressesAreAwaitedWhileAPluginIsAtWork) {
  AddressBook book;
  EXPECT_FALSE(book.Awaits(kStart));
  book.Observe(5, {}, kStart);
  EXPECT_TRUE(book.Awaits(kStart + std::chrono::seconds(1)));
  EXPECT_FALSE(book.Awaits(kStart + AddressBook::kPatience));
  book.Observe(5, {kPod}, kStart + AddressBook::kPatience);
  EXPECT_TRUE(book.Awaits(kStart + AddressBook::kPatience));
  EXPECT_FALSE(book.Awaits(kStart + AddressBook::kPatience + AddressBook::kSetUp));
}

TEST(AddressBook, AKindOfAddressIsAwaitedUntilTheFirstOneIsThere) {
  AddressBook book;
  EXPECT_EQ(book.AwaitedOf(5, kStart), SLUICE_AWAITS_IPV4 | SLUICE_AWAITS_IPV6 | SLUICE_AWAITS_LINK_LOCAL);
  book.Observe(5, {kLinkLocal}, kStart);
  EXPECT_EQ(book.AwaitedOf(5, kStart), SLUICE_AWAITS_IPV4 | SLUICE_AWAITS_IPV6);
  book.Observe(5, {kLinkLocal, kPod}, kStart);
  EXPECT_EQ(book.AwaitedOf(5, kStart), SLUICE_AWAITS_IPV6);
  EXPECT_EQ(book.AwaitedOf(6, kStart), SLUICE_AWAITS_IPV4 | SLUICE_AWAITS_IPV6 | SLUICE_AWAITS_LINK_LOCAL);
  EXPECT_EQ(book.AwaitedOf(5, kStart + AddressBook::kSetUp), 0) << "what comes later is not its own";
}

TEST(AddressBook, NothingIsAwaitedOfWhatWasKnownBeforeARestart) {
  AddressBook book;
  book.Restore(5, kPod);
  EXPECT_EQ(book.AwaitedOf(5, kStart), 0);
}

TEST(AddressBook, TwoLinksHaveTheSameLinkLocalAddress) {
  AddressBook book;
  book.Observe(5, {kLinkLocal}, kStart);
  EXPECT_THAT(book.Observe(6, {kLinkLocal}, kStart).added, ElementsAre(kLinkLocal));
}

TEST(AddressBook, WhatWasKnownBeforeARestartIsAllThereIs) {
  AddressBook book;
  book.Restore(5, kPod);
  book.Restore(5, kLinkLocal);
  EXPECT_FALSE(book.IsOpen(5, kStart));
  EXPECT_THAT(book.Observe(5, {kPodIpv6}, kStart).added, IsEmpty());
  EXPECT_THAT(book.Forget(5), UnorderedElementsAre(kPod, kLinkLocal));
}

}  // namespace
}  // namespace sluice
