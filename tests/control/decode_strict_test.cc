// Strict decoding: unknown fields, keys given twice, kinds that are not ours. What is said, and where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "manifest_text.h"
#include "model/dump.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

TEST(DecodeStrict, UnknownFieldsOfAPolicyAreErrorsAtEveryLevel) {
  const Manifests read = FromYaml(R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: p
  labls: {}
spec:
  podSelector:
    matchLabel: {a: b}
    matchExpressions:
    - {key: a, op: Exists, operator: Exists}
  policyType: [Ingress]
  ingress:
  - From: []
    ports:
    - {protocl: TCP}
    from:
    - namespaceSelctor: {}
      podSelector: {}
    - ipBlock: {cidr: 10.0.0.0/8, excepts: []}
specs: {}
)");
  EXPECT_THAT(
      Texts(read.diagnostics),
      ElementsAre(
          "m.yaml:5: error: NetworkPolicy default/p: metadata.labls: unknown field; did you mean labels?",
          "m.yaml:20: error: NetworkPolicy default/p: specs: unknown field; did you mean spec?",
          "m.yaml:11: error: NetworkPolicy default/p: spec.policyType: unknown field; did you mean policyTypes?",
          "m.yaml:8: error: NetworkPolicy default/p: spec.podSelector.matchLabel: unknown field; did you mean "
          "matchLabels?",
          "m.yaml:10: error: NetworkPolicy default/p: spec.podSelector.matchExpressions[0].op: unknown field; known "
          "here: key, operator, values",
          "m.yaml:13: error: NetworkPolicy default/p: spec.ingress[0].From: unknown field; did you mean from?",
          "m.yaml:17: error: NetworkPolicy default/p: spec.ingress[0].from[0].namespaceSelctor: unknown field; did you "
          "mean namespaceSelector?",
          "m.yaml:19: error: NetworkPolicy default/p: spec.ingress[0].from[1].ipBlock.excepts: unknown field; did you "
          "mean except?",
          "m.yaml:15: error: NetworkPolicy default/p: spec.ingress[0].ports[0].protocl: unknown field; did you mean "
          "protocol?"));
}

TEST(DecodeStrict, AKeyGivenTwiceIsAnErrorAnywhere) {
  const Manifests read = FromYaml(R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p}
spec:
  podSelector: {}
  ingress: []
  ingress:
  - {}
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: a
    env:
    - name: X
      value: "1"
      value: "2"
)");
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre("m.yaml:7: error: NetworkPolicy default/p: spec.ingress: given twice; the first is in line 6",
                          "m.yaml:19: error: Pod default/a: spec.containers[0].env[0].value: given twice; the first is "
                          "in line 18"));
}

TEST(DecodeStrict, AKeyGivenTwiceInAMapOfManyKeysIsFoundToo) {
  std::string labels;
  for (int i = 0; i < 50; ++i) labels += "\n    k" + std::to_string(i) + ": x";
  const Manifests read =
      FromYaml("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns\n  labels:" + labels + "\n    k7: z\n");
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre("m.yaml:56: error: Namespace ns: metadata.labels.k7: given twice; the first is in line 13"));
}

TEST(DecodeStrict, JsonKeysGivenTwiceAreFound) {
  EXPECT_THAT(
      Texts(FromJson("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\n\"metadata\":{\"name\":\"a\",\n\"name\":\"b\"}}")
                .diagnostics),
      ElementsAre("m.json:3: error: Pod default/b: metadata.name: given twice; the first is in line 2"));
}

TEST(DecodeStrict, OtherFieldsOfPodsAreAcceptedAndLikelyTyposWarnedOf) {
  const Manifests read = FromYaml(R"(apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  hostNetwrk: true
  hostPID: true
  someFutureField: {}
status: {podIPs: [], qosClass: Burstable}
)");
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre("m.yaml:5: warning: Pod default/a: spec.hostNetwrk: ignored; did you mean hostNetwork?"));
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
}

