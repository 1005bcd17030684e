// What the page is told: names as they are, sums over dataplanes, and no more than it can show.
#include "page/page_json.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

v1::PolicyInfo PolicyWith(const std::string& name, std::uint64_t packets, std::uint64_t last_hit_ns) {
  v1::PolicyInfo policy;
  policy.set_policy(name);
  policy.set_tier(v1::TIER_NETWORK_POLICY);
  v1::RuleInfo* rule = policy.add_rules();
  rule->set_direction(v1::DIRECTION_INGRESS);
  rule->set_index(0);
  rule->set_action(v1::ACTION_ALLOW);
  rule->set_packets(packets);
  rule->set_last_hit_unix_ns(last_hit_ns);
  v1::RuleInfo* deny = policy.add_rules();
  deny->set_direction(v1::DIRECTION_INGRESS);
  deny->set_index(-1);
  deny->set_action(v1::ACTION_DENY);
  return policy;
}

TEST(PageJson, PoliciesOfSeveralDataplanesAreAddedUp) {
  PolicyList list;
  PageTarget::PoliciesAnswer one, other;
  one.policies = {PolicyWith("shop/web", 5, 2'000'000), PolicyWith("shop/idle", 0, 0)};
  one.packets_per_second["shop/web"] = 10;
  one.covered[{"shop/idle", Direction::kIngress, 0}] = {3, true};
  other.policies = {PolicyWith("shop/web", 7, 9'000'000)};
  other.packets_per_second["shop/web"] = 2.5;
  list.Add(one);
  list.Add(other);
  const PageJson all = list.Shown("", PolicyList::Show::kAll);
  EXPECT_EQ(all["total"], 2);
  EXPECT_EQ(all["policies"][1]["rules"][0]["packets"], 12);
  EXPECT_EQ(all["policies"][1]["rules"][0]["last_hit_ms"], 9);
  EXPECT_EQ(list.Shown("", PolicyList::Show::kUnused)["policies"][0]["policy"], "shop/idle");
  EXPECT_EQ(list.Shown("", PolicyList::Show::kHit)["matching"], 1);
  EXPECT_EQ(list.Shown("web", PolicyList::Show::kAll)["matching"], 1);
  EXPECT_EQ(all["policies"][1]["packets_per_second"], 12.5);
  EXPECT_EQ(all["policies"][0]["packets_per_second"], 0);
  const PageJson covered = list.Shown("", PolicyList::Show::kCovered);
  ASSERT_EQ(covered["policies"].size(), 1u);
  EXPECT_EQ(covered["policies"][0]["rules"][0]["covered_by"], 3);
  EXPECT_EQ(covered["policies"][0]["rules"][0]["covered_now"], true);
  EXPECT_FALSE(covered["policies"][0]["rules"][1].contains("covered_by"));
}

TEST(PageJson, ManyPoliciesAreCountedAndTheFirstShown) {
  PolicyList list;
  PageTarget::PoliciesAnswer answer;
  for (int i = 0; i < 300; ++i) answer.policies.push_back(PolicyWith("shop/" + std::to_string(i), 1, 1));
  list.Add(answer);
  const PageJson all = list.Shown("", PolicyList::Show::kAll);
  EXPECT_EQ(all["matching"], 300);
  EXPECT_EQ(all["policies"].size(), PolicyList::kShown);
}

TEST(PageJson, AHostileNameStaysOneTextOfSoundJson) {
  v1::DropEvent drop;
  drop.set_source(std::string("\x0a\x00\x00\x01", 4));
  drop.set_destination(std::string("\x0a\x00\x00\x02", 4));
  drop.set_protocol(6);
  drop.set_reason("policy_denied");
  drop.mutable_ingress()->set_policy("a\"</script>\n\n data: \xff<img onerror=1>");
  const std::string text = ToText(ToPage(drop, 3));
  EXPECT_EQ(text.find('\n'), text.npos) << "it would end an event";
  const PageJson read = PageJson::parse(text);
  EXPECT_EQ(read["rules"][0]["policy"], "a\"</script>\n\n data: \xef\xbf\xbd<img onerror=1>");
  EXPECT_EQ(read["dataplane"], 3);
  EXPECT_EQ(read["src"]["address"], "10.0.0.1");
}

}  // namespace
}  // namespace sluice
