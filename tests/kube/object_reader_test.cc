#include "kube/object_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/json_framer.h"
#include "kube/scripted_server.h"
#include "sluice/printable.h"

namespace sluice {
namespace {

using testing::HasSubstr;
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
  std::string why;
  const auto item = reader.ReadItem(json.view(), why);
  ASSERT_TRUE(item) << why;
  const ReceivedObject& received = *item;
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

TEST(ObjectReader, NP_17_APolicyWithoutSpecIsolatesItsNamespaceForIngress) {
  ObjectReader reader(Resource::kNetworkPolicies, "https://api");
  for (const char* rest : {"", R"(,"spec":null)", R"(,"spec":{"podSelector":{},"policyTypes":["Ingress"]})"}) {
    const Padded json(R"({"metadata":{"name":"p","namespace":"shop"})" + std::string(rest) + "}");
    std::string why;
    const std::optional<ReceivedObject> received = reader.ReadItem(json.view(), why);
    ASSERT_TRUE(received) << why;
    EXPECT_THAT(received->diagnostics, IsEmpty()) << rest;
    ASSERT_EQ(received->decoded.outcome, DecodedObject::Outcome::kAccepted) << rest;
    const NetworkPolicy& policy = std::get<NetworkPolicy>(received->decoded.object);
    EXPECT_THAT(policy.pod_selector.requirements, IsEmpty());
    EXPECT_TRUE(policy.has_ingress && !policy.has_egress) << rest;
  }
}

TEST(ObjectReader, ReadsNodesAndNamespaces) {
  ObjectReader nodes(Resource::kNodes, "https://api");
  const Padded node(R"({"metadata":{"name":"n1","annotations":{"projectcalico.org/IPv4Address":"192.0.2.7/24",
    "csi.volume.kubernetes.io/nodeid":"{}"}},"spec":{"podCIDR":"10.0.0.0/24","podCIDRs":["10.0.0.0/24"]},
    "status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"},{"type":"Hostname","address":"n1"}],"images":[]}})");
  std::string why;
  const auto received = nodes.ReadItem(node.view(), why);
  ASSERT_TRUE(received) << why;
  EXPECT_THAT(std::get<NodeObject>(received->decoded.object).addresses, SizeIs(1));
  EXPECT_THAT(std::get<NodeObject>(received->decoded.object).pod_cidrs, SizeIs(1));
  EXPECT_THAT(std::get<NodeObject>(received->decoded.object).annotated_addresses, SizeIs(1));  // NP-72
  ObjectReader namespaces(Resource::kNamespaces, "https://api");
  const Padded space(R"({"metadata":{"name":"shop","labels":{"team":"a"}},"status":{"phase":"Active"}})");
  EXPECT_EQ(std::get<Namespace>(namespaces.ReadItem(space.view(), why)->decoded.object).labels,
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
  const ListMeta meta = reader.ReadListMeta(
      R"({"kind":"PodList","apiVersion":"v1","metadata":{"continue":"c","resourceVersion":"5"},"items":[]})");
  EXPECT_EQ(meta.type, ListMeta::Type::kRight);
  EXPECT_EQ(meta.why, "");
  EXPECT_EQ(meta.resource_version, "5");
  EXPECT_EQ(meta.continue_token, "c");
  EXPECT_EQ(
      reader.ReadListMeta(R"({"items":null,"metadata":{"resourceVersion":"5"},"apiVersion":"v1","kind":"PodList"})")
          .why,
      "");
}

TEST(ObjectReader, SaysWhyAnAnswerIsNotTheListThatWasAskedFor) {
  const std::pair<const char*, const char*> kCases[] = {
      {"<html>", "no JSON"},
      {"{}", "kind \"\" and apiVersion \"\" in place of PodList and v1"},
      {"[]", "in place of PodList and v1"},
      {R"({"metadata":{"resourceVersion":"5"},"items":[]})", "in place of PodList and v1"},
      {R"({"kind":"Status","apiVersion":"v1","metadata":{"resourceVersion":"5"},"message":"etcd\nis away"})",
       "kind \"Status\" and apiVersion \"v1\" in place of PodList and v1: etcd\\nis away"},
      {R"({"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]})", "NodeList"},
      {R"({"kind":"PodList","apiVersion":"v2","metadata":{"resourceVersion":"5"},"items":[]})", "v2"},
      {R"({"kind":"PodList","metadata":{"resourceVersion":"5"},"items":[]})", "in place of PodList and v1"},
      {R"({"kind":["PodList"],"apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]})",
       "in place of PodList and v1"},
      {R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"}})", "without items"},
      {R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":{}})", "items are a map"},
      {R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":"x"})", "items are a string"},
      {R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[],"items":[]})", "twice"},
      {R"({"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]})", "without metadata.resourceVersion"},
      {R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":5},"items":[]})",
       "without metadata.resourceVersion"},
  };
  ObjectReader reader(Resource::kPods, "https://api");
  for (const auto& [json, why] : kCases) EXPECT_THAT(reader.ReadListMeta(json).why, HasSubstr(why)) << json;
}

