// `sluicectl check`: its answers, their form, every kind of bad input, the exit codes.
#include <gmock/gmock.h>

#include <algorithm>

#include "cli/command.h"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

class Check : public CommandTest {
 protected:
  Check() { Write("shop.yaml", kShop); }

  CommandResult RunOn(std::string_view flows, std::vector<std::string> more = {"-o", "json"}) const {
    Write("flows.jsonl", flows);
    std::vector<std::string> arguments = {"check", "--manifests", "shop.yaml", "--flows", "flows.jsonl"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
};

TEST_F(Check, AllowedFlowNamesBothRules) {
  const auto result = RunOn(R"({"id":"a","src":"198.51.100.9","dst":"10.0.0.1","proto":"tcp","dport":80})");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            R"({"id":"a","verdict":"allow","reason":"","egress":{"verdict":"allow","tier":""},)"
            R"("ingress":{"verdict":"allow","tier":"NetworkPolicy","policy":"shop/web","rule":0},"exempt":""})"
            "\n");
}

TEST_F(Check, DefaultDenyIsRuleMinusOne) {
  const auto result = RunOn(R"({"id":7,"src":"10.0.0.2","dst":"198.51.100.9","proto":"udp","dport":53})");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(
      result.out,
      R"({"id":7,"verdict":"deny","reason":"","egress":{"verdict":"deny","tier":"NetworkPolicy",)"
      R"("policy":"shop/deny","rule":-1,"isolated_by":["shop/deny"]},"ingress":{"verdict":"allow","tier":""},"exempt":""})"
      "\n");
}

TEST_F(Check, DefaultDenyNamesAllPoliciesThatIsolate) {
  const std::string flow = R"({"id":1,"src":"shop/web","dst":"198.51.100.9","proto":"tcp","dport":22})";
  for (const char* engine : {"compiled", "reference"}) {
    EXPECT_THAT(RunOn(flow, {"-o", "json", "--engine", engine}).out,
                HasSubstr(R"("policy":"shop/deny","rule":-1,"isolated_by":["shop/deny","shop/web"])"));
  }
  EXPECT_THAT(RunOn(flow, {}).out, HasSubstr("  deny shop/deny, shop/web egress default  "));
}

// shop/free is isolated by no policy, so that all but the reasons allows it.
TEST_F(Check, WhatTheFilterDropsBesidePolicyIsDeniedWithItsReason) {
  Write("free.yaml", R"(
{apiVersion: v1, kind: Node, metadata: {name: n2}, spec: {podCIDRs: [10.2.0.0/24]}}
---
apiVersion: v1
kind: Pod
metadata: {namespace: other, name: free}
spec: {nodeName: n2, containers: [{name: main, image: main}]}
status: {podIPs: [{ip: 10.2.0.9}]}
)");
  const std::string flows =
      "{\"id\":1,\"src\":\"10.2.0.77\",\"dst\":\"other/free\",\"proto\":\"tcp\",\"dport\":1,\"expect\":\"deny\"}\n"
      "{\"id\":2,\"src\":\"other/free\",\"dst\":\"10.2.0.77\",\"proto\":\"udp\",\"dport\":1,\"expect\":\"deny\"}\n"
      "{\"id\":3,\"src\":\"224.0.0.1\",\"dst\":\"other/free\",\"proto\":\"udp\",\"dport\":1,\"expect\":\"deny\"}\n"
      "{\"id\":4,\"src\":\"other/free\",\"dst\":\"224.0.0.1\",\"proto\":\"udp\",\"dport\":1,\"expect\":\"allow\"}\n";
  const std::vector<std::string> both = {"--manifests", "free.yaml", "--engine", "both", "-o", "json"};
  const auto result = RunOn(flows, both);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, MatchesRegex(".*\"id\":1,\"verdict\":\"deny\",\"reason\":\"unknown_endpoint\".*\n"
                                       ".*\"id\":2,\"verdict\":\"deny\",\"reason\":\"unknown_endpoint\".*\n"
                                       ".*\"id\":3,\"verdict\":\"deny\",\"reason\":\"bad_ip_address\".*\n"
                                       ".*\"id\":4,\"verdict\":\"allow\",\"reason\":\"\".*\n"));
  EXPECT_THAT(RunOn(flows, {"--manifests", "free.yaml"}).out, HasSubstr("  deny (unknown_endpoint)  "));
  Write("lenient.yaml", "drop_unknown_endpoint: false\n");
  std::vector<std::string> lenient = both;
  lenient.insert(lenient.end(), {"--config", "lenient.yaml"});
  const auto told = RunOn(flows, lenient);
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("4 flows: 3 allowed, 1 denied; 2 not as expected"));
}

