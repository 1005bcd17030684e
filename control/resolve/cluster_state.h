// Namespaces, pods and nodes as they are now, with indexes over them. Each pod and namespace has a small number.
//
// When a pod or namespace is gone, its number is free again, and the next one takes it.
#ifndef SLUICE_CONTROL_RESOLVE_CLUSTER_STATE_H_
#define SLUICE_CONTROL_RESOLVE_CLUSTER_STATE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/objects.h"
#include "resolve/address_claims.h"
#include "resolve/label_index.h"
#include "resolve/node_table.h"
#include "resolve/pod_set.h"
#include "resolve/port_index.h"
#include "sluice/diagnostic.h"
#include "sluice/resolved_policy.h"
#include "sluice/stable_vector.h"

namespace sluice {

// A namespace is there while it has an object or a pod.
struct NamespaceEntry {
  std::string name;
  bool has_object = false;
  LabelIds labels;
  PodSet endpoints;
  std::uint32_t pod_count = 0;
};

struct PodEntry {
  std::string name;
  std::string node;
  std::uint32_t space = 0;  // number of its namespace
  bool host_network = false;
  bool finished = false;
  LabelIds labels;                        // of an endpoint
  std::vector<IpAddress> addresses;       // claimed; sorted, unique
  std::vector<IpAddress> host_addresses;  // sorted, unique
  std::vector<ContainerPort> ports;
  std::int64_t created = 0;
  std::string workload;

  // In the pod network and not finished (NP-32, NP-82): only such pods have addresses that policy is about.
  bool IsEndpoint() const { return !host_network && !finished; }
  bool IsOnNode() const { return !node.empty() && !finished; }
};

class ClusterState {
 public:
  explicit ClusterState(std::function<void(const std::string& name)> node_changed) : nodes_(std::move(node_changed)) {}

  static constexpr std::uint32_t kNone = 0xffffffff;

  // Makes room for this many more.
  void Reserve(std::size_t namespaces, std::size_t pods);

  // Namespaces. A namespace without an object has only its name as a label (NP-33).
  std::uint32_t FindNamespace(std::string_view name) const;
  const NamespaceEntry& space(std::uint32_t number) const { return spaces_[number]; }
  const PodSet& all_namespaces() const { return all_namespaces_; }
  const LabelIndex& namespace_labels() const { return namespace_labels_; }
  LabelIndex& namespace_labels() { return namespace_labels_; }
  void UpsertNamespace(const Namespace& object);
  void DeleteNamespace(std::string_view name);

  // Pods.
  std::uint32_t FindPod(std::string_view namespace_name, std::string_view name);
  const PodEntry& pod(std::uint32_t number) const { return pods_[number]; }
  std::uint32_t pod_limit() const { return pods_.size(); }  // above all numbers
  const PodSet& endpoints() const { return endpoints_; }
  const LabelIndex& pod_labels() const { return pod_labels_; }
  LabelIndex& pod_labels() { return pod_labels_; }
  const PortIndex& ports() const { return ports_; }
  bool IsSame(std::uint32_t number, const Pod& object) const;
  // Makes pods that were added since the last call findable, at a time when nobody waits. FindPod does it otherwise.
  void IndexPods();
  // Adds a pod that is not there yet. Returns its number.
  std::uint32_t AddPod(const Pod& object);
  void UpdatePod(std::uint32_t number, const Pod& object);
  void DeletePod(std::uint32_t number);

  // Of the addresses that an endpoint claims, those that it holds. The newer pod wins an address; of two with the same
  // age, the first by namespace and name (NP-83).
  std::vector<IpAddress> HeldAddresses(std::uint32_t pod) const;
  // Other endpoints that claim any of the addresses.
  std::vector<std::uint32_t> Rivals(std::uint32_t pod, const std::vector<IpAddress>& addresses) const;

  NodeTable& nodes() { return nodes_; }
  const NodeTable& nodes() const { return nodes_; }
  // A node's addresses without those that an endpoint claims: no endpoint may gain the node's rights (NP-70, NP-72).
  std::vector<IpAddress> NodeAddresses(const NodeEntry& node) const;
  // The addresses of NodeTable::StatusAddresses that no endpoint claims.
  std::vector<CidrBlock> NodeBlocks(const LabelSelector& selector) const;

  // A warning for each thing that two objects claim and one loses.
  Diagnostics Conflicts() const;

 private:
  using PodKey = std::pair<std::uint32_t, std::string_view>;  // namespace, name
  struct PodKeyHash {
    std::size_t operator()(const PodKey& key) const {
      return std::hash<std::string_view>()(key.second) ^ (key.first * 0x9e3779b97f4a7c15u);
    }
  };

  std::uint32_t EnterNamespace(std::string_view name, const Labels& labels);
  void SetPod(std::uint32_t number, const Pod& object);
  void SetLabels(std::uint32_t number, const Labels& labels);
  void DropIfGone(std::uint32_t number);
  void Admit(std::uint32_t number, const Labels& labels);
  void Withdraw(std::uint32_t number);
  bool Precedes(std::uint32_t a, std::uint32_t b) const;
  std::string Title(std::uint32_t pod) const;

  StableVector<NamespaceEntry> spaces_;
  std::vector<std::uint32_t> free_spaces_;
  std::unordered_map<std::string_view, std::uint32_t> space_numbers_;  // keys are the entries' names
  PodSet all_namespaces_;
  LabelIndex namespace_labels_;

  StableVector<PodEntry> pods_;
  std::vector<std::uint32_t> free_pods_;
  std::unordered_map<PodKey, std::uint32_t, PodKeyHash> pod_numbers_;  // keys are the entries' names
  std::vector<std::uint32_t> unindexed_pods_;                          // not in pod_numbers_ until a pod is looked for
  PodSet endpoints_;
  LabelIndex pod_labels_;
  PortIndex ports_;
  AddressClaims claims_;
  NodeTable nodes_;
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_CLUSTER_STATE_H_
