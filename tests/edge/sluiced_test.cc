// The program as its operator meets it: start, refusals, swaps, signals, devices that go.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "edge/capture_file.h"
#include "edge/daemon.h"
#include "support/packet_builder.h"

namespace sluice {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kPodAndPolicy[] = R"(
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: a, labels: {app: p}}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns, namespace: a}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  egress:
    - ports: [{protocol: UDP, port: 53}]
)";

ByteVector Query(std::uint16_t port) {
  return PacketBuilder().Ethernet().Ipv4("10.0.0.1", "192.0.2.1").Udp(1000, port).Payload(20).Bytes();
}
ByteVector Answer() {
  return PacketBuilder().Ethernet().Ipv4("192.0.2.1", "10.0.0.1").Udp(53, 1000).Payload(20).Bytes();
}

class SluicedTest : public testing::Test {
 protected:
  int Run(std::vector<std::string> arguments) {
    Daemon daemon(folder_, "run", std::move(arguments));
    const int code = daemon.Wait();
    output_ = daemon.output();
    errors_ = daemon.errors();
    return code;
  }

  TestFolder folder_;
  std::string output_;
  std::string errors_;
};

TEST_F(SluicedTest, CaptureInCaptureOutHoldsWhatThePolicyAllows) {
  WriteCapture(folder_ / "pods.pcap", {Query(53), Query(80), PacketBuilder().Ethernet().Arp().Bytes()});
  WriteCapture(folder_ / "world.pcap", {});
  folder_.Write("policy.yaml", kPodAndPolicy);
  Daemon daemon(folder_, "sluiced",
                {"--wire",
                 "pcap:" + folder_ / "pods.pcap" + ":" + folder_ / "to_pods.pcap" + ",pcap:" + folder_ / "world.pcap" +
                     ":" + folder_ / "to_world.pcap",
                 "--manifests", folder_ / "policy.yaml"});
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
  ASSERT_TRUE(daemon.WaitForSummary("verdicts: 2 forward, 1 drop, 0 reject")) << daemon.errors();
  daemon.Signal(SIGTERM);
  EXPECT_EQ(daemon.Wait(), 0);
  EXPECT_EQ(daemon.output(), "ready\n");
  EXPECT_THAT(ReadCapture(folder_ / "to_world.pcap"), ElementsAre(Query(53), PacketBuilder().Ethernet().Arp().Bytes()));
  EXPECT_THAT(ReadCapture(folder_ / "to_pods.pcap"), IsEmpty());
  // The summary at the end names reason and rule.
  EXPECT_THAT(daemon.errors(), ContainsRegex("policy_denied +1 "));
  EXPECT_THAT(daemon.errors(), ContainsRegex("a/dns egress\\[0\\] +allow +1 +62 "));
  EXPECT_THAT(daemon.errors(), ContainsRegex("a/dns egress default +deny +1 +62 "));
}

TEST_F(SluicedTest, WithoutManifestsNoIpPasses) {
  WriteCapture(folder_ / "in.pcap", {Query(53), Answer()});
  Daemon daemon(folder_, "sluiced", {"--wire", "pcap:" + folder_ / "in.pcap" + ",null"});
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
  EXPECT_TRUE(daemon.WaitForSummary("verdicts: 0 forward, 2 drop, 0 reject")) << daemon.errors();
  EXPECT_THAT(daemon.errors(), AllOf(HasSubstr("no policy: all IP is dropped"), ContainsRegex("no_policy +2 ")));
}

TEST_F(SluicedTest, BadInputExitsWith2AndNamesIt) {
  const std::string config = folder_.Write("bad.yaml", "tcp_strikt: true\n");
  EXPECT_EQ(Run({"--config", config, "--check-config"}), 2);
  EXPECT_THAT(errors_, HasSubstr(config + ":1: error: tcp_strikt: no such key; did you mean tcp_strict?"));
  EXPECT_EQ(Run({"--wire", "nonsense,null"}), 2);
  EXPECT_THAT(errors_, HasSubstr("device 'nonsense': no such kind"));
  EXPECT_EQ(Run({}), 2);
  EXPECT_THAT(errors_, HasSubstr("no wire"));
  EXPECT_EQ(Run({"--wire", "null,null", "--manifests", "/nonexistent"}), 2);
  EXPECT_EQ(errors_, "sluiced: --manifests: '/nonexistent' cannot be read: No such file or directory\n");
  EXPECT_EQ(Run({"--wire", "null,null", "--cores", "1-0"}), 2);
  EXPECT_THAT(errors_, HasSubstr("--cores '1-0'"));
  EXPECT_EQ(Run({"--no-such-flag"}), 2);
  EXPECT_THAT(errors_, HasSubstr("--no-such-flag"));
}

