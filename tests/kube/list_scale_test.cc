// A list of 100,000 pods, of the size that controllers and kubelets make them: no more than 3 s of CPU, and memory that
// does not grow with the list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>

#include "kube/kube_source.h"
#include "kube/scripted_server.h"
#include "support/sanitizers.h"

namespace sluice {
namespace {

#if defined(NDEBUG)
constexpr bool kMeasured = !test::kAddressSanitizer;
#else
constexpr bool kMeasured = false;
#endif
// What a sanitizer costs says nothing; it keeps what was freed, too.
constexpr int kPodCount = kMeasured ? 100'000 : 5'000;
constexpr double kMostCpu_s = kMeasured ? 3 : 30;
constexpr long kMostMemory_kib = (kMeasured ? 40 : 400) << 10;  // the test's server holds some of it
constexpr int kPage = 500;

// Counts objects and lets them go, as a consumer does that keeps little of each.
class CountingSink : public ObjectSink {
 public:
  void OnReplaceBegin(Resource) override {}
  void OnReplaceEnd(Resource) override {}
  void OnUpsert(Resource resource, ReceivedObject object, const Arrival&) override {
    if (resource != Resource::kPods) return;
    ++pods;
    const Pod* pod = std::get_if<Pod>(&object.decoded.object);
    refused += pod == nullptr || !object.diagnostics.empty();
    named_ports += pod == nullptr ? 0 : pod->ports.size();
  }
  Removal RemovalOf(Resource) const override { return {}; }
  void OnDelete(Resource, const ObjectKey&, const Arrival&) override {}
  void OnTrouble(Resource, const std::string& message) override { troubles.push_back(message); }
  void OnNotice(Resource, const std::string&) override {}
  void OnRecovered(Resource) override {}

  int pods = 0;
  int refused = 0;
  std::size_t named_ports = 0;
  std::vector<std::string> troubles;
};

std::string Repeated(const std::string& text, int times) {
  std::string all;
  for (int time = 0; time < times; ++time) all += (time == 0 ? "" : ",") + text;
  return all;
}

// Some 6 KB, of which policy needs 400 bytes. `%` stands for the pod's number.
const std::string& PodTemplate() {
  static const std::string kTemplate =
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-%-7d9f8c6b5d-x2x4z","generateName":"web-7d9f8c6b5d-",)"
      R"("namespace":"shop-%","uid":"6f1d7c1e-0000-4000-8000-00000%","resourceVersion":"1%","generation":1,)"
      R"("creationTimestamp":"2026-01-31T12:00:00Z","labels":{"app":"web","tier":"front","version":"%",)"
      R"("pod-template-hash":"7d9f8c6b5d"},"annotations":{"checksum/config":"0123456789abcdef0123456789abcdef",)"
      R"("note":"quoted \"text\" with {braces} and \\slashes\\"},"ownerReferences":[{"apiVersion":"apps/v1",)"
      R"("kind":"ReplicaSet","name":"web-7d9f8c6b5d","uid":"6f1d7c1e","controller":true,"blockOwnerDeletion":true}],)"
      R"("managedFields":[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1",)"
      R"("time":"2026-01-31T12:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{)" +
      Repeated(R"("f:labels":{".":{},"f:app":{},"f:tier":{},"f:pod-template-hash":{}})", 12) +
      R"(}}},{"manager":"kubelet","operation":"Update","apiVersion":"v1","time":"2026-01-31T12:00:05Z",)"
      R"("fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:conditions":{)" +
      Repeated(R"("k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:status":{},"f:type":{}})", 12) +
      R"(}}},"subresource":"status"}]},"spec":{"volumes":[{"name":"token","projected":{"sources":[)" +
      Repeated(R"({"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}})", 3) +
      R"(],"defaultMode":420}}],"containers":[)" +
      Repeated(R"({"name":"main","image":"registry.example/shop/web:1.2.3","ports":[{"name":"http",)"
               R"("containerPort":8080,"protocol":"TCP"}],"env":[{"name":"A","value":"b"},{"name":"C","value":"d"}],)"
               R"("resources":{"limits":{"cpu":"1","memory":"512Mi"},"requests":{"cpu":"100m","memory":"128Mi"}},)"
               R"("livenessProbe":{"httpGet":{"path":"/live","port":8080,"scheme":"HTTP"},"timeoutSeconds":1},)"
               R"("terminationMessagePath":"/dev/termination-log","imagePullPolicy":"IfNotPresent"})",
               2) +
      R"(],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","nodeName":"node-%",)"
      R"("securityContext":{},"schedulerName":"default-scheduler","tolerations":[)" +
      Repeated(R"({"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute"})", 2) +
      R"(],"priority":0},"status":{"phase":"Running","conditions":[)" +
      Repeated(R"({"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-31T12:00:05Z"})",
               5) +
      R"(],"hostIP":"192.0.2.1","hostIPs":[{"ip":"192.0.2.1"}],"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],)"
      R"("startTime":"2026-01-31T12:00:01Z","containerStatuses":[{"name":"main","state":{"running":{}},"ready":true,)"
      R"("restartCount":0,"image":"registry.example/shop/web:1.2.3"}],"qosClass":"Burstable"}})";
  return kTemplate;
}

