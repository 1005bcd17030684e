// Any bytes as a YAML and as a JSON manifest. Whatever they are: it ends, every error names its line within the text,
// every policy that comes out obeys what validation promises, and a refused one allows nothing (NP-16); and read in
// parts of a few bytes, they say the same.
#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz/fuzz.h"
#include "manifest/cluster_builder.h"
#include "manifest/file_decoder.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckRules(const std::vector<NetworkPolicyRule>& rules) {
  for (const NetworkPolicyRule& rule : rules) {
    for (const NetworkPolicyPeer& peer : rule.peers) {
      const bool selects = peer.pod_selector || peer.namespace_selector;
      Require(selects != peer.ip_block.has_value());
      if (!peer.ip_block) continue;
      for (const Prefix& except : peer.ip_block->excepts) Require(peer.ip_block->cidr.Contains(except));
    }
    for (const NetworkPolicyPort& port : rule.ports) {
      Require(HasPorts(port.protocol));
      Require(!port.port || (*port.port != 0 && port.name.empty()));
      Require(!port.end_port || (port.port && *port.port <= *port.end_port));
    }
  }
}

using Reader = void (*)(std::istream&, FileDecoder&, const ReadSettings&);

FileObjects Read(const std::string& text, Reader read, std::size_t part_bytes) {
  std::istringstream in(text);
  FileDecoder decoder("fuzz");
  read(in, decoder, {.threads = 1, .part_bytes = part_bytes});
  return std::move(decoder).Take();
}

void CheckSame(const FileObjects& whole, const FileObjects& parts) {
  Require(whole.broken == parts.broken);
  Require(whole.diagnostics.size() == parts.diagnostics.size());
  for (std::size_t i = 0; i < whole.diagnostics.size(); ++i) {
    Require(whole.diagnostics[i].ToString() == parts.diagnostics[i].ToString());
  }
  Require(whole.objects.size() == parts.objects.size());
  for (std::size_t i = 0; i < whole.objects.size(); ++i) {
    Require(whole.objects[i].outcome == parts.objects[i].outcome);
    Require(whole.objects[i].line == parts.objects[i].line);
    Require(whole.objects[i].key == parts.objects[i].key);
  }
}

void Check(const std::string& text, Reader read) {
  FileObjects file = Read(text, read, text.size() + 1);
  for (const std::size_t part_bytes : {std::size_t{1}, std::size_t{7}, text.size() / 2 + 1}) {
    CheckSame(file, Read(text, read, part_bytes));
  }
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  const auto returns = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\r'));  // YAML's line ends too
  for (const Diagnostic& diagnostic : file.diagnostics) {
    Require(diagnostic.line <= lines + returns + 1);
    Require(!diagnostic.message.empty());
  }
  bool refused = file.broken;
  ClusterBuilder builder;
  for (DecodedObject& object : file.objects) {
    refused = refused || object.outcome == DecodedObject::Outcome::kRefused;
    builder.Add(std::move(object), "fuzz");
  }
  Require(!refused || HasErrors(file.diagnostics));
  const Manifests manifests = std::move(builder).Finish();
  for (const NetworkPolicy& policy : manifests.cluster.policies) {
    Require(policy.has_ingress || policy.has_egress);
    Require(!policy.refused || (policy.ingress.empty() && policy.egress.empty()));
    CheckRules(policy.ingress);
    CheckRules(policy.egress);
  }
}

constexpr std::string_view kYaml = R"(apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: p, namespace: n}
  spec:
    podSelector: &s {matchLabels: {app: db}, matchExpressions: [{key: a, operator: In, values: [b]}]}
    policyTypes: [Ingress, Egress]
    ingress:
    - from: [{podSelector: *s, namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]
      ports: [{port: 80, endPort: 90}, {protocol: UDP, port: dns}]
    egress: [{}]
---
{apiVersion: v1, kind: Pod, metadata: {<<: &m {name: a}, labels: {app: "1"}}, status: {podIP: "fd00::1"}}
)";

constexpr std::string_view kJson = R"({"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","creationTimestamp":"2026-01-31T12:00:00Z"},"spec":{"containers":
[{"ports":[{"name":"web","containerPort":80}]}],"hostNetwork":false},"status":{"podIPs":[{"ip":"10.0.0.1"}]}},
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"p"},"spec":{"egress":[{"to":[
{"ipBlock":{"cidr":"0.0.0.0/0","except":["10.0.0.0/8"]}}],"ports":[{"protocol":"TCP","port":1,"endPort":65535}]}]}}]}
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},"spec":{"podCIDR":"10.0.0.0/24"}}
)";

constexpr std::string_view kRefused = R"({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
"metadata": {"name": "p"}, "spec": {"podSelector": {}, "ingress": [{"from": [{}]}], "policyTypes": ["Ingress"]}}
)";

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  sluice::Check(text, sluice::ReadYaml);
  sluice::Check(text, sluice::ReadJson);
  return 0;
}

std::vector<std::vector<std::uint8_t>> FuzzSeeds() {
  std::vector<std::vector<std::uint8_t>> seeds;
  for (const std::string_view seed : {sluice::kYaml, sluice::kJson, sluice::kRefused}) {
    seeds.emplace_back(seed.begin(), seed.end());
  }
  return seeds;
}
