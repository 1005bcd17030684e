#include "resolve/pod_table.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace sluice {
namespace {

bool ByName(const Pod* a, const Pod* b) {
  return std::tie(a->namespace_name, a->name) < std::tie(b->namespace_name, b->name);
}

std::string Title(const Pod& pod) { return "Pod " + pod.namespace_name + '/' + pod.name; }

template <typename T>
void SortUnique(std::vector<T>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

std::string LabelText(const Labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    if (!text.empty()) text += ',';
    text += key;
    text += '=';
    text += value;
  }
  return text;
}

}  // namespace

PodTable::PodTable(const Cluster& cluster, Diagnostics* diagnostics) {
  for (const Pod& pod : cluster.pods) {
    if (!pod.host_network && !pod.finished()) pods_.push_back(&pod);
  }
  if (!std::is_sorted(pods_.begin(), pods_.end(), ByName)) std::sort(pods_.begin(), pods_.end(), ByName);
  for (std::uint32_t first = 0, end = 0; first < size(); first = end) {
    while (end < size() && pod(end).namespace_name == pod(first).namespace_name) ++end;
    ranges_[pod(first).namespace_name] = {first, end};
  }
  SettleClaims(diagnostics);
}

PodRange PodTable::InNamespace(std::string_view name) const {
  const auto range = ranges_.find(name);
  return range == ranges_.end() ? PodRange{} : range->second;
}

void PodTable::SettleClaims(Diagnostics* diagnostics) {
  for (std::uint32_t number = 0; number < size(); ++number) {
    for (const IpAddress& address : pod(number).addresses) claims_.push_back({address, number});
  }
  std::sort(claims_.begin(), claims_.end(), [this](const Claim& a, const Claim& b) {
    if (a.address != b.address) return a.address < b.address;
    if (pod(a.pod).created != pod(b.pod).created) return pod(a.pod).created > pod(b.pod).created;
    return a.pod < b.pod;
  });
  std::vector<Claim> kept;
  kept.reserve(claims_.size());
  for (const Claim& claim : claims_) {
    if (kept.empty() || kept.back().address != claim.address) {
      kept.push_back(claim);
      continue;
    }
    const Pod& winner = pod(kept.back().pod);
    const Pod& loser = pod(claim.pod);
    if (&winner == &loser) continue;
    diagnostics->push_back({Severity::kWarning, "", 0, Title(loser), "status.podIPs",
                            claim.address.ToString() + " is also claimed by " + Title(winner) + ", which " +
                                (winner.created == loser.created ? "comes first by name" : "is newer") +
                                " and keeps it; delete the object that is stale"});
  }
  claims_ = std::move(kept);
  address_counts_.resize(size());
  for (const Claim& claim : claims_) ++address_counts_[claim.pod];
}

bool PodTable::IsClaimed(const IpAddress& address) const {
  const auto claim = std::lower_bound(claims_.begin(), claims_.end(), address,
                                      [](const Claim& a, const IpAddress& b) { return a.address < b; });
  return claim != claims_.end() && claim->address == address;
}

std::vector<Node> PodTable::Nodes(const Cluster& cluster, Diagnostics* diagnostics) const {
  std::map<std::string_view, Node> by_name;
  for (const NodeObject& object : cluster.nodes) {
    Node& node = by_name[object.name];
    node.addresses = object.addresses;
    node.pod_cidrs = object.pod_cidrs;
  }
  for (const Pod& pod : cluster.pods) {
    if (pod.node.empty() || pod.finished()) continue;
    Node& node = by_name[pod.node];
    const auto add = [&node](const std::vector<IpAddress>& addresses) {
      for (const IpAddress& address : addresses) {
        if (std::find(node.addresses.begin(), node.addresses.end(), address) == node.addresses.end()) {
          node.addresses.push_back(address);
        }
      }
    };
    add(pod.host_addresses);
    if (pod.host_network) add(pod.addresses);
  }
  std::vector<Node> nodes;
  nodes.reserve(by_name.size());
  for (auto& [name, node] : by_name) {
    node.name = name;
    SortUnique(&node.addresses);
    SortUnique(&node.pod_cidrs);
    std::erase_if(node.addresses, [&](const IpAddress& address) {
      if (!IsClaimed(address)) return false;
      diagnostics->push_back({Severity::kWarning, "", 0, "Node " + node.name, "status.addresses",
                              address.ToString() + " is also a pod's address and stays the pod's"});
      return true;
    });
    nodes.push_back(std::move(node));
  }
  return nodes;
}

std::vector<Endpoint> PodTable::Endpoints(const std::vector<Node>& nodes) const {
  std::unordered_map<std::string_view, NodeId> node_ids;
  for (NodeId id = 0; id < nodes.size(); ++id) node_ids[nodes[id].name] = id;

  std::vector<Endpoint> endpoints(pods_.size());
  for (std::uint32_t number = 0; number < size(); ++number) {
    const Pod& source = pod(number);
    Endpoint& endpoint = endpoints[number];
    endpoint.namespace_name = source.namespace_name;
    endpoint.name = source.name;
    endpoint.labels = LabelText(source.labels);
    endpoint.ports.reserve(source.ports.size());
    for (const ContainerPort& port : source.ports) endpoint.ports.push_back({port.name, port.protocol, port.port});
    if (!source.node.empty()) endpoint.node = node_ids.at(source.node);
  }
  for (const Claim& claim : claims_) endpoints[claim.pod].addresses.push_back(claim.address);
  return endpoints;
}

}  // namespace sluice
