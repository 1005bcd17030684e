// Hygiene of time through the whole road: what an address stands for changes, and the right policy follows (NP-05,
// NP-80 to NP-83). The clock of the day steps, and nothing happens; credentials and authorities are replaced, and the
// road stays open.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fstream>
#include <thread>

#include "faults/fault_rig.h"
#include "kube/deploy_manifests.h"
#include "support/places.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;

using Times = FaultTest;

// Of these, "a" may speak to its namespace and nobody else.
Json FromA() { return AdmitSpec(PodsWhere("app", "a"), 80); }

TEST_F(Times, NP_82_AddressReusedAtOnceIsTheNewPods) {
  rig_.PutPolicy("red", "web", FromA());
  ASSERT_TRUE(rig_.Start());
  for (int round = 0; round < 5; ++round) {
    rig_.DeletePod("red", "a");
    rig_.MakePod("blue", "late", "10.7.0.1");  // now it is nobody that the policy knows
    rig_.DeletePod("blue", "late");
    rig_.MakePod("red", "a", "10.7.0.1");
  }
  rig_.DeletePod("red", "a");
  rig_.MakePod("blue", "late", "10.7.0.1");
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Times, NP_82_FinishedPodHasNoAddressAnyMore) {
  rig_.PutPolicy("red", "web", FromA());
  rig_.PutPolicy("blue", "web", DenySpec());
  ASSERT_TRUE(rig_.Start());
  rig_.MergePod("red", "a", {{"status", {{"phase", "Succeeded"}}}}, "/status");
  ASSERT_TRUE(rig_.Settle());
  rig_.MakePod("blue", "heir", "10.7.0.1");
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Times, NP_82_TerminatingPodKeepsItsIdentityUntilItIsGone) {
  rig_.PutPolicy("red", "web", FromA());
  rig_.MergePod("red", "a", {{"metadata", {{"finalizers", {"sluice.test/held"}}}}});
  ASSERT_TRUE(rig_.Start());
  rig_.DeletePod("red", "a");  // terminating, for as long as the finalizer stands
  ASSERT_EQ(cluster().Get("/api/v1/namespaces/red/pods/a").status, 200);
  rig_.PutPolicy("blue", "web", DenySpec());  // so that there is something to wait for
  ASSERT_TRUE(rig_.Settle());
  rig_.MergePod("red", "a", Json::parse(R"({"metadata":{"finalizers":null}})"));
  ASSERT_EQ(cluster().Get("/api/v1/namespaces/red/pods/a").status, 404);
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Times, NP_83_OfTwoPodsWithOneAddressTheUnfinishedAndNewerWins) {
  rig_.PutPolicy("red", "web", FromA());
  ASSERT_TRUE(rig_.Start());
  std::this_thread::sleep_for(milliseconds(1100));  // the API's times are whole seconds
  rig_.MakePod("blue", "twin", "10.7.0.1");
  ASSERT_TRUE(rig_.Settle());
  rig_.MergePod("blue", "twin", {{"status", {{"phase", "Failed"}}}}, "/status");
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Times, NP_70_NodeGetsAnotherAddressAndItsRightsGoWithIt) {
  const auto addresses = [](const char* address) {
    return Json{{"status", {{"addresses", {{{"type", "InternalIP"}, {"address", address}}}}}}}.dump();
  };
  rig_.Edit([&] {
    EXPECT_EQ(cluster().Post("/api/v1/nodes", R"({"metadata":{"name":"n1"}})").status, 201);
    EXPECT_EQ(cluster().Merge("/api/v1/nodes/n1/status", addresses(kOutside)).status, 200);
  });
  rig_.DeletePod("red", "a");
  rig_.Edit([&] { cluster().MakePod("red", "a", "10.7.0.1", "n1"); });
  rig_.PutPolicy("red", "web", DenySpec());
  ASSERT_TRUE(rig_.Start());
  rig_.Edit([&] { EXPECT_EQ(cluster().Merge("/api/v1/nodes/n1/status", addresses("192.0.2.9")).status, 200); });
  ASSERT_TRUE(rig_.Settle());
  rig_.Edit([&] { EXPECT_EQ(cluster().Merge("/api/v1/nodes/n1/status", addresses(kOutside)).status, 200); });
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Times, NP_05_RelabelledNamespaceAndPodAreOthersAtOnce) {
  rig_.PutPolicy("red", "web", AdmitSpec(SpacesWhere("team", "blue"), 80));
  rig_.PutPolicy("blue", "web", AdmitSpec(PodsWhere("app", "d"), 81));
  ASSERT_TRUE(rig_.Start());
  rig_.RelabelSpace("blue", "green");
  ASSERT_TRUE(rig_.Settle());
  rig_.RelabelSpace("blue", "blue");
  rig_.MergePod("blue", "d", {{"metadata", {{"labels", {{"app", "other"}}}}}});
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Times, ObjectsDeletedWhileTheWatchWasDownAreGone) {
  rig_.PutPolicy("red", "web", FromA());
  rig_.PutPolicy("blue", "web", DenySpec());
  ASSERT_TRUE(rig_.Start());
  rig_.sync().Freeze();
  rig_.DeletePod("red", "a");
  rig_.DeletePolicy("blue", "web");
  cluster().KillApiServer();  // the watches break, and the versions that they would go on from are forgotten
  ASSERT_TRUE(cluster().Compact());
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  rig_.sync().Thaw();
  ASSERT_TRUE(rig_.Settle());
}

