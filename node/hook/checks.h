// Checks what a node lacks for hooks, and what is in their way. One thread; only reads.
#ifndef SLUICE_NODE_HOOK_CHECKS_H_
#define SLUICE_NODE_HOOK_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "hook/netlink.h"
#include "hook/plan.h"

namespace sluice {

enum class Level : std::uint8_t {
  kFine,
  kWarning,  // hooks work, but something stays outside them
  kError,    // hooks cannot work
};

struct Finding {
  Level level = Level::kFine;
  std::string what;  // "kernel", "conntrack", ...
  std::string text;  // the state; if it is not fine, also what to do
};

struct NodeFacts {
  std::string bpffs;
  std::string sandboxes;  // the folder of named network namespaces
};

std::vector<Finding> CheckNode(Netlink& netlink, const NodeFacts& facts);

// The checks that concern only links; separate for tests. `sandboxes` are the names of pods' namespaces with the ids by
// which this namespace knows them, -1 if it knows none.
struct Sandbox {
  std::string name;
  std::int32_t id = -1;
};
std::vector<Finding> CheckLinks(const std::vector<Link>& links, const std::vector<std::uint32_t>& gateway_devices,
                                const std::vector<Sandbox>& sandboxes);

// Checks what `sluice-node run` would hook by itself; separate for tests.
std::vector<Finding> CheckPlan(const std::vector<Link>& links, const std::vector<PlannedHook>& plan);

// Finds the pods' namespaces in a folder. An id is -1 if no interface leads from here to there.
std::vector<Sandbox> FindSandboxes(Netlink& netlink, const std::string& folder);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_CHECKS_H_
