// A file that several threads read in parts says what it says to one that reads it whole, wherever the parts begin.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <string>
#include <vector>

#include "manifest_text.h"
#include "model/dump.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using testing::StartsWith;

constexpr ReadSettings kWhole = {.threads = 1};

// What was read, in one text.
std::string TextOf(const Manifests& read) {
  std::string text;
  for (const std::string& line : Texts(read.diagnostics)) text += line + '\n';
  return text + Dump(read.cluster);
}

std::string BlockPod(const std::string& name) { return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n"; }

// Where a `---`, or what looks like one, stands.
const std::vector<std::string>& YamlTexts() {
  static const std::string kBad = BlockPod("a") + "  labels: {x: 1}\n";  // an error with a line
  static const std::vector<std::string> kTexts = {
      "",
      "---",
      "---\n---\n---",
      kBad + "---\n" + kBad,
      "---\n" + kBad + "---\n" + BlockPod("b"),
      "--- # first\n" + kBad + "--- # second\n" + BlockPod("b") + "---\t\n" + BlockPod("c"),
      "--- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n--- {apiVersion: v1, kind: Pod, metadata: {name: 7}}\n",
      "--- |\n  text\n---\n" + kBad,
      BlockPod("a") + "  annotations:\n    x: |\n      ---\n      --- # y\n    z: >\n\n      ---\n---\n" + kBad,
      BlockPod("a") + "  annotations: {x: \"a\n ---\n b\"}\n---\n" + kBad,
      BlockPod("a") + "# ---\n#\n---\n# ---\n" + kBad + "#---\n",
      BlockPod("a") + "---x\n---\n" + kBad + "----\n---\n" + BlockPod("b"),
      "%YAML 1.2\n---\n" + BlockPod("a") + "...\n%YAML 1.2\n---\n" + kBad,
      BlockPod("a") + "...\n" + kBad + "...\n---\n" + BlockPod("b"),
      "\xef\xbb\xbf---\n" + kBad + "---\n" + BlockPod("b"),
      "\xef\xbb\xbf" + kBad + "---\n\xef\xbb\xbf" + BlockPod("b") + "\xef\xbb\xbf---\n" + BlockPod("c"),
      "a: &x {b: c}\n---\nd: *x\n---\na: &x [1]\nb: *x\n---\n" + kBad,
      "a: [1, 2\n---\n" + kBad + "---\na: 'x\n---\n" + BlockPod("b"),
      "apiVersion: v1\nkind: List\nitems:\n- " + std::string("{kind: Pod}\n---\n") + kBad,
      "- ---\n---\n" + kBad,
      "\n  a: b:\"c\"\nd[\n{e",
      std::string("\0\0---\n\0", 7) + kBad + "---\n" + kBad,
  };
  return kTexts;
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

void ExpectSameInParts(const std::string& text, Manifests (*read)(const std::string&, const ReadSettings&)) {
  const std::string whole = TextOf(read(text, kWhole));
  for (std::size_t bytes = 1; bytes <= text.size() + 1; ++bytes) {
    ASSERT_EQ(TextOf(read(text, {.threads = 1, .part_bytes = bytes})), whole) << bytes << " bytes of\n" << text;
  }
  for (const std::size_t bytes : {std::size_t{1}, text.size() / 3 + 1}) {
    ASSERT_EQ(TextOf(read(text, {.threads = 3, .part_bytes = bytes})), whole) << bytes << " bytes of\n" << text;
  }
}

TEST(YamlParts, SayWhatTheWholeSays) {
  for (const std::string& text : YamlTexts()) {
    ExpectSameInParts(text, FromYaml);
    ExpectSameInParts(Replaced(text, "\n", "\r\n"), FromYaml);
  }
}

TEST(YamlParts, AMarkerIsFoundWhereverAPartEnds) {
  // Objects alone would be equal to a whole that finds as little.
  const std::string text = BlockPod("a") + "---\n" + BlockPod("7") + "--- # x\n" + BlockPod("c");
  for (std::size_t bytes = 1; bytes <= text.size() + 1; ++bytes) {
    const Manifests read = FromYaml(text, {.threads = 2, .part_bytes = bytes});
    EXPECT_THAT(read.cluster.pods, SizeIs(2)) << bytes;
    EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith("m.yaml:9: error: Pod default/7: metadata.name")))
        << bytes;
  }
}

