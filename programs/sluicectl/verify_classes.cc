#include "sluicectl/verify_classes.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "sluice/protocol.h"

namespace sluice {
namespace {

using Members = std::vector<std::uint32_t>;

// Divides a line of points (addresses of a family, ports of a protocol) where intervals begin and end. Numbers the sets
// of intervals that hold the runs between these places.
template <typename Point>
class Partition {
 public:
  explicit Partition(Point origin) { Touch(origin); }

  // `end`: the point after the last one, or nothing at the end of the line.
  void Add(const Point& first, const std::optional<Point>& end) {
    Touch(first).begin.push_back(next_);
    if (end) Touch(*end).end.push_back(next_);
    ++next_;
  }
  // Cuts the line at `point` without an interval.
  void Cut(const Point& point) { Touch(point); }

  void Number() {
    std::set<std::uint32_t> open;
    std::map<Members, std::uint32_t> numbers;
    for (auto& [point, cut] : cuts_) {
      for (const std::uint32_t interval : cut.begin) open.insert(interval);
      for (const std::uint32_t interval : cut.end) open.erase(interval);
      cut.set = numbers.try_emplace(Members(open.begin(), open.end()), numbers.size()).first->second;
    }
  }

  std::uint32_t SetAt(const Point& point) const { return std::prev(cuts_.upper_bound(point))->second.set; }

  // visit(first of the run, first of the next run or nothing)
  template <typename Visit>
  void ForEachRun(Visit visit) const {
    for (auto run = cuts_.begin(); run != cuts_.end();) {
      const Point first = run->first;
      ++run;
      visit(first, run == cuts_.end() ? std::nullopt : std::optional<Point>(run->first));
    }
  }

 private:
  struct CutPoint {
    Members begin;
    Members end;
    std::uint32_t set = 0;
  };
  CutPoint& Touch(const Point& point) { return cuts_[point]; }

