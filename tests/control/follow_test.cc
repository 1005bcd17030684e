// Following a cluster against resolving it afresh: after every batch of random changes each view's updates must have
// made of its first full state what the whole cluster resolves to now, and its table must say what the reference says.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/follower.h"
#include "reference/compare.h"
#include "reference/random_world.h"
#include "reference/world.h"
#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "resolve/resolve.h"
#include "sluice/policy_update.h"
#include "table/compile.h"

namespace sluice::test {
namespace {

using reference::Answer;
using reference::Flow;

// A random world in which objects also go for a while, come back, finish, or take another's address.
class MovingWorld {
 public:
  MovingWorld(std::uint64_t seed, WorldSize size) : world_(seed, size), random_(seed ^ 0x5eed) {}

  std::size_t Below(std::size_t limit) { return random_() % limit; }

  std::string Change() {
    switch (Below(9)) {
      case 8:
        return Toggle("cluster policy ", world_.cluster().cluster_policies, &hidden_);
      case 0:
        return Toggle("namespace ", world_.cluster().namespaces, &hidden_);
      case 1:
        return Toggle("node ", world_.cluster().nodes, &hidden_);
      case 2:
        return Toggle("pod ", world_.cluster().pods, &hidden_);
      case 3:
        return Toggle("policy ", world_.cluster().policies, &hidden_);
      case 4:
        return "finish: " + Toggle("pod ", world_.cluster().pods, &finished_);
      case 5:
        return "move to the first pod's addresses: " + Toggle("pod ", world_.cluster().pods, &stealing_);
      default:
        return world_.Mutate();
    }
  }

  Cluster Now() const {
    Cluster now = world_.cluster();
    for (Pod& pod : now.pods) {
      if (finished_.contains("pod " + pod.name)) pod.phase = Pod::Phase::kFailed;
      if (stealing_.contains("pod " + pod.name)) pod.addresses = now.pods.front().addresses;
    }
    const auto hide = [this](const std::string& kind, auto& objects) {
      std::erase_if(objects, [&](const auto& object) { return hidden_.contains(kind + object.name); });
    };
    hide("namespace ", now.namespaces);
    hide("node ", now.nodes);
    hide("pod ", now.pods);
    hide("policy ", now.policies);
    hide("cluster policy ", now.cluster_policies);
    return now;
  }

  std::vector<Flow> Flows(std::size_t count) { return world_.Flows(count); }

 private:
  template <typename T>
  std::string Toggle(const std::string& kind, const std::vector<T>& objects, std::set<std::string>* names) {
    if (objects.empty()) return "nothing";
    const std::string name = kind + objects[Below(objects.size())].name;
    if (names->erase(name) == 0) names->insert(name);
    return name;
  }