TEST(DecodeStrict, OtherKindsAreSkippedWithANote) {
  const Manifests read = FromYaml(R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
---
apiVersion: crd.antrea.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: all}
---
apiVersion: crd.projectcalico.org/v1
kind: NetworkPolicy
metadata: {name: c, namespace: d}
---
apiVersion: v1
kind: Service
metadata: {name: s}
)");
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre("m.yaml:1: note: Deployment shop/web: skipped, Sluice does not read apps/v1 Deployment",
                          "m.yaml:5: note: ClusterNetworkPolicy all: skipped, Sluice does not read "
                          "crd.antrea.io/v1beta1 ClusterNetworkPolicy",
                          "m.yaml:9: note: NetworkPolicy d/c: skipped, Sluice does not read crd.projectcalico.org/v1 "
                          "NetworkPolicy",
                          "m.yaml:13: note: Service s: skipped, Sluice does not read v1 Service"));
}

TEST(DecodeStrict, MistypedKindsAndVersionsAreErrors) {
  const struct {
    const char* type;
    const char* error;
  } cases[] = {
      {R"("kind":"Pod")", "m.json:1: error: Pod default/a: apiVersion: is required"},
      {R"("apiVersion":"v1")", "m.json:1: error: object a: kind: is required"},
      {R"("apiVersion":"v1","kind":"")", "m.json:1: error: object a: kind: is required"},
      {R"("apiVersion":"v1","kind":7)", "m.json:1: error: object a: kind: must be a string"},
      {R"("apiVersion":1,"kind":"Pod")", "m.json:1: error: Pod default/a: apiVersion: must be a string"},
      {R"("apiVersion":"v2","kind":"Pod")",
       "m.json:1: error: Pod default/a: apiVersion: must be v1 for a Pod, is \"v2\""},
      {R"("apiVersion":"v1","kind":"Namespce")",
       "m.json:1: error: Namespace a: kind: unknown kind \"Namespce\"; did you mean Namespace?"},
      {R"("apiVersion":"networking.k8s.io/v1","kind":"NetworkPolcy")",
       "m.json:1: error: NetworkPolicy default/a: kind: unknown kind \"NetworkPolcy\"; did you mean NetworkPolicy?"},
      {R"("apiVersion":"v1","kind":"NetworkPolicy")",
       "m.json:1: error: NetworkPolicy default/a: apiVersion: must be networking.k8s.io/v1 for a NetworkPolicy, is "},
      {R"("apiVersion":"extensions/v1beta2","kind":"NetworkPolicy")",
       "m.json:1: error: NetworkPolicy default/a: apiVersion: must be networking.k8s.io/v1"},
      {R"("apiVersion":"networking.k8s.oi/v1","kind":"NetworkPolicy")",
       "m.json:1: error: NetworkPolicy default/a: apiVersion: must be networking.k8s.io/v1"},
  };
  for (const auto& one : cases) {
    const Manifests read = FromJson("{" + std::string(one.type) + R"(,"metadata":{"name":"a"}})");
    EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith(one.error)));
  }
}

TEST(DecodeStrict, OneBadObjectDoesNotStopTheOthers) {
  const Manifests read = FromYaml(PolicyWithSpec("{ingress: [null]}") + "---\njust text\n---\n" +
                                  "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n");
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre(HasSubstr("spec.ingress[0]: is null"),
                          "m.yaml:3: error: must be an object, a map with apiVersion, kind and metadata; is a string"));
  EXPECT_THAT(read.cluster.pods, SizeIs(1));
}

TEST(DecodeStrict, OfAnObjectInTwoPlacesThatDifferTheLaterCountsWithAnError) {
  const Manifests read = FromYaml(PolicyWithSpec("{}") + "---\n" + PolicyWithSpec("{ingress: [{}]}"));
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre("m.yaml:3: error: NetworkPolicy default/p: is also in m.yaml:1, where it differs; the later "
                          "one, this, counts: remove one of them"));
  ASSERT_THAT(read.cluster.policies, SizeIs(1));
  EXPECT_THAT(read.cluster.policies[0].ingress, SizeIs(1));
}

