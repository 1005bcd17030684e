// What a message says, and that whatever is not exactly a message says nothing (FQ-03, FQ-04).
#include "dns/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/dns_builder.h"

namespace sluice {
namespace {

DnsName Name(std::string_view text) {
  const auto name = DnsName::Parse(text);
  EXPECT_TRUE(name) << text;
  return name.value_or(DnsName());
}

// "s3.example.com cdn.example.net = 203.0.113.9 203.0.113.10 for 60", or the reading that it is not.
std::string Told(const ByteVector& message) {
  constexpr std::string_view kReadings[] = {"", "malformed", "truncated", "other"};
  DnsQuestion question;
  DnsReader reader;
  DnsReading reading = DnsReader::ReadResponse(message, question);
  if (reading == DnsReading::kRead) reading = reader.ReadAnswer(message, question);
  if (reading != DnsReading::kRead) return std::string(kReadings[static_cast<int>(reading)]);
  std::string text;
  for (const std::string& name : reader.answer().names) text += name + " ";
  text += "=";
  for (const IpAddress& address : reader.answer().addresses) text += " " + address.ToString();
  if (!reader.answer().addresses.empty()) text += " for " + std::to_string(reader.answer().ttl_s);
  return text;
}

DnsBuilder Response(std::string_view name = "s3.example.com", std::uint16_t type = DnsBuilder::kA) {
  return DnsBuilder(7).Question(name, type);
}

TEST(DnsMessage, AddressesOfTheNameThatWasAskedFor) {
  EXPECT_EQ(Told(Response().A("s3.example.com", "203.0.113.9", 60).A("s3.example.com", "203.0.113.10", 60).Bytes()),
            "s3.example.com = 203.0.113.9 203.0.113.10 for 60");
  EXPECT_EQ(Told(Response("s3.example.com", DnsBuilder::kAaaa).Aaaa("s3.example.com", "2001:db8::9").Bytes()),
            "s3.example.com = 2001:db8::9 for 300");
}

TEST(DnsMessage, RecordsOfAnotherNameTypeOrClassSayNothing) {
  EXPECT_EQ(Told(Response()
                     .A("other.example.com", "203.0.113.1")
                     .A("com", "203.0.113.2")
                     .Aaaa("s3.example.com", "2001:db8::9")
                     .Record("s3.example.com", DnsBuilder::kA, 300, {1, 2, 3, 4}, 3)
                     .Record("s3.example.com", DnsBuilder::kHttps, 300, {0, 1, 0, 0, 4, 0, 4, 203, 0, 113, 7})
                     .A("s3.example.com", "203.0.113.9")
                     .Bytes()),
            "s3.example.com = 203.0.113.9 for 300");
}

TEST(DnsMessage, AddressesOutsideTheAnswerSectionSayNothing) {
  EXPECT_EQ(Told(Response()
                     .Authority()
                     .A("s3.example.com", "203.0.113.1")
                     .Additional()
                     .A("s3.example.com", "203.0.113.2")
                     .Bytes()),
            "s3.example.com =");
}

TEST(DnsMessage, QuestionsForHintsAreNotForAddresses) {
  EXPECT_EQ(Told(Response("s3.example.com", DnsBuilder::kHttps).A("s3.example.com", "203.0.113.1").Bytes()), "other");
  EXPECT_EQ(Told(Response("s3.example.com", 255).A("s3.example.com", "203.0.113.1").Bytes()), "other");
}

TEST(DnsMessage, CaseIsFoldedWhereverANameStands) {
  EXPECT_EQ(Told(Response("S3.eXample.COM")
                     .Cname("s3.EXAMPLE.com", "CDN.example.net")
                     .A("cdn.Example.NET", "203.0.113.9")
                     .Bytes()),
            "s3.example.com cdn.example.net = 203.0.113.9 for 300");
}

TEST(DnsMessage, FQ_04_EachNameOfAChainHasItsAddressesForTheLeastTime) {
  const std::string told = "a.example.com b.example.net c.example.org = 203.0.113.9 203.0.113.10 for 20";
  EXPECT_EQ(Told(Response("a.example.com")
                     .Cname("a.example.com", "b.example.net", 40)
                     .Cname("b.example.net", "c.example.org", 20)
                     .A("c.example.org", "203.0.113.9", 30)
                     .A("c.example.org", "203.0.113.10", 300)
                     .Bytes()),
            told);
  // In whatever order the server wrote it.
  EXPECT_EQ(Told(Response("a.example.com")
                     .A("c.example.org", "203.0.113.9", 30)
                     .Cname("b.example.net", "c.example.org", 20)
                     .A("c.example.org", "203.0.113.10", 300)
                     .Cname("a.example.com", "b.example.net", 40)
                     .Bytes()),
            told);
}

TEST(DnsMessage, FQ_04_AChainThatDoesNotBeginWithTheQuestionSaysNothing) {
  EXPECT_EQ(
      Told(Response("a.example.com").Cname("x.example.com", "b.example.net").A("b.example.net", "203.0.113.9").Bytes()),
      "a.example.com =");
}

TEST(DnsMessage, FQ_04_ADnameStandsForTheNamesBelowItAlone) {
  EXPECT_EQ(Told(Response("a.b.example.com")
                     .Dname("example.com", "example.net", 50)
                     .A("a.b.example.net", "203.0.113.9", 60)
                     .Bytes()),
            "a.b.example.com a.b.example.net = 203.0.113.9 for 50");
  EXPECT_EQ(Told(Response("example.com").Dname("example.com", "example.net").A("example.net", "203.0.113.9").Bytes()),
            "example.com =");
  EXPECT_EQ(
      Told(Response("notexample.com").Dname("example.com", "example.net").A("notexample.net", "203.0.113.9").Bytes()),
      "notexample.com =");
  // The CNAME that a server makes of it (RFC 6672 3.1) leads on, whatever its own target.
  EXPECT_EQ(Told(Response("a.example.com")
                     .Dname("example.com", "example.net", 50)
                     .Cname("a.example.com", "a.example.net", 0)
                     .A("a.example.net", "203.0.113.9", 60)
                     .Bytes()),
            "a.example.com a.example.net = 203.0.113.9 for 0");
  // The nearest one above the name.
  EXPECT_EQ(Told(Response("a.b.example.com")
                     .Dname("com", "wrong.org")
                     .Dname("b.example.com", "example.net")
                     .A("a.example.net", "203.0.113.9")
                     .Bytes()),
            "a.b.example.com a.example.net = 203.0.113.9 for 300");
}

TEST(DnsMessage, FQ_04_AChainThatLoopsForksOrIsTooLongIsNoAnswer) {
  EXPECT_EQ(Told(Response("a.example.com").Cname("a.example.com", "a.example.com").Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.example.com")
                     .Cname("a.example.com", "b.example.com")
                     .Cname("b.example.com", "a.example.com")
                     .Bytes()),
            "malformed");
  EXPECT_EQ(Told(Response("a.example.com")
                     .Cname("a.example.com", "b.example.com")
                     .Cname("a.example.com", "c.example.com")
                     .Bytes()),
            "malformed");
  for (const std::size_t links : {DnsReader::kMostLinks, DnsReader::kMostLinks + 1}) {
    DnsBuilder chain = Response("n0");
    for (std::size_t i = 0; i < links; ++i) chain.Cname("n" + std::to_string(i), "n" + std::to_string(i + 1));
    chain.A("n" + std::to_string(links), "203.0.113.9");
    EXPECT_EQ(Told(chain.Bytes()) == "malformed", links > DnsReader::kMostLinks) << links;
  }
  // A DNAME that leads below itself, until the name is too long.
  EXPECT_EQ(
      Told(Response("a.example.com").Dname("example.com", "long-enough-to-grow-fast.and-faster.example.com").Bytes()),
      "malformed");
}

TEST(DnsMessage, CompressedNames) {
  EXPECT_EQ(Told(Response("s3.example.com").A("@12", "203.0.113.9").Bytes()), "s3.example.com = 203.0.113.9 for 300");
  EXPECT_EQ(Told(Response("s3.example.com").Cname("@12", "cdn.@15").A("cdn.@15", "203.0.113.9").Bytes()),
            "s3.example.com cdn.example.com = 203.0.113.9 for 300");
  // A pointer to itself, forward, past the end, to what it is part of; two that lead to each other.
  EXPECT_EQ(Told(Response("a.b").A("@21", "203.0.113.9").Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.b").A("@30", "203.0.113.9").Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.b").A("@16383", "203.0.113.9").Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.b").A("x.@21", "203.0.113.9").Bytes()), "malformed");
  EXPECT_EQ(Told(DnsBuilder(7).Count(0, 1).Raw({0xc0, 14, 0xc0, 12, 0, 1, 0, 1}).Bytes()), "malformed");
}

TEST(DnsMessage, ManyPointersAreNoName) {
  // 200 pointers, each to the one before: the first leads to a name.
  DnsBuilder message = Response("a.b");
  const std::size_t first = message.size();
  ByteVector pointers;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::size_t target = i == 0 ? 12 : first + 11 + 2 * (i - 1);
    pointers.push_back(static_cast<std::uint8_t>(0xc0 | target >> 8));
    pointers.push_back(static_cast<std::uint8_t>(target));
  }
  message.Record("", DnsBuilder::kTxt, 0, pointers);
  DnsBuilder short_one = message;
  short_one.A("@" + std::to_string(first + 11 + 2 * 100), "203.0.113.9");
  EXPECT_EQ(Told(short_one.Bytes()), "a.b = 203.0.113.9 for 300");
  EXPECT_EQ(Told(message.A("@" + std::to_string(first + 11 + 2 * 199), "203.0.113.9").Bytes()), "malformed");
}

TEST(DnsMessage, LabelsAndNamesHaveTheirLimits) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');  // 255 bytes
  EXPECT_EQ(Told(Response(longest).A("@12", "203.0.113.9").Bytes()), longest + " = 203.0.113.9 for 300");
  EXPECT_EQ(Told(Response(longest + "b").Bytes()), "malformed");
  EXPECT_EQ(Told(DnsBuilder(7).Count(0, 1).Raw({0x40, 'a', 0, 0, 1, 0, 1}).Bytes()), "malformed");
  EXPECT_EQ(Told(DnsBuilder(7).Count(0, 1).Raw({0x80, 'a', 0, 0, 1, 0, 1}).Bytes()), "malformed");
}

TEST(DnsMessage, ADotWithinALabelPartsNothing) {
  const ByteVector dotted = {3, 'a', '.', 'b', 3, 'c', 'o', 'm', 0};
  DnsBuilder message(7);
  message.Count(0, 1).Raw(dotted).Raw({0, 1, 0, 1}).A("@12", "203.0.113.9");
  EXPECT_EQ(Told(message.Bytes()), "a\\046b.com = 203.0.113.9 for 300");
  EXPECT_EQ(Told(Response("a b").Bytes()), "a\\032b =");
  EXPECT_EQ(Told(Response("").Bytes()), ". =");
}

TEST(DnsMessage, OneQuestion) {
  EXPECT_EQ(Told(DnsBuilder(7).Bytes()), "malformed");
  EXPECT_EQ(Told(DnsBuilder(7).Question("a.b").Question("c.d").A("a.b", "203.0.113.9").Bytes()), "malformed");
  EXPECT_EQ(Told(DnsBuilder(7).Question("a.b", DnsBuilder::kA, 3).Bytes()), "other");  // CHAOS
}

TEST(DnsMessage, ResponsesToOrdinaryQueriesOnly) {
  EXPECT_EQ(Told(DnsBuilder::Query(7, "a.b").A("a.b", "203.0.113.9").Bytes()), "other");
  EXPECT_EQ(Told(DnsBuilder(7, 0x8180 | 4 << 11).Question("a.b").A("a.b", "203.0.113.9").Bytes()), "other");  // NOTIFY
  EXPECT_EQ(Told(DnsBuilder(7, 0x8380).Question("a.b").A("a.b", "203.0.113.9").Bytes()), "truncated");
}

TEST(DnsMessage, AServersFailureIsAnAnswerWithoutAddresses) {
  EXPECT_EQ(Told(DnsBuilder(7, 0x8182).Question("a.b").A("a.b", "203.0.113.9").Bytes()), "=");
  EXPECT_EQ(Told(DnsBuilder(7, 0x8183).Question("a.b").Bytes()), "=");
  EXPECT_EQ(Told(Response("a.b").A("a.b", "203.0.113.9").Opt(1).Bytes()), "=");  // BADVERS
}

TEST(DnsMessage, OneOptionRecordOfTheRootAmongTheAdditional) {
  EXPECT_EQ(Told(Response("a.b").A("a.b", "203.0.113.9").Opt().Bytes()), "a.b = 203.0.113.9 for 300");
  EXPECT_EQ(Told(Response("a.b").A("a.b", "203.0.113.9").Opt().Opt().Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.b").Record("", DnsBuilder::kOpt, 0, {}).Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.b").Additional().Record("x", DnsBuilder::kOpt, 0, {}).Bytes()), "malformed");
}