TEST_F(SluicedTest, FlagsOverrideTheFile) {
  const std::string config = folder_.Write("sluiced.yaml", "wires: [[af_packet:nosuchiface, null]]\ncores: 0\n");
  Daemon daemon(folder_, "sluiced", {"--config", config, "--wire", "null,null"});
  EXPECT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
}

TEST_F(SluicedTest, FineConfigurationIsSaidToBeFine) {
  const std::string config = folder_.Write("sluiced.yaml",
                                           "wires: [[af_packet:lo, null]]\nlisten: ['0.0.0.0:7777']\n"
                                           "insecure: true\ncores: 0\nstate: " +
                                               folder_ / "later/state" + '\n');
  EXPECT_EQ(Run({"--config", config, "--check-config"}), 0) << errors_;
  EXPECT_EQ(output_, config + ": fine\n");
  EXPECT_EQ(Run({"--config", config, "--check-config", "--wire", "null,ring", "--listen", "127.0.0.1:0"}), 0)
      << errors_;
}

TEST_F(SluicedTest, CheckConfigTellsOfAllThatWouldStopAStart) {
  const std::string config = folder_.Write("sluiced.yaml", R"(wires:
  - - af_packet:nosuchiface
    - pcap:/nonexistent/in.pcap
  - - {device: "memif:/nonexistent/memif.sock", role: server}
    - "0000:ff:1f.7"
  - [tap:one, tap:one]
  - [nonsense, null]
manifests: [/nonexistent]
listen:
  - unix:/proc/version/sluiced.sock
  - 192.0.2.7:7777
  - 10.0.0.256:7777
tls:
  certificate: /nonexistent/certificate.pem
  key: /nonexistent/key.pem
  client_ca: /nonexistent/ca.pem
cores: [0, 4000]
http: 10.0.0.1.2:9465
state: /proc/version/state
dns:
  resolvers: [10.96.0.10, coredns]
)");
  EXPECT_EQ(Run({"--config", config, "--check-config"}), 2);
  for (const char* line :
       {":2: error: wires[0][0]: device 'af_packet:nosuchiface': no such interface",
        ":3: error: wires[0][1]: device 'pcap:/nonexistent/in.pcap': '/nonexistent/in.pcap' cannot be read: No such "
        "file",
        ":4: error: wires[1][0]: device 'memif:/nonexistent/memif.sock': folder '/nonexistent/' cannot be written",
        ":5: error: wires[1][1]: device '0000:ff:1f.7': there is no such PCI device",
        ":6: error: wires[2][1]: device 'tap:one': is wires[2][0] already",
        ":7: error: wires[3][0]: device 'nonsense': no such kind",
        ":8: error: manifests[0]: '/nonexistent' cannot be read: No such file",
        ":10: error: listen[0]: 'unix:/proc/version/sluiced.sock': '/proc/version' is no folder",
        ":11: error: listen[1]: '192.0.2.7:7777': '192.0.2.7' is no address of this host",
        ":12: error: listen[2]: '10.0.0.256:7777': wants unix:PATH or HOST:PORT",
        ":14: error: tls.certificate: certificate '/nonexistent/certificate.pem' cannot be read: No such file",
        ":17: error: cores: core 4000: this process may use ", ":18: error: http: '10.0.0.1.2:9465' is no address",
        ":19: error: state: '/proc/version' is no folder",
        ":21: error: dns.resolvers[1]: wants an address, or NAMESPACE/LABEL=VALUE such as "
        "kube-system/k8s-app=kube-dns, not 'coredns'"}) {
    EXPECT_THAT(errors_, HasSubstr(config + line));
  }
  EXPECT_EQ(std::count(errors_.begin(), errors_.end(), '\n'), 15) << errors_;
  EXPECT_EQ(output_, "");
}

TEST_F(SluicedTest, CheckConfigTellsOfAnEmptyFile) {
  const std::string config = folder_.Write("sluiced.yaml", "");
  EXPECT_EQ(Run({"--config", config, "--check-config"}), 2);
  EXPECT_EQ(
      errors_,
      config +
          ": error: no wire: give --wire DEV1,DEV2 or --wire hooks, or the key wires in the configuration file (see "
          "--help)\n");
  EXPECT_EQ(Run({"--config", config, "--check-config", "--wire", "null,null"}), 0) << errors_;
}

TEST_F(SluicedTest, CheckConfigNamesTheLineOfAMappingThatIsNotWhole) {
  const std::string config =
      folder_.Write("sluiced.yaml", "wires: [[null, null]]\ntls:\n  certificate: /c.pem\n  key: /k.pem\n");
  EXPECT_EQ(Run({"--config", config, "--check-config"}), 2);
  EXPECT_THAT(errors_, HasSubstr(config + ":3: error: tls: wants all of certificate, key and client_ca"));
}

