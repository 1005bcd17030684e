// What is presented to the API server while tokens, certificates and plugins' answers are renewed.
#include "kube/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <thread>

#include "kube/exec_plugin.h"
#include "kube/process.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;

class CredentialsTest : public testing::Test {
 protected:
  // Of a plugin that counts them.
  int Runs() const {
    std::ifstream runs(folder_ / "runs");
    return static_cast<int>(std::count(std::istreambuf_iterator<char>(runs), std::istreambuf_iterator<char>(), '\n'));
  }

  TempFolder folder_;
  KubeAccess access_;
  std::string why_;
};

std::string At(std::time_t time) {
  std::tm utc = {};
  gmtime_r(&time, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

TEST_F(CredentialsTest, RotatedTokenIsReadAndAMissingOneIsRemembered) {
  access_.user.token_file = folder_ / "token";
  Credentials credentials(access_);
  EXPECT_FALSE(credentials.Get(why_));
  EXPECT_THAT(why_, HasSubstr("tokenFile"));
  WriteFile(folder_ / "token", "one\n");
  EXPECT_EQ(credentials.Get(why_)->token, "one");
  WriteFile(folder_ / "token", "two\n");
  EXPECT_EQ(credentials.Get(why_)->token, "two");
  WriteFile(folder_ / "token", "\n");
  EXPECT_EQ(credentials.Get(why_)->token, "two") << "an empty one is just being written";
  ASSERT_EQ(RunCommand({"/bin/rm", folder_ / "token"}), 0);
  EXPECT_EQ(credentials.Get(why_)->token, "two");
}

TEST_F(CredentialsTest, TokenOfTwoLinesIsNotSent) {
  access_.user.token_file = folder_ / "token";
  WriteFile(folder_ / "token", "one\r\nX-Remote-User: admin\n");
  EXPECT_FALSE(Credentials(access_).Get(why_));
  EXPECT_THAT(why_, HasSubstr("one line"));
}

TEST_F(CredentialsTest, EmptyAuthorityFileDoesNotMeanTheSystemsAuthorities) {
  access_.server.ca.file = folder_ / "ca.crt";
  WriteFile(folder_ / "ca.crt", "");
  EXPECT_FALSE(Credentials(access_).Get(why_));
  EXPECT_THAT(why_, HasSubstr("certificate-authority is empty: " + (folder_ / "ca.crt")));
}

// A plugin that counts its runs in its tokens.
ExecPlugin Counting(const TempFolder& folder, const std::string& expiry) {
  WriteFile(folder / "plugin.sh",
            "cd " + folder.path() +
                "; echo x >>runs\nprintf '%s' \"$KUBERNETES_EXEC_INFO\" >info\n"
                "printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{"
                "\"token\":\"run%s\",\"expirationTimestamp\":\"" +
                expiry + "\"}}' \"$(wc -l <runs)\"\n");
  return {"client.authentication.k8s.io/v1", "sh", {folder / "plugin.sh"}, {}, "", true};
}

TEST_F(CredentialsTest, PluginIsAskedOnceUntilItsAnswerExpiresOrIsRefused) {
  access_.server.url = "https://a";
  access_.user.exec = Counting(folder_, "2999-01-01T00:00:00+01:00");
  Credentials credentials(access_, milliseconds(0));
  EXPECT_EQ(credentials.Get(why_)->token, "run1") << why_;
  EXPECT_EQ(credentials.Get(why_)->token, "run1");
  credentials.Reject();
  EXPECT_EQ(credentials.Get(why_)->token, "run2");
  access_.user.exec = Counting(folder_, "2020-01-01T00:00:00Z");
  Credentials expiring(access_, milliseconds(0));
  EXPECT_EQ(expiring.Get(why_)->token, "run3");
  EXPECT_EQ(expiring.Get(why_)->token, "run4");
  std::string info;
  ASSERT_EQ(RunCommand({"/bin/grep", "-q", R"("cluster":{"server":"https://a"})", folder_ / "info"}), 0);
}

TEST_F(CredentialsTest, PluginThatFailsRestsBeforeItsNextRun) {
  access_.user.exec = ExecPlugin{
      "client.authentication.k8s.io/v1", "sh", {"-c", "echo x >>" + (folder_ / "runs") + "; exit 3"}, {}, "", false};
  Credentials credentials(access_, std::chrono::hours(1));
  for (int request = 0; request < 4; ++request) {
    why_.clear();
    EXPECT_FALSE(credentials.Get(why_));
    EXPECT_THAT(why_, HasSubstr("exit 3"));
  }
  EXPECT_EQ(Runs(), 1);
}

TEST_F(CredentialsTest, PluginWhoseAnswersAreRefusedRestsBeforeItsNextRun) {
  access_.user.exec = Counting(folder_, "2999-01-01T00:00:00Z");
  Credentials credentials(access_, std::chrono::hours(1));
  for (int request = 0; request < 4; ++request) {
    EXPECT_EQ(credentials.Get(why_)->token, "run1") << why_;
    credentials.Reject();
  }
  EXPECT_EQ(Runs(), 1);
}

TEST_F(CredentialsTest, PluginThatFailsLeavesTheCredentialThatLasts) {
  // Within the margin before its end (10 s) the plugin is asked for another one, in vain.
  access_.user.exec = Counting(folder_, At(std::time(nullptr) + 9));
  Credentials ending(access_, milliseconds(0));
  EXPECT_EQ(ending.Get(why_)->token, "run1") << why_;
  WriteFile(folder_ / "plugin.sh", "exit 3\n");
  const auto identity = ending.Get(why_);
  ASSERT_TRUE(identity) << why_;
  EXPECT_EQ(identity->token, "run1");
  ending.Reject();
  EXPECT_FALSE(ending.Get(why_)) << "what the API server refused is given up for what the plugin says";
}

struct BadPlugin {
  const char* script;
  const char* said;
};

class ExecPluginTest : public testing::TestWithParam<BadPlugin> {};

TEST_P(ExecPluginTest, ThatDoesNotAnswerSaysWhy) {
  const ExecPlugin plugin{"client.authentication.k8s.io/v1", "sh", {"-c", GetParam().script}, {}, "", false};
  std::string why;
  EXPECT_FALSE(RunExecPlugin(plugin, {}, milliseconds(500), why));
  EXPECT_THAT(why, HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    Scripts, ExecPluginTest,
    testing::Values(
        BadPlugin{"exit 3", "failed: exit 3"}, BadPlugin{"kill -9 $$", "killed"},
        BadPlugin{"echo hello", "printed no ExecCredential"}, BadPlugin{"exec sleep 20", "did not end within 500 ms"},
        BadPlugin{"exec >&-; exec sleep 20", "did not end within 500 ms"},
        BadPlugin{"sleep 20 & sleep 20", "did not end within 500 ms"},
        BadPlugin{"yes | head -c 2000000", "did not end"},
        BadPlugin{R"(echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}')",
                  "of another apiVersion"},
        BadPlugin{R"(echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{}}')",
                  "printed neither status.token"}));

TEST(ExecPlugin, IsKilledWithAllThatItStartedWhenItIsLate) {
  const TempFolder folder;
  const std::string child = folder / "child";
  const ExecPlugin plugin{
      "client.authentication.k8s.io/v1", "sh", {"-c", "sleep 60 & echo $! >" + child + "; wait"}, {}, "", false};
  std::string why;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(RunExecPlugin(plugin, {}, milliseconds(3000), why));
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(20'000));
  pid_t pid = 0;
  ASSERT_TRUE(std::ifstream(child) >> pid);
  // It is init's to reap now; a zombie is as dead as one that is gone.
  const auto lives = [pid] {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    return static_cast<bool>(stat >> number >> name >> state) && state != "Z" && state != "X";
  };
  for (int i = 0; i < 500 && lives(); ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_FALSE(lives());
}

TEST(ExecPlugin, HasTheSignalsThatAProgramExpects) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const ExecPlugin plugin{"client.authentication.k8s.io/v1", "sh", {"-c", "kill -TERM $$; exit 0"}, {}, "", false};
  std::string why;
  EXPECT_FALSE(RunExecPlugin(plugin, {}, milliseconds(5000), why));
  EXPECT_THAT(why, HasSubstr("killed"));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(ExecPluginMissing, SaysHowToInstallIt) {
  const ExecPlugin plugin{"client.authentication.k8s.io/v1", "no-such-program", {}, {}, "get it from the shelf", false};
  std::string why;
  EXPECT_FALSE(RunExecPlugin(plugin, {}, milliseconds(500), why));
  EXPECT_THAT(why, AllOf(HasSubstr("no-such-program cannot be run"), HasSubstr("get it from the shelf")));
}

}  // namespace
}  // namespace sluice
