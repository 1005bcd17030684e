// What is staged: judged like the policy that it would be, whatever changes, and never enforced.
//
// Random worlds: the staged table says of every flow what the reference says of the promoted set; a pipeline that
// carries the flows counts the pairs that differ, and no others.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/pipeline.h"
#include "reference/compare.h"
#include "reference/evaluate.h"
#include "reference/random_world.h"
#include "reference/world.h"
#include "resolve/cluster_resolver.h"
#include "resolve/policy_view.h"
#include "resolve/resolve.h"
#include "store/policy_store.h"
#include "support/cluster_builder.h"
#include "support/packet_builder.h"

namespace sluice::test {
namespace {

using reference::Evaluator;
using reference::Flow;

std::string PathOf(const NetworkPolicy& policy) { return policy.namespace_name + '/' + policy.name; }
std::string PathOf(const StagedNetworkPolicy& staged) { return staged.namespace_name + '/' + staged.name; }

// The cluster once what is staged is in force, by the plainest reading.
Cluster Promoted(Cluster cluster) {
  for (const StagedNetworkPolicy& staged : cluster.staged) {
    if (staged.action == StagedAction::kIgnore) continue;
    std::erase_if(cluster.policies, [&](const NetworkPolicy& policy) { return PathOf(policy) == PathOf(staged); });
    if (staged.action == StagedAction::kSet) cluster.policies.push_back(staged.policy);
  }
  for (const StagedClusterPolicy& staged : cluster.staged_cluster) {
    std::erase_if(cluster.cluster_policies, [&](const ClusterPolicy& policy) {
      return policy.kind == ClusterPolicyKind::kClusterNetworkPolicy && policy.name == staged.name;
    });
    if (staged.action == StagedAction::kSet) cluster.cluster_policies.push_back(staged.policy);
  }
  cluster.staged.clear();
  cluster.staged_cluster.clear();
  return cluster;
}

StagedNetworkPolicy SetOf(NetworkPolicy policy) {
  return {policy.namespace_name, policy.name, StagedAction::kSet, policy};
}

// A world in which something is staged, which changes, too.
class StagedWorld {
 public:
  StagedWorld(std::uint64_t seed, WorldSize size) : world_(seed, size), other_(seed ^ 0x0dd, size), random_(seed) {
    for (int i = 0; i < 4; ++i) Restage();
    for (int i = 0; i < 2; ++i) RestageCluster();
  }

  Cluster Now() const {
    Cluster cluster = world_.cluster();
    for (const auto& [path, staged] : staged_) cluster.staged.push_back(staged);
    for (const auto& [name, staged] : staged_cluster_) cluster.staged_cluster.push_back(staged);
    return cluster;
  }
  std::string Change() {
    if (random_() % 3 != 0) return world_.Mutate();
    return random_() % 2 == 0 ? Restage() : RestageCluster();
  }
  std::vector<Flow> Flows(std::size_t count) { return world_.Flows(count); }

 private:
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[random_() % from.size()];
  }

  std::string Restage() {
    const std::vector<NetworkPolicy>& policies = world_.cluster().policies;
    if (!staged_.empty() && random_() % 4 == 0) {
      const auto gone = std::next(staged_.begin(), static_cast<std::ptrdiff_t>(random_() % staged_.size()));
      const std::string path = gone->first;
      staged_.erase(gone);
      return "unstage " + path;
    }
    NetworkPolicy policy = Pick(other_.cluster().policies);
    if (random_() % 2 == 0) {
      policy.namespace_name = Pick(policies).namespace_name;
      policy.name = Pick(policies).name;
    }
    policy.refused = false;
    StagedNetworkPolicy staged = SetOf(policy);
    if (random_() % 3 == 0) staged = {Pick(policies).namespace_name, Pick(policies).name, StagedAction::kDelete, {}};
    if (random_() % 9 == 0) staged.action = StagedAction::kIgnore;
    if (staged.action != StagedAction::kSet) staged.policy = {};
    if (random_() % 3 != 0) other_.Mutate();
    const std::string path = PathOf(staged);
    staged_[path] = std::move(staged);
    return "stage " + path;
  }

