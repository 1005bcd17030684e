// Resolved policy: groups, rules and endpoints with every label selector already evaluated.
//
// This is where the policy's walk crosses from control/ to dataplane/, and what travels over gRPC. The dataplane knows
// addresses, never selectors, so any orchestrator can drive it. A plain value: build it on one thread, hand it over.
#ifndef SLUICE_RESOLVED_POLICY_H_
#define SLUICE_RESOLVED_POLICY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sluice/address.h"
#include "sluice/id_set.h"
#include "sluice/section_list.h"

namespace sluice {

using NodeId = std::uint32_t;  // index into ResolvedPolicy::nodes

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

struct NamedPort {
  std::string name;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;

  friend bool operator==(const NamedPort&, const NamedPort&) = default;
};

// A pod's addresses with its namespace, name, labels, named ports and node. Only endpoints are
// managed: policy is about them.
struct Endpoint {
  std::string namespace_name;
  std::string name;
  std::string labels;  // "app=web,tier=front", sorted by key; for people
  std::vector<NamedPort> ports;
  std::vector<IpAddress> addresses;  // no other endpoint has one of them (NP-83); may be empty
  NodeId node = kNoNode;
  IdSetId members = kEmptyIdSet;  // in ResolvedPolicy::member_sets: the GroupIds that select it
  // The pod's workload, named by its owner: "Deployment/web". Empty: the sender does not say. For people.
  std::string workload = {};

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Node {
  std::string name;
  // The node's own addresses, by its object and its pods (NP-32, NP-70, NP-72); no endpoint has one of them. An address
  // of several nodes is no node's own: no pod may always speak with it. But it is known to be a node's.
  std::vector<IpAddress> addresses;
  std::vector<Prefix> pod_cidrs;  // Node.spec.podCIDRs

  friend bool operator==(const Node&, const Node&) = default;
};

// What is staged, by policy: the sections that would replace those of the policy. No sections: it would be deleted.
// Never enforced: a second table is compiled with these changes, and traffic is judged by both.
using StagedPolicies = std::map<std::string, std::vector<Section>>;

struct ResolvedPolicy {
  std::vector<Node> nodes;
  std::vector<Endpoint> endpoints;  // sorted by namespace, name
  std::vector<Group> groups;
  IdSetPool member_sets;
  SectionList sections;
  StagedPolicies staged;

  // Equal: the same objects in the same order with the same numbers.
  friend bool operator==(const ResolvedPolicy&, const ResolvedPolicy&) = default;

  // The whole policy as text, for people to read and tests to compare: a line for each object, in the order held.
  std::string Dump() const;
};

}  // namespace sluice

#endif  // SLUICE_RESOLVED_POLICY_H_