TEST(YamlParts, WhatIsBehindADocumentTooLongForAPartIsRead) {
  const std::string list = "apiVersion: v1\nkind: List\nitems:\n";
  std::string text = BlockPod("a") + "---\n" + list;
  for (int i = 0; i < 50; ++i) text += "- {apiVersion: v1, kind: Pod, metadata: {name: b" + std::to_string(i) + "}}\n";
  text += "---\n" + BlockPod("c") + "---\n" + BlockPod("7");
  const Manifests read = FromYaml(text, {.threads = 2, .part_bytes = 100});
  EXPECT_THAT(read.cluster.pods, SizeIs(52));
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith("m.yaml:68: error: Pod default/7: metadata.name")));
}

TEST(JsonParts, SayWhatTheWholeSays) {
  const std::string pod = R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"x":"}{]["}}})";
  const std::string bad = R"({"apiVersion":"v1","kind":"Pod",)"
                          "\n"
                          R"("metadata":{"name":7}})";
  const std::string list =
      R"({"apiVersion":"v1","items":[)" + pod + ",\n" + bad + ", " + bad + "],\n\"kind\":\"List\"}";
  const std::string typed = R"({"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"b"}},)"
                            "\n"
                            R"({"metadata":{"name":7}},{"metadata":{"name":"c"}}],"metadata":{"a":[1]}})";
  for (const std::string& text : {
           std::string(),
           std::string(" \n"),
           "\xef\xbb\xbf" + bad,
           pod + bad + "\n" + bad + " \r\n\t",
           list + "\n" + bad,
           typed + list + bad,
           bad + "\n" + typed + "\n" + typed,
           R"({"kind":"List","items":[]})" + bad,
           R"({"kind":"List","items":[],"items":[)" + pod + "]}" + bad,
           R"({"kind":"NetworkPolicy","items":[)" + pod + "]}\n" + bad,
           R"({"kind":"PodList","items":[)" + pod + " " + pod + "]}\n" + bad,
           R"({"kind" "PodList","items":[)" + bad + "," + bad + "]}\n" + bad,
           "{\"a\":\n" + pod + "\n" + bad + "\n{\"b\":\n" + bad,
           "text\n\n" + bad + "\n]\n{\"a\":\"\n" + pod,
       }) {
    ExpectSameInParts(text, FromJson);
  }
}

TEST(Parts, ManyThreadsKeepTheOrderOfObjectsAndErrors) {
  std::string text;
  std::vector<std::string> names;
  for (int i = 0; i < 2000; ++i) {
    const std::string number = std::to_string(i);
    if (i % 10 == 0) {
      text += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: 7}\n";
    } else {
      names.push_back("p" + number);
      text +=
          "---\n" + BlockPod(names.back()) + (i % 7 == 0 ? "  annotations: {x: " + std::string(900, 'x') + "}\n" : "");
    }
  }
  const Manifests read = FromYaml(text, {.threads = 4, .part_bytes = 512});
  std::vector<std::string> found;
  for (const Pod& pod : read.cluster.pods) found.push_back(pod.name);
  EXPECT_EQ(found, names);
  EXPECT_THAT(read.diagnostics, SizeIs(200));
  EXPECT_TRUE(std::is_sorted(read.diagnostics.begin(), read.diagnostics.end(),
                             [](const Diagnostic& a, const Diagnostic& b) { return a.line < b.line; }));
  EXPECT_EQ(TextOf(read), TextOf(FromYaml(text, kWhole)));
}

TEST(Parts, DiagnosticsAreBoundedAsOfAWholeFile) {
  std::string text;
  for (int i = 0; i < 1500; ++i) text += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: 7}\n";
  const Manifests read = FromYaml(text, {.threads = 2, .part_bytes = 64 << 10});
  EXPECT_THAT(read.diagnostics, SizeIs(1001));
  EXPECT_EQ(read.diagnostics.back().message, "500 more errors, warnings and notes");
  EXPECT_EQ(TextOf(read), TextOf(FromYaml(text, kWhole)));
}

TEST(Parts, ThreadsAreNoMoreThanTheProcessorsThatTheCallerMayUse) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(ReadSettings().threads, std::min(CPU_COUNT(&before), 8));
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(ReadSettings().threads, 1u);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace sluice
