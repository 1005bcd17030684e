// A policy of any kind in terms of selections, and the sections that it makes.
#ifndef SLUICE_CONTROL_RESOLVE_BOUND_POLICY_H_
#define SLUICE_CONTROL_RESOLVE_BOUND_POLICY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/objects.h"
#include "resolve/port_splits.h"
#include "resolve/selections.h"
#include "sluice/policy_terms.h"
#include "sluice/resolved_policy.h"

namespace sluice {

struct BoundRule {
  std::int32_t index = 0;
  Action action = Action::kAllow;
  RuleName name;
  SelectionPtr peers;
  bool any_port = true;
  std::vector<PortRange> ports;       // by number; sorted, merged
  std::vector<PortSplitPtr> by_name;  // of the subjects for ingress, of the peers for egress (NP-51)
  DomainPatterns domain_names;        // as in Rule; if there are any, `peers` is everyone

  friend bool operator==(const BoundRule&, const BoundRule&) = default;
};

struct BoundDirection {
  Direction direction = Direction::kIngress;
  std::vector<BoundRule> rules;

  friend bool operator==(const BoundDirection&, const BoundDirection&) = default;
};

struct BoundPolicy {
  std::string title;  // Section::policy
  Tier tier = Tier::kNetworkPolicy;
  std::uint32_t priority = 0;
  bool isolates = true;
  bool staged = false;    // staged for the policy with that title, and not in force
  SelectionPtr subjects;  // null: staged, and the policy would be deleted
  std::vector<BoundDirection> directions;

  friend bool operator==(const BoundPolicy&, const BoundPolicy&) = default;
};

std::string PolicyTitle(const std::string& namespace_name, const std::string& name);
// "AdminNetworkPolicy/name", if another kind already has the name.
std::string ClusterPolicyTitle(ClusterPolicyKind kind, const std::string& name);

// The addresses of the nodes that a selector selects.
using NodeBlocksOf = std::function<std::vector<CidrBlock>(const LabelSelector&)>;

BoundPolicy Bind(const NetworkPolicy& policy, Selections* selections, PortSplits* splits);
BoundPolicy Bind(const StagedNetworkPolicy& staged, Selections* selections, PortSplits* splits);
BoundPolicy Bind(const ClusterPolicy& policy, std::string title, const NodeBlocksOf& node_blocks,
                 Selections* selections, PortSplits* splits);

// Lists the policy at its subjects and splits. Delist must undo this before the policy's subjects or splits change.
void Enlist(BoundPolicy* policy);
void Delist(BoundPolicy* policy);

enum class Role : std::uint8_t { kSubjects, kPeers };
using GroupOf = std::function<GroupId(const SelectionPtr& selection, Role role)>;

// Appends a section for each direction, and one more for each group of subjects for which the named ports of ingress
// rules stand for other numbers. Calls `group_of` for each selection that the sections name.
void AppendSections(const BoundPolicy& policy, const GroupOf& group_of, std::vector<Section>* sections);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_BOUND_POLICY_H_
