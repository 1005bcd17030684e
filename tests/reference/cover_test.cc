// IsCoveredBy against the reference: where it says that another rule covers one, no packet shows otherwise.
#include "lint/cover.h"

#include <gtest/gtest.h>

#include <random>

#include "reference/compare.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

class RuleMaker {
 public:
  explicit RuleMaker(std::uint32_t seed) : random_(seed) {}

  NetworkPolicyRule Make() {
    NetworkPolicyRule rule;
    for (int i = Pick(3); i > 0; --i) rule.peers.push_back(Peer());
    for (int i = Pick(3); i > 0; --i) rule.ports.push_back(Port());
    return rule;
  }

 private:
  int Pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  LabelSelector Selector() {
    LabelSelector selector;
    if (Pick(2) == 0) selector.requirements.push_back(In("app", {Pick(2) == 0 ? "web" : "db"}));
    if (Pick(2) == 0) selector.requirements.push_back(In("team", {Pick(2) == 0 ? "red" : "blue"}));
    return selector;
  }
  NetworkPolicyPeer Peer() {
    NetworkPolicyPeer peer;
    if (Pick(3) == 0) {
      constexpr const char* kBlocks[] = {"10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31", "10.0.0.0/29"};
      peer.ip_block = IpBlock{*Prefix::Parse(kBlocks[Pick(4)]), {}};
      for (const char* hole : {"10.0.0.1/32", "10.0.0.2/32", "10.0.0.2/31"}) {
        const Prefix except = *Prefix::Parse(hole);
        if (Pick(2) == 0 && peer.ip_block->cidr.Contains(except) && except != peer.ip_block->cidr) {
          peer.ip_block->excepts.push_back(except);
        }
      }
      return peer;
    }
    const int kind = Pick(3);
    if (kind != 0) peer.pod_selector = Selector();
    if (kind != 1) peer.namespace_selector = Selector();
    return peer;
  }
  NetworkPolicyPort Port() {
    NetworkPolicyPort port;
    port.protocol = Pick(2) == 0 ? kProtoTcp : kProtoUdp;
    const int kind = Pick(4);
    if (kind == 1) port.name = "http";
    if (kind >= 2) port.port = static_cast<std::uint16_t>(80 + Pick(3));
    if (kind == 3) port.end_port = static_cast<std::uint16_t>(*port.port + Pick(3));
    return port;
  }

  std::mt19937 random_;
};

Cluster CoverWorld(const NetworkPolicyRule& rule) {
  return ClusterBuilder()
      .Namespace("a", {{"team", "red"}})
      .Namespace("b", {{"team", "blue"}, {"app", "db"}})
      .Pod("a/web", {{"app", "web"}, {"team", "red"}}, {"10.0.0.0"})
      .Port("http", kProtoTcp, 81)
      .Pod("a/db", {{"app", "db"}}, {"10.0.0.1"})
      .Pod("b/web", {{"app", "web"}, {"team", "blue"}}, {"10.0.0.2"})
      .Pod("b/db", {{"app", "db"}, {"team", "red"}}, {"10.0.0.3"})
      .Policy("a/p")
      .Ingress(rule.peers, rule.ports)
      .Build();
}

TEST(Cover, NoPacketIsAdmittedByARuleAndNotByOneThatCoversIt) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RuleMaker maker(seed);
  std::vector<reference::Flow> flows;
  for (const char* from : {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "198.51.100.1"}) {
    for (std::uint16_t port = 79; port <= 85; ++port) {
      for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp, kProtoSctp}) {
        flows.push_back({Ip(from), Ip("10.0.0.0"), protocol, 40000, port});
      }
    }
  }
  int covered = 0;
  for (int i = 0; i < 2000; ++i) {
    const NetworkPolicyRule rule = maker.Make();
    const NetworkPolicyRule other = i % 10 == 0 ? rule : maker.Make();
    if (!IsCoveredBy(rule, other)) continue;
    ++covered;
    const Cluster narrow = CoverWorld(rule);
    const Cluster wide = CoverWorld(other);
    const reference::Evaluator by_rule(narrow);
    const reference::Evaluator by_other(wide);
    for (const reference::Flow& flow : flows) {
      ASSERT_LE(by_rule.Evaluate(flow).allow, by_other.Evaluate(flow).allow) << ToText(flow);
    }
  }
  EXPECT_GE(covered, 200);  // each tenth pair is one rule twice
}

}  // namespace
}  // namespace sluice::test
