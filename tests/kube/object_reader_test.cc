#include "kube/object_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/json_framer.h"
#include "kube/scripted_server.h"

namespace sluice {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// With the padding that the reader wants behind it.
class Padded {
 public:
  explicit Padded(const std::string& json) : text_(json + std::string(kJsonPadding, ' ')), length_(json.size()) {}
  std::string_view view() const { return std::string_view(text_).substr(0, length_); }

 private:
  std::string text_;
  std::size_t length_;
};

// As the API server writes it, less most of what we pass over.
constexpr char kPod[] =
    R"({"metadata":{"name":"web","generateName":"web-","namespace":"shop","uid":"b1","resourceVersion":"42",
 "generation":1,"creationTimestamp":"2026-01-31T12:00:00Z","labels":{"app":"web"},"annotations":{"a":"{\"b\":[]}"},
 "ownerReferences":[{"kind":"ReplicaSet","controller":true}],
 "managedFields":[{"manager":"x","time":"2026-01-31T12:00:05Z","fieldsV1":{"f:metadata":{".":{}}}},
                  {"manager":"y","time":"2026-01-31T12:00:07Z","subresource":"status"}]},
 "spec":{"volumes":[{"name":"t","projected":{"sources":[{"x":1.5e3}]}}],"hostNetwork":false,"nodeName":"n1",
  "containers":[{"name":"main","image":"i","ports":[{"name":"http","containerPort":8080,"protocol":"TCP"}],
                 "env":[{"name":"A","value":"b"}],"resources":{"limits":{"cpu":"1"}}}],
  "initContainers":[{"name":"side","restartPolicy":"Always","ports":[{"name":"metrics","containerPort":9090}]}]},
 "status":{"phase":"Running","hostIP":"192.0.2.1","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}],
  "conditions":[{"type":"Ready","status":"True","lastProbeTime":null}],"containerStatuses":[{"restartCount":0}]}})";

TEST(ObjectReader, ReadsAListedPodThatNamesNoKind) {
  ObjectReader reader(Resource::kPods, "https://api");
  const Padded json(kPod);
  const ReceivedObject received = reader.ReadItem(json.view());
  EXPECT_THAT(received.diagnostics, IsEmpty());
  ASSERT_EQ(received.decoded.outcome, DecodedObject::Outcome::kAccepted);
  EXPECT_EQ(received.decoded.key, (ObjectKey{"Pod", "shop", "web"}));
  EXPECT_EQ(received.uid, "b1");
  EXPECT_EQ(received.resource_version, "42");
  EXPECT_EQ(received.changed_s, 1769860807);  // date -d 2026-01-31T12:00:07Z +%s
  const Pod& pod = std::get<Pod>(received.decoded.object);
  EXPECT_EQ(pod.labels, (Labels{{"app", "web"}}));
  EXPECT_EQ(pod.node, "n1");
  EXPECT_THAT(pod.addresses, SizeIs(2));
  EXPECT_THAT(pod.host_addresses, SizeIs(1));
  EXPECT_EQ(pod.created, 1769860800);
  ASSERT_THAT(pod.ports, SizeIs(2));
  EXPECT_EQ(pod.ports[0].port, 8080);
  EXPECT_EQ(pod.ports[1].name, "metrics");
}

TEST(ObjectReader, ReadsAPolicyWholly) {
  ObjectReader reader(Resource::kNetworkPolicies, "https://api");
  const Padded json(R"({"type":"MODIFIED","object":{"kind":"NetworkPolicy","apiVersion":"networking.k8s.io/v1",
    "metadata":{"name":"p","namespace":"shop","resourceVersion":"9"},"spec":{"podSelector":{},"policyTypes":["Egress"],
    "egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}],
               "ports":[{"protocol":"TCP","port":80,"endPort":90}]}]}}})");
  const WatchEvent event = reader.ReadEvent(json.view());
  EXPECT_EQ(event.type, WatchEvent::Type::kModified);
  EXPECT_THAT(event.object.diagnostics, IsEmpty());
  const NetworkPolicy& policy = std::get<NetworkPolicy>(event.object.decoded.object);
  ASSERT_THAT(policy.egress, SizeIs(1));
  EXPECT_EQ(policy.egress[0].ports[0].end_port, 90);
  EXPECT_THAT(policy.egress[0].peers[0].ip_block->excepts, SizeIs(1));
}

