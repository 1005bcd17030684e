// Each part of the road killed, stalled or starved while packets flow. After each fault the table equals the cluster
// again, and not one packet was let through that policy denied (timeline.h says what that means exactly).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "faults/fault_rig.h"
#include "faults/link.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

Json FromA(int port) { return AdmitSpec(PodsWhere("app", "a"), port); }
Json FromBlue(int port) { return AdmitSpec(SpacesWhere("team", "blue"), port); }

using Faults = FaultTest;

TEST_F(Faults, BeforeAnyPolicyNothingPassesAndAfterwardsWhatPolicySays) {
  ASSERT_TRUE(rig_.StartDataplane());
  EXPECT_TRUE(rig_.NothingPasses(milliseconds(300)));
  EXPECT_GT(rig_.packets_sent(), 300u);
  ASSERT_TRUE(rig_.StartSync());
  ASSERT_TRUE(rig_.Settle());
  rig_.PutPolicy("red", "web", FromA(80));
  ASSERT_TRUE(rig_.Settle());
  rig_.PutPolicy("red", "web", FromBlue(81));
  ASSERT_TRUE(rig_.Settle());
  rig_.DeletePolicy("red", "web");
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Faults, ApiServerKilledAndRestarted) {
  rig_.PutPolicy("red", "web", FromA(80));
  ASSERT_TRUE(rig_.Start());
  cluster().KillApiServer();
  ASSERT_TRUE(rig_.PacketsObey()) << "what is in force stays";
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  rig_.PutPolicy("red", "web", FromA(81));
  rig_.PutPolicy("blue", "web", DenySpec());
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Faults, EtcdCompactedUnderTheWatch) {
  rig_.PutPolicy("red", "web", FromA(80));
  rig_.PutPolicy("blue", "goes", DenySpec());
  ASSERT_TRUE(rig_.Start());
  rig_.sync().Freeze();  // it must not follow before the versions that it has are forgotten
  rig_.DeletePolicy("blue", "goes");
  rig_.PutPolicy("red", "web", FromBlue(80));
  cluster().KillApiServer();
  ASSERT_TRUE(cluster().Compact());
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  rig_.PutPolicy("blue", "comes", FromA(81));
  rig_.sync().Thaw();
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Faults, SluiceSyncKilledAtAnyMoment) {
  ASSERT_TRUE(rig_.Start());
  std::mt19937_64 random(1);
  for (int round = 0; round < 6; ++round) {
    rig_.PutPolicy("red", "web", round % 2 == 0 ? FromA(80) : FromBlue(81));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 10'000));
    rig_.sync().Kill();
    if (round % 2 == 0) rig_.PutPolicy("blue", "while-away", DenySpec());
    if (round % 2 == 1) rig_.DeletePolicy("blue", "while-away");
    ASSERT_TRUE(rig_.StartSync());
    if (round % 3 == 0) continue;  // killed again before it is in step, perhaps
    ASSERT_TRUE(rig_.Settle());
  }
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Faults, SluicedKilledAtAnyMomentBeginsWithWhatItAnsweredFor) {
  rig_.PutPolicy("red", "web", FromA(80));
  ASSERT_TRUE(rig_.Start());
  for (int round = 0; round < 4; ++round) {
    rig_.PutPolicy("red", "web", round % 2 == 0 ? DenySpec() : FromBlue(80));
    if (round != 2) {
      ASSERT_TRUE(rig_.WaitInForce(rig_.dataplane(), seconds(15)));
    }
    rig_.dataplane().Kill();
    if (round == 1) rig_.PutPolicy("blue", "while-away", DenySpec());
    ASSERT_TRUE(rig_.StartDataplane());
    ASSERT_TRUE(rig_.Settle());
  }
}

