// A list that begins anew forgets the one before, whatever ended that: what only it had named is gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/list_watch_fixture.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// More than a page holds back: those in front are delivered before the page has ended.
std::vector<std::string> ManyPods(const std::vector<std::string>& first) {
  std::vector<std::string> pods;
  for (const std::string& name : first) pods.push_back(PodJson(name, "1"));
  for (int pod = 0; pod < 1500; ++pod) pods.push_back(PodJson("p" + std::to_string(pod), "1"));
  return pods;
}

class ListAnewTest : public ListWatchTest {
 protected:
  ListAnewTest() { pods().streaming_list = false; }

  const std::string page_of_both_ = PodList(ManyPods({"goes", "stays"}), "5", "");
  const std::string page_of_one_ = PodList(ManyPods({"stays"}), "6", "");
};

TEST_F(ListAnewTest, FirstPageThatBreaksOffNamesNothingForTheNextOne) {
  Begin({Send(page_of_both_.substr(0, page_of_both_.size() - 40)), Send(page_of_one_), SendAndHold("")});
  ASSERT_TRUE(UntilPod("stays"));
  EXPECT_FALSE(Has("goes"));
  EXPECT_EQ(sink_.replacements_begun(kPods), 2);
}

TEST_F(ListAnewTest, FirstPageOfARelistThatBreaksOffDoesNotKeepWhatWasDeletedMeanwhile) {
  Begin({Send(page_of_both_), Refuse(410, "Gone", "too old"), Send(page_of_both_.substr(0, page_of_both_.size() - 40)),
         Send(page_of_one_), SendAndHold("")});
  ASSERT_TRUE(Until([&] { return sink_.replacements(kPods) == 2; }));
  EXPECT_TRUE(Has("stays"));
  EXPECT_FALSE(Has("goes"));
  EXPECT_THAT(sink_.notices, IsEmpty());
}

TEST_F(ListAnewTest, FirstPageThatPausesTooLongNamesNothingForTheNextOne) {
  pods().answer_timeout = milliseconds(1500);
  Begin({SendAndHold(page_of_both_.substr(0, page_of_both_.size() - 40)), Send(page_of_one_), SendAndHold("")});
  ASSERT_TRUE(UntilPod("stays"));
  EXPECT_FALSE(Has("goes"));
}

TEST_F(ListAnewTest, PageBehindTheFirstThatBreaksOffIsOfTheSameListUntilItIsGivenUp) {
  const auto first = Send(PodList({PodJson("goes", "1"), PodJson("stays", "1")}, "5", "token"));
  const std::string second = PodList({PodJson("b", "2")}, "5", "");
  const auto cut = Send(second.substr(0, second.size() - 40));
  Begin({first, cut, cut, cut, Send(PodList({PodJson("stays", "1"), PodJson("b", "2")}, "6", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("b"));
  EXPECT_FALSE(Has("goes"));
  EXPECT_THAT(Target(2), HasSubstr("continue=token"));
  EXPECT_THAT(Target(3), HasSubstr("continue=token"));
  EXPECT_THAT(Target(4), Not(HasSubstr("continue")));
  EXPECT_EQ(sink_.replacements_begun(kPods), 2);
}

TEST_F(ListAnewTest, TokenThatTheServerDoesNotKnowIsGivenUp) {
  const auto first = Send(PodList({PodJson("goes", "1"), PodJson("stays", "1")}, "5", "token"));
  const auto refused = Refuse(400, "BadRequest", "continue key is not valid");
  Begin({first, refused, refused, refused, Send(PodList({PodJson("stays", "1")}, "6", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("stays"));
  EXPECT_FALSE(Has("goes"));
}

TEST_F(ListAnewTest, PageGoneMidwayBeginsAnew) {
  Begin({Send(PodList({PodJson("goes", "1"), PodJson("stays", "1")}, "5", "token")), Refuse(410, "Expired", "too old"),
         Send(PodList({PodJson("stays", "1")}, "6", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("stays"));
  EXPECT_FALSE(Has("goes"));
}

TEST_F(ListAnewTest, PagesOfTwoVersionsAreNotOneList) {
  Begin({Send(PodList({PodJson("goes", "1"), PodJson("stays", "1")}, "5", "token")),
         Send(PodList({PodJson("b", "1")}, "7", "")),
         Send(PodList({PodJson("stays", "1"), PodJson("b", "1")}, "7", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("b"));
  EXPECT_FALSE(Has("goes"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("not of one list")));
}

TEST_F(ListAnewTest, PagesThatGoRoundInACircleAreNotOneList) {
  const auto page = Send(PodList({PodJson("a", "1")}, "5", "token"));
  Begin({page, page, Send(PodList({PodJson("b", "1")}, "6", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("b"));
  EXPECT_FALSE(Has("a"));
}

TEST_F(ListAnewTest, StreamingListThatEndsEarlyAgainAndAgainIsListedInPages) {
  pods().streaming_list = true;
  const auto cut = Send(Added("goes", "1") + Added("stays", "2"));
  Begin({cut, cut, cut, Send(PodList({PodJson("stays", "2")}, "5", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("stays"));
  EXPECT_FALSE(Has("goes"));
  EXPECT_THAT(Target(2), HasSubstr("sendInitialEvents"));
  EXPECT_THAT(Target(3), HasSubstr("limit=500"));
}

TEST_F(ListAnewTest, StreamingListThatBecomesPagesForgetsWhatItNamed) {
  pods().streaming_list = true;
  Begin({Send(Added("goes", "1") + EventLine("ERROR", StatusJson(500, "InternalError", "no progress"))),
         Send(PodList({PodJson("stays", "2")}, "5", "")), SendAndHold("")});
  ASSERT_TRUE(UntilPod("stays"));
  EXPECT_FALSE(Has("goes"));
}

TEST_F(ListAnewTest, ListThatComesInDropsIsGivenUp) {
  pods().answer_timeout = milliseconds(1500);
  // A page of its own: the server's threads outlive the test's members.
  const auto dripping = [page = page_of_both_](ScriptedServer::Reply& reply) {
    reply.Head(200);
    for (const char byte : page) {
      if (!reply.Body({&byte, 1})) return;
      std::this_thread::sleep_for(milliseconds(20));
    }
  };
  Begin({dripping, Send(page_of_one_), SendAndHold("")});
  ASSERT_TRUE(UntilPod("stays"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("nothing came in time")));
}

TEST_F(ListAnewTest, ListThatSaysItsKindLastIsTaken) {
  const std::string pod = PodJson("a", "1");
  Begin({Send(R"({"apiVersion":"v1","items":[)" + pod + R"(],"kind":"PodList","metadata":{"resourceVersion":"5"}})"),
         SendAndHold("")});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_THAT(sink_.troubles, IsEmpty());
}

}  // namespace
}  // namespace sluice
