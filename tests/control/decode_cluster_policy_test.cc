// Cluster policy as manifests say it, and as an API server may: what is read, refused, and what stands for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "manifest_text.h"
#include "model/decode.h"
#include "model/dump.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kHead[] = "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n";
constexpr char kMeta[] = "metadata: {name: p}\n";

Manifests FromSpec(const std::string& spec) { return FromYaml(kHead + std::string(kMeta) + "spec: " + spec + "\n"); }
// With the tier, priority and subject that it needs.
Manifests FromRules(const std::string& rules) {
  return FromSpec("{tier: Admin, priority: 1, subject: {namespaces: {}}, " + rules + "}");
}
std::string Policies(const Manifests& read) {
  Cluster cluster;
  cluster.cluster_policies = read.cluster.cluster_policies;
  return Dump(cluster);
}
constexpr char kPolicy[] = "ClusterNetworkPolicy p tier=Admin priority=1 pods[] in namespaces[]";

// One object as an API server sent it.
struct FromServer {
  DecodedObject decoded;
  Diagnostics diagnostics;

  explicit FromServer(const std::string& rules) {
    ValueTree tree;
    BuildTree(tree, rules);
    decoded = DecodeObject(tree, *tree.root(), {}, "https://api", diagnostics, Origin::kApiServer);
  }
  std::string Policy() const {
    Cluster cluster;
    cluster.cluster_policies = {std::get<ClusterPolicy>(decoded.object)};
    return Dump(cluster);
  }

 private:
  static void BuildTree(ValueTree& tree, const std::string& peer) {
    const auto text = [&](std::string_view key, std::string_view value) {
      tree.Key(key, 0);
      tree.String(value, 0);
    };
    tree.BeginMap(0);
    text("apiVersion", "policy.networking.k8s.io/v1beta1");
    text("kind", "ClusterNetworkPolicy");
    tree.Key("metadata", 0);
    tree.BeginMap(0);
    text("name", "p");
    tree.End();
    tree.Key("spec", 0);
    tree.BeginMap(0);
    text("tier", "Admin");
    tree.Key("priority", 0);
    tree.Integer(1, "1", 0);
    tree.Key("subject", 0);
    tree.BeginMap(0);
    tree.Key("namespaces", 0);
    tree.BeginMap(0);
    tree.End();
    tree.End();
    tree.Key("egress", 0);
    tree.BeginList(0);
    for (const char* action : {"Accept", "Deny", "Pass"}) {
      tree.BeginMap(0);
      text("action", action);
      if (peer == "rule") text("sourcePort", "80");
      tree.Key("to", 0);
      tree.BeginList(0);
      tree.BeginMap(0);
      tree.Key("namespaces", 0);
      tree.BeginMap(0);
      tree.End();
      tree.End();
      tree.BeginMap(0);
      if (peer == "peer") text("serviceAccount", "x");
      if (peer != "peer" && peer != "empty peer") {
        tree.Key("networks", 0);
        tree.BeginList(0);
        tree.String("10.0.0.0/8", 0);
        tree.End();
      }
      tree.End();
      tree.End();
      if (peer == "protocol") {
        tree.Key("protocols", 0);
        tree.BeginList(0);
        tree.BeginMap(0);
        tree.Key("icmp", 0);
        tree.BeginMap(0);
        tree.End();
        tree.End();
        tree.End();
      }
      tree.End();
    }
    tree.End();
    tree.End();
    tree.End();
  }
};

TEST(DecodeClusterPolicy, EveryFieldIsReadInBothVersions) {
  for (const char* version : {"v1alpha2", "v1beta1"}) {
    const Manifests read = FromYaml("apiVersion: policy.networking.k8s.io/" + std::string(version) + R"(
kind: ClusterNetworkPolicy
metadata: {name: guard, labels: {a: b}, generation: 3}
spec:
  tier: Baseline
  priority: 1000
  subject:
    pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: web}}}
  ingress:
  - name: from our own
    action: Accept
    from:
    - namespaces: {matchLabels: {team: red}}
    - pods: {podSelector: {matchLabels: {app: lb}}}
    protocols:
    - tcp: {destinationPort: {number: 80}}
    - udp: {destinationPort: {range: {start: 5, end: 7}}}
    - sctp: {destinationPort: {number: 9}}
    - destinationNamedPort: http
  egress:
  - action: Pass
    to:
    - nodes: {matchLabels: {zone: x}}
    - networks: [10.0.0.0/8, 'fd00::/8']
