// Rules by domain name: the rules FQ-nn by example and in every small world, asked of the reference and of compiled
// policy.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reference/compare.h"
#include "reference/evaluate.h"
#include "reference/world.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

using reference::Answer;
using reference::NamesByAddress;
using reference::Side;

constexpr Tier kAdmin = Tier::kAdmin;
constexpr Tier kBaseline = Tier::kBaseline;
constexpr Action kAccept = Action::kAllow;
constexpr Action kDeny = Action::kDeny;
constexpr Action kPass = Action::kPass;

Side By(Tier tier, bool allow, const char* policy, int rule) { return {allow, true, tier, policy, rule, ""}; }
const Side kUndecided;

ClusterPolicyPeer Everywhere() { return OfNetworks({"0.0.0.0/0", "::/0"}); }

// Pods web and db; an address outside.
class NameRulesTest : public testing::Test {
 protected:
  // What both engines say of the egress side.
  Side EgressOf(std::string_view source, std::string_view destination, std::uint16_t port = 443,
                std::uint8_t protocol = kProtoTcp) const {
    const reference::Flow flow{Ip(source), Ip(destination), protocol, 40000, port};
    const Answer answer = reference::Evaluator(cluster, names).Evaluate(flow);
    Compiler compiler;
    Classifier classifier;
    const auto table = CompileWorld(cluster, compiler);
    EXPECT_EQ(Classify(*table, classifier, {&flow, 1}, true, names).at(0), answer)
        << ToText(flow) << "\n  reference: " << ToText(answer);
    return answer.egress;
  }
  void Add(ClusterPolicy policy) { cluster.cluster_policies.push_back(std::move(policy)); }
  void Learn(std::string_view address, const std::string& name) { names[Ip(address)].insert(name); }

  const std::string_view web = "10.0.0.1", db = "10.0.0.2", outside = "198.51.100.7", other = "198.51.100.8",
                         outside6 = "2001:db8:f::7";
  Cluster cluster = ClusterBuilder()
                        .Pod("a/web", {{"app", "web"}}, {"10.0.0.1", "fd00::1"})
                        .Pod("a/db", {{"app", "db"}}, {"10.0.0.2"})
                        .Port("https", kProtoTcp, 443)
                        .Build();
  NamesByAddress names;
};

TEST_F(NameRulesTest, FQ_01_ANameIsMatchedWholeWithoutCaseAndWithoutItsLastDot) {
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1),
                 {MakeRule(kAccept, {OfNames({"S3.Example.COM."})}), MakeRule(kDeny, {Everywhere()})}));
  EXPECT_EQ(EgressOf(web, outside), By(kAdmin, false, "p", 1));
  Learn(outside, "s3.eXample.com");
  EXPECT_EQ(EgressOf(web, outside), By(kAdmin, true, "p", 0));
  EXPECT_EQ(EgressOf(web, other), By(kAdmin, false, "p", 1));
  for (const char* name : {"x.s3.example.com", "example.com", "xs3.example.com", "s3.example.com.org"}) {
    Learn(other, name);
  }
  EXPECT_EQ(EgressOf(web, other), By(kAdmin, false, "p", 1));
  Learn(outside6, "s3.example.com");
  EXPECT_EQ(EgressOf("fd00::1", outside6), By(kAdmin, true, "p", 0));
}

TEST_F(NameRulesTest, FQ_01_AStarIsOneLabelOrMore) {
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1),
                 {MakeRule(kAccept, {OfNames({"*.example.com"})}), MakeRule(kDeny, {Everywhere()})}));
  Learn(outside, "example.com");
  Learn(outside, "aexample.com");
  EXPECT_EQ(EgressOf(web, outside), By(kAdmin, false, "p", 1));
  Learn(other, "a.b.example.com");
  EXPECT_EQ(EgressOf(web, other), By(kAdmin, true, "p", 0));
  Learn(outside, "a.example.com");
  EXPECT_EQ(EgressOf(web, outside), By(kAdmin, true, "p", 0));
}

