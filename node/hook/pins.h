// Where the hooks of a network namespace are pinned, and what other programs read there.
#ifndef SLUICE_NODE_HOOK_PINS_H_
#define SLUICE_NODE_HOOK_PINS_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

namespace sluice {

class PinnedMap;

// The folder has the network namespace's cookie as its name. No other namespace ever has that cookie.
struct PinPath {
  std::string base;    // BPFFS/sluice/COOKIE: everything of this network namespace
  std::string folder;  // for this layout, inside `base`
};

// Finds the path for the calling thread's network namespace. The error says what is wrong with the BPF file system.
std::variant<PinPath, std::string> FindPinPath(const std::string& bpffs);

// Where the hook at an interface is pinned.
std::string LinkPath(const PinPath& pins, std::uint32_t index, bool is_ingress);

// Names the interfaces at which hooks take frames, by the frames' tags. Any thread; needs a kernel call or two each.
class HookNames {
 public:
  explicit HookNames(std::string bpffs);
  ~HookNames();
  HookNames(const HookNames&) = delete;
  HookNames& operator=(const HookNames&) = delete;

  // Empty: no hook has that tag, or the pins cannot be read.
  std::string InterfaceOf(std::uint16_t tag);

 private:
  const std::string bpffs_;
  std::mutex mutex_;
  std::unique_ptr<PinnedMap> slots_;
  std::chrono::steady_clock::time_point opened_;  // to open again later: hooks may be made anew
};

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_PINS_H_
