#include "cni/conflist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice {
namespace {

using testing::HasSubstr;

constexpr const char* kFlannel = R"({
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [
    {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
})";

EditedConflist With(const std::string& text, const PluginEntry& entry = {}) {
  const auto edited = WithPlugin(text, entry);
  EXPECT_TRUE(std::holds_alternative<EditedConflist>(edited)) << std::get<std::string>(edited);
  return std::get<EditedConflist>(edited);
}

std::string Refusal(const std::string& text) {
  const auto edited = WithPlugin(text, {});
  return std::holds_alternative<std::string>(edited) ? std::get<std::string>(edited) : "";
}

TEST(ConflistTest, TheEntryComesLastAndAllElseStaysInItsOrder) {
  const EditedConflist edited = With(kFlannel);
  EXPECT_TRUE(edited.is_changed);
  auto wanted = nlohmann::ordered_json::parse(kFlannel);
  wanted["plugins"].push_back({{"type", "sluice"}});
  EXPECT_EQ(edited.text, wanted.dump(2) + "\n");
}

TEST(ConflistTest, AnEntryThatIsThereIsLeftWhereItIs) {
  const std::string once = With(kFlannel).text;
  EXPECT_FALSE(With(once).is_changed);
  auto moved = nlohmann::ordered_json::parse(once);
  moved["plugins"].push_back({{"type", "tuning"}});
  EXPECT_FALSE(With(moved.dump()).is_changed);
}

TEST(ConflistTest, AnEntryThatSaysSomethingElseIsReplaced) {
  const std::string once = With(kFlannel).text;
  const EditedConflist edited = With(once, {"/run/other.sock", "/bpf"});
  EXPECT_TRUE(edited.is_changed);
  const auto plugins = nlohmann::json::parse(edited.text)["plugins"];
  ASSERT_EQ(plugins.size(), 3u);
  EXPECT_EQ(plugins[2], (nlohmann::json{{"type", "sluice"}, {"socket", "/run/other.sock"}, {"bpffs", "/bpf"}}));
}

TEST(ConflistTest, OfTwoEntriesOneStays) {
  auto twice = nlohmann::ordered_json::parse(With(kFlannel).text);
  twice["plugins"].push_back({{"type", "sluice"}});
  EXPECT_EQ(nlohmann::json::parse(With(twice.dump()).text)["plugins"].size(), 3u);
}

TEST(ConflistTest, InAndOutAgainIsWhatItWas) {
  const auto out = WithoutPlugin(With(kFlannel).text);
  ASSERT_TRUE(std::holds_alternative<EditedConflist>(out));
  EXPECT_TRUE(std::get<EditedConflist>(out).is_changed);
  EXPECT_EQ(nlohmann::ordered_json::parse(std::get<EditedConflist>(out).text), nlohmann::ordered_json::parse(kFlannel));
  EXPECT_FALSE(std::get<EditedConflist>(WithoutPlugin(kFlannel)).is_changed);
}

TEST(ConflistTest, WhatIsNoConflistIsRefused) {
  EXPECT_THAT(Refusal(""), HasSubstr("no JSON object"));
  EXPECT_THAT(Refusal("{\"plugins\": ["), HasSubstr("no JSON object"));
  EXPECT_THAT(Refusal("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(Refusal(R"({"type": "bridge"})"), HasSubstr("no list `plugins`"));
  EXPECT_THAT(Refusal(R"({"plugins": {}})"), HasSubstr("no list `plugins`"));
  EXPECT_THAT(Refusal(R"({"plugins": []})"), HasSubstr("no list `plugins`"));
  EXPECT_THAT(Refusal(R"({"plugins": [{"type": "sluice"}]})"), HasSubstr("no plugin that makes an interface"));
}

TEST(ConflistTest, OddEntriesOfOthersAreLeft) {
  const EditedConflist edited = With(R"({"plugins": [{"type": "bridge"}, 3, {"type": 4}, {}]})");
  EXPECT_EQ(nlohmann::json::parse(edited.text)["plugins"].size(), 5u);
}

TEST(ConflistTest, LoopbackAloneIsNoNetworkOfPods) {
  EXPECT_FALSE(IsPodNetwork(R"({"plugins": [{"type": "loopback"}]})"));
  EXPECT_FALSE(IsPodNetwork("nothing"));
  EXPECT_TRUE(IsPodNetwork(kFlannel));
}

}  // namespace
}  // namespace sluice
