// Change without end: objects come and go, each with names, labels, addresses and ports that were never there before.
// What the resolver holds, what it keeps for its receivers, and what a receiver holds stay in proportion to what there
// is.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "control/follower.h"
#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "resolve/resolve.h"
#include "support/cluster_builder.h"
#include "support/shapes.h"

namespace sluice::test {
namespace {

// 0 under the sanitizers, which have an allocator of their own: then nothing grows.
std::size_t HeapBytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A cluster in which anything comes and goes; at the end of a round there is as much as at its begin.
class RestlessCluster {
 public:
  explicit RestlessCluster(std::uint64_t seed) : random_(seed), cluster_(TemplatesShape(0.002)) {
    resolver_.Load(cluster_);
  }

  ClusterResolver& resolver() { return resolver_; }
  const Cluster& cluster() const { return cluster_; }

  // `follow` is called whenever a receiver may take what changed.
  void Round(const std::function<void()>& follow) {
    ++round_;
    const auto upsert_and_delete = [&](const NetworkPolicy& policy) {
      resolver_.Upsert(policy);
      follow();
      resolver_.DeletePolicy(policy.namespace_name, policy.name);
      follow();
    };
    // A policy of a new name, with selectors, blocks and ports that nobody named before.
    NetworkPolicy policy;
    policy.namespace_name = AnyNamespace();
    policy.name = Fresh("policy-");
    policy.pod_selector = Below(2) == 0 ? LabelSelector{} : Match({{"release", Fresh("r", -1)}});
    NetworkPolicyPort named;
    named.protocol = 6;
    named.name = Below(2) == 0 ? "http" : Fresh("port-", -1);
    NetworkPolicyPort range = Tcp(static_cast<std::uint16_t>(1 + Below(60'000)));
    range.end_port = static_cast<std::uint16_t>(*range.port + Below(5'000));
    NetworkPolicyPeer block = CidrPeer(IpAddress::V4(static_cast<std::uint32_t>(random_())).ToString() + "/24", {});
    policy.has_ingress = policy.has_egress = true;
    policy.ingress = {{{NamespacePeer({}), block}, {named, range}},
                      {{PodPeerIn(Match({{Fresh("key-"), "v"}}), Match({{"app", Fresh("v")}}))}, {}}};
    policy.egress = {{{NamespacePeer(Match({{"team", Fresh("team-", -1)}})), block}, {named}}};
    upsert_and_delete(policy);
    // The same policy again and again.
    upsert_and_delete(policy_that_flaps_);

    // A pod under another name, address and labels.
    Pod& pod = cluster_.pods[Below(cluster_.pods.size())];
    resolver_.DeletePod(pod.namespace_name, pod.name);
    if (Below(2) == 0) follow();
    pod.name = Fresh("pod-");
    pod.addresses = {IpAddress::V4(0x14000000 + round_)};
    pod.labels = {{"app", "web"}, {"release", Fresh("r")}};
    pod.ports = {{"http", 6, static_cast<std::uint16_t>(1 + Below(60'000))}, {Fresh("port-"), 6, 80}};
    if (round_ % 3 == 0) pod.node = Fresh("node-of-pods-");
    resolver_.Upsert(pod);
    follow();

    // A namespace under other labels; a node and a namespace that come and go, with a pod.
    Namespace space = cluster_.namespaces[Below(cluster_.namespaces.size())];
    space.labels = {{Fresh("key-"), "v"}, {"team", Fresh("team-")}};
    resolver_.Upsert(space);
    follow();
    resolver_.Upsert(NodeObject{Fresh("node-"), {IpAddress::V4(0x1e000000 + round_)}, {}, {}});
    Pod passing = pod;
    passing.namespace_name = Fresh("space-");
    passing.name = "passes";
    passing.addresses = {IpAddress::V4(0x1f000000 + round_)};
    passing.node = Fresh("node-");
    resolver_.Upsert(Namespace{passing.namespace_name, {{"kubernetes.io/metadata.name", passing.namespace_name}}});
    resolver_.Upsert(passing);
    if (Below(2) == 0) follow();
    resolver_.DeletePod(passing.namespace_name, passing.name);
    resolver_.DeleteNamespace(passing.namespace_name);
    resolver_.DeleteNode(passing.node);
    follow();
  }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  std::string Fresh(const char* stem, int rounds = 0) const {
    return stem + std::to_string(static_cast<std::int64_t>(round_) + rounds);
  }
  const std::string& AnyNamespace() { return cluster_.namespaces[Below(cluster_.namespaces.size())].name; }

  std::mt19937_64 random_;
  Cluster cluster_;
  ClusterResolver resolver_;
  std::uint32_t round_ = 0;
  const NetworkPolicy policy_that_flaps_ = [this] {
    NetworkPolicy policy;
    policy.namespace_name = cluster_.namespaces.front().name;
    policy.name = "flaps";
    policy.has_ingress = true;
    policy.ingress = {{{NamespacePeer({})}, {Tcp(80)}}};
    return policy;
  }();
};

TEST(FollowMemory, ResolverAndViewsHoldNoMoreAfterChangeWithoutEnd) {
  constexpr int kRounds = 6000;
  RestlessCluster cluster(1);
  auto prompt = cluster.resolver().MakeView();
  auto away = cluster.resolver().MakeView();  // has a full state, and takes nothing
  auto of_node = cluster.resolver().MakeView(cluster.cluster().pods.front().node);
  for (PolicyView* view : {prompt.get(), away.get(), of_node.get()}) view->Full();
  const auto follow = [&] {
    prompt->TakeChanges();
    of_node->TakeChanges();
  };
  std::size_t first = 0;
  for (int round = 0; round < kRounds; ++round) {
    cluster.Round(follow);
    if (round == kRounds / 10) first = HeapBytes();
  }
  EXPECT_LT(HeapBytes(), first + first / 10 + 100'000);
  EXPECT_FALSE(prompt->FullDue());
  away->TakeChanges();
  EXPECT_LT(HeapBytes(), first + first / 10 + 100'000);
}

TEST(FollowMemory, ReceiverHoldsNoMoreAfterChangeWithoutEnd) {
  RestlessCluster cluster(2);
  Follower receiver(&cluster.resolver());
  const std::uint64_t epoch = receiver.table().epoch();
  for (int round = 0; round < 1500; ++round) {
    cluster.Round([&] { ASSERT_TRUE(receiver.Follow()); });
    if (round % 100 != 99) continue;
    Compiler fresh;
    ASSERT_TRUE(std::holds_alternative<std::shared_ptr<const Table>>(fresh.Compile(receiver.policy())));
    const std::uint64_t numbers = receiver.policy().groups.size() + receiver.policy().endpoints.size();
    ASSERT_LT(receiver.HeldBytes(), 4 * fresh.MemoryBytes() + 200 * numbers + (6u << 20)) << round;
  }
  EXPECT_GT(receiver.renewals(), 0);
  EXPECT_EQ(receiver.table().epoch(), epoch);
}

// Numbers, and names of nodes, are used up by what is gone; a full state begins anew.
TEST(FollowMemory, FullStateIsDueOnceNodesThatWentOutnumberWhatThereIs) {
  RestlessCluster cluster(3);
  Follower receiver(&cluster.resolver());
  int rounds = 0;
  for (; !receiver.view().FullDue() && rounds < 20'000; ++rounds) {
    const std::string name = "node-" + std::to_string(rounds);
    cluster.resolver().Upsert(
        NodeObject{name, {IpAddress::V4(0x1e000000u + static_cast<std::uint32_t>(rounds))}, {}, {}});
    if (rounds % 16 == 15) {
      ASSERT_TRUE(receiver.Follow());
      for (int i = rounds - 15; i <= rounds; ++i) cluster.resolver().DeleteNode("node-" + std::to_string(i));
    }
  }
  EXPECT_LT(rounds, 20'000);
  receiver.StartOver();
  EXPECT_LT(receiver.policy().nodes.size(), 100u);
}

}  // namespace
}  // namespace sluice::test