TEST(ObjectReader, SaysAsEarlyAsItCanThatAListIsOfAnotherKind) {
  ObjectReader reader(Resource::kPods, "https://api");
  using Type = ListMeta::Type;
  EXPECT_EQ(reader.ReadListMeta(R"({"kind":"NodeList","apiVersion":"v1","metadata":{},"items":[]})").type,
            Type::kWrong);
  EXPECT_EQ(reader.ReadListMeta(R"({"kind":"PodList","apiVersion":"v1","items":[]})").type, Type::kRight);
  EXPECT_EQ(reader.ReadListMeta(R"({"apiVersion":"v1","items":[]})").type, Type::kUnknown);
}

TEST(ObjectReader, RefusesAnEntryThatIsNoObjectOfTheResource) {
  ObjectReader reader(Resource::kPods, "https://api");
  const std::pair<const char*, const char*> kCases[] = {
      {R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"a"}})", "kind \"Node\""},
      {R"({"kind":"Pod","apiVersion":"v2","metadata":{"name":"a"}})", "apiVersion \"v2\""},
      {R"({"kind":null,"metadata":{"name":"a"}})", "in place of Pod and v1"},
      {R"({"metadata":{"namespace":"default"}})", "without a name"},
      {R"({"metadata":{"name":7}})", "without a name"},
      {R"({})", "without a name"},
      {R"({"metadata":{"name":tru}})", "no JSON"},
  };
  for (const auto& [json, why] : kCases) {
    const Padded padded(json);
    std::string said;
    EXPECT_FALSE(reader.ReadItem(padded.view(), said)) << json;
    EXPECT_THAT(said, HasSubstr(why)) << json;
  }
  const Padded named(R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}})");
  std::string said;
  EXPECT_TRUE(reader.ReadItem(named.view(), said)) << said;
}

TEST(ObjectReader, RefusesAnObjectThatIsTooMuchByItsName) {
  ObjectReader reader(Resource::kNetworkPolicies, "https://api");
  std::string deep = R"({"metadata":{"name":"p","namespace":"shop","uid":"u"},"spec":{"podSelector":)";
  for (int level = 0; level < 200; ++level) deep += R"({"a":)";
  deep += "{}" + std::string(200, '}') + "}}";
  const Padded json(deep);
  std::string why;
  const auto received = reader.ReadItem(json.view(), why);
  ASSERT_TRUE(received) << why;
  EXPECT_EQ(received->decoded.outcome, DecodedObject::Outcome::kRefused);
  EXPECT_EQ(received->decoded.key, (ObjectKey{"NetworkPolicy", "shop", "p"}));
  EXPECT_EQ(received->uid, "u");
  EXPECT_THAT(received->diagnostics, SizeIs(1));
}

TEST(ObjectReader, RefusesEventsOfOtherKinds) {
  ObjectReader reader(Resource::kPods, "https://api");
  const std::string node = R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"a","resourceVersion":"7"}})";
  const std::string untyped = R"({"metadata":{"name":"a","resourceVersion":"7"}})";
  const std::pair<std::string, const char*> kCases[] = {
      {EventLine("ADDED", node), "kind \"Node\""},
      {EventLine("MODIFIED", untyped), "in place of Pod and v1"},
      {EventLine("DELETED", node), "kind \"Node\""},
      {EventLine("DELETED", R"({"kind":"Pod","apiVersion":"v1","metadata":{"namespace":"default"}})"),
       "without a name"},
      {EventLine("BOOKMARK", node), "a bookmark with kind \"Node\""},
      {EventLine("BOOKMARK", untyped), "a bookmark with kind \"\""},
      {EventLine("BOOKMARK", R"({"kind":"Pod","apiVersion":"v1","metadata":{}})"), "without a resourceVersion"},
      {EventLine("ERROR", node), "without a Status"},
      {EventLine("NE\\nW", untyped), "type \"NE\\nW\""},
  };
  for (const auto& [line, why] : kCases) {
    const Padded json(line);
    const WatchEvent event = reader.ReadEvent(json.view());
    EXPECT_EQ(event.type, WatchEvent::Type::kUnreadable) << line;
    EXPECT_THAT(event.why, HasSubstr(why)) << line;
  }
}

TEST(ObjectReader, SaysNothingThatCouldBeginALineOfALog) {
  ObjectReader reader(Resource::kPods, "https://api");
  const Padded json(R"({"metadata":{"name":"a\nb","labels":{"k\r\ney":"v"}},"status":{"podIP":"\u001b[2J"}})");
  std::string why;
  const auto received = reader.ReadItem(json.view(), why);
  ASSERT_TRUE(received) << why;
  ASSERT_GE(received->diagnostics.size(), 3u);
  for (const Diagnostic& diagnostic : received->diagnostics) {
    for (const char character : diagnostic.ToString()) EXPECT_GE(character, ' ') << diagnostic.ToString();
  }
}

TEST(ApiStatus, OfAPageThatIsNoStatusIsItsFirstLine) {
  const ApiStatus status = ReadApiStatus(502, "Bad Gateway\nnginx");
  EXPECT_EQ(status.code, 502);
  EXPECT_EQ(status.message, "Bad Gateway");
  EXPECT_FALSE(status.is_status);
}

TEST(ApiStatus, OfAMessageThatForgesLinesIsEscaped) {
  const ApiStatus status = ReadApiStatus(500, StatusJson(500, "A\\nB", "one\\ntwo\\u001b[2J"));
  EXPECT_TRUE(status.is_status);
  EXPECT_EQ(status.reason, "A\\nB");
  EXPECT_EQ(status.message, "one\\ntwo\\x1b[2J");
}

}  // namespace
}  // namespace sluice
