// The plugin with and without somebody at the socket.
#include "cni/plugin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "cni/sync_client.h"
#include "control/temp_folder.h"
#include "sluice-sync/plugin_server.h"

namespace sluice {
namespace {

using testing::HasSubstr;

class PluginTest : public testing::Test {
 protected:
  CniEnvironment Environment(const std::string& command) const {
    return {command, "c1", "/var/run/netns/cni-1", "eth0", "K8S_POD_NAMESPACE=web;K8S_POD_NAME=front"};
  }
  nlohmann::json Configuration(const std::string& version = "1.1.0") const {
    return {{"cniVersion", version},
            {"name", "pods"},
            {"type", "sluice"},
            {"socket", socket_},
            {"bpffs", folder_.path()},
            {"cni.dev/valid-attachments", nlohmann::json::array()},
            {"prevResult", {{"interfaces", {{{"name", "lo"}}}}, {"ips", {{{"address", "10.0.0.7/24"}}}}}}};
  }
  PluginOutcome Run(const std::string& command) const {
    return RunPlugin(Environment(command), Configuration().dump());
  }
  static nlohmann::json ErrorOf(const PluginOutcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 1);
    const auto error = nlohmann::json::parse(outcome.output, nullptr, false);
    EXPECT_TRUE(error.is_object()) << outcome.output;
    return error;
  }
  void Serve(const std::string& answer) {
    std::string error;
    server_ = PluginServer::Start(
        socket_,
        [this, answer](const std::string& request) {
          const std::lock_guard lock(mutex_);
          ++requests_;
          last_ = request;
          return answer;
        },
        error);
    ASSERT_NE(server_, nullptr) << error;
  }

