// `sluicectl suggest` on connections from a file: what it writes admits what was seen, and nothing that was not.
#include "suggest/suggest.h"

#include <gmock/gmock.h>

#include <random>
#include <string>

#include "cli/command.h"
#include "reference/evaluate.h"
#include "support/cluster_builder.h"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// shop: two web pods of different rollouts, an api, a db, a pod without labels; DNS elsewhere.
constexpr std::string_view kSuggestPods = R"(
{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {podCIDR: 10.0.0.0/24},
 status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-1, labels: {app: web, pod-template-hash: a1, part-of: shop}},
 spec: {nodeName: n1}, status: {podIP: 10.0.0.11}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-2, labels: {app: web, pod-template-hash: b2, part-of: shop}},
 spec: {nodeName: n1}, status: {podIP: 10.0.0.12}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: api, labels: {app: api, part-of: shop}},
 spec: {nodeName: n1}, status: {podIP: 10.0.0.13}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: db, labels: {app: db, part-of: shop}},
 spec: {nodeName: n1}, status: {podIP: 10.0.0.14}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: bare}, spec: {nodeName: n1}, status: {podIP: 10.0.0.15}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: kube-system, name: dns, labels: {k8s-app: kube-dns}},
 spec: {nodeName: n1}, status: {podIP: 10.0.0.53}}
)";

std::string SeenLine(const std::string& source, const std::string& destination, const std::string& protocol, int port) {
  return R"({"id":"x","src":")" + source + R"(","dst":")" + destination + R"(","proto":")" + protocol +
         R"(","dport":)" + std::to_string(port) + "}\n";
}

class SuggestTest : public CommandTest {
 protected:
  SuggestTest() { Write("pods.yaml", kSuggestPods); }

  CommandResult SuggestFrom(const std::string& seen, std::vector<std::string> more = {}) const {
    Write("seen.jsonl", seen);
    std::vector<std::string> words = {"suggest", "-n", "shop", "--manifests", "pods.yaml", "--flows", "seen.jsonl"};
    words.insert(words.end(), more.begin(), more.end());
    return Run(words);
  }
};

TEST_F(SuggestTest, WritesAPolicyAWorkloadByLabelsThatLastWithItsEvidence) {
  const CommandResult result = SuggestFrom(
      SeenLine("shop/web-1", "shop/api", "tcp", 80) + SeenLine("shop/web-1", "shop/api", "tcp", 80) +
      SeenLine("shop/web-2", "kube-system/dns", "udp", 53) + SeenLine("198.51.100.7", "shop/web-1", "tcp", 443));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("# Workload web, 2 pods.\n"), HasSubstr("name: allow-web\n"),
                                HasSubstr("    matchLabels:\n      app: \"web\"\n  policyTypes: [Ingress, Egress]\n")));
  EXPECT_THAT(result.out, Not(HasSubstr("pod-template-hash")));
  EXPECT_THAT(result.out, Not(HasSubstr("part-of"))) << "all pods have it: it tells nothing";
  EXPECT_THAT(result.out, HasSubstr("  # 2 connections with shop/web (1 of 2 pods)\n  - from:\n    - podSelector:\n"
                                    "        matchLabels:\n          app: \"web\"\n    ports:\n"
                                    "    - {protocol: TCP, port: 80}\n"));
  EXPECT_THAT(result.out, HasSubstr("  # 1 connection with kube-system/kube-dns: DNS\n"));
  EXPECT_THAT(result.out, HasSubstr("kubernetes.io/metadata.name: \"kube-system\""));
  EXPECT_THAT(result.out, HasSubstr("cidr: \"198.51.100.7/32\""));
  EXPECT_THAT(result.err, HasSubstr("workload db (1 pod) had no connection that was seen, and gets no policy"));
}

TEST_F(SuggestTest, WhatItWritesAdmitsWhatWasSeenAndDeniesWhatAStrangerTries) {
  const std::string seen = SeenLine("shop/web-1", "shop/api", "tcp", 80) + SeenLine("shop/api", "shop/db", "tcp", 5432);
  Write("m/policies.yaml", SuggestFrom(seen).out);
  Write("m/pods.yaml", kSuggestPods);
  const auto line = [](const std::string& source, const std::string& destination, int port, const std::string& expect) {
    std::string text = SeenLine(source, destination, "tcp", port);
    return text.replace(text.size() - 2, 2, R"(,"expect":")" + expect + "\"}\n");
  };
  Write("flows.jsonl", line("shop/web-1", "shop/api", 80, "allow") + line("shop/web-2", "shop/api", 80, "allow") +
                           line("shop/api", "shop/db", 5432, "allow") + line("shop/web-1", "shop/db", 5432, "deny") +
                           line("shop/api", "shop/web-1", 80, "deny") + line("shop/web-1", "shop/api", 81, "deny") +
                           line("198.51.100.7", "shop/db", 5432, "deny") + line("shop/bare", "shop/api", 80, "deny") +
                           line("192.0.2.1", "shop/api", 9999, "allow"));
  const CommandResult check = Run({"check", "--manifests", "m", "--flows", "flows.jsonl", "--engine", "both"});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
}

