// The manifests in deploy/, as kubectl would apply them.
#ifndef SLUICE_TESTS_KUBE_DEPLOY_MANIFESTS_H_
#define SLUICE_TESTS_KUBE_DEPLOY_MANIFESTS_H_

#include <string>
#include <vector>

#include "kube/test_cluster.h"

namespace sluice {

struct DeployManifest {
  std::string kind;
  std::string name;
  std::string collection;  // "/apis/apps/v1/namespaces/sluice-system/daemonsets"
  std::string text;
};

// Of a file in deploy/, in order.
std::vector<DeployManifest> ReadDeployManifests(const std::string& file);

// A text of a ConfigMap.
std::string ConfigMapText(const DeployManifest& manifest, const std::string& key);

// A fresh token, for a day, of the service account in deploy/rbac.yaml, which is applied where it was not yet.
std::string ServiceAccountToken(const TestCluster& cluster);

}  // namespace sluice

#endif  // SLUICE_TESTS_KUBE_DEPLOY_MANIFESTS_H_