  // Of a name of its own, or of one in force of this kind or of another.
  std::string RestageCluster() {
    if (!staged_cluster_.empty() && random_() % 4 == 0) {
      const std::string name = staged_cluster_.begin()->first;
      staged_cluster_.erase(name);
      return "unstage " + name;
    }
    if (random_() % 3 != 0) other_.Mutate();
    StagedClusterPolicy staged;
    staged.policy = Pick(other_.cluster().cluster_policies);
    staged.policy.kind = ClusterPolicyKind::kClusterNetworkPolicy;
    staged.name = random_() % 3 == 0 ? "staged" : Pick(world_.cluster().cluster_policies).name;
    staged.policy.name = staged.name;
    if (random_() % 3 == 0) staged.action = StagedAction::kDelete;
    if (staged.action != StagedAction::kSet) staged.policy = {};
    staged_cluster_[staged.name] = staged;
    return "stage cluster policy " + staged.name;
  }

  RandomWorld world_;
  RandomWorld other_;
  std::mt19937_64 random_;
  std::map<std::string, StagedNetworkPolicy> staged_;
  std::map<std::string, StagedClusterPolicy> staged_cluster_;
};

void Tell(const Cluster& before, const Cluster& now, ClusterResolver& resolver) {
  const auto follow = [&](const auto& was, const auto& is, auto name_of, auto erase) {
    std::set<std::string> names;
    for (const auto& object : is) names.insert(name_of(object));
    for (const auto& object : was) {
      if (!names.contains(name_of(object))) erase(object);
    }
    for (const auto& object : is) resolver.Upsert(object);
  };
  const auto name = [](const auto& o) { return o.name; };
  const auto path = [](const auto& o) { return o.namespace_name + '/' + o.name; };
  follow(before.namespaces, now.namespaces, name, [&](const auto& o) { resolver.DeleteNamespace(o.name); });
  follow(before.nodes, now.nodes, name, [&](const auto& o) { resolver.DeleteNode(o.name); });
  follow(before.pods, now.pods, path, [&](const auto& o) { resolver.DeletePod(o.namespace_name, o.name); });
  follow(before.policies, now.policies, path, [&](const auto& o) { resolver.DeletePolicy(o.namespace_name, o.name); });
  follow(before.staged, now.staged, path,
         [&](const auto& o) { resolver.DeleteStaged(o.namespace_name, o.name, o.by); });
  follow(before.staged_cluster, now.staged_cluster, name,
         [&](const auto& o) { resolver.DeleteStagedCluster(o.name, o.by); });
  follow(
      before.cluster_policies, now.cluster_policies,
      [](const auto& o) { return std::string(Name(o.kind)) + '/' + o.name; },
      [&](const auto& o) { resolver.DeleteClusterPolicy(o.kind, o.name); });
}

class Store {
 public:
  Store() : store_({}, [this](std::shared_ptr<const Table> table) { table_ = std::move(table); }) {}

  PolicyStore* operator->() { return &store_; }
  const Table& table() const { return *table_; }

 private:
  std::shared_ptr<const Table> table_;
  PolicyStore store_;
};

bool IsStaged(const Cluster& cluster) {
  return !cluster.staged_cluster.empty() ||
         std::any_of(cluster.staged.begin(), cluster.staged.end(),
                     [](const auto& staged) { return staged.action != StagedAction::kIgnore; });
}

// In force is the cluster, and staged what it would be.
void ExpectBoth(const Cluster& cluster, const Table& table, const std::vector<Flow>& flows) {
  Classifier classifier(256);
  const auto in_force = FirstDifference(cluster, table, classifier, flows);
  ASSERT_FALSE(in_force) << "in force: " << *in_force;
  ASSERT_EQ(table.staged() != nullptr, IsStaged(cluster));
  if (table.staged() == nullptr) return;
  Classifier staged_classifier(256);
  const auto staged = FirstDifference(Promoted(cluster), *table.staged(), staged_classifier, flows);
  ASSERT_FALSE(staged) << "staged: " << *staged;
}

TEST(Staged, FullStatesSayWhatTheReferenceSaysOfThePromotedSet) {
  for (int number = 0; number < 40; ++number) {
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(number));
    StagedWorld world(TestSeed() + static_cast<std::uint64_t>(number), {});
    Store store;
    for (int step = 0; step < 3; ++step) {
      const Cluster now = world.Now();
      ASSERT_FALSE(store->Replace(Resolve(now, nullptr)));
      ExpectBoth(now, store.table(), world.Flows(800));
      if (testing::Test::HasFatalFailure()) return;
      world.Change();
    }
  }
}

