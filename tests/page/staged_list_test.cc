// What staged policies would change, as the page shows it: by workload, not by address.
#include "page/staged_list.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

v1::StagedDifference Denied(const std::string& pod, std::uint32_t port, std::uint64_t connections) {
  v1::StagedDifference difference;
  difference.mutable_source_pod()->set_namespace_("shop");
  difference.mutable_source_pod()->set_name(pod);
  difference.mutable_destination_pod()->set_namespace_("shop");
  difference.mutable_destination_pod()->set_name("database");
  difference.set_protocol(6);
  difference.set_destination_port(port);
  difference.mutable_staged_ingress()->set_policy("shop/staged");
  difference.mutable_staged_ingress()->set_index(-1);
  difference.set_connections(connections);
  difference.set_packets(10 * connections);
  difference.set_first_unix_ns(connections * 1'000'000);
  difference.set_last_unix_ns(connections * 2'000'000);
  return difference;
}

MapEnd EndOf(const v1::StagedPod& pod) {
  return pod.name().empty() ? MapEnd() : MapEnd{pod.namespace_(), pod.name().substr(0, pod.name().find('-'))};
}

TEST(StagedList, PodsOfAWorkloadAndDataplanesAreAddedUp) {
  PageTarget::StagedAnswer one, other;
  one.summary.set_since_unix_ns(9'000'000);
  one.summary.set_judged(100);
  one.summary.set_pods(7);
  one.summary.add_policies()->set_policy("shop/staged");
  one.differences = {Denied("web-1", 5432, 2), Denied("web-2", 5432, 3), Denied("web-1", 80, 1)};
  one.silent = {"shop/job"};
  other.summary.set_since_unix_ns(5'000'000);
  other.summary.set_judged(10);
  other.differences = {Denied("web-3", 5432, 4)};
  other.differences[0].set_would_allow(true);
  StagedList list;
  list.Add(EndOf, one);
  list.Add(EndOf, other);
  const PageJson json = list.Shown("");
  EXPECT_EQ(json["since_ms"], 5);
  EXPECT_EQ(json["judged"], 110);
  EXPECT_EQ(json["would_deny"], 6);
  EXPECT_EQ(json["would_allow"], 40);
  EXPECT_EQ(json["silent_count"], 1);
  EXPECT_EQ(json["policies"], PageJson::parse(R"([{"policy":"shop/staged","deletes":false}])"));
  ASSERT_EQ(json["rows"].size(), 3u);
  const PageJson& first = json["rows"][0];
  EXPECT_EQ(first["from"]["workload"], "web");
  EXPECT_EQ(first["port"], 5432);
  EXPECT_EQ(first["connections"], 5);
  EXPECT_EQ(first["packets"], 50);
  EXPECT_EQ(first["first_ms"], 2);
  EXPECT_EQ(first["last_ms"], 6);
  EXPECT_EQ(first["staged"][0]["policy"], "shop/staged");
  EXPECT_EQ(json["rows"][2]["would_allow"], true);
  EXPECT_EQ(list.Shown("nowhere")["matching"], 0);
}

TEST(StagedList, ManyRowsAreCountedAndTheFirstShown) {
  PageTarget::StagedAnswer answer;
  for (std::uint32_t port = 0; port < 1000; ++port) answer.differences.push_back(Denied("web-1", port, 1));
  StagedList list;
  list.Add(EndOf, answer);
  const PageJson json = list.Shown("");
  EXPECT_EQ(json["matching"], 1000);
  EXPECT_EQ(json["rows"].size(), StagedList::kShown);
  EXPECT_LT(ToText(json).size(), 100'000u);
}

}  // namespace
}  // namespace sluice
