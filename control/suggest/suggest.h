// Writes NetworkPolicies for a namespace from connections that were seen: one for each workload, which admits what its
// pods were seen to do, and isolates them in both directions.
//
// A workload is the pods of one owner (a Deployment, a StatefulSet, a CronJob), by the labels that all of them share;
// where it is not known what runs them, the pods of a namespace whose labels are the same. Labels that a controller
// makes (hashes, ordinals) are left out. It is named by as few of its labels as select it alone. Pods' names and
// addresses never become part of a policy.
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

// A connection, or several alike. Ports are in host order, and 0 for protocols without.
struct SeenConnection {
  IpAddress source;  // the end that opened it
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint16_t destination_port = 0;
  std::uint64_t count = 1;
};

struct SuggestOptions {
  std::string namespace_name;
  // A rule cannot name ICMP: one that admits it admits every port between the two. False: ICMP is left out, with a
  // note.
  bool icmp = false;
};

// A rule with its evidence: a line for each peer, for people.
struct SuggestedRule {
  NetworkPolicyRule rule;
  std::vector<std::string> evidence;
};

struct SuggestedPolicy {
  NetworkPolicy policy;
  std::vector<std::string> about;      // the workload and its pods
  std::vector<SuggestedRule> ingress;  // of policy.ingress, in its order
  std::vector<SuggestedRule> egress;
};

struct Suggestion {
  std::vector<SuggestedPolicy> policies;  // by name
  Diagnostics notes;                      // what was left out, and where a rule allows more than was seen
  std::vector<SeenConnection> allowed;  // the connections that the policies must admit: those seen less those left out
};

Suggestion Suggest(const Cluster& cluster, const SuggestOptions& options, std::span<const SeenConnection> seen);

// The policies as YAML documents with their evidence as comments.
std::string ToYaml(const Suggestion& suggestion);

}  // namespace sluice

#endif  // SLUICE_CONTROL_SUGGEST_SUGGEST_H_
