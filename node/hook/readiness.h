// Tells the CNI plugin whether a pod's interface is hooked. It reads the pins and loads nothing.
#ifndef SLUICE_NODE_HOOK_READINESS_H_
#define SLUICE_NODE_HOOK_READINESS_H_

#include <string>
#include <vector>

#include "sluice/address.h"

namespace sluice {

// Empty: each address is owned at one of these interfaces of this network namespace, and both hooks are attached there.
// Otherwise what is missing.
std::string WhatHooksLack(const std::string& bpffs, const std::vector<std::string>& interfaces,
                          const std::vector<IpAddress>& addresses);

// Empty: this network namespace has hooks. Otherwise what is missing.
std::string WhyNoHooks(const std::string& bpffs);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_READINESS_H_
