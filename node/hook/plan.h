// Chooses the interfaces of a node to hook, and the role of each. Pure: what the kernel says comes as values.
#ifndef SLUICE_NODE_HOOK_PLAN_H_
#define SLUICE_NODE_HOOK_PLAN_H_

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hook/netlink.h"

namespace sluice {

inline constexpr std::string_view kSteeringIn = "sluice-in";       // takes frames to the filter
inline constexpr std::string_view kSteeringInPeer = "sluice-p0";   // the filter's end of it
inline constexpr std::string_view kSteeringOut = "sluice-out";     // brings them back
inline constexpr std::string_view kSteeringOutPeer = "sluice-p1";  // the filter's end of it

bool IsSteering(std::string_view name);

enum class Role : std::uint8_t {
  kPod,     // the host's side of a pod's interface
  kUplink,  // a way out of the node
  kBridge,  // has pods' interfaces as ports; not hooked
};

std::string_view Name(Role role);  // "pod", "uplink", "bridge"

struct PlannedHook {
  std::uint32_t index = 0;
  std::string name;
  Role role = Role::kPod;
  std::uint32_t mtu = 0;

  friend bool operator==(const PlannedHook&, const PlannedHook&) = default;
};

struct PlanInput {
  std::vector<Link> links;
  std::vector<std::uint32_t> gateway_devices;  // interfaces with a route to a gateway
  std::set<std::int32_t> pod_namespaces;       // ids of the namespaces of pods' sandboxes
  bool every_veth = false;                     // every veth whose other end is in another namespace belongs to a pod
  std::vector<std::string> uplinks;            // by name; empty: Plan finds them
};

// A pod's interface is a veth whose other end is in a sandbox's namespace (or, with `every_veth`, in any other). An
// uplink is named, or has a route to a gateway, or is a VXLAN device, or is a port of the bridge with that route if
// pods are the bridge's other ports. Pods' interfaces and uplinks must have an Ethernet header.
std::vector<PlannedHook> Plan(const PlanInput& input);

// Whether a file in the folder of named network namespaces is a pod's sandbox. containerd names them cni-UUID; CRI-O
// uses the UUID alone.
bool IsSandboxName(std::string_view name);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_PLAN_H_
