#include "hook/plan.h"

#include <net/if_arp.h>

#include <algorithm>
#include <cctype>

namespace sluice {
namespace {

bool IsPod(const Link& link, const PlanInput& input) {
  if (link.kind != "veth" || !link.peer || IsSteering(link.name)) return false;
  return input.every_veth || input.pod_namespaces.contains(*link.peer);
}

bool HasGateway(std::uint32_t index, const PlanInput& input) {
  const std::vector<std::uint32_t>& devices = input.gateway_devices;
  return std::find(devices.begin(), devices.end(), index) != devices.end();
}

bool IsUplink(const Link& link, const PlanInput& input, bool is_port) {
  if (link.type != ARPHRD_ETHER || IsSteering(link.name)) return false;
  if (!input.uplinks.empty()) {
    return std::find(input.uplinks.begin(), input.uplinks.end(), link.name) != input.uplinks.end();
  }
  return link.kind == "vxlan" || is_port || HasGateway(link.index, input);
}

}  // namespace

bool IsSteering(std::string_view name) {
  return name == kSteeringIn || name == kSteeringInPeer || name == kSteeringOut || name == kSteeringOutPeer;
}

std::string_view Name(Role role) {
  constexpr std::string_view kNames[] = {"pod", "uplink", "bridge"};
  return kNames[static_cast<int>(role)];
}

std::vector<PlannedHook> Plan(const PlanInput& input) {
  std::vector<PlannedHook> hooks;
  std::set<std::uint32_t> bridges;
  for (const Link& link : input.links) {
    if (!IsPod(link, input)) continue;
    hooks.push_back({link.index, link.name, Role::kPod, link.mtu});
    if (link.master != 0) bridges.insert(link.master);
  }
  // If pods share a bridge with the outside world, the bridge's other ports are uplinks.
  const auto is_way_out = [&](std::uint32_t index) { return bridges.contains(index) && HasGateway(index, input); };
  for (const Link& link : input.links) {
    if (bridges.contains(link.index)) {
      hooks.push_back({link.index, link.name, Role::kBridge, link.mtu});
    } else if (!IsPod(link, input) && IsUplink(link, input, is_way_out(link.master))) {
      hooks.push_back({link.index, link.name, Role::kUplink, link.mtu});
    }
  }
  return hooks;
}

bool IsSandboxName(std::string_view name) {
  if (name.starts_with("cni-")) name.remove_prefix(4);
  if (name.size() != 36) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? name[i] != '-' : std::isxdigit(static_cast<unsigned char>(name[i])) == 0) return false;
  }
  return true;
}

}  // namespace sluice
