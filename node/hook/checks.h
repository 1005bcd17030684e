// What a node lacks for hooks, and what is in the way. One thread; reads only.
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
  std::string text;  // what there is; where it is not fine, what to do
};

struct NodeFacts {
  std::string bpffs;
  std::string sandboxes;  // the folder of named network namespaces
};

std::vector<Finding> CheckNode(Netlink& netlink, const NodeFacts& facts);

// Those among them that only concern links; apart for tests. `sandboxes` are the names of pods' namespaces with the ids
// that they are known by here, -1 where none.
struct Sandbox {
  std::string name;
  std::int32_t id = -1;
};
std::vector<Finding> CheckLinks(const std::vector<Link>& links, const std::vector<std::uint32_t>& gateway_devices,
                                const std::vector<Sandbox>& sandboxes);

// What `sluice-node run` would hook by itself; apart for tests.
std::vector<Finding> CheckPlan(const std::vector<Link>& links, const std::vector<PlannedHook>& plan);

// The pods' namespaces in a folder. An id is -1 where no interface leads from here to there.
std::vector<Sandbox> FindSandboxes(Netlink& netlink, const std::string& folder);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_CHECKS_H_
