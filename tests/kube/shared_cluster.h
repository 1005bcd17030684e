// The cluster that all cases of a test binary share, and what they do with it.
#ifndef SLUICE_TESTS_KUBE_SHARED_CLUSTER_H_
#define SLUICE_TESTS_KUBE_SHARED_CLUSTER_H_

#include <chrono>
#include <functional>

#include "kube/kube_source.h"
#include "kube/test_cluster.h"

namespace sluice {

// Runs since main began; see cluster_main.cc.
TestCluster& SharedCluster();

// Polls until `done` holds; false: it did not within `timeout`.
bool PollUntil(KubeSource& source, const std::function<bool()>& done,
               std::chrono::milliseconds timeout = std::chrono::seconds(30));

// Short times, so that what waits for them ends soon.
KubeOptions TestOptions();

}  // namespace sluice

#endif  // SLUICE_TESTS_KUBE_SHARED_CLUSTER_H_