TEST_F(SuggestTest, IcmpIsLeftOutWithANoteUnlessItIsAskedFor) {
  const std::string seen =
      SeenLine("shop/web-1", "shop/api", "icmp", 0) + SeenLine("shop/web-1", "shop/api", "tcp", 80);
  const CommandResult without = SuggestFrom(seen);
  EXPECT_THAT(without.out, HasSubstr("port: 80"));
  EXPECT_THAT(without.err, HasSubstr("1 connection of ICMP and other protocols without ports are left out"));
  const CommandResult with = SuggestFrom(seen, {"--icmp"});
  EXPECT_THAT(with.out, Not(HasSubstr("ports:"))) << "every port and protocol";
}

std::string LoggedEnd(const std::string& name, const std::string& address, const std::string& workload, int port) {
  return R"({"address":")" + address + R"(","port":)" + std::to_string(port) + R"(,"namespace":"shop","pod":")" + name +
         R"(","workload":")" + workload + "\"}";
}

// A line of a flow log, of a connection between pods as they were then.
std::string Logged(const std::string& source, const std::string& destination,
                   const std::string& time = "2026-11-30T03:25:27.123Z") {
  return R"({"time":")" + time + R"(","type":"end","verdict":"forward","proto":"tcp","src":)" + source + R"(,"dst":)" +
         destination + "}\n";
}

constexpr std::string_view kOwnedPods = R"(
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-1, labels: {app: web, color: blue},
  ownerReferences: [{kind: StatefulSet, name: web, controller: true}]}, status: {podIP: 10.0.0.11}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: web-2, labels: {app: web, color: green},
  ownerReferences: [{kind: StatefulSet, name: web, controller: true}]}, status: {podIP: 10.0.0.12}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: db-1, labels: {app: db},
  ownerReferences: [{kind: StatefulSet, name: db, controller: true}]}, status: {podIP: 10.0.0.14}}
)";

TEST_F(SuggestTest, PodsOfOneOwnerAreOneWorkloadByTheLabelsThatAllShare) {
  Write("owned.yaml", kOwnedPods);
  Write("seen.jsonl", SeenLine("shop/web-1", "shop/db-1", "tcp", 5432));
  const CommandResult result = Run({"suggest", "-n", "shop", "--manifests", "owned.yaml", "--flows", "seen.jsonl"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("# Workload web (StatefulSet/web), 2 pods.\n"), Not(HasSubstr("color"))));
  EXPECT_THAT(result.out, HasSubstr("with shop/web (1 of 2 pods)"));
}