constexpr std::string_view kTwoNodes = R"(
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n3}, status: {addresses: [{type: InternalIP, address: 192.168.0.3}]}}
---
apiVersion: v1
kind: Pod
metadata: {namespace: other, name: free}
spec: {nodeName: n2, containers: [{name: main, image: main}]}
status: {podIPs: [{ip: 10.2.0.9}]}
)";

TEST_F(Check, TunnelsBetweenNodesAreDeniedWhereTheyAreRefused) {
  Write("nodes.yaml", kTwoNodes);
  Write("refuse.yaml", "encapsulation: refuse\n");
  const auto flow = [](int id, std::string ends, int port, bool denied) {
    return "{\"id\":" + std::to_string(id) + "," + ends + ",\"proto\":\"udp\",\"dport\":" + std::to_string(port) +
           ",\"expect\":\"" + (denied ? "deny" : "allow") + "\"}\n";
  };
  const std::string nodes = R"("src":"192.168.0.2","dst":"192.168.0.3")";
  const std::string flows = flow(1, nodes, 4789, true) + flow(2, nodes, 53, false) +
                            flow(3, R"("src":"192.168.0.2","dst":"192.168.0.2")", 4789, false) +
                            flow(4, R"("src":"192.168.0.2","dst":"198.51.100.1")", 51820, true) +
                            flow(5, R"("src":"192.168.0.3","dst":"other/free")", 4789, false);
  const auto refused =
      RunOn(flows, {"--manifests", "nodes.yaml", "--config", "refuse.yaml", "--engine", "both", "-o", "json"});
  EXPECT_EQ(refused.exit_code, 0) << refused.err;
  EXPECT_THAT(refused.out, HasSubstr(R"({"id":1,"verdict":"deny","reason":"encapsulated",)"));
  const auto passed = RunOn(flows, {"--manifests", "nodes.yaml", "--engine", "both"});
  EXPECT_THAT(passed.err, HasSubstr("5 flows: 5 allowed, 0 denied; 2 not as expected"));
}

