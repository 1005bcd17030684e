// Nodes by name, with the addresses that their objects and their pods give them (NP-32, NP-70, NP-72).
//
// An address that several nodes claim is shared: it is a node's, so nobody takes it for an unknown endpoint's, and
// none's own. Which of them is behind it cannot be told, and the right of a pod's own node, given to another, would
// open the pod. What is only guessed from a pod CIDR gives way to what another node states, so that a guess never costs
// a node an address of its own.
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
  std::vector<NodeAddress> object_addresses;         // sorted, an address once
  std::vector<Prefix> pod_cidrs;                     // sorted, unique
  std::map<IpAddress, std::uint32_t> pod_addresses;  // host addresses of its pods; how many pods say so
  std::uint32_t pod_count = 0;                       // unfinished ones
  PodSet endpoints;                                  // those of them that are endpoints

  bool exists() const { return has_object || pod_count > 0; }
};

class NodeTable {
 public:
  // `changed` is called for each node that came, went or got other addresses or CIDRs, and for each other one that
  // claims one of these addresses.
  explicit NodeTable(std::function<void(const std::string& name)> changed) : changed_(std::move(changed)) {}

  // False: the object is as it was, its labels included.
  bool Upsert(NodeObject object);
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
  // The addresses in the status of the objects that the selector selects, sorted, unique (CNP-07).
  std::vector<IpAddress> StatusAddresses(const LabelSelector& selector) const;
  // What the node claims by its object and its pods, less the guesses that another node's statement outweighs: sorted,
  // an address once, with the first of its origins.
  std::vector<NodeAddress> Addresses(const NodeEntry& node) const;
  // The node claims the address, and so does another with equal right.
  bool Shares(const IpAddress& address, const NodeEntry& node) const;
  // Of an address of the node: the other nodes that claim it with equal right, by name.
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
  std::unordered_multimap<IpAddress, Claim> by_address_;  // at most one for object, one for pods
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_NODE_TABLE_H_
