// Answers of 200 that are not what was asked for, and lists that would take much away. What is known stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/list_watch_fixture.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const std::vector<std::string> kFive = {"a", "b", "c", "d", "e"};

std::vector<std::string> Pods(const std::vector<std::string>& names) {
  std::vector<std::string> pods;
  for (const std::string& name : names) pods.push_back(PodJson(name, "1"));
  return pods;
}

ScriptedServer::Step ListOf(const std::vector<std::string>& names, const std::string& version = "5") {
  return Send(PodList(Pods(names), version, ""));
}

std::string Streamed(const std::vector<std::string>& names) {
  std::string events;
  for (const std::string& name : names) events += Added(name, "1");
  return events + BookmarkLine("5", true);
}

const auto kGone = Refuse(410, "Gone", "too old resource version");
const auto kWatch = SendAndHold("");

struct WrongList {
  const char* name;
  std::string body;
  const char* said;  // in the log
};

std::ostream& operator<<(std::ostream& stream, const WrongList& wrong) { return stream << wrong.name; }

const WrongList kWrongLists[] = {
    {"Status", R"({"kind":"Status","metadata":{"resourceVersion":"5"},"status":"Failure"})", "kind \"Status\""},
    {"MetadataAlone", R"({"metadata":{"resourceVersion":"5"}})", "in place of PodList and v1"},
    {"EmptyListOfAnotherKind", R"({"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]})",
     "kind \"NodeList\""},
    {"EmptyListOfAnotherVersion",
     R"({"kind":"PodList","apiVersion":"v2","metadata":{"resourceVersion":"5"},"items":[]})", "apiVersion \"v2\""},
    {"PlainList", R"({"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]})",
     "kind \"List\""},
    {"Table", R"({"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"5"},"rows":[]})",
     "kind \"Table\""},
    {"ListWithoutItems", R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"}})", "without items"},
    {"ItemsAMap", R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":{}})",
     "items are a map"},
    {"ItemsAString", R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":"x"})",
     "items are a string"},
    {"ItemsOfNumbers", R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[1,2]})",
     "no list of objects"},
    {"ItemsOfNull", R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[null]})",
     "no list of objects"},
    {"NoVersion", R"({"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]})",
     "without metadata.resourceVersion"},
    {"EntryOfAnotherKind",
     R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[)" + PodJson("new", "5") +
         R"(,{"kind":"Node","apiVersion":"v1","metadata":{"name":"a"}}]})",
     "kind \"Node\""},
    {"EntryWithoutAName",
     R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[)" + PodJson("new", "5") +
         R"(,{"metadata":{"namespace":"default"}}]})",
     "without a name"},
    {"EntryThatIsNoJson",
     R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[)" + PodJson("new", "5") +
         R"(,{"metadata":{"name":[}}]})",
     "no JSON"},
    {"PodsInAListOfAnotherKindThatSaysSoLast",
     R"({"items":[)" + PodJson("new", "5") +
         R"(],"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"5"}})",
     "kind \"NodeList\""},
    {"TwoAnswers", PodList({}, "5", "") + PodList({}, "5", ""), "no list of objects"},
    {"CutShort", R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[])", "cut short"},
    {"Nothing", "", "cut short"},
    {"Null", "null", "no list of objects"},
    {"EmptyObject", "{}", "in place of PodList and v1"},
    {"Array", "[]", "no list of objects"},
    {"Page", "<html>please log in</html>", "no list of objects"},
};

class WrongListTest : public ListWatchTest, public testing::WithParamInterface<WrongList> {};

TEST_P(WrongListTest, RemovesNothingAndAddsNothingAndIsToldOf) {
  pods().streaming_list = false;
  Begin({ListOf(kFive), kGone, Send(GetParam().body), ListOf({"a", "b", "c", "d", "late"}, "9"), kWatch});
  ASSERT_TRUE(UntilPod("late"));
  ASSERT_TRUE(Until([&] { return sink_.replacements(kPods) == 2; }));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr(GetParam().said)));
  EXPECT_EQ(sink_.removed(kPods), 1) << "e, by the list that is one";
  EXPECT_EQ(sink_.upserts(kPods), 10) << "of the wrong list nothing came";
  EXPECT_EQ(sink_.recoveries, 1);
}

