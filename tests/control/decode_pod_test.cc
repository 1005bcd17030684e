// Pods, Nodes and Namespaces: the fields that policy reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "manifest_text.h"
#include "sluice/protocol.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::StartsWith;

std::string PodWith(const std::string& rest) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n"},)" + rest + "}";
}

Pod OnePod(const std::string& rest) {
  const Manifests read = FromJson(PodWith(rest));
  EXPECT_THAT(Texts(read.diagnostics), IsEmpty()) << rest;
  return read.cluster.pods.empty() ? Pod{} : read.cluster.pods[0];
}

TEST(DecodePod, FieldsOfThePodsList) {
  const Manifests read = FromYaml(R"(apiVersion: v1
kind: Pod
metadata:
  name: web-1
  namespace: shop
  creationTimestamp: 2026-01-31T12:00:00Z
  labels: {tier: front, app: web}
  annotations: {note: anything}
spec:
  nodeName: node-1
  hostNetwork: false
  tolerations: [{operator: Exists}]
  containers:
  - name: web
    image: web:1
    ports: [{name: http, containerPort: 8080}, {containerPort: 9090}]
status:
  phase: Running
  podIP: 10.0.0.1
  podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]
  hostIP: 192.168.0.1
  hostIPs: [{ip: 192.168.0.1}]
)");
  ASSERT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.pods, SizeIs(1));
  const Pod& pod = read.cluster.pods[0];
  EXPECT_EQ(pod.namespace_name, "shop");
  EXPECT_EQ(pod.name, "web-1");
  EXPECT_THAT(pod.labels, ElementsAre(Pair("app", "web"), Pair("tier", "front")));
  EXPECT_EQ(pod.node, "node-1");
  EXPECT_FALSE(pod.host_network);
  EXPECT_EQ(pod.phase, Pod::Phase::kRunning);
  EXPECT_THAT(pod.addresses, ElementsAre(*IpAddress::Parse("10.0.0.1"), *IpAddress::Parse("fd00::1")));
  EXPECT_THAT(pod.host_addresses, ElementsAre(*IpAddress::Parse("192.168.0.1")));
  EXPECT_EQ(pod.created, 1769860800);
  ASSERT_THAT(pod.ports, SizeIs(1));
  EXPECT_EQ(pod.ports[0].name, "http");
  EXPECT_EQ(pod.ports[0].protocol, kProtoTcp);
  EXPECT_EQ(pod.ports[0].port, 8080);
}

TEST(DecodePod, NP_32_HostNetworkIsRead) { EXPECT_TRUE(OnePod(R"("spec":{"hostNetwork":true})").host_network); }

TEST(DecodePod, NP_51_NamedPortsAreThoseOfContainersAndNativeSidecars) {
  const Pod pod = OnePod(R"("spec":{
      "containers":[{"ports":[{"name":"web","containerPort":80}]},{"ports":[{"name":"dns","containerPort":53,"protocol":"UDP"}]}],
      "initContainers":[{"restartPolicy":"Always","ports":[{"name":"proxy","containerPort":15001}]},
                        {"ports":[{"name":"gone","containerPort":1}]}]})");
  ASSERT_THAT(pod.ports, SizeIs(3));
  EXPECT_EQ(pod.ports[0].name, "web");
  EXPECT_EQ(pod.ports[1].protocol, kProtoUdp);
  EXPECT_EQ(pod.ports[2].name, "proxy");
}

TEST(DecodePod, NP_52_OneNameMayStandForSeveralPorts) {
  const Pod pod = OnePod(R"("spec":{"containers":[{"ports":[{"name":"dns","containerPort":53},
      {"name":"dns","containerPort":53,"protocol":"UDP"}]},{"ports":[{"name":"dns","containerPort":5353}]}]})");
  EXPECT_THAT(pod.ports, SizeIs(3));
}

TEST(DecodePod, NP_82_PhaseDecidesWhetherAPodIsFinished) {
  EXPECT_TRUE(OnePod(R"("status":{"phase":"Succeeded"})").finished());
  EXPECT_TRUE(OnePod(R"("status":{"phase":"Failed"})").finished());
  EXPECT_FALSE(OnePod(R"("status":{"phase":"Pending"})").finished());
  EXPECT_FALSE(OnePod(R"("status":{"phase":"Unknown"})").finished());
  EXPECT_EQ(OnePod(R"("status":{})").phase, Pod::Phase::kRunning);
}

