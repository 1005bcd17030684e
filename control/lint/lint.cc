#include "lint/lint.h"

#include "lint/cluster_policies.h"
#include "lint/ground.h"
#include "lint/network_policies.h"
#include "lint/overruled.h"
#include "lint/promoted.h"

namespace sluice {

LintResult Lint(const Manifests& manifests, LintScope scope, const LintDns* dns) {
  if (scope == LintScope::kAll && IsStaged(manifests)) return Lint(Promoted(manifests), scope, dns);
  LintGround ground(manifests, scope);
  const Isolated isolated = LintNetworkPolicies(&ground);
  LintClusterPolicies(isolated, dns, &ground);
  if (scope == LintScope::kAll) LintOverruled(&ground);
  return {ground.TakeFindings(), ground.has_pods()};
}

}  // namespace sluice
