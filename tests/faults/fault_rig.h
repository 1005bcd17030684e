// The cluster that all cases of this binary share, and what its command line says.
#ifndef SLUICE_TESTS_FAULTS_FAULT_RIG_H_
#define SLUICE_TESTS_FAULTS_FAULT_RIG_H_

#include <gtest/gtest.h>

#include <cstdint>

#include "faults/rig.h"

namespace sluice {

struct FaultOptions {
  std::uint64_t seed = 0;  // of the random case; 0: another one each time
  double seconds = 30;     // for how long it makes faults
};
const FaultOptions& Options();

TestCluster& SharedCluster();

class FaultTest : public testing::Test {
 protected:
  TestCluster& cluster() { return SharedCluster(); }
  Rig rig_{SharedCluster()};
};

}  // namespace sluice

#endif  // SLUICE_TESTS_FAULTS_FAULT_RIG_H_
