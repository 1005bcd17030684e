// Cluster policy from manifests to verdicts: check, explain, verify, and what is said of mistakes.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "cli/command.h"

namespace sluice::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kGuardedPods = R"(
{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {team: red}}}
---
{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {zone: x}}, status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: web, labels: {app: web}}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: b, name: far}, status: {podIP: 10.0.1.1}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: a}
spec: {podSelector: {}, ingress: [{}]}
)";
constexpr std::string_view kGuard = R"(
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {matchLabels: {team: red}}}
  ingress:
  - name: no strangers
    action: Deny
    from: [{namespaces: {matchExpressions: [{key: team, operator: DoesNotExist}]}}]
    protocols: [{destinationNamedPort: http}]
  egress:
  - action: Deny
    to: [{nodes: {}}]
)";
constexpr std::string_view kGuardedFlows =
    R"({"id":"1","src":"b/far","dst":"a/web","proto":"tcp","dport":80}
{"id":"2","src":"b/far","dst":"a/web","proto":"tcp","dport":81}
{"id":"3","src":"a/web","dst":"192.0.2.1","proto":"tcp","dport":22}
)";

class ClusterPolicyCommands : public CommandTest {
 protected:
  ClusterPolicyCommands() {
    Write("m/pods.yaml", kGuardedPods);
    Write("m/guard.yaml", kGuard);
    Write("flows.jsonl", kGuardedFlows);
  }
};

TEST_F(ClusterPolicyCommands, CheckNamesTierPolicyRuleAndItsName) {
  const auto result = Run({"check", "--manifests", "m", "--flows", "flows.jsonl", "--engine", "both", "-o", "json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(
      result.out,
      R"({"id":"1","verdict":"deny","reason":"","egress":{"verdict":"allow","tier":""},)"
      R"("ingress":{"verdict":"deny","tier":"Admin","policy":"guard","rule":0,"rule_name":"no strangers"},"exempt":""}
)"
      R"({"id":"2","verdict":"allow","reason":"","egress":{"verdict":"allow","tier":""},)"
      R"("ingress":{"verdict":"allow","tier":"NetworkPolicy","policy":"a/open","rule":0},"exempt":""}
)"
      R"({"id":"3","verdict":"deny","reason":"","egress":{"verdict":"deny","tier":"Admin","policy":"guard","rule":0},)"
      R"("ingress":{"verdict":"allow","tier":""},"exempt":""}
)");
}

