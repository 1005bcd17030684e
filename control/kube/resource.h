// The resources that Sluice reads from the API server.
#ifndef SLUICE_CONTROL_KUBE_RESOURCE_H_
#define SLUICE_CONTROL_KUBE_RESOURCE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

enum class Resource : std::uint8_t {
  kNamespaces,
  kNodes,
  kPods,
  kNetworkPolicies,
  kClusterNetworkPolicies,
  kAdminNetworkPolicies,
  kBaselineAdminNetworkPolicies,
  kStagedNetworkPolicies,
  kStagedClusterNetworkPolicies,
  kCalicoStagedNetworkPolicies,
};

// The resources that every API server has.
inline constexpr std::size_t kResourceCount = 4;
inline constexpr std::array<Resource, kResourceCount> kResources = {Resource::kNamespaces, Resource::kNodes,
                                                                    Resource::kPods, Resource::kNetworkPolicies};
// The resources that an API server has if their CustomResourceDefinitions are installed (Discovery).
inline constexpr std::array<Resource, 6> kOptionalResources = {
    Resource::kClusterNetworkPolicies, Resource::kAdminNetworkPolicies,         Resource::kBaselineAdminNetworkPolicies,
    Resource::kStagedNetworkPolicies,  Resource::kStagedClusterNetworkPolicies, Resource::kCalicoStagedNetworkPolicies};
inline constexpr std::size_t kAllResourceCount = kResourceCount + kOptionalResources.size();

struct ResourceInfo {
  std::string_view name;         // as RBAC names it
  std::string_view api_version;  // of its objects
  std::string_view kind;
  std::string_view path;  // of the list over all namespaces
};

// If the resource is optional: of the version that is read if the API server does not say which it has.

inline constexpr std::array<ResourceInfo, kAllResourceCount> kResourceInfos = {{
    {"namespaces", "v1", "Namespace", "/api/v1/namespaces"},
    {"nodes", "v1", "Node", "/api/v1/nodes"},
    {"pods", "v1", "Pod", "/api/v1/pods"},
    {"networkpolicies", "networking.k8s.io/v1", "NetworkPolicy", "/apis/networking.k8s.io/v1/networkpolicies"},
    {"clusternetworkpolicies", "policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy",
     "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies"},
    {"adminnetworkpolicies", "policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy",
     "/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies"},
    {"baselineadminnetworkpolicies", "policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy",
     "/apis/policy.networking.k8s.io/v1alpha1/baselineadminnetworkpolicies"},
    {"stagednetworkpolicies", "policy.sluice.internal/v1alpha1", "StagedNetworkPolicy",
     "/apis/policy.sluice.internal/v1alpha1/stagednetworkpolicies"},
    {"stagedclusternetworkpolicies", "policy.sluice.internal/v1alpha1", "StagedClusterNetworkPolicy",
     "/apis/policy.sluice.internal/v1alpha1/stagedclusternetworkpolicies"},
    {"stagedkubernetesnetworkpolicies", "projectcalico.org/v3", "StagedKubernetesNetworkPolicy",
     "/apis/projectcalico.org/v3/stagedkubernetesnetworkpolicies"},
}};

constexpr const ResourceInfo& InfoOf(Resource resource) { return kResourceInfos[static_cast<std::size_t>(resource)]; }

// The resources that have a status.
constexpr bool IsClusterPolicy(Resource resource) {
  return resource == Resource::kClusterNetworkPolicies || resource == Resource::kAdminNetworkPolicies ||
         resource == Resource::kBaselineAdminNetworkPolicies;
}

// The resources that enforce nothing.
constexpr bool IsStaged(Resource resource) {
  return resource == Resource::kStagedNetworkPolicies || resource == Resource::kStagedClusterNetworkPolicies ||
         resource == Resource::kCalicoStagedNetworkPolicies;
}

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_RESOURCE_H_
