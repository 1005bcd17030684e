#include "names/name_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kUnix = 1'700'000'000 * kSecond;

NameTime At(std::uint64_t seconds) { return {(seconds + 100) * kSecond, kUnix + seconds * kSecond}; }
IpAddress Ip(const std::string& text) { return *IpAddress::Parse(text); }

class NameStoreTest : public testing::Test {
 protected:
  NamesLearnt Learn(std::vector<std::string> names, std::vector<std::string> addresses, std::uint32_t ttl_s,
                    std::uint64_t at_s = 0) {
    std::vector<IpAddress> parsed;
    for (const std::string& address : addresses) parsed.push_back(Ip(address));
    return store_.Learn({names, parsed, ttl_s, "10.96.0.10"}, At(at_s));
  }
  // "name address": what is in force.
  std::vector<std::string> InForce(std::uint64_t at_s) const {
    std::vector<std::string> lines;
    for (const LearntPair& pair : store_.List(At(at_s))) lines.push_back(pair.name + ' ' + pair.address.ToString());
    return lines;
  }
  std::vector<std::string> SeenByWorkers(const std::string& address) const {
    std::vector<std::string> names;
    if (const auto* learnt = store_.learnt().Find(Ip(address))) {
      for (const LearntName& each : *learnt) names.push_back(each.name);
    }
    return names;
  }

  NameStore store_{NameStore::Limits{.addresses_a_name = 3, .pairs = 5}};
};

TEST_F(NameStoreTest, NothingIsKeptThatNoRuleAsksFor) {
  EXPECT_FALSE(store_.AsksForAny());
  EXPECT_EQ(Learn({"a.example.com"}, {"192.0.2.1"}, 60).kept, 0u);
  store_.SetPatterns({"b.example.com"});
  EXPECT_TRUE(store_.AsksForAny());
  EXPECT_EQ(Learn({"a.example.com"}, {"192.0.2.1"}, 60).kept, 0u);
  EXPECT_THAT(InForce(0), IsEmpty());
  EXPECT_THAT(SeenByWorkers("192.0.2.1"), IsEmpty());
  EXPECT_EQ(store_.counters().unasked, 2u);
}

TEST_F(NameStoreTest, AMillionNamesThatNoRuleAsksForLeaveNothingBehind) {
  store_.SetPatterns({"a.example.com", "*.example.org"});
  Learn({"a.example.com"}, {"192.0.2.1"}, 3600);
  const std::uint64_t revision = store_.revision();
  constexpr std::uint32_t kNames = 1'000'000;
  for (std::uint32_t i = 0; i < kNames; ++i) {
    const std::string name[] = {"n" + std::to_string(i) + ".example.com"};
    const IpAddress address[] = {IpAddress::V4(i)};
    ASSERT_EQ(store_.Learn({name, address, 3600, "r"}, At(0)).kept, 0u);
  }
  const NameCounters counters = store_.counters();
  EXPECT_EQ(counters.unasked, kNames);
  EXPECT_EQ(counters.names, 1u);
  EXPECT_EQ(counters.kept_pairs, 1u);
  EXPECT_EQ(counters.evicted, 0u);
  EXPECT_EQ(store_.learnt().size(), 1u);
  EXPECT_EQ(store_.learnt().retired_count(), 0u);
  EXPECT_EQ(store_.revision(), revision) << "nothing is written to disk for them";
}

TEST_F(NameStoreTest, FQ_01_CaseAndTheLastDotMeanNothingAndAStarIsOneLabelOrMore) {
  store_.SetPatterns({"S3.Example.com.", "*.example.org"});
  EXPECT_TRUE(store_.AsksFor("s3.example.com"));
  EXPECT_FALSE(store_.AsksFor("x.s3.example.com"));
  EXPECT_TRUE(store_.AsksFor("a.example.org"));
  EXPECT_TRUE(store_.AsksFor("a.b.example.org"));
  EXPECT_FALSE(store_.AsksFor("example.org"));
  EXPECT_FALSE(store_.AsksFor("notexample.org"));
  Learn({"s3.eXAMPLE.com."}, {"192.0.2.1"}, 60);
  EXPECT_THAT(InForce(0), ElementsAre("s3.example.com 192.0.2.1"));
}

