// What the cluster policies of one tier do to one another: a rule that never decides, since an earlier one matches all
// that it does, and two policies of equal priority that disagree (CNP-02).
//
// A tier's rules are held against each other pair by pair, where one policy's subjects hold the other's.
#ifndef SLUICE_CONTROL_LINT_TIERS_H_
#define SLUICE_CONTROL_LINT_TIERS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/cluster_policy.h"

namespace sluice {

enum class TierFault : std::uint8_t {
  kNeverDecides,   // `field` is the rule
  kEqualPriority,  // of the policy that goes second; `field` is its rule
};

struct TierFinding {
  TierFault fault = TierFault::kNeverDecides;
  const ClusterPolicy* policy = nullptr;
  std::string field;  // "spec.ingress[2]"
  std::string message;
};

// Whether the pods that are there have one in common; of unlike kinds, by address.
struct Meeting {
  std::function<bool(const PodSelection&, const PodSelection&)> subjects;
  std::function<bool(const ClusterPolicyPeer&, const ClusterPolicyPeer&)> peers;
};

// Refused policies take no part. A rule is told of once, with the first that hides it; a pair of policies once a
// direction. The findings hold pointers into `policies`. Any thread.
std::vector<TierFinding> LookAtTiers(const std::vector<ClusterPolicy>& policies, const Meeting& meeting);

// Those that were not refused, in the order in which their rules are asked (CNP-02).
std::vector<const ClusterPolicy*> AskedInOrder(const std::vector<ClusterPolicy>& policies);

std::string TitleOf(const ClusterPolicy& policy);
// As its author wrote it.
std::string_view ActionText(const ClusterPolicy& policy, Action action);
// "spec.ingress[2]" of the path "spec.ingress".
std::string RuleField(std::string_view path, std::size_t index);
// "spec.ingress[2] 'name'", or without a name of its own "spec.ingress[2]".
std::string RuleText(const ClusterPolicyRule& rule, const std::string& field);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_TIERS_H_