// A flow whose verdict by what is staged changed is judged again, as one is whose verdict in force did.
void ExpectJudgedAgain(const Table& before, const Table& now, const std::vector<Flow>& flows) {
  if (now.staged() == nullptr || before.staged() == nullptr) return;
  Classifier one, other;
  const auto was = Classify(*before.staged(), one, flows, true);
  const auto is = Classify(*now.staged(), other, flows, true);
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const bool judged = now.changes().Since(before.generation(), flows[i].source) ||
                        now.changes().Since(before.generation(), flows[i].destination);
    ASSERT_TRUE(was[i].allow == is[i].allow || judged) << ToText(flows[i]);
  }
}

TEST(Staged, UpdatesLeadWhereAFreshStartDoes) {
  for (int number = 0; number < 20; ++number) {
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(number));
    StagedWorld world(TestSeed() + 100 + static_cast<std::uint64_t>(number),
                      {.namespaces = 4, .nodes = 3, .pods = 24, .policies = 16});
    ClusterResolver resolver;
    Cluster now = world.Now();
    Tell({}, now, resolver);
    const auto view = resolver.MakeView();
    Store store;
    ASSERT_FALSE(store->Replace(view->Full()));
    std::string changes;
    for (int step = 0; step < 30; ++step) {
      changes += world.Change() + '\n';
      SCOPED_TRACE(changes);
      const auto before = store->table();
      const Cluster was = std::exchange(now, world.Now());
      Tell(was, now, resolver);
      const auto refused = store->Update(view->TakeChanges());
      ASSERT_FALSE(refused) << refused->ToString();
      const std::vector<Flow> flows = world.Flows(400);
      ExpectBoth(now, store.table(), flows);
      ExpectJudgedAgain(*before, store.table(), flows);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

// The view of one node says of its own pods what the view of all says, staged or not.
TEST(Staged, AViewOfOneNodeSaysTheSameOfItsPods) {
  for (int number = 0; number < 10; ++number) {
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(number));
    StagedWorld world(TestSeed() + 200 + static_cast<std::uint64_t>(number),
                      {.namespaces = 4, .nodes = 3, .pods = 24, .policies = 16});
    ClusterResolver resolver;
    Cluster now = world.Now();
    Tell({}, now, resolver);
    const auto whole_view = resolver.MakeView();
    const auto node_view = resolver.MakeView("node1");
    Store whole, of_node;
    ASSERT_FALSE(whole->Replace(whole_view->Full()));
    ASSERT_FALSE(of_node->Replace(node_view->Full()));
    std::string changes;
    for (int step = 0; step < 30; ++step) {
      changes += world.Change() + '\n';
      SCOPED_TRACE(changes);
      const Cluster was = std::exchange(now, world.Now());
      Tell(was, now, resolver);
      ASSERT_FALSE(whole->Update(whole_view->TakeChanges()));
      ASSERT_FALSE(of_node->Update(node_view->TakeChanges()));
      ASSERT_EQ(whole.table().staged() != nullptr, of_node.table().staged() != nullptr);
      if (whole.table().staged() == nullptr) continue;
      std::set<IpAddress> local;
      of_node->Read([&](const ResolvedPolicy& policy, const Table&) {
        for (const Endpoint& endpoint : policy.endpoints) {
          if (endpoint.node == kNoNode || policy.nodes[endpoint.node].name != "node1") continue;
          local.insert(endpoint.addresses.begin(), endpoint.addresses.end());
        }
      });
      const std::vector<Flow> flows = world.Flows(400);
      Classifier one, other;
      const auto mine = Classify(*of_node.table().staged(), one, flows, false);
      const auto all = Classify(*whole.table().staged(), other, flows, false);
      for (std::size_t i = 0; i < flows.size(); ++i) {
        if (local.contains(flows[i].source)) {
          ASSERT_EQ(mine[i].egress, all[i].egress) << ToText(flows[i]);
        }
        if (local.contains(flows[i].destination)) {
          ASSERT_EQ(mine[i].ingress, all[i].ingress) << ToText(flows[i]);
        }
      }
    }
  }
}

// source, destination, port, whether it would be allowed
using Pair = std::tuple<std::string, std::string, std::uint16_t, bool>;

std::set<Pair> CountedPairs(Pipeline& pipeline) {
  std::set<Pair> pairs;
  StagedJudge* judge = pipeline.staged_judge();
  if (judge == nullptr) return pairs;
  judge->halves().TakeAll([&](StagedJudge::Half& half) {
    EXPECT_EQ(half.not_kept, 0u);
    half.pairs.Take([&](const StagedJudge::Entry& entry) {
      pairs.emplace(entry.key.source.ToString(), entry.key.destination.ToString(), entry.key.destination_port,
                    entry.key.would_allow);
    });
  });
  return pairs;
}

TEST(Staged, APipelineCountsThePairsThatDifferAndNoOthers) {
  for (int number = 0; number < 20; ++number) {
    SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(TestSeed()) + ", world " + std::to_string(number));
    StagedWorld world(TestSeed() + 300 + static_cast<std::uint64_t>(number), {});
    const Cluster cluster = world.Now();
    Store store;
    ASSERT_FALSE(store->Replace(Resolve(cluster, nullptr)));
    PipelineConfig config;
    config.drop_unknown_endpoint = false;
    config.flow_capacity_ipv4 = config.flow_capacity_ipv6 = 4096;
    const auto pipeline = std::move(std::get<0>(Pipeline::Create(config)));
    pipeline->Reserve(store.table());

    const Evaluator in_force(cluster);
    const Cluster promoted_cluster = Promoted(cluster);
    const Evaluator promoted(promoted_cluster);
    std::set<Pair> expected;
    std::vector<ByteVector> bytes;
    std::set<std::tuple<IpAddress, IpAddress, std::uint16_t>> sent;
    for (Flow flow : world.Flows(1500)) {
      flow.protocol = kProtoUdp;
      flow.source_port = 40000;
      if (flow.destination_port == 0 || flow.source == flow.destination) continue;
      const bool may_be_sent =
          flow.source.is_v4() ? flow.source.lo >> 28 < 0xe && flow.source.lo != 0 : flow.source.hi >> 56 != 0xff;
      const bool may_be_met = flow.destination.is_v4() ? flow.destination.lo >> 28 < 0xe && flow.destination.lo != 0
                                                       : flow.destination.hi >> 56 != 0xff;
      // An answer is no connection of its own.
      if (!may_be_sent || !may_be_met || flow.destination_port == flow.source_port) continue;
      if (!sent.emplace(flow.source, flow.destination, flow.destination_port).second) continue;
      PacketBuilder builder;
      builder.Ethernet();
      if (flow.source.is_v4()) {
        builder.Ipv4(flow.source.ToString(), flow.destination.ToString());
      } else {
        builder.Ipv6(flow.source.ToString(), flow.destination.ToString());
      }
      bytes.push_back(builder.Udp(flow.source_port, flow.destination_port).Bytes());
      const bool allows = in_force.Evaluate(flow).allow;
      const bool would_allow = promoted.Evaluate(flow).allow;
      if (allows == would_allow) continue;
      expected.emplace(flow.source.ToString(), flow.destination.ToString(), flow.destination_port, would_allow);
    }
    PipelineOutput out;
    std::vector<Frame> frames(bytes.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      frames[i].data = bytes[i].data();
      frames[i].length = frames[i].frame_length = static_cast<std::uint32_t>(bytes[i].size());
    }
    pipeline->Process(store.table(), 1'000'000'000, frames, out);
    EXPECT_EQ(CountedPairs(*pipeline), expected);
  }
}

Cluster Shop() {
  return ClusterBuilder()
      .Pod("shop/web", {{"app", "web"}}, {"10.0.0.1"})
      .Pod("shop/api", {{"app", "api"}}, {"10.0.0.2"})
      .Pod("shop/db", {{"app", "db"}}, {"10.0.0.3"})
      .Build();
}

NetworkPolicy DbAdmitsApi() {
  return ClusterBuilder()
      .Policy("shop/db", Match({{"app", "db"}}))
      .Ingress({PodPeer(Match({{"app", "api"}}))})
      .Build()
      .policies[0];
}

struct Traffic {
  explicit Traffic(const Table& table) : table_(&table) {
    PipelineConfig config;
    config.flow_capacity_ipv4 = config.flow_capacity_ipv6 = 64;
    pipeline = std::move(std::get<0>(Pipeline::Create(config)));
    pipeline->Reserve(table);
  }
  void Swap(const Table& table) {
    table_ = &table;
    pipeline->Reserve(table);
  }
  void Send(const char* from, const char* to, std::uint16_t port, std::uint16_t source_port = 40000) {
    const ByteVector bytes = PacketBuilder().Ethernet().Ipv4(from, to).Udp(source_port, port).Bytes();
    Frame frame;
    frame.data = const_cast<std::uint8_t*>(bytes.data());
    frame.length = frame.frame_length = static_cast<std::uint32_t>(bytes.size());
    pipeline->Process(*table_, now_ns, {&frame, 1}, out);
  }
  void Sweep() {
    while (!pipeline->Housekeep(*table_, now_ns, 100, out)) continue;
    while (pipeline->IsBehind()) pipeline->CatchUp(*table_, now_ns, 100);
  }
  std::vector<StagedJudge::Entry> Take() {
    std::vector<StagedJudge::Entry> entries;
    pipeline->staged_judge()->halves().TakeAll([&](StagedJudge::Half& half) {
      half.pairs.Take([&](const StagedJudge::Entry& entry) { entries.push_back(entry); });
    });
    return entries;
  }

  std::unique_ptr<Pipeline> pipeline;
  const Table* table_;
  std::uint64_t now_ns = 1'000'000'000;
  PipelineOutput out;
};

TEST(Staged, AFlowThatWouldBeDeniedIsCountedOnceWithAllItsPackets) {
  Cluster cluster = Shop();
  cluster.staged = {SetOf(DbAdmitsApi())};
  Store store;
  ASSERT_FALSE(store->Replace(Resolve(cluster, nullptr)));
  Traffic traffic(store.table());
  for (int i = 0; i < 5; ++i) traffic.Send("10.0.0.1", "10.0.0.3", 5432);
  for (int i = 0; i < 5; ++i) traffic.Send("10.0.0.2", "10.0.0.3", 5432);
  traffic.Sweep();
  const auto entries = traffic.Take();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].key.source, Ip("10.0.0.1"));
  EXPECT_FALSE(entries[0].key.would_allow);
  EXPECT_EQ(entries[0].connections, 1u);
  EXPECT_EQ(entries[0].packets, 5u);
  EXPECT_EQ(store.table().staged()->rule(entries[0].key.staged_ingress_rule).policy, "shop/db");
  EXPECT_EQ(traffic.out.forward.size(), 10u) << "what is staged enforces nothing";
}

