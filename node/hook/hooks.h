// The hooks of a network namespace: programs and maps in the kernel. They are pinned, so they outlive the process. Used
// by one thread.
#ifndef SLUICE_NODE_HOOK_HOOKS_H_
#define SLUICE_NODE_HOOK_HOOKS_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hook/layout.h"
#include "hook/pins.h"
#include "hook/plan.h"
#include "sluice/address.h"

struct sluice_hooks_bpf;

namespace sluice {

using FrameCounts = std::array<std::uint64_t, SLUICE_COUNTS>;

// The name of a count, as `status` shows it, and a sentence about it.
std::string_view CountName(int count);
std::string_view CountText(int count);

struct HookState {
  std::uint32_t index = 0;
  std::string name;
  Role role = Role::kPod;
  bool is_attached = false;  // both programs, and the interface exists
  bool is_first = false;     // no other tcx program runs before ours
  FrameCounts frames{};
  std::uint64_t carried = 0;         // frames that passed because the filter carries their flows
  std::vector<IpAddress> addresses;  // the pod's own addresses
};

class Hooks {
 public:
  // Loads the programs. Takes over the pinned maps and attachments; attachments get the new programs without a gap. The
  // error says what failed and what to do.
  static std::variant<std::unique_ptr<Hooks>, std::string> Load(const PinPath& pins);
  ~Hooks();
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  // Sets the devices that take frames to the filter and bring them back.
  std::optional<std::string> AttachSteering(std::uint32_t in, std::uint32_t out);

  // Hooks these interfaces and no others. Returns what changed, and what failed, one line each.
  struct Changes {
    std::vector<std::string> done;
    std::vector<std::string> failed;
  };
  Changes Apply(const std::vector<PlannedHook>& planned);

  // Sets all addresses of this node, and the addresses of other nodes.
  void SetNodeAddresses(const std::vector<IpAddress>& addresses);
  void SetOtherNodes(const std::vector<IpAddress>& addresses);

  // Adds a source address that a pod's interface may use.
  void AddOwned(std::uint32_t index, const IpAddress& address);
  void RemoveOwned(std::uint32_t index, const IpAddress& address);
  // Sets the kinds of addresses that a pod's interface still awaits, as SLUICE_AWAITS_; 0: none.
  void SetAwaited(std::uint32_t index, std::uint8_t kinds);
  // Returns all source addresses that pods' interfaces may use.
  std::vector<std::pair<std::uint32_t, IpAddress>> Owned() const;

 private:
  struct Hook {
    std::uint16_t slot = 0;
    PlannedHook planned;
    bool is_attached = false;
  };

  explicit Hooks(const PinPath& pins);

  void FindHooks();
  std::optional<std::uint16_t> TakeSlot();
  std::optional<std::string> Attach(std::uint32_t index, bool is_ingress, int program);
  std::optional<std::string> Add(const PlannedHook& planned);
  void Remove(std::uint32_t index);
  void WriteSlot(const Hook& hook);
  void WriteRole(const Hook& hook);

  PinPath pins_;
  sluice_hooks_bpf* skeleton_ = nullptr;
  std::map<std::uint32_t, Hook> hooks_;  // by interface
  std::set<IpAddress> node_addresses_;
  std::set<IpAddress> other_nodes_;
  std::map<IpAddress, std::set<std::uint32_t>> owners_;  // the interfaces that may use each source address
  std::map<std::uint32_t, std::uint8_t> awaited_;
  std::uint16_t last_slot_ = 0;
};

// The pinned state, read without loading anything. Nothing if there are no hooks.
struct HooksState {
  std::vector<HookState> hooks;
  FrameCounts nobodys{};  // frames that belong to no interface
  std::size_t carried_flows = 0;
  FrameCounts gone{};  // ... and to interfaces that are no longer hooked
};
std::optional<HooksState> ReadHooks(const PinPath& pins);

// Frames by outcome, of all interfaces since the hooks exist, including interfaces that are gone. Nothing if there are
// no hooks, or they cannot be read.
std::optional<FrameCounts> ReadFrameCounts(const PinPath& pins);

// Whether the hooks know the address as an address of this node or of another. False if they cannot be read.
bool IsNodeOfHooks(const PinPath& pins, const IpAddress& address);

// Removes all hooks from their interfaces, and their maps. The error names the file.
std::optional<std::string> RemoveHooks(const PinPath& pins);

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_HOOKS_H_