  TempFolder folder_;
  const std::string socket_ = folder_ / "cni.sock";
  std::mutex mutex_;
  int requests_ = 0;
  std::string last_;
  std::unique_ptr<PluginServer> server_;
};

TEST_F(PluginTest, VersionSaysWhatItSpeaksInTheVersionOfTheQuestion) {
  const PluginOutcome outcome = RunPlugin({"VERSION", {}, {}, {}, ""}, R"({"cniVersion": "0.4.0"})");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(nlohmann::json::parse(outcome.output),
            (nlohmann::json{{"cniVersion", "0.4.0"}, {"supportedVersions", {"0.3.1", "0.4.0", "1.0.0", "1.1.0"}}}));
  EXPECT_EQ(nlohmann::json::parse(RunPlugin({"VERSION", {}, {}, {}, ""}, "").output)["cniVersion"], "1.1.0");
}

TEST_F(PluginTest, AnErrorHasItsCodeAndTheVersionOfTheConfiguration) {
  nlohmann::json configuration = Configuration("0.4.0");
  configuration.erase("prevResult");
  const auto error = ErrorOf(RunPlugin(Environment("ADD"), configuration.dump()));
  EXPECT_EQ(error["cniVersion"], "0.4.0");
  EXPECT_EQ(error["code"], 7);
  EXPECT_THAT(error["msg"], HasSubstr("prevResult is missing"));
}

TEST_F(PluginTest, WithoutASocketAddIsToBeTriedAgain) {
  const auto error = ErrorOf(Run("ADD"));
  EXPECT_EQ(error["code"], 11);
  EXPECT_THAT(error["msg"], HasSubstr("cni.sock: No such file"));
  EXPECT_THAT(error["details"], HasSubstr("is sluice-sync running"));
}

TEST_F(PluginTest, WhereNobodyListensAddIsToBeTriedAgain) {
  Serve("");
  server_.reset();  // its socket stays
  const auto error = ErrorOf(Run("ADD"));
  EXPECT_EQ(error["code"], 11);
  EXPECT_THAT(error["msg"], HasSubstr("cni.sock: Connection refused"));
}

TEST_F(PluginTest, ASocketThatMayNotBeOpenedIsAFailure) {
  Serve("");
  const WithoutRootsRights rights(folder_);
  ASSERT_EQ(chmod(socket_.c_str(), 0), 0);
  const auto error = ErrorOf(Run("ADD"));
  EXPECT_EQ(error["code"], 5);
  EXPECT_THAT(error["msg"], HasSubstr("Permission denied"));
}

TEST_F(PluginTest, WhatSyncLacksIsToldAndTriedAgain) {
  Serve(EncodeAnswer("policy is not in force yet: unix:/run/sluice/sluiced.sock is not in step"));
  for (const char* command : {"ADD", "CHECK", "GC"}) {
    const auto error = ErrorOf(Run(command));
    EXPECT_EQ(error["code"], 11);
    EXPECT_THAT(error["msg"], HasSubstr("sluice-sync: policy is not in force yet"));
  }
}

TEST_F(PluginTest, AnAnswerOfAnotherKindIsAFailure) {
  Serve("what?");
  EXPECT_THAT(ErrorOf(Run("ADD"))["msg"], HasSubstr("no answer of its kind"));
}

TEST_F(PluginTest, WithoutHooksAPodDoesNotStart) {
  Serve(EncodeAnswer(""));
  const auto error = ErrorOf(Run("ADD"));
  EXPECT_EQ(error["code"], 11);
  EXPECT_THAT(error["msg"], HasSubstr("is no BPF file system"));
  const auto decoded = DecodeRequest(last_);
  ASSERT_TRUE(std::holds_alternative<PluginRequest>(decoded));
  EXPECT_EQ(std::get<PluginRequest>(decoded).attachment.name, "front");
}

TEST_F(PluginTest, StatusSaysThatItIsNotAvailable) {
  const auto error = ErrorOf(Run("STATUS"));
  EXPECT_EQ(error["code"], 50);
  EXPECT_THAT(error["msg"], HasSubstr("is no BPF file system"));
}

TEST_F(PluginTest, ANetworkWithoutAHostSideIsRefused) {
  nlohmann::json configuration = Configuration();
  configuration["prevResult"]["interfaces"] = {{{"name", "eth0"}, {"sandbox", "/var/run/netns/cni-1"}}};
  const auto error = ErrorOf(RunPlugin(Environment("ADD"), configuration.dump()));
  EXPECT_EQ(error["code"], 7);
  EXPECT_THAT(error["details"], HasSubstr("macvlan"));
}

TEST_F(PluginTest, DelSucceedsWhateverIsWrong) {
  const auto succeeds = [](const PluginOutcome& outcome) { return outcome.exit_code == 0 && outcome.output.empty(); };
  EXPECT_TRUE(succeeds(Run("DEL")));
  for (const char* input : {"", "{", "[]", R"({"cniVersion": "9.9.9"})", R"({"cniVersion": "1.0.0", "socket": 4})"}) {
    EXPECT_TRUE(succeeds(RunPlugin(Environment("DEL"), input))) << input;
  }
  EXPECT_TRUE(succeeds(RunPlugin({"DEL", {}, {}, {}, ""}, "")));
  Serve(EncodeAnswer("no"));
  EXPECT_TRUE(succeeds(Run("DEL")));
  EXPECT_EQ(requests_, 1);
  server_.reset();
  Serve("what?");
  EXPECT_TRUE(succeeds(Run("DEL")));
}

TEST_F(PluginTest, ASyncThatSaysNothingIsGivenUpInTime) {
  const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  socket_.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  const auto begun = std::chrono::steady_clock::now();
  const auto error = AskSync(socket_, {}, begun + std::chrono::milliseconds(300));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, CniCode::kTryAgainLater);
  EXPECT_THAT(error->message, HasSubstr("no answer in time"));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(290));
  close(listener);
}

TEST_F(PluginTest, TheSocketIsRootsAlone) {
  Serve("");
  struct stat status {};
  ASSERT_EQ(stat(socket_.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(PluginTest, ASocketThatAnEarlierRunLeftIsReplaced) {
  Serve(EncodeAnswer("first"));
  server_.reset();
  Serve(EncodeAnswer("second"));
  EXPECT_THAT(ErrorOf(Run("GC"))["msg"], HasSubstr("second"));
}

TEST_F(PluginTest, APathThatCannotBeASocketsIsRefused) {
  EXPECT_THAT(CheckSocketPath("cni.sock"), HasSubstr("begins with /"));
  EXPECT_THAT(CheckSocketPath('/' + std::string(120, 'a')), HasSubstr("too long"));
  folder_.Write("file", "");
  EXPECT_THAT(CheckSocketPath(folder_ / "file"), HasSubstr("no socket"));
  std::string error;
  const auto nothing = [](const std::string&) { return std::string(); };
  EXPECT_EQ(PluginServer::Start(folder_ / "none/cni.sock", nothing, error), nullptr);
  EXPECT_THAT(error, HasSubstr("No such file"));
}

TEST_F(PluginTest, ManyAreAnsweredAtOnce) {
  constexpr int kClients = 400;
  Serve(EncodeAnswer(""));
  std::atomic<int> done = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back(
        [&] { done += !AskSync(socket_, {}, std::chrono::steady_clock::now() + std::chrono::seconds(60)); });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(done, kClients);
  EXPECT_EQ(requests_, kClients);
}

}  // namespace
}  // namespace sluice