TEST(DecodePod, NP_82_PodIpServesWherePodIpsIsMissing) {
  EXPECT_THAT(OnePod(R"("status":{"podIP":"10.0.0.1"})").addresses, ElementsAre(*IpAddress::Parse("10.0.0.1")));
  EXPECT_THAT(OnePod(R"("status":{"podIP":"10.0.0.1","podIPs":[]})").addresses, SizeIs(1));
  EXPECT_THAT(OnePod(R"("status":{"podIP":""})").addresses, IsEmpty());
  EXPECT_THAT(OnePod(R"("status":null)").addresses, IsEmpty());
}

TEST(DecodePod, NP_83_CreationTimeIsSecondsSince1970) {
  const auto created = [](const std::string& time) {
    const Manifests read =
        FromJson(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","creationTimestamp":")" + time + "\"}}");
    EXPECT_THAT(Texts(read.diagnostics), IsEmpty()) << time;
    return read.cluster.pods.empty() ? -1 : read.cluster.pods[0].created;
  };
  EXPECT_EQ(created("1970-01-01T00:00:01Z"), 1);
  EXPECT_EQ(created("2024-02-29T23:59:59Z"), 1709251199);
  EXPECT_EQ(created("2024-03-01T01:59:59.5+02:00"), 1709251199);
}

TEST(DecodePod, BadFieldsAreNamed) {
  const struct {
    const char* rest;
    const char* error;
  } cases[] = {
      {R"("status":{"podIP":"10.0.0.01"})", "status.podIP: \"10.0.0.01\" is not an IPv4 or IPv6 address"},
      {R"("status":{"podIPs":[{"ip":"10.0.0.1"},{"ip":"::ffff:10.0.0.1"}]})",
       "status.podIPs[1].ip: \"::ffff:10.0.0.1\" is an IPv4-mapped address; write it as IPv4"},
      {R"("status":{"podIPs":["10.0.0.1"]})", "status.podIPs[0]: must be a map, is a string \"10.0.0.1\""},
      {R"("status":{"phase":"running"})", "status.phase: must be Pending, Running"},
      {R"("spec":{"hostNetwork":"true"})", "spec.hostNetwork: must be true or false, is a string \"true\""},
      {R"("spec":{"nodeName":7})", "spec.nodeName: must be a string"},
      {R"("spec":{"containers":[{"ports":[{"name":"Web","containerPort":80}]}]})",
       "spec.containers[0].ports[0].name: is not a port name"},
      {R"("spec":{"containers":[{"ports":[{"containerPort":65536}]}]})",
       "spec.containers[0].ports[0].containerPort: must be 1 to 65535, is 65536"},
      {R"("spec":{"containers":[{"ports":[{"name":"web"}]}]})",
       "spec.containers[0].ports[0].containerPort: is required"},
      {R"("spec":{"containers":[{"ports":[{"containerPort":1,"protocol":"ICMP"}]}]})",
       "spec.containers[0].ports[0].protocol: must be TCP, UDP or SCTP"},
      {R"("spec":{"containers":{}})", "spec.containers: must be a list, is a map"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(Texts(FromJson(PodWith(one.rest)).diagnostics),
                ElementsAre(StartsWith(std::string("m.json:1: error: Pod n/a: ") + one.error)));
  }
}

TEST(DecodePod, NP_16_APodRefusedForAPortKeepsItsAddressSoThatPolicyStillBindsIt) {
  const Manifests read = FromJson(PodWith(
      R"("spec":{"containers":[{"ports":[{"name":"Web","containerPort":80}]}]},"status":{"podIP":"10.0.0.1"})"));
  EXPECT_TRUE(HasErrors(read.diagnostics));
  ASSERT_THAT(read.cluster.pods, SizeIs(1));
  EXPECT_THAT(read.cluster.pods[0].addresses, SizeIs(1));
  EXPECT_THAT(read.cluster.pods[0].ports, IsEmpty());
}

TEST(DecodePod, APodWithoutAReadableAddressIsRefusedWhole) {
  const Manifests read = FromJson(PodWith(R"("status":{"podIP":"10.0.0.256"})"));
  EXPECT_TRUE(HasErrors(read.diagnostics));
  EXPECT_THAT(read.cluster.pods, IsEmpty());
}

TEST(DecodeNode, AddressesAreThoseThatTrafficComesFrom) {
  const Manifests read = FromYaml(R"(apiVersion: v1
kind: Node
metadata: {name: n1}
spec: {podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, "fd00:1::/64"]}
status:
  addresses:
  - {type: InternalIP, address: 192.168.0.1}
  - {type: ExternalIP, address: "2001:db8::1"}
  - {type: Hostname, address: n1}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
spec: {podCIDR: 10.1.1.0/24}
)");
  ASSERT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.nodes, SizeIs(2));
  EXPECT_EQ(read.cluster.nodes[0].name, "n1");
  EXPECT_THAT(read.cluster.nodes[0].addresses,
              ElementsAre(*IpAddress::Parse("192.168.0.1"), *IpAddress::Parse("2001:db8::1")));
  EXPECT_THAT(read.cluster.nodes[0].pod_cidrs,
              ElementsAre(*Prefix::Parse("10.1.0.0/24"), *Prefix::Parse("fd00:1::/64")));
  EXPECT_THAT(read.cluster.nodes[1].pod_cidrs, ElementsAre(*Prefix::Parse("10.1.1.0/24")));
}

