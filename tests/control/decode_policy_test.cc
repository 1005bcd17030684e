// NetworkPolicy: defaults (NP-10 to NP-13), refusals (NP-14, NP-15) and what stands for a refused one (NP-16); NP-17.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "manifest_text.h"
#include "model/dump.h"
#include "model/selector_text.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Operator = LabelRequirement::Operator;

struct Directions {
  bool ingress;
  bool egress;
  bool operator==(const Directions&) const = default;
};

Directions DirectionsOf(const NetworkPolicy& policy) { return {policy.has_ingress, policy.has_egress}; }
Directions DirectionsOf(std::string_view spec) { return DirectionsOf(AcceptedPolicy(spec)); }

TEST(DecodePolicy, NP_10_MissingPolicyTypesMeanIngressAndEgressOnlyWithAnEgressRule) {
  EXPECT_EQ(DirectionsOf("{}"), (Directions{true, false}));
  EXPECT_EQ(DirectionsOf(R"({"policyTypes":[]})"), (Directions{true, false}));
  EXPECT_EQ(DirectionsOf(R"({"policyTypes":null})"), (Directions{true, false}));
  EXPECT_EQ(DirectionsOf(R"({"egress":[]})"), (Directions{true, false}));
  EXPECT_EQ(DirectionsOf(R"({"egress":null})"), (Directions{true, false}));
  EXPECT_EQ(DirectionsOf(R"({"egress":[{}]})"), (Directions{true, true}));
  EXPECT_EQ(DirectionsOf(R"({"ingress":[{}]})"), (Directions{true, false}));
}

TEST(DecodePolicy, NP_11_GivenPolicyTypesWinAndOtherSectionsHaveNoEffect) {
  const NetworkPolicy egress_only = AcceptedPolicy(R"({"policyTypes":["Egress"],"ingress":[{}],"egress":[{},{}]})");
  EXPECT_EQ(DirectionsOf(egress_only), (Directions{false, true}));
  EXPECT_THAT(egress_only.ingress, IsEmpty());
  EXPECT_THAT(egress_only.egress, SizeIs(2));
  EXPECT_EQ(DirectionsOf(R"({"policyTypes":["Ingress"],"egress":[{}]})"), (Directions{true, false}));
  EXPECT_EQ(DirectionsOf(R"({"policyTypes":["Egress","Ingress"]})"), (Directions{true, true}));
  EXPECT_EQ(DirectionsOf(R"({"policyTypes":["Ingress","Ingress"]})"), (Directions{true, false}));
}

TEST(DecodePolicy, NP_11_ASectionWithoutEffectIsStillValidated) {
  EXPECT_THAT(RefusedPolicyOf(R"({"policyTypes":["Ingress"],"egress":[{"to":[{}]}]})").errors, SizeIs(1));
}

TEST(DecodePolicy, NP_12_MissingProtocolIsTcpAndMissingNamespaceIsDefault) {
  const NetworkPolicy policy = AcceptedPolicy(
      R"({"ingress":[{"ports":[{"port":80},{"protocol":"UDP","port":53},{"protocol":"SCTP"},{"protocol":null}]}]})");
  EXPECT_EQ(policy.namespace_name, "default");
  ASSERT_THAT(policy.ingress[0].ports, SizeIs(4));
  EXPECT_EQ(policy.ingress[0].ports[0].protocol, kProtoTcp);
  EXPECT_EQ(policy.ingress[0].ports[1].protocol, kProtoUdp);
  EXPECT_EQ(policy.ingress[0].ports[2].protocol, kProtoSctp);
  EXPECT_EQ(policy.ingress[0].ports[3].protocol, kProtoTcp);
}

