// A decision taken apart: who the ends are, which policies bind them, and which of their rules hold the packet.
//
// Made of resolved policy and the compiled table alone, so that it tells what the filter does, wherever they came from.
#ifndef SLUICE_PROGRAMS_SLUICECTL_EXPLANATION_H_
#define SLUICE_PROGRAMS_SLUICECTL_EXPLANATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reference/evaluate.h"
#include "sluice/policy_terms.h"
#include "sluice/resolved_policy.h"
#include "sluicectl/judge.h"
#include "sluicectl/known_names.h"
#include "table/table.h"

namespace sluice {

struct EndExplanation {
  IpAddress address;
  std::string kind;    // "pod", "node", "external", or "unknown": inside the pod CIDRs, and nobody has it
  std::string name;    // "namespace/name" of a pod; empty for an external address
  std::string labels;  // "app=web,tier=front"
  std::string node;    // where the pod runs, or whose address it is; empty where several nodes claim it
};

struct RuleExplanation {
  std::int32_t index = 0;
  std::string name;  // empty: it has none
  Action action = Action::kAllow;
  std::string peers;
  std::string ports;
  bool peers_match = false;
  bool ports_match = false;
  bool decides = false;
  std::string why_not;  // "the port is another"; empty: it matches
};

struct PolicyExplanation {
  std::string policy;
  Tier tier = Tier::kNetworkPolicy;
  std::uint32_t priority = 0;
  bool isolates = true;
  std::vector<RuleExplanation> rules;  // by index; a rule whose ports have names may take several lines, or none
};

// Of a side that is denied: the rule that comes closest to letting it through, had it matched.
struct NearestRule {
  std::size_t policy = 0;  // in SideExplanation::policies
  std::size_t rule = 0;    // in PolicyExplanation::rules
};

struct SideExplanation {
  bool managed = false;                     // the end is a pod of the pod network
  std::vector<PolicyExplanation> policies;  // in the order in which they are asked
  SideAnswer answer;
  std::optional<NearestRule> nearest;
};

struct Explanation {
  EndExplanation source;
  EndExplanation destination;
  Exemption exemption = Exemption::kNone;
  std::string reason;  // what the filter drops it for beside policy, as core/first_packet.h names it; empty: nothing
  bool allow = true;   // what the filter does
  SideExplanation egress;
  SideExplanation ingress;
};

// `table` is compiled from `policy`; the explanation's texts refer to it.
// `is_foreign`: it comes by the interface of a pod that has another address.
Explanation Explain(const ResolvedPolicy& policy, const Table& table, const reference::Flow& flow, bool exemptions,
                    const FilterSettings& settings = {}, bool is_foreign = false, const KnownNames& names = {});

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_EXPLANATION_H_
