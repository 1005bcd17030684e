// YAML: documents, Lists, scalars, aliases, and broken text. What a document means: kubectl_yaml_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "manifest/yaml_documents.h"
#include "manifest_text.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;
using testing::StartsWith;

std::string YamlPod(const std::string& name) { return "{apiVersion: v1, kind: Pod, metadata: {name: " + name + "}}\n"; }

TEST(Yaml, EmptyDocumentsAndCommentsHoldNothing) {
  for (const char* text : {"", "\n", "---\n", "---\n---\n...\n", "# a comment\n", "---\n# one\n---\n\n"}) {
    const Manifests read = FromYaml(text);
    EXPECT_THAT(Texts(read.diagnostics), IsEmpty()) << text;
    EXPECT_THAT(read.cluster.pods, IsEmpty());
  }
}

TEST(Yaml, DocumentsAreCountedByLine) {
  const Manifests read = FromYaml("%YAML 1.2\n---\n" + YamlPod("a") + "--- # marker\n" + YamlPod("b") + "...\n" +
                                  YamlPod("c") + "---\r\n" + YamlPod("d") + "---\n" + YamlPod("7"));
  EXPECT_THAT(read.cluster.pods, SizeIs(4));
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith("m.yaml:11: error: Pod default/7: metadata.name")));
}

TEST(Yaml, ALineOfDashesWithinADocumentIsText) {
  const Manifests read = FromYaml(
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    x: |\n      ---\n      ----\n    y: |\n"
      "      -----BEGIN\n");
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
}

TEST(Yaml, ALineOfMoreThanThreeDashesCutsAndIsTold) {
  for (const char* dashes : {"----", "------ ", "-----\r"}) {
    const Manifests read = FromYaml(YamlPod("a") + dashes + '\n' + YamlPod("b") + "---\n" + YamlPod("c"));
    EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith("m.yaml:2: error: more than three dashes"))) << dashes;
    EXPECT_THAT(read.cluster.pods, SizeIs(3)) << dashes;
    EXPECT_THAT(read.unread, IsEmpty()) << dashes;
  }
  EXPECT_THAT(Texts(FromYaml("----\n" + YamlPod("a") + "----").diagnostics),
              ElementsAre(StartsWith("m.yaml:1: error: more than"), StartsWith("m.yaml:3: error: more than")));
  const std::string many(201, '-');
  EXPECT_THAT(Texts(FromYaml(YamlPod("a") + many + '\n').diagnostics), ElementsAre(HasSubstr("error: not YAML")));
}

TEST(Yaml, ATabThatIndentsIsNamed) {
  const std::string head = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n";
  for (const std::string& text :
       {head + "\tnamespace: b\n", head + "  labels:\n  \tx: y\nspec: {}\n", head + "spec:\n  containers:\n\t- {}\n",
        std::string("kind: Pod\nmetadata:\n\tname: a\n")}) {
    const Manifests read = FromYaml(YamlPod("other") + "---\n" + text);
    ASSERT_THAT(read.diagnostics, Not(IsEmpty())) << text;
    EXPECT_THAT(read.diagnostics[0].ToString(), HasSubstr("a tab indents this line; YAML takes only spaces there"));
    EXPECT_EQ(read.diagnostics[0].line, 3 + std::count(text.begin(), text.begin() + text.find('\t'), '\n')) << text;
  }
}

TEST(Yaml, ATabElsewhereIsNotBlamed) {
  const std::string head = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    x: |\n      \ty\n    ";
  EXPECT_THAT(Texts(FromYaml(head + "z:\tw\n").diagnostics), IsEmpty());
  EXPECT_THAT(Texts(FromYaml(head + "]\n").diagnostics), ElementsAre(Not(HasSubstr("tab"))));
}

TEST(Yaml, MarkersAtTheEdgesOfTheReadBufferAreFound) {
  // 64 KiB blocks: a marker is put at every offset around the first block's end.
  for (int shift = -8; shift <= 8; ++shift) {
    const std::string first = YamlPod("a");
    std::string text = first + "#" + std::string((64 << 10) + shift - first.size() - 2, 'x') + "\n---\n" + YamlPod("b");
    const Manifests read = FromYaml(text);
    EXPECT_THAT(Texts(read.diagnostics), IsEmpty()) << shift;
    EXPECT_THAT(read.cluster.pods, SizeIs(2)) << shift;
  }
}

TEST(Yaml, AListIsReadItemByItem) {
  const Manifests read = FromYaml(R"(apiVersion: v1
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: a}
- kind: Pod
  apiVersion: v1
  metadata:
    name: 7
- nonsense
- {apiVersion: v1, kind: Pod, metadata: {name: c}}
kind: List
metadata: {resourceVersion: ""}
)");
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre(StartsWith("m.yaml:9: error: Pod default/7: metadata.name: must be a string"),
                          StartsWith("m.yaml:10: error: must be an object")));
  EXPECT_THAT(read.cluster.pods, SizeIs(2));
}