TEST(DecodePolicy, NP_13_NullMissingAndEmptyMeanTheSame) {
  for (const char* empty : {R"({"policyTypes":["Ingress","Egress"]})",
                            R"({"policyTypes":["Ingress","Egress"],"ingress":null,"egress":null})",
                            R"({"policyTypes":["Ingress","Egress"],"ingress":[],"egress":[]})",
                            R"({"policyTypes":["Ingress","Egress"],"podSelector":null})",
                            R"({"policyTypes":["Ingress","Egress"],"podSelector":{}})",
                            R"({"policyTypes":["Ingress","Egress"],"podSelector":{"matchLabels":null}})"}) {
    const NetworkPolicy policy = AcceptedPolicy(empty);
    EXPECT_THAT(policy.ingress, IsEmpty());
    EXPECT_THAT(policy.egress, IsEmpty());
    EXPECT_THAT(policy.pod_selector.requirements, IsEmpty());
  }
  for (const char* open : {R"({"ingress":[{}]})", R"({"ingress":[{"from":null,"ports":null}]})",
                           R"({"ingress":[{"from":[],"ports":[]}]})"}) {
    const NetworkPolicy policy = AcceptedPolicy(open);
    ASSERT_THAT(policy.ingress, SizeIs(1));
    EXPECT_THAT(policy.ingress[0].peers, IsEmpty());
    EXPECT_THAT(policy.ingress[0].ports, IsEmpty());
  }
}

TEST(DecodePolicy, NP_30_PeersHoldTheirSelectors) {
  const NetworkPolicy policy = AcceptedPolicy(R"({"ingress":[{"from":[
      {"podSelector":{}}, {"namespaceSelector":{}}, {"podSelector":{},"namespaceSelector":{}},
      {"ipBlock":{"cidr":"10.0.0.7/8","except":["10.1.0.0/16"]}}]}]})");
  const auto& peers = policy.ingress[0].peers;
  ASSERT_THAT(peers, SizeIs(4));
  EXPECT_TRUE(peers[0].pod_selector && !peers[0].namespace_selector && !peers[0].ip_block);
  EXPECT_TRUE(!peers[1].pod_selector && peers[1].namespace_selector);
  EXPECT_TRUE(peers[2].pod_selector && peers[2].namespace_selector);
  ASSERT_TRUE(peers[3].ip_block);
  EXPECT_EQ(peers[3].ip_block->cidr.ToString(), "10.0.0.0/8") << "NP-41: host bits are masked";
  EXPECT_THAT(peers[3].ip_block->excepts, ElementsAre(*Prefix::Parse("10.1.0.0/16")));
}

TEST(DecodePolicy, NP_34_SelectorsAreSortedRequirements) {
  const NetworkPolicy policy = AcceptedPolicy(R"({"podSelector":{"matchLabels":{"b":"","a":"1"},"matchExpressions":[
      {"key":"x","operator":"NotIn","values":["2","1","2"]}, {"key":"c.d/e","operator":"Exists"},
      {"key":"f","operator":"DoesNotExist","values":[]}, {"key":"a","operator":"In","values":["1"]}]}})");
  EXPECT_THAT(
      policy.pod_selector.requirements,
      ElementsAre(LabelRequirement{"a", Operator::kIn, {"1"}}, LabelRequirement{"b", Operator::kIn, {""}},
                  LabelRequirement{"c.d/e", Operator::kExists, {}}, LabelRequirement{"f", Operator::kDoesNotExist, {}},
                  LabelRequirement{"x", Operator::kNotIn, {"1", "2"}}));
}

TEST(DecodePolicy, NP_50_PortsAreNumbersRangesOrNames) {
  const NetworkPolicy policy = AcceptedPolicy(
      R"({"ingress":[{"ports":[{"port":1,"endPort":65535},{"port":"http"},{"port":80,"endPort":80}]}]})");
  const auto& ports = policy.ingress[0].ports;
  EXPECT_EQ(ports[0].port, 1);
  EXPECT_EQ(ports[0].end_port, 65535);
  EXPECT_EQ(ports[1].name, "http");
  EXPECT_FALSE(ports[1].port);
  EXPECT_EQ(ports[2].end_port, 80);
}

struct Case {
  const char* spec;
  const char* error;  // how it begins
};

void ExpectRefused(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    EXPECT_THAT(RefusedPolicyOf(one.spec).errors, ElementsAre(testing::StartsWith(one.error))) << one.spec;
  }
}

