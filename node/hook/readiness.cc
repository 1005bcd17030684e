#include "hook/readiness.h"

#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <variant>

#include "hook/layout.h"
#include "hook/pinned_map.h"
#include "hook/pins.h"
#include "hook/wire_address.h"

namespace sluice {
namespace {

bool IsHooked(const PinPath& pins, const PinnedMap& interfaces, std::uint32_t index) {
  sluice_interface value{};
  return index != 0 && interfaces.Find(index, value) && value.kind == SLUICE_POD &&
         access(LinkPath(pins, index, true).c_str(), F_OK) == 0 &&
         access(LinkPath(pins, index, false).c_str(), F_OK) == 0;
}

}  // namespace

std::string WhyNoHooks(const std::string& bpffs) {
  const auto pins = FindPinPath(bpffs);
  if (const auto* error = std::get_if<std::string>(&pins)) return *error;
  const PinnedMap interfaces(std::get<PinPath>(pins).folder + "/interfaces");
  return interfaces.is_there() ? "" : "no hooks in this network namespace; is `sluice-node run` under way?";
}

std::string WhatHooksLack(const std::string& bpffs, const std::vector<std::string>& interfaces,
                          const std::vector<IpAddress>& addresses) {
  if (std::string why = WhyNoHooks(bpffs); !why.empty()) return why;
  const PinPath pins = std::get<PinPath>(FindPinPath(bpffs));
  const PinnedMap roles(pins.folder + "/interfaces");
  const PinnedMap owned(pins.folder + "/owned");
  std::vector<std::uint32_t> hooked;
  for (const std::string& name : interfaces) {
    const std::uint32_t index = if_nametoindex(name.c_str());
    if (IsHooked(pins, roles, index)) hooked.push_back(index);
  }
  if (hooked.empty()) return "no interface of the pod's is hooked yet; `sluice-node status` says which are";
  for (const IpAddress& address : addresses) {
    const auto has = [&](std::uint32_t index) {
      std::uint8_t value = 0;
      return owned.Find(sluice_owned{ToWire(address), index}, value);
    };
    if (std::none_of(hooked.begin(), hooked.end(), has)) return address.ToString() + " is not known at its hook yet";
  }
  return "";
}

}  // namespace sluice
