#include "resolve/cluster_state.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string_view>
#include <tuple>

namespace sluice {
namespace {

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

Labels NameLabel(std::string_view name) { return {{std::string(kNameLabel), std::string(name)}}; }

std::vector<IpAddress> SortedUnique(std::vector<IpAddress> addresses) {
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

bool SamePorts(const std::vector<ContainerPort>& a, const std::vector<ContainerPort>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ContainerPort& one, const ContainerPort& other) {
    return std::tie(one.name, one.protocol, one.port) == std::tie(other.name, other.protocol, other.port);
  });
}

// The addresses that the pod gives its node: the host's, and the pod's own if it uses the host's network (NP-32).
std::vector<IpAddress> AddressesOfNode(const PodEntry& pod) {
  std::vector<IpAddress> addresses = pod.host_addresses;
  if (pod.host_network) addresses.insert(addresses.end(), pod.addresses.begin(), pod.addresses.end());
  return SortedUnique(std::move(addresses));
}

// By AddressOrigin: the field that has the address, and how people can end the conflict of two nodes.
constexpr std::array<std::string_view, 3> kFieldOf = {"status.addresses", "metadata.annotations", "spec.podCIDRs"};
constexpr std::array<std::string_view, 3> kRemedyFor = {"delete the object that is stale",
                                                        "correct the annotation or delete the object that is stale",
                                                        "give each node pod CIDRs of its own"};

template <typename T>
std::uint32_t Place(StableVector<T>* all, std::vector<std::uint32_t>* free) {
  if (free->empty()) return all->push_back({});
  const std::uint32_t place = free->back();
  free->pop_back();
  return place;
}

}  // namespace

std::uint32_t ClusterState::FindNamespace(std::string_view name) const {
  const auto found = space_numbers_.find(name);
  return found == space_numbers_.end() ? kNone : found->second;
}

void ClusterState::Reserve(std::size_t namespaces, std::size_t pods) {
  space_numbers_.reserve(space_numbers_.size() + namespaces);
  unindexed_pods_.reserve(unindexed_pods_.size() + pods);
  claims_.Reserve(pods);
}

std::uint32_t ClusterState::EnterNamespace(std::string_view name, const Labels& labels) {
  const std::uint32_t number = Place(&spaces_, &free_spaces_);
  NamespaceEntry& space = spaces_[number];
  space.name = name;
  space_numbers_.emplace(space.name, number);
  all_namespaces_.add(number);
  space.labels = namespace_labels_.Add(number, labels);
  return number;
}

void ClusterState::SetLabels(std::uint32_t number, const Labels& labels) {
  namespace_labels_.Remove(number, spaces_[number].labels);
  spaces_[number].labels = namespace_labels_.Add(number, labels);
}

void ClusterState::DropIfGone(std::uint32_t number) {
  NamespaceEntry& space = spaces_[number];
  if (space.has_object || space.pod_count > 0) return;
  namespace_labels_.Remove(number, space.labels);
  all_namespaces_.remove(number);
  space_numbers_.erase(space.name);
  space = {};
  free_spaces_.push_back(number);
}

void ClusterState::UpsertNamespace(const Namespace& object) {
  std::uint32_t number = FindNamespace(object.name);
  if (number == kNone) {
    number = EnterNamespace(object.name, object.labels);
  } else {
    SetLabels(number, object.labels);
  }
  spaces_[number].has_object = true;
}

void ClusterState::DeleteNamespace(std::string_view name) {
  const std::uint32_t number = FindNamespace(name);
  if (number == kNone) return;
  spaces_[number].has_object = false;
  SetLabels(number, NameLabel(name));
  DropIfGone(number);
}

std::uint32_t ClusterState::FindPod(std::string_view namespace_name, std::string_view name) {
  IndexPods();
  const std::uint32_t space = FindNamespace(namespace_name);
  if (space == kNone) return kNone;
  const auto found = pod_numbers_.find({space, name});
  return found == pod_numbers_.end() ? kNone : found->second;
}

