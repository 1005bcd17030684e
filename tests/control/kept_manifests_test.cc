// What manifests said, as records and back.
#include "manifest/kept_manifests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "manifest/file_decoder.h"
#include "model/dump.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Every kind, and every field that differs from its default.
constexpr const char* kEveryField = R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {tier: front, team: "7"}}
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: x}, annotations: {flannel.alpha.coreos.com/public-ip: 192.0.2.9}}
spec: {podCIDRs: [10.244.0.0/24, "fd00:10:244::/64"]}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: ExternalIP, address: "2001:db8::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}, creationTimestamp: "2026-01-31T12:00:00Z",
           ownerReferences: [{kind: StatefulSet, name: web, controller: true}]}
spec:
  nodeName: n1
  hostNetwork: true
  containers: [{name: c, ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}]
status: {phase: Failed, podIPs: [{ip: 10.244.0.7}, {ip: "fd00::7"}], hostIPs: [{ip: 192.0.2.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: old, namespace: shop, creationTimestamp: "1960-01-01T00:00:00Z"}
status: {phase: Running, podIP: 10.244.0.8}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}, matchExpressions: [{key: x, operator: NotIn, values: [a, b]}, {key: z, operator: Exists}]}
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{podSelector: {}}, {namespaceSelector: {matchLabels: {tier: front}}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]
      ports: [{port: 80}, {port: 8000, endPort: 8080, protocol: UDP}, {port: http}, {protocol: SCTP}]
    - {}
  egress: [{to: [{ipBlock: {cidr: "::/0"}}]}]
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Baseline
  priority: 7
  subject: {pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: web}}}}
  ingress: [{name: first, action: Pass, from: [{namespaces: {}}], protocols: [{destinationNamedPort: http}]}]
  egress:
    - action: Deny
      to: [{nodes: {matchLabels: {zone: x}}}, {networks: [10.0.0.0/8]}]
      protocols: [{udp: {destinationPort: {range: {start: 5, end: 7}}}}]
---
apiVersion: policy.sluice.internal/v1alpha1
kind: StagedNetworkPolicy
metadata: {name: web, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}
---
apiVersion: policy.sluice.internal/v1alpha1
kind: StagedNetworkPolicy
metadata: {name: old, namespace: shop}
spec: {action: Delete}
)";

std::deque<DecodedObject> Read(const std::string& text) {
  FileDecoder decoder("file");
  std::istringstream in(text);
  ReadYaml(in, decoder);
  FileObjects read = std::move(decoder).Take();
  EXPECT_TRUE(read.diagnostics.empty()) << read.diagnostics.front().ToString();
  return std::move(read.objects);
}

bool Decode(const std::vector<std::string>& records, KeptManifests* kept) {
  KeptManifestsDecoder decoder;
  for (const std::string& record : records) {
    if (!decoder.Add(record)) return false;
  }
  if (!decoder.complete()) return false;
  *kept = decoder.Take();
  return true;
}

TEST(KeptManifests, EveryFieldOfEveryKindComesBack) {
  const std::deque<DecodedObject> objects = Read(kEveryField);
  ASSERT_THAT(objects, SizeIs(8));
  KeptManifestsEncoder encoder;
  encoder.BeginFile("empty.yaml");
  encoder.BeginFile("file.yaml");
  for (const DecodedObject& object : objects) encoder.Add(object);
  encoder.AddReadable("folder");
  encoder.AddUnread("broken.yaml");
  KeptManifests kept;
  ASSERT_TRUE(Decode(std::move(encoder).Take(), &kept));
  ASSERT_THAT(kept.files, SizeIs(2));
  EXPECT_EQ(kept.files[0].path, "empty.yaml");
  EXPECT_EQ(kept.files[1].path, "file.yaml");
  ASSERT_THAT(kept.files[1].objects, SizeIs(8));
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const DecodedObject& object = kept.files[1].objects[i];
    EXPECT_EQ(object.outcome, DecodedObject::Outcome::kAccepted);
    EXPECT_EQ(object.line, objects[i].line);
    EXPECT_EQ(object.key, objects[i].key);
    EXPECT_TRUE(object.object == objects[i].object) << object.key.ToString();
  }
  EXPECT_THAT(kept.readable, ElementsAre("folder"));
  EXPECT_THAT(kept.unread, ElementsAre("broken.yaml"));
}

TEST(KeptManifests, ManyObjectsAreCutIntoRecordsAndComeBackWhole) {
  const std::deque<DecodedObject> objects = Read(kEveryField);
  KeptManifestsEncoder encoder;
  encoder.BeginFile("file.yaml");
  constexpr std::size_t kTimes = 10'000;
  for (std::size_t i = 0; i < kTimes; ++i) {
    for (const DecodedObject& object : objects) encoder.Add(object);
  }
  encoder.BeginFile("last.yaml");
  const std::vector<std::string> records = std::move(encoder).Take();
  EXPECT_GT(records.size(), 3u);
  for (const std::string& record : records) EXPECT_LT(record.size(), 2u << 20);
  KeptManifests kept;
  ASSERT_TRUE(Decode(records, &kept));
  ASSERT_THAT(kept.files, SizeIs(2));
  EXPECT_EQ(kept.files[0].objects.size(), kTimes * objects.size());
  EXPECT_TRUE(kept.files[0].objects.back().object == objects.back().object);
}

TEST(KeptManifests, BytesCutAnywhereOrOfAnotherVersionAreRefusedOrIncomplete) {
  const std::deque<DecodedObject> objects = Read(kEveryField);
  KeptManifestsEncoder encoder;
  encoder.BeginFile("file.yaml");
  for (const DecodedObject& object : objects) encoder.Add(object);
  encoder.AddUnread("broken.yaml");
  const std::string whole = std::move(encoder).Take().front();
  KeptManifests kept;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Decode({whole.substr(0, size)}, &kept)) << size;
  }
  EXPECT_FALSE(Decode({whole, whole}, &kept));
  EXPECT_FALSE(Decode({whole + "x"}, &kept));
  for (std::size_t i = 0; i < whole.size(); ++i) {  // what comes of it is wrong at most, and never out of bounds
    for (const int turned : {0x01, 0x40, 0xff}) {
      std::string bad = whole;
      bad[i] = static_cast<char>(bad[i] ^ turned);
      Decode({bad}, &kept);
    }
  }
}

TEST(KeptManifests, ObjectWithAFieldMoreIsOfAnotherVersion) {
  KeptManifestsEncoder encoder;
  encoder.BeginFile("f");
  DecodedObject object;
  object.key = {"Namespace", "", "n"};
  object.object = Namespace{"n", {}};
  encoder.Add(object);
  std::string record = std::move(encoder).Take().front();
  KeptManifests kept;
  ASSERT_TRUE(Decode({record}, &kept));
  const std::size_t fields = record.rfind("\x02\x01n");  // two of them, the first of one byte
  ASSERT_NE(fields, record.npos);
  record[fields] = 3;
  EXPECT_FALSE(Decode({record}, &kept));
}

}  // namespace
}  // namespace sluice
