// The order in which the objects of a cluster are best processed.
#ifndef SLUICE_CONTROL_RESOLVE_CLUSTER_ORDER_H_
#define SLUICE_CONTROL_RESOLVE_CLUSTER_ORDER_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/objects.h"

namespace sluice {

// The order is by namespace and name, so that objects that are used together lie together in memory, whatever order the
// source has. Holds views of the cluster's strings.
class ClusterOrder {
 public:
  explicit ClusterOrder(const Cluster& cluster) {
    ranks_.reserve(cluster.namespaces.size());
    for (const Namespace& object : cluster.namespaces) ranks_.try_emplace(object.name);
    for (const Pod& object : cluster.pods) ranks_.try_emplace(object.namespace_name);
    for (const NetworkPolicy& object : cluster.policies) ranks_.try_emplace(object.namespace_name);
    for (const StagedNetworkPolicy& object : cluster.staged) ranks_.try_emplace(object.namespace_name);
    std::vector<std::string_view> names;
    names.reserve(ranks_.size());
    for (const auto& [name, rank] : ranks_) names.push_back(name);
    std::sort(names.begin(), names.end());
    std::uint32_t rank = 0;
    for (const std::string_view name : names) ranks_.at(name) = rank++;
  }

  // Calls `visit(object)` for each of these objects of the cluster.
  template <typename Object, typename Visit>
  void ForEach(const std::vector<Object>& objects, Visit visit) const {
    std::vector<std::pair<std::uint32_t, const Object*>> order;
    order.reserve(objects.size());
    for (const Object& object : objects) order.emplace_back(ranks_.at(NamespaceOf(object)), &object);
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first < b.first : a.second->name < b.second->name;
    });
    for (const auto& [rank, object] : order) visit(*object);
  }

 private:
  static const std::string& NamespaceOf(const Namespace& object) { return object.name; }
  template <typename Object>
  static const std::string& NamespaceOf(const Object& object) {
    return object.namespace_name;
  }

  std::unordered_map<std::string_view, std::uint32_t> ranks_;  // of namespaces, by name
};

}  // namespace sluice

#endif  // SLUICE_CONTROL_RESOLVE_CLUSTER_ORDER_H_