void ClusterState::IndexPods() {
  if (unindexed_pods_.size() > 1) pod_numbers_.reserve(pod_numbers_.size() + unindexed_pods_.size());
  for (const std::uint32_t pod : unindexed_pods_) pod_numbers_.emplace(PodKey{pods_[pod].space, pods_[pod].name}, pod);
  unindexed_pods_.clear();
}

bool ClusterState::IsSame(std::uint32_t number, const Pod& object) const {
  const PodEntry& entry = pods_[number];
  return entry.node == object.node && entry.host_network == object.host_network &&
         entry.finished == object.finished() && entry.created == object.created && entry.workload == object.workload &&
         entry.addresses == SortedUnique(object.addresses) &&
         entry.host_addresses == SortedUnique(object.host_addresses) && SamePorts(entry.ports, object.ports) &&
         (!entry.IsEndpoint() || pod_labels_.Equal(entry.labels, object.labels));
}

std::uint32_t ClusterState::AddPod(const Pod& object) {
  std::uint32_t space = FindNamespace(object.namespace_name);
  if (space == kNone) space = EnterNamespace(object.namespace_name, NameLabel(object.namespace_name));
  const std::uint32_t number = Place(&pods_, &free_pods_);
  pods_[number].name = object.name;
  pods_[number].space = space;
  ++spaces_[space].pod_count;
  unindexed_pods_.push_back(number);
  SetPod(number, object);
  if (const PodEntry& entry = pods_[number]; entry.IsOnNode()) nodes_.AddPod(entry.node, AddressesOfNode(entry));
  Admit(number, object.labels);
  return number;
}

void ClusterState::UpdatePod(std::uint32_t number, const Pod& object) {
  Withdraw(number);
  const PodEntry old = pods_[number];
  SetPod(number, object);
  // The node learns of the new pod first, so that an address that both pods give it is never missing in between.
  if (const PodEntry& entry = pods_[number]; entry.IsOnNode()) nodes_.AddPod(entry.node, AddressesOfNode(entry));
  if (old.IsOnNode()) nodes_.RemovePod(old.node, AddressesOfNode(old));
  Admit(number, object.labels);
}

void ClusterState::SetPod(std::uint32_t number, const Pod& object) {
  PodEntry& entry = pods_[number];
  entry.node = object.node;
  entry.host_network = object.host_network;
  entry.finished = object.finished();
  entry.created = object.created;
  entry.workload = object.workload;
  entry.addresses = SortedUnique(object.addresses);
  entry.host_addresses = SortedUnique(object.host_addresses);
  entry.ports = object.ports;
}

void ClusterState::DeletePod(std::uint32_t number) {
  Withdraw(number);
  PodEntry& entry = pods_[number];
  if (entry.IsOnNode()) nodes_.RemovePod(entry.node, AddressesOfNode(entry));
  const std::uint32_t space = entry.space;
  pod_numbers_.erase({space, entry.name});
  entry = {};
  free_pods_.push_back(number);
  --spaces_[space].pod_count;
  DropIfGone(space);
}

void ClusterState::Admit(std::uint32_t number, const Labels& labels) {
  PodEntry& entry = pods_[number];
  if (!entry.IsEndpoint()) return;
  entry.labels = pod_labels_.Add(number, labels);
  ports_.Add(number, entry.ports);
  endpoints_.add(number);
  spaces_[entry.space].endpoints.add(number);
  if (!entry.node.empty()) nodes_.AddEndpoint(entry.node, number);
  for (const IpAddress& address : entry.addresses) {
    claims_.Add(address, number);
    nodes_.OnClaim(address);
  }
}

void ClusterState::Withdraw(std::uint32_t number) {
  PodEntry& entry = pods_[number];
  if (!entry.IsEndpoint()) return;
  for (const IpAddress& address : entry.addresses) {
    claims_.Remove(address, number);
    nodes_.OnClaim(address);
  }
  if (!entry.node.empty()) nodes_.RemoveEndpoint(entry.node, number);
  spaces_[entry.space].endpoints.remove(number);
  endpoints_.remove(number);
  ports_.Remove(number, entry.ports);
  pod_labels_.Remove(number, entry.labels);
  entry.labels.clear();
}