TEST(ObjectReader, ReadsNodesAndNamespaces) {
  ObjectReader nodes(Resource::kNodes, "https://api");
  const Padded node(R"({"metadata":{"name":"n1"},"spec":{"podCIDR":"10.0.0.0/24","podCIDRs":["10.0.0.0/24"]},
    "status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"},{"type":"Hostname","address":"n1"}],"images":[]}})");
  const ReceivedObject received = nodes.ReadItem(node.view());
  EXPECT_THAT(std::get<NodeObject>(received.decoded.object).addresses, SizeIs(1));
  EXPECT_THAT(std::get<NodeObject>(received.decoded.object).pod_cidrs, SizeIs(1));
  ObjectReader namespaces(Resource::kNamespaces, "https://api");
  const Padded space(R"({"metadata":{"name":"shop","labels":{"team":"a"}},"status":{"phase":"Active"}})");
  EXPECT_EQ(std::get<Namespace>(namespaces.ReadItem(space.view()).decoded.object).labels,
            (Labels{{"kubernetes.io/metadata.name", "shop"}, {"team", "a"}}));
}

TEST(ObjectReader, ReadsBookmarksAndTheOneThatEndsTheList) {
  ObjectReader reader(Resource::kPods, "https://api");
  const Padded last(BookmarkLine("77", true));
  const WatchEvent event = reader.ReadEvent(last.view());
  EXPECT_EQ(event.type, WatchEvent::Type::kBookmark);
  EXPECT_EQ(event.resource_version, "77");
  EXPECT_TRUE(event.ends_initial_list);
  const Padded other(BookmarkLine("78", false));
  EXPECT_FALSE(reader.ReadEvent(other.view()).ends_initial_list);
}

TEST(ObjectReader, ReadsAnErrorsStatus) {
  ObjectReader reader(Resource::kPods, "https://api");
  const Padded json(R"({"type":"ERROR","object":{"kind":"Status","code":429,"reason":"TooManyRequests","message":"m",
    "details":{"retryAfterSeconds":3}}})");
  const WatchEvent event = reader.ReadEvent(json.view());
  EXPECT_EQ(event.type, WatchEvent::Type::kError);
  EXPECT_EQ(event.status.code, 429);
  EXPECT_EQ(event.status.reason, "TooManyRequests");
  EXPECT_EQ(event.status.retry_after_s, 3);
}

TEST(ObjectReader, TellsWhatIsNoEvent) {
  ObjectReader reader(Resource::kPods, "https://api");
  for (const std::string text : {"", "{", "[]", "{}", R"({"type":"ADDED"})", R"({"type":"NEW","object":{}})",
                                 R"({"type":"ADDED","object":{"metadata":{"name":tru}}})"}) {
    const Padded json(text);
    const WatchEvent event = reader.ReadEvent(json.view());
    EXPECT_EQ(event.type, WatchEvent::Type::kUnreadable) << text;
    EXPECT_FALSE(event.why.empty()) << text;
  }
}

TEST(ObjectReader, ReadsWhatAListSaysOfItself) {
  ObjectReader reader(Resource::kPods, "https://api");
  const ListMeta meta = reader.ReadListMeta(R"({"metadata":{"continue":"c","resourceVersion":"5"},"items":[]})");
  EXPECT_TRUE(meta.readable);
  EXPECT_EQ(meta.resource_version, "5");
  EXPECT_EQ(meta.continue_token, "c");
  EXPECT_FALSE(reader.ReadListMeta("<html>").readable);
  EXPECT_FALSE(reader.ReadListMeta("{}").readable);
}

TEST(ApiStatus, OfAPageThatIsNoStatusIsItsFirstLine) {
  const ApiStatus status = ReadApiStatus(502, "Bad Gateway\nnginx");
  EXPECT_EQ(status.code, 502);
  EXPECT_EQ(status.message, "Bad Gateway");
}

}  // namespace
}  // namespace sluice