// The clock of the day of both programs steps by an hour, back and forth (clock_step.cc).
TEST_F(Times, ClockStepsChangeNothing) {
  const std::string file = rig_.folder() / "clock";
  const auto step = [&file](std::int64_t by_s) {
    const std::int64_t ns = by_s * 1'000'000'000;
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    stream.write(reinterpret_cast<const char*>(&ns), sizeof ns);
  };
  WriteFile(file, std::string(sizeof(std::int64_t), '\0'));
  const std::vector<std::string> prefix = {"/usr/bin/env", "LD_PRELOAD=" + BuiltProgram("sluice_clock_step.so"),
                                           "SLUICE_TEST_CLOCK=" + file};
  rig_.PutPolicy("red", "web", FromA());
  ASSERT_TRUE(rig_.StartDataplane(prefix));
  ASSERT_TRUE(rig_.StartSync({}, prefix));
  ASSERT_TRUE(rig_.Settle());
  const std::uint64_t before_ns = rig_.dataplane().Status()->published_unix_ns();
  int port = 80;
  for (const std::int64_t step_s : {3600, -3600, 0, 86400 * 365, 0}) {
    step(step_s);
    port ^= 1;
    rig_.PutPolicy("red", "web", AdmitSpec(PodsWhere("app", "b"), port));
    ASSERT_TRUE(rig_.Settle(milliseconds(5000))) << "after a step to " << step_s << " s";
    const std::uint64_t published_s = rig_.dataplane().Status()->published_unix_ns() / 1'000'000'000;
    EXPECT_NEAR(static_cast<double>(published_s),
                static_cast<double>(static_cast<std::int64_t>(before_ns / 1'000'000'000) + step_s), 120)
        << "the step did not reach sluiced";
  }
}

TEST_F(Times, ClientCertificateAuthorityAndServerCertificateAreReplaced) {
  rig_.set_user("{client-certificate: \"" + cluster().sync_certificate_file() + "\", client-key: \"" +
                cluster().sync_key_file() + "\"}");
  rig_.PutPolicy("red", "web", FromA());
  ASSERT_TRUE(rig_.Start());
  // All anew, under another authority: what sluice-sync presented before is worth nothing, and what it trusted neither.
  ASSERT_TRUE(cluster().MakeCertificates());
  cluster().KillApiServer();
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  rig_.PutPolicy("red", "web", DenySpec());
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(Times, TokenIsReplacedAndTheOldOneRevoked) {
  const std::string token = rig_.folder() / "token";
  WriteFile(token, ServiceAccountToken(cluster()));
  rig_.set_user("{tokenFile: \"" + token + "\"}");
  rig_.PutPolicy("red", "web", FromA());
  ASSERT_TRUE(rig_.Start());
  WriteFile(token, "nobody-knows-this");
  cluster().KillApiServer();
  ASSERT_TRUE(cluster().RestartApiServer()) << cluster().LastWords();
  rig_.PutPolicy("red", "web", DenySpec());
  ASSERT_TRUE(rig_.WaitForSyncLog("not accepted"));
  ASSERT_TRUE(rig_.SomethingPasses()) << "what is in force stays";
  WriteFile(token, ServiceAccountToken(cluster()));
  ASSERT_TRUE(rig_.Settle());
}

}  // namespace
}  // namespace sluice
