// NP-18: YAML read as kubectl reads it, against a table of what its library makes of documents:
// kubectl_yaml/table.jsonl, which kubectl_yaml/main.go wrote.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "manifest/yaml_reader.h"
#include "support/places.h"

namespace sluice {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kGivenTwice = "a key is given twice\n";

Json ToJson(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return nullptr;
    case Value::Kind::kBool:
      return value.boolean;
    case Value::Kind::kInteger:
      return value.integer;
    case Value::Kind::kFloat:
      return value.real;
    case Value::Kind::kString:
      return std::string(value.text);
    case Value::Kind::kList: {
      Json list = Json::array();
      for (const Value* item = value.first; item != nullptr; item = item->next) list.push_back(ToJson(*item));
      return list;
    }
    case Value::Kind::kMap: {
      Json map = Json::object();
      for (const Value* entry = value.first; entry != nullptr; entry = entry->next) {
        if (!entry->duplicate) map[std::string(entry->key)] = ToJson(*entry);
      }
      return map;
    }
  }
  return nullptr;
}

// What is made of one document.
class Reading : public TreeSink {
 public:
  explicit Reading(const std::string& text) {
    YamlDocuments documents({text, 1});
    ReadYamlDocuments(documents, *this);
  }

  void Document(const ValueTree& tree) override {
    if (!tree.failure().empty()) refusal += tree.failure() + '\n';
    for (const auto& problem : tree.problems()) refusal += problem.why + '\n';
    if (tree.has_duplicates()) refusal += kGivenTwice;
    if (tree.root() != nullptr && json.is_null()) json = ToJson(*tree.root());
  }
  void Item(const ValueTree& tree, const TypeMeta&) override { Document(tree); }
  void ListEnd(const ValueTree&) override {}
  void Broken(std::uint32_t, std::string why) override { refusal += why + '\n'; }
  void Mistaken(std::uint32_t, std::string why) override { refusal += why + '\n'; }
  void Partial(const ValueTree&, const TypeMeta&) override {}

  Json json;
  std::string refusal;  // empty: read
};

std::vector<Json> Table() {
  std::ifstream in(SourcePath("tests/control/kubectl_yaml/table.jsonl"));
  std::vector<Json> table;
  for (std::string line; std::getline(in, line);) table.push_back(Json::parse(line));
  return table;
}

// Where yaml-cpp, as a parser of YAML 1.2, is more generous than kubectl's. Nothing of a NetworkPolicy is among it.
constexpr std::string_view kReadThoughKubectlRefuses[] = {
    "v: \"a\\tb\\x41\\u0041\\/\\e\"\n",  // an escaped slash
    "v: [80, 08080, y, ~, , a]\n",       // nothing between commas is null
    "%YAML 1.2\n---\nv: y\n",
    "%a: v\n",  // a directive that nobody knows
    "&: v\n",
    "[:a]\n",
    "{:a: :a}\n",
    "[::1]\n",
    "{::1: ::1}\n",
};
// And where we are less so.
constexpr std::string_view kRefusedThoughKubectlReads[] = {"[?a]\n", "{a:: a:}\n", "[a:]\n"};

template <std::size_t N>
bool IsOneOf(const std::string& text, const std::string_view (&texts)[N]) {
  return std::find(std::begin(texts), std::end(texts), text) != std::end(texts);
}

TEST(KubectlYaml, NP_18_EveryDocumentOfTheTableMeansWhatKubectlMakesOfIt) {
  const std::vector<Json> table = Table();
  ASSERT_GT(table.size(), 1500u);
  std::size_t given_twice = 0;
  std::size_t odd_tags = 0;
  for (const Json& row : table) {
    const auto text = row["yaml"].get<std::string>();
    const Reading reading(text);
    if (!row.contains("json")) {
      EXPECT_NE(reading.refusal.empty(), !IsOneOf(text, kReadThoughKubectlRefuses))
          << "kubectl refuses " << row["yaml"] << ", we read " << reading.json;
      continue;
    }
    const bool twice = reading.refusal == kGivenTwice;
    given_twice += twice ? 1 : 0;
    if (reading.refusal.find("a tag that Sluice does not read") != std::string::npos) {
      ++odd_tags;
    } else if (reading.refusal.empty() || twice) {
      EXPECT_EQ(reading.json, row["json"]) << row["yaml"];
    } else {
      EXPECT_TRUE(IsOneOf(text, kRefusedThoughKubectlReads)) << row << ", we refuse it: " << reading.refusal;
    }
  }
  // kubectl takes the later of two entries without a word; we read the same, and refuse the object.
  EXPECT_EQ(given_twice, 7u);
  // !!binary and !!timestamp.
  EXPECT_EQ(odd_tags, 16u);
}

}  // namespace
}  // namespace sluice
