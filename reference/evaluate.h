// The reference evaluator: what NetworkPolicy and cluster policy mean, taken from the rules NP-nn, CNP-nn and
// FQ-nn and from nothing else.
//
// It is slow on purpose. It walks objects with plain loops and shares no code with the resolver, the compiler or the
// classifier, so that a mistake in them cannot hide in it. Tests, `sluicectl check --engine reference` and `sluicectl
// verify` compare the compiled table with it.
//
// An Evaluator reads the Cluster that it was made from, which must outlive it and stay unchanged. Evaluate is const
// and safe from any thread.
#ifndef SLUICE_REFERENCE_EVALUATE_H_
#define SLUICE_REFERENCE_EVALUATE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "sluice/address.h"
#include "sluice/policy_terms.h"

namespace sluice::reference {

// The names of addresses that were learnt and are in force (FQ-02): in any case, with or without a dot at the end.
using NamesByAddress = std::map<IpAddress, std::set<std::string>>;

// The first packet of a connection. Ports are in host order and zero for protocols without ports.
struct Flow {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;  // rules do not use it (NP-50)
  std::uint16_t destination_port = 0;
};

// What policy says in one direction.
struct Side {
  bool allow = true;
  bool decided = false;  // a policy decided it; false: nothing isolates, and the fields below mean nothing
  Tier tier = Tier::kNetworkPolicy;
  std::string policy;      // "namespace/name", or the name of a cluster policy
  std::int32_t rule = -1;  // list index of the rule that decides; -1: the default deny of isolation
  std::string rule_name = {};
  std::vector<std::string> isolated_by = {};  // for a default deny: all policies that isolate, by name

  friend bool operator==(const Side&, const Side&) = default;
};

struct Answer {
  bool allow = true;
  Side egress;   // of the source
  Side ingress;  // of the destination
  Exemption exemption = Exemption::kNone;
  bool unknown_endpoint = false;  // one of the ends is unknown, whatever policy says
  bool between_nodes = false;     // no end is a pod; one is a node's address and the other is not that node's

  friend bool operator==(const Answer&, const Answer&) = default;
};

class Evaluator {
 public:
  explicit Evaluator(const Cluster& cluster, NamesByAddress names = {});

  // With `exemptions` false, a pod's traffic with itself and with its own node is judged like any other. If several
  // rules of NetworkPolicy allow, the answer names the first rule in the list of the first policy by name. If none
  // allows and several policies isolate, it names the first policy by name.
  Answer Evaluate(const Flow& flow, bool exemptions = true) const;

  // The pod that has this address (NP-32, NP-82, NP-83), or null.
  const Pod* FindPod(const IpAddress& address) const;
  // True iff `node` has this address, and neither a pod nor another node has it (NP-70). With a second node, nobody
  // knows whose traffic it is.
  bool IsNodeAddress(const std::string& node, const IpAddress& address) const;
  // The address is inside a node's pod CIDR, and no pod and no node has it.
  bool IsUnknownEndpoint(const IpAddress& address) const;
  // Every address that something makes a node's, in order; also those that a pod has.
  std::vector<IpAddress> NodeAddresses() const;
  // No managed pod has the address, and at least one node has it.
  bool IsOfNodes(const IpAddress& address) const { return FindPod(address) == nullptr && !NodesAt(address).empty(); }
  // Names of the nodes that have the address. What is told of one node counts more than what is presumed of another.
  std::set<std::string> NodesAt(const IpAddress& address) const;

 private:
  // Names of nodes that have an address. `told`: something says so. `presumed`: only because it is one of the first two
  // of their pod CIDRs (NP-72).
  struct Holders {
    std::set<std::string> told;
    std::set<std::string> presumed;
  };

  void AddNode(const NodeObject& node);
  Exemption ExemptionOf(const Flow& flow) const;
  bool IsBetweenNodes(const Flow& flow) const;
  Side Judge(Direction direction, const Flow& flow) const;
  // What NetworkPolicy says; undecided if no policy isolates the subject (NP-01).
  Side JudgeByNetworkPolicy(Direction direction, const Pod& subject, const Flow& flow) const;
  // In cluster_policy.cc. What the first matching rule of a tier says; undecided if no rule matches, or if the rule
  // passes from the Admin tier to the next one. A Pass in the Baseline tier passes to the default, which allows.
  Side JudgeByTier(Tier tier, Direction direction, const Pod& subject, const Flow& flow) const;
  void AddClusterPolicies(const Cluster& cluster);
  bool IsSelected(const PodSelection& selection, const Pod& pod) const;
  bool ClusterRuleMatches(const ClusterPolicyRule& rule, const IpAddress& peer, const Flow& flow) const;
  bool ClusterPeerMatches(const ClusterPolicyPeer& peer, const IpAddress& address) const;
  bool RuleMatches(const NetworkPolicy& policy, const NetworkPolicyRule& rule, const IpAddress& peer,
                   const Flow& flow) const;
  bool HasName(const IpAddress& address, const std::string& pattern) const;
  bool PeerMatches(const NetworkPolicy& policy, const NetworkPolicyPeer& peer, const IpAddress& address) const;
  bool PortMatches(const NetworkPolicyPort& port, const Flow& flow) const;

  std::unordered_map<IpAddress, const Pod*> pods_;
  std::map<IpAddress, Holders> nodes_;
  std::set<Prefix> pod_cidrs_;         // of all nodes
  std::set<int> pod_cidr_lengths_[2];  // of pod_cidrs_: IPv4, IPv6
  std::map<std::string, Labels> namespace_labels_;
  std::map<std::string, std::vector<const NetworkPolicy*>> policies_;  // by namespace, sorted by name
  // In the order of evaluation of a tier (CNP-02): by priority, then by name.
  struct NamedPolicy {
    const ClusterPolicy* policy = nullptr;
    std::string name;
  };
  std::map<Tier, std::vector<NamedPolicy>> tiers_;
  std::vector<const NodeObject*> node_objects_;
  NamesByAddress names_;
};

}  // namespace sluice::reference

#endif  // SLUICE_REFERENCE_EVALUATE_H_
