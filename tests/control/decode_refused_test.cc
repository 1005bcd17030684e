// NP-16: whatever an object was refused for, the pods that it names are isolated, and a pod that it describes is bound.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "manifest_text.h"
#include "model/dump.h"

namespace sluice {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// The policies and pods among what Dump() tells.
std::string Bound(const Cluster& cluster) {
  Cluster bound;
  bound.pods = cluster.pods;
  bound.policies = cluster.policies;
  return Dump(bound);
}

constexpr char kRest[] = R"(
metadata: {name: p, namespace: a}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {}}]}]
)";
constexpr char kIsolated[] = "policy a/p pods[app=db] ingress refused\n";

TEST(Refused, APolicyOfAnOldVersionIsReadWithAWarning) {
  for (const char* version : {"extensions/v1beta1", "networking.k8s.io/v1beta1"}) {
    const Manifests read = FromYaml("apiVersion: " + std::string(version) + "\nkind: NetworkPolicy" + kRest);
    EXPECT_THAT(
        Texts(read.diagnostics),
        ElementsAre("m.yaml:1: warning: NetworkPolicy a/p: apiVersion: is an old one, which no API server takes "
                    "any more; read as networking.k8s.io/v1"));
    EXPECT_EQ(Bound(read.cluster), "policy a/p pods[app=db] ingress\n  ingress[0] peers={pods[]} ports=any\n");
  }
}

TEST(Refused, NP_16_APolicyOfAnUnknownOrMistypedTypeIsolatesItsPods) {
  for (const char* type : {
           "apiVersion: extensions/v1\nkind: NetworkPolicy",
           "apiVersion: networking.k8s.io/v1alpha1\nkind: NetworkPolicy",
           "apiVersion: networking.k8s.io/v2\nkind: NetworkPolicy",
           "apiVersion: networking.k8s.io\nkind: NetworkPolicy",
           "apiVersion: networking.k8s.io/\nkind: NetworkPolicy",
           "apiVersion: Networking.k8s.io/v1\nkind: NetworkPolicy",
           "apiVersion: networking.k8s.oi/v1\nkind: NetworkPolicy",
           "apiVersion: extension/v1beta1\nkind: NetworkPolicy",
           "apiVersion: v1\nkind: NetworkPolicy",
           "apiVersion: 1\nkind: NetworkPolicy",
           "apiVersion: ''\nkind: NetworkPolicy",
           "kind: NetworkPolicy",
           "apiVersion: networking.k8s.io/v1\nkind: networkpolicy",
           "apiVersion: networking.k8s.io/v1\nkind: Networkpolicy",
           "apiVersion: networking.k8s.io/v1\nkind: NETWORKPOLICY",
           "apiVersion: networking.k8s.io/v1\nkind: NetworkPolcy",
           "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicies",
           "apiVersion: networking.k8s.io/v1\nkind: netpol",
           "apiVersion: networking.k8s.io/v1\nkind: [NetworkPolicy]",
           "apiVersion: networking.k8s.io/v1\nkind:",
           "apiVersion: networking.k8s.io/v1",
           "apiVersion: extensions/v1beta1\nkind: networkPolicy",
       }) {
    const Manifests read = FromYaml(std::string(type) + kRest);
    EXPECT_TRUE(HasErrors(read.diagnostics)) << type;
    EXPECT_EQ(Bound(read.cluster), kIsolated) << type;
  }
}

TEST(Refused, ANetworkPolicyOfAnotherGroupIsAnotherKindAndSkippedWithANote) {
  for (const char* version : {"crd.projectcalico.org/v1", "projectcalico.org/v3", "crd.antrea.io/v1beta1",
                              "policy.networking.k8s.io/v1alpha2", "cilium.io/v2", "networking.istio.io/v1"}) {
    for (const char* kind : {"NetworkPolicy", "networkpolicy"}) {
      const Manifests read = FromYaml("apiVersion: " + std::string(version) + "\nkind: " + kind + kRest);
      ASSERT_THAT(read.diagnostics, SizeIs(1)) << version;
      EXPECT_EQ(read.diagnostics[0].severity, Severity::kNote);
      EXPECT_EQ(Bound(read.cluster), "") << version;
    }
  }
}

TEST(Refused, OtherKindsOfThePolicysGroupsAreSkipped) {
  for (const char* type : {"apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec: {rules: []}",
                           "apiVersion: networking.k8s.io/v1\nkind: IngressClass",
                           "apiVersion: extensions/v1beta1\nkind: Deployment\nspec: {selector: {}}"}) {
    const Manifests read = FromYaml(std::string(type) + "\nmetadata: {name: p}\n");
    ASSERT_THAT(read.diagnostics, SizeIs(1)) << type;
    EXPECT_EQ(read.diagnostics[0].severity, Severity::kNote) << type;
  }
}