TEST(Staged, ALiveFlowIsJudgedWhenSomethingIsStaged) {
  Cluster cluster = Shop();
  Store store;
  ASSERT_FALSE(store->Replace(Resolve(cluster, nullptr)));
  Traffic traffic(store.table());
  traffic.Send("10.0.0.1", "10.0.0.3", 5432);
  cluster.staged = {SetOf(DbAdmitsApi())};
  const auto kept = store->table();
  ASSERT_FALSE(store->Replace(Resolve(cluster, nullptr)));
  traffic.Swap(store.table());
  traffic.Sweep();
  ASSERT_EQ(traffic.Take().size(), 1u);
  traffic.Send("10.0.0.1", "10.0.0.3", 5432);
  traffic.Send("10.0.0.1", "10.0.0.3", 5432);
  traffic.Sweep();
  const auto entries = traffic.Take();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].connections, 0u) << "it is no new connection";
  EXPECT_EQ(entries[0].packets, 2u);
}

TEST(Staged, ADeniedPacketThatWouldBeAllowedIsCounted) {
  Cluster cluster = Shop();
  cluster.policies = {DbAdmitsApi()};
  cluster.staged = {{"shop", "db", StagedAction::kDelete, {}}};
  Store store;
  ASSERT_FALSE(store->Replace(Resolve(cluster, nullptr)));
  Traffic traffic(store.table());
  for (int i = 0; i < 3; ++i) traffic.Send("10.0.0.1", "10.0.0.3", 5432);
  const auto entries = traffic.Take();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_TRUE(entries[0].key.would_allow);
  EXPECT_EQ(entries[0].packets, 3u);
  EXPECT_EQ(store.table().rule(entries[0].key.ingress_rule).policy, "shop/db");
  EXPECT_EQ(traffic.out.forward.size(), 0u) << "what is staged enforces nothing";
}

