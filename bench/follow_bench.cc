// Follow: time and memory of a cluster resolved and then followed change by change, up to the update that is sent.
//
// Usage: follow_bench [SCALE]. SCALE 1 is 25,000 namespaces, 75,000 policies, 100,000 pods. Prints a JSON object a
// line.
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "support/shapes.h"

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double HeapMegabytes() { return static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd) / 1e6; }

// Microseconds of `count` rounds of a change and the update that it makes.
template <typename Change>
void MeasureChanges(const char* what, int count, PolicyView* view, Change change) {
  std::vector<double> us;
  std::size_t endpoints = 0, policies = 0;
  for (int i = 0; i < count; ++i) {
    const auto start = Clock::now();
    change(i);
    const PolicyUpdate update = view->TakeChanges();
    us.push_back(MicrosecondsSince(start));
    endpoints += update.endpoints.size() + update.removed_endpoints.size();
    policies += update.sections.size() + update.removed_policies.size();
  }
  std::sort(us.begin(), us.end());
  std::printf(
      "{\"change\":\"%s\",\"rounds\":%d,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"endpoints\":%zu,"
      "\"policies\":%zu}\n",
      what, count, us[us.size() / 2], us[us.size() * 99 / 100], us.back(), endpoints, policies);
  std::fflush(stdout);
}

// A thousand pods a second leave and arrive, in batches of what came within a millisecond.
void MeasureChurn(const std::vector<Pod>& pods, double seconds, ClusterResolver* resolver, PolicyView* view) {
  std::mt19937_64 random(7);
  std::vector<double> us;
  double busy_us = 0;
  const auto begin = Clock::now();
  const int batches = static_cast<int>(seconds * 1000);
  for (int i = 0; i < batches; ++i) {
    std::this_thread::sleep_until(begin + std::chrono::milliseconds(i));
    const Pod& gone = pods[random() % pods.size()];
    const auto start = Clock::now();
    resolver->DeletePod(gone.namespace_name, gone.name);
    resolver->Upsert(gone);
    const PolicyUpdate update = view->TakeChanges();
    us.push_back(MicrosecondsSince(start));
    busy_us += us.back();
  }
  const double elapsed_us = MicrosecondsSince(begin);
  std::sort(us.begin(), us.end());
  std::printf("{\"change\":\"churn\",\"pods_per_s\":%.0f,\"busy\":%.4f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
              batches / (elapsed_us / 1e6), busy_us / elapsed_us, us[us.size() / 2], us[us.size() * 99 / 100]);
}

int Run(double scale) {
  Cluster cluster = LargeShape(scale);
  const double heap_before = HeapMegabytes();
  auto start = Clock::now();
  ClusterResolver resolver;
  for (const Namespace& object : cluster.namespaces) resolver.Upsert(object);
  for (const NodeObject& object : cluster.nodes) resolver.Upsert(object);
  for (const Pod& object : cluster.pods) resolver.Upsert(object);
  const double pods_ms = MicrosecondsSince(start) / 1e3;
  for (const NetworkPolicy& object : cluster.policies) resolver.Upsert(object);
  const double feed_ms = MicrosecondsSince(start) / 1e3;
  const double resolver_mb = HeapMegabytes() - heap_before;

  auto view = resolver.MakeView();
  start = Clock::now();
  ResolvedPolicy full = view->Full();
  const double full_ms = MicrosecondsSince(start) / 1e3;
  const double with_full_mb = HeapMegabytes() - heap_before;
  std::printf(
      "{\"shape\":\"large\",\"scale\":%g,\"namespaces\":%zu,\"policies\":%zu,\"pods\":%zu,\"feed_pods_ms\":%.1f,"
      "\"feed_ms\":%.1f,\"full_ms\":%.1f,\"groups\":%zu,\"sections\":%zu,\"resolver_mb\":%.1f",
      scale, cluster.namespaces.size(), cluster.policies.size(), cluster.pods.size(), pods_ms, feed_ms, full_ms,
      full.groups.size(), full.sections.size(), resolver_mb);
  full = {};
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(",\"with_view_mb\":%.1f,\"with_full_state_mb\":%.1f,\"peak_rss_mb\":%ld}\n",
              HeapMegabytes() - heap_before, with_full_mb, usage.ru_maxrss / 1024);

  auto node_view = resolver.MakeView(cluster.pods.front().node);
  start = Clock::now();
  const ResolvedPolicy of_node = node_view->Full();
  std::printf("{\"view\":\"node\",\"full_ms\":%.2f,\"endpoints\":%zu,\"sections\":%zu}\n",
              MicrosecondsSince(start) / 1e3, of_node.endpoints.size(), of_node.sections.size());
  node_view.reset();

  std::mt19937_64 random(1);
  const auto any = [&](const auto& all) -> const auto& { return all[random() % all.size()]; };
  MeasureChanges("pod deleted", 2000, view.get(), [&](int i) {
    const Pod& pod = cluster.pods[static_cast<std::size_t>(i)];
    resolver.DeletePod(pod.namespace_name, pod.name);
  });
  MeasureChanges("pod added", 2000, view.get(),
                 [&](int i) { resolver.Upsert(cluster.pods[static_cast<std::size_t>(i)]); });
  MeasureChanges("pod relabelled", 2000, view.get(), [&](int i) {
    Pod pod = any(cluster.pods);
    pod.labels = {{"app", i % 2 == 0 ? "web" : "controller"}};
    resolver.Upsert(pod);
  });
  MeasureChanges("policy changed", 2000, view.get(), [&](int i) {
    NetworkPolicy policy = any(cluster.policies);
    policy.has_ingress = true;
    policy.ingress.resize(1);
    NetworkPolicyPort port;
    port.protocol = 6;
    port.port = static_cast<std::uint16_t>(1 + i);
    policy.ingress[0].ports = {port};
    resolver.Upsert(policy);
  });
  MeasureChanges("policy with a named port and all namespaces added", 500, view.get(), [&](int i) {
    NetworkPolicy policy = any(cluster.policies);
    policy.name = "named-" + std::to_string(i);
    policy.has_ingress = policy.has_egress = true;
    NetworkPolicyPort port;
    port.protocol = 6;
    port.name = "http";
    NetworkPolicyPeer everywhere;
    everywhere.namespace_selector = LabelSelector{};
    policy.ingress = policy.egress = {{{everywhere}, {port}}};
    resolver.Upsert(policy);
  });
  MeasureChanges("namespace relabelled", 2000, view.get(), [&](int i) {
    Namespace space = any(cluster.namespaces);
    space.labels.insert(space.labels.begin(), {"a", std::to_string(i)});
    resolver.Upsert(space);
  });
  MeasureChurn(cluster.pods, 5, &resolver, view.get());
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) { return sluice::Run(argc > 1 ? std::atof(argv[1]) : 1.0); }