TEST(DnsMessage, AddressesHaveTheirLength) {
  EXPECT_EQ(Told(Response("a.b").Record("a.b", DnsBuilder::kA, 1, {1, 2, 3}).Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.b").Record("a.b", DnsBuilder::kA, 1, {1, 2, 3, 4, 5}).Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.b").Record("a.b", DnsBuilder::kAaaa, 1, ByteVector(4)).Bytes()), "malformed");
  EXPECT_EQ(Told(Response("a.b").Record("a.b", DnsBuilder::kCname, 1, {1, 'c', 0, 0}).Bytes()), "malformed");
}

TEST(DnsMessage, ATimeWithItsTopBitSetIsZero) {
  EXPECT_EQ(Told(Response("a.b").A("a.b", "203.0.113.9", 0x80000000).Bytes()), "a.b = 203.0.113.9 for 0");
  EXPECT_EQ(Told(Response("a.b").A("a.b", "203.0.113.9", 0x7fffffff).Bytes()), "a.b = 203.0.113.9 for 2147483647");
}

// Cut anywhere, or with anything behind it, it is no message.
TEST(DnsMessage, EveryByteCounts) {
  const ByteVector whole = Response("s3.example.com")
                               .Cname("@12", "cdn.@15")
                               .A("cdn.@15", "203.0.113.9")
                               .Authority()
                               .Record("example.com", DnsBuilder::kNs, 300, DnsBuilder::NameBytes("ns.@15"))
                               .Opt()
                               .Bytes();
  ASSERT_EQ(Told(whole), "s3.example.com cdn.example.com = 203.0.113.9 for 300");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Told(ByteVector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "malformed") << size;
  }
  ByteVector longer = whole;
  longer.push_back(0);
  EXPECT_EQ(Told(longer), "malformed");
}

