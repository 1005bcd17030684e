// Pods become workloads by the labels that controllers give them, and by nothing else.
#include "page/workload_name.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(WorkloadName, OfADeploymentsPodIsTheDeployment) {
  EXPECT_EQ(WorkloadName("web-5d7f-x7k2p", "app=web,pod-template-hash=5d7f"), "web");
  EXPECT_EQ(WorkloadName("my-web-5d7f-x7k2p", "pod-template-hash=5d7f,app=web"), "my-web");
}

TEST(WorkloadName, OfAReplicaSetsPodIsTheReplicaSet) {
  EXPECT_EQ(WorkloadName("cache-x7k2p", "pod-template-hash=5d7f"), "cache");
}

TEST(WorkloadName, OfOtherControllersPodsIsTheController) {
  EXPECT_EQ(WorkloadName("db-0", "app=db,controller-revision-hash=db-7c,statefulset.kubernetes.io/pod-name=db-0"),
            "db");
  EXPECT_EQ(WorkloadName("agent-zz9x1", "controller-revision-hash=77"), "agent");
  EXPECT_EQ(WorkloadName("nightly-28-abcde", "batch.kubernetes.io/job-name=nightly-28,job-name=nightly-28"),
            "nightly-28");
}

TEST(WorkloadName, OfAPodAloneIsItsOwnHoweverItIsCalled) {
  EXPECT_EQ(WorkloadName("web-5d7f-x7k2p", "app=web"), "web-5d7f-x7k2p");
  EXPECT_EQ(WorkloadName("web-1", ""), "web-1");
  EXPECT_EQ(WorkloadName("", "pod-template-hash=5d7f"), "");
  EXPECT_EQ(WorkloadName("-5d7f-a", "pod-template-hash=5d7f"), "-5d7f");
  EXPECT_EQ(WorkloadName("web-a", ",,=,pod-template-hash"), "web-a");
}

}  // namespace
}  // namespace sluice