TEST(Yaml, ItemsOfATypedListInheritItsType) {
  const Manifests read = FromYaml("{apiVersion: v1, kind: PodList, items: [{metadata: {name: a}}]}");
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
}

TEST(Yaml, AListWithinAListIsRead) {
  const Manifests read = FromYaml("{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [" +
                                  YamlPod("a") + "," + YamlPod("b") + "]}]}");
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_THAT(read.cluster.pods, SizeIs(2));
}

TEST(Yaml, ItemsOfWhatIsNoListAreAnUnknownField) {
  const Manifests read =
      FromYaml("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {}, items: []}");
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre(HasSubstr("NetworkPolicy default/p: items: unknown field")));
}

TEST(YamlScalar, QuotesAndTagsMakeStrings) {
  const Manifests read = FromYaml(R"(apiVersion: v1
kind: Namespace
metadata:
  name: ns
  labels: {a: "1", b: 'yes', c: !!str 2, d: , e: !!str null}
)");
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.namespaces, SizeIs(1));
  EXPECT_THAT(read.cluster.namespaces[0].labels,
              ElementsAre(Pair("a", "1"), Pair("b", "yes"), Pair("c", "2"), Pair("d", ""), Pair("e", "null"),
                          Pair("kubernetes.io/metadata.name", "ns")));
}

TEST(YamlScalar, NumbersAndBooleansAreNoLabelValues) {
  const Manifests read = FromYaml(
      "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns\n  labels:\n    a: yes\n    b: 1.10\n    c: 0x10\n");
  EXPECT_THAT(
      Texts(read.diagnostics),
      ElementsAre("m.yaml:6: error: Namespace ns: metadata.labels.a: must be a string (write it in quotes), is a "
                  "boolean \"yes\"",
                  "m.yaml:7: error: Namespace ns: metadata.labels.b: must be a string (write it in quotes), is a "
                  "fraction \"1.10\"",
                  "m.yaml:8: error: Namespace ns: metadata.labels.c: must be a string (write it in quotes), is an "
                  "integer \"0x10\""));
}

TEST(YamlScalar, NP_18_AKeyIsTheTextOfWhatItLooksLike) {
  const Manifests read =
      FromYaml("{apiVersion: v1, kind: Namespace, metadata: {name: ns, labels: {0x100: a, y: b, 1.10: c}}}");
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.namespaces, SizeIs(1));
  EXPECT_THAT(
      read.cluster.namespaces[0].labels,
      ElementsAre(Pair("1.1", "c"), Pair("256", "a"), Pair("kubernetes.io/metadata.name", "ns"), Pair("true", "b")));
}

TEST(YamlAlias, StandsForWhatItsAnchorNames) {
  const Manifests read = FromYaml(R"(apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: p}
  spec:
    podSelector: &db {matchLabels: {app: db}}
    ingress: [{from: [{podSelector: *db}], ports: [{port: &port 80}]}]
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: q}
  spec: {podSelector: *db, ingress: [{ports: [{port: *port}]}]}
)");
  ASSERT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.policies, SizeIs(2));
  EXPECT_EQ(read.cluster.policies[0].pod_selector, read.cluster.policies[1].pod_selector);
  EXPECT_EQ(read.cluster.policies[0].ingress[0].peers[0].pod_selector, read.cluster.policies[0].pod_selector);
  EXPECT_THAT(read.cluster.policies[1].pod_selector.requirements, SizeIs(1));
  EXPECT_EQ(read.cluster.policies[1].ingress[0].ports[0].port, 80);
}

TEST(YamlAlias, NP_18_MergeKeysTakeOverEntriesInTheirPlaceAndLaterOnesWin) {
  const Manifests read = FromYaml(R"(apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: a, labels: &one {x: "1", v: "1"}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: b, labels: &two {v: "2", z: "2"}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: c, labels: {<<: [*one, *two], z: "3"}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: d, labels: {x: "4", <<: *one}}}
)");
  ASSERT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.namespaces, SizeIs(4));
  EXPECT_THAT(read.cluster.namespaces[2].labels,
              ElementsAre(Pair("kubernetes.io/metadata.name", "c"), Pair("v", "1"), Pair("x", "1"), Pair("z", "3")));
  EXPECT_THAT(read.cluster.namespaces[3].labels,
              ElementsAre(Pair("kubernetes.io/metadata.name", "d"), Pair("v", "1"), Pair("x", "1")))
      << "as go-yaml has it";
}

TEST(YamlAlias, CyclesAreRefused) {
  for (const char* text : {"a: &x [*x]\n", "&x {a: *x}\n", "a: &x {b: {c: [1, *x]}}\n", "&x {<<: *x}\n"}) {
    const Manifests read = FromYaml(std::string(text) + "---\n" + YamlPod("a"));
    EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith("m.yaml:1: error: an alias of a value that holds the")))
        << text;
    EXPECT_THAT(read.cluster.pods, SizeIs(1));
  }
}