status:
  conditions: []
)");
    EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
    EXPECT_EQ(Policies(read),
              "ClusterNetworkPolicy guard tier=Baseline priority=1000 pods[app=web] in namespaces[team=red]\n"
              "  ingress[0] allow \"from our own\" peers={pods[] in namespaces[team=red] or pods[app=lb] in "
              "namespaces[]} ports=TCP/80,UDP/5-7,SCTP/9,http\n"
              "  egress[0] pass peers={nodes[zone=x] or 10.0.0.0/8,fd00::/8} ports=any\n");
  }
}

TEST(DecodeClusterPolicy, CNP_12_TheOlderKindsAreReadInTheSameTerms) {
  const Manifests read = FromYaml(R"(apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: old}
spec:
  priority: 7
  subject: {namespaces: {}}
  ingress:
  - name: a
    action: Allow
    from: [{pods: {namespaceSelector: {}, podSelector: {}}}]
    ports:
    - portNumber: {port: 80}
    - portRange: {protocol: UDP, start: 1, end: 2}
    - namedPort: http
  egress:
  - action: Pass
    to: [{networks: [10.0.0.0/8]}]
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {namespaces: {}}
  ingress:
  - action: Deny
    from: [{namespaces: {}}]
)");
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty());
  EXPECT_EQ(Policies(read),
            "AdminNetworkPolicy old tier=Admin priority=7 pods[] in namespaces[]\n"
            "  ingress[0] allow \"a\" peers={pods[] in namespaces[]} ports=TCP/80,UDP/1-2,http\n"
            "  egress[0] pass peers={10.0.0.0/8} ports=any\n"
            "BaselineAdminNetworkPolicy default tier=Baseline priority=0 pods[] in namespaces[]\n"
            "  ingress[0] deny peers={pods[] in namespaces[]} ports=any\n");
}

TEST(DecodeClusterPolicy, EachMistakeNamesItsFieldAndWhatWouldBeRight) {
  const struct {
    const char* rules;
    const char* error;
  } cases[] = {
      {"ingress: [{from: [{namespaces: {}}]}]", "spec.ingress[0].action: is required: Accept, Deny or Pass"},
      {"ingress: [{action: Allow, from: [{namespaces: {}}]}]",
       "spec.ingress[0].action: must be Accept, Deny or Pass, is \"Allow\""},
      {"ingress: [{action: Deny}]", "spec.ingress[0].from: is required, with at least one peer"},
      {"ingress: [{action: Deny, from: []}]", "spec.ingress[0].from: is required, with at least one peer"},
      {"ingress: [{action: Deny, from: [{}]}]", "spec.ingress[0].from[0]: is empty; give one of namespaces, pods"},
      {"ingress: [{action: Deny, from: [{networks: [10.0.0.0/8]}]}]",
       "spec.ingress[0].from[0].networks: unknown field; known here: namespaces, pods"},
      {"egress: [{action: Deny, to: [{networks: [10.0.0.0/8], nodes: {}}]}]",
       "spec.egress[0].to[0]: must have only one of namespaces, pods, nodes, networks, domainNames"},
      {"egress: [{action: Deny, to: [{networks: [10.0.0.0/33]}]}]",
       "spec.egress[0].to[0].networks[0]: \"10.0.0.0/33\" is not a CIDR such as 10.0.0.0/8 or fd00::/64, without "
       "leading zeros"},
      {"egress: [{action: Deny, to: [{networks: []}]}]", "spec.egress[0].to[0].networks: must not be empty"},
      {"egress: [{action: Deny, to: [{networks: [::/0, ::/0]}]}]", "spec.egress[0].to[0].networks[1]: is given twice"},
      {"egress: [{action: Pass, to: [{domainNames: [example.com]}]}]",
       "spec.egress[0].to[0].domainNames: stands only in a rule whose action is Accept"},
      {"egress: [{action: Deny, to: [{pods: {namespaceSelector: {}}}]}]",
       "spec.egress[0].to[0].pods.podSelector: is required; {} is every pod of these namespaces"},
      {"egress: [{action: Deny, to: [{nodes: {}}], protocols: []}]",
       "spec.egress[0].protocols: must not be empty; every protocol and port is written by leaving it out"},
      {"egress: [{action: Deny, to: [{nodes: {}}], protocols: [{tcp: {}}]}]",
       "spec.egress[0].protocols[0].tcp: is empty; give one of destinationPort"},
      {"egress: [{action: Deny, to: [{nodes: {}}], protocols: [{tcp: {destinationPort: {number: 0}}}]}]",
       "spec.egress[0].protocols[0].tcp.destinationPort.number: must be 1 to 65535, is 0"},
      {"egress: [{action: Deny, to: [{nodes: {}}], protocols: [{tcp: {destinationPort: {range: {start: 5, end: "
       "5}}}}]}]",
       "spec.egress[0].protocols[0].tcp.destinationPort.range.end: must be above start, which is 5"},
      {"egress: [{action: Deny, to: [{nodes: {}}], protocols: [{icmp: {}}]}]",
       "spec.egress[0].protocols[0].icmp: unknown field; known here: tcp, udp, sctp, destinationNamedPort"},
      {"egress: [{action: Deny, to: [{nodes: {}}], ports: []}]",
       "spec.egress[0].ports: unknown field; known here: name, action, to, protocols"},
      {"egres: []", "spec.egres: unknown field; did you mean egress?"},
  };
  for (const auto& one : cases) {
    const Manifests read = FromRules(one.rules);
    ASSERT_THAT(read.diagnostics, SizeIs(1)) << one.rules;
    EXPECT_EQ(read.diagnostics[0].object, "ClusterNetworkPolicy p");
    EXPECT_EQ(read.diagnostics[0].field + ": " + read.diagnostics[0].message, one.error);
    EXPECT_TRUE(HasErrors(read.diagnostics)) << one.rules;
  }
}

