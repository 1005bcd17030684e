// What a list-watch does with answers that a real API server gives rarely, and at the worst moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "kube/list_watch_fixture.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST_F(ListWatchTest, StreamingListGoesOnAsTheWatch) {
  Begin({SendAndHold(Added("a", "7") + Added("b", "3") + BookmarkLine("9", true) + Added("c", "10") +
                     EventLine("DELETED", PodJson("a", "11")))});
  ASSERT_TRUE(Until([&] { return Has("c") && !Has("a"); }));
  EXPECT_TRUE(Has("b"));
  EXPECT_THAT(server_->targets(), SizeIs(1));
  EXPECT_THAT(Target(0), AllOf(HasSubstr("watch=true"), HasSubstr("sendInitialEvents=true"),
                               HasSubstr("resourceVersionMatch=NotOlderThan"), HasSubstr("allowWatchBookmarks=true"),
                               HasSubstr("timeoutSeconds="), Not(HasSubstr("resourceVersion="))));
}

TEST_F(ListWatchTest, AVersionThatIsNamedAndNotServedIsTroubleOnceItStaysSo) {
  options_.discovery.backoff_least = options_.discovery.backoff_most = milliseconds(5);
  options_.discovery.moment = std::chrono::hours(1);
  Begin({kNoStreamingList, Send(PodList({PodJson("a", "1")}, "5", "")), SendAndHold("")});
  server_->names_policies = true;
  ASSERT_TRUE(Until([&] { return server_->policies_questions >= 5; }));
  EXPECT_FALSE(source_->synced());
  EXPECT_THAT(sink_.troubles, IsEmpty());
  server_->names_policies = false;
  EXPECT_TRUE(Until([&] { return source_->synced(); }));

  options_.discovery.moment = milliseconds(20);
  Begin({kNoStreamingList, Send(PodList({PodJson("a", "1")}, "5", "")), SendAndHold("")});
  server_->names_policies = true;
  ASSERT_TRUE(Until([&] { return !sink_.troubles.empty(); }));
  EXPECT_THAT(sink_.troubles, testing::ElementsAre(HasSubstr("HTTP 404")));
}

