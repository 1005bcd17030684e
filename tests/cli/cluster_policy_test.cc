// Cluster policy from manifests to verdicts: check, explain, verify, and what is said of mistakes.
#include <gmock/gmock.h>

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

}  // namespace
}  // namespace sluice::test
