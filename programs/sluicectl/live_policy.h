// The resolved policy that a running sluiced has in force, fetched to be worked on here.
#ifndef SLUICE_PROGRAMS_SLUICECTL_LIVE_POLICY_H_
#define SLUICE_PROGRAMS_SLUICECTL_LIVE_POLICY_H_

#include <memory>

#include "model/objects.h"
#include "sluice/resolved_policy.h"
#include "sluicectl/live.h"
#include "table/table.h"

namespace sluice {

// kExitFine and the policy, or another exit code and why on standard error.
int FetchPolicy(const LiveOptions& live, v1::ObserveService::Stub& stub, ResolvedPolicy* policy);

// Null, and why on standard error, where it does not compile.
std::shared_ptr<const Table> CompileHere(const ResolvedPolicy& policy);

// The live endpoints and nodes as the objects that they came from, in place of those that `cluster` has.
void TakeLivePods(const ResolvedPolicy& policy, Cluster* cluster);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_SLUICECTL_LIVE_POLICY_H_
