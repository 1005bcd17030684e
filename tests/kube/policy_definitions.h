// CustomResourceDefinitions of policy.networking.k8s.io for a test: our own, as much of upstream's as tests need.
// Unknown fields of a spec are kept, as in a newer version of it.
#ifndef SLUICE_TESTS_KUBE_POLICY_DEFINITIONS_H_
#define SLUICE_TESTS_KUBE_POLICY_DEFINITIONS_H_

#include <string>
#include <vector>

#include "kube/test_cluster.h"

namespace sluice {

class PolicyDefinitions {
 public:
  static constexpr const char* kGroup = "policy.networking.k8s.io";

  explicit PolicyDefinitions(const TestCluster& cluster) : cluster_(cluster) {}
  // Removes what was defined, and waits until the group is gone: other tests begin without.
  ~PolicyDefinitions();
  PolicyDefinitions(const PolicyDefinitions&) = delete;
  PolicyDefinitions& operator=(const PolicyDefinitions&) = delete;

  // The last version is the one that is stored.
  void Define(const std::string& plural, const std::string& kind, const std::vector<std::string>& versions,
              bool has_status = true);
  void Remove(const std::string& plural) const;

  // "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies"
  static std::string PathOf(const std::string& version, const std::string& plural = "clusternetworkpolicies");

 private:
  const TestCluster& cluster_;
  std::vector<std::string> defined_;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_KUBE_POLICY_DEFINITIONS_H_
