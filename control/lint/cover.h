// Whether one rule of a policy says all that another one says, whatever pods there are.
//
// Pure functions; any thread.
#ifndef SLUICE_CONTROL_LINT_COVER_H_
#define SLUICE_CONTROL_LINT_COVER_H_

#include "model/cluster_policy.h"
#include "model/objects.h"

namespace sluice {

// True only where each packet that `rule` matches is matched by `other`, too. Where that cannot be told from the
// objects alone, false.
bool IsCoveredBy(const NetworkPolicyRule& rule, const NetworkPolicyRule& other);

bool IsCoveredBy(const ClusterPolicyRule& rule, const ClusterPolicyRule& other);

// The same of their ports alone, whatever their peers are.
bool ArePortsCovered(const ClusterPolicyRule& rule, const ClusterPolicyRule& other);

// True only where each pod that `selection` selects is selected by `other`, too.
bool IsCoveredBy(const PodSelection& selection, const PodSelection& other);

// Whether the peer is every address. `networks` match pods and nodes as well (CNP-13), so those of both families do.
bool IsEverywhere(const ClusterPolicyPeer& peer);

// False only where no port and protocol belongs to both; a name may stand for any number.
bool PortsMeet(const ClusterPolicyRule& rule, const ClusterPolicyRule& other);

}  // namespace sluice

#endif  // SLUICE_CONTROL_LINT_COVER_H_