TEST(YamlAlias, ExpansionIsBounded) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j == 0 ? "" : ",") + below;
    bomb += "]\n";
  }
  const Manifests read = FromYaml(bomb + "---\n" + YamlPod("a"));
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre("m.yaml:6: error: aliases expand to more than 1000000 values"));
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
}

TEST(YamlAlias, DepthThroughAliasesIsBounded) {
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 1000; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  }
  EXPECT_THAT(Texts(FromYaml(deep).diagnostics), ElementsAre("m.yaml:127: error: nested deeper than 128 levels"));
}

TEST(Yaml, DepthIsBounded) {
  for (const int depth : {200, 1000, 100000}) {
    for (const char* open : {"[", "{a: ", "- "}) {
      std::string text;
      for (int i = 0; i < depth; ++i) text += open;
      const Manifests read = FromYaml(text + "\n---\n" + YamlPod("a"));
      EXPECT_TRUE(HasErrors(read.diagnostics)) << open << depth;
      EXPECT_THAT(read.cluster.pods, SizeIs(1)) << open << depth;
    }
  }
}

TEST(Yaml, WhatTheParserHoldsAtOnceIsBounded) {
  const std::string large(YamlDocuments::kMostUnheardBytes + (256 << 10), 'x');
  const std::string pod = "kind: Pod\nmetadata: {name: b}\n";
  for (const std::string& text : {"{apiVersion: v1, kind: Pod, metadata: {name: b, annotations: {x: " + large + "}}}\n",
                                  "apiVersion: v1\n" + pod + "# " + large + "\nspec: {hostNetwork: true}\n"}) {
    const Manifests read = FromYaml(YamlPod("a") + "---\n" + text + "---\n" + YamlPod("c"));
    EXPECT_THAT(Texts(read.diagnostics),
                ElementsAre(AllOf(StartsWith("m.yaml:"), HasSubstr("more than 8 MiB in one {...}, [...] or scalar"))));
    EXPECT_THAT(read.cluster.pods, SizeIs(2)) << "nothing of the document counts";
  }
}

TEST(Yaml, KeysMustBeStrings) {
  for (const char* text : {"{? [a] : b}\n", "{? {a: b} : c}\n"}) {
    EXPECT_THAT(Texts(FromYaml(text).diagnostics), ElementsAre(HasSubstr("error: a key must be a string"))) << text;
  }
  for (const char* text : {"? ~\n: b\n", ": b\n"}) {
    EXPECT_THAT(Texts(FromYaml(text).diagnostics), Contains(HasSubstr("\"\" stands for null, which is no key")))
        << text;
  }
}

TEST(Yaml, ABrokenDocumentIsRefusedByLineAndTheOthersAreRead) {
  for (const char* broken : {"a: [1, 2\n", "a: 'x\n", "a: b: c\n", "a:\n\t- b\n", "a: *nowhere\n", "{a: b}}\n",
                             "a: \"\\q\"\n", "- a\nb: c\n"}) {
    const Manifests read = FromYaml(YamlPod("a") + "---\n" + broken + "---\n" + YamlPod("b"));
    EXPECT_THAT(read.cluster.pods, SizeIs(2)) << broken;
    ASSERT_FALSE(read.diagnostics.empty()) << broken;
    for (const Diagnostic& diagnostic : read.diagnostics) {
      EXPECT_EQ(diagnostic.severity, Severity::kError);
      EXPECT_GE(diagnostic.line, 2u) << broken;
      EXPECT_LE(diagnostic.line, 6u) << broken;
    }
  }
}

TEST(Yaml, ItemsBeforeABrokenOneAreRead) {
  const Manifests read =
      FromYaml("apiVersion: v1\nkind: List\nitems:\n- " + YamlPod("a") + "- " + YamlPod("b") + "- {a: 'x}\n");
  EXPECT_THAT(read.cluster.pods, SizeIs(2));
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith("m.yaml:")));
}

TEST(Yaml, AStrayBracketBehindADocumentDoesNotHang) {
  for (const char* stray : {"}", "]", "} }", "{\"a\": \"b \"c\"d: [{e: 0}]\n    f: [{}]\n"}) {
    const Manifests read = FromYaml(YamlPod("a") + stray + "\n---\n" + YamlPod("b"));
    EXPECT_TRUE(HasErrors(read.diagnostics)) << stray;
    ASSERT_FALSE(read.cluster.pods.empty()) << stray;
    EXPECT_EQ(read.cluster.pods.back().name, "b") << stray;
  }
}

TEST(Yaml, BytesThatAreNoTextDoNotHang) {
  std::string bytes;
  for (int i = 0; i < 4096; ++i) bytes += static_cast<char>(i * 131 + i / 256);
  EXPECT_TRUE(HasErrors(FromYaml(bytes).diagnostics));
  FromYaml(std::string(1000, '\0'));
}

}  // namespace
}  // namespace sluice