TEST_F(NameStoreTest, FQ_02_AnAddressBelongsToANameForItsTtlAndThirtySecondsAtLeast) {
  store_.SetPatterns({"*.example.com"});
  Learn({"short.example.com"}, {"192.0.2.1"}, 0);
  Learn({"long.example.com"}, {"192.0.2.2"}, 31);
  EXPECT_THAT(InForce(29), ElementsAre("long.example.com 192.0.2.2", "short.example.com 192.0.2.1"));
  EXPECT_THAT(InForce(30), ElementsAre("long.example.com 192.0.2.2"));
  EXPECT_THAT(InForce(31), IsEmpty());
  // Kept for those connections that began with it.
  EXPECT_THAT(SeenByWorkers("192.0.2.1"), ElementsAre("short.example.com"));
  EXPECT_EQ(store_.List(At(31), true).size(), 2u);
}

TEST_F(NameStoreTest, FQ_02_AnAnswerNeverShortensAnother) {
  store_.SetPatterns({"a.example.com"});
  Learn({"a.example.com"}, {"192.0.2.1"}, 100);
  Learn({"a.example.com"}, {"192.0.2.1"}, 30, 10);
  EXPECT_THAT(InForce(99), ElementsAre("a.example.com 192.0.2.1"));
  EXPECT_EQ(Learn({"a.example.com"}, {"192.0.2.1"}, 60, 90).fresh, 0u);
  const auto list = store_.List(At(149));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].learnt_unix_ns, At(0).unix_ns);
  EXPECT_EQ(list[0].until_unix_ns, At(150).unix_ns);
  EXPECT_EQ(list[0].source, "10.96.0.10");
  EXPECT_EQ(Learn({"a.example.com"}, {"192.0.2.1"}, 60, 200).fresh, 1u);
  EXPECT_EQ(store_.List(At(200))[0].learnt_unix_ns, At(200).unix_ns);
}

TEST_F(NameStoreTest, FQ_04_EveryNameOfAChainHasTheAddresses) {
  store_.SetPatterns({"www.example.com", "edge.example.net"});
  const auto learnt = Learn({"www.example.com", "alias.example.org", "edge.example.net"}, {"192.0.2.1"}, 60);
  EXPECT_EQ(learnt.kept, 2u);
  EXPECT_THAT(InForce(0), ElementsAre("edge.example.net 192.0.2.1", "www.example.com 192.0.2.1"));
  EXPECT_THAT(SeenByWorkers("192.0.2.1"), ElementsAre("www.example.com", "edge.example.net"));
}

TEST_F(NameStoreTest, NamesThatNoRuleAsksForAnyMoreAreForgotten) {
  store_.SetPatterns({"a.example.com", "b.example.com"});
  Learn({"a.example.com"}, {"192.0.2.1", "192.0.2.2"}, 60);
  Learn({"b.example.com"}, {"192.0.2.2"}, 60);
  store_.SetPatterns({"b.example.com"});
  EXPECT_THAT(InForce(0), ElementsAre("b.example.com 192.0.2.2"));
  EXPECT_THAT(SeenByWorkers("192.0.2.1"), IsEmpty());
  EXPECT_THAT(SeenByWorkers("192.0.2.2"), ElementsAre("b.example.com"));
  EXPECT_EQ(store_.counters().pairs, 1u);
}

TEST_F(NameStoreTest, OfTooManyAddressesOfANameTheOneThatWouldRunOutFirstMakesWay) {
  store_.SetPatterns({"a.example.com"});
  Learn({"a.example.com"}, {"192.0.2.1"}, 100);
  Learn({"a.example.com"}, {"192.0.2.2"}, 50);
  Learn({"a.example.com"}, {"192.0.2.3"}, 70);
  EXPECT_EQ(Learn({"a.example.com"}, {"192.0.2.4"}, 60).evicted, 1u);
  EXPECT_THAT(InForce(0), ElementsAre("a.example.com 192.0.2.1", "a.example.com 192.0.2.3", "a.example.com 192.0.2.4"));
  EXPECT_EQ(store_.counters().evicted, 1u);
  // What lapsed makes way first, and is no loss.
  EXPECT_EQ(Learn({"a.example.com"}, {"192.0.2.5"}, 30, 65).evicted, 0u);
  EXPECT_EQ(store_.counters().evicted, 1u);
  EXPECT_EQ(store_.counters().pairs, 3u);
}

TEST_F(NameStoreTest, RoomIsBoundedInAll) {
  store_.SetPatterns({"*.example.com"});
  for (int i = 0; i < 8; ++i) Learn({"n" + std::to_string(i) + ".example.com"}, {"192.0.2.1"}, 60 + i);
  EXPECT_EQ(store_.counters().kept_pairs, 5u);
  EXPECT_EQ(store_.counters().names, 5u);
  EXPECT_EQ(store_.counters().evicted, 3u);
  EXPECT_EQ(SeenByWorkers("192.0.2.1").size(), 5u);
}