  RandomWorld world_;
  std::mt19937_64 random_;
  std::set<std::string> hidden_, finished_, stealing_;
};

// Tells the resolver what became of a cluster, in any order. What is the same is told again now and then, or leaves and
// comes back within the batch.
void Tell(const Cluster& before, const Cluster& now, MovingWorld* world, ClusterResolver* resolver) {
  std::vector<std::function<void()>> steps;
  const auto compare = [&](const auto& was, const auto& is, auto name_of, auto erase) {
    std::set<std::string> names;
    for (const auto& object : is) names.insert(name_of(object));
    for (const auto& object : was) {
      if (!names.contains(name_of(object)) || world->Below(20) == 0) erase(object);
    }
    for (const auto& object : is) steps.push_back([&object, resolver] { resolver->Upsert(object); });
  };
  const auto name = [](const auto& object) { return object.name; };
  const auto path = [](const auto& object) { return object.namespace_name + '/' + object.name; };
  compare(before.namespaces, now.namespaces, name, [&](const auto& o) { resolver->DeleteNamespace(o.name); });
  compare(before.nodes, now.nodes, name, [&](const auto& o) { resolver->DeleteNode(o.name); });
  compare(before.pods, now.pods, path, [&](const auto& o) { resolver->DeletePod(o.namespace_name, o.name); });
  compare(before.policies, now.policies, path,
          [&](const auto& o) { resolver->DeletePolicy(o.namespace_name, o.name); });
  compare(
      before.cluster_policies, now.cluster_policies,
      [](const auto& o) { return std::string(Name(o.kind)) + '/' + o.name; },
      [&](const auto& o) { resolver->DeleteClusterPolicy(o.kind, o.name); });
  for (std::size_t i = steps.size(); i > 1; --i) std::swap(steps[i - 1], steps[world->Below(i)]);
  for (const auto& step : steps) step();
}

// Of the answers for flows of the node's pods, the side that the node decides.
void ExpectSameForPodsOf(const std::string& node, const ResolvedPolicy& policy, const Table& of_node,
                         const Table& whole, const std::vector<Flow>& flows) {
  std::set<IpAddress> local;
  for (const Endpoint& endpoint : policy.endpoints) {
    if (endpoint.node != kNoNode && policy.nodes[endpoint.node].name == node) {
      local.insert(endpoint.addresses.begin(), endpoint.addresses.end());
    }
  }
  Classifier one, other;
  const std::vector<Answer> mine = Classify(of_node, one, flows, true);
  const std::vector<Answer> all = Classify(whole, other, flows, true);
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const bool is_local = local.contains(flows[i].source) || local.contains(flows[i].destination);
    if (is_local || mine[i].exemption == Exemption::kNode) {
      ASSERT_EQ(mine[i].exemption, all[i].exemption) << ToText(flows[i]);
    }
    ASSERT_FALSE(mine[i].unknown_endpoint && !all[i].unknown_endpoint) << ToText(flows[i]);
    if (all[i].exemption == Exemption::kNode && mine[i].exemption == Exemption::kNone) continue;  // of another node
    if (local.contains(flows[i].source)) {
      ASSERT_EQ(mine[i].egress, all[i].egress) << ToText(flows[i]);
    }
    if (local.contains(flows[i].destination)) {
      ASSERT_EQ(mine[i].ingress, all[i].ingress) << ToText(flows[i]);
    }
    if (!local.contains(flows[i].source)) {
      ASSERT_FALSE(mine[i].egress.decided) << ToText(flows[i]);
    }
    if (!local.contains(flows[i].destination)) {
      ASSERT_FALSE(mine[i].ingress.decided) << ToText(flows[i]);
    }
  }
}

TEST(Follow, RandomChangesLeadWhereResolvingAfreshDoes) {
  constexpr int kWorlds = 25;
  constexpr int kSteps = 40;
  for (int number = 0; number < kWorlds; ++number) {
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(number));
    MovingWorld world(TestSeed() + static_cast<std::uint64_t>(number),
                      {.namespaces = 4, .nodes = 3, .pods = 24, .policies = 16});
    ClusterResolver resolver;
    Cluster now = world.Now();
    if (number % 2 == 0) {
      resolver.Load(now);
    } else {
      Tell({}, now, &world, &resolver);
    }
    Follower prompt(&resolver), slow(&resolver), of_node(&resolver, "node1");
    std::string changes;
    for (int step = 0; step < kSteps; ++step) {
      for (std::size_t i = 1 + world.Below(4); i > 0; --i)
        changes += "step " + std::to_string(step) + ": " + world.Change() + '\n';
      SCOPED_TRACE(changes);
      const Cluster before = std::exchange(now, world.Now());
      Tell(before, now, &world, &resolver);
      const ResolvedPolicy fresh = Resolve(now, nullptr);
      const std::vector<Flow> flows = world.Flows(300);

      ASSERT_TRUE(prompt.Follow());
      ASSERT_EQ(InNames(prompt.policy()), InNames(fresh));
      Classifier classifier;
      const auto difference = FirstDifference(now, prompt.table(), classifier, flows);
      ASSERT_FALSE(difference) << *difference;

      if (world.Below(6) == 0) {
        ASSERT_TRUE(slow.Follow());
        ASSERT_EQ(InNames(slow.policy()), InNames(fresh));
      }
      if (world.Below(30) == 0) slow.StartOver();
      if (world.Below(8) == 0) prompt.Renew();

      ASSERT_TRUE(of_node.Follow());
      ClusterResolver again;
      Tell({}, now, &world, &again);
      ASSERT_EQ(InNames(of_node.policy()), InNames(again.MakeView("node1")->Full()));
      ExpectSameForPodsOf("node1", prompt.policy(), of_node.table(), prompt.table(), flows);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace sluice::test