TEST(Refused, NP_16_APolicyWithBadMetadataIsolatesItsPods) {
  const struct {
    const char* metadata;
    const char* isolated;  // "namespace/name"
  } cases[] = {
      {"{name: P, namespace: a}", "a/P"},
      {"{name: 7, namespace: a}", "a/7"},
      {"{name: n, namespace: a}", "a/n"},
      {"{name: p, namespace: 'y.z'}", "y.z/p"},
      {"{name: p, namespace: 08}", "08/p"},
      {"{name: p, namespace: n}", "n/p"},
      {"{namespace: a}", "a/(unnamed 1)"},
      {"{generateName: p-, namespace: a}", "a/(unnamed 1)"},
      {"{name: '', namespace: a}", "a/(unnamed 1)"},
      {"{name: ~, namespace: a}", "a/(unnamed 1)"},
      {"{name: {}, namespace: a}", "a/(unnamed 1)"},
      {"{name: \"a\\nb\", namespace: a}", "a/(unnamed 1)"},
      {"{name: p, namespace: a, labels: {x: 1}}", "a/p"},
      {"{name: p, namespace: a, labels: []}", "a/p"},
      {"{name: p, namespace: a, creationTimestamp: today}", "a/p"},
      {"{name: p, namespace: a, lables: {}}", "a/p"},
      {"{name: o, name: p, namespace: b, namespace: a}", "a/p"},
      {"{name: P}", "default/P"},
      {"{}", "default/(unnamed 1)"},
      {"~", "default/(unnamed 1)"},
  };
  for (const auto& one : cases) {
    const Manifests read =
        FromYaml("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: " + std::string(one.metadata) +
                 "\nspec: {podSelector: {matchLabels: {app: db}}, egress: [{}]}\n");
    EXPECT_TRUE(HasErrors(read.diagnostics)) << one.metadata;
    EXPECT_EQ(Bound(read.cluster), "policy " + std::string(one.isolated) + " pods[app=db] ingress egress refused\n")
        << one.metadata;
  }
}

