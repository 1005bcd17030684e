// From groups of pods to, for each pod, the set of groups that hold it.
#ifndef SLUICE_CONTROL_RESOLVE_MEMBERS_H_
#define SLUICE_CONTROL_RESOLVE_MEMBERS_H_

#include <cstdint>
#include <vector>

#include "resolve/pod_set.h"
#include "sluice/id_set.h"

namespace sluice {

// For each of `pod_count` pods, the set of the groups that hold it. Works in blocks of pods, so that it takes only a
// few tens of megabytes beside the result, however many memberships there are.
std::vector<IdSetId> InternMembers(std::uint32_t pod_count, const std::vector<const PodSet*>& groups, IdSetPool* pool);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_MEMBERS_H_
