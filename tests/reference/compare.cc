#include "reference/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "resolve/resolve.h"
#include "sluice/protocol.h"

namespace sluice::test {
namespace {

using reference::Answer;
using reference::Evaluator;
using reference::Flow;
using reference::Side;

Side ToSide(const Table& table, const Decision& decision, IdSetId sections) {
  if (decision.rule == kNoRule) return {};
  const TableRule& rule = table.rule(decision.rule);
  Side side{decision.allow, true, rule.tier, rule.policy, rule.index, rule.name.text()};
  if (rule.index >= 0) return side;
  for (const RuleId deny : table.DefaultDenies(sections)) side.isolated_by.push_back(table.rule(deny).policy);
  return side;
}

std::string ToText(const Side& side) {
  if (!side.decided) return side.allow ? "allow" : "deny without a policy";
  std::string text = (side.allow ? "allow by " : "deny by ") + side.policy + '[' + std::to_string(side.rule) + "] \"" +
                     side.rule_name + "\" in " + std::string(Name(side.tier));
  for (const std::string& policy : side.isolated_by) text += ", isolated by " + policy;
  return text;
}

void AddEnds(const Prefix& prefix, std::set<IpAddress>& addresses) {
  addresses.insert(prefix.First());
  addresses.insert(prefix.Last());
  if (const auto above = Next(prefix.Last())) addresses.insert(*above);
  IpAddress below = prefix.First();
  if (below.lo == 0 && below.hi == 0) return;
  if (below.lo == 0) --below.hi;
  --below.lo;
  addresses.insert(below);
}

}  // namespace

std::shared_ptr<const Table> CompileWorld(const Cluster& cluster, Compiler& compiler) {
  Diagnostics warnings;  // what two objects claim and one loses; worlds are full of it
  auto result = compiler.Compile(Resolve(cluster, &warnings));
  if (const auto* refusal = std::get_if<Diagnostic>(&result)) {
    ADD_FAILURE() << refusal->ToString();
    return compiler.EmptyTable();
  }
  return std::get<0>(result);
}

std::vector<Answer> Classify(const Table& table, Classifier& classifier, std::span<const Flow> flows, bool exemptions,
                             const reference::NamesByAddress& names) {
  LearntNames learnt;
  for (const auto& [address, of_address] : names) {
    std::vector<LearntName> canonical;
    for (const std::string& name : of_address) canonical.push_back({CanonicalDomainName(name), 1});
    learnt.Put(address, std::move(canonical));
  }
  std::vector<Answer> answers;
  answers.reserve(flows.size());
  std::array<ClassifyQuery, Classifier::kMaxBurst> queries;
  std::array<Classification, Classifier::kMaxBurst> results;
  while (!flows.empty()) {
    const std::size_t count = std::min(flows.size(), queries.size());
    for (std::size_t i = 0; i < count; ++i) {
      queries[i] = {flows[i].source, flows[i].destination, flows[i].protocol, flows[i].destination_port};
    }
    classifier.Classify(table, std::span(queries).first(count), results.data(), exemptions, {&learnt, 0});
    for (std::size_t i = 0; i < count; ++i) {
      const Classification& result = results[i];
      answers.push_back({result.allow, ToSide(table, result.egress, result.egress_sections),
                         ToSide(table, result.ingress, result.ingress_sections), result.exemption,
                         result.unknown_endpoint, result.between_nodes});
    }
    flows = flows.subspan(count);
  }
  return answers;
}

std::vector<IpAddress> Addresses(const Cluster& cluster) {
  std::set<IpAddress> addresses;
  for (const NodeObject& node : cluster.nodes) {
    addresses.insert(node.addresses.begin(), node.addresses.end());
    addresses.insert(node.annotated_addresses.begin(), node.annotated_addresses.end());
    for (const Prefix& cidr : node.pod_cidrs) {
      AddEnds(cidr, addresses);
      IpAddress near_first = cidr.First();  // and the two next to it (NP-72)
      near_first.lo |= 1;
      addresses.insert(near_first);
      near_first.lo ^= 3;
      addresses.insert(near_first);
    }
  }
  for (const Pod& pod : cluster.pods) {
    addresses.insert(pod.addresses.begin(), pod.addresses.end());
    addresses.insert(pod.host_addresses.begin(), pod.host_addresses.end());
  }
  for (const NetworkPolicy& policy : cluster.policies) {
    for (const auto* rules : {&policy.ingress, &policy.egress}) {
      for (const NetworkPolicyRule& rule : *rules) {
        for (const NetworkPolicyPeer& peer : rule.peers) {
          if (!peer.ip_block) continue;
          AddEnds(peer.ip_block->cidr, addresses);
          for (const Prefix& except : peer.ip_block->excepts) AddEnds(except, addresses);
        }
      }
    }
  }
  for (const ClusterPolicy& policy : cluster.cluster_policies) {
    for (const ClusterPolicyRule& rule : policy.egress) {
      for (const ClusterPolicyPeer& peer : rule.peers) {
        for (const Prefix& network : peer.networks) AddEnds(network, addresses);
      }
    }
  }
  return {addresses.begin(), addresses.end()};
}

std::vector<Service> Services(const Cluster& cluster) {
  std::set<Service> services = {{kProtoIcmp, 0}, {kProtoIcmpv6, 0}, {kProtoEsp, 0}};
  for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp, kProtoSctp}) {
    for (const int port : {0, 1, 65535}) services.insert({protocol, static_cast<std::uint16_t>(port)});
  }
  const auto around = [&](std::uint8_t protocol, int port) {
    for (int near = std::max(port - 1, 0); near <= std::min(port + 1, 65535); ++near) {
      services.insert({protocol, static_cast<std::uint16_t>(near)});
    }
  };
  for (const Pod& pod : cluster.pods) {
    for (const ContainerPort& port : pod.ports) around(port.protocol, port.port);
  }
  for (const NetworkPolicy& policy : cluster.policies) {
    for (const auto* rules : {&policy.ingress, &policy.egress}) {
      for (const NetworkPolicyRule& rule : *rules) {
        for (const NetworkPolicyPort& port : rule.ports) {
          if (port.port) around(port.protocol, *port.port);
          if (port.end_port) around(port.protocol, *port.end_port);
        }
      }
    }
  }
  for (const ClusterPolicy& policy : cluster.cluster_policies) {
    for (const auto* rules : {&policy.ingress, &policy.egress}) {
      for (const ClusterPolicyRule& rule : *rules) {
        for (const ClusterPolicyPort& port : rule.ports) {
          if (!port.name.empty()) continue;
          around(port.protocol, port.first);
          around(port.protocol, port.last);
        }
      }
    }
  }
  return {services.begin(), services.end()};
}