bool ClusterState::Precedes(std::uint32_t a, std::uint32_t b) const {
  const PodEntry& one = pods_[a];
  const PodEntry& other = pods_[b];
  if (one.created != other.created) return one.created > other.created;
  return std::tie(spaces_[one.space].name, one.name) < std::tie(spaces_[other.space].name, other.name);
}

std::vector<IpAddress> ClusterState::HeldAddresses(std::uint32_t pod) const {
  std::vector<IpAddress> held = pods_[pod].addresses;
  if (claims_.contested().empty()) return held;
  std::erase_if(held, [&](const IpAddress& address) {
    const std::span<const std::uint32_t> claimants = claims_.Claimants(address);
    return std::any_of(claimants.begin(), claimants.end(), [&](std::uint32_t other) { return Precedes(other, pod); });
  });
  return held;
}

std::vector<std::uint32_t> ClusterState::Rivals(std::uint32_t pod, const std::vector<IpAddress>& addresses) const {
  std::vector<std::uint32_t> rivals;
  for (const IpAddress& address : addresses) {
    for (const std::uint32_t claimant : claims_.Claimants(address)) {
      if (claimant != pod) rivals.push_back(claimant);
    }
  }
  std::sort(rivals.begin(), rivals.end());
  rivals.erase(std::unique(rivals.begin(), rivals.end()), rivals.end());
  return rivals;
}

std::vector<IpAddress> ClusterState::NodeAddresses(const NodeEntry& node) const {
  std::vector<IpAddress> addresses;
  for (const NodeAddress& own : nodes_.Addresses(node)) {
    if (!claims_.IsClaimed(own.address)) addresses.push_back(own.address);
  }
  return addresses;
}

std::vector<CidrBlock> ClusterState::NodeBlocks(const LabelSelector& selector) const {
  std::vector<CidrBlock> blocks;
  for (const IpAddress& address : nodes_.StatusAddresses(selector)) {
    if (claims_.IsClaimed(address)) continue;
    blocks.push_back({Prefix::Make(address, static_cast<std::uint8_t>(AddressBits(address.family))), {}});
  }
  return blocks;
}

std::string ClusterState::Title(std::uint32_t pod) const {
  return "Pod " + spaces_[pods_[pod].space].name + '/' + pods_[pod].name;
}

Diagnostics ClusterState::Conflicts() const {
  Diagnostics conflicts;
  for (auto [address, claimants] : claims_.contested()) {
    std::sort(claimants.begin(), claimants.end(), [this](auto a, auto b) { return Precedes(a, b); });
    const std::uint32_t winner = claimants.front();
    for (std::size_t i = 1; i < claimants.size(); ++i) {
      const bool equal_age = pods_[winner].created == pods_[claimants[i]].created;
      conflicts.push_back({Severity::kWarning, "", 0, Title(claimants[i]), "status.podIPs",
                           address.ToString() + " is also claimed by " + Title(winner) + ", which " +
                               (equal_age ? "comes first by name" : "is newer") +
                               " and keeps it; delete the object that is stale"});
    }
  }
  std::set<IpAddress> shared;  // each is reported once, at its first node
  for (const NodeEntry* node : nodes_.ByName()) {
    for (const auto& [address, origin] : nodes_.Addresses(*node)) {
      const auto place = static_cast<std::size_t>(origin);
      const auto warn = [&, &address = address](const std::string& why) {  // clang 14 can't capture a binding directly
        conflicts.push_back(
            {Severity::kWarning, "", 0, "Node " + node->name, std::string(kFieldOf[place]), address.ToString() + why});
      };
      if (claims_.IsClaimed(address)) {
        if (origin != AddressOrigin::kPodCidr) warn(" is also a pod's address and stays the pod's");
        continue;
      }
      if (!nodes_.Shares(address, *node) || !shared.insert(address).second) continue;
      const std::vector<const NodeEntry*> sharers = nodes_.Sharers(address, *node);
      const std::string others = sharers.size() == 1 ? "" : " and " + std::to_string(sharers.size() - 1) + " more";
      warn(" is also claimed by Node " + sharers[0]->name + others +
           "; no pod takes it for its own node's, so policy decides; " + std::string(kRemedyFor[place]));
    }
  }
  return conflicts;
}

}  // namespace sluice