TEST_F(SluicedTest, TheLogLevelMayBeAFlag) {
  EXPECT_EQ(Run({"--wire", "null,null", "--check-config", "--log-level", "error"}), 0) << errors_;
  EXPECT_EQ(Run({"--wire", "null,null", "--check-config", "--log-level", "loud"}), 2);
  EXPECT_EQ(errors_, "sluiced: --log-level 'loud': wants debug, info, warning or error\n");
}

TEST_F(SluicedTest, CheckConfigNamesTheFlagThatReplacesAKey) {
  const std::string config = folder_.Write("sluiced.yaml", "wires: [[null, null]]\n");
  EXPECT_EQ(Run({"--config", config, "--check-config", "--wire", "af_packet:nosuchiface,null"}), 2);
  EXPECT_THAT(errors_, HasSubstr("sluiced: --wire: device 'af_packet:nosuchiface': no such interface"));
}

TEST_F(SluicedTest, SecondOneOnTheSameDeviceIsRefusedAndTheFirstGoesOn) {
  WriteCapture(folder_ / "in.pcap", {});
  const std::string wire = "pcap:" + folder_ / "in.pcap" + ":" + folder_ / "out.pcap" + ",null";
  Daemon first(folder_, "first", {"--wire", wire});
  ASSERT_TRUE(first.WaitUntilReady()) << first.errors();
  EXPECT_EQ(Run({"--wire", wire}), 1);
  EXPECT_THAT(errors_, HasSubstr("another sluiced, or another wire of this one, has it"));
  first.Signal(SIGTERM);
  EXPECT_EQ(first.Wait(), 0);
}

TEST_F(SluicedTest, MoreFlowsThanMemoryIsRefusedByName) {
  constexpr std::uint64_t kNeededKb = std::uint64_t{1 << 28} * 96 / 1024;
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::uint64_t kb = 0;
  while (file >> name >> kb && name != "MemAvailable:") file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  if (kb > kNeededKb) GTEST_SKIP() << "this machine has memory for the largest table that can be asked for";
  const std::string config = folder_.Write("sluiced.yaml", "flows: {ipv4: 64, ipv6: 268435456}\n");
  EXPECT_EQ(Run({"--config", config, "--wire", "null,null"}), 1);
  EXPECT_THAT(errors_, HasSubstr("memory"));
  EXPECT_THAT(errors_, HasSubstr("268435456"));
}

TEST_F(SluicedTest, EditIsSwappedInAndABrokenOneLeavesTheLastGoodVersion) {
  folder_.Write("manifests/policy.yaml", kPodAndPolicy);
  Daemon daemon(folder_, "sluiced", {"--wire", "null,null", "--manifests", folder_ / "manifests"});
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
  std::string edited = kPodAndPolicy;
  edited.replace(edited.find("    - ports"), 0, "    - ports: [{port: 443}]\n");
  folder_.Write("manifests/policy.yaml", edited);
  EXPECT_TRUE(daemon.WaitForLog("generation 1 -> 2")) << daemon.errors();
  EXPECT_THAT(daemon.errors(), HasSubstr("rules 3 -> 4"));

  edited.replace(edited.find("443"), 3, "99999");
  folder_.Write("manifests/policy.yaml", edited);
  EXPECT_TRUE(daemon.WaitForLog("keeps its last good version")) << daemon.errors();
  EXPECT_THAT(daemon.errors(), HasSubstr("NetworkPolicy a/dns: spec.egress[0].ports[0].port"));
  EXPECT_TRUE(daemon.WaitForLog("generation 2 stays in force")) << daemon.errors();
  daemon.Signal(SIGUSR1);
  EXPECT_TRUE(daemon.WaitForLog(": 4 rules")) << daemon.errors();
}

TEST_F(SluicedTest, SighupReadsTheManifestsAgain) {
  folder_.Write("policy.yaml", kPodAndPolicy);
  Daemon daemon(folder_, "sluiced", {"--wire", "null,null", "--manifests", folder_ / "policy.yaml"});
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
  daemon.Signal(SIGHUP);
  EXPECT_TRUE(daemon.WaitForLog("generation 1 stays in force: the manifests come to the same")) << daemon.errors();
}