// As the promoted set would: the title is a name to itself, and who has it decides among equal priorities.
TEST(Staged, AClusterPolicyTakesThePlaceOfNoneOfAnotherKindThatHasItsName) {
  Cluster cluster = Shop();
  ClusterPolicy deny = MakeClusterPolicy("guard", Tier::kAdmin, 1, {});
  deny.ingress.resize(1);
  deny.ingress[0].action = Action::kDeny;
  deny.ingress[0].everyone = true;
  ClusterPolicy allow = deny;
  allow.kind = ClusterPolicyKind::kAdminNetworkPolicy;
  allow.ingress[0].action = Action::kAllow;
  cluster.cluster_policies = {allow};
  cluster.staged_cluster = {{"guard", StagedAction::kSet, deny}};
  ClusterResolver resolver;
  resolver.Load(cluster);
  const auto view = resolver.MakeView();
  Store store;
  ASSERT_FALSE(store->Replace(view->Full()));
  const std::vector<Flow> flows = {{Ip("10.0.0.1"), Ip("10.0.0.3"), kProtoTcp, 40000, 80}};
  ExpectBoth(cluster, store.table(), flows);
  resolver.Upsert((cluster.staged_cluster = {{"guard", StagedAction::kDelete, {}}})[0]);
  ASSERT_FALSE(store->Update(view->TakeChanges()));
  ExpectBoth(cluster, store.table(), flows);
  cluster.cluster_policies.push_back(deny);
  resolver.Upsert(deny);
  ASSERT_FALSE(store->Update(view->TakeChanges()));
  ExpectBoth(cluster, store.table(), flows);
  resolver.DeleteStagedCluster("guard", StagedBy::kObject);
  ASSERT_FALSE(store->Update(view->TakeChanges()));
  EXPECT_EQ(store.table().staged(), nullptr);
}

