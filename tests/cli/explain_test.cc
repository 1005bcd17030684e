// `sluicectl explain`: the steps as text and as JSON.
#include <gmock/gmock.h>

#include "cli/command.h"

namespace sluice::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Explain : public CommandTest {
 protected:
  Explain() { Write("shop.yaml", kShop); }

  CommandResult RunFor(std::string source, std::string destination, std::string protocol, std::string port,
                       std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"explain", "--src",   source, "--dst",       destination, "--proto",
                                          protocol,  "--dport", port,   "--manifests", "shop.yaml"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
};

TEST_F(Explain, TellsEndsRulesAndVerdict) {
  const auto result = RunFor("shop/web", "203.0.113.200", "tcp", "5432");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            R"(verdict  deny by shop/deny egress default (isolated by shop/deny, shop/web)
nearest  shop/web egress[0], allow to 203.0.113.0/24 except 203.0.113.128/25; every protocol and port: the peer is not among them
from     10.0.0.1  pod shop/web on node n1, labels app=web
to       203.0.113.200  outside the cluster
traffic  tcp to port 5432

egress of shop/web
  shop/deny isolates it
    no rule that could match here
  shop/web isolates it
    egress[0] allow to 203.0.113.0/24 except 203.0.113.128/25; every protocol and port
        does not match: the peer is not among them
    egress[1] allow to pods[app=db] in shop; tcp 5432
        does not match: the peer is not among them
  => deny: isolated by shop/deny, shop/web, and no rule matches

ingress of 203.0.113.200
  not a managed pod: this side passes

)");
}

TEST_F(Explain, NamesTheRuleThatDecides) {
  const auto result = RunFor("198.51.100.9", "shop/web", "tcp", "80");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("    ingress[0] allow from everyone; tcp 80\n        matches, and decides\n"));
  EXPECT_THAT(result.out, HasSubstr("  => allow by shop/web ingress[0]\n"));
  EXPECT_THAT(result.out, StartsWith("verdict  allow by shop/web ingress[0]\nfrom "));
}

TEST_F(Explain, TheNearestRuleSharesMost) {
  Write("near.yaml", R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: near}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - {from: [{podSelector: {matchLabels: {app: none}}}], ports: [{port: 9}]}
  - {from: [{podSelector: {matchLabels: {app: none}}}], ports: [{port: 5432}]}
  - {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5433}]}
  - {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5434}]}
)");
  const auto told = [&](std::string protocol, std::string port, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--manifests", "near.yaml"});
    return RunFor("shop/web", "shop/db", std::move(protocol), std::move(port), std::move(more)).out;
  };
  EXPECT_THAT(told("tcp", "5432"),
              StartsWith("verdict  deny by shop/deny ingress default (isolated by shop/deny, shop/near)\n"
                         "nearest  shop/near ingress[2], allow from pods[app=web] in shop; tcp 5433: the port is "
                         "another\nfrom "));
  EXPECT_THAT(told("udp", "5433"),
              HasSubstr("[2], allow from pods[app=web] in shop; tcp 5433: the protocol is another"));
  EXPECT_THAT(told("icmp", "0"), HasSubstr("tcp 5433: it is for ports, which icmp has none of\n"));
  EXPECT_THAT(told("tcp", "5432", {"-o", "json"}),
              AllOf(HasSubstr("\"nearest\": {\n      \"policy\": \"shop/near\",\n      \"rule\": 2,"),
                    HasSubstr("\"isolated_by\": [\n      \"shop/deny\",\n      \"shop/near\"\n    ]")));
}

TEST_F(Explain, WhatPolicyAllowsAndTheFilterDropsIsDenied) {
  Write("free.yaml", R"(
{apiVersion: v1, kind: Node, metadata: {name: n2}, spec: {podCIDRs: [10.2.0.0/24]}}
---
apiVersion: v1
kind: Pod
metadata: {namespace: other, name: free}
spec: {nodeName: n2, containers: [{name: main, image: main}]}
status: {podIPs: [{ip: 10.2.0.9}]}
)");
  const auto told = [&](std::string source, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--manifests", "free.yaml"});
    return RunFor(std::move(source), "other/free", "udp", "9", std::move(more)).out;
  };
  EXPECT_THAT(told("10.2.0.77"),
              AllOf(StartsWith("verdict  deny, whatever policy says: unknown_endpoint, an address inside the pod CIDRs "
                               "that no endpoint and no node has\nfrom "),
                    HasSubstr("  => allow\n"), Not(HasSubstr("verdict  allow"))));
  EXPECT_THAT(told("10.2.0.77", {"-o", "json"}),
              AllOf(HasSubstr(R"("verdict": "deny")"), HasSubstr(R"("reason": "unknown_endpoint")")));
  EXPECT_THAT(told("224.0.0.1"), StartsWith("verdict  deny, whatever policy says: bad_ip_address, a source that"));
  EXPECT_THAT(told("198.51.100.9"), StartsWith("verdict  allow: no policy concerns it\n"));
  Write("lenient.yaml", "drop_unknown_endpoint: false\n");
  EXPECT_THAT(told("10.2.0.77", {"--config", "lenient.yaml"}), StartsWith("verdict  allow: no policy concerns it\n"));
  const auto live = Run({"explain", "--src", "10.0.0.1", "--dst", "10.0.0.2", "--proto", "tcp", "--config", "x.yaml"});
  EXPECT_THAT(live.err, HasSubstr("--config: goes with --manifests; a running sluiced has its own"));
}

