// Random worlds from a seed, and random changes to them.
#ifndef SLUICE_TESTS_REFERENCE_RANDOM_WORLD_H_
#define SLUICE_TESTS_REFERENCE_RANDOM_WORLD_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/objects.h"
#include "reference/compare.h"

namespace sluice::test {

struct WorldSize {
  int namespaces = 8;
  int nodes = 4;
  int pods = 60;
  int policies = 40;
  int cluster_policies = 6;
};

class RandomWorld {
 public:
  RandomWorld(std::uint64_t seed, WorldSize size);

  const Cluster& cluster() const { return cluster_; }
  // Changes one thing: a pod comes, goes, moves, is relabelled or changes its ports; a policy comes, goes or changes;
  // a namespace or a node is relabelled; a node's addresses change, or its pod CIDRs. Returns what it did.
  std::string Mutate();
  // Flows between addresses and to ports that the world's objects name, and their neighbours.
  std::vector<reference::Flow> Flows(std::size_t count);
  // Names of some addresses, pods', nodes' and outsiders'; others with every call.
  reference::NamesByAddress Names();

 private:
  bool Chance(double probability);
  int Below(int limit);  // 0..limit-1
  template <typename T>
  const T& Pick(const std::vector<T>& from);

  std::string NamespaceName();
  std::string NodeName();
  Labels RandomLabels();
  LabelSelector RandomSelector();
  IpAddress RandomPodAddress(Family family);
  Pod RandomPod();
  IpAddress RandomNodeAddress(const std::string& node);
  std::vector<Prefix> RandomPodCidrs();
  NodeObject RandomNode(std::string name);
  std::vector<ContainerPort> RandomContainerPorts();
  IpBlock RandomBlock();
  NetworkPolicyPeer RandomPeer();
  NetworkPolicyPort RandomPort();
  std::vector<NetworkPolicyRule> RandomRules();
  NetworkPolicy RandomPolicy(std::string space, std::string name);
  ClusterPolicyPeer RandomClusterPeer(Direction direction, Action action);
  std::vector<ClusterPolicyRule> RandomClusterRules(Direction direction);
  ClusterPolicy RandomClusterPolicy(ClusterPolicyKind kind, std::string name);
  // A new one, of a name that one of another kind may have.
  void AddClusterPolicy();
  std::string MutateClusterPolicy();
  void RelabelNamespace(Namespace& space);

  std::mt19937_64 random_;
  WorldSize size_;
  int names_made_ = 0;
  Cluster cluster_;
};

// The seed of this run: the environment's SLUICE_TEST_SEED, else chosen from the clock. Printed once.
std::uint64_t TestSeed();

}  // namespace sluice::test

#endif  // SLUICE_TESTS_REFERENCE_RANDOM_WORLD_H_
