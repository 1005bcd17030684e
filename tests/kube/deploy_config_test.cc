// The configuration in deploy/ is what the programs read.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kube/deploy_manifests.h"
#include "kube/process.h"
#include "support/places.h"

namespace sluice {
namespace {

const std::string kSystemd = SourcePath("deploy/systemd/");

// The exit code of --check-config. Flags stand in for what this machine lacks: the wire, the kubeconfig.
int Check(const std::string& program, const std::string& file, const std::vector<std::string>& flags) {
  std::vector<std::string> command = {program, "--config", file, "--check-config"};
  command.insert(command.end(), flags.begin(), flags.end());
  return RunCommand(command);
}

TEST(DeployConfig, OfEachConfigMapIsFine) {
  const TempFolder folder;
  const std::string file = folder / "sluiced.yaml";
  for (const char* name : {"node.yaml", "gateway.yaml"}) {
    const std::string text = ConfigMapText(ReadDeployManifests(name).at(0), "sluiced.yaml");
    WriteFile(file, text);
    EXPECT_EQ(Check(BuiltProgram("sluiced"), file, {"--wire", "null,null"}), 0) << name;
    WriteFile(file, text + "unknown: key\n");
    EXPECT_EQ(Check(BuiltProgram("sluiced"), file, {"--wire", "null,null"}), 2) << name;
  }
}

TEST(DeployConfig, OfEachUnitIsFine) {
  EXPECT_EQ(Check(BuiltProgram("sluiced"), kSystemd + "sluiced.yaml", {"--wire", "null,null"}), 0);
  const TempFolder folder;
  WriteFile(folder / "kubeconfig",
            "{current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}], "
            "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:6443'}}]}");
  EXPECT_EQ(Check(BuiltProgram("sluice-sync"), kSystemd + "sluice-sync.yaml", {"--kubeconfig", folder / "kubeconfig"}),
            0);
}

}  // namespace
}  // namespace sluice
