// The resources that Sluice reads from the API server.
#ifndef SLUICE_CONTROL_KUBE_RESOURCE_H_
#define SLUICE_CONTROL_KUBE_RESOURCE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

enum class Resource : std::uint8_t { kNamespaces, kNodes, kPods, kNetworkPolicies };

inline constexpr std::size_t kResourceCount = 4;
inline constexpr std::array<Resource, kResourceCount> kResources = {Resource::kNamespaces, Resource::kNodes,
                                                                    Resource::kPods, Resource::kNetworkPolicies};

struct ResourceInfo {
  std::string_view name;         // as RBAC names it
  std::string_view api_version;  // of its objects
  std::string_view kind;
  std::string_view path;  // of the list over all namespaces
};

inline constexpr std::array<ResourceInfo, kResourceCount> kResourceInfos = {{
    {"namespaces", "v1", "Namespace", "/api/v1/namespaces"},
    {"nodes", "v1", "Node", "/api/v1/nodes"},
    {"pods", "v1", "Pod", "/api/v1/pods"},
    {"networkpolicies", "networking.k8s.io/v1", "NetworkPolicy", "/apis/networking.k8s.io/v1/networkpolicies"},
}};

constexpr const ResourceInfo& InfoOf(Resource resource) { return kResourceInfos[static_cast<std::size_t>(resource)]; }

}  // namespace sluice

#endif  // SLUICE_CONTROL_KUBE_RESOURCE_H_
