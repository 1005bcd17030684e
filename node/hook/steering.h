// The steering pair: two veth devices by which hooks hand frames to the filter and get them back. One thread.
//
//   hooks --> sluice-in === sluice-p0  filter  sluice-p1 === sluice-out --> hooks
#ifndef SLUICE_NODE_HOOK_STEERING_H_
#define SLUICE_NODE_HOOK_STEERING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hook/netlink.h"
#include "hook/plan.h"

namespace sluice {

// The MTU that the pair needs to carry the frames of these interfaces, including their tags.
std::uint32_t SteeringMtu(const std::vector<PlannedHook>& hooks);

// Makes the devices that are missing. Each one is up, has this MTU, and carries frames as they will be on the wire
// (checksums filled in, segments cut, tags inside). The error names the device.
std::optional<std::string> MakeSteering(Netlink& netlink, const std::vector<Link>& links, std::uint32_t mtu);

// The error names the device. A device that does not exist is no error.
std::optional<std::string> RemoveSteering(Netlink& netlink);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_STEERING_H_
