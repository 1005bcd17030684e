// A policy's rules in one direction for one group of subjects.
#ifndef SLUICE_SECTION_H_
#define SLUICE_SECTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/domain_name.h"
#include "sluice/policy_terms.h"
#include "sluice/rule_name.h"

namespace sluice {

using GroupId = std::uint32_t;  // index into ResolvedPolicy::groups

inline constexpr GroupId kAnyPeer = 0xffffffff;  // every address, external ones included (NP-22)

// A range of destination ports of one protocol. 0..65535 is the whole protocol (NP-50).
struct PortRange {
  std::uint8_t protocol = 0;  // TCP, UDP or SCTP
  std::uint16_t first = 0;
  std::uint16_t last = 65535;

  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

struct Rule {
  GroupId peers = kAnyPeer;
  std::vector<PortRange> ports;  // sorted, merged; used only if any_port is false: then empty matches nothing
  bool any_port = true;          // every port and every protocol (NP-22, NP-61)
  Action action = Action::kAllow;
  std::int32_t index = 0;  // place in the object's list, from 0; several rules may share it (named ports, NP-51)
  RuleName name = {};      // for people
  // If there are any, the rule matches only destinations that were learnt as an address of such a name (FQ-02). Only
  // egress rules with kAllow have them (FQ-06), and the `peers` of such a rule is kAnyPeer.
  DomainPatterns domain_names = {};

  friend bool operator==(const Rule&, const Rule&) = default;
};

// One direction of one policy for one group of subjects. A policy whose named ports resolve differently on its subjects
// yields one section for what all subjects share (it isolates) and one for each resolution (these don't isolate).
struct Section {
  // "namespace/name", or "name" for a cluster-scoped policy; "AdminNetworkPolicy/name" if a
  // ClusterNetworkPolicy has the same name.
  std::string policy;
  Direction direction = Direction::kIngress;
  Tier tier = Tier::kNetworkPolicy;
  std::uint32_t priority = 0;  // lower first; 0 in the NetworkPolicy tier
  GroupId subjects = 0;
  bool isolates = true;  // NP-01: what no rule of the tier matches is denied, and reported as index -1 of `policy`
  std::vector<Rule> rules;
  // Why the sender holds the policy back and sends it without its rules, for people; the same in all sections of the
  // policy. Empty: the sender does not hold it back.
  std::string held = {};

  friend bool operator==(const Section&, const Section&) = default;
};

}  // namespace sluice

#endif  // SLUICE_SECTION_H_
