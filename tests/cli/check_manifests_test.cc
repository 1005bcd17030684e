// What manifests mean, from their text to verdicts: those that Kubernetes reads in a way of its own, and those that are
// refused.
#include <gmock/gmock.h>

#include "cli/command.h"

namespace sluice::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kPods = R"(
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: srv, labels: {app: srv}}, status: {podIP: 10.0.1.10}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: cli, labels: {app: cli}}, status: {podIP: 10.0.2.10}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: odd, labels: {"true": "y"}}, status: {podIP: 10.0.2.20}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: b, name: far, labels: {app: srv}}, status: {podIP: 10.0.3.10}}
)";

std::string FlowLine(std::string_view source, std::string_view destination, int port, std::string_view expect) {
  return R"({"id":")" + std::string(source) + ' ' + std::string(destination) + ' ' + std::to_string(port) +
         R"(","src":")" + std::string(source) + R"(","dst":")" + std::string(destination) +
         R"(","proto":"tcp","dport":)" + std::to_string(port) + R"(,"expect":")" + std::string(expect) + "\"}\n";
}

constexpr std::string_view kHead = R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
)";
constexpr std::string_view kSpec = R"(spec:
  podSelector: {matchLabels: {app: srv}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: cli}}}]
    ports: [{port: 8080}]
)";

class CheckManifests : public CommandTest {
 protected:
  CheckManifests() { Write("m/0pods.yaml", kPods); }

  CommandResult RunOn(const std::string& policy, const std::string& flows) const {
    Write("m/policy.yaml", policy);
    Write("flows.jsonl", flows);
    return Run({"check", "--manifests", "m", "--flows", "flows.jsonl", "--engine", "both"});
  }
};

TEST_F(CheckManifests, NP_17_APolicyWithoutSpecIsolatesItsNamespaceForIngress) {
  for (const std::string_view spec : {"", "spec:\n", "spec: {}\n", "spec: null\n"}) {
    const auto result = RunOn(std::string(kHead) + std::string(spec), FlowLine("a/cli", "a/srv", 8080, "deny") +
                                                                          FlowLine("a/srv", "8.8.8.8", 1, "allow") +
                                                                          FlowLine("a/cli", "b/far", 8080, "allow"));
    EXPECT_EQ(result.exit_code, 0) << spec << result.err;
  }
}

TEST_F(CheckManifests, NP_18_AByteOrderMarkBeforeALaterDocumentIsNoPartOfIt) {
  const std::string mark = "\xef\xbb\xbf";
  const std::string other =
      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: q, namespace: a}\n"
      "spec: {podSelector: {}, ingress: [{ports: [{port: 9090}]}]}\n";
  for (const std::string& text :
       {mark + std::string(kHead) + std::string(kSpec) + "---\n" + mark + other,
        mark + std::string(kHead) + std::string(kSpec) + mark + "---\n" + other,
        mark + "---\n" + std::string(kHead) + std::string(kSpec) + "--- # next\r\n" + mark + other}) {
    const auto result =
        RunOn(text, FlowLine("a/cli", "a/srv", 8080, "allow") + FlowLine("a/odd", "a/srv", 8080, "deny") +
                        FlowLine("a/odd", "a/srv", 9090, "allow"));
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
}