TEST_F(Faults, SluicedRestartedAloneBeginsWithItsStateFile) {
  rig_.PutPolicy("red", "web", FromA(80));
  ASSERT_TRUE(rig_.Start());
  rig_.PutPolicy("red", "web", FromBlue(81));
  ASSERT_TRUE(rig_.Settle());
  rig_.sync().Kill();
  rig_.dataplane().Kill();
  EXPECT_TRUE(rig_.NothingPasses(milliseconds(50)));
  ASSERT_TRUE(rig_.StartDataplane());
  ASSERT_TRUE(rig_.Settle());
  EXPECT_EQ(rig_.dataplane().Status()->source(), "state file");
  ASSERT_TRUE(rig_.StartSync());
  rig_.PutPolicy("red", "web", DenySpec());
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Faults, LinkThatStallsAndLinkThatIsCut) {
  Link link(rig_.folder() / "link.sock", rig_.dataplane().target().substr(5));
  rig_.set_target(link.target());
  rig_.PutPolicy("red", "web", FromA(80));
  ASSERT_TRUE(rig_.Start());
  link.Stall(true);
  rig_.PutPolicy("red", "web", DenySpec());
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_TRUE(rig_.SomethingPasses()) << "what is in force stays";
  rig_.PutPolicy("blue", "web", FromA(81));
  link.Stall(false);
  ASSERT_TRUE(rig_.Settle());
  for (int round = 0; round < 3; ++round) {
    rig_.PutPolicy("red", "web", round % 2 == 0 ? FromA(80) : FromBlue(80));
    link.Cut();
    rig_.PutPolicy("blue", "web", FromA(80 + round % 2));
    ASSERT_TRUE(rig_.Settle());
  }
  EXPECT_GT(link.connections(), 1);
}

TEST_F(Faults, FrozenSluicedGoesOnWhereItWas) {
  rig_.PutPolicy("red", "web", FromA(80));
  ASSERT_TRUE(rig_.Start());
  rig_.dataplane().process().Freeze();
  rig_.PutPolicy("red", "web", DenySpec());
  std::this_thread::sleep_for(milliseconds(500));
  rig_.PutPolicy("blue", "web", FromBlue(80));
  rig_.dataplane().process().Thaw();
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Faults, SlowDataplaneFallsBehindAlone) {
  VethWire other_wire("other");
  TestDataplane slow(rig_.folder(), "slow", other_wire.wire());
  Link link(rig_.folder() / "link.sock", slow.target().substr(5));
  ASSERT_TRUE(slow.Start());
  ASSERT_TRUE(rig_.StartDataplane());
  ASSERT_TRUE(rig_.StartSync({"--target", link.target()}));
  ASSERT_TRUE(rig_.Settle());
  ASSERT_TRUE(rig_.WaitInForce(slow, seconds(15)));
  link.Stall(true);
  const std::uint64_t behind = slow.Status()->generation();
  for (int round = 0; round < 5; ++round) {
    rig_.PutPolicy("red", "web", round % 2 == 0 ? DenySpec() : FromBlue(80));
    ASSERT_TRUE(rig_.WaitInForce(rig_.dataplane(), seconds(2))) << "the fast one does not wait";
  }
  EXPECT_EQ(slow.Status()->generation(), behind);
  link.Stall(false);
  EXPECT_TRUE(rig_.WaitInForce(slow, seconds(15)));
  EXPECT_LE(slow.Status()->generation(), behind + 3) << "what gathered meanwhile comes as one";
}

TEST_F(Faults, DiskFullUnderTheStateFile) {
  const std::string disk = rig_.folder() / "disk";
  std::filesystem::create_directory(disk);
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k"), 0);
  rig_.dataplane().set_state_folder(disk + "/state");
  rig_.PutPolicy("red", "web", FromBlue(80));
  ASSERT_TRUE(rig_.Start());

  const std::string junk = disk + "/junk";
  {
    std::ofstream file(junk, std::ios::binary);
    while (file.write(std::string(4096, 'x').c_str(), 4096).flush()) continue;
  }
  // What it cannot keep is in force all the same, ...
  for (int round = 0; round < 50; ++round) rig_.PutPolicy("red", "web", round % 2 == 0 ? FromA(81) : DenySpec());
  ASSERT_TRUE(rig_.Settle());
  EXPECT_THAT(rig_.dataplane().Log(), HasSubstr("No space left on device"));
  // ... and a restart does not begin with the policy of before, which it had been told to give up.
  rig_.sync().Kill();
  rig_.dataplane().Kill();
  ASSERT_TRUE(rig_.StartDataplane());
  EXPECT_TRUE(rig_.NothingPasses(milliseconds(200)));
  ASSERT_TRUE(rig_.StartSync());
  ASSERT_TRUE(rig_.Settle());

  // With room again, it is kept again.
  std::filesystem::remove(junk);
  rig_.PutPolicy("red", "web", FromA(80));
  ASSERT_TRUE(rig_.Settle());
  EXPECT_TRUE(rig_.dataplane().WaitForLog("is written again"));
  rig_.sync().Kill();
  rig_.dataplane().Kill();
  ASSERT_TRUE(rig_.StartDataplane());
  ASSERT_TRUE(rig_.Settle());
  EXPECT_EQ(rig_.dataplane().Status()->source(), "state file");
  rig_.dataplane().Kill();
  umount2(disk.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace sluice