// On a node with hooks, an address that is not the interface's pod's gets no further, and no tunnel to a node.
TEST_F(Check, WhatHooksDropAtAPodsInterfaceIsDenied) {
  Write("nodes.yaml", kTwoNodes);
  Write("hooks.yaml", "wires: [hooks]\n");
  const std::string flows =
      R"({"id":1,"src":"10.9.9.9","dst":"shop/web","proto":"tcp","dport":80,"interface":"other/free","expect":"deny"}
{"id":2,"src":"other/free","dst":"shop/web","proto":"tcp","dport":80,"interface":"other/free","expect":"allow"}
{"id":3,"src":"10.9.9.9","dst":"shop/web","proto":"tcp","dport":80,"expect":"allow"}
{"id":4,"src":"other/free","dst":"192.168.0.3","proto":"udp","dport":8472,"expect":"deny"}
{"id":5,"src":"other/free","dst":"192.168.0.3","proto":"udp","dport":53,"expect":"allow"}
{"id":6,"src":"192.168.0.2","dst":"192.168.0.3","proto":"udp","dport":8472,"expect":"allow"}
)";
  const std::vector<std::string> both = {"--manifests", "nodes.yaml", "--engine", "both"};
  std::vector<std::string> hooks = both;
  hooks.insert(hooks.end(), {"--config", "hooks.yaml", "-o", "json"});
  const auto result = RunOn(flows, hooks);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(R"({"id":1,"verdict":"deny","reason":"spoofed_source",)"));
  EXPECT_THAT(result.out, HasSubstr(R"({"id":4,"verdict":"deny","reason":"spoofed_tunnel",)"));
  EXPECT_THAT(RunOn(flows, both).err, HasSubstr("5 allowed, 1 denied; 1 not as expected"))
      << "a flow's interface alone says that it has hooks";
  for (const auto& [interface, error] :
       {std::pair(R"("free")", "flow 1: interface: 'free' is no namespace/pod"),
        std::pair(R"("other/none")", "flow 1: interface: no pod 'other/none' in the manifests"),
        std::pair("7", "flow 1: interface: must be a string: the namespace/pod by whose interface it comes")}) {
    const auto bad = RunOn(R"({"id":1,"src":"10.9.9.9","dst":"shop/web","proto":"tcp","dport":80,"interface":)" +
                               std::string(interface) + "}",
                           both);
    EXPECT_EQ(bad.exit_code, 2);
    EXPECT_THAT(bad.err, HasSubstr(error));
  }
}

TEST_F(Check, WhatNothingAnswersToIsWarnedOf) {
  Write("silent.yaml", R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: silent}
spec:
  podSelector: {matchLabels: {app: wbe}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: ports}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - ports: [{port: metrics}]
    from: [{namespaceSelector: {matchLabels: {team: ops}}}]
---
apiVersion: v1
kind: Pod
metadata: {namespace: ops, name: prober}
spec: {containers: [{name: main, image: main}]}
status: {podIPs: [{ip: 10.0.9.9}]}
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Admin
  priority: 1
  subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: none}}}}
  ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: ops}}}]}]
)");
  const std::string flow = R"({"id":1,"src":"shop/web","dst":"shop/db","proto":"tcp"})";
  const std::vector<std::string> more = {"--manifests", "silent.yaml"};
  const auto result = RunOn(flow + '\n' + R"({"id":2,"src":"shop/web","dst":"shop/db","proto":"icmp"})", more);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* warning :
       {"silent.yaml:6: warning: NetworkPolicy shop/silent: spec.podSelector: no pod of namespace shop has the labels "
        "app=wbe",
        "silent.yaml:14: warning: NetworkPolicy shop/ports: spec.ingress[0].ports[0]: no pod that the policy selects "
        "has "
        "a TCP port 'metrics'",
        "silent.yaml:15: warning: NetworkPolicy shop/ports: spec.ingress[0].from[0].namespaceSelector: asks for labels "
        "of namespaces, and no Namespace object tells those of 'ops', where there are pods",
        "warning: ClusterNetworkPolicy guard: spec.subject: no pod is its subject",
        "warning: ClusterNetworkPolicy guard: spec.ingress[0]: asks for labels of namespaces",
        "flows.jsonl:1: warning: dport: missing in 1 flow of TCP, UDP or SCTP: judged as to port 0"}) {
    EXPECT_THAT(result.err, HasSubstr(warning));
  }
  EXPECT_THAT(Run({"verify", "--manifests", "shop.yaml", "silent.yaml"}).err, HasSubstr("no pod is its subject"));
  const std::vector<std::string> explain = {"explain", "--src", "shop/web",    "--dst",     "shop/db",
                                            "--proto", "tcp",   "--manifests", "shop.yaml", "silent.yaml"};
  EXPECT_THAT(Run(explain).err, AllOf(HasSubstr("NetworkPolicy shop/silent: spec.podSelector: no pod"),
                                      HasSubstr("warning: --dport: missing: judged as to port 0")));
  EXPECT_EQ(RunOn(R"({"id":1,"src":"shop/web","dst":"shop/db","proto":"tcp","dport":1})", {}).err,
            "1 flows: 0 allowed, 1 denied\n");
}