TEST_F(CheckManifests, NP_18_KeysAndPortsAreWhatKubectlMakesOfThem) {
  const std::string text =
      std::string(kHead) +
      "spec:\n  podSelector: {matchLabels: {app: srv}}\n  ingress:\n"
      "  - from: [{podSelector: {matchLabels: {y: 'y'}}}]\n"
      "    ports: [{port: 08080}, {port: 8081.0}, {port: 8_082}, {port: 0x1F93}, {port: 017624}]\n";
  std::string flows = FlowLine("a/cli", "a/srv", 8080, "deny");
  for (int port = 8080; port <= 8084; ++port) flows += FlowLine("a/odd", "a/srv", port, "allow");
  const auto result = RunOn(text, flows + FlowLine("a/odd", "a/srv", 8085, "deny"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(CheckManifests, APolicyOfAnOldVersionIsReadAsTheNewOne) {
  for (const std::string_view version : {"extensions/v1beta1", "networking.k8s.io/v1beta1"}) {
    const auto result = RunOn("apiVersion: " + std::string(version) +
                                  "\nkind: NetworkPolicy\nmetadata: {name: p, namespace: a}\n" + std::string(kSpec),
                              FlowLine("a/cli", "a/srv", 8080, "allow") + FlowLine("a/odd", "a/srv", 8080, "deny"));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr("warning: NetworkPolicy a/p: apiVersion: is an old one"));
  }
}

TEST_F(CheckManifests, NP_16_ARefusedPolicyIsolatesItsPodsWhateverItWasRefusedFor) {
  const std::string spec(kSpec);
  const std::string head(kHead);
  for (const std::string& text : {
           "apiVersion: networking.k8s.io/v1\nkind: networkPolicy\nmetadata: {name: p, namespace: a}\n" + spec,
           "apiVersion: networking.k8s.io/v2\nkind: NetworkPolicy\nmetadata: {name: p, namespace: a}\n" + spec,
           "kind: NetworkPolicy\nmetadata: {name: p, namespace: a}\n" + spec,
           "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: a}\n" + spec,
           "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: P_1, namespace: a}\n" + spec,
           "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: a, nam: x}\n" + spec,
           head + spec + "  order: 7\n",
           head + spec + "  ingress: []\n",
           head + spec + "other: 1\n",
           head + spec + "  - from: [{}]\n",
           head + spec + "  - from: [\n",
       }) {
    const auto result =
        RunOn(text, FlowLine("a/cli", "a/srv", 8080, "deny") + FlowLine("a/odd", "a/srv", 80, "deny") +
                        FlowLine("a/srv", "8.8.8.8", 1, "allow") + FlowLine("a/srv", "a/cli", 1, "allow") +
                        FlowLine("a/cli", "b/far", 8080, "allow"));
    EXPECT_EQ(result.exit_code, 2) << text << result.err;
    EXPECT_THAT(result.err, HasSubstr("5 flows: 3 allowed, 2 denied; some manifests were refused")) << text;
  }
}

TEST_F(CheckManifests, NP_16_APodRefusedForALabelIsBoundByTheOthers) {
  Write("m/pod.yaml",
        "{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: new, labels: {app: srv, version: 1.10}},\n"
        " status: {podIP: 10.0.1.11}}\n");
  const auto result = RunOn(std::string(kHead) + std::string(kSpec),
                            FlowLine("a/odd", "a/new", 8080, "deny") + FlowLine("a/cli", "a/new", 8080, "allow"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("2 flows: 1 allowed, 1 denied; some manifests were refused"));
}

TEST_F(CheckManifests, ANetworkPolicyOfAnotherGroupIsSkippedWithANote) {
  const auto result = RunOn(
      "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: p, namespace: a}\n" + std::string(kSpec),
      FlowLine("a/odd", "a/srv", 8080, "allow"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("note: NetworkPolicy a/p: skipped, Sluice does not read projectcalico.org/v3"));
}

TEST_F(CheckManifests, OfAPolicyInTwoFilesTheLaterCounts) {
  Write("m/1.yaml", std::string(kHead) + "spec: {ingress: [{}]}\n");
  const auto differs = RunOn(std::string(kHead) + std::string(kSpec), FlowLine("a/odd", "a/srv", 8080, "deny"));
  EXPECT_EQ(differs.exit_code, 2);
  EXPECT_THAT(differs.err, HasSubstr("m/policy.yaml:1: error: NetworkPolicy a/p: is also in m/1.yaml:1, where it "
                                     "differs; the later one, this, counts"));
  EXPECT_THAT(differs.err, HasSubstr("1 flows: 0 allowed, 1 denied; some manifests were refused"));
  const auto same =
      RunOn(std::string(kHead) + "spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: []}]}\n",
            FlowLine("a/odd", "a/srv", 8080, "allow"));
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_THAT(same.err, HasSubstr("note: NetworkPolicy a/p: is also in m/1.yaml:1, and means the same there"));
}

}  // namespace
}  // namespace sluice::test
