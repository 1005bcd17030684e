// `sluicectl replay` learns from DNS in the capture what rules by domain name ask for, as sluiced does.
#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "sluicectl/capture.h"
#include "support/dns_builder.h"
#include "support/packet_builder.h"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kBeginNs = 1'700'000'000'000'000'000;
constexpr std::string_view kClient = "10.0.0.1";
constexpr std::string_view kResolver = "10.0.0.53";
constexpr std::string_view kOther = "192.0.2.53";
constexpr std::string_view kServer = "203.0.113.9";

constexpr std::string_view kReplayedPolicy = R"(
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client}}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
status: {phase: Running, podIPs: [{ip: 10.0.0.53}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: client, namespace: shop}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress: [{ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]}]
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: names}
spec:
  tier: Admin
  priority: 1
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: client}}}}
  egress: [{action: Accept, to: [{domainNames: [s3.example.com]}]}]
)";

class ReplayLearns : public CommandTest {
 protected:
  ReplayLearns() { Write("names.yaml", kReplayedPolicy); }

  // At that second of the capture.
  void Add(double seconds, const PacketBuilder& packet) {
    frames_.emplace_back(kBeginNs + static_cast<std::uint64_t>(seconds * 1e9), packet.Bytes());
  }
  void Ask(double seconds, std::uint16_t port, std::string_view resolver = kResolver) {
    Add(seconds, PacketBuilder()
                     .Ethernet()
                     .Ipv4(kClient, resolver)
                     .Udp(port, 53)
                     .Payload(DnsBuilder::Query(port, "s3.example.com").Bytes()));
  }
  void Answer(double seconds, std::uint16_t port, std::string_view resolver = kResolver, std::uint32_t ttl_s = 300) {
    const ByteVector answer = DnsBuilder(port).Question("s3.example.com").A("s3.example.com", kServer, ttl_s).Bytes();
    Add(seconds, PacketBuilder().Ethernet().Ipv4(resolver, kClient).Udp(53, port).Payload(answer));
  }
  void Connect(double seconds, std::uint16_t port) {
    Add(seconds, PacketBuilder().Ethernet().Ipv4(kClient, kServer).Tcp(port, 443, kTcpSyn));
  }

  CommandResult Replay(std::vector<std::string> more) const {
    CaptureWriter writer;
    EXPECT_FALSE(writer.Open(Path("in.pcap")));
    for (const auto& [time_ns, bytes] : frames_) {
      writer.Write(time_ns, bytes, static_cast<std::uint32_t>(bytes.size()));
    }
    EXPECT_FALSE(writer.Close());
    std::vector<std::string> arguments = {"replay", "--manifests", "names.yaml", "-o", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.push_back("in.pcap");
    return Run(arguments);
  }
  // Of each packet, in order.
  static std::vector<std::string> VerdictsIn(const std::string& out) {
    constexpr std::string_view kKey = R"("verdict":")";
    std::vector<std::string> verdicts;
    std::size_t line = 0;
    while (line < out.size()) {
      const std::size_t at = out.find(kKey, line) + kKey.size();
      verdicts.push_back(out.substr(at, out.find('"', at) - at));
      line = out.find('\n', line) + 1;
    }
    return verdicts;
  }

  std::vector<std::pair<std::uint64_t, ByteVector>> frames_;
};

TEST_F(ReplayLearns, FQ_02_AnAnswerInTheCaptureOpensConnectionsForItsTime) {
  Connect(0, 1000);
  Ask(1, 40000);
  Answer(1.1, 40000, kResolver, 60);
  Connect(1.1, 1001);
  Connect(61, 1002);
  Connect(61.2, 1003);
  for (const std::string resolver : {"10.0.0.53", "kube-system/k8s-app=kube-dns"}) {
    const auto result = Replay({"--dns-resolver", resolver});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(VerdictsIn(result.out), ElementsAre("drop", "forward", "forward", "forward", "forward", "drop"));
    EXPECT_THAT(result.err, HasSubstr("DNS: 1 queries; answers: 1 learnt; 1 names with 1 addresses\n"));
  }
}

