// What a runtime says, and what is wrong with it: by SPEC.md's codes.
#include "cni/invocation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice {
namespace {

IpAddress Ip(const std::string& text) { return IpAddress::Parse(text).value(); }

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kArguments =
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=web;K8S_POD_NAME=front;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u1";

nlohmann::json Configuration(const std::string& version = "1.0.0") {
  return {{"cniVersion", version},
          {"name", "pods"},
          {"type", "sluice"},
          {"prevResult",
           {{"cniVersion", version},
            {"interfaces",
             {{{"name", "cni0"}, {"mac", "aa:bb:cc:dd:ee:ff"}},
              {{"name", "veth1"}},
              {{"name", "eth0"}, {"sandbox", "/var/run/netns/cni-1"}}}},
            {"ips", {{{"address", "10.0.0.7/24"}, {"interface", 2}}, {{"address", "fd00::7/64"}}}}}}};
}

CniEnvironment Environment(const std::string& command) {
  return {command, "c1", "/var/run/netns/cni-1", "eth0", kArguments};
}

CniInvocation Read(const std::string& command, const nlohmann::json& configuration) {
  const auto read = ReadInvocation(Environment(command), configuration.dump());
  if (const auto* error = std::get_if<CniError>(&read)) {
    ADD_FAILURE() << error->message;
    return {};
  }
  return std::get<CniInvocation>(read);
}

CniError Error(const CniEnvironment& environment, const std::string& input) {
  const auto read = ReadInvocation(environment, input);
  if (const auto* error = std::get_if<CniError>(&read)) return *error;
  ADD_FAILURE() << "no error";
  return {};
}

void ExpectError(const nlohmann::json& configuration, CniCode code, const std::string& words,
                 const std::string& command = "ADD") {
  const CniError error = Error(Environment(command), configuration.dump());
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_THAT(error.message, HasSubstr(words));
}

TEST(InvocationTest, AddNamesThePodItsAddressesAndTheHostsInterfaces) {
  for (const std::string_view version : kCniVersions) {
    const CniInvocation invocation = Read("ADD", Configuration(std::string(version)));
    EXPECT_EQ(invocation.command, CniCommand::kAdd);
    const Attachment wanted{{"c1", "eth0"}, "web", "front", "u1", {Ip("10.0.0.7"), Ip("fd00::7")}};
    EXPECT_EQ(invocation.attachment, wanted);
    EXPECT_THAT(invocation.hosts, ElementsAre("cni0", "veth1"));
    EXPECT_EQ(invocation.socket, kDefaultPluginSocket);
    EXPECT_EQ(invocation.bpffs, "/sys/fs/bpf");
  }
}

TEST(InvocationTest, PathsMayBeOthers) {
  nlohmann::json configuration = Configuration();
  configuration["socket"] = "/tmp/s";
  configuration["bpffs"] = "/tmp/b";
  EXPECT_EQ(Read("ADD", configuration).socket, "/tmp/s");
  EXPECT_EQ(Read("ADD", configuration).bpffs, "/tmp/b");
  configuration["socket"] = "s";
  ExpectError(configuration, CniCode::kInvalidConfiguration, "socket 's': wants a path");
  configuration["socket"] = 4;
  ExpectError(configuration, CniCode::kInvalidConfiguration, "socket: wants a text");
}

TEST(InvocationTest, WhatIsNoJsonIsNotDecoded) {
  for (const char* input : {"", "{", "[]", "null", "\"ADD\"", "{} {}", "\xff\xfe"}) {
    EXPECT_EQ(Error(Environment("ADD"), input).code, CniCode::kNotDecoded) << input;
  }
}

TEST(InvocationTest, OtherVersionsAreIncompatible) {
  for (const char* version : {"0.1.0", "0.2.0", "0.3.0", "1.2.0", "2.0.0", "", "new"}) {
    ExpectError(Configuration(version), CniCode::kIncompatibleVersion, "is none that sluice speaks");
  }
  nlohmann::json configuration = Configuration();
  configuration.erase("cniVersion");
  ExpectError(configuration, CniCode::kIncompatibleVersion, "is none that sluice speaks");
  configuration["cniVersion"] = 1;
  ExpectError(configuration, CniCode::kInvalidConfiguration, "cniVersion: wants a text");
}

TEST(InvocationTest, CommandsThatAVersionLacksAreIncompatible) {
  ExpectError(Configuration("0.3.1"), CniCode::kIncompatibleVersion, "has no CHECK", "CHECK");
  ExpectError(Configuration("1.0.0"), CniCode::kIncompatibleVersion, "has no GC", "GC");
  ExpectError(Configuration("1.0.0"), CniCode::kIncompatibleVersion, "has no STATUS", "STATUS");
  EXPECT_EQ(Read("CHECK", Configuration("0.4.0")).command, CniCommand::kCheck);
  EXPECT_EQ(Read("STATUS", Configuration("1.1.0")).command, CniCommand::kStatus);
}

TEST(InvocationTest, WithoutAResultBeforeItIsMisplaced) {
  nlohmann::json configuration = Configuration();
  configuration.erase("prevResult");
  ExpectError(configuration, CniCode::kInvalidConfiguration, "prevResult is missing");
  ExpectError(configuration, CniCode::kInvalidConfiguration, "prevResult is missing", "CHECK");
  configuration["prevResult"] = nullptr;
  ExpectError(configuration, CniCode::kInvalidConfiguration, "prevResult is missing");
  configuration["prevResult"] = {{"ips", nlohmann::json::array()}};
  ExpectError(configuration, CniCode::kInvalidConfiguration, "prevResult has no address");
}

TEST(InvocationTest, AResultThatIsNoneIsRefused) {
  nlohmann::json configuration = Configuration();
  const auto with = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json changed = configuration;
    changed["prevResult"][key] = value;
    return changed;
  };
  configuration["prevResult"] = Configuration()["prevResult"];
  ExpectError(with("ips", "10.0.0.7"), CniCode::kInvalidConfiguration, "ips: wants a list");
  ExpectError(with("ips", {4}), CniCode::kInvalidConfiguration, "address ''");
  ExpectError(with("ips", {{{"address", "10.0.0"}}}), CniCode::kInvalidConfiguration, "address '10.0.0'");
  ExpectError(with("ips", {{{"address", 7}}}), CniCode::kInvalidConfiguration, "address: wants a text");
  ExpectError(with("interfaces", 7), CniCode::kInvalidConfiguration, "interfaces: wants a list");
  ExpectError(with("interfaces", {7}), CniCode::kInvalidConfiguration, "interfaces: wants objects");
  configuration["prevResult"] = 7;
  ExpectError(configuration, CniCode::kInvalidConfiguration, "prevResult: wants an object");
}

