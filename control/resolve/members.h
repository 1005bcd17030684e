// From groups of pods to the set of groups that holds each pod.
#ifndef SLUICE_CONTROL_RESOLVE_MEMBERS_H_
#define SLUICE_CONTROL_RESOLVE_MEMBERS_H_

#include <cstdint>
#include <vector>

#include "resolve/pod_set.h"
#include "sluice/id_set.h"

namespace sluice {

// The set of the groups that hold pod i, for each of `pod_count` pods. Works in blocks of pods, so that beside the
// result it takes a few tens of megabytes, however many memberships there are.
std::vector<IdSetId> InternMembers(std::uint32_t pod_count, const std::vector<const PodSet*>& groups, IdSetPool* pool);

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_MEMBERS_H_
