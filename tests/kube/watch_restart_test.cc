// How a watch that ended goes on: after how long, from which version, and when not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "kube/list_watch_fixture.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class WatchRestartTest : public ListWatchTest {
 protected:
  WatchRestartTest() { pods().streaming_list = false; }
  // Two pods, so that losing one is not losing most.
  ScriptedServer::Step List(const std::string& version) {
    return Send(PodList({PodJson("a", "1"), PodJson("b", "1")}, version, ""));
  }
};

TEST_F(WatchRestartTest, RetryAfterOfADayIsAMinuteAtMostAndSaid) {
  pods().longest_wait = milliseconds(300);
  const auto busy = [](ScriptedServer::Reply& reply) {
    reply.Head(429, "Retry-After: 86400\r\n");
    reply.Body(StatusJson(429, "TooManyRequests", "busy"));
  };
  const auto start = steady_clock::now();
  Begin({busy, List("5"), SendAndHold("")});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_GE(steady_clock::now() - start, milliseconds(300));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("asks us to wait 86400 s, and we wait 1 s")));
  EXPECT_EQ(WatchOptions().longest_wait, seconds(60));
}

TEST_F(WatchRestartTest, RetryAfterOfAStatusThatIsBeyondAllMeasureIsAMinuteAtMost) {
  pods().longest_wait = milliseconds(50);
  const auto busy = [](const std::string& wait) {
    return Send(EventLine("ERROR", R"({"kind":"Status","code":429,"details":{"retryAfterSeconds":)" + wait + "}}"));
  };
  Begin({List("5"), busy("9223372036854775807"), busy("-9223372036854775807"), busy("18446744073709551615"),
         SendAndHold(Added("late", "9"))});
  ASSERT_TRUE(UntilPod("late"));
}

TEST_F(WatchRestartTest, VersionSetBackWhileTheServerWasAwayMakesAnotherList) {
  // A real API server would be silent on a watch from a version that is yet to come, and then tell of what follows it.
  Begin({List("500"), Send(Added("late", "600")), Send(PodList({PodJson("a", "1"), PodJson("b", "2")}, "301", "")),
         SendAndHold(Added("c", "302"))});
  server_->present_version = 300;
  ASSERT_TRUE(UntilPod("c"));
  EXPECT_FALSE(Has("late")) << "it was made after the backup";
  EXPECT_THAT(Target(2), Not(HasSubstr("watch")));
  EXPECT_THAT(Target(3), HasSubstr("resourceVersion=301"));
  EXPECT_THAT(sink_.troubles, ElementsAre(AllOf(HasSubstr("set back from version 600 to 300"))));
}

TEST_F(WatchRestartTest, VersionsThatAreNoNumbersAreNotCompared) {
  Begin({List("m4x"), Send(Added("late", "b7")), SendAndHold(Added("c", "a1"))});
  ASSERT_TRUE(UntilPod("c"));
  EXPECT_THAT(Target(2), HasSubstr("resourceVersion=b7"));
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

TEST_F(WatchRestartTest, WatchThatEndsAsAskedIsFollowedByTheNextWithoutAQuestion) {
  pods().watch_timeout = seconds(1);
  const auto one_second = [](ScriptedServer::Reply& reply) {
    reply.Head(200);
    std::this_thread::sleep_for(milliseconds(1000));
  };
  Begin({List("5"), one_second, SendAndHold(Added("late", "9"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(Target(2), HasSubstr("resourceVersion=5"));
  EXPECT_EQ(server_->version_questions, 0);
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

TEST_F(WatchRestartTest, WatchThatBreaksOffIsFollowedByOneQuestionAndTheNext) {
  Begin({List("5"), Send(Added("c", "8")), SendAndHold(Added("late", "9"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(Target(2), HasSubstr("resourceVersion=8"));
  EXPECT_EQ(server_->version_questions, 1);
}

TEST_F(WatchRestartTest, WatchThatTheServerDoesNotEndIsEndedHereAndGoesOn) {
  pods().watch_timeout = seconds(1);
  pods().timeout_margin = milliseconds(500);
  const auto endless = [](ScriptedServer::Reply& reply) {
    reply.Head(200);
    for (int version = 10; reply.Body(Added("a", std::to_string(version))); ++version) {
      std::this_thread::sleep_for(milliseconds(10));
    }
  };
  Begin({List("5"), endless, SendAndHold(Added("late", "1000"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(Target(2), AllOf(HasSubstr("watch=true"), Not(EndsWith("resourceVersion=5"))));
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

TEST_F(WatchRestartTest, ErrorEventThatComesAgainAndAgainMakesAnotherList) {
  const auto stuck = Send(EventLine("ERROR", StatusJson(500, "InternalError", "unable to decode an event")));
  Begin({List("5"), stuck, stuck, stuck, List("9"), SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("unable to decode")));
  EXPECT_EQ(sink_.replacements(kPods), 2);
  EXPECT_EQ(sink_.recoveries, 1);
}

TEST_F(WatchRestartTest, ErrorEventThatPassesGoesOnFromTheLastVersion) {
  const auto stuck = Send(EventLine("ERROR", StatusJson(500, "InternalError", "etcdserver: no leader")));
  Begin({List("5"), stuck, stuck, SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_EQ(sink_.replacements(kPods), 1);
}

TEST_F(WatchRestartTest, WatchRefusedAgainAndAgainMakesAnotherList) {
  const auto refused = Refuse(400, "BadRequest", "invalid resource version");
  Begin({List("5"), refused, refused, refused, List("9"), SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_EQ(sink_.replacements(kPods), 2);
}

TEST_F(WatchRestartTest, WatchRefusedForWhoAsksKeepsWaitingForTheRole) {
  const auto refused = Refuse(403, "Forbidden", "cannot watch");
  Begin({List("5"), refused, refused, refused, refused, SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_EQ(sink_.replacements(kPods), 1);
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("deploy/rbac.yaml")));
}

TEST_F(WatchRestartTest, WatchesThatEndAsSoonAsTheyBeginMakeAnotherListAndAreToldOf) {
  const auto nothing = Send("");
  Begin({List("5"), nothing, nothing, nothing, List("9"), SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("end as soon as they begin")));
}

TEST_F(WatchRestartTest, ListOfAVersionBeforeIsTakenAndToldOf) {
  Begin({List("500"), Refuse(410, "Gone", "too old"), List("300"), SendAndHold(Added("late", "301"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(sink_.notices, ElementsAre(HasSubstr("set back from version 500 to 300")));
}

TEST_F(WatchRestartTest, WhatTheServerSaysForgesNoLineOfTheLog) {
  Begin({Refuse(500, "A\\nB", "one\\n2026-01-01T00:00:00 info all is well"), List("5"), SendAndHold("")});
  ASSERT_TRUE(UntilPod("a"));
  ASSERT_THAT(sink_.troubles, SizeIs(1));
  EXPECT_THAT(sink_.troubles[0], AllOf(Not(HasSubstr("\n")), HasSubstr("one\\n2026")));
}

}  // namespace
}  // namespace sluice