std::vector<Flow> AllFlows(const std::vector<IpAddress>& addresses, const std::vector<Service>& services) {
  std::vector<Flow> flows;
  for (const IpAddress& source : addresses) {
    for (const IpAddress& destination : addresses) {
      if (source.family != destination.family) continue;
      for (const Service& service : services) {
        flows.push_back({source, destination, service.protocol, 40000, service.port});
      }
    }
  }
  return flows;
}

std::optional<std::string> FirstDifference(const Cluster& cluster, const Table& table, Classifier& classifier,
                                           std::span<const Flow> flows, const reference::NamesByAddress& names) {
  const Evaluator evaluator(cluster, names);
  for (const bool exemptions : {true, false}) {
    const std::vector<Answer> compiled = Classify(table, classifier, flows, exemptions, names);
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const Answer expected = evaluator.Evaluate(flows[i], exemptions);
      if (compiled[i] == expected) continue;
      return ToText(flows[i]) + (exemptions ? "" : " without exemptions") + "\n  reference: " + ToText(expected) +
             "\n  compiled:  " + ToText(compiled[i]);
    }
  }
  return std::nullopt;
}

std::string ToText(const Flow& flow) {
  return flow.source.ToString() + " -> " + flow.destination.ToString() + " protocol " + std::to_string(flow.protocol) +
         " port " + std::to_string(flow.destination_port);
}

std::string ToText(const Answer& answer) {
  const std::string unknown = answer.unknown_endpoint ? "unknown endpoint, " : "";
  if (answer.exemption != Exemption::kNone) return unknown + "exempt: " + std::string(Name(answer.exemption));
  return unknown + (answer.allow ? "allow" : "deny") + " (egress " + ToText(answer.egress) + "; ingress " +
         ToText(answer.ingress) + ')';
}

}  // namespace sluice::test
