// JSON: documents, lines, Lists, and broken text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "manifest_text.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::string JsonPod(const std::string& name) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + "\"}}";
}

TEST(Json, DocumentsMayFollowEachOtherInAnyForm) {
  for (const std::string between : {"", "\n", " \r\n\t"}) {
    const Manifests read = FromJson(JsonPod("a") + between + JsonPod("b") + between);
    EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
    EXPECT_THAT(read.cluster.pods, SizeIs(2));
  }
  EXPECT_THAT(FromJson("").diagnostics, IsEmpty());
  EXPECT_THAT(FromJson(" \n").diagnostics, IsEmpty());
  EXPECT_THAT(FromJson("\xef\xbb\xbf" + JsonPod("a")).cluster.pods, SizeIs(1)) << "byte order mark";
}

TEST(Json, StringsMayHoldBracketsQuotesAndEscapes) {
  const Manifests read = FromJson(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","annotations":{"x":"}{][\"\\","items":"[","y":"\u00e9\ud83d\ude00"}}})" +
      JsonPod("b"));
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.pods, SizeIs(2));
}

TEST(Json, AListIsReadItemByItem) {
  for (const char* list : {R"({"apiVersion":"v1","kind":"List","items":[%]})",
                           R"({"items":[%],"kind":"List","apiVersion":"v1","metadata":{"a":[1,2]}})",
                           R"({ "kind" : "List", "items" : [ % ] , "apiVersion" : "v1" })"}) {
    std::string text = list;
    text.replace(text.find('%'), 1,
                 JsonPod("a") + " ,\n" + R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":7}},)" + JsonPod("c"));
    const Manifests read = FromJson(text);
    EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith("m.json:2: error: Pod default/7: metadata.name")))
        << text;
    EXPECT_THAT(read.cluster.pods, SizeIs(2)) << text;
  }
  EXPECT_THAT(Texts(FromJson(R"({"apiVersion":"v1","kind":"List","items":[]})").diagnostics), IsEmpty());
  EXPECT_THAT(Texts(FromJson(R"({"apiVersion":"v1","kind":"List","items":null})").diagnostics), IsEmpty());
  EXPECT_THAT(Texts(FromJson(R"({"apiVersion":"v1","kind":"List"})").diagnostics), IsEmpty());
}

TEST(Json, ItemsOfATypedListInheritItsType) {
  const Manifests read = FromJson(R"({"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]})");
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
}

TEST(Json, AListBesidesOtherDocumentsIsRead) {
  const Manifests read =
      FromJson(JsonPod("a") + R"({"apiVersion":"v1","kind":"List","items":[)" + JsonPod("b") + "]}\n" + JsonPod("c"));
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.pods, SizeIs(3));
}

TEST(Json, ItemsDeepInAnObjectAreNoList) {
  const Manifests read = FromJson(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"volumes":[{"configMap":{"items":[{"key":"k"}]}}]}})");
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
}

TEST(Json, ItemsOfWhatIsNoListAreAnUnknownField) {
  const Manifests read = FromJson(
      R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"p"},"spec":{},"items":[{}]})");
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre(HasSubstr("NetworkPolicy default/p: items: unknown field")));
}

TEST(Json, ErrorsNameTheLine) {
  const Manifests read = FromJson(R"({
  "apiVersion": "networking.k8s.io/v1",
  "kind": "NetworkPolicy",
  "metadata": {"name": "p"},
  "spec": {
    "ingress": [
      {"ports": [
        {"port": 70000}
      ]}
    ],
    "egres": []
  }
}
)");
  EXPECT_THAT(
      Texts(read.diagnostics),
      ElementsAre("m.json:11: error: NetworkPolicy default/p: spec.egres: unknown field; did you mean egress?",
                  "m.json:8: error: NetworkPolicy default/p: spec.ingress[0].ports[0].port: must be 1 to 65535, is "
                  "70000"));
}

TEST(Json, ABrokenDocumentIsRefusedByLineAndTheOthersAreRead) {
  for (const char* broken : {R"({"a":1,})",
                             R"({"a":1)",
                             R"({"a":"x)",
                             R"({"a":tru})",
                             R"({"a":nul})",
                             R"({"a":01})",
                             R"({"a" 1})",
                             R"({"a":1]})",
                             R"({"a":"\q"})",
                             "{\"a\":\"\xff\"}",
                             "text",
                             "[1]",
                             R"({"kind":"List","items":[1]})",
                             R"({"kind":"List","items":[{} {}]})",
                             R"({"kind":"List","items":[{},]})",
                             R"({"kind":"List","items":[{"a":1})",
                             R"({"a":1} x)",
                             R"({"a":[1,2})",
                             R"({"a":-})",
                             R"({a:1})"}) {
    const Manifests read = FromJson(JsonPod("a") + "\n" + broken + "\n" + JsonPod("b") + "\n");
    ASSERT_FALSE(read.diagnostics.empty()) << broken;
    EXPECT_EQ(read.diagnostics[0].severity, Severity::kError);
    EXPECT_THAT(read.cluster.pods, SizeIs(2)) << broken << ' ' << read.diagnostics[0].ToString();
    for (const Diagnostic& diagnostic : read.diagnostics) {
      EXPECT_GE(diagnostic.line, 2u) << broken << ' ' << diagnostic.ToString();
      EXPECT_LE(diagnostic.line, 4u) << broken << ' ' << diagnostic.ToString();
    }
  }
}

TEST(Json, DepthAndSizeAreBounded) {
  std::string deep = R"({"a":)";
  for (int i = 0; i < 500; ++i) deep += "[";
  for (int i = 0; i < 500; ++i) deep += "]";
  EXPECT_THAT(Texts(FromJson(deep + "}").diagnostics), ElementsAre("m.json:1: error: nested deeper than 128 levels"));
  const std::string large(17 << 20, 'x');
  const Manifests read = FromJson(R"({"a":")" + large + "\"}\n" + JsonPod("a"));
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre("m.json:1: error: an object of more than 16 MiB, more than any API server stores"));
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
}

TEST(Json, FilesFullOfBrokenDocumentsAreGivenUp) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "{\"a\":\n";
  const Manifests read = FromJson(text);
  EXPECT_THAT(read.diagnostics, SizeIs(100));
  EXPECT_THAT(read.diagnostics.back().message, HasSubstr("the rest of the file is not read"));
}

}  // namespace
}  // namespace sluice
