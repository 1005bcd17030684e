// Resolved policy: groups, rules and endpoints with every label selector already evaluated.
//
// This is where the policy's walk crosses from control/ to dataplane/, and what travels over gRPC. The dataplane knows
// addresses, never selectors, so any orchestrator can drive it. A plain value: build it on one thread, hand it over.
#ifndef SLUICE_RESOLVED_POLICY_H_
#define SLUICE_RESOLVED_POLICY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/address.h"
#include "sluice/id_set.h"
#include "sluice/policy_terms.h"

namespace sluice {

using GroupId = std::uint32_t;  // index into ResolvedPolicy::groups
using NodeId = std::uint32_t;   // index into ResolvedPolicy::nodes

inline constexpr GroupId kAnyPeer = 0xffffffff;  // every address, external ones included (NP-22)
inline constexpr NodeId kNoNode = 0xffffffff;

// `cidr` less `excepts` (NP-40). Every except lies strictly inside the cidr.
struct CidrBlock {
  Prefix cidr;
  std::vector<Prefix> excepts;

  friend auto operator<=>(const CidrBlock&, const CidrBlock&) = default;
};

// A set of addresses: the endpoints whose member set names it, and every address of its blocks (pods' too, NP-42).
struct Group {
  // Canonical text of what it selects; equal keys mean equal groups, in this policy and in the next one, so that
  // a group keeps its identity while pods come and go.
  std::string key;
  std::vector<CidrBlock> blocks;  // sorted, unique

  friend bool operator==(const Group&, const Group&) = default;
};

// A range of destination ports of one protocol. 0..65535 is the whole protocol (NP-50).
struct PortRange {
  std::uint8_t protocol = 0;  // TCP, UDP or SCTP
  std::uint16_t first = 0;
  std::uint16_t last = 65535;

  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

struct Rule {
  GroupId peers = kAnyPeer;
  std::vector<PortRange> ports;  // sorted, merged; used only where any_port is false, when empty matches nothing
  bool any_port = true;          // every port and every protocol (NP-22, NP-61)
  Action action = Action::kAllow;
  std::int32_t index = 0;  // place in the object's list, from 0; several rules may share it (named ports, NP-51)

  friend bool operator==(const Rule&, const Rule&) = default;
};

// One direction of one policy for one group of subjects. A policy whose named ports resolve differently on its subjects
// yields one section for what all subjects share (it isolates) and one for each resolution (those don't).
struct Section {
  std::string policy;  // "namespace/name", or "name" for a cluster-scoped policy
  Direction direction = Direction::kIngress;
  Tier tier = Tier::kNetworkPolicy;
  std::uint32_t priority = 0;  // lower first; 0 in the NetworkPolicy tier
  GroupId subjects = 0;
  bool isolates = true;  // NP-01: what no rule of the tier matches is denied, and says index -1 of `policy`
  std::vector<Rule> rules;

  friend bool operator==(const Section&, const Section&) = default;
};

struct NamedPort {
  std::string name;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;

  friend bool operator==(const NamedPort&, const NamedPort&) = default;
};

// A pod's addresses with its namespace, name, labels, named ports and node. Only endpoints are managed: policy speaks
// of them.
struct Endpoint {
  std::string namespace_name;
  std::string name;
  std::string labels;  // "app=web,tier=front", sorted by key; for people
  std::vector<NamedPort> ports;
  std::vector<IpAddress> addresses;  // none of them in another endpoint (NP-83); may be empty
  NodeId node = kNoNode;
  IdSetId members = kEmptyIdSet;  // in ResolvedPolicy::member_sets: the GroupIds that select it

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Node {
  std::string name;
  std::vector<IpAddress> addresses;  // of the Node object and of its hostNetwork pods (NP-32, NP-70)
  std::vector<Prefix> pod_cidrs;     // Node.spec.podCIDRs

  friend bool operator==(const Node&, const Node&) = default;
};

struct ResolvedPolicy {
  std::vector<Node> nodes;
  std::vector<Endpoint> endpoints;  // sorted by namespace, name
  std::vector<Group> groups;
  IdSetPool member_sets;
  std::vector<Section> sections;  // sorted by policy, direction

  // Objects in the same order with the same numbers.
  friend bool operator==(const ResolvedPolicy&, const ResolvedPolicy&) = default;

  // The whole, as text that a person reads and a test compares: a line an object, in the order held.
  std::string Dump() const;
};

}  // namespace sluice

#endif  // SLUICE_RESOLVED_POLICY_H_