TEST_F(ListWatchTest, StreamingListRefusedIsListedInPages) {
  Begin({kNoStreamingList, Send(PodList({PodJson("a", "1")}, "5", "more/token")),
         Send(PodList({PodJson("b", "2")}, "5", "")), SendAndHold(Added("c", "6"))});
  ASSERT_TRUE(UntilPod("c"));
  EXPECT_TRUE(Has("a"));
  EXPECT_TRUE(Has("b"));
  EXPECT_THAT(Target(1), AllOf(HasSubstr("limit=500"), Not(HasSubstr("watch"))));
  EXPECT_THAT(Target(2), AllOf(HasSubstr("limit=500"), HasSubstr("continue=more%2Ftoken")));
  EXPECT_THAT(Target(3), AllOf(HasSubstr("watch=true"), HasSubstr("resourceVersion=5")));
  EXPECT_EQ(sink_.replacements_begun(kPods), 1);
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

TEST_F(ListWatchTest, StreamingListRefusedByAnErrorEventIsListedInPages) {
  // What an API server over etcd 3.4 says.
  const std::string refusal = StatusJson(500, "InternalError",
                                         "a watch stream was requested by the client but the required storage feature "
                                         "RequestWatchProgress is disabled");
  Begin({Send(EventLine("ERROR", refusal)), Send(PodList({PodJson("a", "1")}, "5", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

TEST_F(ListWatchTest, StreamingListCutShortBeginsAgainAndForgetsWhatOnlyItNamed) {
  Begin({Send(Added("old", "1") + Added("stays", "2")), SendAndHold(Added("stays", "2") + BookmarkLine("9", true))});
  ASSERT_TRUE(UntilPod("stays"));
  EXPECT_FALSE(Has("old"));
  EXPECT_EQ(sink_.replacements_begun(kPods), 2);
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("before it was whole")));
  EXPECT_EQ(sink_.recoveries, 1);
}

TEST_F(ListWatchTest, StreamingListThatPausesTooLongIsListedInPages) {
  pods().answer_timeout = milliseconds(1500);
  Begin({SendAndHold(Added("old", "1")), Send(PodList({PodJson("a", "1")}, "5", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_FALSE(Has("old"));
}

TEST_F(ListWatchTest, ExpiredContinueTokenStartsTheListOver) {
  const auto first = Send(PodList({PodJson("a", "1")}, "5", "token"));
  const auto expired = Refuse(410, "Expired", "The provided continue parameter is too old");
  Begin({kNoStreamingList, first, expired, first, expired,
         Send(PodList({PodJson("a", "1"), PodJson("b", "2")}, "8", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("b"));
  EXPECT_THAT(Target(3), Not(HasSubstr("continue")));
  EXPECT_THAT(Target(5), Not(HasSubstr("limit"))) << "after two expiries it is listed in one go";
  EXPECT_EQ(sink_.replacements_begun(kPods), 3);
}

TEST_F(ListWatchTest, PageCutShortIsAskedForAgain) {
  const std::string page = PodList({PodJson("b", "2"), PodJson("c", "3")}, "5", "");
  Begin({kNoStreamingList, Send(PodList({PodJson("a", "1")}, "5", "token")), Send(page.substr(0, page.size() - 40)),
         Send(page), SendAndHold("")});
  ASSERT_TRUE(UntilPod("c"));
  EXPECT_TRUE(Has("a"));
  EXPECT_THAT(Target(3), HasSubstr("continue=token"));
  EXPECT_EQ(sink_.replacements_begun(kPods), 1);
}

TEST_F(ListWatchTest, WatchCutWithinAnEventGoesOnFromTheLastWholeOne) {
  const std::string cut = Added("late", "12");
  Begin({Send(BookmarkLine("9", true) + Added("a", "11") + cut.substr(0, cut.size() / 2)), SendAndHold(cut)});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(Target(1), HasSubstr("resourceVersion=11"));
  EXPECT_EQ(sink_.replacements_begun(kPods), 1);
}

TEST_F(ListWatchTest, WatchGoesOnFromItsBookmark) {
  Begin({Send(BookmarkLine("9", true) + BookmarkLine("300", false)), SendAndHold(Added("a", "301"))});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_THAT(Target(1), HasSubstr("resourceVersion=300"));
}

TEST_F(ListWatchTest, GoneAsAnErrorEventMakesAnotherListAndDropsWhatItDoesNotName) {
  Begin({SendAndHold(Added("old", "1") + Added("stays", "2") + BookmarkLine("9", true) +
                     EventLine("ERROR", StatusJson(410, "Expired", "too old resource version"))),
         SendAndHold(Added("stays", "2") + Added("new", "50") + BookmarkLine("60", true))});
  ASSERT_TRUE(UntilPod("new"));
  ASSERT_TRUE(Until([&] { return !Has("old"); }));
  EXPECT_THAT(Target(1), HasSubstr("sendInitialEvents"));
  EXPECT_EQ(source_->health(kPods).relists, 1u);
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

TEST_F(ListWatchTest, GoneAsAnHttpStatusMakesAnotherList) {
  Begin({Send(Added("old", "1") + Added("stays", "2") + BookmarkLine("9", true)),
         Refuse(410, "Gone", "too old resource version"),
         SendAndHold(Added("stays", "2") + Added("new", "50") + BookmarkLine("60", true))});
  ASSERT_TRUE(Until([&] { return Has("new") && !Has("old"); }));
  EXPECT_EQ(source_->health(kPods).relists, 1u);
}

TEST_F(ListWatchTest, UnreadableEventMakesAnotherListSinceItIsNotKnownWhatWasMissed) {
  Begin({SendAndHold(Added("old", "1") + Added("stays", "2") + BookmarkLine("9", true) +
                     "{\"type\":\"ADDED\",\"object\":{]}\n"),
         SendAndHold(Added("stays", "2") + Added("new", "50") + BookmarkLine("60", true))});
  ASSERT_TRUE(Until([&] { return Has("new") && !Has("old"); }));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("no JSON")));
}

TEST_F(ListWatchTest, RetryAfterIsHeeded) {
  const auto busy = [](ScriptedServer::Reply& reply) {
    reply.Head(429, "Retry-After: 1\r\n");
    reply.Body(StatusJson(429, "TooManyRequests", "busy"));
  };
  const auto start = steady_clock::now();
  Begin({busy, SendAndHold(Added("a", "1") + BookmarkLine("9", true))});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_GE(steady_clock::now() - start, std::chrono::seconds(1));
  EXPECT_THAT(Target(1), HasSubstr("sendInitialEvents")) << "a busy server still has the streaming list";
}

TEST_F(ListWatchTest, SilentWatchIsGivenUpAfterItsBookmarksStop) {
  pods().bookmark_timeout = milliseconds(500);
  Begin({SendAndHold(BookmarkLine("9", true) + BookmarkLine("20", false)), SendAndHold(Added("a", "21"))});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_THAT(Target(1), HasSubstr("resourceVersion=20"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("nothing came in time")));
}

TEST_F(ListWatchTest, TroubleThatLastsIsToldOnceAndCountedEachTime) {
  const auto broken = Refuse(500, "InternalError", "etcd is away");
  Begin({broken, broken, broken, Send(PodList({PodJson("a", "1")}, "9", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("etcd is away")));
  EXPECT_EQ(source_->health(kPods).errors, 3u);
  EXPECT_EQ(sink_.recoveries, 1);
}

TEST_F(ListWatchTest, RefusedObjectIsDeliveredWithItsErrorsAndTheRestGoesOn) {
  const std::string odd = R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"odd","namespace":"default","uid":"u",)"
                          R"("resourceVersion":"2"},"status":{"podIP":"not-an-address"}})";
  Begin({SendAndHold(EventLine("ADDED", odd) + Added("a", "3") + BookmarkLine("9", true))});
  ASSERT_TRUE(UntilPod("a"));
  ASSERT_TRUE(Has("odd"));
  const ReceivedObject& received = sink_.objects(kPods).at("default/odd");
  EXPECT_EQ(received.decoded.outcome, DecodedObject::Outcome::kRefused);
  EXPECT_EQ(received.uid, "u");
  ASSERT_THAT(received.diagnostics, SizeIs(1));
  EXPECT_THAT(received.diagnostics[0].ToString(), AllOf(HasSubstr("Pod default/odd"), HasSubstr("status.podIP")));
}

TEST_F(ListWatchTest, PageOfAProxyIsTroubleNotAList) {
  Begin({kNoStreamingList, Send("<html>please log in</html>"), Send(PodList({PodJson("a", "1")}, "5", "")),
         SendAndHold("")});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("no list")));
}

TEST_F(ListWatchTest, PollThatFindsSomethingThereDoesNotWaitForMore) {
  std::atomic<bool> sent = false;
  Begin({[&sent](ScriptedServer::Reply& reply) {
    reply.Head(200);
    reply.Body(BookmarkLine("9", true));
    std::this_thread::sleep_for(milliseconds(50));
    reply.Body(Added("a", "10"));
    sent = true;
    reply.Hold();
  }});
  ASSERT_TRUE(Until([&] { return source_->synced(); }));
  while (!sent) std::this_thread::sleep_for(milliseconds(5));
  const auto start = steady_clock::now();
  while (!Has("a")) source_->Poll(milliseconds(5000));
  EXPECT_LT(steady_clock::now() - start, milliseconds(2500));
}

TEST_F(ListWatchTest, WakeEndsAPollThatWaits) {
  Begin({SendAndHold(BookmarkLine("9", true))});
  ASSERT_TRUE(Until([&] { return source_->synced(); }));
  const auto start = steady_clock::now();
  std::thread waker([&] {
    std::this_thread::sleep_for(milliseconds(50));
    source_->Wake();
  });
  while (steady_clock::now() - start < milliseconds(40)) source_->Poll(milliseconds(5000));
  waker.join();
  EXPECT_LT(steady_clock::now() - start, milliseconds(4000));
}

}  // namespace
}  // namespace sluice
