// Targets that make no progress are told of: by whom, for how long, why, and what helps.
#include "push/stall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Clock = Progress::Clock;

class StallTest : public testing::Test {
 protected:
  void Look(std::chrono::seconds after) { teller_.Look("unix:/s", health_, Clock::now() + after); }
  std::vector<std::string> Said() { return std::exchange(said_, {}); }

  PushHealth health_;
  std::vector<std::string> said_;
  StallTeller teller_{[this](bool stalls, std::string_view line) {
    said_.push_back((stalls ? "error " : "info ") + std::string(line));
  }};
};

TEST_F(StallTest, WhoLacksNothingNeverStalls) {
  EXPECT_EQ(LacksFor(health_, Clock::now() + std::chrono::hours(9)).count(), 0);
  health_.progress.Lacks();
  health_.progress.HasAll();
  EXPECT_EQ(DescribeStall("unix:/s", health_, Clock::now() + std::chrono::hours(9)), std::nullopt);
}

TEST_F(StallTest, WhoTakesNothingForAMinuteIsNamedWithTheReasonAndTheRemedy) {
  health_.progress.Lacks();
  health_.progress.Meets("nobody there");
  EXPECT_EQ(DescribeStall("unix:/s", health_, Clock::now() + std::chrono::seconds(59)), std::nullopt);
  EXPECT_THAT(DescribeStall("unix:/s", health_, Clock::now() + std::chrono::seconds(61)),
              testing::Optional(std::string(
                  "unix:/s has made no progress for 61 s (nobody there): what is in force there stays, without the "
                  "changes since; start sluiced there, or correct --target; `sluicectl status --target unix:/s` tells "
                  "whether anybody answers")));
  health_.connected = true;
  EXPECT_THAT(*DescribeStall("unix:/s", health_, Clock::now() + std::chrono::seconds(61)),
              AllOf(HasSubstr("its own log says more"), HasSubstr("restart it")));
}

TEST_F(StallTest, ABatchThatIsTakenIsProgressThoughMoreIsThere) {
  health_.progress.Lacks();
  const auto before = health_.progress.state().lacks_since;
  while (Clock::now() <= before) {
  }
  health_.progress.Took();
  EXPECT_GT(health_.progress.state().lacks_since, before);
}

TEST_F(StallTest, ItIsSaidOnceAgainAfterAWhileAndWhenItIsOver) {
  health_.progress.Lacks();
  Look(std::chrono::seconds(30));
  EXPECT_THAT(Said(), IsEmpty());
  Look(std::chrono::seconds(70));
  EXPECT_THAT(Said(),
              ElementsAre(AllOf(HasSubstr("error unix:/s has made no progress"), HasSubstr("it does not answer"))));
  Look(std::chrono::seconds(80));
  EXPECT_THAT(Said(), IsEmpty());
  Look(std::chrono::seconds(671));
  EXPECT_THAT(Said(), ElementsAre(HasSubstr("no progress for 67")));
  health_.progress.HasAll();
  Look(std::chrono::seconds(680));
  EXPECT_THAT(Said(), ElementsAre("info unix:/s makes progress again"));
  Look(std::chrono::seconds(690));
  EXPECT_THAT(Said(), IsEmpty());
}

}  // namespace
}  // namespace sluice