TEST(DecodePolicy, NP_14_BadPeersAreRefused) {
  ExpectRefused({
      {R"({"ingress":[{"from":[{}]}]})", "spec.ingress[0].from[0]: needs a podSelector, a namespaceSelector or an ipB"},
      {R"({"ingress":[{"from":[{"podSelector":null}]}]})", "spec.ingress[0].from[0]: needs a podSelector"},
      {R"({"egress":[{},{"to":[{"ipBlock":{"cidr":"1.0.0.0/8"},"podSelector":{}}]}]})",
       "spec.egress[1].to[0].ipBlock: must not stand beside a selector"},
      {R"({"egress":[{"to":[{"ipBlock":{"cidr":"1.0.0.0/8"},"namespaceSelector":{}}]}]})",
       "spec.egress[0].to[0].ipBlock: must not stand beside a selector"},
      {R"({"ingress":[null]})", "spec.ingress[0]: is null; write {}"},
      {R"({"ingress":[{"from":[null]}]})",
       "spec.ingress[0].from[0]: is null; needs a podSelector, a namespaceSelector"},
      {R"({"ingress":[{"ports":[null]}]})", "spec.ingress[0].ports[0]: is null; write {} for every TCP port"},
      {R"({"podSelector":{"matchExpressions":[null]}})", "spec.podSelector.matchExpressions[0]: is null; leave it out"},
      {R"({"ingress":{}})", "spec.ingress: must be a list, is a map"},
      {R"({"ingress":[[]]})", "spec.ingress[0]: must be a map, is a list"},
      {R"({"ingress":[{"from":"10.0.0.0/8"}]})", "spec.ingress[0].from: must be a list, is a string \"10.0.0.0/8\""},
  });
}

TEST(DecodePolicy, NP_14_BadCidrsAreRefused) {
  ExpectRefused({
      {R"({"ingress":[{"from":[{"ipBlock":{}}]}]})", "spec.ingress[0].from[0].ipBlock.cidr: is required"},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0"}}]}]})",
       "spec.ingress[0].from[0].ipBlock.cidr: \"10.0.0.0\" has no prefix length; this address alone is 10.0.0.0/32"},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"fd00::1"}}]}]})",
       "spec.ingress[0].from[0].ipBlock.cidr: \"fd00::1\" has no prefix length; this address alone is fd00::1/128"},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/33"}}]}]})", "spec.ingress[0].from[0].ipBlock.cidr: "},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"fd00::/129"}}]}]})", "spec.ingress[0].from[0].ipBlock.cidr: "},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":""}}]}]})", "spec.ingress[0].from[0].ipBlock.cidr: "},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":10}}]}]})",
       "spec.ingress[0].from[0].ipBlock.cidr: must be a string (write it in quotes), is an integer \"10\""},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["11.0.0.0/16"]}}]}]})",
       "spec.ingress[0].from[0].ipBlock.except[0]: 11.0.0.0/16 must lie within the cidr 10.0.0.0/8"},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.2.0.0/16","10.0.0.0/8"]}}]}]})",
       "spec.ingress[0].from[0].ipBlock.except[1]: 10.0.0.0/8 must lie within"},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["0.0.0.0/0"]}}]}]})",
       "spec.ingress[0].from[0].ipBlock.except[0]: "},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["fd00::/64"]}}]}]})",
       "spec.ingress[0].from[0].ipBlock.except[0]: "},
  });
}

TEST(DecodePolicy, NP_15_OldStyleCidrsAreRefused) {
  ExpectRefused({
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"010.0.0.0/8"}}]}]})",
       "spec.ingress[0].from[0].ipBlock.cidr: \"010.0.0.0/8\" is not a CIDR"},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/08"}}]}]})", "spec.ingress[0].from[0].ipBlock.cidr: "},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"::ffff:10.0.0.0/104"}}]}]})",
       "spec.ingress[0].from[0].ipBlock.cidr: \"::ffff:10.0.0.0/104\" is an IPv4-mapped CIDR; write it as IPv4"},
      {R"({"ingress":[{"from":[{"ipBlock":{"cidr":"::/0","except":["::ffff:0:0/96"]}}]}]})",
       "spec.ingress[0].from[0].ipBlock.except[0]: \"::ffff:0:0/96\" is an IPv4-mapped CIDR"},
  });
}

