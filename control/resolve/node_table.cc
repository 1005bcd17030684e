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

}  // namespace

NodeEntry& NodeTable::Entry(const std::string& name) {
  NodeEntry& node = nodes_[name];
  if (node.name.empty()) node.name = name;
  return node;
}

// With the second that claims an address the first one loses it, and has it again when it is left alone.
void NodeTable::Enter(const IpAddress& address, const NodeEntry& node) {
  const std::vector<const NodeEntry*> rivals = Rivals(address, node);
  if (rivals.size() == 1) changed_(rivals[0]->name);
  by_address_.emplace(address, &node);
}

void NodeTable::Leave(const IpAddress& address, const NodeEntry& node) {
  const auto [first, last] = by_address_.equal_range(address);
  by_address_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == &node; }));
  const std::vector<const NodeEntry*> rivals = Rivals(address, node);
  if (rivals.size() == 1) changed_(rivals[0]->name);
}

void NodeTable::DropIfGone(const std::string& name) {
  const auto node = nodes_.find(name);
  if (!node->second.exists()) nodes_.erase(node);
}

void NodeTable::Upsert(NodeObject object) {
  SortUnique(&object.addresses);
  SortUnique(&object.pod_cidrs);
  NodeEntry& node = Entry(object.name);
  if (node.has_object && node.object_addresses == object.addresses && node.pod_cidrs == object.pod_cidrs) return;
  for (const IpAddress& address : node.object_addresses) Leave(address, node);
  node.has_object = true;
  node.object_addresses = std::move(object.addresses);
  node.pod_cidrs = std::move(object.pod_cidrs);
  for (const IpAddress& address : node.object_addresses) Enter(address, node);
  changed_(object.name);
}

void NodeTable::Delete(const std::string& name) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end() || !found->second.has_object) return;
  NodeEntry& node = found->second;
  for (const IpAddress& address : node.object_addresses) Leave(address, node);
  node.has_object = false;
  node.object_addresses.clear();
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
    Enter(address, node);
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
    Leave(address, node);
    changed = true;
  }
  if (changed) changed_(name);
  DropIfGone(name);
}

void NodeTable::OnClaim(const IpAddress& address) {
  const auto [first, last] = by_address_.equal_range(address);
  for (auto entry = first; entry != last; ++entry) changed_(entry->second->name);
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

std::vector<const NodeEntry*> NodeTable::Rivals(const IpAddress& address, const NodeEntry& node) const {
  std::vector<const NodeEntry*> rivals;
  const auto [first, last] = by_address_.equal_range(address);
  for (auto entry = first; entry != last; ++entry) {
    if (entry->second != &node) rivals.push_back(entry->second);
  }
  std::sort(rivals.begin(), rivals.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  rivals.erase(std::unique(rivals.begin(), rivals.end()), rivals.end());
  return rivals;
}

std::vector<IpAddress> NodeTable::Addresses(const NodeEntry& node) {
  std::vector<IpAddress> addresses = node.object_addresses;
  for (const auto& [address, count] : node.pod_addresses) addresses.push_back(address);
  SortUnique(&addresses);
  return addresses;
}

}  // namespace sluice
