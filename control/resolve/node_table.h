// Nodes by name, with the addresses that their objects and their pods give them (NP-32, NP-70).
//
// An address that several nodes claim is none's own: which of them is behind it cannot be told, and the right of a
// pod's own node, given to another, would open the pod.
#ifndef SLUICE_CONTROL_RESOLVE_NODE_TABLE_H_
#define SLUICE_CONTROL_RESOLVE_NODE_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "resolve/pod_set.h"
#include "sluice/address.h"

namespace sluice {

// A node is there while it has an object or a pod names it.
struct NodeEntry {
  std::string name;
  bool has_object = false;
  std::vector<IpAddress> object_addresses;  // sorted, unique; pod_cidrs too
  std::vector<Prefix> pod_cidrs;
  std::map<IpAddress, std::uint32_t> pod_addresses;  // host addresses of its pods; how many pods say so
  std::uint32_t pod_count = 0;                       // unfinished ones
  PodSet endpoints;                                  // those of them that are endpoints

  bool exists() const { return has_object || pod_count > 0; }
};

class NodeTable {
 public:
  // `changed` is called for each node that came, went or got other addresses or CIDRs.
  explicit NodeTable(std::function<void(const std::string& name)> changed) : changed_(std::move(changed)) {}

  void Upsert(NodeObject object);
  void Delete(const std::string& name);

  // An unfinished pod that names the node and knows these addresses of it.
  void AddPod(const std::string& name, const std::vector<IpAddress>& addresses);
  void RemovePod(const std::string& name, const std::vector<IpAddress>& addresses);
  // A pod that is an endpoint runs on the node, which has it.
  void AddEndpoint(const std::string& name, std::uint32_t pod) { nodes_.at(name).endpoints.add(pod); }
  void RemoveEndpoint(const std::string& name, std::uint32_t pod) { nodes_.at(name).endpoints.remove(pod); }

  // A pod began or ceased to claim the address.
  void OnClaim(const IpAddress& address);

  // Null if there is none of that name.
  const NodeEntry* Find(const std::string& name) const;
  // Those that exist, by name.
  std::vector<const NodeEntry*> ByName() const;
  // Of object and pods, sorted, unique.
  static std::vector<IpAddress> Addresses(const NodeEntry& node);
  // Other nodes that claim the address, by name.
  std::vector<const NodeEntry*> Rivals(const IpAddress& address, const NodeEntry& node) const;

 private:
  NodeEntry& Entry(const std::string& name);
  void Enter(const IpAddress& address, const NodeEntry& node);
  void Leave(const IpAddress& address, const NodeEntry& node);
  void DropIfGone(const std::string& name);

  std::function<void(const std::string&)> changed_;
  std::unordered_map<std::string, NodeEntry> nodes_;
  std::unordered_multimap<IpAddress, const NodeEntry*> by_address_;  // one for object, one for pods
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_NODE_TABLE_H_