  std::map<Point, CutPoint> cuts_;
  std::uint32_t next_ = 0;
};

template <typename Visit>
void ForEachRule(const Cluster& cluster, Visit visit) {
  for (const NetworkPolicy& policy : cluster.policies) {
    for (const NetworkPolicyRule& rule : policy.ingress) visit(rule);
    for (const NetworkPolicyRule& rule : policy.egress) visit(rule);
  }
}

template <typename Visit>
void ForEachClusterRule(const Cluster& cluster, Visit visit) {
  for (const ClusterPolicy& policy : cluster.cluster_policies) {
    for (const ClusterPolicyRule& rule : policy.ingress) visit(rule);
    for (const ClusterPolicyRule& rule : policy.egress) visit(rule);
  }
}

Partition<IpAddress> DivideAddresses(const Cluster& cluster, const Table& table, Family family) {
  Partition<IpAddress> partition({family, 0, 0});
  std::set<Prefix> prefixes;
  ForEachRule(cluster, [&](const NetworkPolicyRule& rule) {
    for (const NetworkPolicyPeer& peer : rule.peers) {
      if (!peer.ip_block || peer.ip_block->cidr.base.family != family) continue;
      prefixes.insert(peer.ip_block->cidr);
      prefixes.insert(peer.ip_block->excepts.begin(), peer.ip_block->excepts.end());
    }
  });
  ForEachClusterRule(cluster, [&](const ClusterPolicyRule& rule) {
    for (const ClusterPolicyPeer& peer : rule.peers) {
      for (const Prefix& network : peer.networks) {
        if (network.base.family == family) prefixes.insert(network);
      }
    }
  });
  for (const NodeObject& node : cluster.nodes) {
    for (const Prefix& cidr : node.pod_cidrs) {
      if (cidr.base.family == family) prefixes.insert(cidr);
    }
  }
  for (const Prefix& prefix : prefixes) partition.Add(prefix.First(), Next(prefix.Last()));
  for (const CidrCell& cell : table.addresses().cells()) {
    if (cell.first.family != family) continue;
    partition.Cut(cell.first);
    if (const auto end = Next(cell.last)) partition.Cut(*end);
  }
  partition.Number();
  return partition;
}

// Describes a pod by everything that a rule can ask for.
std::string PodText(const Pod& pod) {
  std::string text = "pod " + pod.namespace_name + '|' + pod.node;
  for (const auto& [key, value] : pod.labels) text += '|' + key + '=' + value;
  std::vector<std::string> ports;
  for (const ContainerPort& port : pod.ports) {
    ports.push_back('|' + port.name + ':' + std::to_string(port.protocol) + ':' + std::to_string(port.port));
  }
  std::sort(ports.begin(), ports.end());
  for (const std::string& port : ports) text += port;
  return text;
}

std::set<IpAddress> NamedAddresses(const Cluster& cluster, const Table& table, const reference::Evaluator& evaluator) {
  const std::vector<IpAddress> of_nodes = evaluator.NodeAddresses();
  std::set<IpAddress> addresses(of_nodes.begin(), of_nodes.end());
  table.addresses().ForEachHost([&](const IpAddress& address, const AddressEntry&) { addresses.insert(address); });
  for (const Pod& pod : cluster.pods) addresses.insert(pod.addresses.begin(), pod.addresses.end());
  return addresses;
}

std::vector<AddressClass> ClassesOf(const Cluster& cluster, const Table& table, Family family,
                                    const std::set<IpAddress>& named, const reference::Evaluator& evaluator) {
  const Partition<IpAddress> partition = DivideAddresses(cluster, table, family);
  using Key = std::tuple<std::uint32_t, NodeId, std::string, std::uint32_t>;
  std::map<Key, AddressClass> classes;
  const auto add = [&](const IpAddress& address) {
    const AddressEntry entry = table.Lookup(address);
    const Pod* pod = evaluator.FindPod(address);
    std::string text;
    if (pod != nullptr) {
      text = PodText(*pod);
    } else {
      for (const std::string& node : evaluator.NodesAt(address)) text += "node " + node + '|';
    }
    const auto [place, added] = classes.try_emplace({entry.identity, entry.node, text, partition.SetAt(address)});
    if (added) {
      place->second.first = address;
    } else if (!place->second.second) {
      place->second.second = address;
    }
  };
  for (const IpAddress& address : named) {
    if (address.family == family) add(address);
  }
  // From each run, take two addresses that nothing names.
  partition.ForEachRun([&](const IpAddress& first, const std::optional<IpAddress>& end) {
    int found = 0;
    for (std::optional<IpAddress> address = first; address && address != end && found < 2; address = Next(*address)) {
      if (named.contains(*address)) continue;
      add(*address);
      ++found;
    }
  });
  std::vector<AddressClass> result;
  for (const auto& [key, address_class] : classes) result.push_back(address_class);
  return result;
}

std::vector<Service> DivideServices(const Cluster& cluster, const Table& table) {
  std::vector<Service> services = {{kProtoIcmp, 0}};  // represents every protocol without ports (NP-61)
  for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp, kProtoSctp}) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> ranges;  // first, end
    ForEachRule(cluster, [&](const NetworkPolicyRule& rule) {
      for (const NetworkPolicyPort& port : rule.ports) {
        if (port.protocol != protocol || !port.port) continue;
        ranges.emplace(*port.port, std::uint32_t{port.end_port.value_or(*port.port)} + 1);
      }
    });
    ForEachClusterRule(cluster, [&](const ClusterPolicyRule& rule) {
      for (const ClusterPolicyPort& port : rule.ports) {
        if (port.protocol == protocol) ranges.emplace(port.first, std::uint32_t{port.last} + 1);
      }
    });
    for (const Pod& pod : cluster.pods) {
      for (const ContainerPort& port : pod.ports) {
        if (port.protocol == protocol) ranges.emplace(port.port, std::uint32_t{port.port} + 1);
      }
    }
    Partition<std::uint32_t> partition(0);
    for (const auto& [first, end] : ranges) partition.Add(first, end > 65535 ? std::nullopt : std::optional(end));
    partition.Number();
    std::set<std::pair<PortClass, std::uint32_t>> seen;
    for (std::uint32_t port = 0; port <= 65535; ++port) {
      const auto number = static_cast<std::uint16_t>(port);
      if (seen.emplace(table.PortClassOf(protocol, number), partition.SetAt(port)).second) {
        services.push_back({protocol, number});
      }
    }
  }
  return services;
}

}  // namespace

TrafficClasses::TrafficClasses(const Cluster& cluster, const Table& table) {
  const reference::Evaluator evaluator(cluster);
  const std::set<IpAddress> named = NamedAddresses(cluster, table, evaluator);
  addresses_[0] = ClassesOf(cluster, table, Family::kIpv4, named, evaluator);
  addresses_[1] = ClassesOf(cluster, table, Family::kIpv6, named, evaluator);
  for (int family = 0; family < 2; ++family) {
    for (std::size_t i = 0; i < addresses_[family].size(); ++i) {
      if (addresses_[family][i].second) inner_[family].push_back(i);
    }
  }
  services_ = DivideServices(cluster, table);
}

reference::Flow TrafficClasses::At(std::uint64_t index) const {
  const Service& service = services_[index % services_.size()];
  index /= services_.size();
  int family = 0;
  if (index >= PairCount(0)) {
    index -= PairCount(0);
    family = 1;
  }
  const std::vector<AddressClass>& addresses = addresses_[family];
  reference::Flow flow{{}, {}, service.protocol, 0, service.port};
  const std::uint64_t pairs = std::uint64_t{addresses.size()} * addresses.size();
  if (index < pairs) {
    flow.source = addresses[index / addresses.size()].first;
    flow.destination = addresses[index % addresses.size()].first;
  } else {
    const AddressClass& inner = addresses[inner_[family][index - pairs]];
    flow.source = inner.first;
    flow.destination = *inner.second;
  }
  return flow;
}

std::vector<IpAddress> TrafficClasses::Addresses() const {
  std::vector<IpAddress> addresses;
  for (const auto& family : addresses_) {
    for (const AddressClass& one : family) {
      addresses.push_back(one.first);
      if (one.second) addresses.push_back(*one.second);
    }
  }
  return addresses;
}

}  // namespace sluice
