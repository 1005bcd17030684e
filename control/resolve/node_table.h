// Nodes by name, with the addresses that their objects and their pods give them (NP-32, NP-70, NP-72).
//
// An address that several nodes claim is shared. It counts as a node's, so it is not taken for an unknown endpoint's;
// but it is no node's own. Nobody can tell which of the nodes is behind it, and if another node got the right of a
// pod's own node, the pod would be open to it. An address that is only guessed from a pod CIDR gives way if another
// node states it, so a guess never costs a node an address of its own.
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

// Where a Node object says that an address is the node's own. The last is a guess.
enum class AddressOrigin : std::uint8_t { kStatus, kAnnotation, kPodCidr };

struct NodeAddress {
  IpAddress address;
  AddressOrigin origin = AddressOrigin::kStatus;

  friend auto operator<=>(const NodeAddress&, const NodeAddress&) = default;
};

// A node is there while it has an object or a pod names it.
struct NodeEntry {
  std::string name;
  bool has_object = false;
  Labels labels;                                     // of the object
  std::vector<NodeAddress> object_addresses;         // sorted, each address once
  std::vector<Prefix> pod_cidrs;                     // sorted, unique
  std::map<IpAddress, std::uint32_t> pod_addresses;  // host addresses of its pods; how many pods give each
  std::uint32_t pod_count = 0;                       // unfinished ones
  PodSet endpoints;                                  // those pods that are endpoints

  bool exists() const { return has_object || pod_count > 0; }
};

class NodeTable {
 public:
  // `changed` is called for each node that came, went or got other addresses or CIDRs, and for each other node that
  // claims one of these addresses.
  explicit NodeTable(std::function<void(const std::string& name)> changed) : changed_(std::move(changed)) {}

  // Returns false if the object is unchanged, its labels included.
  bool Upsert(NodeObject object);
  void Delete(const std::string& name);

  // Adds an unfinished pod that names the node and gives it these addresses.
  void AddPod(const std::string& name, const std::vector<IpAddress>& addresses);
  void RemovePod(const std::string& name, const std::vector<IpAddress>& addresses);
  // A pod that is an endpoint runs on the node. The node must be in the table.
  void AddEndpoint(const std::string& name, std::uint32_t pod) { nodes_.at(name).endpoints.add(pod); }
  void RemoveEndpoint(const std::string& name, std::uint32_t pod) { nodes_.at(name).endpoints.remove(pod); }

  // A pod began or ceased to claim the address.
  void OnClaim(const IpAddress& address);

  // Null if there is no node with that name.
  const NodeEntry* Find(const std::string& name) const;
  // The nodes that exist, sorted by name.
  std::vector<const NodeEntry*> ByName() const;
  // The addresses in the status of the objects that the selector selects, sorted, unique (CNP-07).
  std::vector<IpAddress> StatusAddresses(const LabelSelector& selector) const;
  // The addresses that the node claims by its object and its pods, without guesses that another node's statement
  // outweighs. Sorted, each address once, with its first origin.
  std::vector<NodeAddress> Addresses(const NodeEntry& node) const;
  // Whether the node claims the address and another node does so with equal right.
  bool Shares(const IpAddress& address, const NodeEntry& node) const;
  // For an address of the node: the other nodes that claim it with equal right, sorted by name.
  std::vector<const NodeEntry*> Sharers(const IpAddress& address, const NodeEntry& node) const;

 private:
  struct Claim {
    const NodeEntry* node = nullptr;
    bool guessed = false;

    friend bool operator==(const Claim&, const Claim&) = default;
  };

  NodeEntry& Entry(const std::string& name);
  void Enter(const IpAddress& address, Claim claim);
  void Leave(const IpAddress& address, Claim claim);
  void EnterObject(const NodeEntry& node);
  void LeaveObject(const NodeEntry& node);
  void TellOthers(const IpAddress& address, const NodeEntry& node);
  bool IsStated(const IpAddress& address) const;
  void DropIfGone(const std::string& name);

  std::function<void(const std::string&)> changed_;
  std::unordered_map<std::string, NodeEntry> nodes_;
  std::unordered_multimap<IpAddress, Claim> by_address_;  // each node at most once for its object and once for its pods
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_NODE_TABLE_H_
