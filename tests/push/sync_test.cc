// sluice-sync as an operator runs it, between a folder of manifests and a dataplane.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <re2/re2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "kube/process.h"
#include "push/page.h"
#include "push/push_server.h"
#include "support/places.h"

namespace sluice {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kWeb = R"(apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: n1}
status: {podIP: 10.0.0.1}
)";

std::string PolicyText(const std::string& port) {
  return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: shop}\n"
         "spec: {podSelector: {}, ingress: [{ports: [{port: " +
         port + "}]}]}\n";
}

class SyncTest : public testing::Test {
 protected:
  SyncTest() {
    std::filesystem::create_directory(folder_ / "manifests");
    Write("web.yaml", kWeb);
    Write("policy.yaml", PolicyText("80"));
  }

  void Write(const std::string& name, const std::string& text) const {
    WriteFile(folder_ / ("manifests/" + name), text);
  }
  std::string Target() const { return "unix:" + (folder_ / "sluiced.sock"); }
  std::string Url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  std::string Log() const {
    std::ostringstream text;
    text << std::ifstream(folder_ / "log").rdbuf();
    return text.str();
  }

  void Start(std::vector<std::string> more = {}) {
    std::vector<std::string> command = {
        BuiltProgram("sluice-sync"),         "--manifests", folder_ / "manifests", "--target", Target(), "--http",
        "127.0.0.1:" + std::to_string(port_)};
    command.insert(command.end(), more.begin(), more.end());
    ASSERT_TRUE(sync_.Start(command, folder_ / "log"));
  }

  // The exit code of --check-config.
  int Check(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"/bin/sh", "-c", "exec \"$@\" >>'" + (folder_ / "log") + "' 2>&1", "sh",
                                 BuiltProgram("sluice-sync"), "--check-config"});
    return RunCommand(flags);
  }

  // The ingress of the policy admits this port.
  bool Admits(std::uint16_t port) {
    return server_.WaitUntil([port](const ResolvedPolicy& policy) {
      for (const Section& section : policy.sections) {
        for (const Rule& rule : section.rules) {
          for (const PortRange& range : rule.ports) {
            if (range.first == port) return true;
          }
        }
      }
      return false;
    });
  }
  // What /readyz comes to say.
  bool Readiness(long status, const std::string& text) {
    for (int i = 0; i < 500; ++i) {
      const Page page = GetPage(Url("/readyz"));
      if (page.status == status && page.text.find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  TempFolder folder_;
  int port_ = FreePort();
  PushServer server_{Target()};
  Process sync_;
};

TEST_F(SyncTest, AnEditedManifestReachesTheDataplane) {
  server_.Start();
  Start();
  ASSERT_TRUE(Admits(80)) << Log();
  Write("policy.yaml", PolicyText("81"));
  EXPECT_TRUE(Admits(81)) << Log();
  std::filesystem::remove(folder_ / "manifests/policy.yaml");
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return policy.sections.empty(); })) << Log();
  EXPECT_EQ(server_.full_states(), 1);
}

TEST_F(SyncTest, NP_16_ABrokenManifestLeavesTheLastGoodPolicyInForce) {
  server_.Start();
  Start();
  ASSERT_TRUE(Admits(80)) << Log();
  Write("policy.yaml", PolicyText("70000"));
  Write("late.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: late, namespace: shop}\nstatus: {podIP: 10.0.0.2}\n");
  ASSERT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) { return policy.endpoints.size() == 2; })) << Log();
  EXPECT_TRUE(Admits(80));
  EXPECT_THAT(Log(), HasSubstr("NetworkPolicy shop/web"));
  std::string metrics;
  for (int i = 0; i < 250 && metrics.find("sluice_sync_refused_objects_total{") == std::string::npos; ++i) {
    metrics = GetPage(Url("/metrics")).text;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(metrics, HasSubstr("sluice_sync_refused_objects_total{kind=\"NetworkPolicy\"} 1"));
}

