// An answer belongs to one query: by both ends, id and question, within its time; and the table stays bounded.
#include "dns/open_queries.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <tuple>

#include "sluice/protocol.h"

namespace sluice {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

DnsEnds Ends(std::uint32_t client = 0x0a000001, std::uint16_t port = 40000, std::uint32_t resolver = 0x0a60000a) {
  return {{IpAddress::V4(client), port}, {IpAddress::V4(resolver), 53}, kProtoUdp};
}

DnsQuestion Question(std::uint16_t id = 7, std::string_view name = "s3.example.com", std::uint16_t type = kDnsA) {
  return {id, type, DnsName::Parse(name).value()};
}

TEST(OpenQueries, AnAnswerCountsOnceForItsQueryAlone) {
  OpenQueries open({});
  open.Add(Ends(), Question(), kSecond);
  EXPECT_FALSE(open.Take(Ends(0x0a000002), Question(), kSecond));
  EXPECT_FALSE(open.Take(Ends(0x0a000001, 40001), Question(), kSecond));
  EXPECT_FALSE(open.Take(Ends(0x0a000001, 40000, 0x0a60000b), Question(), kSecond));
  EXPECT_FALSE(open.Take(Ends(), Question(8), kSecond));
  EXPECT_FALSE(open.Take(Ends(), Question(7, "s4.example.com"), kSecond));
  EXPECT_FALSE(open.Take(Ends(), Question(7, "s3.example.com", kDnsAaaa), kSecond));
  DnsEnds tcp = Ends();
  tcp.protocol = kProtoTcp;
  EXPECT_FALSE(open.Take(tcp, Question(), kSecond));
  EXPECT_TRUE(open.Take(Ends(), Question(), kSecond));
  EXPECT_FALSE(open.Take(Ends(), Question(), kSecond));
  EXPECT_EQ(open.size(), 0u);
}

TEST(OpenQueries, AQueryThatWasSentAgainMayBeAnsweredAgain) {
  OpenQueries open({});
  open.Add(Ends(), Question(), kSecond);
  open.Add(Ends(), Question(), 2 * kSecond);
  EXPECT_EQ(open.size(), 1u);
  EXPECT_TRUE(open.Take(Ends(), Question(), 3 * kSecond));
  EXPECT_TRUE(open.Take(Ends(), Question(), 3 * kSecond));
  EXPECT_FALSE(open.Take(Ends(), Question(), 3 * kSecond));
}

TEST(OpenQueries, NoAnswerCountsAfterItsTime) {
  OpenQueries open({.timeout_ns = 10 * kSecond});
  open.Add(Ends(), Question(), kSecond);
  EXPECT_TRUE(open.Take(Ends(), Question(), 11 * kSecond));
  open.Add(Ends(), Question(), kSecond);
  EXPECT_FALSE(open.Take(Ends(), Question(), 11 * kSecond + 1));
  EXPECT_EQ(open.size(), 0u);
}

TEST(OpenQueries, AClientDisplacesItsOwn) {
  OpenQueries open({.all = 16, .of_client = 4});
  open.Add(Ends(1), Question(), kSecond);
  for (std::uint16_t id = 0; id < 100; ++id) open.Add(Ends(2), Question(id), kSecond);
  EXPECT_EQ(open.size(), 5u);
  EXPECT_EQ(open.displaced(), 96u);
  EXPECT_TRUE(open.Take(Ends(1), Question(), kSecond));
  EXPECT_FALSE(open.Take(Ends(2), Question(95), kSecond));
  EXPECT_TRUE(open.Take(Ends(2), Question(96), kSecond));
}

TEST(OpenQueries, TheOldestMakesWayWhereThereIsNoRoom) {
  OpenQueries open({.all = 16, .of_client = 4});
  for (std::uint32_t client = 0; client < 17; ++client) open.Add(Ends(client), Question(), kSecond);
  EXPECT_EQ(open.size(), 16u);
  EXPECT_FALSE(open.Take(Ends(0), Question(), kSecond));
  EXPECT_TRUE(open.Take(Ends(1), Question(), kSecond));
}

// Against a map, with few keys so that they meet, and time that passes.
TEST(OpenQueries, SameAsAMapOverRandomSteps) {
  std::mt19937 random(5);
  OpenQueries open({.all = 4096, .of_client = 4096, .timeout_ns = 20});
  using Key = std::tuple<std::uint32_t, std::uint16_t, int>;
  std::map<Key, std::pair<std::uint64_t, int>> model;  // when, times
  std::uint64_t now = 100;
  int taken = 0;
  for (int step = 0; step < 50'000; ++step) {
    now += random() % 8 == 0 ? 1 : 0;
    const Key key{random() % 5, static_cast<std::uint16_t>(random() % 9), static_cast<int>(random() % 3)};
    const DnsEnds ends = Ends(std::get<0>(key));
    const DnsQuestion question = Question(std::get<1>(key), "n" + std::to_string(std::get<2>(key)));
    std::erase_if(model, [&](const auto& query) { return query.second.first + 20 < now; });
    if (random() % 2 == 0) {
      open.Add(ends, question, now);
      auto& query = model[key];
      query = {now, query.second + 1};
    } else {
      const auto known = model.find(key);
      ASSERT_EQ(open.Take(ends, question, now), known != model.end()) << step;
      if (known != model.end() && (++taken, --known->second.second == 0)) model.erase(known);
    }
    if (random() % 2 == 0) continue;
    open.Take(Ends(99), Question(), now);  // brings what is over to its end
    ASSERT_EQ(open.size(), model.size()) << step;
  }
  EXPECT_GT(taken, 1000);
}

}  // namespace
}  // namespace sluice