TEST(DecodeNode, NP_72_AnnotationsOfNetworkPluginsHoldAddresses) {
  const Manifests read = FromYaml(R"(apiVersion: v1
kind: Node
metadata:
  name: n1
  annotations:
    flannel.alpha.coreos.com/public-ip: 192.168.0.1
    flannel.alpha.coreos.com/public-ipv6: "2001:db8::1"
    flannel.alpha.coreos.com/public-ip-v6: "2001:db8::2"
    flannel.alpha.coreos.com/backend-type: vxlan
    projectcalico.org/IPv4Address: 192.168.0.2/24
    projectcalico.org/IPv6Address: 2001:db8::3/64
    projectcalico.org/IPv4IPIPTunnelAddr: 10.1.0.64
    projectcalico.org/IPv4VXLANTunnelAddr: 10.1.0.65
    projectcalico.org/IPv6VXLANTunnelAddr: fd00:1::65
    network.cilium.io/ipv4-cilium-host: 10.1.0.66
    network.cilium.io/ipv6-cilium-host: fd00:1::66
    network.cilium.io/ipv4-health-ip: 10.1.0.99
)");
  ASSERT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.nodes, SizeIs(1));
  std::vector<std::string> addresses;
  for (const IpAddress& address : read.cluster.nodes[0].annotated_addresses) addresses.push_back(address.ToString());
  EXPECT_THAT(addresses,
              testing::UnorderedElementsAre("192.168.0.1", "2001:db8::1", "2001:db8::2", "192.168.0.2", "2001:db8::3",
                                            "10.1.0.64", "10.1.0.65", "fd00:1::65", "10.1.0.66", "fd00:1::66"));
  EXPECT_THAT(read.cluster.nodes[0].addresses, IsEmpty());
}

TEST(DecodeNode, NP_72_AnnotationThatHoldsNoAddressIsToldOfAndIgnored) {
  const struct {
    const char* value;
    const char* warning;  // what comes after "is ignored: "
  } cases[] = {
      {R"("10.0.0.256")", "\"10.0.0.256\" is not an IPv4 or IPv6 address, alone or with a prefix length"},
      {R"("10.0.0.1/33")", "\"10.0.0.1/33\" is not an IPv4"},
      {R"("10.0.0.1/")", "\"10.0.0.1/\" is not an IPv4"},
      {R"("10.0.0.1,10.0.0.2")", "\"10.0.0.1,10.0.0.2\" is not an IPv4"},
      {R"("n1")", "\"n1\" is not an IPv4"},
      {R"("::ffff:10.0.0.1")", "\"::ffff:10.0.0.1\" is an IPv4-mapped address"},
      {R"("0.0.0.0")", "\"0.0.0.0\" is no host's address"},
      {R"("::")", "\"::\" is no host's address"},
      {R"(1)", "must be a string that holds an address"},
      {R"({"a":"b"})", "must be a string that holds an address"},
  };
  for (const auto& one : cases) {
    const Manifests read =
        FromJson(std::string(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","annotations":{)") +
                 R"("projectcalico.org/IPv4Address":)" + one.value +
                 R"(,"network.cilium.io/ipv4-cilium-host":"10.1.0.66"}},"spec":{"podCIDR":"10.1.0.0/24"}})");
    EXPECT_THAT(Texts(read.diagnostics), ElementsAre(StartsWith("m.json:1: warning: Node n1: metadata.annotations"
                                                                "[\"projectcalico.org/IPv4Address\"]: is ignored: " +
                                                                std::string(one.warning))));
    ASSERT_THAT(read.cluster.nodes, SizeIs(1)) << one.value;
    EXPECT_THAT(read.cluster.nodes[0].annotated_addresses, ElementsAre(*IpAddress::Parse("10.1.0.66")));
    EXPECT_THAT(read.cluster.nodes[0].pod_cidrs, SizeIs(1));
  }
  for (const char* nothing : {R"("")", "null"}) {
    const Manifests read =
        FromJson(std::string(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","annotations":{)") +
                 R"("projectcalico.org/IPv4Address":)" + nothing + "}}}");
    EXPECT_THAT(Texts(read.diagnostics), IsEmpty()) << nothing;
    EXPECT_THAT(read.cluster.nodes.at(0).annotated_addresses, IsEmpty()) << nothing;
  }
}