TEST(DecodePolicy, NP_14_BadPortsAreRefused) {
  ExpectRefused({
      {R"({"ingress":[{"ports":[{"port":0}]}]})", "spec.ingress[0].ports[0].port: must be 1 to 65535, is 0"},
      {R"({"ingress":[{"ports":[{"port":65536}]}]})", "spec.ingress[0].ports[0].port: must be 1 to 65535, is 65536"},
      {R"({"ingress":[{"ports":[{"port":-1}]}]})", "spec.ingress[0].ports[0].port: must be 1 to 65535, is -1"},
      {R"({"ingress":[{"ports":[{"port":80.5}]}]})", "spec.ingress[0].ports[0].port: must be a port's number or name"},
      {R"({"ingress":[{"ports":[{"port":true}]}]})", "spec.ingress[0].ports[0].port: must be a port's number or name"},
      {R"({"ingress":[{"ports":[{"port":"80"}]}]})", "spec.ingress[0].ports[0].port: \"80\" is not a port name"},
      {R"({"ingress":[{"ports":[{"port":""}]}]})", "spec.ingress[0].ports[0].port: \"\" is not a port name"},
      {R"({"ingress":[{"ports":[{"port":"HTTP"}]}]})", "spec.ingress[0].ports[0].port: \"HTTP\" is not a port name"},
      {R"({"ingress":[{"ports":[{"port":"a--b"}]}]})", "spec.ingress[0].ports[0].port: "},
      {R"({"ingress":[{"ports":[{"port":"-ab"}]}]})", "spec.ingress[0].ports[0].port: "},
      {R"({"ingress":[{"ports":[{"port":"sixteen-letters-"}]}]})", "spec.ingress[0].ports[0].port: "},
      {R"({"ingress":[{"ports":[{"endPort":90}]}]})", "spec.ingress[0].ports[0].endPort: needs port"},
      {R"({"ingress":[{"ports":[{"port":"http","endPort":90}]}]})",
       "spec.ingress[0].ports[0].endPort: must not be given with a named port"},
      {R"({"ingress":[{"ports":[{"port":80,"endPort":79}]}]})",
       "spec.ingress[0].ports[0].endPort: must not be below port 80"},
      {R"({"ingress":[{"ports":[{"port":80,"endPort":65536}]}]})",
       "spec.ingress[0].ports[0].endPort: must be 1 to 655"},
      {R"({"ingress":[{"ports":[{"port":80,"endPort":"90"}]}]})",
       "spec.ingress[0].ports[0].endPort: must be an integer"},
      {R"({"ingress":[{"ports":[{"protocol":"tcp"}]}]})",
       "spec.ingress[0].ports[0].protocol: must be TCP, UDP or SCTP, is \"tcp\""},
      {R"({"ingress":[{"ports":[{"protocol":"ICMP"}]}]})", "spec.ingress[0].ports[0].protocol: "},
      {R"({"ingress":[{"ports":[{"protocol":6}]}]})", "spec.ingress[0].ports[0].protocol: must be a string"},
      {R"({"policyTypes":["ingress"]})", "spec.policyTypes[0]: must be Ingress or Egress, is \"ingress\""},
      {R"({"policyTypes":"Ingress"})", "spec.policyTypes: must be a list"},
  });
}

