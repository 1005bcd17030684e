// A map of the hooks, opened where it is pinned. It uses the kernel's own calls, since the CNI plugin is linked
// statically and has no libbpf.
#ifndef SLUICE_NODE_HOOK_PINNED_MAP_H_
#define SLUICE_NODE_HOOK_PINNED_MAP_H_

#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
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

  // False: the key is not in the map, or the map does not exist. The types are those of layout.h.
  template <typename Key, typename Value>
  bool Find(const Key& key, Value& value) const {
    bpf_attr call{};
    call.map_fd = static_cast<std::uint32_t>(fd_);
    call.key = reinterpret_cast<std::uint64_t>(&key);
    call.value = reinterpret_cast<std::uint64_t>(&value);
    return fd_ >= 0 && syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &call, sizeof call) == 0;
  }

  // False: there is no room, or no map.
  template <typename Key, typename Value>
  bool Put(const Key& key, const Value& value) const {
    bpf_attr call{};
    call.map_fd = static_cast<std::uint32_t>(fd_);
    call.key = reinterpret_cast<std::uint64_t>(&key);
    call.value = reinterpret_cast<std::uint64_t>(&value);
    return fd_ >= 0 && syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &call, sizeof call) == 0;
  }

  template <typename Key>
  void Erase(const Key& key) const {
    bpf_attr call{};
    call.map_fd = static_cast<std::uint32_t>(fd_);
    call.key = reinterpret_cast<std::uint64_t>(&key);
    if (fd_ >= 0) syscall(SYS_bpf, BPF_MAP_DELETE_ELEM, &call, sizeof call);
  }

  // Finds the key after `key`, or the first one. False: there is none.
  template <typename Key>
  bool Next(const Key* key, Key& next) const {
    bpf_attr call{};
    call.map_fd = static_cast<std::uint32_t>(fd_);
    call.key = reinterpret_cast<std::uint64_t>(key);
    call.next_key = reinterpret_cast<std::uint64_t>(&next);
    return fd_ >= 0 && syscall(SYS_bpf, BPF_MAP_GET_NEXT_KEY, &call, sizeof call) == 0;
  }

  // Takes up to `room` keys and values out of a hash. The keys of a bucket go together, so some may stay.
  template <typename Key, typename Value>
  std::uint32_t Take(Key* keys, Value* values, std::uint32_t room) const {
    std::uint32_t at = 0;
    bpf_attr call{};
    call.batch.map_fd = static_cast<std::uint32_t>(fd_);
    call.batch.out_batch = reinterpret_cast<std::uint64_t>(&at);
    call.batch.keys = reinterpret_cast<std::uint64_t>(keys);
    call.batch.values = reinterpret_cast<std::uint64_t>(values);
    call.batch.count = room;
    if (fd_ < 0) return 0;
    const bool is_done = syscall(SYS_bpf, BPF_MAP_LOOKUP_AND_DELETE_BATCH, &call, sizeof call) == 0 || errno == ENOENT;
    return is_done ? call.batch.count : 0;
  }

  // Returns the values of an array with BPF_F_MMAPABLE, to read and write in place. Null if that is impossible. They
  // stay valid after the object is gone.
  void* Share(std::size_t bytes) const {
    if (fd_ < 0) return nullptr;
    void* const shared = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    return shared == MAP_FAILED ? nullptr : shared;
  }

 private:
  int fd_ = -1;
};

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_PINNED_MAP_H_
