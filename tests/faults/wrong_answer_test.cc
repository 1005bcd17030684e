// A real API server behind a proxy that now and then answers wrongly. What is in force stays, not one packet passes
// that policy denies, and in the end the table equals the cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>

#include "faults/api_proxy.h"
#include "faults/fault_rig.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr auto kPolicies = Resource::kNetworkPolicies;

Json FromA(int port) { return AdmitSpec(PodsWhere("app", "a"), port); }

class WrongAnswers : public FaultTest {
 protected:
  WrongAnswers() { rig_.set_api_server(proxy_.url()); }

  // What is planned for the policies is asked for, ...
  bool Asked() {
    log_before_ = rig_.SyncLog().size();
    proxy_.Cut();
    return Soon([this] { return proxy_.Done(kPolicies); });
  }
  // ... and then there was a right answer.
  bool Back() {
    return Soon([this] {
      return rig_.SyncLog().find("networkpolicies: the API server is back", log_before_) != std::string::npos;
    });
  }
  static bool Soon(const std::function<bool()>& holds) {
    const auto deadline = steady_clock::now() + seconds(20);
    while (!holds() && steady_clock::now() < deadline) std::this_thread::sleep_for(milliseconds(5));
    return holds();
  }

  std::size_t log_before_ = 0;
  ApiProxy proxy_{cluster().url(), cluster().ca_file()};
};

TEST_F(WrongAnswers, OfEachKindToAListOfPoliciesLeaveThePolicies) {
  rig_.PutPolicy("red", "web", FromA(80));
  rig_.PutPolicy("blue", "web", DenySpec());
  ASSERT_TRUE(rig_.Start());
  int round = 0;
  for (const WrongAnswer wrong : {WrongAnswer::kStatus, WrongAnswer::kMetadata, WrongAnswer::kOtherKind,
                                  WrongAnswer::kItemsAMap, WrongAnswer::kOtherDeleted, WrongAnswer::kBroken,
                                  WrongAnswer::kEnded, WrongAnswer::kFailed, WrongAnswer::kEmpty}) {
    // The version question, and then lists.
    proxy_.Plan(kPolicies, {WrongAnswer::kGone, wrong, wrong == WrongAnswer::kEmpty ? WrongAnswer::kBroken : wrong});
    ASSERT_TRUE(Asked()) << static_cast<int>(wrong);
    ASSERT_TRUE(rig_.PacketsObey()) << static_cast<int>(wrong);
    // By the watch, so that the next round's back-offs begin anew.
    ASSERT_TRUE(Back()) << static_cast<int>(wrong);
    rig_.PutPolicy("red", "web", FromA(++round % 2 == 0 ? 80 : 81));
    ASSERT_TRUE(rig_.Settle()) << static_cast<int>(wrong);
  }
  EXPECT_THAT(rig_.SyncLog(), HasSubstr("networkpolicies: the list would remove 2 of the 2 that are known"));
  EXPECT_THAT(rig_.SyncLog(), HasSubstr("networkpolicies: the answer has kind"));
}

TEST_F(WrongAnswers, ListThatBreaksOffDoesNotKeepAPolicyThatIsDeletedMeanwhile) {
  rig_.PutPolicy("red", "web", FromA(80));
  rig_.PutPolicy("red", "goes", FromA(81));
  rig_.PutPolicy("blue", "web", DenySpec());
  ASSERT_TRUE(rig_.Start());
  proxy_.Plan(kPolicies, {WrongAnswer::kGone, WrongAnswer::kBroken, WrongAnswer::kEnded, WrongAnswer::kBroken});
  ASSERT_TRUE(Asked());
  rig_.DeletePolicy("red", "goes");
  ASSERT_TRUE(rig_.Settle());
}

TEST_F(WrongAnswers, ListOfNothingThatIsTrueIsFollowed) {
  rig_.PutPolicy("red", "web", FromA(80));
  rig_.PutPolicy("blue", "web", DenySpec());
  ASSERT_TRUE(rig_.Start());
  rig_.sync().Freeze();
  rig_.DeletePolicy("red", "web");
  rig_.DeletePolicy("blue", "web");
  proxy_.Plan(kPolicies, {WrongAnswer::kGone});
  proxy_.Cut();
  rig_.sync().Thaw();
  ASSERT_TRUE(rig_.Settle());
}

}  // namespace
}  // namespace sluice