TEST(DecodePolicy, NP_14_BadSelectorsAreRefused) {
  ExpectRefused({
      {R"({"podSelector":{"matchExpressions":[{"key":"a","operator":"In"}]}})",
       "spec.podSelector.matchExpressions[0].values: needs at least one value"},
      {R"({"podSelector":{"matchExpressions":[{"key":"a","operator":"NotIn","values":[]}]}})",
       "spec.podSelector.matchExpressions[0].values: needs at least one value"},
      {R"({"podSelector":{"matchExpressions":[{"key":"a","operator":"Exists","values":["1"]}]}})",
       "spec.podSelector.matchExpressions[0].values: must be empty for Exists and DoesNotExist"},
      {R"({"podSelector":{"matchExpressions":[{"key":"a","operator":"DoesNotExist","values":["1"]}]}})",
       "spec.podSelector.matchExpressions[0].values: must be empty"},
      {R"({"podSelector":{"matchExpressions":[{"key":"a","operator":"Equals","values":["1"]}]}})",
       "spec.podSelector.matchExpressions[0].operator: must be In, NotIn, Exists or DoesNotExist, is \"Equals\""},
      {R"({"podSelector":{"matchExpressions":[{"key":"a"}]}})",
       "spec.podSelector.matchExpressions[0].operator: is required"},
      {R"({"podSelector":{"matchExpressions":[{"operator":"Exists"}]}})",
       "spec.podSelector.matchExpressions[0].key: is required"},
      {R"({"podSelector":{"matchExpressions":[{"key":"","operator":"Exists"}]}})",
       "spec.podSelector.matchExpressions[0].key: is not a label key"},
      {R"({"podSelector":{"matchLabels":{"a b":"1"}}})", "spec.podSelector.matchLabels[\"a b\"]: is not a label key"},
      {R"({"podSelector":{"matchLabels":{"/a":"1"}}})", "spec.podSelector.matchLabels[\"/a\"]: is not a label key"},
      {R"({"podSelector":{"matchLabels":{"A.b/c":"1"}}})", "spec.podSelector.matchLabels[\"A.b/c\"]: is not a label"},
      {R"({"podSelector":{"matchLabels":{"a":"-1"}}})", "spec.podSelector.matchLabels.a: is not a label value"},
      {R"({"podSelector":{"matchLabels":{"a":1}}})",
       "spec.podSelector.matchLabels.a: must be a string (write it in quotes), is an integer \"1\""},
      {R"({"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"a":"$"}}}]}]})",
       "spec.ingress[0].from[0].namespaceSelector.matchLabels.a: is not a label value"},
  });
  const std::string long_value(64, 'x');
  EXPECT_THAT(RefusedPolicyOf(R"({"podSelector":{"matchLabels":{"a":")" + long_value + "\"}}}").errors, SizeIs(1));
  EXPECT_THAT(RefusedPolicyOf(R"({"podSelector":{"matchLabels":{")" + long_value + "\":\"a\"}}}").errors, SizeIs(1));
  AcceptedPolicy(R"({"podSelector":{"matchLabels":{"a":")" + std::string(63, 'x') + "\"}}}");
}

TEST(DecodePolicy, AllThatIsWrongIsReportedAtOnce) {
  EXPECT_THAT(RefusedPolicyOf(R"({"podSelecter":{},"ingress":[{"form":[],"ports":[{"port":0}]}]})").errors,
              ElementsAre("spec.podSelecter: unknown field; did you mean podSelector?",
                          "spec.ingress[0].form: unknown field; did you mean from?",
                          "spec.ingress[0].ports[0].port: must be 1 to 65535, is 0"));
}

Directions StandIn(std::string_view spec) {
  const Refused refused = RefusedPolicyOf(spec);
  EXPECT_THAT(refused.cluster.policies, SizeIs(1)) << spec;
  if (refused.cluster.policies.size() != 1) return {};
  EXPECT_THAT(refused.cluster.policies[0].ingress, IsEmpty());
  EXPECT_THAT(refused.cluster.policies[0].egress, IsEmpty());
  return DirectionsOf(refused.cluster.policies[0]);
}

TEST(DecodePolicy, NP_16_ARefusedPolicyIsolatesItsDirections) {
  EXPECT_EQ(StandIn(R"({"ingress":[{"from":[{}]}]})"), (Directions{true, false}));
  EXPECT_EQ(StandIn(R"({"egress":[{"to":[{}]}]})"), (Directions{true, true}));
  EXPECT_EQ(StandIn(R"({"policyTypes":["Egress"],"egress":[{"to":[{}]}]})"), (Directions{false, true}));
  EXPECT_EQ(StandIn(R"({"policyTypes":[],"egress":[],"ingress":[null]})"), (Directions{true, false}));
}

TEST(DecodePolicy, NP_16_ARefusedPolicyWhoseDirectionsAreUnclearIsolatesBoth) {
  EXPECT_EQ(StandIn(R"({"policyTypes":["Ingres"]})"), (Directions{true, true}));
  EXPECT_EQ(StandIn(R"({"policyTypes":"Ingress"})"), (Directions{true, true}));
  EXPECT_EQ(StandIn(R"({"policyTypes":[1]})"), (Directions{true, true}));
  EXPECT_EQ(StandIn(R"({"egress":{}})"), (Directions{true, true}));
  EXPECT_EQ(StandIn(R"({"egres":[{}]})"), (Directions{true, true}));
  EXPECT_EQ(StandIn(R"({"policyTypes":["Ingress"],"policyTypes":["Egress"]})"), (Directions{true, true}));
}