TEST(InvocationTest, AnEnvironmentThatLacksSomethingIsRefused) {
  const std::string input = Configuration().dump();
  const auto refused = [&](void (*change)(CniEnvironment&), const std::string& words) {
    CniEnvironment environment = Environment("ADD");
    change(environment);
    const CniError error = Error(environment, input);
    EXPECT_EQ(error.code, CniCode::kInvalidEnvironment);
    EXPECT_THAT(error.message, HasSubstr(words));
  };
  refused([](CniEnvironment& one) { one.command.reset(); }, "CNI_COMMAND ''");
  refused([](CniEnvironment& one) { one.command = "add"; }, "CNI_COMMAND 'add'");
  refused([](CniEnvironment& one) { one.container.reset(); }, "CNI_CONTAINERID");
  refused([](CniEnvironment& one) { one.netns.reset(); }, "CNI_NETNS");
  refused([](CniEnvironment& one) { one.interface.reset(); }, "CNI_IFNAME");
  refused([](CniEnvironment& one) { one.arguments.clear(); }, "names no pod");
  refused([](CniEnvironment& one) { one.arguments = "K8S_POD_NAME=a;;=;K8S_POD_NAMESPACE"; }, "names no pod");
}

TEST(InvocationTest, DelNeedsNoNamespaceAndNoResult) {
  CniEnvironment environment = Environment("DEL");
  environment.netns.reset();
  const auto read = ReadInvocation(environment, R"({"cniVersion": "1.0.0"})");
  ASSERT_TRUE(std::holds_alternative<CniInvocation>(read));
  EXPECT_EQ(std::get<CniInvocation>(read).attachment.key, AttachmentKey("c1", "eth0"));
}

TEST(InvocationTest, GcNamesWhatIsValid) {
  nlohmann::json configuration = Configuration("1.1.0");
  ExpectError(configuration, CniCode::kInvalidConfiguration, "valid-attachments", "GC");
  configuration["cni.dev/valid-attachments"] = nlohmann::json::array();
  EXPECT_THAT(Read("GC", configuration).valid, IsEmpty());
  configuration["cni.dev/valid-attachments"] = {{{"containerID", "a"}, {"ifname", "eth0"}}};
  EXPECT_THAT(Read("GC", configuration).valid, ElementsAre(AttachmentKey("a", "eth0")));
  configuration["cni.dev/valid-attachments"] = {7};
  ExpectError(configuration, CniCode::kInvalidConfiguration, "wants objects", "GC");
}

TEST(AttachmentTest, ARequestIsWhatItWas) {
  const PluginRequest request{PluginRequest::Command::kCollect,
                              {{"c", "eth0"}, "web", "front", "u", {Ip("10.0.0.7"), Ip("fd00::7")}},
                              {{"a", "eth0"}, {"b", "net1"}},
                              std::chrono::milliseconds(4800)};
  const auto decoded = DecodeRequest(Encode(request));
  ASSERT_TRUE(std::holds_alternative<PluginRequest>(decoded)) << std::get<std::string>(decoded);
  EXPECT_EQ(std::get<PluginRequest>(decoded), request);
  EXPECT_EQ(DecodeAnswer(EncodeAnswer("")), "");
  EXPECT_EQ(DecodeAnswer(EncodeAnswer("not yet")), "not yet");
}

TEST(AttachmentTest, WhatIsNoRequestAndNoAnswerIsToldOf) {
  const std::string good =
      Encode({PluginRequest::Command::kAdd, {{"c", "eth0"}, "web", "a", "", {Ip("10.0.0.1")}}, {}, {}});
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{good, ""},
                                                                                 {good, "[]"},
                                                                                 {"\"add\"", "\"jump\""},
                                                                                 {"10.0.0.1", "10.0.0"},
                                                                                 {"\"web\"", "7"},
                                                                                 {"[\"c\",", "["}}) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_TRUE(std::holds_alternative<std::string>(DecodeRequest(bad))) << bad;
  }
  for (const char* text : {"", "{}", "7", R"({"error": 7})"}) {
    EXPECT_THAT(DecodeAnswer(text), HasSubstr("no answer of its kind")) << text;
  }
}

TEST(AttachmentTest, WhatIsNoUtf8IsSentAllTheSame) {
  const std::string message = Encode({PluginRequest::Command::kDelete, {{"\xff", "eth0"}, "", "", "", {}}, {}, {}});
  EXPECT_TRUE(std::holds_alternative<PluginRequest>(DecodeRequest(message)));
}

}  // namespace
}  // namespace sluice