TEST(DnsMessage, FourHundredAddressesOfOneName) {
  DnsBuilder message = Response("s3.example.com");
  for (int i = 0; i < 400; ++i) message.A("@12", "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256));
  DnsQuestion question;
  DnsReader reader;
  const ByteVector bytes = message.Bytes();
  ASSERT_EQ(DnsReader::ReadResponse(bytes, question), DnsReading::kRead);
  ASSERT_EQ(reader.ReadAnswer(bytes, question), DnsReading::kRead);
  EXPECT_EQ(reader.answer().addresses.size(), 400u);
  EXPECT_EQ(reader.answer().addresses[399], IpAddress::V4(0x0a01018f));
}

TEST(DnsMessage, QueriesForAddresses) {
  DnsQuestion question;
  EXPECT_EQ(DnsReader::ReadQuery(DnsBuilder::Query(9, "S3.example.com").Bytes(), question), DnsReading::kRead);
  EXPECT_EQ(question, (DnsQuestion{9, DnsBuilder::kA, Name("s3.example.com.")}));
  EXPECT_EQ(DnsReader::ReadQuery(DnsBuilder::Query(9, "a.b", DnsBuilder::kAaaa).Opt().Bytes(), question),
            DnsReading::kRead);
  EXPECT_EQ(DnsReader::ReadQuery(DnsBuilder::Query(9, "a.b", DnsBuilder::kTxt).Bytes(), question), DnsReading::kOther);
  EXPECT_EQ(DnsReader::ReadQuery(Response().Bytes(), question), DnsReading::kOther);
  EXPECT_EQ(DnsReader::ReadQuery({}, question), DnsReading::kMalformed);
}

TEST(DnsName, WhatPeopleWrite) {
  EXPECT_EQ(Name("S3.Example.com.").ToString(), "s3.example.com");
  EXPECT_EQ(Name("").ToString(), ".");
  EXPECT_EQ(Name(".").ToString(), ".");
  for (const std::string_view wrong : {"a..b", ".a", "a..", ".."}) EXPECT_FALSE(DnsName::Parse(wrong)) << wrong;
  EXPECT_FALSE(DnsName::Parse(std::string(64, 'a')));
  EXPECT_TRUE(Name("a.b.c").IsBelow(Name("b.c")));
  EXPECT_TRUE(Name("a.b.c").IsBelow(DnsName()));
  EXPECT_FALSE(Name("b.c").IsBelow(Name("b.c")));
  EXPECT_FALSE(Name("ab.c").IsBelow(Name("b.c")));
}

}  // namespace
}  // namespace sluice