TEST_F(NameRulesTest, FQ_05_TheAddressIsWhatIsAllowedWhateverItsOtherNamesAre) {
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1),
                 {MakeRule(kAccept, {OfNames({"a.example.com"})}, {OnTcp(443)}),
                  MakeRule(kAccept, {OfNames({"b.example.com"})}, {OnTcp(80)}), MakeRule(kDeny, {Everywhere()})}));
  Learn(outside, "a.example.com");
  Learn(outside, "b.example.com");
  Learn(other, "b.example.com");
  EXPECT_EQ(EgressOf(web, outside, 443), By(kAdmin, true, "p", 0));
  EXPECT_EQ(EgressOf(web, outside, 80), By(kAdmin, true, "p", 1));
  EXPECT_EQ(EgressOf(web, other, 443), By(kAdmin, false, "p", 2));
  EXPECT_EQ(EgressOf(web, other, 80), By(kAdmin, true, "p", 1));
  // DNS itself is not opened.
  EXPECT_EQ(EgressOf(web, other, 53, kProtoUdp), By(kAdmin, false, "p", 2));
}

TEST_F(NameRulesTest, FQ_07_PodsThatHaveTheAddressAreMatchedLikeAnybodyElse) {
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1),
                 {MakeRule(kAccept, {OfNames({"db.example.com"})}), MakeRule(kDeny, {InNamespaces({})})}));
  EXPECT_EQ(EgressOf(web, db), By(kAdmin, false, "p", 1));
  Learn(db, "db.example.com");
  EXPECT_EQ(EgressOf(web, db), By(kAdmin, true, "p", 0));
}

TEST_F(NameRulesTest, CNP_02_ABetterRuleInFrontOfANameDecides) {
  Learn(outside, "a.example.com");
  Add(WithEgress(MakeClusterPolicy("name", kAdmin, 5), {MakeRule(kAccept, {OfNames({"a.example.com"})})}));
  EXPECT_EQ(EgressOf(web, outside), By(kAdmin, true, "name", 0));
  cluster.policies.push_back(Egress(MakePolicy("a", "isolates", {}), {}));
  EXPECT_EQ(EgressOf(web, outside), By(kAdmin, true, "name", 0));
  Add(WithEgress(MakeClusterPolicy("later", kAdmin, 6), {MakeRule(kDeny, {Everywhere()})}));
  EXPECT_EQ(EgressOf(web, outside), By(kAdmin, true, "name", 0));
  Add(WithEgress(MakeClusterPolicy("pass", kAdmin, 4), {MakeRule(kPass, {Everywhere()}, {OnTcp(443)})}));
  EXPECT_FALSE(EgressOf(web, outside).allow);
  EXPECT_EQ(EgressOf(web, outside, 80), By(kAdmin, true, "name", 0));
  Add(WithEgress(MakeClusterPolicy("deny", kAdmin, 3), {MakeRule(kDeny, {OfNetworks({"198.51.100.0/24"})})}));
  EXPECT_EQ(EgressOf(web, outside), By(kAdmin, false, "deny", 0));
  EXPECT_EQ(EgressOf(web, outside, 80), By(kAdmin, false, "deny", 0));
}

TEST_F(NameRulesTest, CNP_04_ANameInTheBaselineTierIsNotReachedWhereANetworkPolicyIsolates) {
  Learn(outside, "a.example.com");
  Add(WithEgress(MakeClusterPolicy("base", kBaseline, 1),
                 {MakeRule(kAccept, {OfNames({"a.example.com"})}), MakeRule(kDeny, {Everywhere()})}));
  EXPECT_EQ(EgressOf(web, outside), By(kBaseline, true, "base", 0));
  EXPECT_EQ(EgressOf(web, other), By(kBaseline, false, "base", 1));
  cluster.policies.push_back(Egress(MakePolicy("a", "isolates", {}), {}));
  EXPECT_FALSE(EgressOf(web, outside).allow);
}