TEST_F(SuggestTest, FlowLogsSpeakOfPodsThatWereAndThoseThatAreGoneStandForTheirWorkload) {
  Write("owned.yaml", kOwnedPods);
  const std::string db = LoggedEnd("db-1", "10.0.0.14", "StatefulSet/db", 5432);
  Write("log.jsonl",
        Logged(LoggedEnd("web-0", "10.0.0.99", "StatefulSet/web", 1000), db) +
            Logged(LoggedEnd("other", "10.0.0.11", "Deployment/gone", 1000), db) +  // the address is web-1's now
            Logged(LoggedEnd("web-1", "10.0.0.11", "StatefulSet/web", 1000), LoggedEnd("db-1", "10.0.0.14", "", 80),
                   "2020-01-01T00:00:00Z") +
            R"({"time":"2026-11-30T03:25:27.123Z","type":"deny","verdict":"drop","packets":5})" + "\n" +
            R"({"time":"2026-11-30T03:25:27.123Z","type":"lost","not_logged":7})" + "\n" + R"({"time":"2026-11-)");
  const CommandResult result = Run({"suggest", "-n", "shop", "--manifests", "owned.yaml", "--input", "log.jsonl",
                                    "--since", "2026-01-01T00:00:00Z"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("# 1 connection with shop/web (1 of 2 pods)"), HasSubstr("port: 5432"),
                                Not(HasSubstr("port: 80"))));
  EXPECT_THAT(result.err, AllOf(HasSubstr("note: 1 connection left out"), HasSubstr("warning: 7 records were lost")));
  Write("no.jsonl", "{}\n");
  const CommandResult bad = Run({"suggest", "-n", "shop", "--manifests", "owned.yaml", "--input", "no.jsonl"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, HasSubstr("no.jsonl:1: is no line of a flow log"));
  EXPECT_EQ(
      Run({"suggest", "-n", "shop", "--manifests", "owned.yaml", "--input", "log.jsonl", "--since", "soon"}).exit_code,
      2);
}

TEST_F(SuggestTest, OwnNodeNeedsNoRule) {
  const CommandResult result =
      SuggestFrom(SeenLine("192.0.2.1", "shop/api", "tcp", 8080) + SeenLine("shop/web-1", "shop/api", "tcp", 80));
  EXPECT_THAT(result.out, Not(HasSubstr("192.0.2.1")));
  EXPECT_THAT(result.err, HasSubstr("1 connection of pods with their own node or themselves always pass"));
}

TEST_F(SuggestTest, ManyAddressesOutsideBecomeTheWorldLessThePodNetworkAndItSaysSo) {
  std::string seen;
  for (int i = 1; i <= 17; ++i) seen += SeenLine("shop/api", "198.51.100." + std::to_string(i), "tcp", 443);
  const CommandResult result = SuggestFrom(seen);
  EXPECT_THAT(result.out, HasSubstr("cidr: \"0.0.0.0/0\"\n        except:\n        - \"10.0.0.0/24\"\n"));
  EXPECT_THAT(result.err,
              HasSubstr("NetworkPolicy shop/allow-api: egress admits 0.0.0.0/0 less the pod networks, since "
                        "17 addresses were seen"));
}

TEST_F(SuggestTest, ManyPortsBecomeARangeAndItSaysSo) {
  std::string seen;
  for (int port = 9000; port < 9020; port += 2) seen += SeenLine("shop/web-1", "shop/api", "tcp", port);
  const CommandResult result = SuggestFrom(seen);
  EXPECT_THAT(result.out, HasSubstr("{protocol: TCP, port: 9000, endPort: 9018}"));
  EXPECT_THAT(result.err, HasSubstr("has a range of ports from the first to the last seen, of 10 that were"));
}

TEST_F(SuggestTest, PodWithoutLabelsIsNamedByItsAddressAndToldOf) {
  const CommandResult result = SuggestFrom(SeenLine("shop/bare", "shop/api", "tcp", 80));
  EXPECT_THAT(result.out, HasSubstr("cidr: \"10.0.0.15/32\""));
  EXPECT_THAT(result.err, HasSubstr("such as bare, cannot be selected: label them; they get no policy"));
}

TEST_F(SuggestTest, NothingSeenAndBadInputAreTold) {
  const CommandResult nothing = SuggestFrom("");
  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_THAT(nothing.err,
              HasSubstr("no connection of a pod in namespace shop was seen; look longer (--for, --since)"));
  EXPECT_EQ(nothing.out, "");
  const CommandResult broken = SuggestFrom("nonsense\n" + SeenLine("shop/web-1", "shop/api", "tcp", 80));
  EXPECT_EQ(broken.exit_code, 2);
  EXPECT_THAT(broken.err, HasSubstr("seen.jsonl:1"));
  const CommandResult alone = Run({"suggest", "-n", "shop", "--flows", "seen.jsonl"});
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_THAT(alone.err, HasSubstr("--flows needs --manifests"));
}

// Whatever was seen, the policies that come of it admit it, and isolate each workload that they are for.
TEST_F(SuggestTest, FlowLogsWithoutPodsAskTheRunningSluicedAndSaySoWhereThereIsNone) {
  Write("log.jsonl", "");
  const CommandResult result = Run({"suggest", "-n", "shop", "--input", "log.jsonl", "--target", "unix:none.sock"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("none.sock"), HasSubstr("note: without --manifests, --input asks the running "
                                                                  "sluiced which pods there are; give it --target, or "
                                                                  "the pods by --manifests (kubectl get pods,")));
}

TEST(Suggest, AdmitsAllThatWasSeenInRandomWorlds) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  for (int world = 0; world < 50; ++world) {
    ClusterBuilder builder;
    builder.Node("n1", {"192.0.2.1"}, {"10.0.0.0/24"});
    std::vector<IpAddress> addresses = {*IpAddress::Parse("192.0.2.1"), *IpAddress::Parse("198.51.100.1")};
    for (int i = 0; i < 8; ++i) {
      Labels labels;
      if (pick(4) != 0) labels.emplace_back("app", "a" + std::to_string(pick(3)));
      if (pick(2) != 0) labels.emplace_back("tier", "t" + std::to_string(pick(2)));
      const std::string address = "10.0.0." + std::to_string(10 + i);
      builder.Pod((pick(3) == 0 ? "other/p" : "shop/p") + std::to_string(i), labels, {address}).OnNode("n1");
      addresses.push_back(*IpAddress::Parse(address));
    }
    Cluster cluster = builder.Build();
    std::vector<SeenConnection> seen;
    for (int i = 0; i < 30; ++i) {
      const IpAddress source = addresses[random() % addresses.size()];
      const IpAddress destination = addresses[random() % addresses.size()];
      const std::uint8_t protocol = pick(5) == 0 ? kProtoUdp : kProtoTcp;
      seen.push_back({source, destination, protocol, static_cast<std::uint16_t>(80 + pick(40)), 1});
    }
    const Suggestion suggestion = Suggest(cluster, {"shop", false}, seen);
    for (const SuggestedPolicy& suggested : suggestion.policies) cluster.policies.push_back(suggested.policy);
    const reference::Evaluator evaluator(cluster);
    for (const SeenConnection& connection : suggestion.allowed) {
      EXPECT_TRUE(evaluator
                      .Evaluate({connection.source, connection.destination, connection.protocol, 40000,
                                 connection.destination_port})
                      .allow);
    }
    for (const SuggestedPolicy& suggested : suggestion.policies) {
      EXPECT_FALSE(suggested.policy.pod_selector.requirements.empty());
      EXPECT_TRUE(suggested.policy.has_ingress && suggested.policy.has_egress);
    }
  }
}

}  // namespace
}  // namespace sluice::test
