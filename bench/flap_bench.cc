// Change without end: objects made, changed and deleted again and again, each with what was never there before, from
// the resolver to the table. What it costs and what it holds must stay as they were.
//
// Usage: flap_bench [what=policy|peers|blocks|ports|pods|namespaces|nodes|all] [flaps=10000] [pods=20000]
// A flap's milliseconds are of the processor, so that neighbours on the machine count for little.
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "measure.h"
#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "store/policy_store.h"
#include "support/cluster_builder.h"
#include "support/shapes.h"

namespace sluice {
namespace {

constexpr std::size_t kWindow = 100;  // flaps that the first and the last figures are of

double CpuMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double HeapMegabytes() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd) / 1e6;
}

class Flapping {
 public:
  Flapping(std::string what, std::uint32_t pods)
      : what_(std::move(what)),
        cluster_(LargeShape(pods / 100'000.0)),
        store_({}, [this](std::shared_ptr<const Table> table) { table_ = std::move(table); }) {
    resolver_.Load(cluster_);
    view_ = resolver_.MakeView();
    Full();
  }

  // One flap; every way in which something goes is followed by an update of its own.
  void Flap() {
    if (what_ == "policy" || what_ == "all") FlapPolicy();
    if (what_ == "peers" || what_ == "all") FlapPeers();
    if (what_ == "blocks" || what_ == "all") FlapBlocks();
    if (what_ == "ports" || what_ == "all") FlapPorts();
    if (what_ == "pods" || what_ == "all") FlapPods();
    if (what_ == "namespaces" || what_ == "all") FlapNamespaces();
    if (what_ == "nodes" || what_ == "all") FlapNodes();
    ++round_;
  }

  std::uint32_t fulls() const { return fulls_; }
  const Table& table() const { return *table_; }

 private:
  void Full() {
    if (const auto refused = store_.Replace(view_->Full())) Fail(refused->ToString());
  }
  void Follow() {
    if (view_->FullDue()) {
      Full();
      ++fulls_;
    } else if (view_->HasChanges()) {
      if (const auto refused = store_.Update(view_->TakeChanges())) Fail(refused->ToString());
    }
  }
  [[noreturn]] static void Fail(const std::string& text) {
    std::fprintf(stderr, "flap_bench: %s\n", text.c_str());
    std::exit(1);
  }
  std::string Fresh(const char* stem) const { return stem + std::to_string(round_); }
  NetworkPolicy Policy(std::string name, std::vector<NetworkPolicyPeer> peers, std::vector<NetworkPolicyPort> ports) {
    NetworkPolicy policy;
    policy.namespace_name = "tenant-0";
    policy.name = std::move(name);
    policy.has_ingress = true;
    policy.ingress.push_back({std::move(peers), std::move(ports)});
    return policy;
  }
  void MakeAndDelete(const NetworkPolicy& policy) {
    resolver_.Upsert(policy);
    Follow();
    resolver_.DeletePolicy(policy.namespace_name, policy.name);
    Follow();
  }

  // The same policy, with every pod as its peer.
  void FlapPolicy() { MakeAndDelete(Policy("flapping", {NamespacePeer({})}, {Tcp(80)})); }

  // Eight policies at a time, each of a name and peers of its own; the oldest goes.
  void FlapPeers() {
    LabelRequirement some{"kubernetes.io/metadata.name", LabelRequirement::Operator::kNotIn, {}};
    for (int i = 0; i < 10; ++i) some.values.push_back(cluster_.namespaces[Below(cluster_.namespaces.size())].name);
    std::sort(some.values.begin(), some.values.end());
    some.values.erase(std::unique(some.values.begin(), some.values.end()), some.values.end());
    LabelSelector selector;
    selector.requirements.push_back(std::move(some));
    resolver_.Upsert(Policy(Fresh("peers-"), {NamespacePeer(selector)}, {Tcp(80)}));
    names_.push_back(Fresh("peers-"));
    Follow();
    if (names_.size() <= 8) return;
    resolver_.DeletePolicy("tenant-0", names_.front());
    names_.pop_front();
    Follow();
  }

  // A policy with a hundred blocks that nobody named before, some with pods in them.
  void FlapBlocks() {
    std::vector<NetworkPolicyPeer> peers;
    for (int i = 0; i < 100; ++i) {
      const auto base = static_cast<std::uint32_t>(i % 10 == 0 ? 0x0a000000 + Below(pods()) : random_());
      peers.push_back(
          {{}, {}, IpBlock{Prefix::Make(IpAddress::V4(base), static_cast<std::uint8_t>(16 + Below(17))), {}}});
    }
    MakeAndDelete(Policy("blocks", std::move(peers), {}));
  }

  // A policy with a hundred ranges of ports that nobody named before, and with a named one.
  void FlapPorts() {
    std::vector<NetworkPolicyPort> ports;
    for (int i = 0; i < 100; ++i) {
      NetworkPolicyPort port = Tcp(static_cast<std::uint16_t>(1 + Below(60'000)));
      port.end_port = static_cast<std::uint16_t>(*port.port + Below(5'000));
      ports.push_back(port);
    }
    NetworkPolicyPort named;
    named.protocol = 6;
    named.name = Fresh("port-");
    ports.push_back(named);
    Pod pod = cluster_.pods[Below(cluster_.pods.size())];
    pod.ports.push_back({named.name, 6, static_cast<std::uint16_t>(1 + Below(60'000))});
    resolver_.Upsert(pod);
    MakeAndDelete(Policy("ports", {NamespacePeer({})}, std::move(ports)));
    pod.ports.pop_back();
    resolver_.Upsert(pod);
    Follow();
  }

  // A hundred pods go, and a hundred come under new names, addresses and labels, which a policy of their own selects.
  void FlapPods() {
    for (int i = 0; i < 100; ++i) {
      Pod& pod = cluster_.pods[Below(cluster_.pods.size())];
      resolver_.DeletePod(pod.namespace_name, pod.name);
      pod.name = "fresh-" + std::to_string(++fresh_);
      pod.addresses = {IpAddress::V4(0x14000000 + fresh_)};
      pod.labels = {{"app", "web"}, {"release", Fresh("r")}};
      resolver_.Upsert(pod);
    }
    MakeAndDelete(Policy("release", {PodPeerIn({}, Match({{"release", Fresh("r")}}))}, {Tcp(80)}));
  }

  void FlapNamespaces() {
    Namespace space = cluster_.namespaces[Below(cluster_.namespaces.size())];
    space.labels.insert(space.labels.begin(), {"a", Fresh("v")});
    resolver_.Upsert(space);
    MakeAndDelete(Policy("namespaces", {NamespacePeer(Match({{"a", Fresh("v")}}))}, {Tcp(80)}));
  }

  // A node comes with a name and an address never used, takes a pod, and goes.
  void FlapNodes() {
    NodeObject node{Fresh("fresh-node-"), {IpAddress::V4(0x1e000000 + round_)}, {}, {}};
    resolver_.Upsert(node);
    Pod pod = cluster_.pods[Below(cluster_.pods.size())];
    const std::string home = std::exchange(pod.node, node.name);
    resolver_.Upsert(pod);
    Follow();
    pod.node = home;
    resolver_.Upsert(pod);
    resolver_.DeleteNode(node.name);
    Follow();
  }

  std::uint32_t pods() const { return static_cast<std::uint32_t>(cluster_.pods.size()); }
  std::size_t Below(std::size_t limit) { return random_() % limit; }

  const std::string what_;
  Cluster cluster_;
  ClusterResolver resolver_;
  std::unique_ptr<PolicyView> view_;
  std::shared_ptr<const Table> table_;
  PolicyStore store_;
  std::mt19937_64 random_{1};
  std::deque<std::string> names_;
  std::uint32_t round_ = 0;
  std::uint32_t fresh_ = 0;
  std::uint32_t fulls_ = 0;
};

void Measure(const std::string& what, std::uint32_t flaps, std::uint32_t pods) {
  Flapping flapping(what, pods);
  for (std::size_t i = 0; i < kWindow / 10; ++i) flapping.Flap();
  std::vector<double> ms, heap;
  double epochs = 0, judged_all = 0, last_epoch = static_cast<double>(flapping.table().epoch());
  for (std::uint32_t i = 0; i < flaps; ++i) {
    const double start = CpuMilliseconds();
    flapping.Flap();
    ms.push_back(CpuMilliseconds() - start);
    if (i < kWindow || i % 7 == 0) heap.push_back(HeapMegabytes());  // which takes as long as a flap
    const auto epoch = static_cast<double>(flapping.table().epoch());
    if (std::exchange(last_epoch, epoch) != epoch) ++epochs;
    if (flapping.table().changes().marked() == AddressChanges::kMarks) ++judged_all;
  }
  const auto line = [&] {
    Result result("flap", "sluice");
    result.Text("kind", what).Number("flaps", flaps).Number("pods", pods);
    return result;
  };
  const std::size_t window = std::min(kWindow, ms.size() / 2);
  const auto end = static_cast<std::ptrdiff_t>(window);
  line().Values("first_ms", {ms.begin(), ms.begin() + end});
  line().Values("last_ms", {ms.end() - end, ms.end()});
  line().Values("heap_mb_after_first", {*std::max_element(heap.begin(), heap.begin() + end)});
  line().Values("heap_mb_most", {*std::max_element(heap.begin(), heap.end())});
  // In tenths of the run: collecting what is of no use any more is in the means.
  std::vector<double> means;
  for (std::size_t tenth = 0; tenth < 10; ++tenth) {
    double sum = 0;
    const std::size_t begin = ms.size() * tenth / 10, after = ms.size() * (tenth + 1) / 10;
    for (std::size_t i = begin; i < after; ++i) sum += ms[i];
    means.push_back(sum / static_cast<double>(std::max<std::size_t>(after - begin, 1)));
  }
  line().Values("mean_ms_by_tenths", means);
  line().Values("longest_ms", {*std::max_element(ms.begin(), ms.end())});
  line().Values("epochs", {epochs});
  line().Values("judged_all", {judged_all});
  line().Values("full_states", {static_cast<double>(flapping.fulls())});
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  line().Values("peak_rss_mb", {static_cast<double>(usage.ru_maxrss) / 1024});
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  const sluice::Arguments arguments("flap_bench", argc, argv);
  sluice::Measure(arguments.Text("what", "policy"), arguments.Number("flaps", 10'000),
                  arguments.Number("pods", 20'000));
  return 0;
}
