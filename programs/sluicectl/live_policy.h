// Fetches the resolved policy that a running sluiced has in force, to work on it here.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LIVE_POLICY_H_
#define SLUICE_PROGRAMS_SLUICECTL_LIVE_POLICY_H_

#include <memory>

#include "model/objects.h"
#include "sluice/resolved_policy.h"
#include "sluicectl/live.h"
#include "table/table.h"

namespace sluice {

// Returns kExitFine and the policy, or another exit code; standard error says why.
int FetchPolicy(const LiveOptions& live, v1::ObserveService::Stub& stub, ResolvedPolicy* policy);

// Returns null if it does not compile; standard error says why.
std::shared_ptr<const Table> CompileHere(const ResolvedPolicy& policy);

// Replaces the pods and nodes of `cluster` by the live endpoints and nodes, as the objects that they came from.
void TakeLivePods(const ResolvedPolicy& policy, Cluster* cluster);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LIVE_POLICY_H_
