// Each field by which a rule of NetworkPolicy matches decides some packet, in the compiled table and in the reference
// alike. The structured bindings below name all fields, so a new one does not compile here until it has a change, and
// until the queries of both engines and of compare.cc's flows can tell it.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "reference/compare.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

struct Change {
  std::string name;
  std::function<void(NetworkPolicyRule&)> change;
};

std::vector<Change> Changes() {
  [[maybe_unused]] const auto& [protocol, port, end_port, name] = NetworkPolicyPort{};
  [[maybe_unused]] const auto& [pod_selector, namespace_selector, ip_block] = NetworkPolicyPeer{};
  [[maybe_unused]] const auto& [cidr, excepts] = IpBlock{};
  [[maybe_unused]] const auto& [peers, ports] = NetworkPolicyRule{};
  const auto prefix = [](const char* text) { return *Prefix::Parse(text); };
  return {
      {"protocol", [](auto& rule) { rule.ports[0].protocol = kProtoUdp; }},
      {"port", [](auto& rule) { rule.ports[0].port = 81; }},
      {"endPort", [](auto& rule) { rule.ports[0].end_port = 91; }},
      {"port by name",
       [](auto& rule) {
         rule.ports[0] = {kProtoTcp, {}, {}, "http"};
       }},
      {"ports", [](auto& rule) { rule.ports.clear(); }},
      {"podSelector", [](auto& rule) { rule.peers[0].pod_selector = Where({In("app", {"web"})}); }},
      {"namespaceSelector", [](auto& rule) { rule.peers[0].namespace_selector = Where({In("team", {"blue"})}); }},
      {"ipBlock.cidr", [=](auto& rule) { rule.peers[1].ip_block->cidr = prefix("198.51.100.0/25"); }},
      {"ipBlock.except", [=](auto& rule) { rule.peers[1].ip_block->excepts = {prefix("198.51.100.0/30")}; }},
      {"peers", [](auto& rule) { rule.peers.clear(); }},
  };
}

Cluster World(const NetworkPolicyRule& rule) {
  return ClusterBuilder()
      .Namespace("a", {{"team", "red"}})
      .Namespace("b", {{"team", "blue"}})
      .Pod("a/web", {{"app", "web"}}, {"10.0.0.1"})
      .Port("http", kProtoTcp, 8080)
      .Pod("a/db", {{"app", "db"}}, {"10.0.0.2"})
      .Pod("b/web", {{"app", "web"}}, {"10.0.1.1"})
      .Policy("a/web", Where({In("app", {"web"})}))
      .Ingress(rule.peers, rule.ports)
      .Build();
}

std::vector<reference::Flow> Flows() {
  // All that a query says; a field more in one of the two would be one that the other does not ask for.
  [[maybe_unused]] const auto& [s, d, p, port, began_by] = ClassifyQuery{};
  [[maybe_unused]] const auto& [source, destination, protocol, source_port, destination_port] = reference::Flow{};
  std::vector<reference::Flow> flows;
  for (const char* from : {"10.0.0.2", "10.0.1.1", "198.51.100.1", "198.51.100.9", "198.51.100.200"}) {
    for (const std::uint16_t to : {79, 80, 81, 90, 91, 8080}) {
      for (const std::uint8_t by : {kProtoTcp, kProtoUdp}) flows.push_back({Ip(from), Ip("10.0.0.1"), by, 40000, to});
    }
  }
  return flows;
}

std::vector<bool> Verdicts(const Cluster& world, const std::vector<reference::Flow>& flows) {
  Compiler compiler;
  Classifier classifier;
  const auto table = CompileWorld(world, compiler);
  EXPECT_EQ(FirstDifference(world, *table, classifier, flows), std::nullopt);
  std::vector<bool> verdicts;
  for (const reference::Answer& answer : Classify(*table, classifier, flows, true)) verdicts.push_back(answer.allow);
  return verdicts;
}

TEST(MatchField, EachDecidesSomePacketInTableAndReferenceAlike) {
  const std::vector<reference::Flow> flows = Flows();
  NetworkPolicyRule rule;
  rule.peers = {{Where({In("app", {"db"})}), {}, {}}, {{}, {}, IpBlock{*Prefix::Parse("198.51.100.0/24"), {}}}};
  rule.ports = {{kProtoTcp, 80, 90, ""}};
  const std::vector<bool> before = Verdicts(World(rule), flows);
  for (const Change& change : Changes()) {
    NetworkPolicyRule changed = rule;
    change.change(changed);
    EXPECT_NE(Verdicts(World(changed), flows), before) << change.name << " is not looked at";
  }
}

}  // namespace
}  // namespace sluice::test
