// Writes NetworkPolicies for a namespace from connections that were seen: one policy for each workload. It admits what
// the workload's pods were seen to do, and isolates them in both directions.
//
// A workload is the pods of one owner (a Deployment, a StatefulSet, a CronJob), selected by the labels that all of them
// share. If nobody knows what runs the pods, it is the pods of a namespace that have the same labels. Labels that a
// controller makes (hashes, ordinals) are left out. The policy uses as few of its labels as select it alone. Names and
// addresses of pods never become part of a policy.
//
// Pure function; any thread.
#ifndef SLUICE_CONTROL_SUGGEST_SUGGEST_H_
#define SLUICE_CONTROL_SUGGEST_SUGGEST_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/objects.h"
#include "sluice/address.h"
#include "sluice/diagnostic.h"

namespace sluice {

// A connection, or several equal ones. Ports are in host order, and 0 for protocols without ports.
struct SeenConnection {
  IpAddress source;  // the end that opened it
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint16_t destination_port = 0;
  std::uint64_t count = 1;
};

struct SuggestOptions {
  std::string namespace_name;
  // A rule cannot name ICMP: a rule that admits ICMP admits every port between the two. False: ICMP
  // is left out, with a note.
  bool icmp = false;
};

// A rule with its evidence, for people: a line for each peer.
struct SuggestedRule {
  NetworkPolicyRule rule;
  std::vector<std::string> evidence;
};

struct SuggestedPolicy {
  NetworkPolicy policy;
  std::vector<std::string> about;      // the workload and its pods
  std::vector<SuggestedRule> ingress;  // for policy.ingress, in its order
  std::vector<SuggestedRule> egress;
};

struct Suggestion {
  std::vector<SuggestedPolicy> policies;  // sorted by name
  Diagnostics notes;                      // what was left out, and where a rule allows more than was seen
  std::vector<SeenConnection> allowed;  // the connections that the policies must admit: those seen less those left out
};

Suggestion Suggest(const Cluster& cluster, const SuggestOptions& options, std::span<const SeenConnection> seen);

// The policies as YAML documents with their evidence as comments.
std::string ToYaml(const Suggestion& suggestion);

}  // namespace sluice

#endif  // SLUICE_CONTROL_SUGGEST_SUGGEST_H_