TEST(DecodeNode, BadAddressesAndCidrsAreNamed) {
  EXPECT_THAT(
      Texts(FromYaml(R"(apiVersion: v1
kind: Node
metadata: {name: n1}
spec:
  podCIDRs:
  - 10.1.0.0
status:
  addresses:
  - {type: InternalIP, address: nowhere}
)")
                .diagnostics),
      ElementsAre(StartsWith("m.yaml:6: error: Node n1: spec.podCIDRs[0]: \"10.1.0.0\" has no prefix length; this "),
                  "m.yaml:9: error: Node n1: status.addresses[0].address: \"nowhere\" is not an IPv4 or IPv6 "
                  "address"));
}

TEST(DecodeNamespace, NP_33_TheNameLabelIsMadeUpWhereMissing) {
  const Manifests read = FromYaml(
      "{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {z: '1', a: '2'}}}\n---\n"
      "{apiVersion: v1, kind: Namespace, metadata: {name: b, labels: {kubernetes.io/metadata.name: b}}}\n");
  ASSERT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.namespaces, SizeIs(2));
  EXPECT_THAT(read.cluster.namespaces[0].labels,
              ElementsAre(Pair("a", "2"), Pair("kubernetes.io/metadata.name", "a"), Pair("z", "1")));
  EXPECT_THAT(read.cluster.namespaces[1].labels, ElementsAre(Pair("kubernetes.io/metadata.name", "b")));
}

TEST(DecodeNamespace, NP_33_NamespacesThatAreNamedButNotDeclaredAreMadeUp) {
  const Manifests read = FromYaml(
      "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n2}}\n---\n"
      "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: n1}, spec: {}}\n---\n"
      "{apiVersion: v1, kind: Pod, metadata: {name: b}}\n");
  ASSERT_THAT(Texts(read.diagnostics), IsEmpty());
  ASSERT_THAT(read.cluster.namespaces, SizeIs(3));
  EXPECT_EQ(read.cluster.namespaces[0].name, "default");
  EXPECT_EQ(read.cluster.namespaces[1].name, "n1");
  EXPECT_THAT(read.cluster.namespaces[2].labels, ElementsAre(Pair("kubernetes.io/metadata.name", "n2")));
}

TEST(DecodeMeta, AForeignFieldOfAPodIsIgnoredAndTold) {
  const Manifests read = FromJson(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","team":"red"},"status":{"podIP":"10.0.0.1"}})");
  EXPECT_THAT(Texts(read.diagnostics),
              ElementsAre("m.json:1: warning: Pod default/a: metadata.team: ignored, unknown field"));
  EXPECT_EQ(read.cluster.pods.size(), 1u);
}

TEST(DecodeMeta, BadNamesAndLabelsAreNamed) {
  const struct {
    const char* meta;
    const char* error;
  } cases[] = {
      {R"({})", "Pod: metadata.name: is required"},
      {R"({"name":""})", "Pod: metadata.name: is required"},
      {R"({"name":1})", "Pod default/1: metadata.name: must be a string (write it in quotes), is an integer \"1\""},
      {R"({"name":"A"})", "Pod default/A: metadata.name: \"A\" is not a name"},
      {R"({"name":"a","namespace":"a.b"})", "Pod a.b/a: metadata.namespace: is not the name of a namespace"},
      {R"({"name":"a","namespace":1})", "Pod 1/a: metadata.namespace: must be a string"},
      {R"({"name":"a","labels":[]})", "Pod default/a: metadata.labels: must be a map, is a list"},
      {R"({"name":"a","labels":{"x":true}})", "Pod default/a: metadata.labels.x: must be a string"},
      {R"({"name":"a","labels":{"x":"a b"}})", "Pod default/a: metadata.labels.x: is not a label value"},
      {R"({"name":"a","labels":{"x y":"a"}})", "Pod default/a: metadata.labels[\"x y\"]: is not a label key"},
      {R"({"name":"a","creationTimestamp":"today"})", "Pod default/a: metadata.creationTimestamp: \"today\" is not a"},
      {R"({"name":"a","label":{}})", "Pod default/a: metadata.label: unknown field; did you mean labels?"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(
        Texts(FromJson(std::string(R"({"apiVersion":"v1","kind":"Pod","metadata":)") + one.meta + "}").diagnostics),
        ElementsAre(StartsWith(std::string("m.json:1: error: ") + one.error)));
  }
}

}  // namespace
}  // namespace sluice