TEST_F(SluicedTest, SigtermEndsItWhileManifestsAreReadForever) {
  const std::string path = folder_ / "pipe.json";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  // Opens once the daemon reads; -1 after 10 seconds.
  const auto open_pipe = [&] {
    for (int attempt = 0; attempt < 1000; ++attempt) {
      if (const int pipe = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC); pipe >= 0) return pipe;
      usleep(10'000);
    }
    return -1;
  };
  const std::vector<std::string> arguments = {"--wire", "null,null", "--manifests", path};
  {
    Daemon daemon(folder_, "starting", arguments);
    const int pipe = open_pipe();  // which then finds neither a manifest nor an end
    ASSERT_GE(pipe, 0) << daemon.errors();
    daemon.Signal(SIGTERM);
    EXPECT_EQ(daemon.Wait(), 0) << daemon.errors();
    close(pipe);
  }
  Daemon daemon(folder_, "running", arguments);
  const int first = open_pipe();
  constexpr std::string_view kManifest = R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}})";
  ASSERT_EQ(write(first, kManifest.data(), kManifest.size()), static_cast<ssize_t>(kManifest.size()));
  close(first);
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
  daemon.Signal(SIGHUP);
  const int second = open_pipe();
  EXPECT_GE(second, 0) << daemon.errors();
  daemon.Signal(SIGTERM);
  EXPECT_EQ(daemon.Wait(), 0) << daemon.errors();
  EXPECT_THAT(daemon.errors(), HasSubstr("verdicts:")) << "it did not drain";
  close(second);
}

TEST_F(SluicedTest, SecondSignalEndsItAtOnce) {
  Daemon daemon(folder_, "sluiced", {"--wire", "null,null"});
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
  // Stopped meanwhile, so that it finds both at the same time.
  daemon.Signal(SIGSTOP);
  daemon.Signal(SIGTERM);
  daemon.Signal(SIGINT);
  daemon.Signal(SIGCONT);
  EXPECT_THAT(daemon.Wait(), AnyOf(-SIGTERM, -SIGINT));
  EXPECT_THAT(daemon.errors(), testing::Not(HasSubstr("verdicts:"))) << "it drained nevertheless";
}

TEST_F(SluicedTest, MemifCarriesFramesBetweenTwoOfThem) {
  const std::string socket = folder_ / "memif.sock";
  WriteCapture(folder_ / "empty.pcap", {});
  WriteCapture(folder_ / "in.pcap", {PacketBuilder().Ethernet().Arp().Bytes()});
  const std::string config = folder_.Write(
      "server.yaml", "wires:\n  - - {device: \"memif:" + socket +
                         "\", role: server}\n    - pcap:" + folder_ / "empty.pcap" + ":" + folder_ / "out.pcap" + "\n");
  Daemon server(folder_, "server", {"--config", config});
  ASSERT_TRUE(server.WaitUntilReady()) << server.errors();
  Daemon client(folder_, "client", {"--wire", "pcap:" + folder_ / "in.pcap" + ",memif:" + socket});
  ASSERT_TRUE(client.WaitUntilReady()) << client.errors();
  EXPECT_TRUE(server.WaitForSummary("verdicts: 1 forward, 0 drop")) << server.errors() << client.errors();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(ReadCapture(folder_ / "out.pcap"), ElementsAre(PacketBuilder().Ethernet().Arp().Bytes()));
  // The client loses its peer, says so and goes on.
  EXPECT_TRUE(client.WaitForLog("the other end is gone")) << client.errors();
  Daemon successor(folder_, "successor", {"--config", config});
  ASSERT_TRUE(successor.WaitUntilReady()) << successor.errors();
  EXPECT_TRUE(client.WaitForLog("it is there and open")) << client.errors();
  client.Signal(SIGTERM);
  EXPECT_EQ(client.Wait(), 0);
}

TEST_F(SluicedTest, InterfaceThatVanishesAndComesBackIsFollowed) {
  const std::string space = "sluice-test-" + std::to_string(getpid());
  const auto ip = [](const std::string& arguments) {
    return std::system(("ip " + arguments + " >/dev/null 2>&1").c_str()) == 0;
  };
  if (geteuid() != 0 || !ip("netns add " + space)) GTEST_SKIP() << "needs root and network namespaces";
  const auto make = [&] {
    return ip("-n " + space + " link add left type veth peer name right") && ip("-n " + space + " link set left up") &&
           ip("-n " + space + " link set right up");
  };
  EXPECT_TRUE(make());
  if (!HasFailure()) {
    Daemon daemon(folder_, "sluiced", {"--wire", "af_packet:left,null"}, {"ip", "netns", "exec", space});
    EXPECT_TRUE(daemon.WaitUntilReady()) << daemon.errors();
    EXPECT_TRUE(ip("-n " + space + " link del left"));
    EXPECT_TRUE(daemon.WaitForLog("device 'af_packet:left': the interface is gone")) << daemon.errors();
    EXPECT_TRUE(make());
    EXPECT_TRUE(daemon.WaitForLog("device 'af_packet:left': it is there and open")) << daemon.errors();
    daemon.Signal(SIGTERM);
    EXPECT_EQ(daemon.Wait(), 0);
  }
  ip("netns del " + space);
}

}  // namespace
}  // namespace sluice