TEST(DecodeClusterPolicy, TierPriorityAndSubjectAreRequired) {
  EXPECT_THAT(Texts(FromSpec("{}").diagnostics),
              ElementsAre(HasSubstr("spec.tier: is required: Admin or Baseline"),
                          HasSubstr("spec.priority: is required: 0 (first) to 1000"),
                          HasSubstr("spec.subject: is required: namespaces, or pods")));
  EXPECT_THAT(Texts(FromSpec("{tier: admin, priority: 1001, subject: {}}").diagnostics),
              ElementsAre(HasSubstr("spec.tier: must be Admin or Baseline, is \"admin\""),
                          HasSubstr("spec.priority: must be 0 to 1000, is 1001"),
                          HasSubstr("spec.subject: must have exactly one of namespaces and pods")));
}

TEST(DecodeClusterPolicy, CNP_10_LimitsOfTheApiAreHeld) {
  const auto repeat = [](const std::string& item, int count) {
    std::string list = "[";
    for (int i = 0; i < count; ++i) list += (i == 0 ? "" : ", ") + item;
    return list + "]";
  };
  const auto networks = [](int count) {
    std::string list = "[";
    for (int i = 0; i < count; ++i) list += "10.0." + std::to_string(i) + ".0/24, ";
    return list + "]";
  };
  const std::string rule = "{action: Deny, from: [{namespaces: {}}]}";
  const std::string port = "{tcp: {destinationPort: {number: 80}}}";
  EXPECT_THAT(FromRules("ingress: " + repeat(rule, 25)).diagnostics, IsEmpty());
  EXPECT_THAT(Texts(FromRules("ingress: " + repeat(rule, 26)).diagnostics),
              ElementsAre(HasSubstr("spec.ingress: has 26 rules; at most 25 are allowed: split it")));
  EXPECT_THAT(Texts(FromRules("ingress: [{action: Deny, from: " + repeat("{namespaces: {}}", 26) + "}]").diagnostics),
              ElementsAre(HasSubstr("spec.ingress[0].from: has 26 peers")));
  EXPECT_THAT(
      Texts(FromRules("ingress: [{action: Deny, from: [{namespaces: {}}], protocols: " + repeat(port, 26) + "}]")
                .diagnostics),
      ElementsAre(HasSubstr("spec.ingress[0].protocols: has 26 protocols")));
  EXPECT_THAT(Texts(FromRules("egress: [{action: Deny, to: [{networks: " + networks(26) + "}]}]").diagnostics),
              ElementsAre(HasSubstr("spec.egress[0].to[0].networks: has 26 networks")));
  EXPECT_THAT(FromRules("egress: [{action: Deny, to: [{networks: " + networks(25) + "}]}]").diagnostics, IsEmpty());
  std::string name;
  for (int i = 0; i < 100; ++i) name += "\u00e9";  // characters, not bytes
  EXPECT_THAT(FromRules("ingress: [{name: " + name + ", action: Deny, from: [{namespaces: {}}]}]").diagnostics,
              IsEmpty());
  EXPECT_THAT(Texts(FromRules("ingress: [{name: " + name + "e, action: Deny, from: [{namespaces: {}}]}]").diagnostics),
              ElementsAre(HasSubstr("spec.ingress[0].name: has 101 characters; at most 100 are allowed")));
}