TEST_F(Explain, WhatHooksAndRefusedTunnelsDropIsDenied) {
  Write("nodes.yaml", R"(
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n3}, status: {addresses: [{type: InternalIP, address: 192.168.0.3}]}}
---
apiVersion: v1
kind: Pod
metadata: {namespace: other, name: free}
spec: {nodeName: n2, containers: [{name: main, image: main}]}
status: {podIPs: [{ip: 10.2.0.9}]}
)");
  Write("hooks.yaml", "{wires: [hooks], encapsulation: refuse}\n");
  const auto told = [&](std::string source, std::string destination, std::string port,
                        std::vector<std::string> more = {"--config", "hooks.yaml"}) {
    more.insert(more.end(), {"--manifests", "nodes.yaml"});
    const auto result = RunFor(std::move(source), std::move(destination), "udp", std::move(port), std::move(more));
    return result.out + result.err;
  };
  EXPECT_THAT(
      told("10.9.9.9", "other/free", "53", {"--interface", "other/free"}),
      StartsWith("verdict  deny, whatever policy says: spoofed_source, the hook at the pod's interface lets out "
                 "the pod's own addresses only\nfrom "));
  EXPECT_THAT(told("other/free", "192.168.0.3", "53", {"--interface", "other/free"}),
              AllOf(StartsWith("verdict  allow"), HasSubstr("udp to port 53, by the interface of other/free\n")));
  EXPECT_THAT(told("10.9.9.9", "other/free", "53", {"--interface", "other/free", "-o", "json"}),
              AllOf(HasSubstr(R"("reason": "spoofed_source")"), HasSubstr(R"("interface": "other/free")")));
  EXPECT_THAT(
      told("other/free", "192.168.0.3", "8472"),
      StartsWith("verdict  deny, whatever policy says: spoofed_tunnel, the hook at the pod's interface lets out "
                 "no tunnel to a node's address\nfrom "));
  EXPECT_THAT(told("other/free", "192.168.0.3", "8472", {}), StartsWith("verdict  allow"));
  EXPECT_THAT(told("192.168.0.2", "192.168.0.3", "8472"),
              StartsWith("verdict  deny, whatever policy says: encapsulated, a tunnel between nodes"));
  EXPECT_THAT(told("192.168.0.2", "192.168.0.3", "53"), StartsWith("verdict  allow"));
  EXPECT_THAT(told("192.168.0.2", "other/free", "53", {"--interface", "other/none"}),
              HasSubstr("--interface: no pod 'other/none' in the manifests"));
}

TEST_F(Explain, RefusesAPortThatIsNoneByName) {
  for (const char* port : {"70000", "-1", "http", ""}) {
    const auto result = RunFor("shop/web", "shop/db", "tcp", port);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err,
                HasSubstr("--dport: '" + std::string(port) + "' is no port; wants a number from 0 to 65535"));
  }
}

TEST_F(Explain, SaysWhyExempt) {
  EXPECT_THAT(RunFor("192.0.2.1", "shop/db", "udp", "9").out,
              HasSubstr("exempt: traffic between a pod and its own node"));
  EXPECT_THAT(RunFor("shop/db", "shop/db", "udp", "9").out, HasSubstr("exempt: a pod may always reach itself"));
  const auto judged = RunFor("shop/db", "shop/db", "udp", "9", {"--no-exemptions"});
  EXPECT_THAT(judged.out, HasSubstr("verdict  deny"));
}

TEST_F(Explain, NP_72_TellsWhoseAnAddressInAPodCidrIs) {
  Write("nodes.yaml", R"(
{apiVersion: v1, kind: Node, metadata: {name: n2}, spec: {podCIDRs: [10.2.0.0/24, 10.3.0.0/24]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n3}, spec: {podCIDRs: [10.3.0.0/24]}}
)");
  const auto told = [&](std::string source) {
    return RunFor(source, "shop/db", "udp", "9", {"--manifests", "nodes.yaml"}).out;
  };
  EXPECT_THAT(told("10.2.0.1"), HasSubstr("from     10.2.0.1  node n2\n"));
  EXPECT_THAT(told("10.3.0.1"), HasSubstr("from     10.3.0.1  claimed by several nodes, so no pod's own node's\n"));
  EXPECT_THAT(told("10.3.0.2"), HasSubstr("from     10.3.0.2  in the pod CIDRs, but no pod and no node has it\n"));
}

TEST_F(Explain, JsonHoldsTheSameSteps) {
  const auto result = RunFor("shop/web", "shop/db", "tcp", "5432", {"-o", "json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {R"("verdict": "deny")", R"("kind": "pod")", R"("pod": "web")", R"("policy": "shop/web")",
                           R"("peers": "pods[app=db] in shop")", R"("peers_match": true)", R"("exempt": "")"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
}

TEST_F(Explain, WithoutManifestsARunningSluicedIsAsked) {
  const auto result = Run({"explain", "--src", "10.0.0.1", "--dst", "10.0.0.2", "--proto", "tcp", "--dport", "80",
                           "--target", "unix:" + Path("none.sock")});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("error: nobody answers at unix:"));
}

TEST_F(Explain, BadEndsAndProtocolsExit2) {
  EXPECT_THAT(RunFor("shop/none", "shop/db", "tcp", "80").err, HasSubstr("--src: no pod 'shop/none'"));
  EXPECT_EQ(RunFor("shop/none", "shop/db", "tcp", "80").exit_code, 2);
  EXPECT_THAT(RunFor("shop/web", "fd00::9", "ipx", "80").err, HasSubstr("--proto: must be"));
  EXPECT_THAT(RunFor("10.0.0.1", "fd00::9", "tcp", "80").err, HasSubstr("--dst: "));
  EXPECT_EQ(RunFor("shop/web", "shop/db", "tcp", "65536").exit_code, 2);
}

}  // namespace
}  // namespace sluice::test
