// Lets one process use a device: a name that only one process in this network namespace can hold.
#ifndef SLUICE_DATAPLANE_EDGE_DEVICE_LOCK_H_
#define SLUICE_DATAPLANE_EDGE_DEVICE_LOCK_H_

#include <optional>
#include <string>

namespace sluice {

// Held until it is destroyed, or until the process ends in any way. It is an abstract socket address, which the
// kernel frees and which leaves no file. Interfaces belong to a network namespace, and so do these addresses.
class DeviceLock {
 public:
  // Nothing if `name` is already held, in this process or another.
  static std::optional<DeviceLock> Acquire(const std::string& name);

  DeviceLock(DeviceLock&& other) noexcept;
  DeviceLock& operator=(DeviceLock&& other) noexcept;
  ~DeviceLock();

 private:
  explicit DeviceLock(int socket) : socket_(socket) {}

  int socket_;
};

}  // namespace sluice

#endif  // SLUICE_DATAPLANE_EDGE_DEVICE_LOCK_H_