TEST(Refused, WhereNotEvenTheNamespaceCanBeReadTheFileCountsAsUnread) {
  for (const char* metadata :
       {"[]", "p", "{name: p, namespace: {}}", "{name: p, namespace: [a]}", "{name: p, namespace: \"a\\nb\"}"}) {
    const Manifests read = FromYaml(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: " + std::string(metadata) + "\nspec: {}\n");
    EXPECT_TRUE(HasErrors(read.diagnostics)) << metadata;
    EXPECT_EQ(Bound(read.cluster), "") << metadata;
    EXPECT_THAT(read.unread, ElementsAre("m.yaml")) << metadata;
  }
}

TEST(Refused, NP_16_PoliciesWithoutANameAreIsolatedEachForItself) {
  const Manifests read = FromJson(R"({"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","spec":{"podSelector":{"matchLabels":{"a":"1"}}}},
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","spec":{"podSelector":{"matchLabels":{"a":"2"}}}}]})");
  EXPECT_EQ(Bound(read.cluster),
            "policy default/(unnamed 1) pods[a=1] ingress refused\n"
            "policy default/(unnamed 2) pods[a=2] ingress refused\n");
  EXPECT_THAT(read.unread, IsEmpty());
}

TEST(Refused, NP_16_KeysGivenTwiceAreReadAsKubectlReadsThem) {
  const Manifests read = FromYaml(R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
spec: {podSelector: {}, policyTypes: [Egress]}
spec:
  podSelector: {matchLabels: {app: one}}
  podSelector: {matchLabels: {app: db}}
  ingress: []
)");
  EXPECT_EQ(Bound(read.cluster), kIsolated);
}

TEST(Refused, NP_16_AnUnknownFieldBesideTheSpecIsNoReasonToLeavePodsOpen) {
  const Manifests read =
      FromYaml("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspecs: {}" + std::string(kRest));
  EXPECT_EQ(Bound(read.cluster), kIsolated);
  const Manifests mistyped = FromYaml(R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
sepc: {podSelector: {matchLabels: {app: db}}, egress: []}
)");
  EXPECT_EQ(Bound(mistyped.cluster), "policy a/p pods[] ingress egress refused\n") << "nobody knows what it selects";
}

TEST(Refused, NP_16_ScalarsThatKubectlRefusesIsolate) {
  for (const char* ports : {"[{port: .inf}]", "[{port: !!int 80.5}]", "[{port: 80, ~: a}]", "[{<<: 1, port: 80}]",
                            "[{port: !!binary aGk=}]"}) {
    const Manifests read = FromYaml("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n" +
                                    std::string("metadata: {name: p, namespace: a}\nspec:\n") +
                                    "  podSelector: {matchLabels: {app: db}}\n  ingress: [{ports: " + ports + "}]\n");
    EXPECT_TRUE(HasErrors(read.diagnostics)) << ports;
    EXPECT_EQ(Bound(read.cluster), kIsolated) << ports;
  }
}

// The rest of the document is not YAML, or too much of it.
TEST(Refused, NP_16_APolicyThatBreaksOffIsolatesWhomItNamesUpToThere) {
  const std::string head =
      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n  namespace: a\n";
  const std::string selector = "spec:\n  podSelector:\n    matchLabels:\n      app: db\n";
  std::string deep = "  ingress: ";
  for (int i = 0; i < 150; ++i) deep += "[";
  std::string bomb = "  x0: &x0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string below = "*x" + std::to_string(i - 1);
    bomb += "  x" + std::to_string(i) + ": &x" + std::to_string(i) + " [" + below;
    for (int j = 1; j < 10; ++j) bomb += "," + below;
    bomb += "]\n";
  }
  const struct {
    std::string text;
    const char* isolated;
  } cases[] = {
      {head + selector + "  policyTypes: [Ingress]\n  ingress:\n  - from: [\n", kIsolated},
      {head + selector + "  policyTypes:\n  - Ingress\n  ingress:\n\t- {}\n", kIsolated},
      {head + selector + "  ingress: *nowhere\n", "policy a/p pods[app=db] ingress egress refused\n"},
      {head + selector + "  ingress: &x [*x]\n", "policy a/p pods[app=db] ingress egress refused\n"},
      {head + selector + deep + "\n", "policy a/p pods[app=db] ingress egress refused\n"},
      {head + selector + bomb, "policy a/p pods[app=db] ingress egress refused\n"},
      {head + "spec:\n  podSelector:\n    matchLabels:\n      app: db\n      tier: 'x\n",
       "policy a/p pods[app=db] ingress egress refused\n"},
      {head + "spec:\n  podSelector:\n    matchExpressions:\n    - key: app\n      operator: In\n      values:\n      "
              "- a\n"
              "      - 'b\n",
       "policy a/p pods[] ingress egress refused\n"},
      {head + "spec:\n  podSelector: *nowhere\n", "policy a/p pods[] ingress egress refused\n"},
      {head + "spec: *nowhere\n", "policy a/p pods[] ingress egress refused\n"},
      {head + "other: *nowhere\n", "policy a/p pods[] ingress egress refused\n"},
      // The namespace might have come behind the break.
      {"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n  labels: *nowhere\n", ""},
      {"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n" + selector + "  ingress: *nowhere\n", ""},
  };
  for (const auto& one : cases) {
    const Manifests read = FromYaml(one.text + "---\n" + PodText("q"));
    EXPECT_TRUE(HasErrors(read.diagnostics)) << one.text;
    EXPECT_EQ(Bound(read.cluster), "pod default/q\n" + std::string(one.isolated)) << one.text;
    EXPECT_THAT(read.unread, ElementsAre("m.yaml")) << one.text;
  }
}

TEST(Refused, NP_16_AnItemOfAListThatBreaksOffIsolatesWhomItNamesUpToThere) {
  const Manifests read = FromYaml(R"(apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: o, namespace: a}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: p, namespace: a}
  spec:
    podSelector: {matchLabels: {app: db}}
    policyTypes: [Ingress]
    ingress: 'x
)");
  EXPECT_EQ(Bound(read.cluster), "policy a/o pods[] ingress\n" + std::string(kIsolated));
}

TEST(Refused, NP_16_AJsonPolicyThatBreaksOffIsolatesWhomItNamesUpToThere) {
  const std::string policy = R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",
"metadata":{"name":"p","namespace":"a"},"spec":{"podSelector":{"matchLabels":{"app":"db"}},"policyTypes":["Ingress"],
"ingress":[{"ports":[{"port":8O}]}]}})";
  for (const std::string& text : {policy, R"({"apiVersion":"v1","kind":"List","items":[)" + policy + "]}"}) {
    const Manifests read = FromJson(text);
    EXPECT_TRUE(HasErrors(read.diagnostics)) << text;
    EXPECT_EQ(Bound(read.cluster), kIsolated) << text;
    EXPECT_THAT(read.unread, ElementsAre("m.json"));
  }
}