TEST(DecodeClusterPolicy, ARefusedOneHasNoAcceptsAndItsDeniesAndPassesDenyItsSubject) {
  const Manifests read = FromRules(
      "ingress: [{name: a, action: Accept, from: [{namespaces: {}}]}, {name: b, action: Deny, from: [{pods: "
      "{podSelector: {}}}]}, {name: c, action: Pass, from: [{namespaces: {}}]}, {action: Block}], egress: [{action: "
      "Accept, to: [{nodes: {}}]}]");
  EXPECT_TRUE(HasErrors(read.diagnostics));
  EXPECT_EQ(Policies(read), std::string(kPolicy) +
                                " refused\n"
                                "  ingress[0] allow \"a\" peers={none} ports=any\n"
                                "  ingress[1] deny \"b\" peers={any} ports=any\n"
                                "  ingress[2] deny \"c\" peers={any} ports=any\n"
                                "  ingress[3] deny peers={any} ports=any\n"
                                "  egress[0] allow peers={none} ports=any\n");
}

TEST(DecodeClusterPolicy, OfARefusedOneDirectionsThatMayHideRulesAreDenied) {
  const std::string accepts = "ingress: [{action: Accept, from: [{namespaces: {}}]}]";
  for (const std::string& rules :
       {accepts + ", egres: []", accepts + ", egress: 5", accepts + ", egress: [], egress: []"}) {
    const Manifests read = FromRules(rules);
    EXPECT_TRUE(HasErrors(read.diagnostics)) << rules;
    EXPECT_EQ(Policies(read), std::string(kPolicy) +
                                  " refused\n"
                                  "  ingress[0] allow peers={none} ports=any\n"
                                  "  egress[0] deny peers={any} ports=any\n")
        << rules;
  }
  EXPECT_THAT(Policies(FromRules(accepts + ", other: 1")), testing::Not(HasSubstr("egress")));
}

TEST(DecodeClusterPolicy, ARefusedOneWhoseTierOrSubjectIsUnreadableIsUnclear) {
  for (const char* spec :
       {"{tier: Admn, priority: 1, subject: {namespaces: {}}}", "{priority: 1, subject: {namespaces: {}}}",
        "{tier: Admin, priority: 1, subject: {}}", "{tier: Admin, priority: 1}", "5",
        "{tier: Admin, priority: 1, subject: {namespaces: {}, pods: {podSelector: {}}}}"}) {
    const Manifests read = FromSpec(spec);
    EXPECT_TRUE(HasErrors(read.diagnostics)) << spec;
    EXPECT_EQ(Policies(read), "") << spec;
    EXPECT_THAT(read.unread, ElementsAre("m.yaml")) << spec;
  }
}

