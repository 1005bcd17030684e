// The judge of the fault tests, judged.
#include "faults/timeline.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

class TimelineTest : public testing::Test {
 protected:
  void Edit(bool allows) {
    timeline_.Begin();
    timeline_.Told({allows});
  }
  std::size_t Denied(ProbeClock::time_point sent, ProbeClock::time_point came) {
    timeline_.Add({0, sent, came});
    return timeline_.Judge(kinds_).denied;
  }
  static ProbeClock::time_point Now() { return ProbeClock::now(); }

  std::vector<ProbeKind> kinds_ = {{*IpAddress::Parse("10.0.0.1"), *IpAddress::Parse("10.0.0.2"), 80}};
  Timeline timeline_{1};
};

TEST_F(TimelineTest, BeforeTheFirstPolicyNothingMayPass) {
  const auto start = Now();
  EXPECT_EQ(Denied(start, Now()), 1u);
  Edit(true);
  EXPECT_EQ(Denied(start, Now()), 0u) << "it came after the edit was begun";
}

TEST_F(TimelineTest, UntilAnEditIsAcknowledgedOldAndNewMayHold) {
  Edit(true);
  timeline_.Acknowledge();
  Edit(false);
  EXPECT_EQ(Denied(Now(), Now()), 0u);
  const auto before = Now();
  timeline_.Acknowledge();
  EXPECT_EQ(Denied(before, Now()), 0u) << "sent before, come after";
  EXPECT_EQ(Denied(Now(), Now()), 1u);
}

TEST_F(TimelineTest, AnEditThatIsNotAcknowledgedTakesNothingBackThatOneBeforeItAllowed) {
  Edit(false);
  timeline_.Acknowledge();
  Edit(true);
  Edit(false);
  EXPECT_EQ(Denied(Now(), Now()), 0u);
  timeline_.Acknowledge();
  EXPECT_EQ(Denied(Now(), Now()), 1u);
}

}  // namespace
}  // namespace sluice
