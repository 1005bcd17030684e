// A cluster for tests in other languages, and to try things by hand: starts it, applies deploy/rbac.yaml, says in a
// line of JSON how to reach it (sync_kubeconfig: as the service account there), and ends it when standard input ends.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "kube/deploy_manifests.h"
#include "kube/test_cluster.h"

int main() {
  if (const auto code = sluice::TestCluster::Missing()) return *code;
  sluice::TestCluster cluster;
  if (!cluster.Start()) {
    std::cerr << "the cluster did not start\n" << cluster.LastWords() << '\n';
    return 1;
  }
  const nlohmann::json reach = {{"url", cluster.url()},
                                {"ca_file", cluster.ca_file()},
                                {"token", cluster.Admin().user.token},
                                {"kubeconfig", cluster.KubeConfigFile()},
                                {"sync_kubeconfig", cluster.KubeConfigFile(sluice::ServiceAccountToken(cluster))},
                                {"kubectl", sluice::TestCluster::KubectlProgram()}};
  std::cout << reach.dump() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}
