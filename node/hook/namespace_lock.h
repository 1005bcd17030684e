// A lock that only one process in a network namespace can hold, until the process ends. Any thread.
#ifndef SLUICE_NODE_HOOK_NAMESPACE_LOCK_H_
#define SLUICE_NODE_HOOK_NAMESPACE_LOCK_H_

#include <string_view>

namespace sluice {

inline constexpr std::string_view kFollowerLock = "sluice-node";  // `sluice-node run`, which follows interfaces
inline constexpr std::string_view kFilterLock = "sluice-filter";  // the `sluiced` whose wire the hooks are

class NamespaceLock {
 public:
  explicit NamespaceLock(std::string_view name);  // tries to take the lock
  ~NamespaceLock();
  NamespaceLock(const NamespaceLock&) = delete;
  NamespaceLock& operator=(const NamespaceLock&) = delete;

  bool is_held() const { return held_; }

 private:
  int socket_ = -1;
  bool held_ = false;
};

}  // namespace sluice

#endif  // SLUICE_NODE_HOOK_NAMESPACE_LOCK_H_
