// The name of the workload that a pod belongs to, from the labels that controllers give pods. Pure; any thread.
#ifndef SLUICE_PROGRAMS_PAGE_WORKLOAD_NAME_H_
#define SLUICE_PROGRAMS_PAGE_WORKLOAD_NAME_H_

#include <string>
#include <string_view>

namespace sluice {

// `labels`: "app=web,pod-template-hash=5d7f", as in EndpointInfo. For a Deployment's pod it returns the Deployment's
// name; likewise for ReplicaSets, StatefulSets, DaemonSets and Jobs. Otherwise it returns the pod's own name.
std::string WorkloadName(std::string_view pod, std::string_view labels);

}  // namespace sluice

#endif  // SLUICE_PROGRAMS_PAGE_WORKLOAD_NAME_H_
