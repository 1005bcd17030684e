// Whether a pod's interface is hooked, for the CNI plugin: read from the pins, without loading anything.
#ifndef SLUICE_NODE_HOOK_READINESS_H_
#define SLUICE_NODE_HOOK_READINESS_H_

#include <string>
#include <vector>

#include "sluice/address.h"

namespace sluice {

// Empty: each address is a pod's own at one of the interfaces of this network namespace, where both hooks are. Else
// what is missing.
std::string WhatHooksLack(const std::string& bpffs, const std::vector<std::string>& interfaces,
                          const std::vector<IpAddress>& addresses);

// Empty: there are hooks in this network namespace. Else what is missing.
std::string WhyNoHooks(const std::string& bpffs);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_READINESS_H_
