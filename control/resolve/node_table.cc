#include "resolve/node_table.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

template <typename T>
void SortUnique(std::vector<T>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

// Keeps each address once, with its first origin.
void KeepFirstOfEach(std::vector<NodeAddress>* addresses) {
  std::sort(addresses->begin(), addresses->end());
  const auto same = [](const NodeAddress& a, const NodeAddress& b) { return a.address == b.address; };
  addresses->erase(std::unique(addresses->begin(), addresses->end(), same), addresses->end());
}

// NP-34.
bool Selects(const LabelSelector& selector, const Labels& labels) {
  return std::all_of(selector.requirements.begin(), selector.requirements.end(), [&](const LabelRequirement& term) {
    const auto label = std::lower_bound(labels.begin(), labels.end(), term.key,
                                        [](const auto& entry, const std::string& key) { return entry.first < key; });
    const bool present = label != labels.end() && label->first == term.key;
    const bool listed = present && std::binary_search(term.values.begin(), term.values.end(), label->second);
    switch (term.op) {
      case LabelRequirement::Operator::kIn:
        return listed;
      case LabelRequirement::Operator::kNotIn:
        return !listed;
      case LabelRequirement::Operator::kExists:
        return present;
      case LabelRequirement::Operator::kDoesNotExist:
        return !present;
    }
    return false;
  });
}

std::vector<NodeAddress> AddressesOf(const NodeObject& object) {
  std::vector<NodeAddress> addresses;
  for (const IpAddress& address : object.addresses) addresses.push_back({address, AddressOrigin::kStatus});
  for (const IpAddress& address : object.annotated_addresses)
    addresses.push_back({address, AddressOrigin::kAnnotation});
  // NP-72: the first two addresses of each pod CIDR, if it has two.
  for (const Prefix& cidr : object.addresses_are_all ? std::vector<Prefix>() : object.pod_cidrs) {
    addresses.push_back({cidr.First(), AddressOrigin::kPodCidr});
    const auto second = Next(cidr.First());
    if (second && cidr.Contains(*second)) addresses.push_back({*second, AddressOrigin::kPodCidr});
  }
  KeepFirstOfEach(&addresses);
  return addresses;
}

}  // namespace

NodeEntry& NodeTable::Entry(const std::string& name) {
  NodeEntry& node = nodes_[name];
  if (node.name.empty()) node.name = name;
  return node;
}

// For the other nodes that claim the address, it may change whether it is shared, and whose guess counts.
void NodeTable::TellOthers(const IpAddress& address, const NodeEntry& node) {
  const auto [first, last] = by_address_.equal_range(address);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second.node != &node) changed_(entry->second.node->name);
  }
}

void NodeTable::Enter(const IpAddress& address, Claim claim) {
  TellOthers(address, *claim.node);
  by_address_.emplace(address, claim);
}

void NodeTable::Leave(const IpAddress& address, Claim claim) {
  const auto [first, last] = by_address_.equal_range(address);
  by_address_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == claim; }));
  TellOthers(address, *claim.node);
}

void NodeTable::EnterObject(const NodeEntry& node) {
  for (const NodeAddress& own : node.object_addresses) {
    Enter(own.address, {&node, own.origin == AddressOrigin::kPodCidr});
  }
}

void NodeTable::LeaveObject(const NodeEntry& node) {
  for (const NodeAddress& own : node.object_addresses) {
    Leave(own.address, {&node, own.origin == AddressOrigin::kPodCidr});
  }
}

void NodeTable::DropIfGone(const std::string& name) {
  const auto node = nodes_.find(name);
  if (!node->second.exists()) nodes_.erase(node);
}

bool NodeTable::Upsert(NodeObject object) {
  std::vector<NodeAddress> addresses = AddressesOf(object);
  SortUnique(&object.pod_cidrs);
  NodeEntry& node = Entry(object.name);
  if (node.has_object && node.object_addresses == addresses && node.pod_cidrs == object.pod_cidrs) {
    // The listeners do not care about labels.
    if (node.labels == object.labels) return false;
    node.labels = std::move(object.labels);
    return true;
  }
  LeaveObject(node);
  node.has_object = true;
  node.labels = std::move(object.labels);
  node.object_addresses = std::move(addresses);
  node.pod_cidrs = std::move(object.pod_cidrs);
  EnterObject(node);
  changed_(object.name);
  return true;
}