TEST_F(NameRulesTest, CNP_13_APortByNameMatchesNothingTowardsANameAndOtherPeersOfTheRuleMatchAsBefore) {
  Learn(outside, "a.example.com");
  Learn(db, "a.example.com");
  Add(WithEgress(MakeClusterPolicy("p", kAdmin, 1),
                 {MakeRule(kAccept, {OfNames({"a.example.com"})}, {OnNamed("https")}),
                  MakeRule(kAccept, {OfNames({"a.example.com"}), OfNetworks({"198.51.100.8/32"})}, {OnTcp(80)}),
                  MakeRule(kDeny, {Everywhere()})}));
  EXPECT_EQ(EgressOf(web, outside, 443), By(kAdmin, false, "p", 2));
  EXPECT_EQ(EgressOf(web, db, 443), By(kAdmin, false, "p", 2));
  EXPECT_EQ(EgressOf(web, outside, 80), By(kAdmin, true, "p", 1));
  EXPECT_EQ(EgressOf(web, other, 80), By(kAdmin, true, "p", 1));
}

TEST_F(NameRulesTest, WithoutARuleByNameWhatWasLearntMeansNothing) {
  Learn(outside, "a.example.com");
  EXPECT_EQ(EgressOf(web, outside), kUndecided);
  cluster.policies.push_back(Egress(MakePolicy("a", "isolates", {}), {}));
  EXPECT_FALSE(EgressOf(web, outside).allow);
}

// A rule by name in each tier, before and behind each action, with and without isolation; each of any port or one; each
// set of names on each address.
TEST(NameSmallWorlds, EveryTierActionOrderAndIsolation) {
  const Cluster base =
      ClusterBuilder().Pod("a/web", {{"app", "web"}}, {"10.0.0.1"}).Pod("a/db", {{"app", "db"}}, {"10.0.0.2"}).Build();
  const std::vector<IpAddress> addresses = {Ip("10.0.0.1"), Ip("10.0.0.2"), Ip("198.51.100.7")};
  const auto flows = AllFlows(addresses, {{kProtoTcp, 80}, {kProtoTcp, 81}, {kProtoIcmp, 0}});
  const std::vector<std::vector<std::string>> patterns = {
      {"a.example.com"}, {"*.example.com"}, {"b.example.com", "*.example.com"}, {"*.a.example.com", "x.example.org"}};
  const std::vector<std::set<std::string>> learnt = {
      {}, {"a.example.com"}, {"b.a.example.com"}, {"a.example.com", "x.example.org"}, {"example.com", "x.example.net"}};
  std::size_t worlds = 0;
  for (const Tier tier : {kAdmin, kBaseline}) {
    for (const Action action : {kAccept, kDeny, kPass}) {
      for (const bool name_first : {true, false}) {
        for (int isolation = 0; isolation < 3; ++isolation) {
          for (const bool one_port : {true, false}) {
            for (const auto& wanted : patterns) {
              const std::vector<ClusterPolicyPort> ports =
                  one_port ? std::vector{OnTcp(80)} : std::vector<ClusterPolicyPort>{};
              Cluster world = base;
              ClusterPolicyRule by_name = MakeRule(kAccept, {OfNames(wanted)}, ports);
              ClusterPolicyRule plain = MakeRule(action, {OfNetworks({"198.51.100.0/24", "10.0.0.2/32"})});
              world.cluster_policies.push_back(WithEgress(MakeClusterPolicy("one", tier, name_first ? 2 : 1), {plain}));
              world.cluster_policies.push_back(
                  WithEgress(MakeClusterPolicy("two", tier, name_first ? 1 : 2), {std::move(by_name)}));
              if (isolation == 1) world.policies.push_back(Egress(MakePolicy("a", "isolates", {}), {}));
              if (isolation == 2) {
                world.policies.push_back(Egress(MakePolicy("a", "some", {}), {{{}, {Tcp(81)}}}));
              }
              Compiler compiler;
              Classifier classifier(64);
              const auto table = CompileWorld(world, compiler);
              for (const auto& names : learnt) {
                NamesByAddress known;
                if (!names.empty()) known = {{Ip("198.51.100.7"), names}, {Ip("10.0.0.2"), names}};
                const auto difference = FirstDifference(world, *table, classifier, flows, known);
                ASSERT_FALSE(difference) << *difference;
                ++worlds;
              }
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(worlds, 2u * 3 * 2 * 3 * 2 * 4 * 5);
}

}  // namespace
}  // namespace sluice::test