TEST(Refused, NP_16_APodKeepsItsAddressAndWhatCanBeReadOfItsLabels) {
  const struct {
    const char* type;
    const char* metadata;
    const char* spec;
    const char* status;
    const char* pod;
  } cases[] = {
      {"apiVersion: v1\nkind: Pod", "{name: p, labels: {app: 8, x: yes}}", "{}", "{podIP: 10.0.0.1}",
       "labels=app=8,x=yes addresses=10.0.0.1"},
      {"apiVersion: v1\nkind: Pod", "{name: p, labels: {app: a b, x: {}, y z: a, v: '1'}}", "{}", "{podIP: 10.0.0.1}",
       "labels=app=(unreadable),v=1,x=(unreadable) addresses=10.0.0.1"},
      {"apiVersion: v1\nkind: Pod", "{name: p}", "{}", "{podIPs: [{ip: 10.0.0.1}, {ip: nowhere}, {ip: fd00::1}]}",
       "addresses=10.0.0.1,fd00::1"},
      {"apiVersion: v1\nkind: Pod", "{name: p}", "{}", "{podIP: '::ffff:10.0.0.1'}", "addresses=10.0.0.1"},
      {"apiVersion: v1\nkind: Pod", "{name: p}", "{}", "{phase: running, podIP: 10.0.0.1}",
       "addresses=10.0.0.1 phase=Unknown"},
      {"apiVersion: v1\nkind: Pod", "{name: p}", "{}", "{phase: 1, podIP: 10.0.0.1}", "addresses=10.0.0.1"},
      {"apiVersion: v1\nkind: Pod", "{name: p}", "{hostNetwork: 'true'}", "{podIP: 10.0.0.1}",
       "addresses=10.0.0.1 hostNetwork"},
      {"apiVersion: v1\nkind: Pod", "{name: p}", "{hostNetwork: 'false', nodeName: 7}", "{podIP: 10.0.0.1}",
       "addresses=10.0.0.1 node=7"},
      {"apiVersion: v1\nkind: Pod", "{name: p}", "[]", "{podIP: 10.0.0.1}", "addresses=10.0.0.1"},
      {"apiVersion: v1\nkind: pod", "{name: p}", "{}", "{podIP: 10.0.0.1}", "addresses=10.0.0.1"},
      {"apiVersion: v2\nkind: Pod", "{name: p}", "{}", "{podIP: 10.0.0.1}", "addresses=10.0.0.1"},
      {"apiVersion: v2\nkind: pod", "{name: p}", "{}", "{podIP: 10.0.0.1}", "addresses=10.0.0.1"},
      {"kind: Pod", "{name: p}", "{}", "{podIP: 10.0.0.1}", "addresses=10.0.0.1"},
  };
  for (const auto& one : cases) {
    const Manifests read = FromYaml(std::string(one.type) + "\nmetadata: " + one.metadata + "\nspec: " + one.spec +
                                    "\nstatus: " + one.status + "\n");
    EXPECT_TRUE(HasErrors(read.diagnostics)) << one.metadata << one.spec << one.status;
    EXPECT_EQ(Bound(read.cluster), "pod default/p " + std::string(one.pod) + '\n') << one.metadata << one.spec;
  }
}

TEST(Refused, NP_16_APodWithoutANameIsBoundAllTheSame) {
  const Manifests read =
      FromYaml("{apiVersion: v1, kind: Pod, metadata: {labels: {app: db}}, status: {podIP: 10.0.0.1}}\n");
  EXPECT_EQ(Bound(read.cluster), "pod default/(unnamed 1) labels=app=db addresses=10.0.0.1\n");
}

TEST(Refused, NP_16_ANamespaceKeepsWhatCanBeReadOfItsLabels) {
  const Manifests read =
      FromYaml("{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {env: prod, level: 1, bad: a b}}}\n");
  EXPECT_TRUE(HasErrors(read.diagnostics));
  EXPECT_EQ(Dump(read.cluster), "namespace a labels=bad=(unreadable),env=prod,kubernetes.io/metadata.name=a,level=1\n");
}

TEST(Refused, ALabelThatIsWrittenAsAnUnreadableOneIsRefused) {
  const Manifests read =
      FromYaml("{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {x: (unreadable)}}}\n");
  EXPECT_THAT(Texts(read.diagnostics), ElementsAre(HasSubstr("metadata.labels.x: is not a label value")));
}

TEST(Refused, AListOfAnyCaseIsReadAsOne) {
  for (const char* kind : {"List", "list", "NetworkPolicyList", "networkpolicylist"}) {
    const Manifests read = FromYaml("apiVersion: networking.k8s.io/v1\nkind: " + std::string(kind) +
                                    "\nitems:\n- apiVersion: networking.k8s.io/v1\n  kind: NetworkPolicy\n" +
                                    "  metadata: {name: p, namespace: a}\n");
    EXPECT_EQ(Bound(read.cluster), "policy a/p pods[] ingress\n") << kind;
  }
}

}  // namespace
}  // namespace sluice