TEST_F(ClusterPolicyCommands, ExplainTellsTiersInTheOrderInWhichTheyAreAsked) {
  const auto result =
      Run({"explain", "--src", "b/far", "--dst", "a/web", "--proto", "tcp", "--dport", "80", "--manifests", "m"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(R"(ingress of a/web
  guard speaks of it in the Admin tier, priority 10
    ingress[0] "no strangers" deny from pods[] in namespaces[!team]; tcp 80
        matches, and decides
  a/open isolates it
    ingress[0] allow from everyone; every protocol and port
        matches
  => deny by guard ingress[0] "no strangers" in Admin
)"));
}

TEST_F(ClusterPolicyCommands, VerifyProvesTheTiers) {
  const auto result = Run({"verify", "--manifests", "m"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("compiled and reference agree on all"));
}

TEST_F(ClusterPolicyCommands, ARefusedOneDeniesItsSubjectAndTheErrorSaysWhere) {
  std::string bad(kGuard);
  bad.replace(bad.find("destinationNamedPort"), 20, "destinationNamedPrt");
  Write("m/guard.yaml", bad);
  const auto result = Run({"check", "--manifests", "m", "--flows", "flows.jsonl", "--engine", "both", "-o", "json"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("m/guard.yaml:13: error: ClusterNetworkPolicy guard: "
                                    "spec.ingress[0].protocols[0].destinationNamedPrt: unknown field; did you mean "
                                    "destinationNamedPort?"));
  EXPECT_THAT(result.out, HasSubstr(R"({"id":"2","verdict":"deny")"));
  EXPECT_THAT(result.err, Not(HasSubstr("skipped")));
}

constexpr std::string_view kByName = R"(
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: names}
spec:
  tier: Admin
  priority: 5
  subject: {namespaces: {matchLabels: {team: red}}}
  egress:
  - action: Accept
    to: [{domainNames: [s3.example.com, "*.Example.org"]}]
    protocols: [{tcp: {destinationPort: {number: 443}}}]
  - action: Deny
    to: [{networks: [0.0.0.0/0]}]
)";

class NameCommands : public ClusterPolicyCommands {
 protected:
  NameCommands() {
    Write("m/names.yaml", kByName);
    Write("flows.jsonl", R"({"id":"1","src":"a/web","dst":"203.0.113.9","proto":"tcp","dport":443}
{"id":"2","src":"a/web","dst":"203.0.113.9","proto":"tcp","dport":80}
{"id":"3","src":"a/web","dst":"203.0.113.10","proto":"tcp","dport":443}
{"id":"4","src":"a/web","dst":"203.0.113.11","proto":"tcp","dport":443}
)");
    Write("names",
          "# what resolves\nS3.example.com. 203.0.113.9 2001:db8::9\n\na.b.example.org 203.0.113.10 # a CDN\n");
  }
};

TEST_F(NameCommands, FQ_02_CheckTakesNamesFromAFile) {
  const auto with =
      Run({"check", "--manifests", "m", "--flows", "flows.jsonl", "--engine", "both", "--names", "names"});
  EXPECT_EQ(with.exit_code, 0) << with.err;
  EXPECT_THAT(with.err, HasSubstr("4 flows: 2 allowed, 2 denied"));
  const auto without = Run({"check", "--manifests", "m", "--flows", "flows.jsonl", "--engine", "both"});
  EXPECT_EQ(without.exit_code, 0) << without.err;
  EXPECT_THAT(without.err, HasSubstr("4 flows: 0 allowed, 4 denied"));
}

TEST_F(NameCommands, AFileOfNamesIsReadStrictly) {
  Write("names", "s3.example.com 203.0.113.9\n*.example.com 203.0.113.9\ns3.example.com\ns3.example.com 203.0.113\n");
  const auto result = Run({"check", "--manifests", "m", "--flows", "flows.jsonl", "--names", "names"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("names:2: error: '*.example.com' is no domain name"));
  EXPECT_THAT(result.err, HasSubstr("names:3: error: names no address behind s3.example.com"));
  EXPECT_THAT(result.err, HasSubstr("names:4: error: '203.0.113' is no address"));
  EXPECT_EQ(Run({"check", "--manifests", "m", "--flows", "flows.jsonl", "--names", "none"}).exit_code, 2);
}

TEST_F(NameCommands, ExplainTellsWhetherTheNameWasLearnt) {
  const std::vector<std::string> ask = {"explain",     "--manifests", "m",   "--src",   "a/web", "--dst",
                                        "203.0.113.9", "--proto",     "tcp", "--dport", "443"};
  const auto without = Run(ask);
  EXPECT_THAT(without.out, HasSubstr("verdict  deny by names egress[1]"));
  EXPECT_THAT(without.out, HasSubstr("allow to *.example.org,s3.example.com; tcp 443"));
  EXPECT_THAT(without.out, HasSubstr("the peer was not learnt to have such a name"));
  std::vector<std::string> with = ask;
  with.insert(with.end(), {"--names", "names"});
  EXPECT_THAT(Run(with).out, HasSubstr("verdict  allow by names egress[0]"));
}

TEST_F(NameCommands, VerifyComparesWithEachName) {
  const auto result = Run({"verify", "--manifests", "m"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr(" of protocols and ports, 4 of names\n"));
}

}  // namespace
}  // namespace sluice::test
