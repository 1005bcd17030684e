// A map of the hooks', read where it is pinned. By the kernel's own calls: the CNI plugin, which is linked statically,
// has no libbpf.
#ifndef SLUICE_NODE_HOOK_PINNED_MAP_H_
#define SLUICE_NODE_HOOK_PINNED_MAP_H_

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace sluice {

class PinnedMap {
 public:
  explicit PinnedMap(const std::string& path) {
    bpf_attr call{};
    call.pathname = reinterpret_cast<std::uint64_t>(path.c_str());
    fd_ = static_cast<int>(syscall(SYS_bpf, BPF_OBJ_GET, &call, sizeof call));
  }
  ~PinnedMap() {
    if (fd_ >= 0) close(fd_);
  }
  PinnedMap(const PinnedMap&) = delete;
  PinnedMap& operator=(const PinnedMap&) = delete;

  bool is_there() const { return fd_ >= 0; }

  // False: it has no such key, or is not there. The types are those of layout.h.
  template <typename Key, typename Value>
  bool Find(const Key& key, Value& value) const {
    bpf_attr call{};
    call.map_fd = static_cast<std::uint32_t>(fd_);
    call.key = reinterpret_cast<std::uint64_t>(&key);
    call.value = reinterpret_cast<std::uint64_t>(&value);
    return fd_ >= 0 && syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &call, sizeof call) == 0;
  }

 private:
  int fd_ = -1;
};

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_PINNED_MAP_H_