void NodeTable::Delete(const std::string& name) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end() || !found->second.has_object) return;
  NodeEntry& node = found->second;
  LeaveObject(node);
  node.has_object = false;
  node.object_addresses.clear();
  node.labels.clear();
  node.pod_cidrs.clear();
  changed_(name);
  DropIfGone(name);
}

void NodeTable::AddPod(const std::string& name, const std::vector<IpAddress>& addresses) {
  NodeEntry& node = Entry(name);
  bool changed = !node.exists();
  ++node.pod_count;
  for (const IpAddress& address : addresses) {
    if (++node.pod_addresses[address] > 1) continue;
    Enter(address, {&node, false});
    changed = true;
  }
  if (changed) changed_(name);
}

void NodeTable::RemovePod(const std::string& name, const std::vector<IpAddress>& addresses) {
  NodeEntry& node = nodes_.at(name);
  --node.pod_count;
  bool changed = !node.exists();
  for (const IpAddress& address : addresses) {
    const auto count = node.pod_addresses.find(address);
    if (--count->second > 0) continue;
    node.pod_addresses.erase(count);
    Leave(address, {&node, false});
    changed = true;
  }
  if (changed) changed_(name);
  DropIfGone(name);
}

void NodeTable::OnClaim(const IpAddress& address) {
  const auto [first, last] = by_address_.equal_range(address);
  for (auto entry = first; entry != last; ++entry) changed_(entry->second.node->name);
}

const NodeEntry* NodeTable::Find(const std::string& name) const {
  const auto node = nodes_.find(name);
  return node == nodes_.end() ? nullptr : &node->second;
}

std::vector<const NodeEntry*> NodeTable::ByName() const {
  std::vector<const NodeEntry*> nodes;
  nodes.reserve(nodes_.size());
  for (const auto& [name, node] : nodes_) nodes.push_back(&node);
  std::sort(nodes.begin(), nodes.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return nodes;
}

bool NodeTable::IsStated(const IpAddress& address) const {
  const auto [first, last] = by_address_.equal_range(address);
  return std::any_of(first, last, [](const auto& entry) { return !entry.second.guessed; });
}

std::vector<NodeAddress> NodeTable::Addresses(const NodeEntry& node) const {
  std::vector<NodeAddress> addresses = node.object_addresses;
  for (const auto& [address, count] : node.pod_addresses) addresses.push_back({address, AddressOrigin::kStatus});
  KeepFirstOfEach(&addresses);
  std::erase_if(addresses, [this](const NodeAddress& own) {
    return own.origin == AddressOrigin::kPodCidr && IsStated(own.address);
  });
  return addresses;
}

std::vector<IpAddress> NodeTable::StatusAddresses(const LabelSelector& selector) const {
  std::vector<IpAddress> addresses;
  for (const auto& [name, node] : nodes_) {
    if (!node.has_object || !Selects(selector, node.labels)) continue;
    for (const NodeAddress& own : node.object_addresses) {
      if (own.origin == AddressOrigin::kStatus) addresses.push_back(own.address);
    }
  }
  SortUnique(&addresses);
  return addresses;
}

bool NodeTable::Shares(const IpAddress& address, const NodeEntry& node) const {
  const bool stated = IsStated(address);
  bool claimed = false, shared = false;
  const auto [first, last] = by_address_.equal_range(address);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second.guessed == stated) continue;
    (entry->second.node == &node ? claimed : shared) = true;
  }
  return claimed && shared;
}

std::vector<const NodeEntry*> NodeTable::Sharers(const IpAddress& address, const NodeEntry& node) const {
  const bool stated = IsStated(address);
  std::vector<const NodeEntry*> sharers;
  const auto [first, last] = by_address_.equal_range(address);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second.node != &node && entry->second.guessed != stated) sharers.push_back(entry->second.node);
  }
  std::sort(sharers.begin(), sharers.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  sharers.erase(std::unique(sharers.begin(), sharers.end()), sharers.end());
  return sharers;
}

}  // namespace sluice
