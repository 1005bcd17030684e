// The traffic's policy as Kubernetes manifests, for contenders that are whole programs; and a pod for the addresses
// that testpmd's own generator (flowgen) uses.
//
// Usage: write_manifests FILE [rules=1000] [tuples=1] [protocol=udp]
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "arguments.h"
#include "traffic.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

Json Object(const char* api, const char* kind, const std::string& name) {
  return {{"apiVersion", api}, {"kind", kind}, {"metadata", {{"name", name}, {"namespace", "default"}}}};
}

Json Pod(const std::string& name, const std::string& section, const std::vector<std::string>& addresses) {
  Json pod = Object("v1", "Pod", name);
  pod["metadata"]["labels"] = {{"section", section}};
  pod["spec"] = {{"containers", Json::array({{{"name", "c"}, {"image", "none"}}})}};
  pod["status"] = {{"phase", "Running"}, {"podIP", addresses.front()}};
  for (const std::string& address : addresses) pod["status"]["podIPs"].push_back({{"ip", address}});
  return pod;
}

Json Policy(const std::string& name, bool ingress, Json rules) {
  Json policy = Object("networking.k8s.io/v1", "NetworkPolicy", name);
  policy["spec"] = {{"podSelector", {{"matchLabels", {{"section", name}}}}},
                    {"policyTypes", Json::array({ingress ? "Ingress" : "Egress"})},
                    {ingress ? "ingress" : "egress", std::move(rules)}};
  return policy;
}

Json RuleOf(const ResolvedPolicy& policy, const Rule& rule, bool ingress) {
  Json item;
  for (const CidrBlock& block : policy.groups[rule.peers].blocks) {
    item[ingress ? "from" : "to"].push_back({{"ipBlock", {{"cidr", block.cidr.ToString()}}}});
  }
  for (const PortRange& range : rule.ports) {
    Json port = {{"protocol", range.protocol == kProtoTcp ? "TCP" : "UDP"}, {"port", range.first}};
    if (range.last != range.first) port["endPort"] = range.last;
    item["ports"].push_back(std::move(port));
  }
  return item;
}

int Run(const char* path, const Arguments& arguments) {
  const ResolvedPolicy policy = TrafficOf(arguments).Policy();
  Json items = Json::array();
  items.push_back({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "default"}}}});
  std::map<GroupId, std::string> section_of_subjects;
  for (const Section& section : policy.sections) {
    const bool ingress = section.direction == Direction::kIngress;
    const std::string name = section.policy.substr(section.policy.find('/') + 1);
    section_of_subjects[section.subjects] = name;
    Json rules = Json::array();
    for (const Rule& rule : section.rules) rules.push_back(RuleOf(policy, rule, ingress));
    items.push_back(Policy(name, ingress, std::move(rules)));
  }
  for (const Endpoint& endpoint : policy.endpoints) {
    std::vector<std::string> addresses;
    for (const IpAddress& address : endpoint.addresses) addresses.push_back(address.ToString());
    const std::vector<std::uint32_t> groups = policy.member_sets.ToVector(endpoint.members);
    items.push_back(Pod(endpoint.name, section_of_subjects[groups.front()], addresses));
  }
  items.push_back(Pod("testpmd", "testpmd", {"10.254.0.0"}));
  items.push_back(Policy("testpmd", false, Json::array({{{"to", {{{"ipBlock", {{"cidr", "10.253.0.0/16"}}}}}}}})));
  const Json list = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}};
  std::ofstream file(path);
  file << list.dump(1) << '\n';
  if (!file.flush()) return std::perror(path), 1;
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: write_manifests FILE [KEY=VALUE...]\n"), 2;
  return sluice::Run(argv[1], sluice::Arguments("write_manifests", argc - 1, argv + 1));
}