std::string NumberedPod(int number) {
  const std::string digits = std::to_string(number);
  std::string pod;
  pod.reserve(PodTemplate().size() + 40);
  for (const char character : PodTemplate()) {
    if (character == '%') {
      pod += digits;
    } else {
      pod += character;
    }
  }
  return pod;
}

void StreamAll(ScriptedServer::Reply& reply) {
  reply.Head(200);
  std::string batch;
  for (int pod = 0; pod < kPodCount; ++pod) {
    batch += EventLine("ADDED", NumberedPod(pod));
    if (batch.size() < 256 << 10) continue;
    if (!reply.Body(batch)) return;
    batch.clear();
  }
  reply.Body(batch + BookmarkLine("9", true));
  reply.Hold();
}

// One page after another, and then the watch.
ScriptedServer::Step Pages() {
  return [pod = std::make_shared<int>(0)](ScriptedServer::Reply& reply) {
    if (*pod >= kPodCount) return SendAndHold("")(reply);
    std::vector<std::string> pods;
    while (pods.size() < kPage && *pod < kPodCount) pods.push_back(NumberedPod((*pod)++));
    Send(PodList(pods, "9", *pod < kPodCount ? "from-" + std::to_string(*pod) : ""))(reply);
  };
}

double ThreadCpu_s() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

long PeakMemory_kib() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

void ExpectListed(std::vector<ScriptedServer::Step> steps, const char* how) {
  ScriptedServer server(std::move(steps));
  CountingSink sink;
  KubeSource source(server.Access(), {}, sink);
  const long memory_before = PeakMemory_kib();
  const double cpu_before = ThreadCpu_s();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!source.synced() && std::chrono::steady_clock::now() < deadline) source.Poll(std::chrono::milliseconds(100));
  const double cpu = ThreadCpu_s() - cpu_before;
  const long memory = PeakMemory_kib() - memory_before;
  const double megabytes = static_cast<double>(source.health(Resource::kPods).bytes) / 1e6;
  std::printf("%s: %d pods, %.0f MB of JSON: %.2f s of CPU, %.1f MiB more at the peak\n", how, sink.pods, megabytes,
              cpu, static_cast<double>(memory) / 1024);
  EXPECT_EQ(sink.pods, kPodCount);
  EXPECT_EQ(sink.refused, 0);
  EXPECT_EQ(sink.named_ports, 2u * kPodCount);
  EXPECT_THAT(sink.troubles, testing::IsEmpty());
  EXPECT_LT(cpu, kMostCpu_s);
  EXPECT_LT(memory, kMostMemory_kib);
}

TEST(ListScale, StreamingListOf100000PodsIsDecodedInTimeAndBoundedMemory) { ExpectListed({&StreamAll}, "streaming"); }

TEST(ListScale, PagedListOf100000PodsIsDecodedInTimeAndBoundedMemory) {
  ExpectListed({Refuse(422, "Invalid", "sendInitialEvents: Forbidden"), Pages()}, "paged");
}

}  // namespace
}  // namespace sluice
