// The configuration in deploy/ is what the programs read.
#include <gtest/gtest.h>

#include <string>

#include "kube/deploy_manifests.h"
#include "kube/process.h"

namespace sluice {
namespace {

constexpr const char* kSystemd = SLUICE_SOURCE_DIR "/deploy/systemd/";

TEST(DeployConfig, OfEachConfigMapIsFine) {
  const TempFolder folder;
  const std::string file = folder / "sluiced.yaml";
  for (const char* name : {"node.yaml", "gateway.yaml"}) {
    const std::string text = ConfigMapText(ReadDeployManifests(name).at(0), "sluiced.yaml");
    WriteFile(file, text);
    EXPECT_EQ(RunCommand({SLUICED, "--config", file, "--check-config"}), 0) << name;
    WriteFile(file, text + "unknown: key\n");
    EXPECT_EQ(RunCommand({SLUICED, "--config", file, "--check-config"}), 2) << name;
  }
}

TEST(DeployConfig, OfEachUnitIsFine) {
  EXPECT_EQ(RunCommand({SLUICED, "--config", std::string(kSystemd) + "sluiced.yaml", "--check-config"}), 0);
  EXPECT_EQ(RunCommand({SLUICE_SYNC, "--config", std::string(kSystemd) + "sluice-sync.yaml", "--check-config"}), 0);
}

}  // namespace
}  // namespace sluice
