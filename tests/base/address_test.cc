#include "sluice/address.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(IpAddress, ParsesWhatItPrints) {
  for (const char* text : {"0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "::1", "fd00::1:2",
                           "2001:db8:0:1::", "::ffff:10.0.0.1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(IpAddress, RefusesWhatIsNotExactlyAnAddress) {
  for (const char* text : {"", "10", "10.0.0", "10.0.0.1.2", "010.0.0.1", "10.0.0.256", " 10.0.0.1", "10.0.0.1 ",
                           "fe80::1%eth0", ":::", "1::2::3", "10.0.0.1/32", "g::", "0x0a.0.0.1", "-1.0.0.0"}) {
    EXPECT_FALSE(IpAddress::Parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string_view("10.0.0.1\0", 9)));
}

TEST(IpAddress, HoldsIpv4InHostOrder) {
  const auto address = IpAddress::Parse("10.1.2.3");
  EXPECT_EQ(address->v4(), 0x0a010203u);
  std::uint8_t bytes[4];
  address->CopyBytes(bytes);
  EXPECT_EQ(bytes[0], 10);
  EXPECT_EQ(bytes[3], 3);
  EXPECT_EQ(IpAddress::FromV4Bytes(bytes), *address);
}

TEST(IpAddress, KeepsIpv6BytesInOrder) {
  const auto address = IpAddress::Parse("2001:db8::42");
  EXPECT_EQ(address->hi, 0x20010db800000000u);
  EXPECT_EQ(address->lo, 0x42u);
  std::uint8_t bytes[16];
  address->CopyBytes(bytes);
  EXPECT_EQ(IpAddress::FromV6Bytes(bytes), *address);
}

TEST(IpAddress, TellsMappedFromReal) {
  EXPECT_TRUE(IpAddress::Parse("::ffff:1.2.3.4")->IsV4Mapped());
  EXPECT_FALSE(IpAddress::Parse("::fffe:1.2.3.4")->IsV4Mapped());
  EXPECT_FALSE(IpAddress::Parse("1.2.3.4")->IsV4Mapped());
}

TEST(Prefix, MasksHostBits) {
  EXPECT_EQ(Prefix::Parse("10.1.2.3/8")->ToString(), "10.0.0.0/8");
  EXPECT_EQ(Prefix::Parse("10.1.2.3/0")->ToString(), "0.0.0.0/0");
  EXPECT_EQ(Prefix::Parse("2001:db8:ffff::1/33")->ToString(), "2001:db8:8000::/33");
  EXPECT_EQ(Prefix::Parse("2001:db8::ffff/127")->ToString(), "2001:db8::fffe/127");
}

TEST(Prefix, RefusesBadLengths) {
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/+8",
                           "10.0.0.0/8x", "::/129", "::/0128", "/8"}) {
    EXPECT_FALSE(Prefix::Parse(text)) << text;
  }
}

TEST(Prefix, ContainsItsOwnFamilyOnly) {
  const Prefix all_v4 = *Prefix::Parse("0.0.0.0/0");
  EXPECT_TRUE(all_v4.Contains(*IpAddress::Parse("255.255.255.255")));
  EXPECT_FALSE(all_v4.Contains(*IpAddress::Parse("::1")));
  EXPECT_FALSE(all_v4.Contains(*IpAddress::Parse("::ffff:10.0.0.1")));
}

TEST(Prefix, EndsAtItsLastAddress) {
  EXPECT_EQ(Prefix::Parse("10.0.0.0/30")->Last().ToString(), "10.0.0.3");
  EXPECT_EQ(Prefix::Parse("0.0.0.0/0")->Last().ToString(), "255.255.255.255");
  EXPECT_EQ(Prefix::Parse("fd00::/64")->Last().ToString(), "fd00::ffff:ffff:ffff:ffff");
  EXPECT_EQ(Prefix::Parse("fd00::/8")->Last().ToString(), "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_EQ(Prefix::Parse("fd00::1/128")->Last().ToString(), "fd00::1");
}

TEST(Prefix, ContainsNarrowerPrefixes) {
  const Prefix wide = *Prefix::Parse("10.0.0.0/8");
  EXPECT_TRUE(wide.Contains(*Prefix::Parse("10.255.0.0/16")));
  EXPECT_TRUE(wide.Contains(wide));
  EXPECT_FALSE(wide.Contains(*Prefix::Parse("0.0.0.0/0")));
  EXPECT_FALSE(wide.Contains(*Prefix::Parse("11.0.0.0/16")));
}

TEST(Next, StopsAtTheLastAddress) {
  EXPECT_EQ(Next(*IpAddress::Parse("10.0.0.255"))->ToString(), "10.0.1.0");
  EXPECT_EQ(Next(*IpAddress::Parse("::ffff:ffff:ffff:ffff"))->ToString(), "0:0:0:1::");
  EXPECT_FALSE(Next(*IpAddress::Parse("255.255.255.255")));
  EXPECT_FALSE(Next(*IpAddress::Parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
}

}  // namespace
}  // namespace sluice