TEST_F(Check, ManifestsWithoutAPodAreWarnedOf) {
  Write("policy.yaml", "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: all}, spec: {}}\n");
  Write("flows.jsonl", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","dport":1})");
  const auto result = Run({"check", "--manifests", "policy.yaml", "--flows", "flows.jsonl"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("warning: no Pod among the manifests: no policy selects anybody"));
}

TEST_F(Check, AnswersComeInOrderAndBlankLinesAreSkipped) {
  const auto result = RunOn(
      "{\"id\":1,\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\",\"proto\":6,\"dport\":5432}\n\n"
      "{\"id\":2,\"src\":\"10.0.0.2\",\"dst\":\"10.0.0.1\",\"proto\":\"icmp\"}\r\n"
      "{\"id\":3,\"src\":\"10.0.0.1\",\"dst\":\"203.0.113.1\",\"proto\":47}");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  // 1 is denied by db's ingress, 2 has no rule, 3 is a rule without ports.
  EXPECT_THAT(result.out,
              MatchesRegex("\\{\"id\":1,\"verdict\":\"deny\",[^\n]*\n\\{\"id\":2,\"verdict\":\"deny\",[^\n]*\n"
                           "\\{\"id\":3,\"verdict\":\"allow\",[^\n]*\n"));
}

TEST_F(Check, PodNamesStandForAddressesOfAFamilyThatBothHave) {
  const auto result = RunOn(
      "{\"id\":1,\"src\":\"shop/web\",\"dst\":\"shop/db\",\"proto\":\"tcp\",\"dport\":5432}\n"
      "{\"id\":2,\"src\":\"2001:db8::9\",\"dst\":\"shop/web\",\"proto\":\"tcp\",\"dport\":80}\n",
      {});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("shop/web     shop/db:5432"), HasSubstr("2001:db8::9  shop/web:80")));
}

TEST_F(Check, ExemptionsAreNamedAndCanBeTurnedOff) {
  const std::string flows =
      "{\"id\":1,\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.1\",\"proto\":\"udp\",\"dport\":9}\n"
      "{\"id\":2,\"src\":\"192.0.2.1\",\"dst\":\"10.0.0.2\",\"proto\":\"udp\",\"dport\":9}\n";
  const auto exempt = RunOn(flows);
  EXPECT_THAT(exempt.out, MatchesRegex(".*\"id\":1,\"verdict\":\"allow\".*\"exempt\":\"self\"\\}\n"
                                       ".*\"id\":2,\"verdict\":\"allow\".*\"exempt\":\"node\"\\}\n"));
  const auto judged = RunOn(flows, {"-o", "json", "--no-exemptions"});
  EXPECT_THAT(judged.out, MatchesRegex(".*\"id\":1,\"verdict\":\"deny\".*\"exempt\":\"\"\\}\n"
                                       ".*\"id\":2,\"verdict\":\"deny\".*\"exempt\":\"\"\\}\n"));
}

TEST_F(Check, UnmetExpectationExits1AndIsNamed) {
  const auto result = RunOn(
      "{\"id\":\"ok\",\"src\":\"shop/"
      "web\",\"dst\":\"198.51.100.9\",\"proto\":\"tcp\",\"dport\":1,\"expect\":\"deny\"}\n"
      "{\"id\":\"off\",\"src\":\"shop/"
      "web\",\"dst\":\"198.51.100.9\",\"proto\":\"tcp\",\"dport\":1,\"expect\":\"allow\"}\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("flows.jsonl:2: flow \"off\": expected allow"));
  EXPECT_THAT(result.err, HasSubstr("2 flows: 0 allowed, 2 denied; 1 not as expected"));
}