TEST(DecodeClusterPolicy, NoneIsEverSkipped) {
  constexpr char kDenyAll[] =
      "\nmetadata: {name: default}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: "
      "Deny, "
      "from: [{namespaces: {}}]}]}\n";
  for (const char* type :
       {"apiVersion: policy.networking.k8s.io/v1alpha1\nkind: ClusterNetworkPolicy",
        "apiVersion: policy.networking.k8s.io/v1\nkind: ClusterNetworkPolicy",
        "apiVersion: networking.k8s.io/v1\nkind: ClusterNetworkPolicy", "apiVersion: v1\nkind: ClusterNetworkPolicy",
        "kind: ClusterNetworkPolicy", "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: clusternetworkpolicy",
        "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicies",
        "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: AdminNetworkPolicy",
        "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: BaselineAdminNetworkPolicy"}) {
    const Manifests read = FromYaml(type + std::string(kDenyAll));
    EXPECT_TRUE(HasErrors(read.diagnostics)) << type;
    EXPECT_THAT(Policies(read), HasSubstr("refused\n  ingress[0] deny peers={any}")) << type;
  }
  // Antrea's, which is another kind.
  const Manifests other =
      FromYaml("apiVersion: crd.antrea.io/v1beta1\nkind: ClusterNetworkPolicy" + std::string(kDenyAll));
  EXPECT_FALSE(HasErrors(other.diagnostics));
  EXPECT_EQ(Policies(other), "");
}

TEST(DecodeClusterPolicy, ABaselineAdminNetworkPolicyIsNamedDefault) {
  const Manifests read = FromYaml(
      "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: p}\nspec: "
      "{subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}\n");
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre(HasSubstr("metadata.name: must be \"default\": a cluster has one BaselineAdminNetworkPolicy"),
                          HasSubstr("spec.ingress[0].action: must be Allow or Deny, is \"Pass\"")));
}

TEST(DecodeClusterPolicy, FQ_01_DomainNamesAreNamesOrAStarBeforeOne) {
  const Manifests read =
      FromRules("egress: [{action: Accept, to: [{domainNames: ['*.example.com', example.org.]}, {nodes: {}}]}]");
  EXPECT_THAT(Texts(read.diagnostics), testing::IsEmpty());
  EXPECT_THAT(read.cluster.cluster_policies.at(0).egress.at(0).peers.at(0).domain_names,
              ElementsAre("*.example.com", "example.org."));
  for (const char* bad : {"example", "a*.example.com", "'*'", "'-a.example.com'", "a..b", "''", "a.example.com..",
                          "'*.*.example.com'", "b\u00fccher.example"}) {
    EXPECT_THAT(
        Texts(FromRules("egress: [{action: Accept, to: [{domainNames: [" + std::string(bad) + "]}]}]").diagnostics),
        testing::Contains(HasSubstr("domainNames[0]: is no domain name")))
        << bad;
  }
}

TEST(DecodeClusterPolicy, CNP_08_WhatAnApiServerKnowsAndWeDoNotFailsClosed) {
  constexpr char kClosed[] =
      "  egress[1] deny peers={any} ports=any\n"
      "  egress[2] deny peers={any} ports=any\n";
  const struct {
    const char* what;
    const char* accept;
    const char* field;
  } cases[] = {
      {"peer", "  egress[0] allow peers={pods[] in namespaces[]} ports=any\n", "spec.egress[0].to[1].serviceAccount"},
      {"empty peer", "  egress[0] allow peers={pods[] in namespaces[]} ports=any\n", "spec.egress[0].to[1]"},
      {"protocol", "  egress[0] allow peers={pods[] in namespaces[] or 10.0.0.0/8} ports=none\n",
       "spec.egress[0].protocols[0].icmp"},
      {"rule", "  egress[0] allow peers={none} ports=any\n", "spec.egress[0].sourcePort"},
  };
  for (const auto& one : cases) {
    const FromServer read(one.what);
    EXPECT_EQ(read.decoded.outcome, DecodedObject::Outcome::kAccepted) << one.what;
    EXPECT_EQ(read.Policy(), std::string(kPolicy) + '\n' + one.accept + kClosed) << one.what;
    ASSERT_THAT(read.decoded.failed_closed, SizeIs(3)) << one.what;
    EXPECT_EQ(read.decoded.failed_closed[0], one.field);
    EXPECT_FALSE(HasErrors(read.diagnostics));
  }
}

TEST(DecodeClusterPolicy, ANamedPortThatIsNoneIsWorthAWarning) {
  EXPECT_THAT(
      Texts(FromRules("ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: "
                      "'8080'}]}]")
                .diagnostics),
      ElementsAre(HasSubstr("warning: ClusterNetworkPolicy p: spec.ingress[0].protocols[0].destinationNamedPort: "
                            "\"8080\" is no port's name, so it matches nothing")));
}

}  // namespace
}  // namespace sluice
