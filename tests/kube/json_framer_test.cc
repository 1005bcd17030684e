#include "kube/json_framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

template <typename Framer>
std::vector<std::string> Cut(Framer& framer, std::string_view text, std::size_t piece) {
  std::vector<std::string> objects;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    framer.Append(text.substr(at, piece));
    while (const auto object = framer.Next()) objects.emplace_back(*object);
  }
  return objects;
}

constexpr std::string_view kList =
    "{\n \"kind\": \"PodList\", \"metadata\": {\"resourceVersion\": \"7\", \"items\": \"}\"},\n"
    " \"items\" : [ {\"a\":\"}\\\"{\\\\\"}, {\"items\":[{\"b\":[1,2]}]} ,\n{} ],\n \"last\": [{\"c\":1}]}\n";

TEST(ListFramer, CutsItemsWhereverThePiecesEnd) {
  for (std::size_t piece = 1; piece <= kList.size(); ++piece) {
    ListFramer framer;
    EXPECT_THAT(Cut(framer, kList, piece), ElementsAre(R"({"a":"}\"{\\"})", R"({"items":[{"b":[1,2]}]})", "{}"))
        << "pieces of " << piece;
    EXPECT_TRUE(framer.complete());
    EXPECT_EQ(framer.frame(),
              "{\n \"kind\": \"PodList\", \"metadata\": {\"resourceVersion\": \"7\", \"items\": \"}\"},\n"
              " \"items\" : [],\n \"last\": [{\"c\":1}]}\n");
  }
}

TEST(ListFramer, OfNoItemsOrNullIsComplete) {
  for (const std::string list : {R"({"items":[]})", R"({"items":null})", "{}"}) {
    ListFramer framer;
    EXPECT_THAT(Cut(framer, list, 3), IsEmpty());
    EXPECT_TRUE(framer.complete()) << list;
  }
}

TEST(ListFramer, CutShortIsNotComplete) {
  for (std::size_t length = 0; length + 2 < kList.size(); ++length) {
    ListFramer framer;
    Cut(framer, kList.substr(0, length), 5);
    EXPECT_FALSE(framer.complete()) << kList.substr(0, length);
  }
}

TEST(ListFramer, OfWhatIsNoListOfObjectsIsBroken) {
  for (const std::string text :
       {"<html>", "[]", "null", R"("items":[])", R"({"items":[1]})", R"({"items":["x"]})", R"({"items":[null]})",
        R"({"items":[[]]})", R"({"items":[[{"a":1}]]})", R"({"items":[{"a":1}{"b":2}]})", R"({"items":[,{"a":1}]})",
        R"({"items":[{"a":1},]})", R"({"items":[{"a":1},,{"b":2}]})", R"({"items":[]}})", R"({"items":[]}{"items":[]})",
        R"({"items":[]} more)"}) {
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      ListFramer framer;
      Cut(framer, text, piece);
      EXPECT_TRUE(framer.broken()) << text << " in pieces of " << piece;
      EXPECT_FALSE(framer.complete()) << text << " in pieces of " << piece;
    }
  }
}

TEST(ListFramer, OfAKeyThatOnlyEndsLikeItemsCutsNothing) {
  ListFramer framer;
  EXPECT_THAT(Cut(framer, R"({"my\"items":[{"a":1}]})", 4), IsEmpty());
  EXPECT_TRUE(framer.complete());
}

TEST(ListFramer, ClearedStartsOver) {
  ListFramer framer;
  Cut(framer, kList.substr(0, 90), 7);
  framer.Clear();
  EXPECT_THAT(Cut(framer, R"({"items":[{"x":1}]})", 4), ElementsAre(R"({"x":1})"));
  EXPECT_TRUE(framer.complete());
}

TEST(ListFramer, EndlessItemIsTooLong) {
  ListFramer framer;
  framer.Append(R"({"items":[{"a":")");
  const std::string megabyte(1 << 20, 'x');
  int appended = 0;
  while (!framer.too_long() && appended < 100) {
    framer.Append(megabyte);
    EXPECT_FALSE(framer.Next());
    ++appended;
  }
  EXPECT_EQ(appended, 16);
}

TEST(LineFramer, CutsLinesWhereverThePiecesEnd) {
  const std::string lines = "{\"a\":1}\n\n{\"b\":\"two\"}\n{\"half";
  for (std::size_t piece = 1; piece <= lines.size(); ++piece) {
    LineFramer framer;
    EXPECT_THAT(Cut(framer, lines, piece), ElementsAre("{\"a\":1}", "{\"b\":\"two\"}")) << "pieces of " << piece;
    framer.Append("\":0}\n");
    EXPECT_EQ(framer.Next(), "{\"half\":0}");
  }
}

TEST(LineFramer, EndlessLineIsTooLong) {
  LineFramer framer;
  framer.Append(std::string(kMaxObjectBytes, 'x'));
  EXPECT_FALSE(framer.Next());
  EXPECT_FALSE(framer.too_long());
  framer.Append("x");
  EXPECT_TRUE(framer.too_long());
}

}  // namespace
}  // namespace sluice
