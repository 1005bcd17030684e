// Generators of the clusters that must stay small and fast: a row each of the design's table "Shapes that must stay
// small and fast", and the largest cluster that manifests are measured with. Equal arguments give equal clusters.
#ifndef SLUICE_TESTS_SUPPORT_SHAPES_H_
#define SLUICE_TESTS_SUPPORT_SHAPES_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>

#include "model/objects.h"

namespace sluice {

// `scale` multiplies namespaces, policies and pods alike (1: the table's size); what belongs to one of them (labels a
// pod, entries a list, ports a policy) stays.
Cluster TemplatesShape(double scale);
Cluster AllPodsShape(double scale);
Cluster WorldLessPrivateShape(double scale);
Cluster LabelLatticeShape(double scale);
Cluster LongListsShape(double scale);  // scales the list's length too
Cluster ManyPortsShape(double scale);
Cluster ManySubjectsShape(double scale);
Cluster LargeShape(double scale);  // 25,000 namespaces, 75,000 policies, 100,000 pods

struct Shape {
  std::string_view name;
  Cluster (*make)(double scale);
};
std::span<const Shape> Shapes();  // all of the above

// With `policies` cluster policies of 25 rules each over all pods on top: half of the Admin tier and half of Baseline,
// with peers by namespace, by the labels that pods have, and by network, and a port of its own for each rule.
Cluster UnderClusterPolicies(Cluster cluster, std::uint32_t policies = 100);

// Pods come and go: takes `count` pods away and adds as many, with names and addresses that were never used and the
// labels, namespace and node of others. Requires pods.
class Churn {
 public:
  explicit Churn(std::uint64_t seed) : random_(seed) {}
  void Step(Cluster* cluster, std::size_t count);

 private:
  std::mt19937_64 random_;
  std::uint32_t added_ = 0;
};

}  // namespace sluice

#endif  // SLUICE_TESTS_SUPPORT_SHAPES_H_