TEST_F(Check, EnginesSayTheSame) {
  const std::string flows =
      "{\"id\":1,\"src\":\"shop/web\",\"dst\":\"203.0.113.127\",\"proto\":\"tcp\",\"dport\":1}\n"
      "{\"id\":2,\"src\":\"shop/web\",\"dst\":\"203.0.113.128\",\"proto\":\"tcp\",\"dport\":1}\n";
  const auto compiled = RunOn(flows, {"-o", "json", "--engine", "compiled"});
  const auto reference = RunOn(flows, {"-o", "json", "--engine", "reference"});
  const auto both = RunOn(flows, {"-o", "json", "--engine", "both"});
  EXPECT_EQ(compiled.out, reference.out);
  EXPECT_EQ(compiled.out, both.out);
  EXPECT_EQ(both.exit_code, 0) << both.err;
}

TEST_F(Check, TableIsAlignedAndSaysWhatWasExpected) {
  const auto result = RunOn(
      "{\"id\":1,\"src\":\"shop/web\",\"dst\":\"203.0.113.1\",\"proto\":\"tcp\",\"dport\":443,\"expect\":\"deny\"}\n",
      {});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out,
            "ID  FROM      TO               PROTO  VERDICT  EGRESS                    INGRESS  EXPECTED\n"
            "1   shop/web  203.0.113.1:443  tcp    allow    allow shop/web egress[0]  -        deny NOT MET\n");
}

struct BadLine {
  const char* name;
  const char* line;
  const char* error;
};

class CheckBadLine : public Check, public testing::WithParamInterface<BadLine> {};

TEST_P(CheckBadLine, IsNamedAndTheRestIsJudged) {
  const std::string good = R"({"id":"good","src":"10.0.0.1","dst":"203.0.113.1","proto":"tcp","dport":1})";
  const auto result = RunOn(good + '\n' + GetParam().line + '\n' + good + '\n');
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr(std::string("flows.jsonl:2: error: ") + GetParam().error));
  EXPECT_THAT(result.err, HasSubstr("2 flows: 2 allowed, 0 denied; 1 bad line skipped"));
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, CheckBadLine,
    testing::Values(BadLine{"NotJson", "{\"id\":1", "not JSON"}, BadLine{"TwoValues", "{} {}", "not JSON"},
                    BadLine{"NotAnObject", "[1]", "not a JSON object"}, BadLine{"NothingGiven", "{}", "id: missing"},
                    BadLine{"UnknownKey", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","port":1})",
                            "flow 1: port: no such key"},
                    BadLine{"KeyTwice", R"({"id":1,"src":"10.0.0.1","src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp"})",
                            "flow 1: src: given twice"},
                    BadLine{"BadId", R"({"id":[],"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp"})", "id: must be"},
                    BadLine{"NoSource", R"({"id":1,"dst":"10.0.0.2","proto":"tcp"})", "flow 1: src: missing"},
                    BadLine{"BadAddress", R"({"id":1,"src":"10.0.0.256","dst":"10.0.0.2","proto":"tcp"})",
                            "flow 1: src: '10.0.0.256' is neither"},
                    BadLine{"MappedAddress", R"({"id":1,"src":"::ffff:10.0.0.1","dst":"10.0.0.2","proto":"tcp"})",
                            "flow 1: src: '::ffff:10.0.0.1' never"},
                    BadLine{"UnknownPod", R"({"id":1,"src":"10.0.0.1","dst":"shop/none","proto":"tcp"})",
                            "flow 1: dst: no pod 'shop/none'"},
                    BadLine{"PodWithoutAddress", R"({"id":1,"src":"shop/pending","dst":"10.0.0.1","proto":"tcp"})",
                            "flow 1: src: pod 'shop/pending' has no address"},
                    BadLine{"TwoFamilies", R"({"id":1,"src":"10.0.0.1","dst":"fd00::1","proto":"tcp"})",
                            "flow 1: dst: '10.0.0.1' and 'fd00::1' have no address of the same family"},
                    BadLine{"PodOfTheOtherFamily", R"({"id":1,"src":"fd00::9","dst":"shop/db","proto":"tcp"})",
                            "flow 1: dst: 'fd00::9' and 'shop/db' have no address of the same family"},
                    BadLine{"UnknownProtocol", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"ipx"})",
                            "flow 1: proto: must be"},
                    BadLine{"ProtocolTooLarge", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":256})",
                            "flow 1: proto: must be"},
                    BadLine{"PortTooLarge", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","dport":65536})",
                            "flow 1: dport: must be"},
                    BadLine{"PortIsText", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","sport":"80"})",
                            "flow 1: sport: must be"},
                    BadLine{"BadExpect", R"({"id":1,"src":"10.0.0.1","dst":"10.0.0.2","proto":"tcp","expect":"drop"})",
                            "flow 1: expect: must be"}),
    [](const auto& form) { return form.param.name; });

