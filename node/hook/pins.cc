#include "hook/pins.h"

#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "hook/layout.h"
#include "hook/pinned_map.h"

namespace sluice {
namespace {

#ifndef SO_NETNS_COOKIE
constexpr int SO_NETNS_COOKIE = 71;
#endif

}  // namespace

std::variant<PinPath, std::string> FindPinPath(const std::string& bpffs) {
  struct statfs info {};
  if (statfs(bpffs.c_str(), &info) != 0 || static_cast<std::uint64_t>(info.f_type) != BPF_FS_MAGIC) {
    return bpffs + " is no BPF file system, where hooks are pinned; mount one: mount -t bpf bpf " + bpffs +
           " (`ip netns exec` hides it: use nsenter --net=FILE)";
  }
  const int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  const bool known = probe >= 0 && getsockopt(probe, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0;
  if (probe >= 0) close(probe);
  if (!known)
    return std::string("this kernel does not number its network namespaces (SO_NETNS_COOKIE): it is older than 5.14");
  PinPath pins;
  pins.base = bpffs + "/sluice/" + std::to_string(cookie);
  pins.folder = pins.base + "/" + std::to_string(SLUICE_LAYOUT);
  return pins;
}

std::string LinkPath(const PinPath& pins, std::uint32_t index, bool is_ingress) {
  return pins.folder + "/at-" + std::to_string(index) + (is_ingress ? "-in" : "-out");
}

HookNames::HookNames(std::string bpffs) : bpffs_(std::move(bpffs)) {}
HookNames::~HookNames() = default;

std::string HookNames::InterfaceOf(std::uint16_t tag) {
  constexpr std::chrono::seconds kFresh(1);
  const std::uint32_t slot = (tag & 0xfffu) >> 1;
  if (slot == 0) return "";
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (slots_ == nullptr || now - opened_ > kFresh) {
    const auto pins = FindPinPath(bpffs_);
    const auto* path = std::get_if<PinPath>(&pins);
    slots_ = std::make_unique<PinnedMap>(path == nullptr ? "" : path->folder + "/slots");
    opened_ = now;
  }
  sluice_slot value{};
  if (!slots_->Find(slot, value) || value.index == 0) return "";
  value.name[sizeof value.name - 1] = 0;
  return value.name;
}

}  // namespace sluice