TEST_F(SyncTest, NP_16_AManifestThatCannotBeReadAtAStartKeepsEverythingAsItIsUntilItCan) {
  server_.Start();
  Write("broken.yaml", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: [\n");
  Start();
  ASSERT_TRUE(Readiness(503, "")) << Log();
  for (int i = 0; i < 500 && Log().find("nothing is pushed until") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(Log(), HasSubstr("broken.yaml is to bind"));
  EXPECT_EQ(server_.full_states(), 0);
  Write("broken.yaml", PolicyText("81"));
  std::filesystem::remove(folder_ / "manifests/policy.yaml");
  EXPECT_TRUE(Admits(81)) << Log();
}

TEST_F(SyncTest, ALinkAboveTheManifestsThatIsSwappedReachesTheDataplane) {
  namespace fs = std::filesystem;
  fs::remove(folder_ / "manifests/policy.yaml");
  for (const std::string port : {"80", "81"}) {
    fs::create_directories(folder_ / ("rel/" + port + "/policies"));
    WriteFile(folder_ / ("rel/" + port + "/policies/policy.yaml"), PolicyText(port));
  }
  fs::create_directory_symlink("80", folder_ / "rel/current");
  server_.Start();
  Start({"--manifests", folder_ / "rel/current/policies"});
  ASSERT_TRUE(Admits(80)) << Log();
  fs::create_directory_symlink("81", folder_ / "rel/next");
  fs::rename(folder_ / "rel/next", folder_ / "rel/current");
  EXPECT_TRUE(Admits(81)) << Log();
}

TEST_F(SyncTest, IsReadyWhileTheDataplaneIsInStep) {
  Start();
  ASSERT_TRUE(Readiness(503, "is not in step")) << Log();
  EXPECT_EQ(GetPage(Url("/healthz")).status, 200);
  server_.Start();
  EXPECT_TRUE(Readiness(200, "ready")) << Log();
  server_.Stop();
  EXPECT_TRUE(Readiness(503, "is not in step")) << Log();
}

TEST_F(SyncTest, ReadinessTellsWhatADataplaneRefused) {
  server_.RefuseWhere([](const ResolvedPolicy& policy) -> std::optional<Diagnostic> {
    for (const Section& section : policy.sections) {
      if (!section.rules.empty()) return Diagnostic{Severity::kError, "", 0, "policy shop/web", "", "has no room"};
    }
    return std::nullopt;
  });
  server_.Start();
  Start();
  EXPECT_TRUE(Readiness(200, "ready\n" + Target() + ": policy shop/web is held back: has no room\n")) << Log();
  EXPECT_TRUE(server_.WaitUntil([](const ResolvedPolicy& policy) {
    return !policy.sections.empty() && policy.sections.begin()->held == "has no room";
  }));
}

TEST_F(SyncTest, ConnectionsThatAskNothingDoNotKeepOutAProbe) {
  Start();
  ASSERT_TRUE(Readiness(503, "is not in step")) << Log();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> idle(16);
  for (int& socket_fd : idle) {
    socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_TRUE(Readiness(503, "is not in step"));
  for (const int socket_fd : idle) close(socket_fd);
}

TEST_F(SyncTest, TellsPrometheusHowLongAChangeTook) {
  server_.Start();
  Start();
  ASSERT_TRUE(Admits(80)) << Log();
  Write("policy.yaml", PolicyText("81"));
  ASSERT_TRUE(Admits(81)) << Log();
  std::string metrics;
  const std::string applied = "sluice_sync_batches_total{kind=\"update\",target=\"" + Target() + "\"} 1";
  for (int i = 0; i < 250 && metrics.find(applied) == std::string::npos; ++i) {
    metrics = GetPage(Url("/metrics")).text;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_THAT(metrics, HasSubstr("sluice_sync_received_to_live_seconds_count{target=\"" + Target() + "\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("sluice_sync_objects{resource=\"pods\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("sluice_sync_connected{target=\"" + Target() + "\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("sluice_sync_behind_seconds{target=\"" + Target() + "\"} 0\n"));
  EXPECT_THAT(LintMetrics(metrics), IsEmpty());
}

// Each broken in one way.
TEST(Lint, FindsWhatPrometheusWouldNotLike) {
  const std::string good =
      "# HELP sluice_sync_a_total Words of help\n# TYPE sluice_sync_a_total counter\nsluice_sync_a_total 1\n";
  EXPECT_THAT(LintMetrics(good), IsEmpty());
  const std::pair<const char*, const char*> broken[] = {{"_total", ""},
                                                        {"Words of help", ""},
                                                        {"help", "help."},
                                                        {" counter", " gauge"},
                                                        {"sluice_sync", "sync"},
                                                        {"# TYPE sluice_sync_a_total counter\n", ""},
                                                        {"_total 1", "_total{A=\"\"} 1"},
                                                        {"_a_", "_a_ms_"}};
  for (const auto& [from, to] : broken) {
    std::string page = good;
    RE2::GlobalReplace(&page, from, to);
    EXPECT_THAT(LintMetrics(page), Not(IsEmpty())) << from << " to " << to;
  }
  EXPECT_THAT(LintMetrics(good + "sluice_sync_a_total 2\n"), Not(IsEmpty()));
  EXPECT_THAT(LintMetrics(""), Not(IsEmpty()));
}

TEST_F(SyncTest, KilledAndStartedAgainItBringsTheDataplaneIntoStep) {
  server_.Start();
  Start();
  ASSERT_TRUE(Admits(80)) << Log();
  sync_.Kill();
  Write("policy.yaml", PolicyText("82"));
  Start();
  EXPECT_TRUE(Admits(82)) << Log();
  EXPECT_EQ(server_.full_states(), 2);
}

TEST_F(SyncTest, ANodeGetsWhatItsPodsNeed) {
  Write("other.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: other, namespace: shop}\nspec: {nodeName: n2}\n"
        "status: {podIP: 10.0.0.2}\n");
  server_.Start();
  Start({"--node", "n1"});
  ASSERT_TRUE(Admits(80)) << Log();
  EXPECT_TRUE(server_.WaitUntil(
      [](const ResolvedPolicy& policy) { return policy.endpoints.size() == 1 && policy.endpoints[0].name == "web"; }));
}

TEST_F(SyncTest, BadInputEndsWithTwo) {
  EXPECT_EQ(RunCommand({BuiltProgram("sluice-sync"), "--manifests", "/no/such/folder"}), 2);
  EXPECT_EQ(
      RunCommand({BuiltProgram("sluice-sync"), "--manifests", folder_ / "manifests", "--target", "10.0.0.1:7777"}), 2);
  EXPECT_EQ(RunCommand({BuiltProgram("sluice-sync"), "--kubeconfig", "/no/such/file"}), 2);
  WriteFile(folder_ / "config", "targets: [unix:/tmp/a]\n");
  EXPECT_EQ(RunCommand({BuiltProgram("sluice-sync"), "--config", folder_ / "config"}), 2);
  EXPECT_EQ(RunCommand({BuiltProgram("sluice-sync"), "--help"}), 0);
}

TEST_F(SyncTest, CheckConfigTellsOfAllThatWouldStopAStart) {
  const std::string config = folder_ / "config";
  WriteFile(config, R"(kubeconfig: /nonexistent/kubeconfig
target:
  - unix:/run/sluice/sluiced.sock
  - 10.0.0.256:7777
  - "[::1]:7777"
  - 10.0.0.1:7777
  - 10.0.0.1:7777
tls:
  certificate: /nonexistent/sync.pem
  key: /nonexistent/sync.key
  ca: /nonexistent/ca.pem
http: 192.0.2.7:9464
log_level: loud
)");
  EXPECT_EQ(Check({"--config", config}), 2);
  for (const char* line : {":1: error: kubeconfig: '/nonexistent/kubeconfig' cannot be read: No such file",
                           ":4: error: target[1]: '10.0.0.256:7777': wants unix:PATH or HOST:PORT",
                           ":7: error: target[4]: '10.0.0.1:7777': named twice",
                           ":9: error: tls.certificate: certificate '/nonexistent/sync.pem' cannot be read",
                           ":12: error: http: '192.0.2.7:9464': '192.0.2.7' is no address of this host",
                           ":13: error: log_level: 'loud': wants debug"}) {
    EXPECT_THAT(Log(), HasSubstr(config + line));
  }
  const std::string log = Log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 6) << log;
}

TEST_F(SyncTest, ASocketForThePluginWantsANodeAndAPath) {
  const std::vector<std::string> manifests = {"--manifests", folder_ / "manifests"};
  const auto check = [&](std::vector<std::string> flags) {
    flags.insert(flags.end(), manifests.begin(), manifests.end());
    return Check(flags);
  };
  EXPECT_EQ(check({"--node", "n1", "--socket", folder_ / "cni.sock"}), 0) << Log();
  EXPECT_EQ(check({"--socket", folder_ / "cni.sock"}), 2);
  EXPECT_THAT(Log(), HasSubstr("--socket: wants node"));
  EXPECT_EQ(check({"--node", "n1", "--socket", "cni.sock"}), 2);
  EXPECT_THAT(Log(), HasSubstr("--socket: 'cni.sock': wants a path that begins with /"));
  EXPECT_EQ(check({"--node", "n1", "--socket", folder_ / "manifests"}), 2);
  EXPECT_THAT(Log(), HasSubstr("no socket"));
}

TEST_F(SyncTest, AKeyThatIsSpelledLikeAFlagIsToldItsName) {
  const std::string config = folder_ / "config";
  WriteFile(config, "log-level: info\ntls-ca: /ca\nloglevel: info\ntls: yes\nhttp: 1\nhttp: 2\n");
  EXPECT_EQ(Check({"--config", config}), 2);
  for (const char* line : {":1: error: log-level: is no key; did you mean log_level?",
                           ":2: error: tls-ca: is no key; did you mean tls.ca?",
                           ":3: error: loglevel: is no key; docs/tools.md lists them",
                           ":4: error: tls: wants a mapping with certificate, key and ca",
                           ":6: error: http: is given twice; remove one"}) {
    EXPECT_THAT(Log(), HasSubstr(config + line));
  }
}

TEST_F(SyncTest, CheckConfigNamesTheFlagThatReplacesAKey) {
  const std::string config = folder_ / "config";
  WriteFile(config, "manifests: [/nonexistent]\n");
  EXPECT_EQ(Check({"--config", config, "--manifests", folder_ / "manifests"}), 0) << Log();
  EXPECT_EQ(Check({"--config", config, "--manifests", "/elsewhere", "--http", "x"}), 2);
  EXPECT_THAT(Log(), HasSubstr("sluice-sync: --manifests: '/elsewhere' cannot be read: No such file or directory\n"
                               "sluice-sync: --http: 'x' is no address"));
}

TEST_F(SyncTest, AConfigurationFileSaysWhatFlagsSay) {
  WriteFile(folder_ / "config", "manifests: " + (folder_ / "manifests") + "\ntarget:\n  - " + Target() + "\n");
  server_.Start();
  ASSERT_TRUE(sync_.Start({BuiltProgram("sluice-sync"), "--config", folder_ / "config"}, folder_ / "log"));
  EXPECT_TRUE(Admits(80)) << Log();
}

}  // namespace
}  // namespace sluice
