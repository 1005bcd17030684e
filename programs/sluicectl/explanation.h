// Takes a decision apart: who the ends are, which policies bind them, and which of their rules match the packet.
//
// It is made only from resolved policy and the compiled table. So it tells what the filter does, whatever their source.
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
  std::string kind;    // "pod", "node", "external", or "unknown": inside the pod CIDRs, but no pod has it
  std::string name;    // "namespace/name" for a pod; empty for an external address
  std::string labels;  // "app=web,tier=front"
  std::string node;    // where the pod runs, or the address's node; empty if several nodes claim it
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
  std::vector<RuleExplanation> rules;  // by index; a rule with named ports may take several lines, or none
};

// For a denied side: the rule that comes closest to allowing the packet.
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
  std::string reason;  // what drops it apart from policy, as core/first_packet.h names it; empty: nothing
  bool allow = true;   // what the filter does
  SideExplanation egress;
  SideExplanation ingress;
};

// `table` is compiled from `policy`; the explanation's texts refer to the table.
// `is_foreign`: the packet comes by the interface of a pod that has another address.
Explanation Explain(const ResolvedPolicy& policy, const Table& table, const reference::Flow& flow, bool exemptions,
                    const FilterSettings& settings = {}, bool is_foreign = false, const KnownNames& names = {});

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_EXPLANATION_H_