TEST_F(ReplayLearns, FQ_03_OnlyAnswersToQueriesToATrustedResolverTeach) {
  Answer(0, 40000);
  Connect(0.1, 1000);
  Ask(1, 40001);
  Answer(1.1, 40002);
  Ask(2, 40003, kOther);
  Answer(2.1, 40003, kOther);
  Connect(3, 1001);
  const auto result = Replay({"--dns-resolver", std::string(kResolver)});
  EXPECT_THAT(VerdictsIn(result.out),
              ElementsAre("forward", "drop", "forward", "forward", "forward", "forward", "drop"));
  EXPECT_THAT(result.err, HasSubstr("DNS: 1 queries; answers: 1 untrusted, 2 spoofed; 0 names with 0 addresses\n"));
}

TEST_F(ReplayLearns, TheConfigurationNamesResolversAndTheirPort) {
  Ask(1, 40000);
  Answer(1.1, 40000);
  Connect(1.2, 1000);
  Write("sluiced.yaml", "dns: {resolvers: [kube-system/k8s-app=kube-dns]}\n");
  EXPECT_THAT(VerdictsIn(Replay({"--config", "sluiced.yaml"}).out), ElementsAre("forward", "forward", "forward"));
  Write("sluiced.yaml", "dns: {resolvers: [10.0.0.53], port: 5353}\n");
  EXPECT_THAT(VerdictsIn(Replay({"--config", "sluiced.yaml"}).out), ElementsAre("forward", "forward", "drop"));
  Write("sluiced.yaml", "dns: {resolvers: [192.0.2.1]}\n");
  EXPECT_THAT(VerdictsIn(Replay({"--config", "sluiced.yaml", "--dns-resolver", "10.0.0.53"}).out),
              ElementsAre("forward", "forward", "forward"));
}

TEST_F(ReplayLearns, NamesOfAFileHoldBesideThoseOfTheCapture) {
  Write("known.txt", "s3.example.com 198.51.100.7\n");
  Add(0, PacketBuilder().Ethernet().Ipv4(kClient, "198.51.100.7").Tcp(1000, 443, kTcpSyn));
  Ask(1, 40000);
  Answer(1.1, 40000);
  Connect(1.2, 1001);
  EXPECT_THAT(VerdictsIn(Replay({"--names", "known.txt", "--dns-resolver", "10.0.0.53"}).out),
              ElementsAre("forward", "forward", "forward", "forward"));
}

TEST_F(ReplayLearns, WhatIsLikelyNotMeantIsToldOf) {
  Connect(0, 1000);
  EXPECT_THAT(Replay({}).err, HasSubstr("rules by domain name match nothing here: say whose DNS answers in the "
                                        "capture count (--dns-resolver)"));
  EXPECT_THAT(Replay({"--dns-resolver", "kube-system/app=none"}).err, HasSubstr("no DNS is read"));
  const auto wrong = Replay({"--dns-resolver", "kube-dns"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("NAMESPACE/LABEL=VALUE"));
}

TEST_F(ReplayLearns, OtherManifestsLearnForTheirOwnRules) {
  std::string other(kReplayedPolicy);
  other.replace(other.find("s3.example.com"), 14, "s4.example.com");
  Write("other.yaml", other);
  Ask(1, 40000);
  Answer(1.1, 40000);
  Connect(1.2, 1000);
  const auto result = Replay({"--dns-resolver", "10.0.0.53", "--against", "other.yaml"});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr("1 flow change verdict"));
}

TEST_F(ReplayLearns, AnAnswerLeavesInTheOrderOfTheCapture) {
  Ask(1, 40000);
  Answer(1.1, 40000);
  Connect(1.1, 1000);
  EXPECT_EQ(Replay({"--dns-resolver", "10.0.0.53", "--write", Path("out.pcap")}).exit_code, 0);
  CaptureReader reader;
  ASSERT_FALSE(reader.Open(Path("out.pcap")));
  for (const auto& [time_ns, bytes] : frames_) {
    const auto frame = reader.Next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->time_ns, time_ns);
    EXPECT_EQ(frame->bytes, bytes);
  }
  EXPECT_FALSE(reader.Next());
}

}  // namespace
}  // namespace sluice::test