TEST(DecodePolicy, NP_16_ARefusedPolicyKeepsItsPodSelector) {
  const Refused refused =
      RefusedPolicyOf(R"({"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"ports":[{"port":0}]}]})");
  ASSERT_THAT(refused.cluster.policies, SizeIs(1));
  EXPECT_THAT(refused.cluster.policies[0].pod_selector.requirements,
              ElementsAre(LabelRequirement{"app", Operator::kIn, {"db"}}));
}

TEST(DecodePolicy, NP_16_OtherUnknownFieldsLeaveTheDirectionsClear) {
  EXPECT_EQ(StandIn(R"({"policyTypes":["Ingress"],"egres":[{}]})"), (Directions{true, false}));
  EXPECT_EQ(StandIn(R"({"policyTypes":["Egress"],"order":10})"), (Directions{false, true}));
  EXPECT_EQ(StandIn(R"({"order":10,"ingress":[]})"), (Directions{true, false}));
  EXPECT_EQ(StandIn(R"({"order":10,"egress":[{}]})"), (Directions{true, true}));
}

TEST(DecodePolicy, NP_16_WhatCannotBeReadOfAPodSelectorIsLeftOutSoThatItSelectsTheMore) {
  const struct {
    const char* selector;
    const char* text;  // of what is left
  } cases[] = {
      {R"([])", ""},
      {R"("app=db")", ""},
      {R"({"matchlabels":{"a":"1"}})", ""},
      {R"({"matchLabels":[]})", ""},
      {R"({"matchLabels":{"a":1}})", "a=1"},
      {R"({"matchLabels":{"a":true,"b":"2"}})", "a=true,b=2"},
      {R"({"matchLabels":{"a":"1","b":"no label's value"}})", "a=1"},
      {R"({"matchLabels":{"a":"1","no label's key":"2"}})", "a=1"},
      {R"({"matchLabels":{"a":"1","b":{}}})", "a=1"},
      {R"({"matchLabels":{"a":"1","a":"2"}})", "a=2"},
      {R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"in","values":["1"]}]})", "a=1"},
      {R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In"}]})", "a=1"},
      {R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In","values":"1"}]})", "a=1"},
      {R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In","values":["1","?"]}]})", "a=1"},
      {R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In","values":["1",null]}]})", "a=1"},
      {R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"Exists","values":["1"]}]})", "a=1"},
      {R"({"matchLabels":{"a":"1"},"matchExpressions":[{"operator":"Exists"},null,[]]})", "a=1"},
      {R"({"matchExpressions":[{"key":"b","operator":"In","values":[1,2]}]})", "b in (1,2)"},
      {R"({"matchExpressions":[{"key":"b","operator":"Exists","op":"x"},{"key":"","operator":"Exists"}]})", "b"},
  };
  for (const auto& one : cases) {
    const Refused refused = RefusedPolicyOf(R"({"podSelector":)" + std::string(one.selector) + "}");
    ASSERT_THAT(refused.cluster.policies, SizeIs(1)) << one.selector;
    EXPECT_EQ(SelectorText(refused.cluster.policies[0].pod_selector), one.text) << one.selector;
  }
}

TEST(DecodePolicy, NP_16_ASpecThatIsNoMapIsolatesTheWholeNamespaceInBothDirections) {
  for (const char* spec : {"[]", "\"ingress\"", "7"}) EXPECT_EQ(StandIn(spec), (Directions{true, true})) << spec;
}

TEST(DecodePolicy, NP_17_MissingAndNullSpecAreAnEmptyOne) {
  EXPECT_EQ(DirectionsOf("null"), (Directions{true, false}));
  for (const char* rest : {"", R"(,"spec":null)", R"(,"spec":{})"}) {
    const Manifests read = FromJson(R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":)"
                                    R"({"name":"p","namespace":"a"})" +
                                    std::string(rest) + "}");
    EXPECT_THAT(Texts(read.diagnostics), IsEmpty()) << rest;
    EXPECT_EQ(Dump(read.cluster), "namespace a labels=kubernetes.io/metadata.name=a\npolicy a/p pods[] ingress\n");
  }
}

}  // namespace
}  // namespace sluice