TEST_P(WrongListTest, AtTheStartIsNoList) {
  pods().streaming_list = false;
  Begin({Send(GetParam().body), ListOf(kFive), kWatch});
  ASSERT_TRUE(UntilPod("e"));
  EXPECT_FALSE(Has("new"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr(GetParam().said)));
}

TEST_P(WrongListTest, InPlaceOfAStreamingListRemovesNothing) {
  if (GetParam().body.empty()) return;  // an empty line is nothing
  Begin({SendAndHold(Streamed(kFive) + EventLine("ERROR", StatusJson(410, "Expired", "too old"))),
         Send(GetParam().body + "\n"), ListOf({"a", "b", "c", "d", "late"}, "9"), kWatch});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_TRUE(Until([&] { return sink_.removed(kPods) == 1; })) << "e, by the list that is one";
  EXPECT_THAT(sink_.troubles, SizeIs(1));
}

TEST_P(WrongListTest, AmongEventsMakesAnotherList) {
  if (GetParam().body.empty()) return;
  Begin({SendAndHold(Streamed(kFive) + GetParam().body + "\n"), SendAndHold(Streamed(kFive) + Added("late", "9"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_EQ(sink_.removed(kPods), 0);
  EXPECT_THAT(sink_.troubles, SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(Lists, WrongListTest, testing::ValuesIn(kWrongLists),
                         [](const auto& test) { return std::string(test.param.name); });

class WrongAnswerTest : public ListWatchTest {};

TEST_F(WrongAnswerTest, ListOfItemsNullIsEmpty) {
  pods().streaming_list = false;
  const auto empty = Send(R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":null})");
  Begin({ListOf({"a"}), kGone, empty, empty, kWatch});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_TRUE(Until([&] { return !Has("a"); }));
}

TEST_F(WrongAnswerTest, WrongListThatGoesOnIsToldOfOnceUntilARightOneCame) {
  pods().streaming_list = false;
  const auto wrong = Send(kWrongLists[0].body);
  Begin({wrong, wrong, wrong, wrong, ListOf(kFive), kWatch});
  ASSERT_TRUE(UntilPod("a"));
  EXPECT_THAT(sink_.troubles, SizeIs(1));
  EXPECT_EQ(source_->health(kPods).errors, 4u);
  EXPECT_EQ(sink_.recoveries, 1) << "an answer of 200 alone is no recovery";
}

TEST_F(WrongAnswerTest, ListThatWouldRemoveMoreThanHalfIsAskedForOnceMore) {
  pods().streaming_list = false;
  Begin({ListOf(kFive), kGone, ListOf({"a", "b"}, "7"), ListOf(kFive, "9"), SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_EQ(sink_.removed(kPods), 0);
  EXPECT_THAT(sink_.notices, ElementsAre(AllOf(HasSubstr("would remove 3 of the 5"), HasSubstr("asking once more")),
                                         AllOf(HasSubstr("differs"), HasSubstr("0 of the 5"))));
  EXPECT_THAT(Target(3), Not(HasSubstr("continue")));
  EXPECT_EQ(source_->health(kPods).doubted_lists, 1u);
  EXPECT_EQ(source_->health(kPods).large_removals, 0u);
}

TEST_F(WrongAnswerTest, ListThatWouldRemoveMoreThanHalfIsBelievedTheSecondTime) {
  pods().streaming_list = false;
  Begin({ListOf(kFive), kGone, ListOf({}, "7"), ListOf({}, "9"), SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_EQ(sink_.removed(kPods), 5);
  EXPECT_THAT(sink_.notices, ElementsAre(HasSubstr("would remove 5 of the 5"),
                                         AllOf(HasSubstr("agrees"), HasSubstr("removes 5 of the 5"))));
  EXPECT_EQ(source_->health(kPods).doubted_lists, 1u);
  EXPECT_EQ(source_->health(kPods).large_removals, 1u);
}

TEST_F(WrongAnswerTest, ListThatRemovesHalfIsBelievedAtOnce) {
  pods().streaming_list = false;
  Begin({ListOf({"a", "b", "c", "d"}), kGone, ListOf({"a", "b"}, "7"), SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_EQ(sink_.removed(kPods), 2);
  EXPECT_THAT(sink_.notices, IsEmpty());
}

TEST_F(WrongAnswerTest, OnlyWhatWasThereBeforeTheListCountsForTheHalf) {
  pods().streaming_list = false;
  // The new ones must not hide that all of the old ones go.
  Begin({ListOf({"a", "b"}), kGone, ListOf({"x", "y", "z"}, "7"), ListOf({"a", "b", "x"}, "9"), kWatch});
  ASSERT_TRUE(UntilPod("x"));
  ASSERT_TRUE(Until([&] { return sink_.replacements(kPods) == 2; }));
  EXPECT_TRUE(Has("a"));
  EXPECT_FALSE(Has("y"));
}

TEST_F(WrongAnswerTest, StreamingListThatWouldRemoveAllIsAskedForOnceMoreInPages) {
  Begin({SendAndHold(Streamed(kFive) + EventLine("ERROR", StatusJson(410, "Expired", "too old"))),
         SendAndHold(BookmarkLine("7", true) + Added("never", "8")), ListOf(kFive, "9"),
         SendAndHold(Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_EQ(sink_.removed(kPods), 0);
  EXPECT_THAT(sink_.notices, SizeIs(2));
  EXPECT_THAT(Target(2), HasSubstr("limit=500"));
  EXPECT_FALSE(Has("never")) << "a watch that begins with such a list does not go on";
}

TEST_F(WrongAnswerTest, SecondListThatFailsIsTriedUntilThereIsOne) {
  pods().streaming_list = false;
  const std::string page = PodList({}, "7", "");
  Begin({ListOf(kFive), kGone, ListOf({}, "7"), Send(page.substr(0, 30)), Refuse(503, "Unavailable", "starting"),
         ListOf(kFive, "9"), kWatch});
  ASSERT_TRUE(UntilPod("a"));
  ASSERT_TRUE(Until([&] { return sink_.replacements(kPods) == 2; }));
  EXPECT_EQ(sink_.removed(kPods), 0);
}

TEST_F(WrongAnswerTest, WhatALargeRemovalLeftIsListedAnewSoon) {
  pods().streaming_list = false;
  pods().look_again_after = milliseconds(300);
  Begin({ListOf(kFive), kGone, ListOf({}, "7"), ListOf({}, "7"), kWatch, ListOf(kFive, "9"), kWatch});
  ASSERT_TRUE(Until([&] { return sink_.removed(kPods) == 5; }));
  ASSERT_TRUE(UntilPod("e")) << "a server that was wrong twice is not believed for ever";
  EXPECT_EQ(sink_.replacements(kPods), 3);
}

TEST_F(WrongAnswerTest, EmptyFirstListIsListedAnewSoon) {
  pods().look_again_after = milliseconds(300);
  Begin({SendAndHold(BookmarkLine("5", true)), SendAndHold(Streamed(kFive))});
  ASSERT_TRUE(Until([&] { return source_->synced(); }));
  EXPECT_FALSE(Has("a"));
  ASSERT_TRUE(UntilPod("e"));
  EXPECT_THAT(sink_.notices, IsEmpty());
}

TEST_F(WrongAnswerTest, AnswerOfNoVersionIsAskedForAgain) {
  pods().streaming_list = false;
  Begin({ListOf(kFive), Send(""), SendAndHold(Added("late", "10"))});
  server_->present_version = -1;
  ASSERT_TRUE(Until([&] { return !sink_.troubles.empty(); }));
  EXPECT_THAT(Target(2), "none") << "no watch goes on before it is known whether it can";
  server_->present_version = 9;
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("kind \"Status\"")));
  EXPECT_EQ(sink_.recoveries, 1);
}

struct WrongEvent {
  const char* name;
  std::string line;
};

std::ostream& operator<<(std::ostream& stream, const WrongEvent& wrong) { return stream << wrong.name; }

std::string Object(const std::string& kind, const std::string& metadata) {
  return R"({"kind":")" + kind + R"(","apiVersion":"v1","metadata":{)" + metadata + "}}";
}

const WrongEvent kWrongEvents[] = {
    {"AddedOfAnotherKind", EventLine("ADDED", Object("Node", R"("name":"n","resourceVersion":"8")"))},
    {"DeletedOfAnotherKind",
     EventLine("DELETED", Object("ReplicaSet", R"("name":"a","namespace":"default","resourceVersion":"8")"))},
    {"DeletedWithoutAName", EventLine("DELETED", Object("Pod", R"("namespace":"default","resourceVersion":"8")"))},
    {"DeletedWithoutAKind", EventLine("DELETED", R"({"metadata":{"name":"a","namespace":"default"}})")},
    {"DeletedAStatus", EventLine("DELETED", StatusJson(404, "NotFound", "gone"))},
    {"BookmarkOfAnotherKind", EventLine("BOOKMARK", Object("Node", R"("resourceVersion":"800")"))},
    {"BookmarkWithoutAVersion", EventLine("BOOKMARK", Object("Pod", ""))},
    {"BookmarkOfAList", EventLine("BOOKMARK", Object("PodList", R"("resourceVersion":"800")"))},
    {"ErrorWithoutAStatus", EventLine("ERROR", Object("Pod", R"("name":"a")"))},
    {"UnknownType", EventLine("RENAMED", PodJson("a", "8"))},
    {"AddedOfAVersionBefore", Added("a", "3")},
    {"BookmarkOfAVersionBefore", BookmarkLine("3", false)},
};

class WrongEventTest : public ListWatchTest, public testing::WithParamInterface<WrongEvent> {};

TEST_P(WrongEventTest, ChangesNothingAndMakesAnotherList) {
  Begin({SendAndHold(Streamed(kFive) + GetParam().line + Added("never", "9")),
         SendAndHold(Streamed(kFive) + Added("late", "10"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_FALSE(Has("never"));
  EXPECT_THAT(Target(1), HasSubstr("sendInitialEvents"));
  EXPECT_EQ(sink_.removed(kPods) + sink_.deletes(kPods), 0);
  EXPECT_THAT(sink_.troubles, ElementsAre(HasSubstr("listing again")));
}

INSTANTIATE_TEST_SUITE_P(Events, WrongEventTest, testing::ValuesIn(kWrongEvents),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_F(WrongAnswerTest, SecondEndOfTheInitialEventsIsABookmarkLikeAnother) {
  Begin({Send(Streamed(kFive) + BookmarkLine("300", true)), SendAndHold(Added("late", "301"))});
  ASSERT_TRUE(UntilPod("late"));
  EXPECT_THAT(Target(1), HasSubstr("resourceVersion=300"));
  EXPECT_EQ(sink_.replacements(kPods), 1);
}

TEST_F(WrongAnswerTest, DeletedObjectOfAVersionBeforeIsDeletedAndTheWatchGoesOnFromItsLast) {
  Begin({Send(Streamed(kFive) + Added("f", "20") + EventLine("DELETED", PodJson("a", "1"))), kWatch});
  ASSERT_TRUE(Until([&] { return Target(1) != "none"; }));
  EXPECT_FALSE(Has("a"));
  EXPECT_THAT(Target(1), HasSubstr("resourceVersion=20"));
}

}  // namespace
}  // namespace sluice
