#include "suggest/suggest.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "sluice/protocol.h"
#include "suggest/workloads.h"

namespace sluice {
namespace {

constexpr std::size_t kMostAddresses = 16;  // named one by one; more become the world outside the cluster
constexpr std::size_t kMostPorts = 8;       // of one protocol; more become a range
constexpr std::uint16_t kDnsPort = 53;

// A port, or all ports of a protocol, or (protocol 0) everything.
struct Service {
  std::uint8_t protocol = 0;
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  friend auto operator<=>(const Service&, const Service&) = default;
};

// Sorted by name, so that the same input gives the same text.
struct ByName {
  bool operator()(const Workload* a, const Workload* b) const {
    return std::tie(a->namespace_name, a->name) < std::tie(b->namespace_name, b->name);
  }
};

// The other end of a rule: a workload, or an address outside all pods.
struct Peer {
  const Workload* workload = nullptr;
  IpAddress address;

  friend bool operator<(const Peer& a, const Peer& b) {
    if (a.workload == nullptr || b.workload == nullptr) {
      return std::tuple(a.workload == nullptr, a.address) < std::tuple(b.workload == nullptr, b.address);
    }
    return ByName()(a.workload, b.workload);
  }
};

struct Evidence {
  std::set<Service> services;
  std::set<const Pod*> pods;  // of the peer
  std::uint64_t connections = 0;
};

using Peers = std::map<Peer, Evidence>;

std::string Plural(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

// If a rule would list too many ports, they become one range from the first to the last.
std::set<Service> Gathered(const std::set<Service>& services, bool* widened) {
  std::map<std::uint8_t, std::vector<Service>> by_protocol;
  for (const Service& service : services) by_protocol[service.protocol].push_back(service);
  if (by_protocol.contains(0)) return {Service{}};
  std::set<Service> gathered;
  for (const auto& [protocol, ports] : by_protocol) {
    if (ports.size() <= kMostPorts) {
      gathered.insert(ports.begin(), ports.end());
    } else {
      *widened = *widened || ports.back().last - ports.front().first + 1u != ports.size();
      gathered.insert({protocol, ports.front().first, ports.back().last});
    }
  }
  return gathered;
}

std::vector<NetworkPolicyPort> PortsOf(const std::set<Service>& services) {
  std::vector<NetworkPolicyPort> ports;
  for (const Service& service : services) {
    if (service.protocol == 0) return {};  // every port and protocol
    NetworkPolicyPort& port = ports.emplace_back();
    port.protocol = service.protocol;
    port.port = service.first;
    if (service.last != service.first) port.end_port = service.last;
  }
  return ports;
}

class Suggester {
 public:
  Suggester(const Cluster& cluster, const SuggestOptions& options)
      : cluster_(cluster), options_(options), workloads_(cluster) {
    for (const NodeObject& node : cluster.nodes) {
      for (const IpAddress& address : node.addresses) nodes_[address] = &node;
      for (const IpAddress& address : node.annotated_addresses) nodes_[address] = &node;
    }
    for (const Pod& pod : cluster.pods) {
      if (!pod.host_network) continue;
      for (const IpAddress& address : pod.addresses) hosts_.emplace(address, pod.node);
    }
  }

  Suggestion Run(std::span<const SeenConnection> seen) {
    for (const SeenConnection& connection : seen) Look(connection);
    for (const Workload* workload : workloads_.Of(options_.namespace_name)) Write(*workload);
    NoteWhatWasLeftOut();
    return std::move(result_);
  }

 private:
  bool IsOurs(const Workload* workload) const {
    return workload != nullptr && workload->namespace_name == options_.namespace_name;
  }

  // NP-70, NP-71: what always passes needs no rule.
  bool IsExempt(const SeenConnection& connection) const {
    if (connection.source == connection.destination) return true;
    return IsOwnNode(connection.source, connection.destination) || IsOwnNode(connection.destination, connection.source);
  }
  bool IsOwnNode(const IpAddress& node_address, const IpAddress& pod_address) const {
    const Pod* pod = workloads_.PodAt(pod_address);
    if (pod == nullptr || pod->node.empty()) return false;
    const auto node = nodes_.find(node_address);
    if (node != nodes_.end() && node->second->name == pod->node) return true;
    const auto host = hosts_.find(node_address);
    return host != hosts_.end() && host->second == pod->node;
  }

  void Look(const SeenConnection& connection) {
    const Workload* source = workloads_.At(connection.source);
    const Workload* destination = workloads_.At(connection.destination);
    if (!IsOurs(source) && !IsOurs(destination)) return;
    if (IsExempt(connection)) {
      exempt_ += connection.count;
      return;
    }
    Service service;
    if (HasPorts(connection.protocol)) {
      service = {connection.protocol, connection.destination_port, connection.destination_port};
    } else if (!options_.icmp) {
      without_ports_ += connection.count;
      return;
    }
    if (IsOurs(source)) Add(egress_[source], destination, connection.destination, service, connection.count);
    if (IsOurs(destination)) Add(ingress_[destination], source, connection.source, service, connection.count);
    result_.allowed.push_back(connection);
  }

  void Add(Peers& peers, const Workload* workload, const IpAddress& address, const Service& service,
           std::uint64_t count) {
    const bool named = workload != nullptr && !workload->selector.requirements.empty();
    Evidence& evidence = peers[named ? Peer{workload, {}} : Peer{nullptr, address}];
    if (workload != nullptr && !named) unnamed_.insert(workload);
    evidence.services.insert(service);
    if (const Pod* pod = workloads_.PodAt(address)) evidence.pods.insert(pod);
    evidence.connections += count;
  }

  void Write(const Workload& workload) {
    const auto in = ingress_.find(&workload);
    const auto out = egress_.find(&workload);
    if (in == ingress_.end() && out == egress_.end()) {
      silent_.push_back(workload.name + " (" + Plural(workload.pods.size(), "pod") + ')');
      return;
    }
    if (workload.selector.requirements.empty()) {
      unnamed_.insert(&workload);
      return;
    }
    SuggestedPolicy suggested;
    NetworkPolicy& policy = suggested.policy;
    policy.namespace_name = options_.namespace_name;
    policy.name = "allow-" + workload.name;
    policy.pod_selector = workload.selector;
    policy.has_ingress = policy.has_egress = true;
    std::string owners;
    for (const std::string& owner : workload.owners) owners += (owners.empty() ? " (" : ", ") + owner;
    if (!owners.empty()) owners += ')';
    suggested.about = {"Workload " + workload.name + owners + ", " + Plural(workload.pods.size(), "pod") + "."};
    if (workload.selects_others) {
      suggested.about.push_back("Its labels select pods of other workloads, too; they are bound by this as well.");
      Note(policy, "also selects pods of other workloads, since all labels of these pods are shared by them");
    }
    if (in != ingress_.end()) suggested.ingress = RulesOf(policy, "ingress", in->second);
    if (out != egress_.end()) suggested.egress = RulesOf(policy, "egress", out->second);
    for (const SuggestedRule& rule : suggested.ingress) policy.ingress.push_back(rule.rule);
    for (const SuggestedRule& rule : suggested.egress) policy.egress.push_back(rule.rule);
    result_.policies.push_back(std::move(suggested));
  }

  // Makes a rule for each distinct list of ports, with all peers that have this list.
  std::vector<SuggestedRule> RulesOf(const NetworkPolicy& policy, const std::string& direction, const Peers& peers) {
    std::map<std::set<Service>, std::vector<const Peers::value_type*>> by_services;
    for (const auto& entry : peers) {
      bool widened = false;
      by_services[Gathered(entry.second.services, &widened)].push_back(&entry);
      if (widened) {
        Note(policy, direction + " with " + PeerText(entry.first) +
                         " has a range of ports from the first to the last seen, of " +
                         std::to_string(entry.second.services.size()) + " that were");
      }
    }
    std::vector<SuggestedRule> rules;
    for (const auto& [services, entries] : by_services) {
      SuggestedRule& suggested = rules.emplace_back();
      suggested.rule.ports = PortsOf(services);
      AddPeers(policy, direction, services, entries, suggested);
    }
    return rules;
  }

  void AddPeers(const NetworkPolicy& policy, const std::string& direction, const std::set<Service>& services,
                const std::vector<const Peers::value_type*>& entries, SuggestedRule& suggested) {
    std::map<Family, std::vector<const Peers::value_type*>> addresses;
    for (const auto* entry : entries) {
      if (entry->first.workload == nullptr) {
        addresses[entry->first.address.family].push_back(entry);
        continue;
      }
      suggested.rule.peers.push_back(SelectorPeer(*entry->first.workload));
      suggested.evidence.push_back(EvidenceText(*entry, services));
    }
    for (const auto& [family, listed] : addresses) {
      if (listed.size() > kMostAddresses) {
        AddWorld(policy, direction, family, listed, suggested);
        continue;
      }
      for (const auto* entry : listed) {
        const auto bits = static_cast<std::uint8_t>(AddressBits(family));
        suggested.rule.peers.push_back({{}, {}, IpBlock{Prefix::Make(entry->first.address, bits), {}}});
        suggested.evidence.push_back(EvidenceText(*entry, services));
      }
    }
  }

  void AddWorld(const NetworkPolicy& policy, const std::string& direction, Family family,
                const std::vector<const Peers::value_type*>& entries, SuggestedRule& suggested) {
    IpBlock world{Prefix::Make(family == Family::kIpv4 ? IpAddress::V4(0) : IpAddress{Family::kIpv6, 0, 0}, 0), {}};
    std::set<Prefix> excepts;
    for (const NodeObject& node : cluster_.nodes) {
      for (const Prefix& cidr : node.pod_cidrs) {
        const bool holds_one = std::any_of(entries.begin(), entries.end(),
                                           [&](const auto* entry) { return cidr.Contains(entry->first.address); });
        if (cidr.base.family == family && cidr.length > 0 && !holds_one) excepts.insert(cidr);
      }
    }
    world.excepts.assign(excepts.begin(), excepts.end());
    std::uint64_t connections = 0;
    for (const auto* entry : entries) connections += entry->second.connections;
    suggested.rule.peers.push_back({{}, {}, world});
    suggested.evidence.push_back(Plural(connections, "connection") + " with " + std::to_string(entries.size()) +
                                 " addresses outside; more than a list should name");
    Note(policy, direction + " admits " + world.cidr.ToString() + (excepts.empty() ? "" : " less the pod networks") +
                     ", since " + std::to_string(entries.size()) + " addresses were seen");
  }

  NetworkPolicyPeer SelectorPeer(const Workload& workload) const {
    NetworkPolicyPeer peer;
    peer.pod_selector = workload.selector;
    if (workload.namespace_name != options_.namespace_name) {
      peer.namespace_selector =
          LabelSelector{{{"kubernetes.io/metadata.name", LabelRequirement::Operator::kIn, {workload.namespace_name}}}};
    }
    return peer;
  }

  std::string PeerText(const Peer& peer) const {
    if (peer.workload != nullptr) return peer.workload->namespace_name + '/' + peer.workload->name;
    const auto node = nodes_.find(peer.address);
    if (node != nodes_.end()) return peer.address.ToString() + " (node " + node->second->name + ')';
    return peer.address.ToString();
  }

  std::string EvidenceText(const Peers::value_type& entry, const std::set<Service>& services) const {
    const auto& [peer, evidence] = entry;
    std::string text = Plural(evidence.connections, "connection") + " with " + PeerText(peer);
    if (peer.workload != nullptr && evidence.pods.size() < peer.workload->pods.size()) {
      text +=
          " (" + std::to_string(evidence.pods.size()) + " of " + std::to_string(peer.workload->pods.size()) + " pods)";
    }
    const bool dns =
        std::all_of(services.begin(), services.end(), [](const Service& service) { return service.first == kDnsPort; });
    return dns ? text + ": DNS" : text;
  }

  void Note(const NetworkPolicy& policy, std::string message) {
    result_.notes.push_back(
        {Severity::kNote, {}, 0, "NetworkPolicy " + policy.namespace_name + '/' + policy.name, {}, std::move(message)});
  }

  void NoteWhatWasLeftOut() {
    const auto note = [this](std::string message) {
      result_.notes.push_back({Severity::kNote, {}, 0, {}, {}, std::move(message)});
    };
    if (exempt_ != 0) {
      note(Plural(exempt_, "connection") +
           " of pods with their own node or themselves always pass (a kubelet's probes, "
           "for one): they need no rule");
    }
    if (without_ports_ != 0) {
      note(Plural(without_ports_, "connection") +
           " of ICMP and other protocols without ports are left out: a rule that "
           "admits them admits every port between the two (--icmp)");
    }
    for (const Workload* workload : unnamed_) {
      note("pods of namespace " + workload->namespace_name + " without labels that last, such as " +
           workload->pods.front()->name + ", cannot be selected: label them" +
           (IsOurs(workload) ? "; they get no policy" : "; they are named by their addresses"));
    }
    for (const std::string& silent : silent_) {
      note("workload " + silent + " had no connection that was seen, and gets no policy: look longer");
    }
  }

  const Cluster& cluster_;
  const SuggestOptions& options_;
  const Workloads workloads_;
  std::unordered_map<IpAddress, const NodeObject*> nodes_;
  std::unordered_map<IpAddress, std::string> hosts_;  // addresses of hostNetwork pods, with their nodes
  std::map<const Workload*, Peers, ByName> ingress_;
  std::map<const Workload*, Peers, ByName> egress_;
  Suggestion result_;
  std::uint64_t exempt_ = 0;
  std::uint64_t without_ports_ = 0;
  std::set<const Workload*, ByName> unnamed_;
  std::vector<std::string> silent_;
};

// A scalar that YAML takes for text, whatever it looks like: labels contain no quote and no backslash.
std::string Quoted(const std::string& text) { return '"' + text + '"'; }

void AppendSelector(const LabelSelector& selector, const std::string& indent, std::string* yaml) {
  *yaml += indent + "matchLabels:\n";
  for (const LabelRequirement& label : selector.requirements) {
    *yaml += indent + "  " + label.key + ": " + Quoted(label.values.front()) + '\n';
  }
}

void AppendPeer(const NetworkPolicyPeer& peer, std::string* yaml) {
  if (peer.ip_block) {
    *yaml += "    - ipBlock:\n        cidr: " + Quoted(peer.ip_block->cidr.ToString()) + '\n';
    if (!peer.ip_block->excepts.empty()) *yaml += "        except:\n";
    for (const Prefix& except : peer.ip_block->excepts) *yaml += "        - " + Quoted(except.ToString()) + '\n';
    return;
  }
  if (peer.namespace_selector) {
    *yaml += "    - namespaceSelector:\n";
    AppendSelector(*peer.namespace_selector, "        ", yaml);
    *yaml += "      podSelector:\n";
  } else {
    *yaml += "    - podSelector:\n";
  }
  AppendSelector(*peer.pod_selector, "        ", yaml);
}

void AppendRules(const std::vector<SuggestedRule>& rules, const std::string& direction, const std::string& peers,
                 std::string* yaml) {
  if (rules.empty()) {
    *yaml += "  " + direction + ": []\n";
    return;
  }
  *yaml += "  " + direction + ":\n";
  for (const SuggestedRule& suggested : rules) {
    for (const std::string& line : suggested.evidence) *yaml += "  # " + line + '\n';
    *yaml += "  - " + peers + ":\n";
    for (const NetworkPolicyPeer& peer : suggested.rule.peers) AppendPeer(peer, yaml);
    if (!suggested.rule.ports.empty()) *yaml += "    ports:\n";
    for (const NetworkPolicyPort& port : suggested.rule.ports) {
      *yaml += "    - {protocol: " + std::string(ApiNameOf(port.protocol)) + ", port: " + std::to_string(*port.port);
      if (port.end_port) *yaml += ", endPort: " + std::to_string(*port.end_port);
      *yaml += "}\n";
    }
  }
}

}  // namespace

Suggestion Suggest(const Cluster& cluster, const SuggestOptions& options, std::span<const SeenConnection> seen) {
  return Suggester(cluster, options).Run(seen);
}

std::string ToYaml(const Suggestion& suggestion) {
  std::string yaml;
  for (const SuggestedPolicy& suggested : suggestion.policies) {
    if (!yaml.empty()) yaml += "---\n";
    for (const std::string& line : suggested.about) yaml += "# " + line + '\n';
    yaml += "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: " + suggested.policy.name +
            "\n  namespace: " + Quoted(suggested.policy.namespace_name) + "\nspec:\n  podSelector:\n";
    AppendSelector(suggested.policy.pod_selector, "    ", &yaml);
    yaml += "  policyTypes: [Ingress, Egress]\n";
    AppendRules(suggested.ingress, "ingress", "from", &yaml);
    AppendRules(suggested.egress, "egress", "to", &yaml);
  }
  return yaml;
}

}  // namespace sluice