TEST(DecodeStrict, OfAnObjectInThreePlacesTheLastCounts) {
  const Manifests read = FromYaml(PolicyWithSpec("{}") + "---\n" + PolicyWithSpec("{ingress: [{}]}") + "---\n" +
                                  PolicyWithSpec("{ingress: [{}, {}]}"));
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre(HasSubstr("m.yaml:3: error: NetworkPolicy default/p: is also in m.yaml:1"),
                          HasSubstr("m.yaml:5: error: NetworkPolicy default/p: is also in m.yaml:3")));
  ASSERT_THAT(read.cluster.policies, SizeIs(1));
  EXPECT_THAT(read.cluster.policies[0].ingress, SizeIs(2));
}

TEST(DecodeStrict, AnObjectInTwoPlacesThatMeansTheSameIsANote) {
  const Manifests read = FromYaml(PolicyWithSpec("{ingress: [{}]}") + "---\n" +
                                  PolicyWithSpec("{podSelector: null, ingress: [{from: []}], policyTypes: [Ingress]}"));
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre("m.yaml:3: note: NetworkPolicy default/p: is also in m.yaml:1, and means the same there"));
  EXPECT_THAT(read.cluster.policies, SizeIs(1));
}

TEST(DecodeStrict, NP_16_OfAnObjectInTwoPlacesTheOneThatIsNotRefusedCounts) {
  const std::string good = PolicyWithSpec("{ingress: [{}]}");
  const std::string bad = PolicyWithSpec("{ingress: [null]}");
  const Manifests last = FromYaml(good + "---\n" + bad);
  EXPECT_THAT(Texts(last.diagnostics),
              ElementsAre(HasSubstr("m.yaml:3: error: NetworkPolicy default/p: spec.ingress[0]"),
                          "m.yaml:3: note: NetworkPolicy default/p: is also in m.yaml:1, which "
                          "counts, since this one is refused"));
  const Manifests first = FromYaml(bad + "---\n" + good);
  EXPECT_THAT(Texts(first.diagnostics),
              ElementsAre(HasSubstr("m.yaml:1: error: NetworkPolicy default/p: spec.ingress[0]")));
  for (const Manifests* read : {&first, &last}) {
    ASSERT_THAT(read->cluster.policies, SizeIs(1));
    EXPECT_FALSE(read->cluster.policies[0].refused);
  }
}

TEST(DecodeStrict, NP_16_AnObjectThatIsRefusedInTwoPlacesIsolatesWhomEachNames) {
  const Manifests read = FromYaml(PolicyWithSpec("{podSelector: {matchLabels: {a: '1'}}, ingress: [null]}") + "---\n" +
                                  PolicyWithSpec("{podSelector: {matchLabels: {a: '2'}}, ingress: [null]}"));
  EXPECT_THAT(Dump(read.cluster), HasSubstr("policy default/p pods[a=1] ingress refused\n"
                                            "policy default/(unnamed 1) pods[a=2] ingress refused\n"));
}

TEST(DecodeStrict, ManyErrorsAreBounded) {
  std::string ingress;
  for (int i = 0; i < 1000; ++i) ingress += "null,";
  const Manifests one = FromYaml(PolicyWithSpec("{ingress: [" + ingress + "]}"));
  EXPECT_THAT(one.diagnostics, SizeIs(50));
  EXPECT_THAT(one.diagnostics.back().message, HasSubstr("what else is wrong with this object is not listed"));
  std::string bad;
  for (int i = 0; i < 1500; ++i) bad += "---\n[]\n";
  const Manifests many = FromYaml(bad);
  EXPECT_THAT(many.diagnostics, SizeIs(1001));
  EXPECT_EQ(many.diagnostics.back().message, "500 more errors, warnings and notes");
}

}  // namespace
}  // namespace sluice