TEST_F(NameStoreTest, WhatIsInForceIsCounted) {
  store_.SetPatterns({"*.example.com"});
  Learn({"a.example.com"}, {"192.0.2.1", "2001:db8::1"}, 60);
  Learn({"a.example.com"}, {"192.0.2.1"}, 90, 1);
  NameCounters counters = store_.counters();
  EXPECT_EQ(counters.answers, 2u);
  EXPECT_EQ(counters.learnt, 2u);
  EXPECT_EQ(counters.renewed, 1u);
  EXPECT_EQ(counters.pairs, 2u);
  store_.Expire(At(60));
  EXPECT_EQ(store_.counters().pairs, 1u);
  EXPECT_EQ(store_.counters().lapsed, 1u);
  store_.Expire(At(91));
  EXPECT_EQ(store_.counters().pairs, 0u);
  EXPECT_EQ(store_.counters().kept_pairs, 2u);
}

TEST_F(NameStoreTest, WhatWasListedIsInForceAfterARestartUntilItsTime) {
  store_.SetPatterns({"*.example.com"});
  Learn({"a.example.com"}, {"192.0.2.1"}, 60);
  Learn({"b.example.com"}, {"192.0.2.2"}, 30);
  const auto kept = store_.List(At(0));
  NameStore restarted;
  // The clock of workers begins anew, the one of people goes on.
  const NameTime now{5 * kSecond, At(40).unix_ns};
  EXPECT_EQ(restarted.Restore(kept, now), 0u) << "no rule asks yet";
  restarted.SetPatterns({"*.example.com"});
  EXPECT_EQ(restarted.Restore(kept, now), 1u);
  const auto list = restarted.List(now);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0], kept[0]);
  EXPECT_EQ(restarted.learnt().Find(Ip("192.0.2.1"))->at(0).until_ns, 25 * kSecond);
  EXPECT_THAT(restarted.List({25 * kSecond, At(60).unix_ns}), IsEmpty());
}

TEST_F(NameStoreTest, WhatWasLearntWhenItEndedIsNotRestored) {
  store_.SetPatterns({"a.example.com"});
  const std::vector<LearntPair> kept = {{"a.example.com", Ip("192.0.2.1"), At(60).unix_ns, At(60).unix_ns, false, "r"}};
  EXPECT_EQ(store_.Restore(kept, At(0)), 0u);
  EXPECT_EQ(store_.counters().pairs, 0u);
  EXPECT_EQ(store_.counters().kept_pairs, 0u);
}

TEST_F(NameStoreTest, AClockThatWentBackMakesNothingLastLonger) {
  store_.SetPatterns({"a.example.com"});
  Learn({"a.example.com"}, {"192.0.2.1"}, 60, 1000);
  NameStore restarted;
  restarted.SetPatterns({"a.example.com"});
  const NameTime now{kSecond, At(0).unix_ns};
  EXPECT_EQ(restarted.Restore(store_.List(At(1000)), now), 1u);
  EXPECT_EQ(restarted.learnt().Find(Ip("192.0.2.1"))->at(0).until_ns, 61 * kSecond);
}

TEST_F(NameStoreTest, ALongListIsWholeAndInOrder) {
  NameStore store;
  store.SetPatterns({"*.example.com"});
  constexpr std::uint32_t kNames = 3000;
  for (std::uint32_t i = 0; i < kNames; ++i) {
    const std::string name[] = {"n" + std::to_string(i) + ".example.com"};
    const IpAddress addresses[] = {IpAddress::V4(i), IpAddress::V4(kNames + i)};
    store.Learn({name, addresses, 60, "r"}, At(0));
  }
  const auto list = store.List(At(0));
  EXPECT_EQ(list.size(), 2 * kNames);
  const auto comes_before = [](const LearntPair& a, const LearntPair& b) {
    return std::tie(a.name, a.address) < std::tie(b.name, b.address);
  };
  EXPECT_TRUE(std::is_sorted(list.begin(), list.end(), comes_before));
}

TEST_F(NameStoreTest, NamesOfAnAddressSaySinceWhenAndFromWhom) {
  store_.SetPatterns({"*.example.com"});
  Learn({"b.example.com"}, {"192.0.2.1"}, 60);
  Learn({"a.example.com"}, {"192.0.2.1"}, 30);
  const auto names = store_.NamesOf(Ip("192.0.2.1"), At(45));
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(names[0].name, "a.example.com");
  EXPECT_TRUE(names[0].lapsed);
  EXPECT_FALSE(names[1].lapsed);
  EXPECT_THAT(store_.NamesOf(Ip("192.0.2.9"), At(45)), IsEmpty());
}

}  // namespace
}  // namespace sluice