TEST(Staged, OfSeveralForOnePolicyTheFirstPlaceCountsAndAWarningNamesBoth) {
  Cluster cluster = Shop();
  NetworkPolicy nobody = DbAdmitsApi();
  nobody.ingress.clear();
  StagedNetworkPolicy by_folder = SetOf(DbAdmitsApi());
  by_folder.by = StagedBy::kFolder;
  StagedNetworkPolicy by_calico = SetOf(nobody);
  by_calico.by = StagedBy::kCalicoObject;
  ClusterResolver resolver;
  resolver.Load(cluster);
  const auto view = resolver.MakeView();
  const auto staged_rules = [&] {
    const ResolvedPolicy full = view->Full();
    return full.staged.empty() ? -1 : static_cast<int>(full.staged.at("shop/db").at(0).rules.size());
  };
  resolver.Upsert(by_calico);
  EXPECT_EQ(staged_rules(), 0);
  resolver.Upsert(by_folder);
  EXPECT_EQ(staged_rules(), 1);
  resolver.Upsert(SetOf(nobody));
  EXPECT_EQ(staged_rules(), 1);
  ASSERT_EQ(resolver.Conflicts().size(), 2u);
  EXPECT_EQ(resolver.Conflicts()[0].ToString(),
            "warning: NetworkPolicy shop/db: is staged in two places: that of a folder of staged policies (--staged) "
            "counts, and not that of an object of its kind; take one of them away");
  resolver.DeleteStaged("shop", "db", StagedBy::kFolder);
  EXPECT_EQ(staged_rules(), 0);
  resolver.DeleteStaged("shop", "db", StagedBy::kObject);
  EXPECT_TRUE(resolver.Conflicts().empty());
  resolver.DeleteStaged("shop", "db", StagedBy::kCalicoObject);
  EXPECT_EQ(staged_rules(), -1);
}