TEST_F(Check, AllThatIsWrongWithALineIsSaid) {
  const auto result = RunOn(R"({"src":"x","dst":"10.0.0.2","proto":"ipx","dport":-1,"sprot":1})");
  EXPECT_EQ(result.exit_code, 2);
  for (const char* part :
       {"id: missing", "src: 'x' is neither", "proto: must be", "dport: must be", "sprot: no such key"}) {
    EXPECT_THAT(result.err, HasSubstr(part));
  }
  EXPECT_THAT(result.out, IsEmpty());
}

TEST_F(Check, RefusedManifestExits2AndTheRestIsJudged) {
  Write("bad/bad.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: bad}\n"
        "spec:\n  podSelector: {matchLabels: {app: db}}\n  ingress: [{ports: [{port: 70000}]}]\n");
  const auto result = RunOn(R"({"id":1,"src":"10.0.0.1","dst":"203.0.113.1","proto":"tcp","dport":1})",
                            {"-o", "json", "--manifests", "bad"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("bad/bad.yaml:6: error: NetworkPolicy shop/bad: spec.ingress[0].ports[0].port")));
  EXPECT_THAT(result.out, HasSubstr(R"({"id":1,"verdict":"allow")"));
}

TEST_F(Check, SkippedKindIsANoteAndFine) {
  Write("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: shop, name: web}\n");
  const auto result = RunOn(R"({"id":1,"src":"10.0.0.1","dst":"203.0.113.1","proto":"tcp","dport":1})",
                            {"-o", "json", "--manifests", "deployment.yaml"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr("note:"), HasSubstr("Deployment")));
}

TEST_F(Check, MissingFilesExit2) {
  Write("flows.jsonl", "");
  EXPECT_EQ(Run({"check", "--manifests", "shop.yaml", "--flows", "flows.jsonl"}).exit_code, 0);
  const auto no_flows = Run({"check", "--manifests", "shop.yaml", "--flows", "none.jsonl"});
  EXPECT_EQ(no_flows.exit_code, 2);
  EXPECT_THAT(no_flows.err, HasSubstr("none.jsonl: error: cannot be read"));
  const auto no_manifests = Run({"check", "--manifests", "none", "--flows", "flows.jsonl"});
  EXPECT_EQ(no_manifests.exit_code, 2);
  EXPECT_THAT(no_manifests.err, HasSubstr("none: error:"));
}

TEST_F(Check, BadOptionsExit2) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"check"},
                                             {"check", "--manifests", "shop.yaml"},
                                             {"check", "--manifests", "shop.yaml", "--flows", "x", "--engine", "fast"},
                                             {"check", "--manifests", "shop.yaml", "--flows", "x", "-o", "xml"},
                                             {"check", "--manifest", "shop.yaml", "--flows", "x"}}) {
    const auto result = Run(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, Not(IsEmpty()));
  }
}

}  // namespace
}  // namespace sluice::test