TEST(Staged, WhatDoesNotFitIsRefusedAloneAndFitsOnceItIsSmaller) {
  CompileLimits limits;
  limits.rules = 8;
  std::shared_ptr<const Table> table;
  PolicyStore store(limits, [&](std::shared_ptr<const Table> published) { table = std::move(published); });
  Cluster cluster = Shop();
  cluster.policies = {DbAdmitsApi()};
  NetworkPolicy large = DbAdmitsApi();
  large.name = "large";
  for (std::uint16_t port = 1; port < 20; ++port) {
    large.ingress.push_back({{PodPeer(Match({{"app", "web"}}))}, {Tcp(port)}});
  }
  cluster.staged = {SetOf(large)};
  ASSERT_FALSE(store.Replace(Resolve(cluster, nullptr)));
  EXPECT_TRUE(table->has_policy());
  EXPECT_EQ(table->stats().rules, 2u);
  EXPECT_EQ(table->staged(), nullptr);
  ASSERT_TRUE(store.staged_refused());
  large.ingress.resize(1);
  cluster.staged = {SetOf(large)};
  ASSERT_FALSE(store.Replace(Resolve(cluster, nullptr)));
  EXPECT_NE(table->staged(), nullptr);
  EXPECT_FALSE(store.staged_refused());
  cluster.staged.clear();
  ASSERT_FALSE(store.Replace(Resolve(cluster, nullptr)));
  EXPECT_EQ(table->staged(), nullptr);
}

TEST(Staged, TheSameStagedSetHasTheSameNameInAnyNumbering) {
  Cluster cluster = Shop();
  cluster.staged = {SetOf(DbAdmitsApi())};
  Store one, other;
  ASSERT_FALSE(one->Replace(Resolve(cluster, nullptr)));
  cluster.policies = {ClusterBuilder().Policy("shop/a", Everything()).Ingress().Build().policies[0]};
  ASSERT_FALSE(other->Replace(Resolve(cluster, nullptr)));
  EXPECT_EQ(one.table().staging(), other.table().staging());
  cluster.staged[0].policy.ingress.clear();
  ASSERT_FALSE(other->Replace(Resolve(cluster, nullptr)));
  EXPECT_NE(one.table().staging(), other.table().staging());
}

TEST(Staged, AClusterPolicyThatDecidesOtherwiseIsAnotherStagedSet) {
  Cluster cluster = Shop();
  ClusterPolicy guard = MakeClusterPolicy("guard", Tier::kAdmin, 1, {});
  guard.ingress.resize(1);
  guard.ingress[0].everyone = true;
  std::set<std::uint64_t> stagings;
  const auto stage = [&] {
    cluster.staged_cluster = {{"guard", StagedAction::kSet, guard}};
    Store store;
    ASSERT_FALSE(store->Replace(Resolve(cluster, nullptr)));
    stagings.insert(store.table().staging());
  };
  stage();
  stage();
  EXPECT_EQ(stagings.size(), 1u);
  guard.ingress[0].action = Action::kDeny;
  stage();
  guard.priority = 2;
  stage();
  EXPECT_EQ(stagings.size(), 3u);
}

}  // namespace
}  // namespace sluice::test
